//! Smaller pictures by whole factors: the mean or the first pixel of every block.
//!
//! The stored numbers are reduced as they are, without undoing a gamma, every channel and alpha on its own.

use super::super::{ReducedBy, Reduction, SignalError};
use super::{Image, ImageLayout, Samples};

/// The picture cut at the right and at the bottom to multiples of the factor.
///
/// # Errors
/// [`SignalError::TooSmall`] when a side has fewer pixels than the factor.
pub(super) fn cut(image: Image, reduction: Reduction) -> Result<Image, SignalError> {
    let [width, height] = [image.layout.width, image.layout.height];
    let factor = reduction.factor();
    let size = [width, height].map(|side| side as usize / factor * factor);
    if size.contains(&0) {
        return Err(SignalError::TooSmall {
            size: format!("{width} x {height}"),
            factor,
        });
    }
    if size == [width as usize, height as usize] {
        return Ok(image);
    }
    Ok(by_rows(&image, size, |y, out| {
        image.samples.read(y * image.layout.row(), out);
    }))
}

/// The picture with one pixel for every block of factor × factor, rounded as its type asks.
///
/// # Panics
/// If a side is no multiple of the factor.
pub(super) fn reduce(image: &Image, reduction: Reduction) -> Image {
    let factor = reduction.factor();
    let size = [image.layout.width, image.layout.height].map(|side| side as usize);
    assert!(size.iter().all(|side| side.is_multiple_of(factor)));
    let channels = image.layout.channels.count();
    // How many rows and columns of a block count, from its first on.
    let counted = match reduction.by() {
        ReducedBy::Area => factor,
        ReducedBy::Decimation => 1,
    };
    let mut full = vec![0.0; image.layout.row()];
    by_rows(image, size.map(|side| side / factor), |y, out| {
        out.fill(0.0);
        for row in factor * y..factor * y + counted {
            image.samples.read(row * full.len(), &mut full);
            let blocks = full.chunks_exact(factor * channels);
            for (sums, block) in out.chunks_exact_mut(channels).zip(blocks) {
                for pixel in block.chunks_exact(channels).take(counted) {
                    for (sum, value) in sums.iter_mut().zip(pixel) {
                        *sum += value;
                    }
                }
            }
        }
        for sum in out {
            *sum /= (counted * counted) as f64;
        }
    })
}

/// A picture of another size, in pixels along x and y, whose rows `fill` writes.
fn by_rows(like: &Image, size: [usize; 2], mut fill: impl FnMut(usize, &mut [f64])) -> Image {
    let mut layout = ImageLayout {
        width: size[0] as u32,
        height: size[1] as u32,
        ..like.layout.clone()
    };
    let mut samples = Samples::with_capacity(layout.bit_depth, layout.values());
    let mut row = vec![0.0; layout.row()];
    for y in 0..size[1] {
        fill(y, &mut row);
        samples.extend(row.iter().copied());
    }
    // A float picture has the range of its own samples, as if it had been read from a file.
    layout.range = samples.range();
    Image { layout, samples }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::{BitDepth, Channels};

    fn image(width: u32, height: u32, channels: Channels, samples: Samples) -> Image {
        let mut layout = ImageLayout::new(width, height, channels, samples.bit_depth());
        layout.range = samples.range();
        Image::new(layout, samples).unwrap()
    }

    fn by(factor: u32, by: ReducedBy) -> Reduction {
        Reduction::new(factor, by).unwrap()
    }

    #[test]
    fn a_block_becomes_its_mean_or_its_first_pixel() {
        // Two blocks of 2 × 2 with alpha: means (1 + 2 + 5 + 7) / 4 = 3.75 and (3 + 4 + 8 + 9) / 4 = 6, alpha ten times that.
        let grey = [1, 2, 3, 4, 5, 7, 8, 9];
        let values: Vec<u8> = grey.iter().flat_map(|&v| [v, 10 * v]).collect();
        let picture = image(4, 2, Channels::GreyAlpha, Samples::U8(values));
        let area = reduce(&picture, by(2, ReducedBy::Area));
        assert_eq!(area.samples, Samples::U8(vec![4, 38, 6, 60]));
        assert_eq!((area.layout.width, area.layout.height), (2, 1));
        let first = reduce(&picture, by(2, ReducedBy::Decimation));
        assert_eq!(first.samples, Samples::U8(vec![1, 10, 3, 30]));
    }

    #[test]
    fn every_type_of_sample_is_reduced_in_floating_point() {
        let deep = image(3, 3, Channels::Grey, Samples::U16(vec![65535; 9]));
        let reduced = reduce(&deep, by(3, ReducedBy::Area));
        assert_eq!(reduced.samples, Samples::U16(vec![65535]));
        let float = Samples::F32(vec![-2.0, 1.0, 0.5, 4.0]);
        let float = image(2, 2, Channels::Grey, float);
        assert_eq!(float.layout.range, [-2.0, 4.0]);
        let reduced = reduce(&float, by(2, ReducedBy::Area));
        assert_eq!(reduced.samples, Samples::F32(vec![0.875]));
        assert_eq!(reduced.layout.range, [0.0, 0.875]);
        assert_eq!(reduced.layout.bit_depth, BitDepth::F32);
    }

    #[test]
    fn what_is_over_is_cut_at_the_end() {
        let picture = image(5, 3, Channels::Grey, Samples::U8((0..15).collect()));
        let reference = cut(picture.clone(), by(2, ReducedBy::Area)).unwrap();
        let expected = vec![0, 1, 2, 3, 5, 6, 7, 8];
        assert_eq!(
            reference,
            image(4, 2, Channels::Grey, Samples::U8(expected))
        );
        assert!(cut(picture.clone(), by(3, ReducedBy::Area)).is_ok());
        let error = cut(picture, by(4, ReducedBy::Area)).unwrap_err();
        assert!(error.to_string().contains("5 x 3"), "{error}");
    }
}
