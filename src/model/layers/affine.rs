//! The matrix product that every layer has, on the slices of a tile, and the whole of x W + b for the layers that begin with it.

use super::super::layer::{TileBackward, TileForward};
use super::super::parameters::ParameterSpec;
use crate::kernels::elementwise::sum_rows;
use crate::kernels::matmul::{MatrixMut, MatrixRef, Right, Start, matmul, pack, packed_len};

/// A weight matrix `[d_in, d_out]` in the order in which the products of a tile read it, forward and backward.
#[derive(Debug, Clone, Copy)]
pub(super) struct PreparedWeight<'a> {
    d_in: usize,
    d_out: usize,
    forward: &'a [f32],
    backward: &'a [f32],
}

impl<'a> PreparedWeight<'a> {
    /// How many numbers [`Self::prepare`] writes.
    pub fn len(d_in: usize, d_out: usize) -> usize {
        packed_len(d_in, d_out) + packed_len(d_out, d_in)
    }

    /// Writes `weight` `[d_in, d_out]` to `prepared`, which [`Self::new`] reads.
    pub fn prepare(d_in: usize, d_out: usize, weight: &[f32], prepared: &mut [f32]) {
        let (forward, backward) = prepared.split_at_mut(packed_len(d_in, d_out));
        let weight = MatrixRef::new(weight, d_out);
        pack(d_in, d_out, weight, forward);
        pack(d_out, d_in, weight.transposed(), backward);
    }

    /// What [`Self::prepare`] wrote for a weight of this shape.
    pub fn new(d_in: usize, d_out: usize, prepared: &'a [f32]) -> Self {
        let (forward, backward) = prepared.split_at(packed_len(d_in, d_out));
        Self {
            d_in,
            d_out,
            forward,
            backward,
        }
    }

    /// output = start + input W; `input`: `[rows, d_in]`, `output`: `[rows, d_out]`.
    pub fn forward(&self, input: &[f32], start: Start, output: &mut [f32]) {
        matmul(
            [output.len() / self.d_out, self.d_in, self.d_out],
            MatrixRef::new(input, self.d_in),
            Right::Packed(self.forward),
            MatrixMut::new(output, self.d_out),
            start,
        );
    }

    /// grad_input = start + grad_output Wᵀ; shapes as in [`Self::forward`].
    pub fn backward(&self, grad_output: &[f32], start: Start, grad_input: &mut [f32]) {
        matmul(
            [grad_output.len() / self.d_out, self.d_out, self.d_in],
            MatrixRef::new(grad_output, self.d_out),
            Right::Packed(self.backward),
            MatrixMut::new(grad_input, self.d_in),
            start,
        );
    }
}

/// The tensors of x W + b: a weight `[d_in, d_out]` and a bias `[d_out]`.
pub(super) fn parameters(d_in: usize, d_out: usize) -> Vec<ParameterSpec> {
    vec![
        ParameterSpec::new("weight", &[d_in, d_out]),
        ParameterSpec::new("bias", &[d_out]),
    ]
}

/// output = input W + b, for a layer with the tensors of [`parameters`] and a prepared weight alone.
pub(super) fn forward_tile(d_in: usize, d_out: usize, tile: &mut TileForward) {
    let bias = Start::Bias(&tile.parameters[1].values);
    PreparedWeight::new(d_in, d_out, tile.prepared).forward(tile.input, bias, tile.output);
}

/// Backward of [`forward_tile`], when `grad_output` holds the gradient of x W + b.
pub(super) fn backward_tile(d_in: usize, d_out: usize, tile: TileBackward) {
    let [grad_weight, grad_bias] = tile.gradients else {
        unreachable!("the layer has a weight and a bias")
    };
    backward_bias(tile.grad_output, grad_bias);
    backward_weight(tile.input, tile.grad_output, d_out, grad_weight);
    if let Some(grad_input) = tile.grad_input {
        let weight = PreparedWeight::new(d_in, d_out, tile.prepared);
        weight.backward(tile.grad_output, Start::Zero, grad_input);
    }
}

/// grad_weight += inputᵀ grad_output; `input`: `[rows, d_in]`, `grad_output`: `[rows, d_out]`, `grad_weight`: `[d_in, d_out]`.
pub(super) fn backward_weight(
    input: &[f32],
    grad_output: &[f32],
    d_out: usize,
    grad_weight: &mut [f32],
) {
    let (rows, d_in) = (grad_output.len() / d_out, grad_weight.len() / d_out);
    matmul(
        [d_in, rows, d_out],
        MatrixRef::new(input, d_in).transposed(),
        Right::Rows(grad_output, d_out),
        MatrixMut::new(grad_weight, d_out),
        Start::Result,
    );
}

/// grad_bias += Σ over the rows of grad_output.
pub(super) fn backward_bias(grad_output: &[f32], grad_bias: &mut [f32]) {
    sum_rows(grad_output, grad_bias);
}
