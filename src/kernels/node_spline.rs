//! One cubic spline a column: the values and slopes of σ_i at the numbers of column i, and the gradients of its coefficients.
//!
//! σ_i(x) = Σ_m c_mi B_m(x) with the G + 3 B-splines of [`super::spline`] on knots from −R to R, and its tangents beyond them. Sixteen
//! columns go through their rows together, with their coefficients, or the sums of the gradients of these, in registers. Which four
//! bases are not zero differs from lane to lane; lanes are picked for each of the G + 1 places in turn, without a branch or a
//! look-up, which for the few intervals of a hidden layer is the fastest.

use super::spline::Knots;
use super::trigonometry::ROUND;
use super::vector::Vector;
use super::{LANES, dispatch_vector};

/// Most knot intervals of a node's spline.
pub const LARGEST_GRID: usize = 16;

/// Most bases.
const BASES: usize = LARGEST_GRID + 3;

/// The splines of all columns.
#[derive(Debug, Clone, Copy)]
pub struct NodeSpline {
    /// d, how many columns.
    pub columns: usize,
    /// Numbers in a row of what the splines are added to, at least d; the others are left as they are.
    pub stride: usize,
    /// R.
    pub range: f32,
    /// G, at most [`LARGEST_GRID`].
    pub grid_size: usize,
}

impl NodeSpline {
    fn bases(&self) -> usize {
        self.grid_size + 3
    }

    /// 1/h, knot intervals in a unit of x.
    fn inverse_h(&self) -> f32 {
        self.grid_size as f32 / (2.0 * self.range)
    }

    /// First and width of the blocks of columns.
    fn blocks(&self) -> impl Iterator<Item = (usize, usize)> {
        let columns = self.columns;
        (0..columns)
            .step_by(LANES)
            .map(move |first| (first, LANES.min(columns - first)))
    }

    fn check(&self, coefficients: &[f32], x: &[f32], tiles: &[&[f32]]) {
        assert!(
            (1..=LARGEST_GRID).contains(&self.grid_size),
            "grid_size must be from 1 to {LARGEST_GRID}"
        );
        assert_eq!(
            coefficients.len(),
            self.bases() * self.columns,
            "coefficients must be [G + 3, d]"
        );
        assert!(
            x.len().is_multiple_of(self.columns) && self.stride >= self.columns,
            "inputs must be of whole rows, and rows of results as long at least"
        );
        let length = x.len() / self.columns * self.stride;
        assert!(
            tiles.iter().all(|tile| tile.len() == length),
            "tiles must have as many rows as there are inputs"
        );
    }
}

/// The slopes of the four bases of a piece at `place`, in knot intervals; see [`Knots::bases`] for the values.
#[inline(always)]
fn slopes<V: Vector>(piece: V, place: V, last: V) -> [V; 4] {
    let (zero, half) = (V::splat(0.0), V::splat(0.5));
    // Beyond the knots the slopes stay those at t = 0.
    let above = last.add(V::splat(ROUND + 1.0));
    let t = zero.where_equal(
        piece,
        V::splat(ROUND),
        zero.where_equal(piece, above, place),
    );
    let s = t.mul_add(V::splat(-1.0), V::splat(1.0));
    // B' = ½ a² − 2 b² falling, with a and b the distances to where the parts of the spline end.
    let inner = |u: V| u.mul_add(V::splat(1.5), V::splat(-2.0)).mul(u);
    [
        s.mul(s).mul(V::splat(-0.5)),
        inner(t),
        inner(s).mul(V::splat(-1.0)),
        t.mul(t).mul(half),
    ]
}

/// Adds σ_i(x) to `value` and σ_i'(x) to `slope`.
///
/// `coefficients`: `[G + 3, d]`; `x`: `[rows, d]`; `value`, `slope`: `[rows, stride]`.
pub fn node_spline(
    spline: NodeSpline,
    coefficients: &[f32],
    x: &[f32],
    value: &mut [f32],
    slope: &mut [f32],
) {
    spline.check(coefficients, x, &[value, slope]);
    dispatch_vector!(forward(
        spline: NodeSpline, coefficients: &[f32], x: &[f32], value: &mut [f32], slope: &mut [f32]
    ));
}

#[inline(always)]
fn forward<V: Vector, const ROWS: usize, const VECTORS: usize>(
    spline: NodeSpline,
    coefficients: &[f32],
    x: &[f32],
    value: &mut [f32],
    slope: &mut [f32],
) {
    let knots = Knots::<V>::new(spline.range, spline.grid_size);
    let (last, inverse_h) = (
        V::splat(spline.grid_size as f32),
        V::splat(spline.inverse_h()),
    );
    for (first, width) in spline.blocks() {
        let mut own = [V::splat(0.0); BASES];
        for (own, row) in own
            .iter_mut()
            .zip(coefficients.chunks_exact(spline.columns))
        {
            *own = V::load_some(&row[first..first + width]);
        }
        let starts = (first..value.len()).step_by(spline.stride);
        for (x, start) in x.chunks_exact(spline.columns).zip(starts) {
            let place_of = start..start + width;
            let [piece, place] = knots.locate(V::load_some(&x[first..first + width]));
            let class = knots.first_basis(piece);
            let mut c = [own[0], own[1], own[2], own[3]];
            for basis in 1..=spline.grid_size {
                let here = V::splat(basis as f32);
                for term in 0..4 {
                    // Above the last knot there are three; the fourth is multiplied by 0.
                    let other = own[(basis + term).min(BASES - 1)];
                    c[term] = other.where_equal(class, here, c[term]);
                }
            }
            let bases = knots.bases(piece, place);
            let slopes = slopes(piece, place, last);
            let (mut sum, mut sum_slope) = (V::splat(0.0), V::splat(0.0));
            for term in 0..4 {
                sum = c[term].mul_add(bases[term], sum);
                sum_slope = c[term].mul_add(slopes[term], sum_slope);
            }
            let value = &mut value[place_of.clone()];
            sum.add(V::load_some(value)).store_some(value);
            let slope = &mut slope[place_of];
            sum_slope
                .mul_add(inverse_h, V::load_some(slope))
                .store_some(slope);
        }
    }
}

/// Adds the gradient of the coefficients, Σ over the rows of B_m(x) `grad`, to `gradient` `[G + 3, d]`; `grad`: that of σ, `[rows, stride]`.
pub fn node_spline_backward(spline: NodeSpline, x: &[f32], grad: &[f32], gradient: &mut [f32]) {
    spline.check(gradient, x, &[grad]);
    dispatch_vector!(backward(
        spline: NodeSpline, x: &[f32], grad: &[f32], gradient: &mut [f32]
    ));
}

#[inline(always)]
fn backward<V: Vector, const ROWS: usize, const VECTORS: usize>(
    spline: NodeSpline,
    x: &[f32],
    grad: &[f32],
    gradient: &mut [f32],
) {
    let knots = Knots::<V>::new(spline.range, spline.grid_size);
    let zero = V::splat(0.0);
    for (first, width) in spline.blocks() {
        let mut sums = [zero; BASES];
        let starts = (first..grad.len()).step_by(spline.stride);
        for (x, start) in x.chunks_exact(spline.columns).zip(starts) {
            let [piece, place] = knots.locate(V::load_some(&x[first..first + width]));
            let class = knots.first_basis(piece);
            let grad = V::load_some(&grad[start..start + width]);
            let parts = knots.bases(piece, place).map(|basis| basis.mul(grad));
            for basis in 0..=spline.grid_size {
                let here = V::splat(basis as f32);
                for term in 0..4 {
                    let sum = &mut sums[(basis + term).min(BASES - 1)];
                    *sum = parts[term].where_equal(class, here, zero).add(*sum);
                }
            }
        }
        for (sum, row) in sums.iter().zip(gradient.chunks_exact_mut(spline.columns)) {
            let row = &mut row[first..first + width];
            sum.add(V::load_some(row)).store_some(row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::spline::tests::reference;
    use super::super::{for_every_instruction_set, scattered};
    use super::*;

    /// Within the knots and without, and at the knots.
    fn inputs(count: usize) -> Vec<f32> {
        let mut x = scattered(count, -1.4, 1.4);
        x[..4].copy_from_slice(&[-0.7, 0.7, 0.0, -1.3]);
        x
    }

    #[test]
    fn values_slopes_and_gradients_are_sums_over_all_bases() {
        for (columns, stride, grid_size) in
            [(1, 1, 1), (16, 16, 3), (21, 50, 5), (35, 105, LARGEST_GRID)]
        {
            let (range, rows) = (0.7, 9);
            let spline = NodeSpline {
                columns,
                stride,
                range,
                grid_size,
            };
            let x = inputs(rows * columns);
            let coefficients = scattered((grid_size + 3) * columns, -1.0, 1.0);
            let grad = scattered(rows * stride, -2.0, 1.0);
            let mut expected = [vec![0.5_f64; grad.len()], vec![0.25; grad.len()]];
            let mut expected_gradient = vec![0.125_f64; coefficients.len()];
            for (at, &x) in x.iter().enumerate() {
                let (row, column) = (at / columns, at % columns);
                let at = row * stride + column;
                for m in 0..grid_size + 3 {
                    let [value, slope] = reference(m, x, range, grid_size);
                    let place = m * columns + column;
                    let c = f64::from(coefficients[place]);
                    expected[0][at] += c * value;
                    expected[1][at] += c * slope;
                    expected_gradient[place] += value * f64::from(grad[at]);
                }
            }
            for_every_instruction_set(|name| {
                let (mut value, mut slope) = (vec![0.5; grad.len()], vec![0.25; grad.len()]);
                node_spline(spline, &coefficients, &x, &mut value, &mut slope);
                let mut gradient = vec![0.125; coefficients.len()];
                node_spline_backward(spline, &x, &grad, &mut gradient);
                let pairs = [
                    (&value, &expected[0]),
                    (&slope, &expected[1]),
                    (&gradient, &expected_gradient),
                ];
                for (found, expected) in pairs {
                    let largest = expected.iter().fold(1.0_f64, |most, e| most.max(e.abs()));
                    for (found, expected) in found.iter().zip(expected) {
                        let error = (f64::from(*found) - expected).abs();
                        assert!(
                            error < 1e-5 * largest,
                            "{name}, {grid_size}: {found} {expected}"
                        );
                    }
                }
            });
        }
    }
}
