//! Matrix products with few columns, such as those of the last layer of a network, of which a vector of columns would be mostly empty.
//!
//! With a packed right matrix a vector holds numbers of the inner dimension, and its sum is an element of the result. The gradient
//! of such a matrix is a product over the rows of a tile; there a vector holds rows of the result.

use super::matmul::load;
use super::matrix::{MatrixMut, MatrixRef, Start};
use super::vector::Vector;
use super::{Block, LANES, dispatch_vector};

/// Most columns.
const COLUMNS: usize = 4;

/// Whether a `[k, n]` right matrix is packed for this form: with few columns, and with rows enough to fill a vector.
pub(super) fn suits(k: usize, n: usize) -> bool {
    (1..=COLUMNS).contains(&n) && k >= LANES
}

/// How many elements [`pack`] writes.
pub(super) fn packed_len(k: usize, n: usize) -> usize {
    n * k.next_multiple_of(LANES)
}

/// Copies the columns of `b` one after the other, each padded with zeros to whole vectors.
pub(super) fn pack(k: usize, b: MatrixRef, packed: &mut [f32]) {
    let columns = packed.chunks_exact_mut(k.next_multiple_of(LANES));
    for (j, column) in columns.enumerate() {
        for (row, place) in column[..k].iter_mut().enumerate() {
            *place = b.data[row * b.row_stride + j * b.column_stride];
        }
        column[k..].fill(0.0);
    }
}

/// c = start + a b with b of [`pack`]; `a`: `[m, k]`, `c`: `[m, n]`.
pub(super) fn packed(shape: [usize; 3], a: MatrixRef, b: &[f32], mut c: MatrixMut, start: Start) {
    let c = &mut c;
    dispatch_vector!(packed_body(
        shape: [usize; 3], a: MatrixRef, b: &[f32], c: &mut MatrixMut, start: Start
    ));
}

#[inline(always)]
fn packed_body<V: Vector, const ROWS: usize, const VECTORS: usize>(
    shape: [usize; 3],
    a: MatrixRef,
    b: &[f32],
    c: &mut MatrixMut,
    start: Start,
) {
    if a.column_stride == 1 {
        rows::<V, true>(shape, a, b, c, start);
    } else {
        rows::<V, false>(shape, a, b, c, start);
    }
}

/// `CONTIGUOUS`: whether the column stride of a is 1.
#[inline(always)]
fn rows<V: Vector, const CONTIGUOUS: bool>(
    [m, k, n]: [usize; 3],
    a: MatrixRef,
    b: &[f32],
    c: &mut MatrixMut,
    start: Start,
) {
    for first in (0..m).step_by(LANES) {
        let count = (m - first).min(LANES);
        for (j, b) in b
            .chunks_exact(k.next_multiple_of(LANES))
            .enumerate()
            .take(n)
        {
            let mut sums = [V::splat(0.0); LANES];
            for (chunk, b) in b.as_chunks::<LANES>().0.iter().enumerate() {
                let (place, b) = (chunk * LANES, V::load(b));
                let width = (k - place).min(LANES);
                for (row, sum) in sums.iter_mut().enumerate() {
                    // Beyond the last row, that one again.
                    let start = (first + row.min(count - 1)) * a.row_stride;
                    let numbers = if CONTIGUOUS {
                        // SAFETY: the row is below m and place + width at most k, and `matmul` has shown that these elements of a lie
                        // within its slice. Bounds checks would take as many instructions as the products.
                        let numbers =
                            unsafe { a.data.get_unchecked(start + place..start + place + width) };
                        if width == LANES {
                            load(numbers)
                        } else {
                            V::load_some(numbers)
                        }
                    } else {
                        let mut numbers: Block = [0.0; LANES];
                        for (i, number) in numbers[..width].iter_mut().enumerate() {
                            *number = a.data[start + (place + i) * a.column_stride];
                        }
                        V::load(&numbers)
                    };
                    *sum = numbers.mul_add(b, *sum);
                }
            }
            let mut partial = [[0.0; LANES]; LANES];
            for (sum, place) in sums.into_iter().zip(&mut partial) {
                sum.store(place);
            }
            let mut column = [0.0; LANES];
            V::sums(&partial).store(&mut column);
            write(c, start, first, j, &column[..count]);
        }
    }
}

/// Writes rows `first..` of column j of the result, and of its twin.
#[inline(always)]
fn write(c: &mut MatrixMut, start: Start, first: usize, j: usize, column: &[f32]) {
    for offset in [Some(0), c.twin].into_iter().flatten() {
        for (row, sum) in column.iter().enumerate() {
            let place = &mut c.data[offset + (first + row) * c.row_stride + j];
            *place = match start {
                Start::Zero => *sum,
                Start::Result => *place + sum,
                Start::Bias(bias) => bias[j] + sum,
            };
        }
    }
}

/// c = start + a b for n up to [`COLUMNS`], where the columns of a are contiguous, its row stride being 1; so are the
/// rows of b.
pub(super) fn by_columns_of_a(
    shape: [usize; 3],
    a: MatrixRef,
    b: MatrixRef,
    mut c: MatrixMut,
    start: Start,
) {
    let c = &mut c;
    dispatch_vector!(columns_body(
        shape: [usize; 3], a: MatrixRef, b: MatrixRef, c: &mut MatrixMut, start: Start
    ));
}

#[inline(always)]
fn columns_body<V: Vector, const ROWS: usize, const VECTORS: usize>(
    [m, k, n]: [usize; 3],
    a: MatrixRef,
    b: MatrixRef,
    c: &mut MatrixMut,
    start: Start,
) {
    for first in (0..m).step_by(LANES * VECTORS) {
        let rows = first..m.min(first + LANES * VECTORS);
        match n {
            1 => columns::<V, VECTORS, 1>(rows, k, a, b, c, start),
            2 => columns::<V, VECTORS, 2>(rows, k, a, b, c, start),
            3 => columns::<V, VECTORS, 3>(rows, k, a, b, c, start),
            _ => columns::<V, VECTORS, COLUMNS>(rows, k, a, b, c, start),
        }
    }
}

/// Some rows of the result, at most `VECTORS` of vectors.
#[inline(always)]
fn columns<V: Vector, const VECTORS: usize, const N: usize>(
    rows: std::ops::Range<usize>,
    k: usize,
    a: MatrixRef,
    b: MatrixRef,
    c: &mut MatrixMut,
    start: Start,
) {
    let mut sums = [[V::splat(0.0); VECTORS]; N];
    for l in 0..k {
        let numbers = &a.data[l * a.column_stride..][rows.clone()];
        let b = &b.data[l * b.row_stride..][..N];
        for (i, numbers) in numbers.chunks(LANES).enumerate().take(VECTORS) {
            let vector = load::<V>(numbers);
            for (sums, b) in sums.iter_mut().zip(b) {
                sums[i] = V::splat(*b).mul_add(vector, sums[i]);
            }
        }
    }
    for (j, sums) in sums.iter().enumerate() {
        let firsts = rows.clone().step_by(LANES);
        for (first, sum) in firsts.zip(sums) {
            let mut column = [0.0; LANES];
            sum.store(&mut column);
            write(c, start, first, j, &column[..LANES.min(rows.end - first)]);
        }
    }
}
