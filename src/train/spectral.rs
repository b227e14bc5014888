//! The multi-resolution STFT loss of sounds (Yamamoto et al. 2020): how far the magnitudes of short spectra are from those of the signal.
//!
//! With P the magnitudes of the signal and Q those of the network, over all windows of one length in all spans and channels of a batch,
//!
//! ```text
//! L = ‖P − Q‖ / ‖P‖ + mean |ln (Q + ε) − ln (P + ε)|
//! ```
//!
//! averaged over window lengths. A sine of amplitude 1 has the magnitude 1, and ε is −80 dB (a deviation: theirs clamps powers).
//!
//! No engine needs to know of it: the gradient of the mean squared error over n numbers is 2 (y − t) / n, so that targets moved by −g n / 2 add any other
//! gradient g to it.

use std::sync::Arc;

use rayon::prelude::*;
use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use crate::metrics::hann;

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
        let (values, wanted) = (self.tracks(values), self.tracks(targets));
        let mut gradients = vec![vec![0.0; self.span]; values.len()];
        let losses = self
            .resolutions
            .iter()
            .map(|resolution| resolution.loss(&values, &wanted, &mut gradients));
        let share = self.weight / self.resolutions.len() as f64;
        let loss = share * losses.sum::<f64>();
        let half = targets.len() as f64 / 2.0;
        for (track, gradient) in gradients.iter().enumerate() {
            let (span, channel) = (track / self.channels, track % self.channels);
            let first = span * self.span * self.channels + channel;
            let own = targets[first..].iter_mut().step_by(self.channels);
            for (target, gradient) in own.zip(gradient) {
                *target -= (half * share * gradient) as f32;
            }
        }
        loss
    }

    /// Every channel of every span by itself, from numbers `[spans · span, channels]`.
    fn tracks(&self, numbers: &[f32]) -> Vec<Vec<f64>> {
        let spans = numbers.chunks_exact(self.span * self.channels);
        let tracks = spans.flat_map(|span| {
            (0..self.channels).map(|channel| {
                let own = span[channel..].iter().step_by(self.channels);
                own.copied().map(f64::from).collect()
            })
        });
        tracks.collect()
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
        // The sum of a Hann window is half its length, and a sine has half its amplitude in one bin.
        let scale = 4.0 / window as f64;
        Self {
            forward: planner.plan_fft_forward(window),
            inverse: planner.plan_fft_inverse(window),
            window: hann(window).map(|weight| scale * weight).collect(),
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

    /// The loss of `values` against `targets`, all of one length; adds its derivatives by the values to `gradients`.
    fn loss(&self, values: &[Vec<f64>], targets: &[Vec<f64>], gradients: &mut [Vec<f64>]) -> f64 {
        let mut tracks: Vec<Magnitudes> = values
            .par_iter()
            .zip(targets)
            .map(|(value, target)| Magnitudes {
                spectra: self.spectra(value),
                wanted: self.spectra(target).iter().map(|x| x.norm()).collect(),
            })
            .collect();
        // Summed one after the other, so that nothing depends on the number of threads.
        let (mut distance, mut size, mut logarithms, mut count) = (0.0, 0.0, 0.0, 0.0);
        for track in &tracks {
            for (x, p) in track.spectra.iter().zip(&track.wanted) {
                let q = x.norm();
                distance += (q - p).powi(2);
                size += p * p;
                logarithms += ((q + SILENCE) / (p + SILENCE)).ln().abs();
                count += 1.0;
            }
        }
        // Silence has no size to measure by.
        let (distance, size) = (distance.sqrt(), size.sqrt().max(SILENCE));
        let slope = |q: f64, p: f64| {
            // The sign of nothing is none, and not that of the zero.
            let sign = f64::from(i8::from(q > p) - i8::from(q < p));
            let of_distance = match distance > 0.0 {
                true => (q - p) / (distance * size),
                false => 0.0,
            };
            sign / (count * (q + SILENCE)) + of_distance
        };
        tracks
            .par_iter_mut()
            .zip(gradients)
            .for_each(|(track, gradient)| self.add_gradient(track, slope, gradient));
        distance / size + logarithms / count
    }

    /// Adds to `gradient` what follows from the derivatives `slope` of the magnitudes; the spectra of the track are used up.
    fn add_gradient(
        &self,
        track: &mut Magnitudes,
        slope: impl Fn(f64, f64) -> f64,
        gradient: &mut [f64],
    ) {
        let bins = self.window.len() / 2 + 1;
        for (place, (x, p)) in track.spectra.iter_mut().zip(&track.wanted).enumerate() {
            let q = x.norm();
            // The inverse transform counts every bin but the first and the last twice.
            let bin = place % bins;
            let share = if bin == 0 || bin == bins - 1 {
                1.0
            } else {
                0.5
            };
            *x = match q > 0.0 {
                true => *x * (share * slope(q, *p) / q),
                false => Complex::default(),
            };
            if share == 1.0 {
                // Real by nature; rounding may leave a little.
                x.im = 0.0;
            }
        }
        let mut back = self.inverse.make_output_vec();
        let starts = self.starts(gradient.len());
        for (start, spectrum) in starts.zip(track.spectra.chunks_exact_mut(bins)) {
            self.inverse
                .process(spectrum, &mut back)
                .expect("it fails only when a length is wrong");
            for ((gradient, back), weight) in
                gradient[start..].iter_mut().zip(&back).zip(&self.window)
            {
                *gradient += back * weight;
            }
        }
    }
}

/// What one channel of one span gives for one length of windows.
struct Magnitudes {
    /// Of the network.
    spectra: Vec<Complex<f64>>,
    /// P
    wanted: Vec<f64>,
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

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
        let (target, twice) = ([target], [twice]);
        let mut gradient = [vec![0.0; 1024]];
        let loss = resolution().loss(&twice, &target, &mut gradient);
        assert!((loss - 1.0 - std::f64::consts::LN_2).abs() < 1e-6, "{loss}");
        gradient[0].fill(0.0);
        assert_eq!(resolution().loss(&target, &target, &mut gradient), 0.0);
        assert!(gradient[0].iter().all(|&g| g == 0.0));
    }

    #[test]
    fn its_gradient_agrees_with_central_differences() {
        // Two tracks, one of them nearly silent.
        let quiet = |seed| tones(seed, 1024).iter().map(|x| 1e-2 * x).collect();
        let target = [tones(0.3, 1024), quiet(0.4)];
        let mut values = [tones(0.9, 1024), quiet(0.8)];
        let resolution = resolution();
        let none = || [vec![0.0; 1024], vec![0.0; 1024]];
        let mut gradient = none();
        resolution.loss(&values, &target, &mut gradient);
        for (track, place) in [(0, 0), (0, 1), (0, 200), (0, 511), (1, 640), (1, 1000)] {
            let step = 1e-7;
            let before = values[track][place];
            let [up, down] = [step, -step].map(|step| {
                values[track][place] = before + step;
                resolution.loss(&values, &target, &mut none())
            });
            values[track][place] = before;
            let expected = (up - down) / (2.0 * step);
            let found = gradient[track][place];
            assert!(
                (found - expected).abs() < 1e-5 * (1.0 + expected.abs()),
                "{track}, {place}: {found} instead of {expected}"
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
        let [y, t, t_moved] = [&values, &targets, &moved].map(|numbers| spectral.tracks(numbers));
        let mut gradients = vec![vec![0.0; span]; 2 * channels];
        let expected = weight * resolution().loss(&y, &t, &mut gradients);
        assert!((loss - expected).abs() < 1e-12);
        for track in 0..2 * channels {
            for i in 0..span {
                let found = 2.0 * (y[track][i] - t_moved[track][i]) / n;
                let of_squares = 2.0 * (y[track][i] - t[track][i]) / n;
                let expected = of_squares + weight * gradients[track][i];
                // A moved target is an f32.
                let rounding = 1e-6 * expected.abs().max(0.01);
                assert!(
                    (found - expected).abs() < rounding,
                    "{found} and {expected}"
                );
            }
        }
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
