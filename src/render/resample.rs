//! Pictures and sounds at other resolutions without a network: for pictures, separable interpolation of a reduced one at the pixels of the full one.
//!
//! A full pixel at p reads the reduced pixels i within the support of the kernel k with the weights k(i − p), divided by their
//! sum; at the border fewer pixels take part. These are the conventions of the `image` crate, which however knows no shift of
//! the grid, and clamps float pictures to [0, 1].

use std::f64::consts::PI;

use rayon::prelude::*;

use crate::signal::{Image, ImageLayout, Reduction, Samples};

/// Rows that are made between two writes to the finished picture; bounds the memory beside it.
const ROWS_AT_ONCE: usize = 64;

/// An interpolation kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// The cubic convolution of Keys 1981 with a = −1/2, also known as Catmull-Rom.
    Bicubic,
    /// The sinc windowed by its own main lobe stretched to 3 (Duchon 1979).
    Lanczos3,
    /// The same with a main lobe stretched to 32: nearly the band-limited signal.
    Sinc32,
}

impl Filter {
    /// What enlarges pictures, the simplest first.
    pub const PICTURES: [Filter; 2] = [Filter::Bicubic, Filter::Lanczos3];

    /// What raises the rate of sounds, the simplest first.
    pub const SOUNDS: [Filter; 2] = [Filter::Lanczos3, Filter::Sinc32];

    /// The name in tables and of files.
    pub fn name(self) -> &'static str {
        match self {
            Filter::Bicubic => "bicubic",
            Filter::Lanczos3 => "lanczos3",
            Filter::Sinc32 => "sinc32",
        }
    }

    /// The kernel is 0 from this distance on, in reduced pixels.
    fn support(self) -> f64 {
        match self {
            Filter::Bicubic => 2.0,
            Filter::Lanczos3 => 3.0,
            Filter::Sinc32 => 32.0,
        }
    }

    /// The weight of a reduced pixel at `distance`.
    fn weight(self, distance: f64) -> f64 {
        let t = distance.abs();
        if t >= self.support() {
            return 0.0;
        }
        match self {
            // Keys 1981, eq. 15.
            Filter::Bicubic if t < 1.0 => (1.5 * t - 2.5) * t * t + 1.0,
            Filter::Bicubic => ((-0.5 * t + 2.5) * t - 4.0) * t + 2.0,
            Filter::Lanczos3 | Filter::Sinc32 => sinc(t) * sinc(t / self.support()),
        }
    }
}

fn sinc(t: f64) -> f64 {
    match t * PI {
        0.0 => 1.0,
        x => x.sin() / x,
    }
}

/// The reduced pixels along one axis that a full pixel is made of.
struct Taps {
    first: usize,
    /// Their sum is 1.
    weights: Vec<f64>,
}

/// The taps of every full pixel along an axis of `count` reduced ones.
fn taps(filter: Filter, reduction: Reduction, count: usize) -> Vec<Taps> {
    (0..count * reduction.factor())
        .map(|index| {
            let position = reduction.position(index);
            let first = (position - filter.support()).ceil().max(0.0) as usize;
            let last = (position + filter.support()).floor() as usize;
            let weights: Vec<f64> = (first..=last.min(count - 1))
                .map(|i| filter.weight(i as f64 - position))
                .collect();
            let sum: f64 = weights.iter().sum();
            Taps {
                first,
                weights: weights.iter().map(|weight| weight / sum).collect(),
            }
        })
        .collect()
}

/// The picture that `reduced` was made of by `reduction`, as `filter` has it.
pub(super) fn resample(reduced: &Image, reduction: Reduction, filter: Filter) -> Image {
    let small = &reduced.layout;
    let factor = reduction.factor();
    let layout = ImageLayout {
        width: small.width * factor as u32,
        height: small.height * factor as u32,
        ..small.clone()
    };
    let columns = taps(filter, reduction, small.width as usize);
    let rows = taps(filter, reduction, small.height as usize);
    let channels = small.channels.count();
    let mut samples = Samples::with_capacity(layout.bit_depth, layout.values());
    let mut values = vec![0.0; ROWS_AT_ONCE.min(rows.len()) * layout.row()];
    for rows in rows.chunks(ROWS_AT_ONCE) {
        let values = &mut values[..rows.len() * layout.row()];
        values
            .par_chunks_exact_mut(layout.row())
            .zip(rows)
            .for_each_init(
                || [(); 2].map(|()| vec![0.0; small.row()]),
                |[source, mixed], (out, taps)| {
                    mixed.fill(0.0);
                    for (i, weight) in taps.weights.iter().enumerate() {
                        reduced.samples.read((taps.first + i) * small.row(), source);
                        for (mixed, value) in mixed.iter_mut().zip(&*source) {
                            *mixed += weight * value;
                        }
                    }
                    for (pixel, taps) in out.chunks_exact_mut(channels).zip(&columns) {
                        let near = &mixed[taps.first * channels..];
                        for (channel, out) in pixel.iter_mut().enumerate() {
                            let near = near[channel..].iter().step_by(channels);
                            *out = near.zip(&taps.weights).map(|(v, w)| v * w).sum();
                        }
                    }
                },
            );
        samples.extend(values.iter().copied());
    }
    Image { layout, samples }
}

/// The frames `[n · factor, channels]` that `reduced` `[n, channels]` was made of by `reduction`, as `filter` has them.
pub(super) fn interpolate_frames(
    reduced: &[f32],
    channels: usize,
    reduction: Reduction,
    filter: Filter,
) -> Vec<f32> {
    let taps = taps(filter, reduction, reduced.len() / channels);
    let mut frames = vec![0.0; taps.len() * channels];
    let rows = frames
        .par_chunks_mut(channels)
        .zip(&taps)
        .with_min_len(1024);
    rows.for_each(|(frame, taps)| {
        for (channel, value) in frame.iter_mut().enumerate() {
            let near = reduced[taps.first * channels + channel..]
                .iter()
                .step_by(channels);
            let sum: f64 = near
                .zip(&taps.weights)
                .map(|(v, w)| f64::from(*v) * w)
                .sum();
            *value = sum as f32;
        }
    });
    frames
}

/// The frames `[n, channels]` at every `factor`-th place of `frames` `[n · factor, channels]`, low-passed below half their rate by
/// [`Filter::Sinc32`] stretched by the factor.
pub(super) fn decimate(frames: &[f32], channels: usize, factor: usize) -> Vec<f32> {
    let (filter, fine) = (Filter::Sinc32, frames.len() / channels);
    let stretch = factor as f64;
    let reach = filter.support() * stretch;
    let mut out = vec![0.0; fine / factor * channels];
    out.par_chunks_mut(channels)
        .enumerate()
        .with_min_len(256)
        .for_each(|(index, frame)| {
            // The centre of a block of `factor` frames.
            let centre = (index as f64 + 0.5) * stretch - 0.5;
            let first = (centre - reach).ceil().max(0.0) as usize;
            let last = ((centre + reach).floor() as usize).min(fine - 1);
            let weight = |i: usize| filter.weight((i as f64 - centre) / stretch);
            let total: f64 = (first..=last).map(weight).sum();
            for (channel, value) in frame.iter_mut().enumerate() {
                let at = |i: usize| f64::from(frames[i * channels + channel]);
                let sum: f64 = (first..=last).map(|i| weight(i) * at(i)).sum();
                *value = (sum / total) as f32;
            }
        });
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::{BitDepth, Channels, ReducedBy};

    fn picture(width: u32, height: u32, channels: Channels, samples: Samples) -> Image {
        let layout = ImageLayout::new(width, height, channels, samples.bit_depth());
        Image::new(layout, samples).unwrap()
    }

    fn reductions() -> impl Iterator<Item = Reduction> {
        [2, 3, 4, 7].into_iter().flat_map(|factor| {
            [ReducedBy::Area, ReducedBy::Decimation].map(|by| Reduction::new(factor, by).unwrap())
        })
    }

    /// Values in [0.3, 0.7] without a pattern, so that no filter leaves [0, 1].
    fn noise(count: usize) -> Vec<f32> {
        let hash = |i: usize| (i as u32).wrapping_mul(2_654_435_761) >> 8;
        (0..count)
            .map(|i| 0.3 + 0.4 * hash(i) as f32 / (1 << 24) as f32)
            .collect()
    }

    #[test]
    fn kernels_interpolate_and_have_their_known_values() {
        for filter in Filter::PICTURES {
            for i in 0..4 {
                let expected = f64::from(u8::from(i == 0));
                assert!((filter.weight(f64::from(i)) - expected).abs() < 1e-15);
            }
            assert_eq!(filter.weight(-0.3), filter.weight(0.3));
        }
        // The point half way has the weights (−1, 9, 9, −1) / 16.
        assert_eq!(Filter::Bicubic.weight(0.5), 9.0 / 16.0);
        assert_eq!(Filter::Bicubic.weight(1.5), -1.0 / 16.0);
        // sinc(1/2) = 2/π and sinc(1/6) = 3/π.
        assert!((Filter::Lanczos3.weight(0.5) - 6.0 / (PI * PI)).abs() < 1e-15);
    }

    #[test]
    fn constants_stay_what_they_are() {
        for (samples, expected) in [
            (Samples::U8(vec![201; 30]), 201.0),
            (Samples::U16(vec![65_535; 30]), 65_535.0),
            (Samples::F32(vec![-3.7; 30]), f64::from(-3.7_f32)),
        ] {
            let small = picture(5, 2, Channels::Rgb, samples);
            for (reduction, filter) in reductions().flat_map(|r| Filter::PICTURES.map(|f| (r, f))) {
                let large = resample(&small, reduction, filter);
                let mut values = vec![0.0; large.layout.values()];
                large.samples.read(0, &mut values);
                assert_eq!(values.len(), 30 * reduction.factor().pow(2));
                assert!(values.iter().all(|&v| v == expected), "{filter:?}");
            }
        }
    }

    /// The two-dimensional sum, written down pixel by pixel.
    #[test]
    fn rows_and_columns_together_are_the_sum_over_the_plane() {
        let (width, height, channels) = (6, 5, 2);
        let values = noise(width * height * channels);
        let small = Samples::F32(values.clone());
        let small = picture(6, 5, Channels::GreyAlpha, small);
        for (reduction, filter) in reductions().flat_map(|r| Filter::PICTURES.map(|f| (r, f))) {
            let Samples::F32(large) = resample(&small, reduction, filter).samples else {
                panic!("the type of the samples changed");
            };
            let factor = reduction.factor();
            // Mean of a block at its middle (factor − 1)/2, or the first pixel of the block.
            let middle = match reduction.by() {
                ReducedBy::Area => (factor as f64 - 1.0) / 2.0,
                ReducedBy::Decimation => 0.0,
            };
            for (i, value) in large.iter().enumerate() {
                let (x, y) = (
                    i / channels % (width * factor),
                    i / channels / (width * factor),
                );
                let [px, py] = [x, y].map(|p| (p as f64 - middle) / factor as f64);
                let (mut sum, mut weights) = (0.0, 0.0);
                for (j, value) in values.iter().enumerate() {
                    let (jx, jy) = (j / channels % width, j / channels / width);
                    let weight = filter.weight(jx as f64 - px) * filter.weight(jy as f64 - py);
                    if j % channels == i % channels {
                        sum += weight * f64::from(*value);
                        weights += weight;
                    }
                }
                let expected = sum / weights;
                assert!(
                    (f64::from(*value) - expected).abs() < 1e-5,
                    "{filter:?} {i}"
                );
            }
        }
    }

    /// The crate computes in single precision.
    #[test]
    fn means_are_interpolated_as_the_image_crate_does_it() {
        let (width, height) = (13, 9);
        let values = noise(width * height * 3);
        let theirs = image::Rgb32FImage::from_raw(13, 9, values.clone()).unwrap();
        let ours = picture(13, 9, Channels::Rgb, Samples::F32(values));
        for factor in [2, 3, 5] {
            let reduction = Reduction::new(factor, ReducedBy::Area).unwrap();
            for (filter, kind) in [
                (Filter::Bicubic, image::imageops::FilterType::CatmullRom),
                (Filter::Lanczos3, image::imageops::FilterType::Lanczos3),
            ] {
                let Samples::F32(ours) = resample(&ours, reduction, filter).samples else {
                    panic!("the type of the samples changed");
                };
                let theirs = image::imageops::resize(&theirs, 13 * factor, 9 * factor, kind);
                assert_eq!(ours.len(), theirs.as_raw().len());
                for (ours, theirs) in ours.iter().zip(theirs.as_raw()) {
                    assert!((ours - theirs).abs() < 2e-6, "{filter:?} {ours} {theirs}");
                }
            }
        }
    }

    #[test]
    fn whole_numbers_are_rounded_and_clamped() {
        let steps = Samples::U8(vec![0, 0, 0, 255, 255, 255]);
        let small = picture(6, 1, Channels::Grey, steps);
        let reduction = Reduction::new(2, ReducedBy::Area).unwrap();
        let large = resample(&small, reduction, Filter::Bicubic);
        // Weights at distances 1/4 and 3/4 (and 5/4, 7/4): (−3, 29, 111, −9) / 128 and its mirror image; over the step they sum
        // to 29/128 − 3/128 = 26/128 → 51.8, and beside it to −3/128 or −9/128, below 0.
        let expected = vec![0, 0, 0, 0, 0, 52, 203, 255, 255, 255, 255, 255];
        assert_eq!(large.samples.bit_depth(), BitDepth::U8);
        assert_eq!(
            large.samples,
            Samples::U8([expected.clone(), expected].concat())
        );
    }

    /// A sine far below half the rate comes back where it was; the ends, where the filter is cut, are left out.
    #[test]
    fn a_tone_keeps_its_phase_when_its_rate_is_raised() {
        for reduction in reductions() {
            let (n, factor) = (400, reduction.factor());
            let tone = |position: f64| (2.0 * PI * position * 0.05).sin() as f32;
            let reduced: Vec<f32> = (0..n)
                .flat_map(|i| [tone(i as f64), -tone(i as f64)])
                .collect();
            let frames = interpolate_frames(&reduced, 2, reduction, Filter::Sinc32);
            assert_eq!(frames.len(), 2 * n * factor);
            for i in 50 * factor..(n - 50) * factor {
                let expected = tone(reduction.position(i));
                assert!((frames[2 * i] - expected).abs() < 2e-3, "{factor} at {i}");
                assert!((frames[2 * i + 1] + expected).abs() < 2e-3);
            }
        }
    }

    /// Against another window; away from the ends, where the two deal otherwise with what is missing.
    #[test]
    fn twice_the_rate_is_what_scipy_makes_of_it() {
        let text = include_str!("../../tests/reference/resample.json");
        let reference: serde_json::Value = serde_json::from_str(text).unwrap();
        let numbers = |name: &str| -> Vec<f32> {
            let list = reference[name].as_array().unwrap().iter();
            list.map(|v| v.as_f64().unwrap() as f32).collect()
        };
        let (reduced, expected) = (numbers("reduced"), numbers("doubled"));
        let reduction = Reduction::new(2, ReducedBy::Decimation).unwrap();
        let ours = interpolate_frames(&reduced, 1, reduction, Filter::Sinc32);
        assert_eq!(ours.len(), expected.len());
        let inside = 2 * 64..expected.len() - 2 * 64;
        for (ours, expected) in ours[inside.clone()].iter().zip(&expected[inside]) {
            assert!((ours - expected).abs() < 2e-3, "{ours} {expected}");
        }
    }

    /// Below half of the new rate a tone stays, above it it is gone instead of coming back as another tone.
    #[test]
    fn lower_rates_do_not_alias() {
        let (n, factor) = (4000, 4);
        let worst = |frequency: f64| {
            let tone = |position: f64| (2.0 * PI * frequency * position).sin() as f32;
            let frames: Vec<f32> = (0..n).map(|i| tone(i as f64)).collect();
            let low = decimate(&frames, 1, factor);
            assert_eq!(low.len(), n / factor);
            let centre = |i: usize| (i as f64 + 0.5) * factor as f64 - 0.5;
            let inside = 100..n / factor - 100;
            let kept = inside.clone().map(|i| (low[i] - tone(centre(i))).abs());
            let left = inside.map(|i| low[i].abs());
            [kept.fold(0.0, f32::max), left.fold(0.0, f32::max)]
        };
        let [kept, _] = worst(0.08);
        assert!(kept < 5e-3, "{kept}");
        let [_, left] = worst(0.17);
        assert!(left < 5e-3, "{left}");
    }
}
