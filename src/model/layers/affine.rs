//! The matrix product and bias that every layer has, on the slices of a tile.

use crate::kernels::elementwise::{add_bias_rows, sum_rows};
use crate::kernels::matmul::{MatrixMut, MatrixRef, matmul};

/// output = input W + b; `input`: `[rows, d_in]`, `weight`: `[d_in, d_out]`, `bias`: `[d_out]`, `output`: `[rows, d_out]`.
pub(super) fn forward(input: &[f32], weight: &[f32], bias: &[f32], output: &mut [f32]) {
    add_product(input, weight, bias.len(), output, false);
    add_bias_rows(output, bias);
}

/// output (+)= input W; shapes as in [`forward`].
pub(super) fn add_product(
    input: &[f32],
    weight: &[f32],
    d_out: usize,
    output: &mut [f32],
    accumulate: bool,
) {
    let (rows, d_in) = (output.len() / d_out, weight.len() / d_out);
    matmul(
        rows,
        d_in,
        d_out,
        MatrixRef::new(input, d_in),
        MatrixRef::new(weight, d_out),
        MatrixMut::new(output, d_out),
        accumulate,
    );
}

/// grad_weight += inputᵀ grad_output.
pub(super) fn backward_weight(
    input: &[f32],
    grad_output: &[f32],
    d_out: usize,
    grad_weight: &mut [f32],
) {
    let (rows, d_in) = (grad_output.len() / d_out, grad_weight.len() / d_out);
    matmul(
        d_in,
        rows,
        d_out,
        MatrixRef::new(input, d_in).transposed(),
        MatrixRef::new(grad_output, d_out),
        MatrixMut::new(grad_weight, d_out),
        true,
    );
}

/// grad_bias += Σ over the rows of grad_output.
pub(super) fn backward_bias(grad_output: &[f32], grad_bias: &mut [f32]) {
    sum_rows(grad_output, grad_bias);
}

/// grad_input (+)= grad_output Wᵀ.
pub(super) fn backward_input(
    grad_output: &[f32],
    weight: &[f32],
    d_out: usize,
    grad_input: &mut [f32],
    accumulate: bool,
) {
    let (rows, d_in) = (grad_output.len() / d_out, weight.len() / d_out);
    matmul(
        rows,
        d_out,
        d_in,
        MatrixRef::new(grad_output, d_out),
        MatrixRef::new(weight, d_out).transposed(),
        MatrixMut::new(grad_input, d_in),
        accumulate,
    );
}
