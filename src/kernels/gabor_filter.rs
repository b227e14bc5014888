//! Waves under bells: y_j = sin(u_j) e^(−γ_j |x − μ_j|² / 2), the filters of a multiplicative network (GaborNet, Fathony et al. 2021).

use super::activation::exp_lane;
use super::jets::sin_cos;
use super::{LANES, dispatch, mul_add};

/// Where the bells are and how sharp.
#[derive(Debug, Clone, Copy)]
pub struct Bells<'a> {
    /// μ `[d_in, d_out]`
    pub centers: &'a [f32],
    /// γ `[d_out]`
    pub sharpness: &'a [f32],
}

impl Bells<'_> {
    fn d_in(self) -> usize {
        self.centers.len() / self.sharpness.len()
    }
}

/// Replaces u `[rows, d_out]` by y and writes dy/du = cos(u) e^(−γ |x − μ|² / 2); `x`: `[rows, d_in]`.
pub fn gabor_filters(x: &[f32], bells: Bells, u: &mut [f32], slope: &mut [f32]) {
    let (d_out, d_in) = (bells.sharpness.len(), bells.d_in());
    assert_eq!(
        (u.len() / d_out * d_in, u.len()),
        (x.len(), slope.len()),
        "inputs and outputs must have as many rows"
    );
    sin_cos(u, slope);
    dispatch!(under_bells(x: &[f32], bells: Bells, u: &mut [f32], slope: &mut [f32]));
}

/// Multiplies both with the bells.
#[inline(always)]
fn under_bells<const FMA: bool>(x: &[f32], bells: Bells, sin: &mut [f32], cos: &mut [f32]) {
    let (d_out, d_in) = (bells.sharpness.len(), bells.d_in());
    let rows = sin.chunks_exact_mut(d_out).zip(cos.chunks_exact_mut(d_out));
    for (x, (sin, cos)) in x.chunks_exact(d_in).zip(rows) {
        for first in (0..d_out).step_by(LANES) {
            let place = first..d_out.min(first + LANES);
            let squares = squared_distances::<FMA>(x, bells, first);
            let sharpness = &bells.sharpness[place.clone()];
            let waves = sin[place.clone()].iter_mut().zip(&mut cos[place]);
            for (((sin, cos), gamma), square) in waves.zip(sharpness).zip(squares) {
                let bell = exp_lane::<FMA>(-0.5 * gamma * square);
                *sin *= bell;
                *cos *= bell;
            }
        }
    }
}

/// |x − μ_j|² for some j from `first` on; 0 beyond the last.
#[inline(always)]
fn squared_distances<const FMA: bool>(x: &[f32], bells: Bells, first: usize) -> [f32; LANES] {
    let d_out = bells.sharpness.len();
    let mut squares = [0.0; LANES];
    for (x, centers) in x.iter().zip(bells.centers.chunks_exact(d_out)) {
        for (square, center) in squares.iter_mut().zip(&centers[first..]) {
            let distance = x - center;
            *square = mul_add::<FMA>(distance, distance, *square);
        }
    }
    squares
}

/// Adds the gradients of μ and γ and writes what the bells give to that of x; turns `grad`, that of y, into that of u. `y` and `slope` are those of
/// [`gabor_filters`].
pub fn gabor_filters_backward(
    x: &[f32],
    bells: Bells,
    [y, slope]: [&[f32]; 2],
    grad: &mut [f32],
    gradients: [&mut [f32]; 2],
    grad_x: &mut [f32],
) {
    dispatch!(backward_body(x: &[f32], bells: Bells, y: &[f32], slope: &[f32], grad: &mut [f32], gradients: [&mut [f32]; 2], grad_x: &mut [f32]));
}

#[inline(always)]
fn backward_body<const FMA: bool>(
    x: &[f32],
    bells: Bells,
    y: &[f32],
    slope: &[f32],
    grad: &mut [f32],
    [of_centers, of_sharpness]: [&mut [f32]; 2],
    grad_x: &mut [f32],
) {
    let d_out = bells.sharpness.len();
    let d_in = bells.centers.len() / d_out;
    let rows = x.chunks_exact(d_in).zip(grad_x.chunks_exact_mut(d_in));
    let waves = y.chunks_exact(d_out).zip(slope.chunks_exact(d_out));
    let rows = rows.zip(waves.zip(grad.chunks_exact_mut(d_out)));
    for ((x, grad_x), ((y, slope), grad)) in rows {
        grad_x.fill(0.0);
        for first in (0..d_out).step_by(LANES) {
            let place = first..d_out.min(first + LANES);
            let squares = squared_distances::<FMA>(x, bells, first);
            let (y, grad) = (&y[place.clone()], &mut grad[place.clone()]);
            // g y, and γ g y.
            let (mut gy, mut sharp) = ([0.0; LANES], [0.0; LANES]);
            let both = gy.iter_mut().zip(&mut sharp);
            let sharpness = &bells.sharpness[place.clone()];
            for ((((gy, sharp), y), g), gamma) in both.zip(y).zip(&*grad).zip(sharpness) {
                *gy = y * g;
                *sharp = gamma * *gy;
            }
            let of_sharpness = &mut of_sharpness[place.clone()];
            for ((sum, gy), square) in of_sharpness.iter_mut().zip(gy).zip(squares) {
                *sum = mul_add::<FMA>(-0.5 * square, gy, *sum);
            }
            for (i, (x, grad_x)) in x.iter().zip(&mut *grad_x).enumerate() {
                let centers = &bells.centers[i * d_out..][place.clone()];
                let of_centers = &mut of_centers[i * d_out..][place.clone()];
                let mut pulls = [0.0; LANES];
                let edges = centers.iter().zip(of_centers);
                for (((center, sum), sharp), pull) in edges.zip(sharp).zip(&mut pulls) {
                    *pull = (x - center) * sharp;
                    *sum += *pull;
                }
                *grad_x -= pulls.iter().sum::<f32>();
            }
            for (g, slope) in grad.iter_mut().zip(&slope[place]) {
                *g *= slope;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{for_every_instruction_set, scattered};
    use super::*;

    #[test]
    fn values_follow_the_formula() {
        for_every_instruction_set(|set| {
            for (d_in, d_out) in [(1, 1), (2, 16), (3, 37)] {
                let rows = 5;
                let x = scattered(rows * d_in, -1.0, 1.0);
                let centers = scattered(d_in * d_out, -1.0, 1.0);
                let sharpness = scattered(d_out, 0.1, 9.0);
                let phases = scattered(rows * d_out, -40.0, 40.0);
                let (mut y, mut slope) = (phases.clone(), vec![f32::NAN; phases.len()]);
                let bells = Bells {
                    centers: &centers,
                    sharpness: &sharpness,
                };
                gabor_filters(&x, bells, &mut y, &mut slope);
                for (at, phase) in phases.iter().enumerate() {
                    let (row, j) = (at / d_out, at % d_out);
                    let distances = (0..d_in)
                        .map(|i| f64::from(x[row * d_in + i]) - f64::from(centers[i * d_out + j]));
                    let square: f64 = distances.map(|d| d * d).sum();
                    let bell = (-0.5 * f64::from(sharpness[j]) * square).exp();
                    let (sin, cos) = f64::from(*phase).sin_cos();
                    for (found, expected) in [(y[at], sin * bell), (slope[at], cos * bell)] {
                        let error = (f64::from(found) - expected).abs();
                        assert!(error < 2e-6, "{set} {d_in}x{d_out} at {at}: {error}");
                    }
                }
            }
        });
    }
}
