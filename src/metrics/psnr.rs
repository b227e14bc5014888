//! Squared error and the peak signal-to-noise ratio.

use rayon::prelude::*;

/// Values summed by one task; fixed, so that the order of additions is.
const CHUNK: usize = 1 << 16;

/// The sum of squared differences Σ (aᵢ − bᵢ)² over all values.
///
/// The mean squared error is this divided by `a.len()`, all channels of a picture together.
///
/// # Panics
/// If the slices differ in length.
pub fn squared_error_sum<T: Copy + Into<f64> + Sync>(a: &[T], b: &[T]) -> f64 {
    assert_eq!(a.len(), b.len(), "both signals must have the same length");
    let partial: Vec<f64> = a
        .par_chunks(CHUNK)
        .zip(b.par_chunks(CHUNK))
        .map(|(a, b)| {
            a.iter()
                .zip(b)
                .map(|(&a, &b)| {
                    let difference = a.into() - b.into();
                    difference * difference
                })
                .sum()
        })
        .collect();
    partial.iter().sum()
}

/// The peak signal-to-noise ratio 10 log₁₀(peak² / mean squared error) in dB.
///
/// `peak` is the span of the values: 255 or 65535 for whole numbers, 1 for sound. Equal signals have no noise and give +∞.
/// NaN in gives NaN out.
pub fn psnr_db(mean_squared_error: f64, peak: f64) -> f64 {
    10.0 * (peak * peak / mean_squared_error).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn psnr_of_known_errors() {
        // One grey level in every pixel: 20 log10 255 = 48.1308 dB.
        assert!((psnr_db(1.0, 255.0) - 48.130_803_608_679_1).abs() < 1e-9);
        // An error as large as the peak is 0 dB, a tenth of it 20 dB.
        assert_eq!(psnr_db(4.0, 2.0), 0.0);
        assert!((psnr_db(0.01, 1.0) - 20.0).abs() < 1e-12);
        assert_eq!(psnr_db(0.0, 255.0), f64::INFINITY);
        assert!(psnr_db(f64::NAN, 255.0).is_nan());
    }

    #[test]
    fn squared_errors_are_summed_over_all_types() {
        assert_eq!(
            squared_error_sum(&[0_u8, 255, 7], &[255_u8, 0, 4]),
            130_059.0
        );
        assert_eq!(squared_error_sum(&[65535_u16], &[0]), 4_294_836_225.0);
        assert_eq!(squared_error_sum(&[1.5_f32, -2.0], &[-0.5, -2.0]), 4.0);
        assert_eq!(squared_error_sum::<u8>(&[], &[]), 0.0);
    }

    #[test]
    fn the_sum_does_not_depend_on_the_threads() {
        // Values of very different size, so that another order of additions would show.
        let a: Vec<f64> = (0..5 * CHUNK + 17)
            .map(|i| ((i * 2_654_435_761) % 1_000_003) as f64 * 10_f64.powi((i % 13) as i32 - 6))
            .collect();
        let b = vec![0.1; a.len()];
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build().unwrap().install(|| squared_error_sum(&a, &b))
        };
        let one = with(1);
        for threads in [2, 3, 8] {
            assert_eq!(one.to_bits(), with(threads).to_bits());
        }
    }
}
