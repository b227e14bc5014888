//! The short-time Fourier transform: power spectra of windows that overlap.

use std::f32::consts::TAU;

use realfft::RealFftPlanner;

/// Samples of a window.
pub const WINDOW: usize = 2048;
/// Samples from the start of a window to that of the next.
pub const HOP: usize = 512;
/// Frequencies of a spectrum, from 0 to half the sample rate.
pub const BINS: usize = WINDOW / 2 + 1;

/// Power |X|² of every frequency in every window, `[windows, BINS]`.
///
/// The window is the periodic Hann window; the last one is filled up with zeros, so that every sample is in one.
pub fn power_spectra(samples: &[f32]) -> Vec<f32> {
    let transform = RealFftPlanner::<f32>::new().plan_fft_forward(WINDOW);
    let hann: Vec<f32> = (0..WINDOW)
        .map(|i| 0.5 - 0.5 * (TAU * i as f32 / WINDOW as f32).cos())
        .collect();
    let mut input = transform.make_input_vec();
    let mut spectrum = transform.make_output_vec();
    let windows = samples.len().saturating_sub(WINDOW).div_ceil(HOP) + 1;
    let mut power = Vec::with_capacity(windows * BINS);
    for window in 0..windows {
        let rest = &samples[window * HOP..];
        let length = rest.len().min(WINDOW);
        input[length..].fill(0.0);
        for ((input, sample), weight) in input.iter_mut().zip(&rest[..length]).zip(&hann) {
            *input = sample * weight;
        }
        // It fails only when a length is wrong.
        if transform.process(&mut input, &mut spectrum).is_ok() {
            power.extend(spectrum.iter().map(|x| x.norm_sqr()));
        }
    }
    power
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sine at the centre of bin k has the power (Σ w / 2)² there, and Σ w = WINDOW / 2 for a Hann window.
    #[test]
    fn a_sine_lies_in_its_bin() {
        let k = 100;
        let samples: Vec<f32> = (0..WINDOW + 3 * HOP)
            .map(|i| (TAU * ((k * i) % WINDOW) as f32 / WINDOW as f32).sin())
            .collect();
        let power = power_spectra(&samples);
        assert_eq!(power.len(), 4 * BINS);
        for window in power.chunks_exact(BINS) {
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
            assert_eq!(power_spectra(&vec![0.5; samples]).len(), windows * BINS);
        }
    }
}
