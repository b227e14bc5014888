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
