//! Matrix products on one thread, for the shapes of a tile: hundreds of rows against weights that all tiles share.
//!
//! A block of rows by columns of the result stays in registers while the whole inner dimension runs past it (the micro-kernel of
//! Goto and van de Geijn 2008). Their blocking for the outer caches is left out, for a tile is made to fit the second level. The left
//! matrix is read where it lies; the right one also, when its rows are contiguous, else from a packed copy ([`pack`]), which
//! is made once for all tiles. Products with few columns are of another form, [`super::matmul_narrow`]. Nothing is allocated.

use super::matrix::check_extent;
pub use super::matrix::{MatrixMut, MatrixRef, Right, Start};
use super::vector::Vector;
use super::{LANES, dispatch_vector, matmul_narrow as narrow};

/// How many elements [`pack`] writes for a `[k, n]` matrix.
pub fn packed_len(k: usize, n: usize) -> usize {
    if narrow::suits(k, n) {
        return narrow::packed_len(k, n);
    }
    k * n.next_multiple_of(LANES)
}

/// Copies the right matrix of a product, `[k, n]`, into `packed`, in the order in which the product reads it: panel by panel of as
/// many columns as the registers hold, padded with zeros to whole vectors. `packed`: [`packed_len`] elements.
///
/// # Panics
///
/// When the matrix reaches beyond its data or `packed` has another length.
pub fn pack(k: usize, n: usize, b: MatrixRef, packed: &mut [f32]) {
    check_extent("b", k, n, b.row_stride, b.column_stride, b.data.len());
    assert_eq!(packed.len(), packed_len(k, n), "pack: the length of packed");
    if narrow::suits(k, n) {
        return narrow::pack(k, b, packed);
    }
    let mut rest = packed;
    for (first, width) in panels(n, panel_width()) {
        let padded = width.next_multiple_of(LANES);
        let (panel, behind) = rest.split_at_mut(k * padded);
        rest = behind;
        for (row, place) in panel.chunks_exact_mut(padded).enumerate() {
            let start = row * b.row_stride + first * b.column_stride;
            for (column, element) in place[..width].iter_mut().enumerate() {
                *element = b.data[start + column * b.column_stride];
            }
            place[width..].fill(0.0);
        }
    }
}

/// First column and number of columns of every panel of a matrix with `n` columns. A panel is as wide as the registers allow, but
/// two narrow ones come before one of a single vector, whose few sums would wait for each other.
fn panels(n: usize, panel_width: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut first = 0;
    std::iter::from_fn(move || {
        let rest = n - first;
        let shorter = panel_width - LANES;
        let width = if rest > panel_width && rest <= panel_width + LANES && shorter > 0 {
            shorter
        } else {
            panel_width.min(rest)
        };
        let panel = (first, width);
        first += width;
        (width > 0).then_some(panel)
    })
}

fn panel_width() -> usize {
    #[inline(always)]
    fn body<V: Vector, const ROWS: usize, const VECTORS: usize>() -> usize {
        LANES * VECTORS
    }
    dispatch_vector!(body() -> usize)
}

/// c = start + a b; `a`: `[m, k]`, `b`: `[k, n]`, `c`: `[m, n]`.
///
/// # Panics
///
/// When a matrix reaches beyond its data.
pub fn matmul([m, k, n]: [usize; 3], a: MatrixRef, b: Right, c: MatrixMut, start: Start) {
    check_extent("a", m, k, a.row_stride, a.column_stride, a.data.len());
    match b {
        Right::Rows(data, row_stride) => check_extent("b", k, n, row_stride, 1, data.len()),
        Right::Packed(packed) => assert_eq!(
            packed.len(),
            packed_len(k, n),
            "matmul: the length of packed b"
        ),
    }
    let twin = c.twin.unwrap_or(0);
    assert!(twin <= c.data.len(), "matmul: the twin of c lies outside");
    check_extent("c", m, n, c.row_stride, 1, c.data.len() - twin);
    if let Start::Bias(bias) = start {
        assert_eq!(bias.len(), n, "matmul: the length of the bias");
    }
    match b {
        Right::Packed(packed) if narrow::suits(k, n) => {
            return narrow::packed([m, k, n], a, packed, c, start);
        }
        Right::Rows(data, row_stride) if narrow::suits(m, n) && a.row_stride == 1 => {
            let b = MatrixRef::with_strides(data, row_stride, 1);
            return narrow::by_columns_of_a([m, k, n], a, b, c, start);
        }
        _ => {}
    }
    dispatch_vector!(product(m: usize, k: usize, n: usize, a: MatrixRef, b: Right, c: MatrixMut, start: Start));
}

#[inline(always)]
fn product<V: Vector, const ROWS: usize, const VECTORS: usize>(
    m: usize,
    k: usize,
    n: usize,
    a: MatrixRef,
    b: Right,
    mut c: MatrixMut,
    start: Start,
) {
    for (first, width) in panels(n, LANES * VECTORS) {
        let padded = width.next_multiple_of(LANES);
        let (data, row_stride, is_padded) = match b {
            Right::Rows(data, row_stride) => {
                (data.get(first..).unwrap_or_default(), row_stride, false)
            }
            Right::Packed(packed) => (&packed[first * k..first * k + padded * k], padded, true),
        };
        let panel = Panel {
            k,
            data,
            row_stride,
            first,
            tail: width - (padded - LANES),
            is_padded,
        };
        match padded / LANES {
            1 => panel.rows::<V, ROWS, 1>(m, a, &mut c, start),
            2 => panel.rows::<V, ROWS, 2>(m, a, &mut c, start),
            // No instruction set has more than three vectors to a row of its block.
            _ => panel.rows::<V, ROWS, 3>(m, a, &mut c, start),
        }
    }
}

/// Some columns of the right matrix: one to three vectors wide, the last one perhaps in part.
struct Panel<'a> {
    k: usize,
    data: &'a [f32],
    row_stride: usize,
    /// The first column of the panel.
    first: usize,
    /// Columns in the last vector, 1 to 16.
    tail: usize,
    /// Whether the last vector can be read as a whole.
    is_padded: bool,
}

impl Panel<'_> {
    #[inline(always)]
    fn rows<V: Vector, const ROWS: usize, const VECTORS: usize>(
        &self,
        m: usize,
        a: MatrixRef,
        c: &mut MatrixMut,
        start: Start,
    ) {
        let mut row = 0;
        while row + ROWS <= m {
            self.block::<V, ROWS, VECTORS>(row, a, c, start);
            row += ROWS;
        }
        // Fewer than ROWS, at most seven, are left.
        if row + 4 <= m {
            self.block::<V, 4, VECTORS>(row, a, c, start);
            row += 4;
        }
        if row + 2 <= m {
            self.block::<V, 2, VECTORS>(row, a, c, start);
            row += 2;
        }
        if row < m {
            self.block::<V, 1, VECTORS>(row, a, c, start);
        }
    }

    /// Rows `row..row + ROWS` of the result.
    #[inline(always)]
    fn block<V: Vector, const ROWS: usize, const VECTORS: usize>(
        &self,
        row: usize,
        a: MatrixRef,
        c: &mut MatrixMut,
        start: Start,
    ) {
        self.prefetch::<V, ROWS, VECTORS>(row, c);
        if self.tail < LANES {
            let sums = if self.is_padded {
                self.sums::<V, ROWS, VECTORS, false>(row, a)
            } else {
                self.sums::<V, ROWS, VECTORS, true>(row, a)
            };
            self.write::<V, ROWS, VECTORS, true>(row, sums, c, start);
        } else {
            let sums = self.sums::<V, ROWS, VECTORS, false>(row, a);
            self.write::<V, ROWS, VECTORS, false>(row, sums, c, start);
        }
    }

    /// Asks for the places of a block in the result, so that they have come when its sums are done.
    #[inline(always)]
    fn prefetch<V: Vector, const ROWS: usize, const VECTORS: usize>(
        &self,
        row: usize,
        c: &MatrixMut,
    ) {
        for i in 0..ROWS {
            for offset in [Some(0), c.twin].into_iter().flatten() {
                for j in 0..VECTORS {
                    let place = (row + i) * c.row_stride + self.first + j * LANES;
                    V::prefetch(c.data.as_ptr().wrapping_add(offset + place));
                }
            }
        }
    }

    /// Writes a block to the result and to its twin; `SOME`: of the last vector only `tail` numbers.
    #[inline(always)]
    fn write<V: Vector, const ROWS: usize, const VECTORS: usize, const SOME: bool>(
        &self,
        row: usize,
        sums: [[V; VECTORS]; ROWS],
        c: &mut MatrixMut,
        start: Start,
    ) {
        for (i, sums) in sums.iter().enumerate() {
            let place = (row + i) * c.row_stride + self.first;
            for offset in [Some(0), c.twin].into_iter().flatten() {
                let place = &mut c.data[offset + place..];
                for (j, &sum) in sums.iter().enumerate() {
                    let width = if SOME && j + 1 == VECTORS {
                        self.tail
                    } else {
                        LANES
                    };
                    let place = &mut place[j * LANES..][..width];
                    let sum = match start {
                        Start::Zero => sum,
                        Start::Result => sum.add(load(place)),
                        Start::Bias(bias) => {
                            sum.add(load(&bias[self.first + j * LANES..][..width]))
                        }
                    };
                    match place.first_chunk_mut() {
                        Some(whole) => sum.store(whole),
                        None => sum.store_some(place),
                    }
                }
            }
        }
    }

    /// The products of `ROWS` rows of `a` with the panel; `SOME`: the last vector holds `tail` numbers only.
    #[inline(always)]
    fn sums<V: Vector, const ROWS: usize, const VECTORS: usize, const SOME: bool>(
        &self,
        row: usize,
        a: MatrixRef,
    ) -> [[V; VECTORS]; ROWS] {
        let mut sums = [[V::splat(0.0); VECTORS]; ROWS];
        let a_rows = row * a.row_stride;
        for l in 0..self.k {
            // SAFETY: l is below k and row + i below m, and `matmul` has shown that all these elements of a and the first n of row l
            // of b lie within their slices. The panel ends at column n, or within the padding of a packed row. Bounds checks would
            // take as many instructions as the products.
            unsafe {
                let b_row = l * self.row_stride;
                let mut b = [V::splat(0.0); VECTORS];
                for (j, b) in b.iter_mut().enumerate() {
                    let place = b_row + j * LANES;
                    *b = if SOME && j + 1 == VECTORS {
                        V::load_some(self.data.get_unchecked(place..place + self.tail))
                    } else {
                        V::load(&*self.data.as_ptr().add(place).cast())
                    };
                }
                for (i, sums) in sums.iter_mut().enumerate() {
                    let index = a_rows + i * a.row_stride + l * a.column_stride;
                    let a = V::splat(*a.data.get_unchecked(index));
                    for (sum, b) in sums.iter_mut().zip(b) {
                        *sum = a.mul_add(b, *sum);
                    }
                }
            }
        }
        sums
    }
}

/// The vector at the start of `x`, of as many numbers as there are.
#[inline(always)]
pub(super) fn load<V: Vector>(x: &[f32]) -> V {
    match x.first_chunk() {
        Some(whole) => V::load(whole),
        None => V::load_some(x),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{for_every_instruction_set, scattered};
    use super::*;

    const SHAPES: [[usize; 3]; 14] = [
        [1, 1, 1],
        [3, 5, 2],
        [17, 2, 33],
        [64, 65, 3],
        [2, 130, 70],
        [23, 70, 90],
        [8, 16, 48],
        [15, 3, 181],
        [7, 40, 16],
        // Few columns.
        [16, 32, 1],
        [35, 45, 2],
        [70, 19, 3],
        [18, 130, 4],
        [1, 16, 3],
    ];

    /// The row-major product in f64 of a matrix, or of its transpose, and another.
    fn expected([m, k, n]: [usize; 3], a: &[f32], b: &[f32], a_is_transposed: bool) -> Vec<f64> {
        let a_at = |i: usize, l: usize| {
            a[if a_is_transposed {
                l * m + i
            } else {
                i * k + l
            }]
        };
        let element = |index: usize| {
            let (i, j) = (index / n, index % n);
            (0..k)
                .map(|l| f64::from(a_at(i, l)) * f64::from(b[l * n + j]))
                .sum()
        };
        (0..m * n).map(element).collect()
    }

    fn assert_near(c: &[f32], expected: impl Iterator<Item = f64>, k: usize, what: &str) {
        let bound = 2e-6 * (k + 1) as f64;
        for (c, expected) in c.iter().zip(expected) {
            assert!(
                (f64::from(*c) - expected).abs() <= bound,
                "{what}: {c} {expected}"
            );
        }
    }

    #[test]
    fn products_of_every_shape_layout_and_start() {
        for_every_instruction_set(|set| {
            for shape @ [m, k, n] in SHAPES {
                let (a, b) = (scattered(m * k, -1.0, 1.0), scattered(k * n, -2.0, 2.0));
                let transposed: Vec<f32> = (0..n * k).map(|i| b[(i % k) * n + i / k]).collect();
                let mut packed = vec![f32::NAN; packed_len(k, n)];
                pack(k, n, MatrixRef::new(&b, n), &mut packed);
                let mut packed_transposed = vec![f32::NAN; packed_len(k, n)];
                let view = MatrixRef::new(&transposed, k).transposed();
                pack(k, n, view, &mut packed_transposed);
                assert_eq!(packed, packed_transposed);
                let bias = scattered(n, 5.0, 6.0);
                for a_is_transposed in [false, true] {
                    let left = if a_is_transposed {
                        MatrixRef::new(&a, m).transposed()
                    } else {
                        MatrixRef::new(&a, k)
                    };
                    let product = expected(shape, &a, &b, a_is_transposed);
                    for right in [Right::Rows(&b, n), Right::Packed(&packed)] {
                        let what = format!("{set} {shape:?} {a_is_transposed}");
                        let mut c = vec![f32::NAN; m * n];
                        matmul(shape, left, right, MatrixMut::new(&mut c, n), Start::Zero);
                        assert_near(&c, product.iter().copied(), k, &what);
                        matmul(shape, left, right, MatrixMut::new(&mut c, n), Start::Result);
                        assert_near(&c, product.iter().map(|p| 2.0 * p), 3 * k, &what);
                        let out = MatrixMut::new(&mut c, n);
                        matmul(shape, left, right, out, Start::Bias(&bias));
                        let with_bias = product.iter().enumerate();
                        let with_bias = with_bias.map(|(i, p)| p + f64::from(bias[i % n]));
                        assert_near(&c, with_bias, 3 * k, &what);
                    }
                }
            }
        });
    }

    #[test]
    fn some_columns_of_wider_matrices_and_a_twin() {
        for_every_instruction_set(|_| {
            // [1 2; 5 6] · [1 2; 1 2] = [3 6; 11 22] into columns 1, 2 and again into columns 4, 5 of a [2, 6] matrix.
            let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
            let b = [1.0, 2.0, 9.0, 1.0, 2.0];
            let mut c = [0.0; 12];
            let out = MatrixMut::with_row_stride(&mut c[1..], 6).with_twin(3);
            let left = MatrixRef::with_strides(&a, 4, 1);
            matmul([2, 2, 2], left, Right::Rows(&b, 3), out, Start::Zero);
            assert_eq!(
                c,
                [
                    0.0, 3.0, 6.0, 0.0, 3.0, 6.0, 0.0, 11.0, 22.0, 0.0, 11.0, 22.0
                ]
            );
        });
    }

    #[test]
    fn an_empty_sum_is_the_start() {
        let mut c = [1.0; 4];
        let (a, b) = (MatrixRef::new(&[], 0), Right::Rows(&[], 2));
        matmul([2, 0, 2], a, b, MatrixMut::new(&mut c, 2), Start::Result);
        assert_eq!(c, [1.0; 4]);
        matmul(
            [2, 0, 2],
            a,
            b,
            MatrixMut::new(&mut c, 2),
            Start::Bias(&[2.0, 3.0]),
        );
        assert_eq!(c, [2.0, 3.0, 2.0, 3.0]);
        matmul([2, 0, 2], a, b, MatrixMut::new(&mut c, 2), Start::Zero);
        assert_eq!(c, [0.0; 4]);
    }

    #[test]
    #[should_panic(expected = "a [2, 3] with strides 3, 1 does not fit in 5 elements")]
    fn a_short_left_matrix_is_refused() {
        let a = MatrixRef::new(&[0.0; 5], 3);
        let b = Right::Rows(&[0.0; 3], 1);
        matmul(
            [2, 3, 1],
            a,
            b,
            MatrixMut::new(&mut [0.0; 2], 1),
            Start::Zero,
        );
    }

    #[test]
    #[should_panic(expected = "b [2, 3] with strides 3, 1 does not fit in 5 elements")]
    fn a_short_right_matrix_is_refused() {
        let a = MatrixRef::new(&[0.0; 2], 2);
        let b = Right::Rows(&[0.0; 5], 3);
        matmul(
            [1, 2, 3],
            a,
            b,
            MatrixMut::new(&mut [0.0; 3], 3),
            Start::Zero,
        );
    }

    #[test]
    #[should_panic(expected = "does not fit")]
    fn strides_that_overflow_are_refused() {
        let a = MatrixRef::with_strides(&[0.0; 4], usize::MAX, usize::MAX);
        let b = Right::Rows(&[0.0; 4], 2);
        matmul(
            [2, 2, 2],
            a,
            b,
            MatrixMut::new(&mut [0.0; 4], 2),
            Start::Zero,
        );
    }

    #[test]
    #[should_panic(expected = "c [2, 2] with strides 3, 1 does not fit in 4 elements")]
    fn a_twin_beyond_the_result_is_refused() {
        let a = MatrixRef::new(&[0.0; 4], 2);
        let b = Right::Rows(&[0.0; 4], 2);
        let mut c = [0.0; 6];
        let out = MatrixMut::with_row_stride(&mut c, 3).with_twin(2);
        matmul([2, 2, 2], a, b, out, Start::Zero);
    }

    #[test]
    #[should_panic(expected = "the length of packed b")]
    fn a_matrix_packed_for_another_shape_is_refused() {
        let a = MatrixRef::new(&[0.0; 4], 2);
        let b = Right::Packed(&[0.0; 16]);
        matmul(
            [2, 2, 2],
            a,
            b,
            MatrixMut::new(&mut [0.0; 4], 2),
            Start::Zero,
        );
    }
}
