//! Pictures on a page: no larger than need be, with their errors, the places where they differ most, and the spectra of the errors.

use std::path::PathBuf;

use rayon::prelude::*;

use super::super::exhibit::{
    Exhibit, Exhibition, MOST_PIXELS_A_SIDE, Picture, Place, Spectra, decibels, reduced,
};
use super::super::image_file::{convert_bit_depth, error_image};
use super::super::{RenderError, srgb};
use crate::metrics::{RadialSpectrum, radial_spectrum};
use crate::signal::{BitDepth, Image, ImageLayout, Samples};

/// Bytes that a pixel of a photograph and one of its error picture take together, about.
const BYTES_A_PIXEL: f64 = 2.5;
/// Places shown.
const PLACES: usize = 3;
/// Pixels along the sides of the smallest and of the largest place.
const SIDES: [usize; 2] = [16, 96];
/// A side of a place is this part of the shorter side of the picture.
const PART: usize = 6;
/// A place moves by this part of its side.
const MOVES: usize = 4;

/// What is known of one picture without keeping it.
struct Seen {
    exhibit: Exhibit,
    /// Summed squared errors of square blocks, row by row.
    blocks: Vec<f64>,
    spectrum: Option<RadialSpectrum>,
}

pub(in crate::render) fn exhibit(
    layout: &ImageLayout,
    original: Option<&Image>,
    files: &[PathBuf],
    room: usize,
) -> Result<Exhibition, RenderError> {
    let factor = factor(layout, room);
    let side = side(layout);
    let mut notes = Vec::new();
    if factor > 1 {
        notes.push(format!(
            "Pictures are shown at 1/{factor} of their size, each pixel the mean of {factor} × {factor}; crops have all pixels."
        ));
    }
    if layout.bit_depth == BitDepth::F32 {
        notes.push("Values from 0 to 1 are shown, with the curve of sRGB.".into());
    }
    // Two at a time would hold two large pictures more; encoding is quick.
    let seen = files.iter().map(|file| {
        let image = Image::load(file)?;
        see(original, &image, factor, side / MOVES)
    });
    let seen = seen.collect::<Result<Vec<Seen>, RenderError>>()?;
    if original.is_some() && seen.iter().any(|seen| seen.exhibit.error.is_none()) {
        notes.push("A picture whose size, channels or bit depth differ from the original's has no error picture.".into());
    }
    let blocks: Vec<&[f64]> = seen.iter().map(|seen| &*seen.blocks).collect();
    let places = places(layout, side, &blocks);
    let spectra = original.and_then(|original| {
        let own = spectrum(original, |image, at| image.level(at, &image.layout))?;
        let errors = seen.iter().map(|seen| match &seen.spectrum {
            Some(spectrum) => levels(spectrum),
            None => Vec::new(),
        });
        Some(Spectra {
            axis: "frequency, cycles per pixel",
            frequencies: (1..=own.power.len())
                .map(|i| i as f64 / own.side as f64)
                .collect(),
            original: levels(&own),
            errors: errors.collect(),
        })
    });
    let mut made: Vec<Exhibit> = seen.into_iter().map(|seen| seen.exhibit).collect();
    for (exhibit, file) in made.iter_mut().zip(files) {
        if !places.is_empty() {
            // Again, so that no more than two large pictures are in memory.
            exhibit.crops = crops(&Image::load(file)?, &places)?;
        }
    }
    let original = original.map(|original| {
        Ok::<_, RenderError>(Exhibit {
            picture: Some(picture(original, factor)?),
            crops: crops(original, &places)?,
            ..Exhibit::default()
        })
    });
    Ok(Exhibition {
        original: original.transpose()?,
        made,
        pictures: "Pictures",
        errors: "mean absolute error of each pixel; black is none, white 32/255 of the range or more",
        places,
        spectra,
        notes,
        ..Exhibition::default()
    })
}

/// The smallest factor by which a picture is reduced to what a page may hold.
fn factor(layout: &ImageLayout, room: usize) -> u32 {
    let by_side = layout.width.max(layout.height).div_ceil(MOST_PIXELS_A_SIDE);
    let by_room = (layout.pixels() as f64 * BYTES_A_PIXEL / room.max(1) as f64).sqrt();
    by_side
        .max(by_room.ceil() as u32)
        .clamp(1, layout.width.min(layout.height))
}

fn side(layout: &ImageLayout) -> usize {
    let shorter = layout.width.min(layout.height) as usize;
    let side = (shorter / PART).clamp(SIDES[0], SIDES[1]).min(shorter);
    (side / MOVES * MOVES).max(MOVES)
}

fn see(
    original: Option<&Image>,
    image: &Image,
    factor: u32,
    block: usize,
) -> Result<Seen, RenderError> {
    let picture = picture(image, factor)?;
    let alike = |original: &&Image| {
        let (a, b) = (&original.layout, &image.layout);
        (a.width, a.height, a.channels, a.bit_depth) == (b.width, b.height, b.channels, b.bit_depth)
    };
    let Some(original) = original.filter(alike) else {
        return Ok(Seen {
            exhibit: Exhibit {
                picture: Some(picture),
                ..Exhibit::default()
            },
            blocks: Vec::new(),
            spectrum: None,
        });
    };
    let error = reduced(error_image(original, image)?, factor)?;
    Ok(Seen {
        exhibit: Exhibit {
            picture: Some(picture),
            error: Some(Picture::new(&error)?),
            ..Exhibit::default()
        },
        blocks: block_errors(original, image, block),
        spectrum: spectrum(original, |original, at| {
            original.level(at, &original.layout) - image.level(at, &original.layout)
        }),
    })
}

fn picture(image: &Image, factor: u32) -> Result<Picture, RenderError> {
    Picture::new(&visible(reduced(image.clone(), factor)?)?)
}

/// The picture in 8 bits.
fn visible(mut image: Image) -> Result<Image, RenderError> {
    if let Samples::F32(values) = &mut image.samples {
        for value in values {
            *value = srgb::encode(*value);
        }
        image.layout.range = [0.0, 1.0];
    }
    Ok(convert_bit_depth(&image, BitDepth::U8)?)
}

impl Image {
    /// A stored value as a part of the range of `layout`: of float pictures each has its own, and differences are taken in one.
    fn level(&self, at: usize, layout: &ImageLayout) -> f64 {
        let value = match &self.samples {
            Samples::U8(values) => f64::from(values[at]),
            Samples::U16(values) => f64::from(values[at]),
            Samples::F32(values) => f64::from(values[at]),
        };
        (value - f64::from(layout.range[0])) / layout.peak()
    }
}

/// The spectrum of what `level` says of every stored value, the mean over the channels.
fn spectrum(image: &Image, level: impl Fn(&Image, usize) -> f64 + Sync) -> Option<RadialSpectrum> {
    let layout = &image.layout;
    let (channels, row) = (layout.channels.count(), layout.row());
    let all = (0..channels).map(|channel| {
        radial_spectrum(
            layout.width as usize,
            layout.height as usize,
            |x, y, out| {
                for (i, value) in out.iter_mut().enumerate() {
                    *value = level(image, y * row + (x + i) * channels + channel);
                }
            },
        )
    });
    let all: Vec<RadialSpectrum> = all.collect::<Option<_>>()?;
    let mean = |i: usize| all.iter().map(|s| s.power[i]).sum::<f64>() / channels as f64;
    Some(RadialSpectrum {
        side: all[0].side,
        power: (0..all[0].power.len()).map(mean).collect(),
    })
}

fn levels(spectrum: &RadialSpectrum) -> Vec<f64> {
    spectrum.power.iter().copied().map(decibels).collect()
}

/// Whole blocks along x and y.
fn counts(layout: &ImageLayout, block: usize) -> [usize; 2] {
    [layout.width, layout.height].map(|side| side as usize / block)
}

fn block_errors(original: &Image, image: &Image, block: usize) -> Vec<f64> {
    let layout = &original.layout;
    let [columns, rows] = counts(layout, block);
    let width = block * layout.channels.count();
    let row = |by: usize| {
        let mut sums = vec![0.0; columns];
        for y in by * block..(by + 1) * block {
            for (column, sum) in sums.iter_mut().enumerate() {
                let start = y * layout.row() + column * width;
                let squares = (start..start + width)
                    .map(|at| (original.level(at, layout) - image.level(at, layout)).powi(2));
                *sum += squares.sum::<f64>();
            }
        }
        sums
    };
    (0..rows).into_par_iter().flat_map_iter(row).collect()
}

/// Where the median of the squared errors of the pictures lies farthest above the least, so that one picture that is wrong everywhere does not choose;
/// of a single picture, where they are largest. No two places overlap.
fn places(layout: &ImageLayout, side: usize, errors: &[&[f64]]) -> Vec<Place> {
    let errors: Vec<&[f64]> = errors.iter().copied().filter(|e| !e.is_empty()).collect();
    let [columns, rows] = counts(layout, side / MOVES);
    if errors.is_empty() || columns < MOVES || rows < MOVES {
        return Vec::new();
    }
    let corners = (0..=rows - MOVES).flat_map(|y| (0..=columns - MOVES).map(move |x| [x, y]));
    let mut scored: Vec<(f64, [usize; 2])> = corners
        .map(|[x, y]| {
            let sum = |blocks: &&[f64]| -> f64 {
                let rows = (y..y + MOVES).map(|y| &blocks[y * columns + x..][..MOVES]);
                rows.flatten().sum()
            };
            let mut sums: Vec<f64> = errors.iter().map(sum).collect();
            sums.sort_by(f64::total_cmp);
            let least = if sums.len() == 1 { 0.0 } else { sums[0] };
            (sums[sums.len() / 2] - least, [x, y])
        })
        .collect();
    // Stable, so that of equal ones the upper left is first.
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut chosen: Vec<[usize; 2]> = Vec::new();
    for (score, corner) in scored {
        let apart =
            |other: &[usize; 2]| (0..2).any(|axis| other[axis].abs_diff(corner[axis]) >= MOVES);
        if chosen.len() == PLACES || score == 0.0 {
            break;
        }
        if chosen.iter().all(apart) {
            chosen.push(corner);
        }
    }
    let place = |corner: [usize; 2]| Place {
        corner: corner.map(|index| index * (side / MOVES)),
        side,
        of: [layout.width, layout.height].map(|side| side as usize),
    };
    chosen.into_iter().map(place).collect()
}

fn crops(image: &Image, places: &[Place]) -> Result<Vec<Picture>, RenderError> {
    let crop = |place: &Place| {
        let channels = image.layout.channels.count();
        let width = place.side * channels;
        let mut samples = Samples::with_capacity(image.layout.bit_depth, width * place.side);
        let mut row = vec![0.0; width];
        for y in place.corner[1]..place.corner[1] + place.side {
            image.samples.read(
                y * image.layout.row() + place.corner[0] * channels,
                &mut row,
            );
            samples.extend(row.iter().copied());
        }
        let layout = ImageLayout {
            width: place.side as u32,
            height: place.side as u32,
            ..image.layout.clone()
        };
        Picture::new(&visible(Image::new(layout, samples)?)?)
    };
    let size = [image.layout.width, image.layout.height].map(|side| side as usize);
    let here = places.iter().filter(|place| place.of == size);
    here.map(crop).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::Channels;

    fn grey(width: u32, height: u32) -> ImageLayout {
        ImageLayout::new(width, height, Channels::Grey, BitDepth::U8)
    }

    #[test]
    fn pictures_are_reduced_to_the_side_and_the_room_of_a_page() {
        assert_eq!(factor(&grey(768, 512), usize::MAX), 1);
        assert_eq!(factor(&grey(1500, 10), usize::MAX), 1);
        assert_eq!(factor(&grey(1501, 900), usize::MAX), 2);
        // 768 · 512 · 2.5 bytes are 983,040, four times the room.
        assert_eq!(factor(&grey(768, 512), 245_760), 2);
        assert_eq!(factor(&grey(768, 512), 245_759), 3);
    }

    /// Two pictures of an even grey: the one is wrong at (24..32, 40..48) by 9, both are wrong at (80..88, 8..16) by 50.
    #[test]
    fn places_lie_where_pictures_differ_and_not_where_all_are_wrong() {
        let layout = grey(112, 100);
        let image = |spots: &[(usize, usize, u8)]| {
            let mut values = vec![100; layout.pixels()];
            for &(x, y, by) in spots {
                for i in 0..64 {
                    values[(y + i / 8) * 112 + x + i % 8] += by;
                }
            }
            Image::new(layout.clone(), Samples::U8(values)).unwrap()
        };
        let original = image(&[]);
        let (good, bad) = (image(&[(80, 8, 50)]), image(&[(80, 8, 50), (24, 40, 9)]));
        let side = side(&layout);
        assert_eq!(side, 16);
        let errors = [&good, &bad].map(|made| block_errors(&original, made, side / MOVES));
        let sum: f64 = errors[1].iter().sum();
        // 64 · ((50/255)² + (9/255)²)
        assert!((sum - 64.0 * (2500.0 + 81.0) / 65025.0).abs() < 1e-9);
        let [good, bad] = [&*errors[0], &*errors[1]];
        let [place] = places(&layout, side, &[good, bad])[..] else {
            panic!("one place differs");
        };
        let [x, y] = place.corner;
        assert!(
            x <= 24 && x + side >= 32 && y <= 40 && y + side >= 48,
            "{place:?}"
        );
        // A third one that is wrong elsewhere as well does not choose.
        let awful = image(&[(80, 8, 50), (24, 40, 9), (0, 0, 100)]);
        let awful = block_errors(&original, &awful, side / MOVES);
        let of_three = places(&layout, side, &[good, bad, &awful]);
        assert_eq!(of_three.len(), 1);
        assert_eq!(of_three[0].corner, place.corner);
        let of_one = places(&layout, side, &[bad]);
        assert_eq!(of_one.len(), 2);
        assert!(of_one[0].corner[0] > 60);
        assert!(places(&layout, side, &[good, good]).is_empty());
    }

    /// Float pictures, of which one has a value beyond those of the other: an error of 1 in one of 64² values has the power 1/64² at every frequency.
    #[test]
    fn errors_of_float_pictures_are_differences_of_their_values() {
        let ramp: Vec<f32> = (0..64 * 64).map(|i| i as f32 / 4095.0).collect();
        let mut spike = ramp.clone();
        spike[64 * 20 + 9] += 1.0;
        let image = |values: Vec<f32>| {
            let largest = values.iter().copied().fold(0.0, f32::max);
            let mut layout = ImageLayout::new(64, 64, Channels::Grey, BitDepth::F32);
            layout.range = [0.0, largest];
            Image::new(layout, Samples::F32(values)).unwrap()
        };
        let (original, made) = (image(ramp), image(spike));
        assert_ne!(original.layout.range, made.layout.range);
        let seen = see(Some(&original), &made, 1, 8).unwrap();
        let power = seen.spectrum.unwrap().power;
        // The first rings lack what the mean of a tile has.
        let power = &power[2..];
        let mean = power.iter().sum::<f64>() / power.len() as f64;
        assert!(
            power.iter().all(|p| (p / mean - 1.0).abs() < 0.1),
            "{power:?}"
        );
        let wrong = seen.blocks.iter().filter(|&&error| error > 1e-9);
        assert_eq!(wrong.count(), 1);
    }
}
