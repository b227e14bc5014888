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
            let mut block = [[0.0; LANES]; LANES];
            for (i, place) in block[..height].iter_mut().enumerate() {
                let x = &x[(row + i) * x_stride + column..][..width];
                match x.first_chunk() {
                    Some(whole) => *place = *whole,
                    None => place[..width].copy_from_slice(x),
                }
            }
            V::transpose(&mut block);
            for (j, place) in block[..width].iter().enumerate() {
                let y = &mut y[(column + j) * y_stride + row..][..height];
                match y.first_chunk_mut() {
                    Some(whole) => *whole = *place,
                    None => y.copy_from_slice(&place[..height]),
                }
            }
        }
    }
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
