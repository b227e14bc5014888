//! A layer of cubic B-splines by the 4 coefficients of each edge that count, so that its cost does not grow with the grid size G.
//!
//! y_j += Σ_i Σ_{k=0..3} w_ik c[s_i + k, i, j], with s_i the interval of input i and w_ik its four bases; see [`super::spline`].
//!
//! For every input the rows of a block are sorted by their interval. The rows of one interval then share its four strips of
//! coefficients, which stay in registers, forward and backward; so do the sums of their gradients. Sorting costs a few instructions an
//! edge bundle, the strips dozens.

use super::spline::{Knots, Located};
use super::vector::Vector;
use super::{Block, LANES, dispatch, dispatch_vector};

/// Rows that are sorted together: their outputs, 64 wide, fill the L1 cache.
const ROWS: usize = 128;

/// Numbers a row and an input on the tape of [`locate`]: four bases, their slopes, and a place in the order of the intervals.
pub const TAPE: usize = 9;

/// The shape of a spline layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SplineShape {
    /// Inputs of a row.
    pub d_in: usize,
    /// Outputs of a row.
    pub d_out: usize,
    /// R > 0: the knots span [-R, R].
    pub range: f32,
    /// G from 1 to 65,535, the number of intervals.
    pub grid_size: usize,
}

impl SplineShape {
    fn bases(&self) -> usize {
        self.grid_size + 3
    }

    /// How many numbers [`prepare`] writes.
    pub fn prepared_len(&self) -> usize {
        self.d_in * self.bases() * self.d_out.next_multiple_of(LANES)
    }

    /// Panics unless a tape or a row-major matrix of `values` numbers has whole rows of `width`; returns how many.
    fn rows(values: usize, width: usize) -> usize {
        assert!(
            width > 0 && values.is_multiple_of(width),
            "a tile must have whole rows"
        );
        values / width
    }

    fn check(&self, tape: usize, y: usize) {
        assert_eq!(
            Self::rows(tape, TAPE * self.d_in),
            Self::rows(y, self.d_out),
            "the tape and the outputs must have equally many rows"
        );
    }

    fn check_coefficients(&self, coefficients: usize) {
        assert_eq!(
            coefficients,
            self.bases() * self.d_in * self.d_out,
            "the coefficients must be [G+3, d_in, d_out]"
        );
    }
}

/// Copies the coefficients `[G+3, d_in, d_out]` input by input, padded with zeros to whole vectors: `[d_in, G+3, d_out, padded]`.
pub fn prepare(shape: SplineShape, coefficients: &[f32], prepared: &mut [f32]) {
    shape.check_coefficients(coefficients.len());
    assert_eq!(
        prepared.len(),
        shape.prepared_len(),
        "the length of prepared"
    );
    let padded = shape.d_out.next_multiple_of(LANES);
    for (place, strip) in prepared.chunks_exact_mut(padded).enumerate() {
        let (input, basis) = (place / shape.bases(), place % shape.bases());
        let start = (basis * shape.d_in + input) * shape.d_out;
        strip[..shape.d_out].copy_from_slice(&coefficients[start..][..shape.d_out]);
        strip[shape.d_out..].fill(0.0);
    }
}

/// Finds the interval and the bases of every input `x` `[rows, d_in]`, and the order of the rows by their intervals, for the functions
/// below; `tape`: `[rows, d_in · TAPE]` in a layout of its own.
pub fn locate(shape: SplineShape, x: &[f32], tape: &mut [f32]) {
    let rows = SplineShape::rows(x.len(), shape.d_in);
    assert_eq!(
        tape.len(),
        rows * shape.d_in * TAPE,
        "the length of the tape"
    );
    assert!(shape.grid_size < 1 << 16, "grid_size must be below 65,536");
    dispatch!(locate_body(shape: SplineShape, x: &[f32], tape: &mut [f32]));
}

#[inline(always)]
fn locate_body<const FMA: bool>(shape: SplineShape, x: &[f32], tape: &mut [f32]) {
    let SplineShape { d_in, .. } = shape;
    let knots = Knots::new(shape.range, shape.grid_size);
    for (x, tape) in x
        .chunks(ROWS * d_in)
        .zip(tape.chunks_mut(ROWS * d_in * TAPE))
    {
        let rows = x.len() / d_in;
        for (input, tape) in tape.chunks_exact_mut(rows * TAPE).enumerate() {
            let (order, bases) = tape.split_at_mut(rows);
            let mut column = [0.0; ROWS];
            for (value, x) in column.iter_mut().zip(x[input..].iter().step_by(d_in)) {
                *value = *x;
            }
            let mut spans = [[0; LANES]; ROWS / LANES];
            for (block, x) in column.as_chunks().0[..rows.div_ceil(LANES)]
                .iter()
                .enumerate()
            {
                let located = Located::new::<FMA>(x, &knots);
                spans[block] = located.span;
                let blocks = located.value.iter().chain(&located.slope);
                for (bases, values) in bases.chunks_exact_mut(rows).zip(blocks) {
                    let place = &mut bases[block * LANES..];
                    match place.first_chunk_mut() {
                        Some(place) => *place = *values,
                        None => place.copy_from_slice(&values[..place.len()]),
                    }
                }
            }
            let spans = spans.as_flattened();
            sort(&spans[..rows], shape.grid_size, order);
        }
    }
}

/// Writes span · 2¹⁶ + row for every row, sorted, as the bits of numbers.
#[inline(always)]
fn sort(spans: &[i32], grid_size: usize, order: &mut [f32]) {
    /// Grids up to here are sorted by counting, beyond by comparing.
    const COUNTED: usize = 64;
    let key = |row: usize| f32::from_bits((spans[row] as u32) << 16 | row as u32);
    if grid_size > COUNTED {
        for (row, place) in order.iter_mut().enumerate() {
            *place = key(row);
        }
        order.sort_unstable_by_key(|key| key.to_bits());
        return;
    }
    let mut next = [0_usize; COUNTED + 1];
    for &span in spans {
        next[span as usize + 1] += 1;
    }
    for span in 0..grid_size {
        next[span + 1] += next[span];
    }
    for (row, &span) in spans.iter().enumerate() {
        let place = &mut next[span as usize];
        order[*place] = key(row);
        *place += 1;
    }
}

/// Some outputs of a block of rows, whole vectors at the start of cache lines.
#[repr(align(64))]
struct Strip<const VECTORS: usize>([[Block; VECTORS]; ROWS]);

impl<const VECTORS: usize> Strip<VECTORS> {
    /// Columns `first..` of the rows of y.
    #[inline(always)]
    fn load(&mut self, y: &[f32], d_out: usize, first: usize) {
        let width = (d_out - first).min(VECTORS * LANES);
        for (strip, y) in self.0.iter_mut().zip(y.chunks_exact(d_out)) {
            strip.as_flattened_mut()[..width].copy_from_slice(&y[first..first + width]);
        }
    }
}

/// The rows of a block whose input lies in one interval.
struct Run<'a> {
    span: usize,
    /// Keys whose low 16 bits are the rows.
    keys: &'a [f32],
    /// The four bases and their slopes of all rows, `[8, rows]`.
    bases: &'a [f32],
    rows: usize,
}

impl Run<'_> {
    /// Calls `f` with every row and its four bases, or with their slopes.
    #[inline(always)]
    fn for_each<V: Vector>(&self, slopes: bool, mut f: impl FnMut(usize, [V; 4])) {
        let quarters = &self.bases[4 * usize::from(slopes) * self.rows..][..4 * self.rows];
        for key in self.keys {
            let row = (key.to_bits() & 0xffff) as usize;
            assert!(row < self.rows);
            let mut weights = [V::splat(0.0); 4];
            for (k, weight) in weights.iter_mut().enumerate() {
                // SAFETY: row is below rows, and the quarters hold four times that.
                *weight = V::splat(unsafe { *quarters.get_unchecked(k * self.rows + row) });
            }
            f(row, weights);
        }
    }
}

/// Calls `f` with every input of a block and every run of rows that share an interval.
#[inline(always)]
fn for_each_run(shape: &SplineShape, tape: &[f32], mut f: impl FnMut(usize, Run)) {
    let rows = tape.len() / (shape.d_in * TAPE);
    for (input, tape) in tape.chunks_exact(rows * TAPE).enumerate() {
        let (mut order, bases) = tape.split_at(rows);
        while let Some(first) = order.first() {
            let span = first.to_bits() >> 16;
            let is_other = |key: &f32| key.to_bits() >> 16 != span;
            let count = order.iter().position(is_other).unwrap_or(order.len());
            let (keys, rest) = order.split_at(count);
            order = rest;
            let span = span as usize;
            f(
                input,
                Run {
                    span,
                    keys,
                    bases,
                    rows,
                },
            );
        }
    }
}

/// The four strips of coefficients of an interval, columns `first..` of what [`prepare`] wrote.
#[inline(always)]
fn coefficients<V: Vector, const VECTORS: usize>(
    shape: &SplineShape,
    prepared: &[f32],
    input: usize,
    span: usize,
    first: usize,
) -> [[V; VECTORS]; 4] {
    let padded = shape.d_out.next_multiple_of(LANES);
    let mut strips = [[V::splat(0.0); VECTORS]; 4];
    for (k, strip) in strips.iter_mut().enumerate() {
        let start = (input * shape.bases() + span + k) * padded + first;
        let (blocks, _) = prepared[start..][..VECTORS * LANES].as_chunks();
        for (vector, block) in strip.iter_mut().zip(blocks) {
            *vector = V::load(block);
        }
    }
    strips
}

/// Calls a function with a constant number of vectors for every strip of the outputs, of about equal widths; `$first` is its first
/// output.
macro_rules! for_each_strip {
    ($first:ident in $d_out:expr, $widest:expr => $function:ident $arguments:tt) => {
        let mut $first = 0;
        while $first < $d_out {
            let vectors = ($d_out - $first).div_ceil(LANES);
            let strip = vectors.div_ceil(vectors.div_ceil($widest));
            match strip {
                1 => $function::<V, 1> $arguments,
                2 => $function::<V, 2> $arguments,
                3 => $function::<V, 3> $arguments,
                _ => $function::<V, 4> $arguments,
            }
            $first += strip * LANES;
        }
    };
}

/// How many vectors wide a strip may be, whose coefficients stay in registers four times: four with AVX-512, else one.
const fn widest(vectors: usize) -> usize {
    if vectors > 1 { 4 } else { 1 }
}

/// y += Σ_i spline_ij(x_i); `tape`: of [`locate`], `prepared`: of [`prepare`], `y`: `[rows, d_out]`.
pub fn forward(shape: SplineShape, tape: &[f32], prepared: &[f32], y: &mut [f32]) {
    shape.check(tape.len(), y.len());
    assert_eq!(
        prepared.len(),
        shape.prepared_len(),
        "the length of prepared"
    );
    dispatch_vector!(forward_body(shape: SplineShape, tape: &[f32], prepared: &[f32], y: &mut [f32]));
}

#[inline(always)]
fn forward_body<V: Vector, const BLOCK_ROWS: usize, const BLOCK_VECTORS: usize>(
    shape: SplineShape,
    tape: &[f32],
    prepared: &[f32],
    y: &mut [f32],
) {
    for (tape, y) in tape
        .chunks(ROWS * TAPE * shape.d_in)
        .zip(y.chunks_mut(ROWS * shape.d_out))
    {
        for_each_strip!(first in shape.d_out, const { widest(BLOCK_VECTORS) } =>
            forward_strip(&shape, tape, prepared, y, first));
    }
}

#[inline(always)]
fn forward_strip<V: Vector, const VECTORS: usize>(
    shape: &SplineShape,
    tape: &[f32],
    prepared: &[f32],
    y: &mut [f32],
    first: usize,
) {
    let mut sums = Strip([[[0.0; LANES]; VECTORS]; ROWS]);
    for_each_run(
        shape,
        tape,
        #[inline(always)]
        |input, run| {
            let c = coefficients::<V, VECTORS>(shape, prepared, input, run.span, first);
            run.for_each::<V>(
                false,
                #[inline(always)]
                |row, weights| {
                    for (j, sum) in sums.0[row].iter_mut().enumerate() {
                        let mut vector = V::load(sum);
                        for k in 0..4 {
                            vector = weights[k].mul_add(c[k][j], vector);
                        }
                        vector.store(sum);
                    }
                },
            );
        },
    );
    let width = (shape.d_out - first).min(VECTORS * LANES);
    for (y, sums) in y.chunks_exact_mut(shape.d_out).zip(&sums.0) {
        for (y, sum) in y[first..first + width].iter_mut().zip(sums.as_flattened()) {
            *y += sum;
        }
    }
}

/// Adds to `grad_coefficients` `[G+3, d_in, d_out]` for the gradient of the outputs, `grad_y` `[rows, d_out]`.
pub fn backward_coefficients(
    shape: SplineShape,
    tape: &[f32],
    grad_y: &[f32],
    grad_coefficients: &mut [f32],
) {
    shape.check(tape.len(), grad_y.len());
    shape.check_coefficients(grad_coefficients.len());
    dispatch_vector!(backward_coefficients_body(
        shape: SplineShape, tape: &[f32], grad_y: &[f32], grad_coefficients: &mut [f32]
    ));
}

#[inline(always)]
fn backward_coefficients_body<V: Vector, const BLOCK_ROWS: usize, const BLOCK_VECTORS: usize>(
    shape: SplineShape,
    tape: &[f32],
    grad_y: &[f32],
    grad_coefficients: &mut [f32],
) {
    for (tape, grad_y) in tape
        .chunks(ROWS * TAPE * shape.d_in)
        .zip(grad_y.chunks(ROWS * shape.d_out))
    {
        for_each_strip!(first in shape.d_out, const { widest(BLOCK_VECTORS) } =>
            backward_coefficients_strip(&shape, tape, grad_y, grad_coefficients, first));
    }
}

#[inline(always)]
fn backward_coefficients_strip<V: Vector, const VECTORS: usize>(
    shape: &SplineShape,
    tape: &[f32],
    grad_y: &[f32],
    grad_coefficients: &mut [f32],
    first: usize,
) {
    let mut strip = Strip([[[0.0; LANES]; VECTORS]; ROWS]);
    strip.load(grad_y, shape.d_out, first);
    let width = (shape.d_out - first).min(VECTORS * LANES);
    for_each_run(
        shape,
        tape,
        #[inline(always)]
        |input, run| {
            let mut sums = [[V::splat(0.0); VECTORS]; 4];
            run.for_each::<V>(
                false,
                #[inline(always)]
                |row, weights| {
                    for (j, g) in strip.0[row].iter().enumerate() {
                        let g = V::load(g);
                        for k in 0..4 {
                            sums[k][j] = weights[k].mul_add(g, sums[k][j]);
                        }
                    }
                },
            );
            for (k, sums) in sums.iter().enumerate() {
                let start = ((run.span + k) * shape.d_in + input) * shape.d_out + first;
                let grad = &mut grad_coefficients[start..][..width];
                for (grad, sum) in grad.chunks_mut(LANES).zip(sums) {
                    match grad.first_chunk_mut() {
                        Some(grad) => sum.add(V::load(grad)).store(grad),
                        None => sum.add(V::load_some(grad)).store_some(grad),
                    }
                }
            }
        },
    );
}

/// Adds to `grad_x` `[rows, d_in]` for the gradient of the outputs, `grad_y` `[rows, d_out]`.
pub fn backward_input(
    shape: SplineShape,
    tape: &[f32],
    prepared: &[f32],
    grad_y: &[f32],
    grad_x: &mut [f32],
) {
    shape.check(tape.len(), grad_y.len());
    assert_eq!(
        prepared.len(),
        shape.prepared_len(),
        "the length of prepared"
    );
    assert_eq!(
        grad_x.len() * TAPE,
        tape.len(),
        "grad_x must be [rows, d_in]"
    );
    dispatch_vector!(backward_input_body(
        shape: SplineShape, tape: &[f32], prepared: &[f32], grad_y: &[f32], grad_x: &mut [f32]
    ));
}

#[inline(always)]
fn backward_input_body<V: Vector, const BLOCK_ROWS: usize, const BLOCK_VECTORS: usize>(
    shape: SplineShape,
    tape: &[f32],
    prepared: &[f32],
    grad_y: &[f32],
    grad_x: &mut [f32],
) {
    for ((tape, grad_y), grad_x) in tape
        .chunks(ROWS * TAPE * shape.d_in)
        .zip(grad_y.chunks(ROWS * shape.d_out))
        .zip(grad_x.chunks_mut(ROWS * shape.d_in))
    {
        for_each_strip!(first in shape.d_out, const { widest(BLOCK_VECTORS) } =>
            backward_input_strip(&shape, tape, prepared, grad_y, grad_x, first));
    }
}

#[inline(always)]
fn backward_input_strip<V: Vector, const VECTORS: usize>(
    shape: &SplineShape,
    tape: &[f32],
    prepared: &[f32],
    grad_y: &[f32],
    grad_x: &mut [f32],
    first: usize,
) {
    let mut strip = Strip([[[0.0; LANES]; VECTORS]; ROWS]);
    strip.load(grad_y, shape.d_out, first);
    for_each_run(
        shape,
        tape,
        #[inline(always)]
        |input, run| {
            let c = coefficients::<V, VECTORS>(shape, prepared, input, run.span, first);
            run.for_each::<V>(
                true,
                #[inline(always)]
                |row, slopes| {
                    let mut sum = V::splat(0.0);
                    for (j, g) in strip.0[row].iter().enumerate() {
                        let mut slope = slopes[0].mul(c[0][j]);
                        for k in 1..4 {
                            slope = slopes[k].mul_add(c[k][j], slope);
                        }
                        sum = slope.mul_add(V::load(g), sum);
                    }
                    grad_x[row * shape.d_in + input] += sum.sum();
                },
            );
        },
    );
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
        (170, shape(17, 9, 0.5, 3)),
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

    /// y += Σ_i spline_ij(x_i).
    fn accumulate(shape: SplineShape, x: &[f32], c: &[f32], y: &mut [f32]) {
        let (tape, prepared) = (located(shape, x), prepared(shape, c));
        forward(shape, &tape, &prepared, y);
    }

    fn located(shape: SplineShape, x: &[f32]) -> Vec<f32> {
        let mut tape = vec![f32::NAN; x.len() * TAPE];
        locate(shape, x, &mut tape);
        tape
    }

    fn prepared(shape: SplineShape, c: &[f32]) -> Vec<f32> {
        let mut prepared = vec![f32::NAN; shape.prepared_len()];
        prepare(shape, c, &mut prepared);
        prepared
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
                accumulate(shape, &x, &c, &mut y);
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
                let tape = located(shape, &x);
                backward_coefficients(shape, &tape, &g, &mut grad_c);
                backward_input(shape, &tape, &prepared(shape, &c), &g, &mut grad_x);
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
            accumulate(shape, &[x], &c, &mut y);
            f64::from(y[0])
        };
        for x in [-1.4, -0.8, -0.3, 0.1, 0.7, 1.2] {
            let mut grad_x = [0.0];
            let (tape, prepared) = (located(shape, &[x]), prepared(shape, &c));
            backward_input(shape, &tape, &prepared, &[1.0], &mut grad_x);
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
            accumulate(shape(2, 3, 1.0, 5), &x, &c, &mut y);
            assert!(y[..3].iter().all(|y| y.is_nan()) && y[3..].iter().all(|y| y.is_finite()));
        });
    }
}
