//! The root mean square frequency of samples on a two-dimensional grid, without a Fourier transform.
//!
//! Let F be the discrete Fourier transform of n samples along one axis. The first difference multiplies F(f) by
//! exp(2πi f/n) − 1, whose squared magnitude is 4 sin²(π f/n). By Parseval, with the mean value left out,
//!
//! ```text
//! D = mean (s[i+1] − s[i])² / variance(s) = Σ 4 sin²(π f/n) |F(f)|² / Σ |F(f)|²
//! ```
//!
//! so D is the mean of 4 sin²(π f/n) weighted by energy, and
//!
//! ```text
//! f_rms = √(Σ f² |F|² / Σ |F|²) ≈ (n/π) asin(√D / 2)
//! ```
//!
//! For slow signals this is n √D / (2π); the inverse sine undoes that a difference sees high frequencies too weakly. The result
//! is exact for a single frequency and a lower bound for a broad spectrum, since sin²(√u) is concave. The picture is not
//! taken as periodic: the difference across the border is left out.

use std::f64::consts::PI;

/// Pixels beyond which rows are skipped, so that the cost does not grow with the picture.
const MOST_PIXELS: usize = 1 << 20;

/// The root mean square frequency along x and y in cycles across the axis.
///
/// `samples` is row-major and interleaved, `[height, width, channels]`. Squared differences and variances are pooled over the
/// channels, so a constant channel (opaque alpha) does not lower the result. Constant samples and axes of length 1 give 0.
/// Of large pictures every k-th row is used, together with the row below it.
pub(super) fn rms_frequency<T: Copy + Into<f64>>(
    samples: &[T],
    width: usize,
    height: usize,
    channels: usize,
) -> [f32; 2] {
    let row = width * channels;
    let step = (width * height).div_ceil(MOST_PIXELS).max(1);
    // Sums are taken about the first pixel, so that a large offset does not cancel the variance.
    let origin: Vec<f64> = samples[..channels].iter().map(|&v| v.into()).collect();
    let mut sum = vec![0.0; channels];
    let mut squares = 0.0;
    let (mut squares_x, mut squares_y) = (0.0, 0.0);
    let (mut rows, mut rows_y) = (0, 0);
    for y in (0..height).step_by(step) {
        let here = &samples[y * row..][..row];
        for pixel in here.chunks_exact(channels) {
            for c in 0..channels {
                let value = pixel[c].into() - origin[c];
                sum[c] += value;
                squares += value * value;
            }
        }
        squares_x += squared_differences(&here[..row - channels], &here[channels..]);
        rows += 1;
        if y + 1 < height {
            squares_y += squared_differences(here, &samples[(y + 1) * row..][..row]);
            rows_y += 1;
        }
    }
    let count = (rows * width) as f64;
    let variance = squares / count - sum.iter().map(|s| (s / count).powi(2)).sum::<f64>();
    let frequency = |squares: f64, differences: usize, n: usize| {
        if differences == 0 || squares == 0.0 || variance <= 0.0 {
            return 0.0;
        }
        let d = squares / differences as f64 / variance;
        (n as f64 / PI * (d.sqrt() / 2.0).min(1.0).asin()) as f32
    };
    [
        frequency(squares_x, rows * (width - 1), width),
        frequency(squares_y, rows_y * width, height),
    ]
}

fn squared_differences<T: Copy + Into<f64>>(a: &[T], b: &[T]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(&a, &b)| {
            let difference = a.into() - b.into();
            difference * difference
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// sin(2π f (i + ½)/n) along x.
    fn wave(frequency: f64, width: usize, height: usize, channels: usize) -> Vec<f32> {
        (0..width * height * channels)
            .map(|i| {
                let x = (i / channels) % width;
                (2.0 * PI * frequency * (x as f64 + 0.5) / width as f64).sin() as f32
            })
            .collect()
    }

    #[test]
    fn a_single_frequency_is_found_up_to_nyquist() {
        for frequency in [1.0, 5.0, 40.0, 100.0] {
            let [x, y] = rms_frequency(&wave(frequency, 256, 3, 1), 256, 3, 1);
            // The border difference that is left out is one of 256.
            assert!((f64::from(x) - frequency).abs() < 0.01 * frequency, "{x}");
            assert_eq!(y, 0.0);
        }
        // +1, −1, +1 ... is the Nyquist frequency n/2.
        let alternating: Vec<f32> = (0..64).map(|i| (i % 2) as f32).collect();
        assert_eq!(rms_frequency(&alternating, 64, 1, 1), [32.0, 0.0]);
        assert_eq!(rms_frequency(&alternating, 1, 64, 1), [0.0, 32.0]);
    }

    #[test]
    fn two_frequencies_of_equal_energy_add_in_square() {
        // f_rms = √((4² + 8²)/2) = 6.32; sin² is nearly linear this far below Nyquist.
        let (a, b) = (wave(4.0, 512, 1, 1), wave(8.0, 512, 1, 1));
        let sum: Vec<f32> = a.iter().zip(&b).map(|(a, b)| a + b).collect();
        let [x, _] = rms_frequency(&sum, 512, 1, 1);
        assert!((x - 40.0_f32.sqrt()).abs() < 0.05, "{x}");
    }

    #[test]
    fn constant_samples_have_no_frequency() {
        assert_eq!(rms_frequency(&[200_u8; 48], 4, 4, 3), [0.0, 0.0]);
        assert_eq!(rms_frequency(&[7_u16], 1, 1, 1), [0.0, 0.0]);
        // A constant that no power of two divides, far from zero.
        assert_eq!(rms_frequency(&[1.0e6_f32 + 0.3; 35], 7, 5, 1), [0.0, 0.0]);
    }

    #[test]
    fn a_constant_channel_changes_nothing() {
        let grey = wave(9.0, 100, 2, 1);
        let with_alpha: Vec<f32> = grey.iter().flat_map(|&v| [v, 1.0]).collect();
        let alone = rms_frequency(&grey, 100, 2, 1)[0];
        let beside = rms_frequency(&with_alpha, 100, 2, 2)[0];
        assert!((alone - beside).abs() < 1e-4, "{alone} {beside}");
    }

    #[test]
    fn skipped_rows_change_little() {
        // 2048 × 2048 uses every 4th row; frequency 10 along y as well.
        let n = 2048;
        let samples: Vec<f32> = (0..n * n)
            .map(|i| {
                let y = (i / n) as f64 + 0.5;
                (2.0 * PI * 10.0 * y / n as f64).sin() as f32
            })
            .collect();
        let [x, y] = rms_frequency(&samples, n, n, 1);
        assert_eq!(x, 0.0);
        assert!((y - 10.0).abs() < 0.1, "{y}");
    }
}
