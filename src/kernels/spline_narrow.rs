//! Splines with a vector of 16 rows, for layers of few outputs, such as the last one of a network.
//!
//! Of an input and an output, the coefficients of one power of t on all pieces fill one vector, in which every row looks up that of its
//! piece. Rows need no order.

use super::columns::Columns;
use super::spline::{self, Knots};
use super::spline_layer::{ROWS, SplineShape, TAPE};
use super::vector::{Plain, Vector};
use super::{Block, InstructionSet, LANES, dispatch_vector};

/// Most outputs; with more, vectors of outputs are faster.
const OUTPUTS: usize = 4;

/// Whether this form is faster than the sorted one: where a vector can be looked up in one instruction.
pub(super) fn suits(shape: &SplineShape) -> bool {
    InstructionSet::current().looks_up() && shape.d_out <= OUTPUTS && shape.pieces() <= LANES
}

/// What [`super::spline_layer::prepare`] writes: the polynomials of the pieces, `[d_in, d_out, powers, pieces]`, the last two 4 and 16.
pub(super) fn prepare(shape: &SplineShape, coefficients: &[f32], prepared: &mut [f32]) {
    let edges = shape.d_in * shape.d_out;
    let (tables, _) = prepared.as_chunks_mut::<LANES>();
    for (edge, tables) in tables.chunks_exact_mut(4).enumerate() {
        let mut c = [[0.0; LANES]; 4];
        for piece in 0..shape.pieces() {
            let (first, count) = spline::bases_of_piece(piece, shape.grid_size);
            for (k, c) in c[..count].iter_mut().enumerate() {
                c[piece] = coefficients[(first + k) * edges + edge];
            }
        }
        let powers = spline::polynomial(c.map(|c| Plain::load(&c)), 4);
        for (table, power) in tables.iter_mut().zip(powers) {
            power.store(table);
        }
        // The tangents.
        for table in &mut tables[2..] {
            (table[0], table[shape.pieces() - 1]) = (0.0, 0.0);
        }
    }
}

/// Calls a function with the number of outputs as a constant.
macro_rules! with_outputs {
    ($d_out:expr => $function:ident $arguments:tt) => {
        match $d_out {
            1 => $function::<V, 1> $arguments,
            2 => $function::<V, 2> $arguments,
            3 => $function::<V, 3> $arguments,
            _ => $function::<V, OUTPUTS> $arguments,
        }
    };
}

/// What [`Knots::locate`] has found for the 16 rows of `group`, with zeros for rows that there are not.
#[inline(always)]
fn located<V: Vector>(tape: &[f32], rows: usize, input: usize, group: usize) -> [V; 2] {
    let first = group * LANES;
    let count = (rows - first).min(LANES);
    let tape = &tape[input * rows * TAPE..];
    [
        V::load_some(&tape[first..first + count]),
        V::load_some(&tape[rows + first..rows + first + count]),
    ]
}

/// What each row finds in a table.
#[inline(always)]
fn look_up<V: Vector>(table: &Block, piece: V) -> V {
    V::load(table).look_up(piece)
}

/// Sixteen rows of an output, one vector an output.
#[inline(always)]
fn outputs<V: Vector, const D_OUT: usize>(y: &[f32]) -> [V; D_OUT] {
    let mut columns = [[0.0; LANES]; D_OUT];
    for (lane, row) in y.chunks_exact(D_OUT).take(LANES).enumerate() {
        for (column, y) in columns.iter_mut().zip(row) {
            column[lane] = *y;
        }
    }
    let mut outputs = [V::splat(0.0); D_OUT];
    for (output, column) in outputs.iter_mut().zip(&columns) {
        *output = V::load(column);
    }
    outputs
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
        with_outputs!(shape.d_out => forward_block(tape, prepared, y));
    }
}

/// The tables of an input, four for each output.
#[inline(always)]
fn tables<const D_OUT: usize>(prepared: &[f32]) -> &[[[Block; 4]; D_OUT]] {
    let (tables, _) = prepared.as_chunks::<LANES>();
    let (edges, _) = tables.as_chunks::<4>();
    edges.as_chunks::<D_OUT>().0
}

#[inline(always)]
fn forward_block<V: Vector, const D_OUT: usize>(tape: &[f32], prepared: &[f32], y: &mut [f32]) {
    let rows = y.len() / D_OUT;
    for (group, y) in y.chunks_mut(LANES * D_OUT).enumerate() {
        let mut sums = outputs::<V, D_OUT>(y);
        for (input, tables) in tables::<D_OUT>(prepared).iter().enumerate() {
            let [piece, t] = located::<V>(tape, rows, input, group);
            for (sum, [c0, c1, c2, c3]) in sums.iter_mut().zip(tables) {
                let high = look_up(c3, piece).mul_add(t, look_up(c2, piece));
                let high = high.mul_add(t, look_up(c1, piece));
                *sum = high.mul_add(t, sum.add(look_up(c0, piece)));
            }
        }
        for (j, sum) in sums.into_iter().enumerate() {
            let mut column = [0.0; LANES];
            sum.store(&mut column);
            for (row, value) in y.chunks_exact_mut(D_OUT).zip(column) {
                row[j] = value;
            }
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
        with_outputs!(shape.d_out => backward_coefficients_block(&shape, tape, grad_y, grad_coefficients));
    }
}

/// Bases whose sums are in registers together.
const SUMMED: usize = 4;

#[inline(always)]
fn backward_coefficients_block<V: Vector, const D_OUT: usize>(
    shape: &SplineShape,
    tape: &[f32],
    grad_y: &[f32],
    grad_coefficients: &mut [f32],
) {
    let rows = grad_y.len() / D_OUT;
    let groups = rows.div_ceil(LANES);
    // Zeros beyond the last row.
    let mut grads = [[V::splat(0.0); D_OUT]; ROWS / LANES];
    for (grad, y) in grads.iter_mut().zip(grad_y.chunks(LANES * D_OUT)) {
        *grad = outputs::<V, D_OUT>(y);
    }
    let knots = Knots::<V>::new(shape.range, shape.grid_size);
    let mut of_groups = [([V::splat(0.0); 4], V::splat(0.0)); ROWS / LANES];
    // The sums over the rows, lane by lane, of every basis and output; as many pieces as lanes make one more basis, in steps of SUMMED.
    let mut sums = [[0.0; LANES]; OUTPUTS * (LANES + SUMMED)];
    for input in 0..shape.d_in {
        for (group, (bases, start)) in of_groups[..groups].iter_mut().enumerate() {
            let [piece, place] = located::<V>(tape, rows, input, group);
            *bases = knots.bases(piece, place);
            *start = knots.first_basis(piece);
        }
        for first in (0..shape.bases()).step_by(SUMMED) {
            let mut partial = [[V::splat(0.0); D_OUT]; SUMMED];
            for ((bases, start), grads) in of_groups[..groups].iter().zip(&grads) {
                for (m, partial) in partial.iter_mut().enumerate() {
                    let mut weight = V::splat(0.0);
                    for (k, base) in bases.iter().enumerate() {
                        // As an integer, so that the compiler sees which comparisons are the same.
                        let here = (first + m).wrapping_sub(k) as i32;
                        weight = base.where_equal(*start, V::splat(here as f32), weight);
                    }
                    for (sum, grad) in partial.iter_mut().zip(grads) {
                        *sum = weight.mul_add(*grad, *sum);
                    }
                }
            }
            let places = sums[first * D_OUT..].iter_mut();
            for (place, sum) in places.zip(partial.as_flattened()) {
                sum.store(place);
            }
        }
        let count = shape.bases() * D_OUT;
        for (block, sums) in sums.as_chunks().0[..count.div_ceil(LANES)]
            .iter()
            .enumerate()
        {
            let mut totals: Block = [0.0; LANES];
            V::sums(sums).store(&mut totals);
            for (place, total) in (block * LANES..count).zip(totals) {
                let (m, j) = (place / D_OUT, place % D_OUT);
                grad_coefficients[(m * shape.d_in + input) * D_OUT + j] += total;
            }
        }
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
        with_outputs!(shape.d_out => backward_input_block(&shape, tape, prepared, grad_y, grad_x));
    }
}

#[inline(always)]
fn backward_input_block<V: Vector, const D_OUT: usize>(
    shape: &SplineShape,
    tape: &[f32],
    prepared: &[f32],
    grad_y: &[f32],
    grad_x: &mut [f32],
) {
    let (rows, d_in) = (grad_y.len() / D_OUT, shape.d_in);
    let inverse_h = V::splat(shape.inverse_h());
    let mut columns = Columns::<1>::zeros();
    for (group, (grad_y, grad_x)) in grad_y
        .chunks(LANES * D_OUT)
        .zip(grad_x.chunks_mut(LANES * d_in))
        .enumerate()
    {
        let grads = outputs::<V, D_OUT>(grad_y);
        for (input, tables) in tables::<D_OUT>(prepared).iter().enumerate() {
            let [piece, t] = located::<V>(tape, rows, input, group);
            let mut powers = [V::splat(0.0); 3];
            for (grad, [_, tables @ ..]) in grads.iter().zip(tables) {
                for (power, table) in powers.iter_mut().zip(tables) {
                    *power = grad.mul_add(look_up(table, piece), *power);
                }
            }
            let [c1, c2, c3] = powers;
            let high = c3.mul(V::splat(3.0)).mul_add(t, c2.mul(V::splat(2.0)));
            let sum = high.mul_add(t, c1);
            sum.mul(inverse_h).store(&mut columns.0[input % LANES][0]);
            if input % LANES == LANES - 1 || input == d_in - 1 {
                columns.add_to::<V>(grad_x, d_in, input - input % LANES);
            }
        }
    }
}
