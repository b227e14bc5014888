//! Update rules on flat parameter slices.

use super::elementwise::axpby;
use super::matmul::{MatrixMut, MatrixRef, matmul};
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
    let short = rows.min(columns);
    2 * short * short + rows * columns
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
    let short = rows.min(columns);
    let (gram, scratch) = scratch.split_at_mut(short * short);
    let (polynomial, scratch) = scratch.split_at_mut(short * short);
    let product = &mut scratch[..rows * columns];

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
            matmul(rows, columns, rows, x, x.transposed(), gram_out, false);
        } else {
            matmul(columns, rows, columns, x.transposed(), x, gram_out, false);
        }
        let gram_in = MatrixRef::new(gram, short);
        let square_out = MatrixMut::new(polynomial, short);
        matmul(short, short, short, gram_in, gram_in, square_out, false);
        axpby(b, gram, c, polynomial);
        let polynomial_in = MatrixRef::new(polynomial, short);
        let product_out = MatrixMut::new(product, columns);
        if rows <= columns {
            matmul(rows, rows, columns, polynomial_in, x, product_out, false);
        } else {
            matmul(rows, columns, columns, x, polynomial_in, product_out, false);
        }
        axpby(1.0, product, a, matrix);
    }
}
