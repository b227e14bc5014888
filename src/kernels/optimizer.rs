//! Update rules on flat parameter slices.

use super::elementwise::axpby;
use super::matmul::{MatrixMut, MatrixRef, Right, Start, matmul, pack, packed_len};
use super::{dispatch, for_each, mul_add};

/// The numbers of one step of Adam (Kingma and Ba 2015, algorithm 1) with decoupled weight decay (Loshchilov and Hutter 2019).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamStep {
    /// α, the learning rate of this step.
    pub learning_rate: f32,
    /// β₁, the memory of the mean gradient.
    pub beta_1: f32,
    /// β₂, the memory of the mean squared gradient.
    pub beta_2: f32,
    /// ε, added to the root.
    pub epsilon: f32,
    /// 1 − β₁^t at step t = 1, 2, ...
    pub bias_correction_1: f32,
    /// 1 − β₂^t at step t = 1, 2, ...
    pub bias_correction_2: f32,
    /// λ: the parameters shrink by α λ of themselves before the step; 0 for none.
    pub weight_decay: f32,
}

/// One step of Adam on `parameters`, with the moments `m` and `v` (zeros before the first step); all of one length.
pub fn adam(
    parameters: &mut [f32],
    gradients: &[f32],
    m: &mut [f32],
    v: &mut [f32],
    step: AdamStep,
) {
    dispatch!(adam_body(
        parameters: &mut [f32], gradients: &[f32], m: &mut [f32], v: &mut [f32], step: AdamStep
    ));
}

#[inline(always)]
fn adam_body<const FMA: bool>(
    parameters: &mut [f32],
    gradients: &[f32],
    m: &mut [f32],
    v: &mut [f32],
    step: AdamStep,
) {
    let rate = step.learning_rate / step.bias_correction_1;
    let root_scale = 1.0 / step.bias_correction_2.sqrt();
    let keep = 1.0 - step.learning_rate * step.weight_decay;
    for_each(
        [gradients],
        [parameters, m, v],
        #[inline(always)]
        |[g], [p, m, v]| {
            let m = mul_add::<FMA>(1.0 - step.beta_1, g, step.beta_1 * m);
            let v = mul_add::<FMA>((1.0 - step.beta_2) * g, g, step.beta_2 * v);
            let root = mul_add::<FMA>(v.sqrt(), root_scale, step.epsilon);
            [mul_add::<FMA>(keep, p, -(rate * m / root)), m, v]
        },
    );
}

/// Coefficients a, b, c of the quintic iteration (Jordan et al. 2024, "Muon"): singular values in (0, 1] end in about [0.7, 1.2].
const QUINTIC: [f32; 3] = [3.4445, -4.7750, 2.0315];

/// Iterations of [`newton_schulz`] (Jordan et al. 2024).
const NEWTON_SCHULZ_STEPS: usize = 5;

/// Added to the norm, so that a zero matrix stays zero.
const NORM_EPSILON: f64 = 1e-7;

/// How many elements of scratch [`newton_schulz`] needs for a `[rows, columns]` matrix.
pub fn newton_schulz_scratch(rows: usize, columns: usize) -> usize {
    let (short, long) = (rows.min(columns), rows.max(columns));
    2 * short * short + rows * columns + packed_len(long, short)
}

/// Replaces the row-major `matrix` `[rows, columns]` by a nearby matrix whose singular values all lie near 1: the direction of
/// Muon (Jordan et al. 2024).
///
/// X is divided by its Frobenius norm; then five times X ← a X + (b A + c A²) X with A = X Xᵀ. A matrix with more rows than columns
/// is iterated as its transpose: A = Xᵀ X and X ← a X + X (b A + c A²). `scratch`: at least [`newton_schulz_scratch`] elements, of any
/// content.
///
/// # Panics
///
/// When `matrix` or `scratch` has the wrong length.
pub fn newton_schulz(matrix: &mut [f32], rows: usize, columns: usize, scratch: &mut [f32]) {
    assert_eq!(
        matrix.len(),
        rows * columns,
        "matrix must be [rows, columns]"
    );
    let (short, long) = (rows.min(columns), rows.max(columns));
    let (gram, scratch) = scratch.split_at_mut(short * short);
    let (polynomial, scratch) = scratch.split_at_mut(short * short);
    let (product, scratch) = scratch.split_at_mut(rows * columns);
    let packed = &mut scratch[..packed_len(long, short)];

    let squares: f64 = matrix.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    let scale = (1.0 / (squares.sqrt() + NORM_EPSILON)) as f32;
    for x in matrix.iter_mut() {
        *x *= scale;
    }

    let [a, b, c] = QUINTIC;
    for _ in 0..NEWTON_SCHULZ_STEPS {
        let x = MatrixRef::new(matrix, columns);
        let gram_out = MatrixMut::new(gram, short);
        if rows <= columns {
            pack(long, short, x.transposed(), packed);
            let right = Right::Packed(packed);
            matmul([short, long, short], x, right, gram_out, Start::Zero);
        } else {
            let right = Right::Rows(matrix, columns);
            let left = x.transposed();
            matmul([short, long, short], left, right, gram_out, Start::Zero);
        }
        let left = MatrixRef::new(gram, short);
        let right = Right::Rows(gram, short);
        let square_out = MatrixMut::new(polynomial, short);
        matmul([short; 3], left, right, square_out, Start::Zero);
        axpby(b, gram, c, polynomial);
        let product_out = MatrixMut::new(product, columns);
        if rows <= columns {
            let left = MatrixRef::new(polynomial, short);
            let right = Right::Rows(matrix, columns);
            matmul([rows, rows, columns], left, right, product_out, Start::Zero);
        } else {
            let right = Right::Rows(polynomial, short);
            matmul([rows, columns, columns], x, right, product_out, Start::Zero);
        }
        axpby(1.0, product, a, matrix);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{for_every_instruction_set, scattered};
    use super::*;

    // The twin is algorithm 1 of Kingma and Ba in f64, line by line, after the decay p ← p − α λ p.
    #[test]
    fn adam_equals_the_plain_twin() {
        for_every_instruction_set(|set| {
            for weight_decay in [0.0, 0.1] {
                let n = 133;
                let (beta_1, beta_2) = (0.9_f32, 0.99_f32);
                let mut p = scattered(n, -1.0, 1.0);
                let (mut m, mut v) = (vec![0.0; n], vec![0.0; n]);
                let mut twin: Vec<[f64; 3]> = p.iter().map(|p| [f64::from(*p), 0.0, 0.0]).collect();
                for t in 1..=30 {
                    let g = scattered(n + t, -0.3, 0.5).split_off(t);
                    let correction_1 = 1.0 - f64::from(beta_1).powi(t as i32);
                    let correction_2 = 1.0 - f64::from(beta_2).powi(t as i32);
                    let step = AdamStep {
                        learning_rate: 0.01,
                        beta_1,
                        beta_2,
                        epsilon: 1e-8,
                        bias_correction_1: correction_1 as f32,
                        bias_correction_2: correction_2 as f32,
                        weight_decay,
                    };
                    adam(&mut p, &g, &mut m, &mut v, step);
                    let (beta_1, beta_2) = (f64::from(beta_1), f64::from(beta_2));
                    for ([p, m, v], g) in twin.iter_mut().zip(&g) {
                        let g = f64::from(*g);
                        *p -= 0.01 * f64::from(weight_decay) * *p;
                        *m = beta_1 * *m + (1.0 - beta_1) * g;
                        *v = beta_2 * *v + (1.0 - beta_2) * g * g;
                        let (mean, square) = (*m / correction_1, *v / correction_2);
                        *p -= 0.01 * mean / (square.sqrt() + 1e-8);
                    }
                }
                for (p, [twin, ..]) in p.iter().zip(&twin) {
                    assert!((f64::from(*p) - twin).abs() <= 3e-6, "{set}: {p} {twin}");
                }
            }
        });
    }

    fn orthogonalized(matrix: &[f32], rows: usize, columns: usize) -> Vec<f32> {
        let mut matrix = matrix.to_vec();
        let mut scratch = vec![f32::NAN; newton_schulz_scratch(rows, columns)];
        newton_schulz(&mut matrix, rows, columns, &mut scratch);
        matrix
    }

    // On a diagonal matrix the iteration is s ← 3.4445 s − 4.7750 s³ + 2.0315 s⁵ on every entry of s/‖s‖.
    #[test]
    fn newton_schulz_on_a_diagonal_is_the_scalar_polynomial() {
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
    fn newton_schulz_makes_lengths_nearly_equal() {
        for (short, long) in [(24, 40), (16, 16)] {
            let matrix: Vec<f32> = (0..short * long)
                .map(|i| ((i * i) as f32 * 0.37).sin())
                .collect();
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
    fn newton_schulz_leaves_zero_alone() {
        assert_eq!(orthogonalized(&[0.0; 12], 3, 4), [0.0; 12]);
    }
}
