//! Where a thread runs its tiles.

use std::ops::Range;
use std::time::Instant;

use super::grid::Lookup;
use super::plan::{LayerPlan, Plan, Weights};
use super::{Part, Profile};
use crate::kernels::Buffer;
use crate::kernels::elementwise::{add_product, axpy, multiply_in_place};
use crate::model::{Source, TileBackward, TileForward};

/// Activations, tapes and gradients of one tile.
#[derive(Debug)]
pub(super) struct Workspace {
    /// Outputs of each layer.
    activations: Vec<Buffer>,
    tapes: Vec<Buffer>,
    /// Of the output of a layer, and of its input.
    gradients: [Buffer; 2],
    /// Of the output of each layer that later ones than the next read, what comes from those; empty for the others.
    later_gradients: Vec<Buffer>,
    scratch: Buffer,
    /// What this thread's time went to since the last profile was taken.
    pub profile: Profile,
}

/// What a tile begins with.
#[derive(Debug, Clone, Copy)]
pub(super) enum Input<'a> {
    /// `[rows, d_in]`
    Coordinates(&'a [f32]),
    /// The first layer is done already, and no other reads coordinates.
    Lookup(Lookup<'a>),
}

impl<'a> Input<'a> {
    /// What a layer reads that reads coordinates.
    fn coordinates(self) -> &'a [f32] {
        match self {
            Self::Coordinates(coordinates) => coordinates,
            Self::Lookup(_) => &[],
        }
    }
}

/// What a layer reads, of the outputs of those `before` it.
fn input<'a>(
    layer: &LayerPlan,
    before: &'a [Buffer],
    coordinates: &'a [f32],
    rows: usize,
) -> &'a [f32] {
    let output = match layer.source {
        Source::Before => before.last(),
        Source::Coordinates => None,
        Source::Layer(source) => Some(&before[source]),
    };
    output.map_or(coordinates, |output| &output[..rows * layer.d_in])
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
            later_gradients: layers
                .iter()
                .map(|l| Buffer::zeros(if l.is_read_later { l.d_out * rows } else { 0 }))
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
            self.layer(plan, weights, index, input.coordinates(), rows, keep);
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

    /// Runs one layer forward; `coordinates` are the input of the first and of those that read them again.
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
                input: input(layer, before, coordinates, rows),
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
        for (gradient, layer) in self.later_gradients.iter_mut().zip(&plan.layers) {
            if layer.is_read_later {
                gradient[..rows.len() * layer.d_out].fill(0.0);
            }
        }
        for index in (1..plan.layers.len()).rev() {
            self.through_factors(plan, index, rows.len());
            let coordinates = input.coordinates();
            self.layer_backward(plan, weights, index, coordinates, rows.clone(), part);
            self.through_source(plan, index, rows.len());
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

    /// Adds to the gradient of a layer's output what comes from later layers that read it; if it is a product itself, y = x ⊙ o, keeps what goes to o
    /// and leaves that of x.
    fn through_factors(&mut self, plan: &Plan, index: usize, rows: usize) {
        let layer = &plan.layers[index];
        let length = rows * layer.d_out;
        let grad_output = &mut self.gradients[0][..length];
        if layer.is_read_later {
            axpy(1.0, &self.later_gradients[index][..length], grad_output);
        }
        if let Some(factor) = layer.factor {
            // A product passes on its input before it multiplies, which is the output of the layer before.
            let x = &self.activations[index - 1][..length];
            let of_factor = &mut self.later_gradients[factor][..length];
            add_product(x, grad_output, of_factor);
            multiply_in_place(grad_output, &self.activations[factor][..length]);
        }
    }

    /// Gives the gradient of a layer's input to the layer that it came from; where that is not the one before, that one has none from here.
    fn through_source(&mut self, plan: &Plan, index: usize, rows: usize) {
        let layer = &plan.layers[index];
        if let Source::Layer(source) = layer.source {
            let length = rows * layer.d_in;
            let of_source = &mut self.later_gradients[source][..length];
            axpy(1.0, &self.gradients[0][..length], of_source);
        }
        if layer.source != Source::Before {
            self.gradients[0][..rows * plan.layers[index - 1].d_out].fill(0.0);
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
                input: input(layer, &self.activations[..index], coordinates, rows),
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
