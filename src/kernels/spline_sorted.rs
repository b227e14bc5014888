//! Splines with a vector of 16 outputs of a row.
//!
//! For every input the rows of a block are sorted by their piece. The rows of one piece then share its polynomials, which stay in
//! registers, forward and backward; so do the sums of their gradients. A polynomial costs a row three multiply-adds and an addition,
//! its derivative two; the four bases of the row would cost four.

use super::columns::Columns;
use super::spline;
use super::spline_layer::{ROWS, SplineShape, TAPE};
use super::trigonometry::ROUND;
use super::vector::Vector;
use super::{Block, LANES, dispatch_vector};

/// What [`super::spline_layer::prepare`] writes: the coefficients input by input, padded with zeros to whole vectors,
/// `[d_in, G+3, d_out, padded]`.
pub(super) fn prepare(shape: &SplineShape, coefficients: &[f32], prepared: &mut [f32]) {
    let padded = shape.d_out.next_multiple_of(LANES);
    for (place, strip) in prepared.chunks_exact_mut(padded).enumerate() {
        let (input, basis) = (place / shape.bases(), place % shape.bases());
        let start = (basis * shape.d_in + input) * shape.d_out;
        strip[..shape.d_out].copy_from_slice(&coefficients[start..][..shape.d_out]);
        strip[shape.d_out..].fill(0.0);
    }
}

/// Rows of grids up to here are sorted by counting, beyond by comparing.
const COUNTED: usize = 64;

/// Writes piece · 2¹⁶ + row for every row, sorted, as the bits of numbers; `pieces`: of `Knots::locate`.
#[inline(always)]
pub(super) fn sort<V: Vector>(pieces: &[Block; ROWS / LANES], grid_size: usize, order: &mut [f32]) {
    let rows = order.len();
    // Of ROUND + piece this leaves the piece.
    let key = |row: usize| f32::from_bits(pieces.as_flattened()[row].to_bits() << 16 | row as u32);
    if grid_size > COUNTED {
        for (row, place) in order.iter_mut().enumerate() {
            *place = key(row);
        }
        order.sort_unstable_by_key(|key| key.to_bits());
    } else if grid_size > V::PACKED {
        let piece = |row: usize| (key(row).to_bits() >> 16) as usize;
        let mut next = [0_usize; COUNTED + 3];
        for row in 0..rows {
            next[piece(row) + 1] += 1;
        }
        for piece in 0..grid_size + 2 {
            next[piece + 1] += next[piece];
        }
        for row in 0..rows {
            let place = &mut next[piece(row)];
            order[*place] = key(row);
            *place += 1;
        }
    } else {
        let mut keys = [[0.0; LANES]; ROWS / LANES];
        for (row, place) in keys.as_flattened_mut().iter_mut().enumerate() {
            *place = key(row);
        }
        // Whole vectors are written, so there is room for one more.
        let mut sorted = [0.0; ROWS + LANES];
        let mut count = 0;
        for piece in 0..grid_size + 2 {
            for (keys, pieces) in keys.iter().zip(pieces) {
                if let Some(place) = sorted[count..].first_chunk_mut() {
                    count += V::load(keys).pack_equal(V::load(pieces), ROUND + piece as f32, place);
                }
            }
        }
        order.copy_from_slice(&sorted[..rows]);
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

/// For every run of rows that share a piece: calls `start` with the piece, `step` with every row, and `end`.
#[inline(always)]
fn for_each_run<T>(
    order: &[f32],
    mut start: impl FnMut(usize) -> T,
    mut step: impl FnMut(&mut T, usize),
    mut end: impl FnMut(usize, T),
) {
    let mut keys = order.iter().map(|key| key.to_bits());
    let mut next = keys.next();
    while let Some(mut key) = next {
        let piece = key >> 16;
        let mut run = start(piece as usize);
        loop {
            step(&mut run, key as usize % ROWS);
            next = keys.next();
            match next {
                Some(other) if other >> 16 == piece => key = other,
                _ => break,
            }
        }
        end(piece as usize, run);
    }
}

/// Replaces the four vectors of each output by `f` of them.
#[inline(always)]
fn for_each_column<V: Vector, const VECTORS: usize>(
    [a, b, c, d]: &mut [[V; VECTORS]; 4],
    f: impl Fn([V; 4]) -> [V; 4],
) {
    for (((a, b), c), d) in a.iter_mut().zip(b).zip(c).zip(d) {
        [*a, *b, *c, *d] = f([*a, *b, *c, *d]);
    }
}

/// The polynomials of a piece for the outputs `first..`, four strips.
#[inline(always)]
fn polynomials<V: Vector, const VECTORS: usize>(
    shape: &SplineShape,
    prepared: &[f32],
    input: usize,
    piece: usize,
    first: usize,
) -> [[V; VECTORS]; 4] {
    let padded = shape.d_out.next_multiple_of(LANES);
    let (basis, count) = spline::bases_of_piece(piece, shape.grid_size);
    let mut strips = [[V::splat(0.0); VECTORS]; 4];
    for (k, strip) in strips.iter_mut().enumerate() {
        // A fourth that is none is read where the third is.
        let start = (input * shape.bases() + basis + k.min(count - 1)) * padded + first;
        let (blocks, _) = prepared[start..][..VECTORS * LANES].as_chunks();
        for (vector, block) in strip.iter_mut().zip(blocks) {
            *vector = V::load(block);
        }
    }
    for_each_column(
        &mut strips,
        #[inline(always)]
        |c| spline::polynomial(c, count),
    );
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

/// How many vectors wide a strip may be, whose polynomials stay in registers: four with AVX-512, else one.
const fn widest(vectors: usize) -> usize {
    if vectors > 1 { 4 } else { 1 }
}

/// See [`super::spline_layer::forward`].
pub(super) fn forward(shape: SplineShape, tape: &[f32], prepared: &[f32], y: &mut [f32]) {
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
    let rows = y.len() / shape.d_out;
    let mut sums = Strip([[[0.0; LANES]; VECTORS]; ROWS]);
    for (input, tape) in tape.chunks_exact(rows * TAPE).enumerate() {
        let (order, places) = tape.split_at(rows);
        for_each_run(
            order,
            #[inline(always)]
            |piece| polynomials::<V, VECTORS>(shape, prepared, input, piece, first),
            #[inline(always)]
            |p, row| {
                let t = V::splat(places[row]);
                for (j, sum) in sums.0[row].iter_mut().enumerate() {
                    let high = p[3][j].mul_add(t, p[2][j]).mul_add(t, p[1][j]);
                    // The sum apart, for additions and products have units of their own.
                    high.mul_add(t, V::load(sum).add(p[0][j])).store(sum);
                }
            },
            #[inline(always)]
            |_, _| {},
        );
    }
    let width = (shape.d_out - first).min(VECTORS * LANES);
    for (y, sums) in y.chunks_exact_mut(shape.d_out).zip(&sums.0) {
        for (y, sum) in y[first..first + width].iter_mut().zip(sums.as_flattened()) {
            *y += sum;
        }
    }
}

/// See [`super::spline_layer::backward_coefficients`].
pub(super) fn backward_coefficients(
    shape: SplineShape,
    tape: &[f32],
    grad_y: &[f32],
    grad_coefficients: &mut [f32],
) {
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
    let rows = grad_y.len() / shape.d_out;
    let mut strip = Strip([[[0.0; LANES]; VECTORS]; ROWS]);
    strip.load(grad_y, shape.d_out, first);
    let width = (shape.d_out - first).min(VECTORS * LANES);
    for (input, tape) in tape.chunks_exact(rows * TAPE).enumerate() {
        let (order, places) = tape.split_at(rows);
        for_each_run(
            order,
            #[inline(always)]
            |_| [[V::splat(0.0); VECTORS]; 4],
            #[inline(always)]
            |sums, row| {
                let t = V::splat(places[row]);
                let t2 = t.mul(t);
                let t3 = t2.mul(t);
                for (j, g) in strip.0[row].iter().enumerate() {
                    let g = V::load(g);
                    sums[0][j] = sums[0][j].add(g);
                    sums[1][j] = t.mul_add(g, sums[1][j]);
                    sums[2][j] = t2.mul_add(g, sums[2][j]);
                    sums[3][j] = t3.mul_add(g, sums[3][j]);
                }
            },
            #[inline(always)]
            |piece, mut sums| {
                let (basis, count) = spline::bases_of_piece(piece, shape.grid_size);
                for_each_column(
                    &mut sums,
                    #[inline(always)]
                    |p| spline::polynomial_transposed(p, count),
                );
                for (k, strip) in sums.iter().enumerate() {
                    if k < count {
                        let start = ((basis + k) * shape.d_in + input) * shape.d_out + first;
                        let grad = &mut grad_coefficients[start..][..width];
                        for (grad, sum) in grad.chunks_mut(LANES).zip(strip) {
                            match grad.first_chunk_mut() {
                                Some(grad) => sum.add(V::load(grad)).store(grad),
                                None => sum.add(V::load_some(grad)).store_some(grad),
                            }
                        }
                    }
                }
            },
        );
    }
}

/// See [`super::spline_layer::backward_input`].
pub(super) fn backward_input(
    shape: SplineShape,
    tape: &[f32],
    prepared: &[f32],
    grad_y: &[f32],
    grad_x: &mut [f32],
) {
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
    let rows = grad_y.len() / shape.d_out;
    let mut strip = Strip([[[0.0; LANES]; VECTORS]; ROWS]);
    strip.load(grad_y, shape.d_out, first);
    // What is still to be summed over the lanes, one vector a row.
    let mut products = Strip([[[0.0; LANES]; 1]; ROWS]);
    let mut columns = Columns::<{ ROWS / LANES }>::zeros();
    let inverse_h = V::splat(shape.inverse_h());
    for (input, tape) in tape.chunks_exact(rows * TAPE).enumerate() {
        let (order, places) = tape.split_at(rows);
        for_each_run(
            order,
            #[inline(always)]
            |piece| {
                let p = polynomials::<V, VECTORS>(shape, prepared, input, piece, first);
                let mut slopes = [p[1], p[2], p[3]];
                for j in 0..VECTORS {
                    slopes[1][j] = p[2][j].mul(V::splat(2.0));
                    slopes[2][j] = p[3][j].mul(V::splat(3.0));
                }
                slopes
            },
            #[inline(always)]
            |p, row| {
                let t = V::splat(places[row]);
                let mut sum = V::splat(0.0);
                for (j, g) in strip.0[row].iter().enumerate() {
                    let slope = p[2][j].mul_add(t, p[1][j]).mul_add(t, p[0][j]);
                    sum = slope.mul_add(V::load(g), sum);
                }
                sum.store(&mut products.0[row][0]);
            },
            #[inline(always)]
            |_, _| {},
        );
        let (squares, _) = products.0.as_flattened().as_chunks();
        for (square, column) in squares.iter().zip(&mut columns.0[input % LANES]) {
            V::sums(square).mul(inverse_h).store(column);
        }
        if input % LANES == LANES - 1 || input == shape.d_in - 1 {
            columns.add_to::<V>(grad_x, shape.d_in, input - input % LANES);
        }
    }
}
