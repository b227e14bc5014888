//! The iteration of Newton and Schulz, spread over all threads.
//!
//! Every product is cut into blocks of rows, and of the symmetric ones only the blocks on and above the diagonal are computed. Each
//! element is summed in the same order wherever the cuts are, so the result is the same bits on any number of threads.

use rayon::prelude::*;

use super::PIECE;
use crate::kernels::Buffer;
use crate::kernels::elementwise::{axpby, scale, sum_of_squares};
use crate::kernels::matmul::{MatrixMut, MatrixRef, Right, Start, matmul};
use crate::kernels::transpose::transpose;

/// Coefficients a, b, c of the quintic iteration (Jordan et al. 2024, "Muon"): singular values in (0, 1] end in about [0.7, 1.2].
const QUINTIC: [f32; 3] = [3.4445, -4.7750, 2.0315];

/// Iterations (Jordan et al. 2024).
const STEPS: usize = 5;

/// Added to the norm, so that a zero matrix stays zero.
const NORM_EPSILON: f64 = 1e-7;

/// Numbers in the widest vector of the kernels; rows that start at its multiples are read faster.
const LANES: usize = 16;

/// Fewer multiplications than these, about 10 µs of them, are not worth handing to another thread.
const TASK: usize = 1 << 19;

/// Memory for one matrix at a time, which grows with the largest one.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    /// X, or its transpose when that is the taller one: `[long, short]`.
    x: Buffer,
    /// X after the next step, and before that the halves of symmetric matrices.
    next: Buffer,
    /// A, then a I + b A + c A²: `[short, short]`. The three buffers of 256 × 256 fit a second-level cache of 1 MiB.
    symmetric: Buffer,
    /// Partial sums of the norm.
    sums: Vec<f64>,
}

/// The first `length` numbers of a buffer, whatever they are, once it has so many.
pub(super) fn at_least(buffer: &mut Buffer, length: usize) -> &mut [f32] {
    if buffer.len() < length {
        *buffer = Buffer::zeros(length);
    }
    &mut buffer[..length]
}

/// Replaces the row-major `matrix` `[rows, columns]` by a nearby matrix whose singular values all lie near 1: the direction of
/// Muon (Jordan et al. 2024).
///
/// X is divided by its Frobenius norm; then five times X ← X (a I + b A + c A²) with A = Xᵀ X. A matrix with more columns than rows
/// is iterated as its transpose, for the symmetric matrices are then the smaller ones.
pub(super) fn newton_schulz(
    matrix: &mut [f32],
    rows: usize,
    columns: usize,
    workspace: &mut Workspace,
) {
    let (short, long) = (rows.min(columns), rows.max(columns));
    let layout = Layout::new(short);
    let Layout { width, stride } = layout;
    let mut x = at_least(&mut workspace.x, long * stride);
    let mut next = at_least(&mut workspace.next, long * stride);
    let symmetric = at_least(&mut workspace.symmetric, short * stride);

    matrix
        .par_chunks(PIECE)
        .map(sum_of_squares)
        .collect_into_vec(&mut workspace.sums);
    let squares: f64 = workspace.sums.iter().sum();
    let factor = (1.0 / (squares.sqrt() + NORM_EPSILON)) as f32;
    for_blocks(x, stride, short, |first, block| {
        if rows < columns {
            let height = block.len() / stride;
            transpose([rows, height], &matrix[first..], columns, block, stride);
        } else {
            copy_rows(&matrix[first * columns..], columns, block, stride, columns);
        }
        for row in block.chunks_exact_mut(stride) {
            scale(factor, &mut row[..short]);
            row[short..].fill(0.0);
        }
    });

    let [a, b, c] = QUINTIC;
    for _ in 0..STEPS {
        let left = MatrixRef::new(x, stride);
        let upper = &mut next[..short * stride];
        layout.upper_product(long, left.transposed(), x, upper, |_, _| ());
        layout.mirror(upper, symmetric);
        let gram = &*symmetric;
        let add_to_square = |first: usize, block: &mut [f32]| {
            for (i, row) in (first..).zip(block.chunks_exact_mut(stride)) {
                let gram = &gram[i * stride..];
                axpby(b, &gram[first..width], c, &mut row[first..width]);
                row[i] += a;
            }
        };
        let gram_left = MatrixRef::new(gram, stride);
        layout.upper_product(short, gram_left, gram, upper, add_to_square);
        layout.mirror(upper, symmetric);
        for_blocks(next, stride, short * width, |first, block| {
            let shape = [block.len() / stride, short, width];
            let right = Right::Rows(symmetric, stride);
            let out = MatrixMut::new(block, stride);
            matmul(shape, left.rows_from(first), right, out, Start::Zero);
        });
        std::mem::swap(&mut x, &mut next);
    }

    for_blocks(matrix, columns, columns, |first, block| {
        if rows < columns {
            let height = block.len() / columns;
            transpose([columns, height], &x[first..], stride, block, columns);
        } else {
            copy_rows(&x[first * stride..], stride, block, columns, columns);
        }
    });
}

/// How matrices of some number of columns lie in memory.
#[derive(Debug, Clone, Copy)]
struct Layout {
    /// The columns, padded with zeros to whole vectors.
    width: usize,
    /// From row to row: an odd number of cache lines, for the rows of a column would else compete for a few places of the cache.
    stride: usize,
}

impl Layout {
    fn new(columns: usize) -> Self {
        let lines = columns.div_ceil(LANES);
        Self {
            width: lines * LANES,
            stride: (lines | 1) * LANES,
        }
    }

    /// The blocks on and above the diagonal of a product `[n, n]` that is known to be symmetric, of `left` `[n, k]` and `right` `[k, n]`,
    /// into `upper`, of n rows. `finish` is given the first row of every block and the block, whose columns from that row on are done.
    fn upper_product(
        &self,
        k: usize,
        left: MatrixRef,
        right: &[f32],
        upper: &mut [f32],
        finish: impl Fn(usize, &mut [f32]) + Sync,
    ) {
        let Self { width, stride } = *self;
        for_blocks(upper, stride, k * width / 2, |first, block| {
            let shape = [block.len() / stride, k, width - first];
            let right = Right::Rows(&right[first..], stride);
            let out = MatrixMut::with_row_stride(&mut block[first..], stride);
            matmul(shape, left.rows_from(first), right, out, Start::Zero);
            finish(first, block);
        });
    }

    /// The whole of the symmetric matrix whose blocks on and above the diagonal are given.
    fn mirror(&self, upper: &[f32], whole: &mut [f32]) {
        let Self { width, stride } = *self;
        // An element takes about as long as a vector of products.
        for_blocks(whole, stride, LANES * width, |first, block| {
            let height = block.len() / stride;
            transpose([first, height], &upper[first..], stride, block, stride);
            let upper = &upper[first * stride + first..];
            copy_rows(upper, stride, &mut block[first..], stride, width - first);
        });
    }
}

/// Copies the first `columns` elements of every row.
fn copy_rows(from: &[f32], from_stride: usize, to: &mut [f32], to_stride: usize, columns: usize) {
    for (to, from) in to.chunks_mut(to_stride).zip(from.chunks(from_stride)) {
        to[..columns].copy_from_slice(&from[..columns]);
    }
}

/// Calls `work` with the first row of every block of rows of `matrix`, which lie `stride` apart, and the block, on as many threads as
/// `row_cost` multiplications in a row are worth.
fn for_blocks(
    matrix: &mut [f32],
    stride: usize,
    row_cost: usize,
    work: impl Fn(usize, &mut [f32]) + Sync,
) {
    // A sixteenth of the rows, so that little more than half of a symmetric product is computed and many threads have some; but
    // whole vectors, and no more rows than it takes for the right matrix to be read seldom enough.
    let rows = matrix.len() / stride;
    let height = (rows / 16).next_multiple_of(LANES).clamp(LANES, 64);
    let blocks_of_a_task = (TASK / (height * row_cost)).max(1);
    matrix
        .par_chunks_mut(height * stride)
        .with_min_len(blocks_of_a_task)
        .with_max_len(blocks_of_a_task)
        .enumerate()
        .for_each(|(index, block)| work(index * height, block));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::for_every_instruction_set;

    const ODD_SHAPES: [[usize; 2]; 6] =
        [[1, 1], [3, 7], [130, 70], [70, 130], [65, 65], [300, 301]];

    fn wavy(count: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * i) as f32 * 0.37).sin()).collect()
    }

    fn orthogonalized(matrix: &[f32], rows: usize, columns: usize) -> Vec<f32> {
        let mut matrix = matrix.to_vec();
        newton_schulz(&mut matrix, rows, columns, &mut Workspace::default());
        matrix
    }

    // On a diagonal matrix the iteration is s ← 3.4445 s − 4.7750 s³ + 2.0315 s⁵ on every entry of s/‖s‖. The matrices are so small
    // that all is done on this thread, whose instructions are chosen.
    #[test]
    fn a_diagonal_goes_through_the_scalar_polynomial() {
        for_every_instruction_set(|set| {
            let diagonal = [4.0_f64, -1.0, 0.5, 2.0, 0.0];
            let norm = diagonal.iter().map(|s| s * s).sum::<f64>().sqrt();
            let expected = diagonal.map(|s| {
                (0..5).fold(s / norm, |s, _| {
                    3.4445 * s - 4.7750 * s.powi(3) + 2.0315 * s.powi(5)
                })
            });
            for (rows, columns) in [(5, 5), (5, 9), (12, 5)] {
                let mut matrix = vec![0.0; rows * columns];
                for (i, s) in diagonal.iter().enumerate() {
                    matrix[i * columns + i] = *s as f32;
                }
                let result = orthogonalized(&matrix, rows, columns);
                for (index, value) in result.iter().enumerate() {
                    let (i, j) = (index / columns, index % columns);
                    let expected = if i == j { expected[i] } else { 0.0 };
                    assert!(
                        (f64::from(*value) - expected).abs() <= 2e-5,
                        "{set}: {i} {j} {value}"
                    );
                }
            }
        });
    }

    // Every singular value of a full matrix ends in about [0.7, 1.2], so |x X| / |x| lies within these factors for any x on the short
    // side; and the transpose of the matrix gives the transpose of the result.
    #[test]
    fn lengths_become_nearly_equal() {
        for (short, long) in [(24, 40), (16, 16)] {
            let matrix = wavy(short * long);
            let transposed: Vec<f32> = (0..short * long)
                .map(|i| matrix[i % short * long + i / short])
                .collect();
            let result = orthogonalized(&matrix, short, long);
            let other = orthogonalized(&transposed, long, short);
            for (index, value) in result.iter().enumerate() {
                let other = other[index % long * short + index / long];
                assert!((value - other).abs() <= 1e-4);
            }
            for probe in 0..50 {
                let x: Vec<f64> = (0..short)
                    .map(|i| ((probe * 31 + i * 7) as f64).sin())
                    .collect();
                let image = (0..long).map(|j| {
                    let terms = (0..short).map(|i| x[i] * f64::from(result[i * long + j]));
                    terms.sum::<f64>().powi(2)
                });
                let length: f64 = x.iter().map(|x| x * x).sum();
                let factor = (image.sum::<f64>() / length).sqrt();
                assert!((0.65..1.25).contains(&factor), "{short} x {long}: {factor}");
            }
        }
    }

    #[test]
    fn zero_stays_zero_in_memory_used_before() {
        let mut workspace = Workspace::default();
        for [rows, columns] in ODD_SHAPES {
            newton_schulz(&mut wavy(rows * columns), rows, columns, &mut workspace);
        }
        for [rows, columns] in ODD_SHAPES {
            let mut zeros = vec![0.0; rows * columns];
            newton_schulz(&mut zeros, rows, columns, &mut workspace);
            assert!(zeros.iter().all(|x| *x == 0.0), "{rows} x {columns}");
        }
    }

    #[test]
    fn memory_used_before_changes_nothing() {
        let mut workspace = Workspace::default();
        // NaN everywhere, as after a step that diverged.
        newton_schulz(&mut vec![f32::NAN; 310 * 310], 310, 310, &mut workspace);
        for [rows, columns] in ODD_SHAPES {
            let matrix = wavy(rows * columns);
            let mut again = matrix.clone();
            newton_schulz(&mut again, rows, columns, &mut workspace);
            assert_eq!(again, orthogonalized(&matrix, rows, columns));
        }
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        for [rows, columns] in ODD_SHAPES {
            let matrix = wavy(rows * columns);
            let [one, two, three] = [1, 2, 3].map(|threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
                pool.unwrap()
                    .install(|| orthogonalized(&matrix, rows, columns))
            });
            assert!(one == two && two == three, "{rows} x {columns}");
        }
    }

    // Xᵀ X in f64; and the very bits of the product that is computed as a whole.
    #[test]
    fn the_symmetric_product_is_the_full_product() {
        for [k, n] in ODD_SHAPES {
            let layout = Layout::new(n);
            let Layout { width, stride } = layout;
            let dense = wavy(k * n);
            let mut x = vec![0.0; k * stride];
            copy_rows(&dense, n, &mut x, stride, n);
            let left = MatrixRef::new(&x, stride).transposed();
            let [mut upper, mut product, mut full] = [f32::NAN; 3].map(|x| vec![x; n * stride]);
            layout.upper_product(k, left, &x, &mut upper, |_, _| ());
            layout.mirror(&upper, &mut product);
            let (right, out) = (Right::Rows(&x, stride), MatrixMut::new(&mut full, stride));
            matmul([n, k, width], left, right, out, Start::Zero);
            for (i, (row, full)) in product.chunks(stride).zip(full.chunks(stride)).enumerate() {
                assert_eq!(row[..width], full[..width]);
                for (j, value) in row[..n].iter().enumerate() {
                    let terms =
                        (0..k).map(|l| f64::from(dense[l * n + i]) * f64::from(dense[l * n + j]));
                    let expected: f64 = terms.sum();
                    assert!((f64::from(*value) - expected).abs() <= 1e-6 * k as f64);
                }
            }
        }
    }
}
