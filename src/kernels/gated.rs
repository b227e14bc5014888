//! The gated hyperbolic tangent of FKAN's image network, y = (z + tanh(ω₀ z)) σ(z) (Mehrabian et al. 2025, authors' code).
//!
//! dy/dz = (1 + ω₀ (1 − tanh²(ω₀ z))) σ(z) + (z + tanh(ω₀ z)) σ'(z).

use super::activation::{sigmoid_lane, tanh_lane};
use super::{dispatch, for_each, mul_add};

/// Replaces z by y = (z + tanh(ω₀ z)) σ(z).
pub fn gated_tanh(z: &mut [f32], omega_0: f32) {
    dispatch!(gated_tanh_body(z: &mut [f32], omega_0: f32));
}

#[inline(always)]
fn gated_tanh_body<const FMA: bool>(z: &mut [f32], omega_0: f32) {
    for_each(
        [],
        [z],
        #[inline(always)]
        |[], [z]| {
            let [sigmoid, _] = sigmoid_lane::<FMA>(z);
            [(z + tanh_lane::<FMA>(omega_0 * z)) * sigmoid]
        },
    );
}

/// Replaces z by y = (z + tanh(ω₀ z)) σ(z) and writes the derivative dy/dz.
pub fn gated_tanh_with_derivative(z: &mut [f32], omega_0: f32, derivative: &mut [f32]) {
    dispatch!(gated_tanh_with_derivative_body(
        z: &mut [f32], omega_0: f32, derivative: &mut [f32]
    ));
}

#[inline(always)]
fn gated_tanh_with_derivative_body<const FMA: bool>(
    z: &mut [f32],
    omega_0: f32,
    derivative: &mut [f32],
) {
    for_each(
        [],
        [z, derivative],
        #[inline(always)]
        |[], [z, _]| {
            let [sigmoid, sigmoid_slope] = sigmoid_lane::<FMA>(z);
            let tanh = tanh_lane::<FMA>(omega_0 * z);
            let sum = z + tanh;
            let sum_slope = mul_add::<FMA>(omega_0, mul_add::<FMA>(-tanh, tanh, 1.0), 1.0);
            let slope = mul_add::<FMA>(sum_slope, sigmoid, sum * sigmoid_slope);
            [sum * sigmoid, slope]
        },
    );
}

#[cfg(test)]
mod tests {
    use super::super::{for_every_instruction_set, scattered};
    use super::*;

    fn exact(z: f64, omega_0: f64) -> f64 {
        (z + (omega_0 * z).tanh()) / (1.0 + (-z).exp())
    }

    /// The derivative is held to (f(z + h) − f(z − h)) / 2h in f64 with h = 1e-6; its error h²/6 f''' is below 1e-7 for ω₀ ≤ 30.
    #[test]
    fn values_and_derivatives_are_those_of_the_formula() {
        for_every_instruction_set(|set| {
            // One number, within one vector, and many; small arguments, the bend of the tangent, and both ends.
            for (length, limit) in [(1, 1.0), (7, 0.1), (10_007, 0.3), (10_007, 20.0)] {
                for omega_0 in [30.0, 1.0] {
                    let z = scattered(length, -limit, limit);
                    let (mut y, mut derivative) = (z.clone(), vec![f32::NAN; length]);
                    gated_tanh_with_derivative(&mut y, omega_0, &mut derivative);
                    let mut alone = z.clone();
                    gated_tanh(&mut alone, omega_0);
                    for i in 0..length {
                        let (z, omega_0) = (f64::from(z[i]), f64::from(omega_0));
                        let value = exact(z, omega_0);
                        // Every factor has a relative error, and z and tanh have one sign.
                        for found in [y[i], alone[i]] {
                            let error = (f64::from(found) - value).abs();
                            assert!(error <= 6e-7 * value.abs(), "{set}: {z}: {error:e}");
                        }
                        let h = 1e-6;
                        let slope = (exact(z + h, omega_0) - exact(z - h, omega_0)) / (2.0 * h);
                        let error = (f64::from(derivative[i]) - slope).abs();
                        assert!(error <= 5e-7 * (1.0 + omega_0), "{set}: {z}: {error:e}");
                    }
                }
            }
        });
    }

    #[test]
    fn ends_saturate_and_nan_passes() {
        for_every_instruction_set(|_| {
            let (mut y, mut derivative) = ([1e30, -1e30, f32::NAN, 0.0], [7.0; 4]);
            gated_tanh_with_derivative(&mut y, 30.0, &mut derivative);
            assert_eq!(
                (&y[..2], &derivative[..2]),
                (&[1e30, 0.0][..], &[1.0, 0.0][..])
            );
            assert!(y[2].is_nan() && derivative[2].is_nan());
            // At 0: (1 + ω₀) σ(0).
            assert_eq!((y[3], derivative[3]), (0.0, 15.5));
        });
    }

    #[test]
    #[should_panic(expected = "one length")]
    fn a_shorter_derivative_is_refused() {
        gated_tanh_with_derivative(&mut [0.0; 32], 30.0, &mut [0.0; 16]);
    }
}
