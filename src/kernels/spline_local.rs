//! A layer of cubic B-splines by the 4 coefficients of each edge that count, so that its cost does not grow with the grid size G.
//!
//! y_j += Σ_i Σ_{k=0..3} w_ik c[s_i + k, i, j], with s_i the interval of input i and w_ik its four bases; see [`super::spline`].
//!
//! The loops are nested so that nothing but the L1 cache is read in the innermost ones: 64 rows, then a strip of 64 outputs, then
//! one input, whose G + 3 strips of coefficients all these rows share.
//!
//! Measured against the dense form (64 inputs and outputs, AVX-512): equal at G = 5 and 1.9 times faster at G = 16 forward, 1.8 times
//! slower at G = 5 and 1.5 times faster at G = 16 backward. For fewer than 16 outputs the dense form is faster.

use std::ops::Range;

use super::spline::{Knots, Located};
use super::{LANES, dispatch, mul_add};

/// Rows that share the coefficients of one input while they are in the L1 cache.
const ROWS: usize = 64;

/// The shape of a spline layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SplineShape {
    /// Inputs of a row.
    pub d_in: usize,
    /// Outputs of a row.
    pub d_out: usize,
    /// R > 0: the knots span [-R, R].
    pub range: f32,
    /// G ≥ 1, the number of intervals.
    pub grid_size: usize,
}

impl SplineShape {
    /// Panics unless x `[rows, d_in]`, y `[rows, d_out]` and the coefficients `[G+3, d_in, d_out]` fit together.
    fn check(&self, x: usize, coefficients: usize, y: usize) {
        let Self { d_in, d_out, .. } = *self;
        assert!(
            d_in > 0 && d_out > 0 && x.is_multiple_of(d_in) && y == x / d_in * d_out,
            "x must be [rows, d_in] and y [rows, d_out]"
        );
        assert_eq!(
            coefficients,
            (self.grid_size + 3) * d_in * d_out,
            "the coefficients must be [G+3, d_in, d_out]"
        );
    }

    /// Calls `edges` for every input and every 16 rows of a tile: with the rows, the input, and where that input lies in each of them.
    #[inline(always)]
    fn for_every_input<const FMA: bool>(
        &self,
        x: &[f32],
        rows: Range<usize>,
        mut edges: impl FnMut(Range<usize>, usize, &Located),
    ) {
        let knots = Knots::new(self.range, self.grid_size);
        for input in 0..self.d_in {
            for first in rows.clone().step_by(LANES) {
                let rows = first..rows.end.min(first + LANES);
                let mut column = [0.0; LANES];
                for (value, row) in column.iter_mut().zip(rows.clone()) {
                    *value = x[row * self.d_in + input];
                }
                edges(rows, input, &Located::new::<FMA>(&column, &knots));
            }
        }
    }

    /// Where the four strips of coefficients start for one edge bundle, and how far they are apart.
    #[inline(always)]
    fn strips(&self, span: i32, input: usize, first_output: usize) -> (usize, usize) {
        let start = (span as usize * self.d_in + input) * self.d_out + first_output;
        (start, self.d_in * self.d_out)
    }
}

/// Calls a function with a constant width for every strip of the outputs, from wide to narrow; `$start` is its first output.
macro_rules! for_every_strip {
    ($start:ident in $outputs:expr => $function:ident $arguments:tt) => {
        let mut $start = 0;
        for_every_strip!(@ $start, $outputs, $function $arguments 64 32 16 8 4 2 1);
    };
    (@ $start:ident, $outputs:expr, $function:ident $arguments:tt) => {};
    (@ $start:ident, $outputs:expr, $function:ident $arguments:tt $width:literal $($narrower:literal)*) => {
        while $outputs - $start >= $width {
            $function::<$width, FMA> $arguments;
            $start += $width;
        }
        for_every_strip!(@ $start, $outputs, $function $arguments $($narrower)*);
    };
}

/// y += Σ_i spline_ij(x_i); `x`: `[rows, d_in]`, `coefficients`: `[G+3, d_in, d_out]`, `y`: `[rows, d_out]`.
pub fn accumulate_local(shape: SplineShape, x: &[f32], coefficients: &[f32], y: &mut [f32]) {
    shape.check(x.len(), coefficients.len(), y.len());
    dispatch!(accumulate_body(
        shape: SplineShape, x: &[f32], coefficients: &[f32], y: &mut [f32]
    ));
}

#[inline(always)]
fn accumulate_body<const FMA: bool>(shape: SplineShape, x: &[f32], c: &[f32], y: &mut [f32]) {
    let rows = x.len() / shape.d_in;
    for first in (0..rows).step_by(ROWS) {
        let rows = first..rows.min(first + ROWS);
        for_every_strip!(output in shape.d_out => accumulate_strip(&shape, x, c, y, rows.clone(), output));
    }
}

#[inline(always)]
fn accumulate_strip<const N: usize, const FMA: bool>(
    shape: &SplineShape,
    x: &[f32],
    c: &[f32],
    y: &mut [f32],
    rows: Range<usize>,
    first_output: usize,
) {
    shape.for_every_input::<FMA>(
        x,
        rows,
        #[inline(always)]
        |rows, input, located| {
            for (lane, row) in rows.enumerate() {
                let (start, stride) = shape.strips(located.span[lane], input, first_output);
                let [c0, c1, c2, c3] = [0, 1, 2, 3].map(|k| strip::<N>(c, start + k * stride));
                let [w0, w1, w2, w3] = located.value.each_ref().map(|value| value[lane]);
                let y = strip_mut::<N>(y, row * shape.d_out + first_output);
                for j in 0..N {
                    let sum = mul_add::<FMA>(w0, c0[j], y[j]);
                    let sum = mul_add::<FMA>(w1, c1[j], sum);
                    let sum = mul_add::<FMA>(w2, c2[j], sum);
                    y[j] = mul_add::<FMA>(w3, c3[j], sum);
                }
            }
        },
    );
}

/// Backward of [`accumulate_local`]: from `grad_y` `[rows, d_out]`, adds to `grad_coefficients` `[G+3, d_in, d_out]` and to
/// `grad_x` `[rows, d_in]`.
pub fn accumulate_local_backward(
    shape: SplineShape,
    x: &[f32],
    coefficients: &[f32],
    grad_y: &[f32],
    grad_coefficients: &mut [f32],
    grad_x: &mut [f32],
) {
    shape.check(x.len(), coefficients.len(), grad_y.len());
    shape.check(grad_x.len(), grad_coefficients.len(), grad_y.len());
    dispatch!(backward_body(
        shape: SplineShape, x: &[f32], coefficients: &[f32],
        grad_y: &[f32], grad_coefficients: &mut [f32], grad_x: &mut [f32]
    ));
}

#[inline(always)]
fn backward_body<const FMA: bool>(
    shape: SplineShape,
    x: &[f32],
    c: &[f32],
    grad_y: &[f32],
    grad_c: &mut [f32],
    grad_x: &mut [f32],
) {
    let rows = x.len() / shape.d_in;
    for first in (0..rows).step_by(ROWS) {
        let rows = first..rows.min(first + ROWS);
        for_every_strip!(output in shape.d_out => backward_strip(
            &shape, x, c, grad_y, grad_c, grad_x, rows.clone(), output
        ));
    }
}

#[inline(always)]
#[expect(
    clippy::too_many_arguments,
    reason = "one inner loop with all that the layer has"
)]
fn backward_strip<const N: usize, const FMA: bool>(
    shape: &SplineShape,
    x: &[f32],
    c: &[f32],
    grad_y: &[f32],
    grad_c: &mut [f32],
    grad_x: &mut [f32],
    rows: Range<usize>,
    first_output: usize,
) {
    shape.for_every_input::<FMA>(
        x,
        rows,
        #[inline(always)]
        |rows, input, located| {
            for (lane, row) in rows.enumerate() {
                let (start, stride) = shape.strips(located.span[lane], input, first_output);
                let [c0, c1, c2, c3] = [0, 1, 2, 3].map(|k| strip::<N>(c, start + k * stride));
                let [w0, w1, w2, w3] = located.value.each_ref().map(|value| value[lane]);
                let [d0, d1, d2, d3] = located.slope.each_ref().map(|slope| slope[lane]);
                let grad_y = strip::<N>(grad_y, row * shape.d_out + first_output);
                // One stream of writes in each loop, so that the compiler need not ask whether they overlap.
                for (k, weight) in [w0, w1, w2, w3].into_iter().enumerate() {
                    let grad_c = strip_mut::<N>(grad_c, start + k * stride);
                    for j in 0..N {
                        grad_c[j] = mul_add::<FMA>(weight, grad_y[j], grad_c[j]);
                    }
                }
                let mut products = [0.0; N];
                for j in 0..N {
                    let slope = mul_add::<FMA>(d1, c1[j], d0 * c0[j]);
                    let slope = mul_add::<FMA>(d2, c2[j], slope);
                    products[j] = grad_y[j] * mul_add::<FMA>(d3, c3[j], slope);
                }
                grad_x[row * shape.d_in + input] += sum(products);
            }
        },
    );
}

/// The sum of N numbers: by lanes of a vector, then by halves.
#[inline(always)]
fn sum<const N: usize>(values: [f32; N]) -> f32 {
    let (vectors, rest) = values.as_chunks::<LANES>();
    let mut lanes = super::padded(rest);
    for vector in vectors {
        for j in 0..LANES {
            lanes[j] += vector[j];
        }
    }
    let eight: [f32; 8] = std::array::from_fn(|j| lanes[j] + lanes[j + 8]);
    let four: [f32; 4] = std::array::from_fn(|j| eight[j] + eight[j + 4]);
    (four[0] + four[2]) + (four[1] + four[3])
}

#[inline(always)]
fn strip<const N: usize>(slice: &[f32], start: usize) -> &[f32; N] {
    slice[start..]
        .first_chunk()
        .expect("a strip lies within its row")
}

#[inline(always)]
fn strip_mut<const N: usize>(slice: &mut [f32], start: usize) -> &mut [f32; N] {
    slice[start..]
        .first_chunk_mut()
        .expect("a strip lies within its row")
}

#[cfg(test)]
mod tests {
    use super::super::spline::tests::reference;
    use super::super::{for_every_instruction_set, scattered};
    use super::*;

    const fn shape(d_in: usize, d_out: usize, range: f32, grid_size: usize) -> SplineShape {
        SplineShape {
            d_in,
            d_out,
            range,
            grid_size,
        }
    }

    /// Rows and shapes with every width of strip.
    const SHAPES: [(usize, SplineShape); 5] = [
        (1, shape(1, 1, 1.0, 1)),
        (5, shape(2, 3, 1.0, 5)),
        (70, shape(17, 9, 0.5, 3)),
        (20, shape(6, 127, 1.5, 8)),
        (3, shape(40, 64, 1.0, 20)),
    ];

    /// Values and slopes of all bases at every x, in f64 by the recursion of Cox and de Boor.
    fn dense(shape: SplineShape, x: &[f32]) -> Vec<Vec<[f64; 2]>> {
        let bases = |x: &f32| {
            (0..shape.grid_size + 3)
                .map(|m| reference(m, *x, shape.range, shape.grid_size))
                .collect()
        };
        x.iter().map(bases).collect()
    }

    fn inputs_and_coefficients(rows: usize, shape: SplineShape) -> (Vec<f32>, Vec<f32>) {
        let x = scattered(rows * shape.d_in, -1.3 * shape.range, 1.3 * shape.range);
        let count = (shape.grid_size + 3) * shape.d_in * shape.d_out;
        (x, scattered(count, -1.0, 1.0))
    }

    #[test]
    fn the_local_form_equals_the_dense_sum() {
        for_every_instruction_set(|set| {
            for (rows, shape) in SHAPES {
                let SplineShape { d_in, d_out, .. } = shape;
                let (x, c) = inputs_and_coefficients(rows, shape);
                let mut y = vec![0.5; rows * d_out];
                accumulate_local(shape, &x, &c, &mut y);
                let bases = dense(shape, &x);
                for (index, value) in y.iter().enumerate() {
                    let (row, j) = (index / d_out, index % d_out);
                    let mut expected = 0.5;
                    for i in 0..d_in {
                        for (m, [basis, _]) in bases[row * d_in + i].iter().enumerate() {
                            expected += basis * f64::from(c[(m * d_in + i) * d_out + j]);
                        }
                    }
                    let error = (f64::from(*value) - expected).abs();
                    assert!(error <= 3e-5, "{set} {shape:?}: {value} {expected}");
                }
            }
        });
    }

    // With the loss Σ g y: grad c_mij = Σ_rows B_m(x_i) g_j and grad x_i = Σ_mj B'_m(x_i) c_mij g_j.
    #[test]
    fn gradients_equal_the_dense_sums() {
        for_every_instruction_set(|set| {
            for (rows, shape) in SHAPES {
                let SplineShape { d_in, d_out, .. } = shape;
                let (x, c) = inputs_and_coefficients(rows, shape);
                let g = scattered(2 * rows * d_out, -1.0, 1.0).split_off(rows * d_out);
                let (mut grad_c, mut grad_x) = (vec![0.25; c.len()], vec![0.5; x.len()]);
                accumulate_local_backward(shape, &x, &c, &g, &mut grad_c, &mut grad_x);
                let bases = dense(shape, &x);
                let (mut expected_c, mut expected_x) = (vec![0.25; c.len()], vec![0.5; x.len()]);
                for (edge, bases) in bases.iter().enumerate() {
                    let (row, i) = (edge / d_in, edge % d_in);
                    for (m, [basis, slope]) in bases.iter().enumerate() {
                        for j in 0..d_out {
                            let g = f64::from(g[row * d_out + j]);
                            let index = (m * d_in + i) * d_out + j;
                            expected_c[index] += basis * g;
                            expected_x[edge] += slope * f64::from(c[index]) * g;
                        }
                    }
                }
                for (value, expected) in grad_c.iter().zip(&expected_c) {
                    let error = (f64::from(*value) - expected).abs();
                    assert!(error <= 2e-5, "{set} {shape:?}: {value} {expected}");
                }
                let unit = shape.grid_size as f64 / f64::from(shape.range);
                for (value, expected) in grad_x.iter().zip(&expected_x) {
                    let bound = 1e-5 * unit * (1.0 + expected.abs());
                    let error = (f64::from(*value) - expected).abs();
                    assert!(error <= bound, "{set} {shape:?}: {value} {expected}");
                }
            }
        });
    }

    // With h = 1/64 and knots 1/2 apart, the central difference of a cubic misses its slope by h²/6 times the third derivative, which is
    // a third difference of the coefficients (at most 9.2 here) times 2³: 0.003.
    #[test]
    fn the_gradient_of_x_is_the_slope_of_the_forward_pass() {
        let shape = shape(1, 1, 1.0, 4);
        let c = [0.3, -1.0, 2.0, 0.5, -0.7, 1.1, 0.2];
        let value = |x: f32| {
            let mut y = [0.0];
            accumulate_local(shape, &[x], &c, &mut y);
            f64::from(y[0])
        };
        for x in [-1.4, -0.8, -0.3, 0.1, 0.7, 1.2] {
            let (mut grad_c, mut grad_x) = ([0.0; 7], [0.0]);
            accumulate_local_backward(shape, &[x], &c, &[1.0], &mut grad_c, &mut grad_x);
            let h = 1.0 / 64.0;
            let slope = (value(x + h) - value(x - h)) / (2.0 * f64::from(h));
            assert!(
                (f64::from(grad_x[0]) - slope).abs() <= 0.0035,
                "x {x}: {grad_x:?} {slope}"
            );
        }
    }

    #[test]
    fn nan_stays_in_its_row() {
        for_every_instruction_set(|_| {
            let (x, c) = ([0.1, f32::NAN, 0.3, 0.4], [1.0; 48]);
            let mut y = [0.0; 6];
            accumulate_local(shape(2, 3, 1.0, 5), &x, &c, &mut y);
            assert!(y[..3].iter().all(|y| y.is_nan()) && y[3..].iter().all(|y| y.is_finite()));
        });
    }
}
