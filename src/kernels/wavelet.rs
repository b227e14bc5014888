//! Wavelets on every edge: y_j += Σ_i w_ij ψ(r_ij (x_i − t_ij)) (Wav-KAN, Bozorgasl and Chen 2024), with the scale of an edge as its inverse r.
//!
//! Every edge has its own exponential, so that a layer costs about as many of them as it has edges. The inputs are the outer loop: the numbers of
//! the edges of one input, and their gradients, stay in the L1 cache while all rows of a tile pass.

use serde::{Deserialize, Serialize};

use super::activation::exp_lane;
use super::trigonometry::sin_cos_lane;
use super::{LANES, dispatch, for_each, mul_add, padded};

/// Beyond this e^(−u²/2) is below 2e-37, and u² far from too large.
const MOST_U: f32 = 13.0;

/// ω₀ of the Morlet wavelet (authors' code of Wav-KAN).
pub const MORLET_OMEGA: f32 = 5.0;

/// 2/(√3 π^¼), which gives the Mexican hat the norm 1.
pub const MEXICAN_HAT_NORM: f32 = 0.867_325_07;

/// ψ, the function that all edges of a layer scale and move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wavelet {
    /// 2/(√3 π^¼) (1 − u²) e^(−u²/2).
    #[default]
    MexicanHat,
    /// −u e^(−u²/2), the derivative of a Gaussian.
    Dog,
    /// cos(5 u) e^(−u²/2).
    Morlet,
}

/// The trained numbers of the edges, each `[d_in, d_out]`.
#[derive(Debug, Clone, Copy)]
pub struct Edges<'a> {
    /// w
    pub weights: &'a [f32],
    /// r
    pub inverse_scales: &'a [f32],
    /// t
    pub translations: &'a [f32],
}

/// ψ(u) and ψ'(u).
#[inline(always)]
fn wavelet_lane<const FMA: bool>(wavelet: Wavelet, u: f32) -> [f32; 2] {
    let u = u.clamp(-MOST_U, MOST_U);
    let square = u * u;
    let bell = exp_lane::<FMA>(-0.5 * square);
    match wavelet {
        Wavelet::MexicanHat => {
            let bell = MEXICAN_HAT_NORM * bell;
            [(1.0 - square) * bell, u * (square - 3.0) * bell]
        }
        Wavelet::Dog => [-u * bell, (square - 1.0) * bell],
        Wavelet::Morlet => {
            let [sin, cos] = sin_cos_lane::<FMA>(MORLET_OMEGA * u);
            let slope = mul_add::<FMA>(MORLET_OMEGA, sin, u * cos);
            [cos * bell, -slope * bell]
        }
    }
}

fn check_rows(x: &[f32], d_in: usize, edges: Edges, y: &[f32]) {
    assert_eq!(
        x.len() * edges.weights.len(),
        y.len() * d_in * d_in,
        "inputs and outputs must have as many rows"
    );
}

/// Adds the functions of all edges to y `[rows, d_out]`; `x`: `[rows, d_in]`.
pub fn wavelets(wavelet: Wavelet, x: &[f32], d_in: usize, edges: Edges, y: &mut [f32]) {
    check_rows(x, d_in, edges, y);
    dispatch!(wavelets_any(wavelet: Wavelet, x: &[f32], d_in: usize, edges: Edges, y: &mut [f32]));
}

#[inline(always)]
fn wavelets_any<const FMA: bool>(
    wavelet: Wavelet,
    x: &[f32],
    d_in: usize,
    edges: Edges,
    y: &mut [f32],
) {
    // One loop for each wavelet, without a choice in it.
    match wavelet {
        Wavelet::MexicanHat => wavelets_body::<FMA>(Wavelet::MexicanHat, x, d_in, edges, y),
        Wavelet::Dog => wavelets_body::<FMA>(Wavelet::Dog, x, d_in, edges, y),
        Wavelet::Morlet => wavelets_body::<FMA>(Wavelet::Morlet, x, d_in, edges, y),
    }
}

#[inline(always)]
fn wavelets_body<const FMA: bool>(
    wavelet: Wavelet,
    x: &[f32],
    d_in: usize,
    edges: Edges,
    y: &mut [f32],
) {
    let d_out = edges.weights.len() / d_in;
    for input in 0..d_in {
        let [w, r, t] = of_input(edges, input, d_out);
        let inputs = x[input..].iter().step_by(d_in);
        for (&x, y) in inputs.zip(y.chunks_exact_mut(d_out)) {
            for (((y, w), r), t) in y.iter_mut().zip(w).zip(r).zip(t) {
                let [value, _] = wavelet_lane::<FMA>(wavelet, r * (x - t));
                *y = mul_add::<FMA>(*w, value, *y);
            }
        }
    }
}

/// Adds the gradients of the weights, the inverse scales and the translations, and writes that of x where it is asked for; `grad`: that of y.
pub fn wavelets_backward(
    wavelet: Wavelet,
    x: &[f32],
    d_in: usize,
    edges: Edges,
    grad: &[f32],
    gradients: [&mut [f32]; 3],
    grad_x: Option<&mut [f32]>,
) {
    check_rows(x, d_in, edges, grad);
    // The gradient of x costs little beside the rest, so that there is one loop for both.
    let mut unused = Vec::new();
    let grad_x = grad_x.unwrap_or_else(|| {
        unused.resize(x.len(), 0.0);
        &mut unused
    });
    dispatch!(backward_any(wavelet: Wavelet, x: &[f32], d_in: usize, edges: Edges, grad: &[f32], gradients: [&mut [f32]; 3], grad_x: &mut [f32]));
}

#[inline(always)]
fn backward_any<const FMA: bool>(
    wavelet: Wavelet,
    x: &[f32],
    d_in: usize,
    edges: Edges,
    grad: &[f32],
    gradients: [&mut [f32]; 3],
    grad_x: &mut [f32],
) {
    match wavelet {
        Wavelet::MexicanHat => {
            let wavelet = Wavelet::MexicanHat;
            backward_body::<FMA>(wavelet, x, d_in, edges, grad, gradients, grad_x);
        }
        Wavelet::Dog => {
            backward_body::<FMA>(Wavelet::Dog, x, d_in, edges, grad, gradients, grad_x);
        }
        Wavelet::Morlet => {
            backward_body::<FMA>(Wavelet::Morlet, x, d_in, edges, grad, gradients, grad_x);
        }
    }
}

#[inline(always)]
fn backward_body<const FMA: bool>(
    wavelet: Wavelet,
    x: &[f32],
    d_in: usize,
    edges: Edges,
    grad: &[f32],
    [of_weights, of_scales, of_translations]: [&mut [f32]; 3],
    grad_x: &mut [f32],
) {
    let d_out = edges.weights.len() / d_in;
    let mut pulls = vec![0.0; d_out];
    for input in 0..d_in {
        let [w, r, t] = of_input(edges, input, d_out);
        let place = input * d_out..(input + 1) * d_out;
        let of_w = &mut of_weights[place.clone()];
        let of_r = &mut of_scales[place.clone()];
        let of_t = &mut of_translations[place];
        for (row, grad) in grad.chunks_exact(d_out).enumerate() {
            let x = x[row * d_in + input];
            for_each(
                [w, r, t, grad],
                [&mut *of_w, &mut *of_r, &mut *of_t, &mut pulls],
                #[inline(always)]
                |[w, r, t, grad], [of_w, of_r, of_t, _]| {
                    let distance = x - t;
                    let [value, slope] = wavelet_lane::<FMA>(wavelet, r * distance);
                    let inner = grad * w * slope;
                    [
                        mul_add::<FMA>(grad, value, of_w),
                        mul_add::<FMA>(inner, distance, of_r),
                        mul_add::<FMA>(-inner, r, of_t),
                        inner * r,
                    ]
                },
            );
            grad_x[row * d_in + input] = sum(&pulls);
        }
    }
}

/// The sum, in lanes, so that it vectorises.
#[inline(always)]
fn sum(x: &[f32]) -> f32 {
    let (blocks, rest) = x.as_chunks::<LANES>();
    let mut sums = padded(rest);
    for block in blocks {
        for (sum, x) in sums.iter_mut().zip(block) {
            *sum += x;
        }
    }
    sums.iter().sum()
}

/// w, r and t of the edges that start from one input.
#[inline(always)]
fn of_input(edges: Edges<'_>, input: usize, d_out: usize) -> [&[f32]; 3] {
    [edges.weights, edges.inverse_scales, edges.translations]
        .map(|all| &all[input * d_out..][..d_out])
}

#[cfg(test)]
mod tests {
    use super::super::{for_every_instruction_set, scattered};
    use super::*;

    /// ψ written out in f64.
    fn exact(wavelet: Wavelet, u: f64) -> f64 {
        let bell = (-0.5 * u * u).exp();
        match wavelet {
            Wavelet::MexicanHat => {
                let norm = 2.0 / (3.0_f64.sqrt() * std::f64::consts::PI.powf(0.25));
                norm * (1.0 - u * u) * bell
            }
            Wavelet::Dog => -u * bell,
            Wavelet::Morlet => (5.0 * u).cos() * bell,
        }
    }

    #[test]
    fn values_follow_the_formulas_and_slopes_are_their_derivatives() {
        for wavelet in [Wavelet::MexicanHat, Wavelet::Dog, Wavelet::Morlet] {
            for_every_instruction_set(|set| {
                // Of one edge w ψ(r (x − t)) with w = r = 1 and t = 0.
                let u: Vec<f32> = scattered(400, -6.0, 6.0)
                    .into_iter()
                    .chain([1e20, -1e20])
                    .collect();
                let edges = Edges {
                    weights: &[1.0],
                    inverse_scales: &[1.0],
                    translations: &[0.0],
                };
                let mut values = vec![0.0; u.len()];
                wavelets(wavelet, &u, 1, edges, &mut values);
                let (ones, mut slopes) = (vec![1.0; u.len()], vec![f32::NAN; u.len()]);
                let mut sums = [[0.0; 1]; 3];
                let sums = sums.each_mut().map(|sum| &mut sum[..]);
                wavelets_backward(wavelet, &u, 1, edges, &ones, sums, Some(&mut slopes));
                for ((u, value), slope) in u.into_iter().zip(values).zip(slopes) {
                    let u = f64::from(u);
                    let expected = exact(wavelet, u);
                    assert!((f64::from(value) - expected).abs() < 2e-6, "{set} {u}");
                    let h = 1e-5;
                    let expected = (exact(wavelet, u + h) - exact(wavelet, u - h)) / (2.0 * h);
                    assert!((f64::from(slope) - expected).abs() < 2e-5, "{set} {u}");
                }
            });
        }
    }
}
