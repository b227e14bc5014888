//! Where a thread runs its tiles.

use std::ops::Range;
use std::time::Instant;

use super::grid::Lookup;
use super::plan::{Plan, Weights};
use super::{Part, Profile};
use crate::kernels::Buffer;
use crate::kernels::elementwise::{add_product, axpy, multiply_in_place};
use crate::model::{TileBackward, TileForward};

/// Activations, tapes and gradients of one tile.
#[derive(Debug)]
pub(super) struct Workspace {
    /// Outputs of each layer.
    activations: Vec<Buffer>,
    tapes: Vec<Buffer>,
    /// Of the output of a layer, and of its input.
    gradients: [Buffer; 2],
    /// Of the output of each layer that is a factor of later ones, what comes from those; empty for the others.
    factor_gradients: Vec<Buffer>,
    scratch: Buffer,
    /// What this thread's time went to since the last profile was taken.
    pub profile: Profile,
}

/// What a tile begins with.
#[derive(Debug, Clone, Copy)]
pub(super) enum Input<'a> {
    /// `[rows, d_in]`
    Coordinates(&'a [f32]),
    /// The first layer is done already.
    Lookup(Lookup<'a>),
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
            factor_gradients: layers
                .iter()
                .map(|l| Buffer::zeros(if l.is_factor { l.d_out * rows } else { 0 }))
                .collect(),
            scratch: Buffer::zeros(scratch * rows),
            profile: Profile::new(layers.len()),
        }
    }

    /// The output of the last forward pass, and the place for its gradient, both of `length` numbers.
    pub fn output(&mut self, length: usize) -> (&[f32], &mut [f32]) {
        let last = self.activations.last().expect("a network has a layer");
        (&last[..length], &mut self.gradients[0][..length])
    }

    /// Runs a tile of `rows` rows forward; `keep`: whether a backward pass follows.
    pub fn forward(
        &mut self,
        plan: &Plan,
        weights: Weights,
        input: Input,
        rows: usize,
        keep: bool,
    ) {
        match input {
            Input::Coordinates(coordinates) => {
                self.layer(plan, weights, 0, coordinates, rows, keep);
            }
            Input::Lookup(lookup) => {
                let start = Instant::now();
                lookup.forward(&mut self.activations[0][..rows * plan.layers[0].d_out]);
                self.profile.forward[0] += start.elapsed();
            }
        }
        for index in 1..plan.layers.len() {
            self.layer(plan, weights, index, &[], rows, keep);
        }
    }

    /// Runs the first layer alone and returns its output.
    pub fn first_layer(
        &mut self,
        plan: &Plan,
        weights: Weights,
        points: &[f32],
        keep: bool,
    ) -> &[f32] {
        let rows = points.len() / plan.network.d_in();
        self.layer(plan, weights, 0, points, rows, keep);
        &self.activations[0][..rows * plan.layers[0].d_out]
    }

    /// Runs one layer forward; `coordinates` are the input of the first.
    fn layer(
        &mut self,
        plan: &Plan,
        weights: Weights,
        index: usize,
        coordinates: &[f32],
        rows: usize,
        keep: bool,
    ) {
        let start = Instant::now();
        let layer = &plan.layers[index];
        let (before, after) = self.activations.split_at_mut(index);
        plan.network.layers()[index].layer().forward_tile(
            layer.d_in,
            TileForward {
                parameters: &weights.parameters.tensors[layer.tensors.clone()],
                prepared: &weights.prepared[index],
                input: before
                    .last()
                    .map_or(coordinates, |a| &a[..rows * layer.d_in]),
                output: &mut after[0][..rows * layer.d_out],
                tape: &mut self.tapes[index][..rows * layer.tape],
                keep,
            },
        );
        if let Some(factor) = layer.factor {
            multiply_in_place(
                &mut after[0][..rows * layer.d_out],
                &before[factor][..rows * layer.d_out],
            );
        }
        self.profile.forward[index] += start.elapsed();
    }

    /// Runs a tile backward after [`Self::forward`], from the gradient that was written to [`Self::output`]; adds to what `part` adds
    /// up. `rows` are those of the tile among the rows of the part.
    pub fn backward(
        &mut self,
        plan: &Plan,
        weights: Weights,
        input: Input,
        rows: Range<usize>,
        part: &mut Part,
    ) {
        for (gradient, layer) in self.factor_gradients.iter_mut().zip(&plan.layers) {
            if layer.is_factor {
                gradient[..rows.len() * layer.d_out].fill(0.0);
            }
        }
        for index in (1..plan.layers.len()).rev() {
            self.through_factors(plan, index, rows.len());
            self.layer_backward(plan, weights, index, &[], rows.clone(), part);
        }
        self.through_factors(plan, 0, rows.len());
        match input {
            Input::Coordinates(coordinates) => {
                self.layer_backward(plan, weights, 0, coordinates, rows, part);
            }
            Input::Lookup(lookup) => {
                let start = Instant::now();
                let grad_output = &self.gradients[0][..rows.len() * plan.layers[0].d_out];
                lookup.backward(grad_output, &mut part.table_gradient);
                self.profile.backward[0] += start.elapsed();
            }
        }
    }

    /// Adds to the gradient of a layer's output what comes from the products that it is a factor of; if it is a product itself, y = x ⊙ o, keeps what goes to o
    /// and leaves that of x.
    fn through_factors(&mut self, plan: &Plan, index: usize, rows: usize) {
        let layer = &plan.layers[index];
        let length = rows * layer.d_out;
        let grad_output = &mut self.gradients[0][..length];
        if layer.is_factor {
            axpy(1.0, &self.factor_gradients[index][..length], grad_output);
        }
        if let Some(factor) = layer.factor {
            // A product passes on its input before it multiplies, which is the output of the layer before.
            let x = &self.activations[index - 1][..length];
            let of_factor = &mut self.factor_gradients[factor][..length];
            add_product(x, grad_output, of_factor);
            multiply_in_place(grad_output, &self.activations[factor][..length]);
        }
    }

    /// Runs the first layer alone backward after [`Self::first_layer`], from the gradient of its output.
    pub fn first_layer_backward(
        &mut self,
        plan: &Plan,
        weights: Weights,
        points: &[f32],
        grad_output: &[f32],
        part: &mut Part,
    ) {
        self.gradients[0][..grad_output.len()].copy_from_slice(grad_output);
        let rows = points.len() / plan.network.d_in();
        self.layer_backward(plan, weights, 0, points, 0..rows, part);
    }

    /// Runs one layer backward, from the first gradient buffer to itself.
    fn layer_backward(
        &mut self,
        plan: &Plan,
        weights: Weights,
        index: usize,
        coordinates: &[f32],
        place: Range<usize>,
        part: &mut Part,
    ) {
        let start = Instant::now();
        let layer = &plan.layers[index];
        let [grad_output, grad_input] = &mut self.gradients;
        let rows = place.len();
        plan.network.layers()[index].layer().backward_tile(
            layer.d_in,
            TileBackward {
                parameters: &weights.parameters.tensors[layer.tensors.clone()],
                prepared: &weights.prepared[index],
                input: match index {
                    0 => coordinates,
                    _ => &self.activations[index - 1][..rows * layer.d_in],
                },
                output: &self.activations[index][..rows * layer.d_out],
                tape: &mut self.tapes[index][..rows * layer.tape],
                grad_output: &mut grad_output[..rows * layer.d_out],
                gradients: &mut part.gradients[layer.tensors.clone()],
                record: &mut part.records[index][place.start * layer.record..]
                    [..rows * layer.record],
                grad_input: (index > 0).then(|| &mut grad_input[..rows * layer.d_in]),
                scratch: &mut self.scratch[..rows * layer.scratch],
            },
        );
        self.gradients.swap(0, 1);
        self.profile.backward[index] += start.elapsed();
    }
}
