//! Matrices that lie in slices.

/// A matrix to be read: element (i, j) is `data[i * row_stride + j * column_stride]`.
#[derive(Debug, Clone, Copy)]
pub struct MatrixRef<'a> {
    pub(super) data: &'a [f32],
    pub(super) row_stride: usize,
    pub(super) column_stride: usize,
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

    /// The rows from `first` on.
    pub fn rows_from(self, first: usize) -> Self {
        let data = &self.data[first * self.row_stride..];
        Self { data, ..self }
    }

    /// The transpose, without a copy.
    pub fn transposed(self) -> Self {
        Self::with_strides(self.data, self.column_stride, self.row_stride)
    }
}

/// The right matrix of a product, `[k, n]`.
#[derive(Debug, Clone, Copy)]
pub enum Right<'a> {
    /// Rows of contiguous elements, the second number apart.
    Rows(&'a [f32], usize),
    /// What [`super::matmul::pack`] wrote.
    Packed(&'a [f32]),
}

/// A matrix to be written: element (i, j) is `data[i * row_stride + j]`.
#[derive(Debug)]
pub struct MatrixMut<'a> {
    pub(super) data: &'a mut [f32],
    pub(super) row_stride: usize,
    pub(super) twin: Option<usize>,
}

impl<'a> MatrixMut<'a> {
    /// The matrix whose rows of `columns` elements lie one after the other in `data`.
    pub fn new(data: &'a mut [f32], columns: usize) -> Self {
        Self::with_row_stride(data, columns)
    }

    /// A matrix whose rows start `row_stride` apart, for instance some columns of a wider one.
    pub fn with_row_stride(data: &'a mut [f32], row_stride: usize) -> Self {
        Self {
            data,
            row_stride,
            twin: None,
        }
    }

    /// The same with a twin `offset` elements further, which receives the same product.
    pub fn with_twin(self, offset: usize) -> Self {
        Self {
            twin: Some(offset),
            ..self
        }
    }
}

/// What a product is added to.
#[derive(Debug, Clone, Copy)]
pub enum Start<'a> {
    /// Nothing.
    Zero,
    /// What the result held before.
    Result,
    /// The same vector `[n]` in every row.
    Bias(&'a [f32]),
}

/// Panics unless every element of a `[rows, columns]` matrix lies within `length` elements.
pub(super) fn check_extent(
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
        fits,
        "matmul: {name} [{rows}, {columns}] with strides {row_stride}, {column_stride} does not fit in {length} elements"
    );
}
