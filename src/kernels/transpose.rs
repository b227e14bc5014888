//! Matrices written down with rows and columns exchanged.

use super::vector::Vector;
use super::{LANES, dispatch_vector};

/// y = xᵀ; `x`: `[m, n]` with rows `x_stride` apart, `y`: `[n, m]` with rows `y_stride` apart.
///
/// # Panics
///
/// When a matrix reaches beyond its slice.
pub fn transpose(shape: [usize; 2], x: &[f32], x_stride: usize, y: &mut [f32], y_stride: usize) {
    dispatch_vector!(body(
        shape: [usize; 2], x: &[f32], x_stride: usize, y: &mut [f32], y_stride: usize
    ));
}

#[inline(always)]
fn body<V: Vector, const ROWS: usize, const VECTORS: usize>(
    [m, n]: [usize; 2],
    x: &[f32],
    x_stride: usize,
    y: &mut [f32],
    y_stride: usize,
) {
    for row in (0..m).step_by(LANES) {
        let height = LANES.min(m - row);
        for column in (0..n).step_by(LANES) {
            let width = LANES.min(n - column);
            let mut block = [V::splat(0.0); LANES];
            for (i, vector) in block[..height].iter_mut().enumerate() {
                let x = &x[(row + i) * x_stride + column..][..width];
                *vector = match x.first_chunk() {
                    Some(whole) => V::load(whole),
                    None => V::load_some(x),
                };
            }
            let block = transposed(block);
            for (j, vector) in block[..width].iter().enumerate() {
                let y = &mut y[(column + j) * y_stride + row..][..height];
                match y.first_chunk_mut() {
                    Some(whole) => vector.store(whole),
                    None => vector.store_some(y),
                }
            }
        }
    }
}

/// The transpose of a block of whole vectors. Interleaving vectors i and i + 8 into 2i and 2i + 1 turns the bits of the number
/// (vector, lane) by one place, so that after four times vector and lane have changed places.
#[inline(always)]
fn transposed<V: Vector>(mut block: [V; LANES]) -> [V; LANES] {
    for _ in 0..LANES.ilog2() {
        let (top, bottom) = block.split_at(LANES / 2);
        let mut next = block;
        for ((pair, a), b) in next.chunks_exact_mut(2).zip(top).zip(bottom) {
            pair.copy_from_slice(&a.interleave(*b));
        }
        block = next;
    }
    block
}

#[cfg(test)]
mod tests {
    use super::super::{for_every_instruction_set, scattered};
    use super::*;

    #[test]
    fn every_element_changes_its_row_for_its_column() {
        for_every_instruction_set(|set| {
            for [m, n] in [[0, 3], [1, 1], [3, 7], [16, 16], [33, 20], [40, 64]] {
                let (x_stride, y_stride) = (n + 2, m + 3);
                let x = scattered(m * x_stride, -1.0, 1.0);
                let mut y = vec![7.0; n * y_stride];
                transpose([m, n], &x, x_stride, &mut y, y_stride);
                for (index, y) in y.iter().enumerate() {
                    let (i, j) = (index % y_stride, index / y_stride);
                    let expected = if i < m { x[i * x_stride + j] } else { 7.0 };
                    assert_eq!(*y, expected, "{set}: {m} {n}, {i} {j}");
                }
            }
        });
    }
}
