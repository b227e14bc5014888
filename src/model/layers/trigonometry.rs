//! Sine and cosine of large arguments on any device.

use burn::tensor::Tensor;

use super::fourier_kan::constant_row;

// 2π in two parts whose first has few enough bits that its product with the number of turns is exact in f32 (Cody and Waite 1980).
const TAU_HIGH: f64 = 6.28125;
const TAU_LOW: f64 = std::f64::consts::TAU - TAU_HIGH;

/// The phases f x of `x` `[n, c]` for a factor f of every column, less whole turns, so that they lie in [-π, π].
///
/// A product of f32 has lost what is left after thousands of turns. So turns and coordinate are split into a coarse part of 12 bits each, whose
/// product is exact, and a small rest, of which no more than a few turns come: they are off by a few 10⁻⁶ where |x| is at most 2¹⁵ over the most turns.
pub(super) fn product_phases(x: Tensor<2>, factors: &[f64]) -> Tensor<2> {
    let turns: Vec<f64> = factors.iter().map(|f| f / std::f64::consts::TAU).collect();
    let most = turns
        .iter()
        .fold(f64::MIN_POSITIVE, |most, t| most.max(t.abs()));
    let most = most.log2().ceil().exp2();
    let (unit_of_turns, unit_of_x) = (most / 2048.0, 8.0 / most);
    let coarse: Vec<f64> = turns
        .iter()
        .map(|t| (t / unit_of_turns).round() * unit_of_turns)
        .collect();
    let rest = turns.iter().zip(&coarse).map(|(t, coarse)| t - coarse);
    let rest = constant_row(&x, rest.collect());
    let coarse = constant_row(&x, coarse);
    // Numbers of whole turns are constant between jumps, so they carry no gradient; nor does the coarse part of x, which the rest of x makes up for.
    let coarse_x = x.clone().detach().div_scalar(unit_of_x).round();
    let coarse_x = coarse_x.mul_scalar(unit_of_x);
    let product = coarse_x.clone() * coarse.clone();
    let product = product.clone() - product.round();
    let turns = product + (x.clone() - coarse_x) * coarse + x * rest;
    let turns = turns.clone() - turns.detach().round();
    turns.mul_scalar(std::f64::consts::TAU)
}

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
