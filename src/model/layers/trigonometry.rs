//! Sine and cosine of large arguments on any device.

use burn::tensor::Tensor;

// 2π in two parts whose first has few enough bits that its product with the number of turns is exact in f32 (Cody and Waite 1980).
const TAU_HIGH: f64 = 6.28125;
const TAU_LOW: f64 = std::f64::consts::TAU - TAU_HIGH;

/// Subtracts the nearest multiple of 2π, so that `x` lies in [-π, π]; the derivative is unchanged.
///
/// Graphics cards promise an accurate sine only there (WGSL: absolute error 2^-11 within [-π, π], nothing outside).
pub(super) fn reduce_phase(x: Tensor<2>) -> Tensor<2> {
    // The number of turns is constant between jumps, so it carries no gradient.
    let turns = x
        .clone()
        .detach()
        .mul_scalar(1.0 / std::f64::consts::TAU)
        .round();
    x - turns.clone().mul_scalar(TAU_HIGH) - turns.mul_scalar(TAU_LOW)
}
