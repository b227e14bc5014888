//! The short-time Fourier transform: power spectra of windows that overlap.

use std::f64::consts::TAU;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

/// Samples of a window.
pub const WINDOW: usize = 2048;
/// Samples from the start of a window to that of the next.
pub const HOP: usize = 512;
/// Frequencies of a spectrum, from 0 to half the sample rate.
pub const BINS: usize = WINDOW / 2 + 1;

/// The periodic Hann window of `length` samples, whose sum is half the length.
pub fn hann(length: usize) -> impl Iterator<Item = f64> {
    (0..length).map(move |i| 0.5 - 0.5 * (TAU * i as f64 / length as f64).cos())
}

/// Transforms one window at a time, under the periodic Hann window.
pub struct Stft {
    transform: Arc<dyn RealToComplex<f32>>,
    hann: Vec<f32>,
    input: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
}

impl Default for Stft {
    fn default() -> Self {
        let transform = RealFftPlanner::<f32>::new().plan_fft_forward(WINDOW);
        Self {
            hann: hann(WINDOW).map(|weight| weight as f32).collect(),
            input: transform.make_input_vec(),
            spectrum: transform.make_output_vec(),
            transform,
        }
    }
}

impl Stft {
    /// How many windows a sound of `count` samples has: every sample is in one.
    pub fn windows(count: usize) -> usize {
        count.saturating_sub(WINDOW).div_ceil(HOP) + 1
    }

    /// Power |X|² of every frequency in window number `window` of the `count` values of `sample`, [`BINS`] of them. The last window is filled
    /// up with zeros.
    pub fn power(
        &mut self,
        window: usize,
        count: usize,
        sample: impl Fn(usize) -> f32,
    ) -> impl Iterator<Item = f32> {
        let first = window * HOP;
        for (i, (input, weight)) in self.input.iter_mut().zip(&self.hann).enumerate() {
            let place = first + i;
            *input = if place < count {
                sample(place) * weight
            } else {
                0.0
            };
        }
        // It fails only when a length is wrong.
        if self
            .transform
            .process(&mut self.input, &mut self.spectrum)
            .is_err()
        {
            self.spectrum.fill(Complex::default());
        }
        self.spectrum.iter().map(Complex::norm_sqr)
    }
}

#[cfg(test)]
mod tests {
    use std::f32::consts::TAU;

    use super::{BINS, HOP, Stft, WINDOW};

    /// A sine at the centre of bin k has the power (Σ w / 2)² there, and Σ w = WINDOW / 2 for a Hann window.
    #[test]
    fn a_sine_lies_in_its_bin() {
        let k = 100;
        let samples: Vec<f32> = (0..WINDOW + 3 * HOP)
            .map(|i| (TAU * ((k * i) % WINDOW) as f32 / WINDOW as f32).sin())
            .collect();
        let mut stft = Stft::default();
        for window in 0..4 {
            let window: Vec<f32> = stft.power(window, samples.len(), |i| samples[i]).collect();
            assert_eq!(window.len(), BINS);
            let expected = (WINDOW as f32 / 4.0).powi(2);
            assert!((window[k] / expected - 1.0).abs() < 1e-4, "{}", window[k]);
            // A Hann window reaches one bin to each side.
            let elsewhere = window
                .iter()
                .enumerate()
                .filter(|(bin, _)| bin.abs_diff(k) > 1);
            assert!(elsewhere.map(|(_, p)| *p).fold(0.0, f32::max) < 1e-3);
        }
        for (samples, windows) in [(2, 1), (WINDOW, 1), (WINDOW + 1, 2), (WINDOW + HOP, 2)] {
            assert_eq!(Stft::windows(samples), windows);
        }
    }
}
