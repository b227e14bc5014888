//! Pictures of how the power of a sound is spread over time and frequency.

use super::super::image_file::{ImageFormat, encode};
use super::super::{Companion, RenderError};
use crate::metrics::{BINS, Stft};
use crate::signal::{BitDepth, Channels, Image, ImageLayout, Samples, Sound};

/// Of the original, of the reconstruction, and of their difference.
pub(super) const FILES: [&str; 3] = [
    "spectrogram.png",
    "reconstruction-spectrogram.png",
    "error-spectrogram.png",
];

/// The darkest colour stands for this many dB below the loudest place of the original.
const RANGE_DB: f32 = 100.0;

/// Most columns; of longer sounds windows are left out.
const MOST_COLUMNS: usize = 2048;

/// Viridis (Smith and van der Walt 2015) at nine even places: its lightness grows evenly, for every kind of eyes.
const VIRIDIS: [[f32; 3]; 9] = [
    [68.0, 1.0, 84.0],
    [71.0, 44.0, 122.0],
    [59.0, 81.0, 139.0],
    [44.0, 113.0, 142.0],
    [33.0, 144.0, 141.0],
    [39.0, 173.0, 129.0],
    [92.0, 200.0, 99.0],
    [170.0, 220.0, 50.0],
    [253.0, 231.0, 37.0],
];

/// The colour of `level` in [0, 1].
fn colour(level: f32) -> [u8; 3] {
    let place = level.clamp(0.0, 1.0) * (VIRIDIS.len() - 1) as f32;
    let index = (place as usize).min(VIRIDIS.len() - 2);
    let part = place - index as f32;
    std::array::from_fn(|c| {
        let (low, high) = (VIRIDIS[index][c], VIRIDIS[index + 1][c]);
        (low + part * (high - low)).round() as u8
    })
}

/// Power over all channels in the windows that are shown, `[columns, BINS]`; `value` is that of a place in the samples of `sound`.
pub(super) fn power(sound: &Sound, value: impl Fn(usize) -> f32) -> Vec<f32> {
    let (frames, channels) = (sound.layout.frames as usize, sound.layout.channels.into());
    let windows = Stft::windows(frames);
    let columns = windows.min(MOST_COLUMNS);
    let mut stft = Stft::default();
    let mut sum = vec![0.0; columns * BINS];
    for (column, sum) in sum.chunks_exact_mut(BINS).enumerate() {
        for channel in 0..channels {
            let sample = |frame: usize| value(frame * channels + channel);
            let power = stft.power(column * windows / columns, frames, sample);
            for (sum, power) in sum.iter_mut().zip(power) {
                *sum += power;
            }
        }
    }
    sum
}

/// The power of the loudest place.
pub(super) fn loudest(power: &[f32]) -> f32 {
    match power.iter().fold(0.0_f32, |most, p| most.max(*p)) {
        0.0 => 1.0,
        most => most,
    }
}

/// Time runs to the right, frequency upwards from 0 to half the rate; the colour is the power in dB, `loudest` the brightest. At most so many columns
/// and rows; a row is the mean power of the frequencies in it.
pub(super) fn picture(power: &[f32], loudest: f32, [columns, rows]: [usize; 2]) -> Image {
    let windows = power.len() / BINS;
    let (columns, rows) = (windows.min(columns), BINS.min(rows));
    let mut pixels = Vec::with_capacity(columns * rows * 3);
    for row in (0..rows).rev() {
        let bins = row * BINS / rows..(row + 1) * BINS / rows;
        for column in 0..columns {
            let spectrum = &power[column * windows / columns * BINS..][bins.clone()];
            let power = spectrum.iter().sum::<f32>() / spectrum.len() as f32;
            let db = 10.0 * (power / loudest).max(f32::MIN_POSITIVE).log10();
            pixels.extend(colour(1.0 + db / RANGE_DB));
        }
    }
    let layout = ImageLayout::new(columns as u32, rows as u32, Channels::Rgb, BitDepth::U8);
    Image {
        layout,
        samples: Samples::U8(pixels),
    }
}

/// The spectrograms of `original`, of `other` and of their difference, all on the scale of the first.
pub(super) fn pictures(original: &Sound, other: &Sound) -> Result<Vec<Companion>, RenderError> {
    let (a, b) = (&original.samples, &other.samples);
    let powers = [
        power(original, |i| a[i]),
        power(original, |i| b[i]),
        power(original, |i| a[i] - b[i]),
    ];
    let loudest = loudest(&powers[0]);
    FILES
        .into_iter()
        .zip(powers)
        .map(|(file, power)| {
            let picture = picture(&power, loudest, [MOST_COLUMNS, BINS]);
            Ok((file, encode(&picture, ImageFormat::Png)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_grows_in_lightness_from_end_to_end() {
        assert_eq!(colour(-1.0), [68, 1, 84]);
        assert_eq!(colour(2.0), [253, 231, 37]);
        // Rec. 709 luma.
        let lightness = |level: f32| {
            let [r, g, b] = colour(level).map(f32::from);
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        for step in 0..20 {
            assert!(lightness(step as f32 / 20.0) < lightness((step + 1) as f32 / 20.0));
        }
    }
}
