//! How one sound stands for another: SNR, SI-SDR and the distance of spectra.

use super::stft::{BINS, Stft};

/// Σ s² and Σ (s − ŝ)² in f64.
fn energies(reference: &[f32], estimate: &[f32]) -> [f64; 2] {
    let mut energies = [0.0; 2];
    for (&s, &e) in reference.iter().zip(estimate) {
        let (s, e) = (f64::from(s), f64::from(e));
        energies[0] += s * s;
        energies[1] += (s - e) * (s - e);
    }
    energies
}

fn decibels(ratio: f64) -> f64 {
    10.0 * ratio.log10()
}

/// The signal-to-noise ratio 10 log₁₀(Σ s² / Σ (s − ŝ)²) in dB; infinite for equal sounds.
pub fn snr_db(reference: &[f32], estimate: &[f32]) -> f64 {
    let [signal, noise] = energies(reference, estimate);
    if noise == 0.0 {
        f64::INFINITY
    } else {
        decibels(signal / noise)
    }
}

/// The scale-invariant signal-to-distortion ratio in dB (Le Roux et al. 2019, eq. 5): the SNR after the reference is scaled to fit best,
/// α = ⟨ŝ, s⟩ / ⟨s, s⟩, 10 log₁₀(Σ (α s)² / Σ (α s − ŝ)²). Infinite for equal sounds, silence among
/// them; −∞ when no part of a sound is in the estimate.
pub fn si_sdr_db(reference: &[f32], estimate: &[f32]) -> f64 {
    let (mut dot, mut square) = (0.0, 0.0);
    for (&s, &e) in reference.iter().zip(estimate) {
        dot += f64::from(s) * f64::from(e);
        square += f64::from(s) * f64::from(s);
    }
    let alpha = if square > 0.0 { dot / square } else { 0.0 };
    let (mut target, mut rest) = (0.0, 0.0);
    for (&s, &e) in reference.iter().zip(estimate) {
        let scaled = alpha * f64::from(s);
        target += scaled * scaled;
        rest += (scaled - f64::from(e)).powi(2);
    }
    match rest == 0.0 {
        // Silence instead of a sound.
        true if square > 0.0 && target == 0.0 => f64::NEG_INFINITY,
        true => f64::INFINITY,
        false => decibels(target / rest),
    }
}

/// Added to every power, so that silence has a logarithm: −100 dB.
const FLOOR: f64 = 1e-10;

/// The log-spectral distance of one channel: the root of the mean square, over frequencies, of the difference of log₁₀ powers, averaged over
/// windows (2048 samples, 512 apart; Gray and Markel 1976, with log₁₀ instead of dB). 1e-10 is added to every power. NaN for a single sample,
/// of which a window that begins with 0 keeps nothing.
pub fn log_spectral_distance(reference: &[f32], estimate: &[f32]) -> f64 {
    let count = reference.len().min(estimate.len());
    if count < 2 {
        return f64::NAN;
    }
    let (mut of_reference, mut of_estimate) = (Stft::default(), Stft::default());
    let windows = Stft::windows(count);
    let distances = (0..windows).map(|window| {
        let a = of_reference.power(window, count, |i| reference[i]);
        let b = of_estimate.power(window, count, |i| estimate[i]);
        let squares = a.zip(b).map(|(a, b)| {
            let difference = (f64::from(a) + FLOOR).log10() - (f64::from(b) + FLOOR).log10();
            difference * difference
        });
        (squares.sum::<f64>() / BINS as f64).sqrt()
    });
    distances.sum::<f64>() / windows as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(count: usize) -> Vec<f32> {
        (0..count).map(|i| (i as f32 * 0.1).sin() * 0.5).collect()
    }

    /// An estimate of 0.9 s has the error 0.1 s: 20 dB of SNR, and no error but that of scale.
    #[test]
    fn a_scaled_sound_has_its_snr_and_no_distortion() {
        let reference = tone(5000);
        let estimate: Vec<f32> = reference.iter().map(|s| 0.9 * s).collect();
        assert!((snr_db(&reference, &estimate) - 20.0).abs() < 1e-4);
        assert!(si_sdr_db(&reference, &estimate) > 120.0);
        // All powers are 0.81 times as large, far above the floor where the tone is.
        let distance = log_spectral_distance(&reference, &estimate);
        assert!(distance <= -(0.81_f64.log10()) + 1e-3, "{distance}");
        assert!(distance > 0.02, "{distance}");
    }

    /// Noise at right angles to the sound with a hundredth of its energy.
    #[test]
    fn noise_counts_the_same_for_both() {
        let reference = [1.0, 0.0, -1.0, 0.0];
        let estimate = [1.0, 0.1, -1.0, 0.1];
        assert!((snr_db(&reference, &estimate) - 20.0).abs() < 1e-5);
        assert!((si_sdr_db(&reference, &estimate) - 20.0).abs() < 1e-5);
    }

    #[test]
    fn equal_sounds_are_infinitely_good_and_silence_is_not_missing() {
        for sound in [tone(3000), vec![0.0; 3000]] {
            assert_eq!(snr_db(&sound, &sound), f64::INFINITY);
            assert_eq!(si_sdr_db(&sound, &sound), f64::INFINITY);
            assert_eq!(log_spectral_distance(&sound, &sound), 0.0);
        }
        assert_eq!(snr_db(&[0.0; 4], &[0.1; 4]), f64::NEG_INFINITY);
        assert_eq!(si_sdr_db(&tone(4), &[0.0; 4]), f64::NEG_INFINITY);
        assert!(log_spectral_distance(&[0.5], &[0.1]).is_nan());
    }

    /// A pair of spectra a factor of 100 apart everywhere is 2 apart.
    #[test]
    fn ten_times_the_amplitude_is_a_distance_of_two() {
        let click = |size: f32| {
            let mut sound = vec![0.0; 2048];
            sound[1024] = size;
            sound
        };
        let distance = log_spectral_distance(&click(1.0), &click(0.1));
        assert!((distance - 2.0).abs() < 1e-4, "{distance}");
    }
}
