//! Reverse-mode differentiation by burn, on any of its devices.

use burn::tensor::{Device, Tensor, TensorData};

use super::loss::difference;
use super::oriented::Oriented;
use super::{Batch, Engine, EngineError, Loss, Measured};
use crate::model::{Layer, Network, Parameters, Source};

/// Rows that are on the device at one time: bounds memory, and graphics cards limit the size of one dispatch to 65,535 groups.
const ROWS_AT_ONCE: usize = 16_384;

/// Runs the plain form of every layer on a burn device.
#[derive(Debug, Clone)]
pub struct BurnEngine {
    device: Device,
}

impl BurnEngine {
    /// An engine on `device`.
    pub fn new(device: Device) -> Self {
        Self { device }
    }

    fn upload(&self, values: &[f32], shape: [usize; 2], device: &Device) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
    }

    fn upload_parameters(&self, parameters: &Parameters, device: &Device) -> Vec<Tensor<2>> {
        parameters
            .tensors
            .iter()
            .map(|p| self.upload(&p.values, p.matrix_shape(), device))
            .collect()
    }
}

/// The network's plain form on `parameters` (one tensor each, in order) and `input` `[n, d_in]`.
pub fn forward(network: &Network, parameters: &[Tensor<2>], input: Tensor<2>) -> Tensor<2> {
    run(network, parameters, input, |layer, own, x, factor| {
        let x = layer.forward(own, x);
        match factor {
            Some(factor) => x * factor,
            None => x,
        }
    })
}

/// A value and its tangents.
type Dual = (Tensor<2>, Vec<Tensor<2>>);

/// Value `[n, 1]` and gradient `[n, d_in]` of a network with one output, by the derivative rules of its layers.
fn forward_with_gradient(
    network: &Network,
    parameters: &[Tensor<2>],
    input: Tensor<2>,
) -> (Tensor<2>, Tensor<2>) {
    let [rows, d_in] = input.dims();
    let axis = |axis: usize| {
        let mut ones = vec![0.0; rows * d_in];
        ones.iter_mut()
            .skip(axis)
            .step_by(d_in)
            .for_each(|one| *one = 1.0_f32);
        Tensor::from_data(TensorData::new(ones, [rows, d_in]), &input.device())
    };
    let tangents: Vec<Tensor<2>> = (0..d_in).map(axis).collect();
    let step = |layer: &dyn Layer, own: &[Tensor<2>], (x, tangents): Dual, factor| {
        let (x, tangents) = layer.forward_with_tangents(own, x, tangents);
        let Some((other, of_other)): Option<Dual> = factor else {
            return (x, tangents);
        };
        let both = tangents.into_iter().zip(of_other);
        let tangents = both.map(|(t, o)| t * other.clone() + x.clone() * o);
        (x.clone() * other.clone(), tangents.collect())
    };
    let (x, tangents) = run(network, parameters, (input, tangents), step);
    (x, Tensor::cat(tangents, 1))
}

/// Takes `input` through the layers; `step` does one of them, with its parameters, what it reads, and its factor if it has one.
fn run<T: Clone>(
    network: &Network,
    parameters: &[Tensor<2>],
    input: T,
    step: impl Fn(&dyn Layer, &[Tensor<2>], T, Option<T>) -> T,
) -> T {
    let mut rest = parameters;
    let mut x = input.clone();
    let is_read_later = network.is_read_later();
    let mut kept: Vec<Option<T>> = Vec::with_capacity(is_read_later.len());
    for (index, count) in network.tensors_per_layer().into_iter().enumerate() {
        let layer = network.layers()[index].layer();
        let (own, others) = rest.split_at(count);
        let of = |index: usize| kept[index].clone().expect("the network says so");
        x = match layer.source() {
            Source::Before => x,
            Source::Coordinates => input.clone(),
            Source::Layer(source) => of(source),
        };
        x = step(layer, own, x, layer.factor().map(of));
        kept.push(is_read_later[index].then(|| x.clone()));
        rest = others;
    }
    x
}

impl Engine for BurnEngine {
    fn loss_and_gradients(
        &mut self,
        network: &Network,
        parameters: &Parameters,
        batch: &Batch,
        loss: Loss,
        gradients: &mut Parameters,
    ) -> Result<Measured, EngineError> {
        let device = self.device.clone().autodiff();
        let scale = 1.0 / batch.targets.len() as f64;
        gradients.fill(0.0);
        let mut measured = Measured {
            loss: 0.0,
            mean_squared_error: 0.0,
        };
        let leaves: Vec<Tensor<2>> = self
            .upload_parameters(parameters, &device)
            .into_iter()
            .map(Tensor::require_grad)
            .collect();
        let (d_in, d_out) = (network.d_in(), network.d_out());
        for (chunk, coordinates) in batch.coordinates.chunks(ROWS_AT_ONCE * d_in).enumerate() {
            let rows = coordinates.len() / d_in;
            let input = self.upload(coordinates, [rows, d_in], &device);
            let targets = &batch.targets[chunk * ROWS_AT_ONCE * d_out..][..rows * d_out];
            let target = self.upload(targets, [rows, d_out], &device);
            let [value, square] = if loss.needs_normals() {
                let normals = &batch.normals[chunk * ROWS_AT_ONCE * d_in..][..rows * d_in];
                let normals = self.upload(normals, [rows, d_in], &device);
                let (value, gradient) = forward_with_gradient(network, &leaves, input);
                let rule = Oriented::new(batch.coordinates.len() / d_in);
                rule.sum(value, gradient, target, normals)
            } else {
                let difference = difference(forward(network, &leaves, input), target, batch.slack);
                let square = difference.clone().inner().square().sum();
                [loss.sum(difference), square].map(|sum| sum.mul_scalar(scale))
            };
            let tape = value.backward();
            measured.loss += f64::from(value.try_into_scalar::<f32>().map_err(failed)?);
            measured.mean_squared_error +=
                f64::from(square.try_into_scalar::<f32>().map_err(failed)?);
            for (leaf, gradient) in leaves.iter().zip(&mut gradients.tensors) {
                if let Some(part) = leaf.grad(&tape) {
                    for (sum, value) in gradient.values.iter_mut().zip(read(part)?) {
                        *sum += value;
                    }
                }
            }
        }
        Ok(measured)
    }

    fn evaluate(
        &mut self,
        network: &Network,
        parameters: &Parameters,
        coordinates: &[f32],
        values: &mut [f32],
    ) -> Result<(), EngineError> {
        let tensors = self.upload_parameters(parameters, &self.device);
        let chunks = coordinates
            .chunks(ROWS_AT_ONCE * network.d_in())
            .zip(values.chunks_mut(ROWS_AT_ONCE * network.d_out()));
        for (coordinates, values) in chunks {
            let rows = values.len() / network.d_out();
            let input = self.upload(coordinates, [rows, network.d_in()], &self.device);
            values.copy_from_slice(&read(forward(network, &tensors, input))?);
        }
        Ok(())
    }
}

fn read(tensor: Tensor<2>) -> Result<Vec<f32>, EngineError> {
    tensor.try_into_vec_as::<f32>().map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> EngineError {
    EngineError(error.to_string())
}
