//! Matrix products: a safe door to the `gemm` crate on one thread.
//!
//! `gemm` keeps its workspace for one block of the left matrix in thread-local memory of the size of the L2 cache, made at the
//! first product of a thread. When it packs a whole operand it takes memory from the allocator and gives it back within
//! the call.

use gemm::Parallelism;

/// A matrix to be read: element (i, j) is `data[i * row_stride + j * column_stride]`.
#[derive(Debug, Clone, Copy)]
pub struct MatrixRef<'a> {
    data: &'a [f32],
    row_stride: usize,
    column_stride: usize,
}

impl<'a> MatrixRef<'a> {
    /// The matrix whose rows of `columns` elements lie one after the other in `data`.
    pub fn new(data: &'a [f32], columns: usize) -> Self {
        Self::with_strides(data, columns, 1)
    }

    /// A matrix with any strides, for instance some columns of a wider one.
    pub fn with_strides(data: &'a [f32], row_stride: usize, column_stride: usize) -> Self {
        Self {
            data,
            row_stride,
            column_stride,
        }
    }

    /// The transpose, without a copy.
    pub fn transposed(self) -> Self {
        Self::with_strides(self.data, self.column_stride, self.row_stride)
    }
}

/// A matrix to be written; see [`MatrixRef`].
#[derive(Debug)]
pub struct MatrixMut<'a> {
    data: &'a mut [f32],
    row_stride: usize,
    column_stride: usize,
}

impl<'a> MatrixMut<'a> {
    /// The matrix whose rows of `columns` elements lie one after the other in `data`.
    pub fn new(data: &'a mut [f32], columns: usize) -> Self {
        Self::with_strides(data, columns, 1)
    }

    /// A matrix with any strides, for instance some columns of a wider one.
    pub fn with_strides(data: &'a mut [f32], row_stride: usize, column_stride: usize) -> Self {
        Self {
            data,
            row_stride,
            column_stride,
        }
    }

    /// The transpose, without a copy.
    pub fn transposed(self) -> Self {
        Self::with_strides(self.data, self.column_stride, self.row_stride)
    }
}

/// c = a b, or c += a b when `accumulate` is set; `a`: `[m, k]`, `b`: `[k, n]`, `c`: `[m, n]`.
///
/// # Panics
///
/// When a matrix reaches beyond its data, or when two elements of `c` share a place.
pub fn matmul(
    m: usize,
    k: usize,
    n: usize,
    a: MatrixRef,
    b: MatrixRef,
    c: MatrixMut,
    accumulate: bool,
) {
    check_extent("a", m, k, a.row_stride, a.column_stride, a.data.len());
    check_extent("b", k, n, b.row_stride, b.column_stride, b.data.len());
    check_extent("c", m, n, c.row_stride, c.column_stride, c.data.len());
    let rows_apart = (n <= 1 || c.column_stride > 0)
        && (m <= 1 || c.row_stride > n.saturating_sub(1) * c.column_stride);
    let columns_apart = (m <= 1 || c.row_stride > 0)
        && (n <= 1 || c.column_stride > m.saturating_sub(1) * c.row_stride);
    assert!(
        rows_apart || columns_apart,
        "matmul: elements of c share a place"
    );
    // SAFETY: `check_extent` has shown that every element of the three matrices lies within its slice (and that the strides
    // fit in isize), `c` is borrowed mutably, so that it overlaps neither `a` nor `b`, and its elements lie apart.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.data.as_mut_ptr(),
            c.column_stride as isize,
            c.row_stride as isize,
            accumulate,
            a.data.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// Panics unless every element of a `[rows, columns]` matrix lies within `length` elements.
fn check_extent(
    name: &str,
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
    length: usize,
) {
    let last = |count: usize, stride: usize| count.saturating_sub(1).checked_mul(stride);
    let fits = rows == 0
        || columns == 0
        || last(rows, row_stride)
            .zip(last(columns, column_stride))
            .and_then(|(row, column)| row.checked_add(column))
            .is_some_and(|index| index < length);
    assert!(
        fits && row_stride.max(column_stride) <= isize::MAX as usize / size_of::<f32>(),
        "matmul: {name} [{rows}, {columns}] with strides {row_stride}, {column_stride} does not fit in {length} elements"
    );
}

#[cfg(test)]
mod tests {
    use super::super::scattered;
    use super::*;

    /// The row-major product in f64 of the matrices or of their transposes.
    fn product([m, k, n]: [usize; 3], a: &[f32], b: &[f32], transposed: [bool; 2]) -> Vec<f64> {
        let a_at = |i: usize, l: usize| a[if transposed[0] { l * m + i } else { i * k + l }];
        let b_at = |l: usize, j: usize| b[if transposed[1] { j * k + l } else { l * n + j }];
        let element = |index: usize| {
            let (i, j) = (index / n, index % n);
            (0..k)
                .map(|l| f64::from(a_at(i, l)) * f64::from(b_at(l, j)))
                .sum()
        };
        (0..m * n).map(element).collect()
    }

    /// The row-major `[rows, columns]` matrix in `data`, or the one whose transpose lies there.
    fn view(data: &[f32], rows: usize, columns: usize, transposed: bool) -> MatrixRef<'_> {
        if transposed {
            MatrixRef::new(data, rows).transposed()
        } else {
            MatrixRef::new(data, columns)
        }
    }

    #[test]
    fn products_of_matrices_and_their_transposes() {
        let shapes = [
            [1, 1, 1],
            [3, 5, 2],
            [17, 2, 33],
            [64, 65, 3],
            [2, 130, 70],
            [130, 70, 90],
        ];
        for shape @ [m, k, n] in shapes {
            let (a, b) = (scattered(m * k, -1.0, 1.0), scattered(k * n, -2.0, 2.0));
            for transposed in [[false, false], [true, false], [false, true], [true, true]] {
                let left = view(&a, m, k, transposed[0]);
                let right = view(&b, k, n, transposed[1]);
                let expected = product(shape, &a, &b, transposed);
                let bound = 1e-6 * k as f64 + 1e-6;
                let mut c = vec![f32::NAN; m * n];
                matmul(m, k, n, left, right, MatrixMut::new(&mut c, n), false);
                for (c, expected) in c.iter().zip(&expected) {
                    assert!((f64::from(*c) - expected).abs() <= bound, "{shape:?}");
                }
                matmul(m, k, n, left, right, MatrixMut::new(&mut c, n), true);
                for (c, expected) in c.iter().zip(&expected) {
                    assert!(
                        (f64::from(*c) - 2.0 * expected).abs() <= 3.0 * bound,
                        "{shape:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn some_columns_of_a_wider_matrix() {
        // [1 2; 5 6] · [1; 1] into column 1 of a [2, 3] matrix.
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        let ones = MatrixRef::new(&[1.0, 1.0], 1);
        let mut c = [0.0; 6];
        let out = MatrixMut::with_strides(&mut c[1..], 3, 1);
        matmul(2, 2, 1, MatrixRef::new(&a, 4), ones, out, false);
        assert_eq!(c, [0.0, 3.0, 0.0, 0.0, 11.0, 0.0]);
        let identity = MatrixRef::new(&[1.0, 0.0, 0.0, 1.0], 2);
        let mut transposed = [0.0; 4];
        let out = MatrixMut::new(&mut transposed, 2).transposed();
        matmul(2, 2, 2, MatrixRef::new(&a, 2), identity, out, false);
        assert_eq!(transposed, [1.0, 3.0, 2.0, 4.0]);
    }

    #[test]
    fn an_empty_sum_is_zero() {
        let mut c = [1.0; 4];
        let (a, b) = (MatrixRef::new(&[], 0), MatrixRef::new(&[], 2));
        matmul(2, 0, 2, a, b, MatrixMut::new(&mut c, 2), true);
        assert_eq!(c, [1.0; 4]);
        matmul(2, 0, 2, a, b, MatrixMut::new(&mut c, 2), false);
        assert_eq!(c, [0.0; 4]);
    }

    #[test]
    #[should_panic(expected = "a [2, 3] with strides 3, 1 does not fit in 5 elements")]
    fn a_short_left_matrix_is_refused() {
        let mut c = [0.0; 2];
        let (a, b) = (MatrixRef::new(&[0.0; 5], 3), MatrixRef::new(&[0.0; 3], 1));
        matmul(2, 3, 1, a, b, MatrixMut::new(&mut c, 1), false);
    }

    #[test]
    #[should_panic(expected = "does not fit")]
    fn strides_that_overflow_are_refused() {
        let mut c = [0.0; 4];
        let a = MatrixRef::with_strides(&[0.0; 4], usize::MAX, usize::MAX);
        let b = MatrixRef::new(&[0.0; 4], 2);
        matmul(2, 2, 2, a, b, MatrixMut::new(&mut c, 2), false);
    }

    #[test]
    #[should_panic(expected = "share a place")]
    fn an_output_with_shared_places_is_refused() {
        let mut c = [0.0; 4];
        let (a, b) = (MatrixRef::new(&[0.0; 4], 2), MatrixRef::new(&[0.0; 4], 2));
        matmul(2, 2, 2, a, b, MatrixMut::with_strides(&mut c, 1, 1), false);
    }
}
