//! The multi-resolution STFT loss of sounds (Yamamoto et al. 2020): how far the magnitudes of short spectra are from those of the signal.
//!
//! With P the magnitudes of the signal and Q those of the network, over the windows of a span of samples, at each of several window lengths,
//!
//! ```text
//! L = ‖P − Q‖ / ‖P‖ + mean |ln (Q + ε) − ln (P + ε)|
//! ```
//!
//! averaged over window lengths, spans and channels. A sine of amplitude 1 has the magnitude 1, and ε is −80 dB (a deviation: theirs clamps powers).
//!
//! No engine needs to know of it: the gradient of the mean squared error over n numbers is 2 (y − t) / n, so that targets moved by −g n / 2 add any other
//! gradient g to it.

use std::f64::consts::TAU;
use std::sync::Arc;

use rayon::prelude::*;
use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

/// Samples of a window; the next begins a quarter later.
const WINDOWS: [usize; 3] = [512, 1024, 2048];
/// Most samples of a span.
const LONGEST_SPAN: usize = 4096;
/// ε, the magnitude below which a frequency is silent.
const SILENCE: f64 = 1e-4;

/// The shortest span that a window fits into.
pub const SHORTEST_SPAN: usize = WINDOWS[0];

/// Samples that follow each other, of a signal with `samples` of them in batches of `batch_size`.
pub fn span(samples: usize, batch_size: usize) -> usize {
    LONGEST_SPAN.min(samples).min(batch_size)
}

/// The loss on spans of one length.
pub(super) struct Spectral {
    span: usize,
    channels: usize,
    weight: f64,
    resolutions: Vec<Resolution>,
}

impl Spectral {
    /// The loss, times `weight`, on spans of `span` samples of `channels` values each.
    pub fn new(weight: f64, span: usize, channels: usize) -> Self {
        let mut planner = RealFftPlanner::new();
        let windows = WINDOWS.into_iter().filter(|&window| window <= span);
        Self {
            span,
            channels,
            weight,
            resolutions: windows.map(|w| Resolution::new(&mut planner, w)).collect(),
        }
    }

    /// How many places a span of a signal of `samples` can be drawn from: as many for the first and the last sample as for any other.
    pub fn places(&self, samples: usize) -> usize {
        samples + self.span - 1
    }

    /// Makes places of spans the samples in them.
    pub fn spread(&self, samples: usize, indices: &mut Vec<u32>) {
        let last = samples - self.span;
        let starts = std::mem::take(indices);
        indices.extend(starts.into_iter().flat_map(|place| {
            let start = (place as usize).saturating_sub(self.span - 1).min(last);
            start as u32..(start + self.span) as u32
        }));
    }

    /// Moves the targets `[spans · span, channels]` so that the mean squared error to the values has the gradient of this loss too, and returns
    /// the loss.
    pub fn pull(&self, values: &[f32], targets: &mut [f32]) -> f64 {
        let numbers = self.span * self.channels;
        let count = targets.len();
        let of_span = |(values, targets): (&[f32], &mut [f32])| {
            let channel = |from: &[f32], channel: usize| -> Vec<f64> {
                let own = from.iter().skip(channel).step_by(self.channels);
                own.copied().map(f64::from).collect()
            };
            let mut sum = 0.0;
            for c in 0..self.channels {
                let mut gradient = vec![0.0; self.span];
                let (value, target) = (channel(values, c), channel(targets, c));
                for resolution in &self.resolutions {
                    sum += resolution.loss(&value, &target, &mut gradient);
                }
                let own = targets.iter_mut().skip(c).step_by(self.channels);
                // The mean over resolutions, spans and channels, and n / 2 of the squared error; n / (spans · channels) is the span.
                let share = self.weight * self.span as f64 / (2 * self.resolutions.len()) as f64;
                for (target, gradient) in own.zip(gradient) {
                    *target -= (share * gradient) as f32;
                }
            }
            sum
        };
        let spans = values
            .par_chunks(numbers)
            .zip(targets.par_chunks_mut(numbers));
        // Collected before they are added, so that the sum does not depend on the number of threads.
        let losses: Vec<f64> = spans.map(of_span).collect();
        let terms = count / self.span * self.resolutions.len();
        self.weight * losses.iter().sum::<f64>() / terms as f64
    }
}

/// Spectra of windows of one length.
struct Resolution {
    forward: Arc<dyn RealToComplex<f64>>,
    inverse: Arc<dyn ComplexToReal<f64>>,
    /// The periodic Hann window, scaled so that a sine of amplitude 1 has the magnitude 1.
    window: Vec<f64>,
}

impl Resolution {
    fn new(planner: &mut RealFftPlanner<f64>, window: usize) -> Self {
        let hann = |i: usize| 0.5 - 0.5 * (TAU * i as f64 / window as f64).cos();
        // The sum of a Hann window is half its length, and a sine has half its amplitude in one bin.
        let scale = 4.0 / window as f64;
        Self {
            forward: planner.plan_fft_forward(window),
            inverse: planner.plan_fft_inverse(window),
            window: (0..window).map(|i| scale * hann(i)).collect(),
        }
    }

    /// The spectra of all windows of `samples`, one after the other.
    fn spectra(&self, samples: &[f64]) -> Vec<Complex<f64>> {
        let bins = self.window.len() / 2 + 1;
        let starts = self.starts(samples.len());
        let mut spectra = vec![Complex::default(); starts.clone().count() * bins];
        let mut input = self.forward.make_input_vec();
        for (start, spectrum) in starts.zip(spectra.chunks_exact_mut(bins)) {
            for ((input, sample), weight) in
                input.iter_mut().zip(&samples[start..]).zip(&self.window)
            {
                *input = sample * weight;
            }
            self.forward
                .process(&mut input, spectrum)
                .expect("it fails only when a length is wrong");
        }
        spectra
    }

    fn starts(&self, samples: usize) -> impl Iterator<Item = usize> + Clone {
        let window = self.window.len();
        (0..=samples - window).step_by(window / 4)
    }

    /// The loss of `values` against `targets`; adds its derivatives by the values to `gradient`.
    fn loss(&self, values: &[f64], targets: &[f64], gradient: &mut [f64]) -> f64 {
        let bins = self.window.len() / 2 + 1;
        let mut spectra = self.spectra(values);
        let wanted: Vec<f64> = self.spectra(targets).iter().map(|x| x.norm()).collect();
        let (mut distance, mut size, mut logarithms) = (0.0, 0.0, 0.0);
        for (x, p) in spectra.iter().zip(&wanted) {
            let q = x.norm();
            distance += (q - p).powi(2);
            size += p * p;
            logarithms += ((q + SILENCE) / (p + SILENCE)).ln().abs();
        }
        let count = wanted.len() as f64;
        // Silence has no size to measure by.
        let (distance, size) = (distance.sqrt(), size.sqrt().max(SILENCE));
        for (place, (x, p)) in spectra.iter_mut().zip(&wanted).enumerate() {
            let q = x.norm();
            // The sign of nothing is none, and not that of the zero.
            let sign = f64::from(i8::from(q > *p) - i8::from(q < *p));
            let mut slope = sign / (count * (q + SILENCE));
            if distance > 0.0 {
                slope += (q - p) / (distance * size);
            }
            // The inverse transform counts every bin but the first and the last twice.
            let bin = place % bins;
            let share = if bin == 0 || bin == bins - 1 {
                1.0
            } else {
                0.5
            };
            *x = match q > 0.0 {
                true => *x * (share * slope / q),
                false => Complex::default(),
            };
            if share == 1.0 {
                // Real by nature; rounding may leave a little.
                x.im = 0.0;
            }
        }
        let mut back = self.inverse.make_output_vec();
        for (start, spectrum) in self
            .starts(values.len())
            .zip(spectra.chunks_exact_mut(bins))
        {
            self.inverse
                .process(spectrum, &mut back)
                .expect("it fails only when a length is wrong");
            for ((gradient, back), weight) in
                gradient[start..].iter_mut().zip(&back).zip(&self.window)
            {
                *gradient += back * weight;
            }
        }
        distance / size + logarithms / count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tone in noise: no magnitude is near 0, where it has no derivative.
    fn tones(seed: f64, count: usize) -> Vec<f64> {
        let mut state = seed.to_bits();
        (0..count)
            .map(|i| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let noise = (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5;
                0.5 * (seed + 0.3 * i as f64).sin() + 0.5 * noise
            })
            .collect()
    }

    fn resolution() -> Resolution {
        Resolution::new(&mut RealFftPlanner::new(), 512)
    }

    #[test]
    fn a_sine_of_amplitude_1_has_the_magnitude_1() {
        let sine: Vec<f64> = (0..512)
            .map(|i| (TAU * (40 * i % 512) as f64 / 512.0).sin())
            .collect();
        let spectrum = resolution().spectra(&sine);
        assert!((spectrum[40].norm() - 1.0).abs() < 1e-12);
    }

    /// Twice the signal: ‖P − 2P‖ / ‖P‖ = 1, and every logarithm is ln 2 where ε does not count.
    #[test]
    fn it_follows_its_formula() {
        let target: Vec<f64> = tones(0.3, 1024).iter().map(|x| 1e6 * x).collect();
        let twice: Vec<f64> = target.iter().map(|x| 2.0 * x).collect();
        let mut gradient = vec![0.0; 1024];
        let loss = resolution().loss(&twice, &target, &mut gradient);
        assert!((loss - 1.0 - std::f64::consts::LN_2).abs() < 1e-6, "{loss}");
        gradient.fill(0.0);
        assert_eq!(resolution().loss(&target, &target, &mut gradient), 0.0);
        assert!(gradient.iter().all(|&g| g == 0.0));
    }

    #[test]
    fn its_gradient_agrees_with_central_differences() {
        let (target, mut values) = (tones(0.3, 1024), tones(0.9, 1024));
        let resolution = resolution();
        let mut gradient = vec![0.0; 1024];
        resolution.loss(&values, &target, &mut gradient);
        for place in [0, 1, 200, 511, 640, 1000] {
            let step = 1e-6;
            let before = values[place];
            let [up, down] = [step, -step].map(|step| {
                values[place] = before + step;
                resolution.loss(&values, &target, &mut vec![0.0; 1024])
            });
            values[place] = before;
            let expected = (up - down) / (2.0 * step);
            assert!(
                (gradient[place] - expected).abs() < 1e-6 * (1.0 + expected.abs()),
                "{place}: {} instead of {expected}",
                gradient[place]
            );
        }
    }

    /// 2 (y − t') / n of the moved targets t' against w times the mean of the gradients and 2 (y − t) / n.
    #[test]
    fn moved_targets_have_the_gradient_of_both_losses() {
        let (span, channels, weight) = (512, 2, 0.7);
        let numbers = |seed| -> Vec<f32> {
            let values = tones(seed, 2 * span * channels);
            values.into_iter().map(|x| x as f32).collect()
        };
        let (values, targets) = (numbers(0.1), numbers(0.8));
        let mut moved = targets.clone();
        let spectral = Spectral::new(weight, span, channels);
        let loss = spectral.pull(&values, &mut moved);
        let n = values.len() as f64;
        let mut sum = 0.0;
        for (span_number, values) in values.chunks(span * channels).enumerate() {
            for c in 0..channels {
                let own = |from: &[f32]| -> Vec<f64> {
                    let own = from.iter().skip(c).step_by(channels);
                    own.map(|&x| f64::from(x)).collect()
                };
                let range = span_number * span * channels..(span_number + 1) * span * channels;
                let (y, t, t_moved) = (
                    own(values),
                    own(&targets[range.clone()]),
                    own(&moved[range]),
                );
                let mut gradient = vec![0.0; span];
                sum += resolution().loss(&y, &t, &mut gradient);
                for i in 0..span {
                    let found = 2.0 * (y[i] - t_moved[i]) / n;
                    let expected = 2.0 * (y[i] - t[i]) / n + weight * gradient[i] / 4.0;
                    // A moved target is an f32.
                    let rounding = 1e-6 * expected.abs().max(0.01);
                    assert!(
                        (found - expected).abs() < rounding,
                        "{found} and {expected}"
                    );
                }
            }
        }
        assert!((loss - weight * sum / 4.0).abs() < 1e-12);
    }

    #[test]
    fn every_sample_is_in_as_many_spans_but_near_the_ends() {
        let spectral = Spectral::new(1.0, 512, 1);
        let samples = 2000;
        let mut seen = vec![0; samples];
        for place in 0..spectral.places(samples) as u32 {
            let mut indices = vec![place];
            spectral.spread(samples, &mut indices);
            assert_eq!(indices.len(), 512);
            for index in indices {
                seen[index as usize] += 1;
            }
        }
        assert_eq!((seen[0], seen[1000], seen[1999]), (512, 512, 512));
        assert!(seen.iter().all(|&count| (512..1024).contains(&count)));
    }
}
