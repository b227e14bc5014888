//! One cubic spline a column: the values and slopes of σ_i at the numbers of column i, and the gradients of its coefficients.
//!
//! σ_i(x) = Σ_m c_mi B_m(x) with the G + 3 B-splines of [`super::spline`] on knots from −R to R, and its tangents beyond them. With
//! p = (x + R) G / 2R the position in knot intervals, four splines from f = clamp(⌊p⌋, 0, G) on are not zero. All columns of a vector
//! go through every f; where one does not belong, its lanes are masked. So there is neither a branch nor a look-up, and for the few
//! intervals of a hidden layer that is the fastest.

use super::{Block, LANES, dispatch, load, mul_add};

/// The splines of all columns.
#[derive(Debug, Clone, Copy)]
pub struct NodeSpline {
    /// d, how many columns.
    pub columns: usize,
    /// R.
    pub range: f32,
    /// G.
    pub grid_size: usize,
}

impl NodeSpline {
    /// B-splines of a column.
    fn bases(&self) -> usize {
        self.grid_size + 3
    }

    fn check(&self, coefficients: &[f32], tiles: &[&[f32]]) {
        assert_eq!(
            coefficients.len(),
            self.bases() * self.columns,
            "coefficients must be [G + 3, d]"
        );
        assert!(
            tiles.iter().all(|tile| tile.len() == tiles[0].len())
                && tiles[0].len().is_multiple_of(self.columns),
            "tiles must be of one length and of whole rows"
        );
    }
}

/// Where 16 numbers lie: the first of their four splines, and those splines' values and slopes there, in units of a knot interval.
struct Located {
    first: Block,
    value: [Block; 4],
    slope: [Block; 4],
}

impl Located {
    #[inline(always)]
    fn new<const FMA: bool>(spline: &NodeSpline, x: &Block) -> Self {
        let grid_size = spline.grid_size as f32;
        let inverse_h = grid_size / (2.0 * spline.range);
        let mut located = Self {
            first: [0.0; LANES],
            value: [[0.0; LANES]; 4],
            slope: [[0.0; LANES]; 4],
        };
        for lane in 0..LANES {
            let position = mul_add::<FMA>(x[lane], inverse_h, 0.5 * grid_size);
            let first = position.floor().clamp(0.0, grid_size);
            let t = position - first;
            let is_inside = position >= 0.0 && position < grid_size;
            // Beyond the knots a tangent takes the place of the curve: its bend is that at t = 0.
            let (u, rest) = if is_inside { (t, 0.0) } else { (0.0, t) };
            let s = 1.0 - u;
            let slope = [
                -0.5 * s * s,
                u * mul_add::<FMA>(1.5, u, -2.0),
                -s * mul_add::<FMA>(1.5, s, -2.0),
                0.5 * u * u,
            ];
            let value = [
                s * s * s / 6.0,
                2.0 / 3.0 + u * u * (0.5 * u - 1.0),
                2.0 / 3.0 + s * s * (0.5 * s - 1.0),
                u * u * u / 6.0,
            ];
            located.first[lane] = first;
            for term in 0..4 {
                located.value[term][lane] = mul_add::<FMA>(slope[term], rest, value[term]);
                located.slope[term][lane] = slope[term] * inverse_h;
            }
        }
        located
    }
}

/// Adds σ_i(x) to `value` and σ_i'(x) to `slope`.
///
/// `coefficients`: `[G + 3, d]`; `x`, `value`, `slope`: `[rows, d]`.
pub fn node_spline(
    spline: &NodeSpline,
    coefficients: &[f32],
    x: &[f32],
    value: &mut [f32],
    slope: &mut [f32],
) {
    spline.check(coefficients, &[x, value, slope]);
    dispatch!(node_spline_body(
        spline: &NodeSpline, coefficients: &[f32], x: &[f32], value: &mut [f32], slope: &mut [f32]
    ));
}

#[inline(always)]
fn node_spline_body<const FMA: bool>(
    spline: &NodeSpline,
    coefficients: &[f32],
    x: &[f32],
    value: &mut [f32],
    slope: &mut [f32],
) {
    let d = spline.columns;
    for (row, x) in x.chunks_exact(d).enumerate() {
        for first in (0..d).step_by(LANES) {
            let width = LANES.min(d - first);
            let located = Located::new::<FMA>(spline, &load(&x[first..first + width]));
            let (mut sum, mut sum_slope) = ([0.0; LANES], [0.0; LANES]);
            for start in 0..=spline.grid_size {
                let mask = located
                    .first
                    .map(|f| if f == start as f32 { 1.0 } else { 0.0 * f });
                // The last four reach one beyond the bases, where the tangent has no fourth.
                for term in 0..4.min(spline.bases() - start) {
                    let c = load(&coefficients[(start + term) * d + first..][..width]);
                    for lane in 0..LANES {
                        let c = c[lane] * mask[lane];
                        sum[lane] = mul_add::<FMA>(c, located.value[term][lane], sum[lane]);
                        sum_slope[lane] =
                            mul_add::<FMA>(c, located.slope[term][lane], sum_slope[lane]);
                    }
                }
            }
            let at = row * d + first;
            for lane in 0..width {
                value[at + lane] += sum[lane];
                slope[at + lane] += sum_slope[lane];
            }
        }
    }
}

/// Adds the gradient of the coefficients, Σ over the rows of B_m(x) `grad`, to `gradient` `[G + 3, d]`; `grad`: that of σ, `[rows, d]`.
pub fn node_spline_backward(spline: &NodeSpline, x: &[f32], grad: &[f32], gradient: &mut [f32]) {
    spline.check(gradient, &[x, grad]);
    dispatch!(node_spline_backward_body(
        spline: &NodeSpline, x: &[f32], grad: &[f32], gradient: &mut [f32]
    ));
}

#[inline(always)]
fn node_spline_backward_body<const FMA: bool>(
    spline: &NodeSpline,
    x: &[f32],
    grad: &[f32],
    gradient: &mut [f32],
) {
    let d = spline.columns;
    for (x, grad) in x.chunks_exact(d).zip(grad.chunks_exact(d)) {
        for first in (0..d).step_by(LANES) {
            let width = LANES.min(d - first);
            let located = Located::new::<FMA>(spline, &load(&x[first..first + width]));
            let grad = load(&grad[first..first + width]);
            for start in 0..=spline.grid_size {
                let mask = located
                    .first
                    .map(|f| if f == start as f32 { 1.0 } else { 0.0 * f });
                for term in 0..4.min(spline.bases() - start) {
                    let sums = &mut gradient[(start + term) * d + first..][..width];
                    for (lane, sum) in sums.iter_mut().enumerate() {
                        let part = grad[lane] * mask[lane];
                        *sum = mul_add::<FMA>(part, located.value[term][lane], *sum);
                    }
                }
            }
        }
    }
}
