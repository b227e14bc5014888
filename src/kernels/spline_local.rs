//! A layer of cubic B-splines by the 4 coefficients of each edge that count, so that its cost does not grow with the grid size G.
//!
//! y_j += Σ_i Σ_{k=0..3} w_ik c[s_i + k, i, j], with s_i the interval of input i and w_ik its four bases; see [`super::spline`].
//!
//! The loops are nested so that nothing but the L1 cache is read in the innermost ones: 64 rows, then a strip of 64 outputs, then
//! one input, whose G + 3 strips of coefficients all these rows share.

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
        while $start + $width <= $outputs {
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
                // Where the last strip starts the later strips end, so that the four can be borrowed one after the other.
                let (g0, later) = grad_c[start..].split_at_mut(stride);
                let (g1, later) = later.split_at_mut(stride);
                let (g2, g3) = later.split_at_mut(stride);
                let [g0, g1, g2, g3] = [g0, g1, g2, g3].map(|g| strip_mut::<N>(g, 0));
                let mut products = [0.0; N];
                for j in 0..N {
                    let g = grad_y[j];
                    g0[j] = mul_add::<FMA>(w0, g, g0[j]);
                    g1[j] = mul_add::<FMA>(w1, g, g1[j]);
                    g2[j] = mul_add::<FMA>(w2, g, g2[j]);
                    g3[j] = mul_add::<FMA>(w3, g, g3[j]);
                    let slope = mul_add::<FMA>(d1, c1[j], d0 * c0[j]);
                    let slope = mul_add::<FMA>(d2, c2[j], slope);
                    products[j] = g * mul_add::<FMA>(d3, c3[j], slope);
                }
                grad_x[row * shape.d_in + input] += sum(products);
            }
        },
    );
}

/// The sum of N numbers, a power of two, by halves.
#[inline(always)]
fn sum<const N: usize>(mut values: [f32; N]) -> f32 {
    let mut half = N / 2;
    while half > 0 {
        for j in 0..half {
            values[j] += values[j + half];
        }
        half /= 2;
    }
    values[0]
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
