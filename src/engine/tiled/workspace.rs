//! Where a thread runs its tiles.

use std::time::Instant;

use super::Profile;
use super::plan::{Plan, Weights};
use crate::kernels::Buffer;
use crate::model::{TileBackward, TileForward};

/// Activations, tapes and gradients of one tile.
#[derive(Debug)]
pub(super) struct Workspace {
    /// Outputs of each layer.
    activations: Vec<Buffer>,
    tapes: Vec<Buffer>,
    /// Of the output of a layer, and of its input.
    gradients: [Buffer; 2],
    scratch: Buffer,
    /// What this thread's time went to since the last profile was taken.
    pub profile: Profile,
}

impl Workspace {
    /// Room for tiles of the plan.
    pub fn new(plan: &Plan) -> Self {
        let (rows, layers) = (plan.rows, &plan.layers);
        let scratch = layers.iter().map(|layer| layer.scratch).max().unwrap_or(0);
        Self {
            activations: layers
                .iter()
                .map(|l| Buffer::zeros(l.d_out * rows))
                .collect(),
            tapes: layers
                .iter()
                .map(|l| Buffer::zeros(l.tape * rows))
                .collect(),
            gradients: [(), ()].map(|()| Buffer::zeros(plan.widest * rows)),
            scratch: Buffer::zeros(scratch * rows),
            profile: Profile::new(layers.len()),
        }
    }

    /// The output of the last forward pass, and the place for its gradient, both of `length` numbers.
    pub fn output(&mut self, length: usize) -> (&[f32], &mut [f32]) {
        let last = self.activations.last().expect("a network has a layer");
        (&last[..length], &mut self.gradients[0][..length])
    }

    /// Runs a tile forward; `keep`: whether a backward pass follows.
    pub fn forward(&mut self, plan: &Plan, weights: Weights, input: &[f32], keep: bool) {
        let rows = input.len() / plan.network.d_in();
        for (index, (config, layer)) in plan.network.layers().iter().zip(&plan.layers).enumerate() {
            let start = Instant::now();
            let (before, after) = self.activations.split_at_mut(index);
            config.layer().forward_tile(
                layer.d_in,
                TileForward {
                    parameters: &weights.parameters.tensors[layer.tensors.clone()],
                    prepared: &weights.prepared[index],
                    input: before.last().map_or(input, |a| &a[..rows * layer.d_in]),
                    output: &mut after[0][..rows * layer.d_out],
                    tape: &mut self.tapes[index][..rows * layer.tape],
                    keep,
                },
            );
            self.profile.forward[index] += start.elapsed();
        }
    }

    /// Runs a tile backward after [`Self::forward`], from the gradient that was written to [`Self::output`]; adds to `sums`, one for
    /// each parameter tensor.
    pub fn backward(&mut self, plan: &Plan, weights: Weights, input: &[f32], sums: &mut [Buffer]) {
        let rows = input.len() / plan.network.d_in();
        let layers = plan.network.layers().iter().zip(&plan.layers).enumerate();
        for (index, (config, layer)) in layers.rev() {
            let start = Instant::now();
            let [grad_output, grad_input] = &mut self.gradients;
            config.layer().backward_tile(
                layer.d_in,
                TileBackward {
                    parameters: &weights.parameters.tensors[layer.tensors.clone()],
                    prepared: &weights.prepared[index],
                    input: match index {
                        0 => input,
                        _ => &self.activations[index - 1][..rows * layer.d_in],
                    },
                    output: &self.activations[index][..rows * layer.d_out],
                    tape: &mut self.tapes[index][..rows * layer.tape],
                    grad_output: &mut grad_output[..rows * layer.d_out],
                    gradients: &mut sums[layer.tensors.clone()],
                    grad_input: (index > 0).then(|| &mut grad_input[..rows * layer.d_in]),
                    scratch: &mut self.scratch[..rows * layer.scratch],
                },
            );
            self.gradients.swap(0, 1);
            self.profile.backward[index] += start.elapsed();
        }
    }
}
