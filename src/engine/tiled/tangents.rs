//! Losses on the gradient of the network: value and tangents forward, tile by tile, and one pass back (see [`crate::model::TangentForm`]).
//!
//! The tangents follow the axes of the input, so that those of the output are its gradient. A tile holds `rows` values and, behind each
//! other, d_in blocks of `rows` tangents.

use rayon::prelude::*;

use super::super::oriented::Oriented;
use super::super::{Batch, Measured};
use super::MOST_PARTS;
use crate::kernels::elementwise::{
    axpy, multiply, multiply_add, multiply_in_place, multiply_repeated, sum_of_products, sum_rows,
};
use crate::kernels::matmul::{MatrixMut, MatrixRef, Right, Start, matmul, pack, packed_len};
use crate::model::{Network, Parameter, Parameters, Pointwise, TangentForm};

/// Fewest rows of a part.
const ROWS_OF_A_PART: usize = 512;
/// Rows of a tile; with three tangents four times as many numbers pass through the layers.
const ROWS: usize = 64;

/// One layer and its matrix, in the orders in which the products read it.
struct Prepared<'a> {
    form: TangentForm<'a>,
    d_in: usize,
    /// Columns of F(x).
    features: usize,
    d_out: usize,
    /// Its tensors.
    own: &'a [Parameter],
    /// Places of its tensors among all parameters.
    first_tensor: usize,
    forward: Vec<f32>,
    backward: Vec<f32>,
}

/// What a layer keeps of a tile from forward to backward.
#[derive(Default)]
struct Tape {
    /// `[rows, d_in]`, where there is an F.
    input: Vec<f32>,
    /// `[d_in · rows, d_in]`, the tangents of the input.
    tangents: Vec<f32>,
    /// F(x), F'(x) and F''(x), each `[rows, features]`.
    before: [Vec<f32>; 3],
    /// F'(x) ⊙ ẋ `[d_in · rows, features]`.
    features: Vec<f32>,
    /// y, a'(z) and a''(z), each `[rows, d_out]`.
    after: [Vec<f32>; 3],
    /// ż `[d_in · rows, d_out]`.
    sums: Vec<f32>,
}

/// What a part of a batch adds up.
struct Sums {
    /// One for each tensor.
    gradients: Vec<Vec<f32>>,
    measured: Measured,
}

/// Whether every layer of the network has the form that is needed here.
pub(super) fn suits(network: &Network) -> bool {
    network
        .layers()
        .iter()
        .all(|config| config.layer().tangent_form().is_some())
}

/// As [`super::super::Engine::loss_and_gradients`] for a loss on the gradient of a network with one output that [`suits`].
pub(super) fn loss_and_gradients(
    network: &Network,
    parameters: &Parameters,
    batch: &Batch,
    gradients: &mut Parameters,
) -> Measured {
    let layers = prepare(network, parameters);
    let d_in = network.d_in();
    let rows = batch.coordinates.len() / d_in;
    let rule = Oriented::new(rows);
    let part_rows = rows.div_ceil(MOST_PARTS).max(ROWS_OF_A_PART);
    let parts: Vec<Sums> = batch
        .coordinates
        .par_chunks(part_rows * d_in)
        .zip(batch.targets.par_chunks(part_rows))
        .zip(batch.normals.par_chunks(part_rows * d_in))
        .map(|((coordinates, targets), normals)| {
            let mut sums = Sums {
                gradients: parameters
                    .tensors
                    .iter()
                    .map(|tensor| vec![0.0; tensor.values.len()])
                    .collect(),
                measured: Measured {
                    loss: 0.0,
                    mean_squared_error: 0.0,
                },
            };
            let mut tapes: Vec<Tape> = layers.iter().map(|_| Tape::default()).collect();
            let tiles = coordinates.chunks(ROWS * d_in).zip(targets.chunks(ROWS));
            for ((x, targets), normals) in tiles.zip(normals.chunks(ROWS * d_in)) {
                tile(&layers, &mut tapes, rule, x, [targets, normals], &mut sums);
            }
            sums
        })
        .collect();
    let mut measured = Measured {
        loss: 0.0,
        mean_squared_error: 0.0,
    };
    gradients.fill(0.0);
    // In the order of the parts, whatever thread was first.
    for part in &parts {
        for (sum, gradient) in gradients.tensors.iter_mut().zip(&part.gradients) {
            axpy(1.0, gradient, &mut sum.values);
        }
        measured.loss += part.measured.loss;
        measured.mean_squared_error += part.measured.mean_squared_error;
    }
    measured
}

fn prepare<'a>(network: &'a Network, parameters: &'a Parameters) -> Vec<Prepared<'a>> {
    let mut first_tensor = 0;
    let mut layers = Vec::new();
    for (config, d_in) in network.layers_with_d_in() {
        let layer = config.layer();
        let form = layer.tangent_form().expect("the network suits");
        let tensors = layer.parameters(d_in).len();
        let own = &parameters.tensors[first_tensor..first_tensor + tensors];
        let weight: Vec<f32> = form
            .weights
            .iter()
            .flat_map(|&tensor| &own[tensor].values)
            .copied()
            .collect();
        let d_out = layer.d_out(d_in);
        let features = weight.len() / d_out;
        let mut forward = vec![0.0; packed_len(features, d_out)];
        let mut backward = vec![0.0; packed_len(d_out, features)];
        let matrix = MatrixRef::new(&weight, d_out);
        pack(features, d_out, matrix, &mut forward);
        pack(d_out, features, matrix.transposed(), &mut backward);
        layers.push(Prepared {
            form,
            d_in,
            features,
            d_out,
            own,
            first_tensor,
            forward,
            backward,
        });
        first_tensor += tensors;
    }
    layers
}

/// Adds what the rows of one tile give to `sums`.
fn tile(
    layers: &[Prepared],
    tapes: &mut [Tape],
    rule: Oriented,
    x: &[f32],
    wanted: [&[f32]; 2],
    sums: &mut Sums,
) {
    let d_in = layers[0].d_in;
    let rows = x.len() / d_in;
    let mut value = x.to_vec();
    let mut tangents = vec![0.0; rows * d_in * d_in];
    for (axis, tangent) in tangents.chunks_exact_mut(rows * d_in).enumerate() {
        for row in tangent.chunks_exact_mut(d_in) {
            row[axis] = 1.0;
        }
    }
    for (layer, tape) in layers.iter().zip(tapes.iter_mut()) {
        (value, tangents) = layer.forward(value, tangents, tape);
    }
    let (mut grad_value, mut grad_tangents) = (vec![0.0; rows], vec![0.0; rows * d_in]);
    let gradients = [&mut grad_value[..], &mut grad_tangents[..]];
    rule.rows(&value, &tangents, wanted, gradients, &mut sums.measured);
    for (index, (layer, tape)) in layers.iter().zip(tapes).enumerate().rev() {
        layer.backward_weights(
            &mut grad_value,
            &mut grad_tangents,
            tape,
            &mut sums.gradients,
        );
        if index > 0 || layer.form.before.is_some() {
            (grad_value, grad_tangents) =
                layer.backward_input(&grad_value, &grad_tangents, tape, &mut sums.gradients);
        }
    }
}

impl Prepared<'_> {
    /// From the input and its tangents to the output and its tangents.
    fn forward(&self, x: Vec<f32>, tangents: Vec<f32>, tape: &mut Tape) -> (Vec<f32>, Vec<f32>) {
        let (d_in, d_out, features) = (self.d_in, self.d_out, self.features);
        let rows = x.len() / d_in;
        let axes = tangents.len() / x.len();
        if let Some(before) = self.form.before {
            jet(before, self.own, &x, d_in, &mut tape.before);
            tape.input = x;
            tape.features.resize(axes * rows * features, 0.0);
            let blocks = tape.features.chunks_exact_mut(rows * features);
            for (out, tangent) in blocks.zip(tangents.chunks_exact(rows * d_in)) {
                multiply_repeated(&tape.before[1], tangent, d_in, out);
            }
            tape.tangents = tangents;
        } else {
            tape.before[0] = x;
            tape.features = tangents;
        }
        let mut z = vec![0.0; rows * d_out];
        let bias = match self.form.bias {
            Some(bias) => Start::Bias(&self.own[bias].values),
            None => Start::Zero,
        };
        self.product(&tape.before[0], bias, &mut z);
        let mut sums = vec![0.0; axes * rows * d_out];
        self.product(&tape.features, Start::Zero, &mut sums);
        let Some(after) = self.form.after else {
            return (z, sums);
        };
        jet(after, self.own, &z, d_out, &mut tape.after);
        let mut out = vec![0.0; sums.len()];
        let blocks = out.chunks_exact_mut(rows * d_out);
        for (out, sums) in blocks.zip(sums.chunks_exact(rows * d_out)) {
            multiply(&tape.after[1], sums, out);
        }
        tape.sums = sums;
        (tape.after[0].clone(), out)
    }

    /// Adds the gradients of the tensors; turns those of y and ẏ into those of z and ż.
    fn backward_weights(
        &self,
        grad: &mut [f32],
        grad_tangents: &mut [f32],
        tape: &Tape,
        gradients: &mut [Vec<f32>],
    ) {
        if self.form.after.is_some() {
            let [_, slope, curvature] = &tape.after;
            multiply_in_place(grad, slope);
            let blocks = grad_tangents.chunks_exact_mut(grad.len());
            for (of_tangent, sums) in blocks.zip(tape.sums.chunks_exact(grad.len())) {
                multiply_add([curvature, sums, of_tangent], grad);
                multiply_in_place(of_tangent, slope);
            }
        }
        let gradients = &mut gradients[self.first_tensor..];
        let mut first = 0;
        for &tensor in self.form.weights {
            let gradient = &mut gradients[tensor][..];
            let own = gradient.len() / self.d_out;
            for (left, right) in [(&tape.before[0], &*grad), (&tape.features, grad_tangents)] {
                matmul(
                    [own, right.len() / self.d_out, self.d_out],
                    MatrixRef::with_strides(&left[first..], self.features, 1).transposed(),
                    Right::Rows(right, self.d_out),
                    MatrixMut::new(gradient, self.d_out),
                    Start::Result,
                );
            }
            first += own;
        }
        if let Some(bias) = self.form.bias {
            sum_rows(grad, &mut gradients[bias]);
        }
    }

    /// Adds the gradients of what F is made of; returns those of the input and of its tangents, from those of z and ż.
    fn backward_input(
        &self,
        grad: &[f32],
        grad_tangents: &[f32],
        tape: &Tape,
        gradients: &mut [Vec<f32>],
    ) -> (Vec<f32>, Vec<f32>) {
        let of_features = self.product_back(grad);
        let of_tangents = self.product_back(grad_tangents);
        let Some(before) = self.form.before else {
            return (of_features, of_tangents);
        };
        let [_, slope, curvature] = &tape.before;
        let d_in = self.d_in;
        let block = tape.input.len();
        let mut grad_input = vec![0.0; block];
        sum_of_products(slope, &of_features, d_in, &mut grad_input);
        let mut grad_tangents = vec![0.0; tape.tangents.len()];
        let mut of_slope = vec![0.0; slope.len()];
        let blocks = of_tangents
            .chunks_exact(slope.len())
            .zip(tape.tangents.chunks_exact(block));
        for ((of_tangent, tangent), out) in blocks.zip(grad_tangents.chunks_exact_mut(block)) {
            sum_of_products(slope, of_tangent, d_in, out);
            let mut part = vec![0.0; slope.len()];
            multiply_repeated(of_tangent, tangent, d_in, &mut part);
            axpy(1.0, &part, &mut of_slope);
        }
        let mut bent = vec![0.0; block];
        sum_of_products(curvature, &of_slope, d_in, &mut bent);
        axpy(1.0, &bent, &mut grad_input);
        let own = &mut gradients[self.first_tensor..];
        before.backward(&tape.input, d_in, [&of_features, &of_slope], own);
        (grad_input, grad_tangents)
    }

    fn product(&self, left: &[f32], start: Start, out: &mut [f32]) {
        matmul(
            [out.len() / self.d_out, self.features, self.d_out],
            MatrixRef::new(left, self.features),
            Right::Packed(&self.forward),
            MatrixMut::new(out, self.d_out),
            start,
        );
    }

    /// grad Wᵀ.
    fn product_back(&self, grad: &[f32]) -> Vec<f32> {
        let rows = grad.len() / self.d_out;
        let mut out = vec![0.0; rows * self.features];
        matmul(
            [rows, self.d_out, self.features],
            MatrixRef::new(grad, self.d_out),
            Right::Packed(&self.backward),
            MatrixMut::new(&mut out, self.features),
            Start::Zero,
        );
        out
    }
}

fn jet(
    functions: &dyn Pointwise,
    parameters: &[Parameter],
    x: &[f32],
    d: usize,
    out: &mut [Vec<f32>; 3],
) {
    for out in out.iter_mut() {
        out.resize(x.len() * functions.functions(), 0.0);
    }
    functions.jet(parameters, x, d, out.each_mut().map(Vec::as_mut_slice));
}
