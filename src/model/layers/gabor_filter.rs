//! `gabor-filter`: y_j = sin(x ω_j + φ_j) e^(−γ_j |x − μ_j|² / 2), a plane wave under a bell, the filter of a multiplicative network (GaborNet, Fathony et al.
//! 2021).
//!
//! Shapes: x `[n, d_in]`, ω, μ `[d_in, d_out]`, φ, γ `[d_out]`, y `[n, d_out]`.
//! Init (authors' code): γ of the gamma distribution of shape α and scale 1, ω in `scale` √γ U(±1/√d_in), μ in U(±1), φ in U(±π).
//! Derivative: dy_j = e^(…) cos(…) (dx ω_j) − γ_j y_j (x − μ_j)·dx.

use std::f32::consts::PI;

use burn::tensor::Tensor;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::super::init;
use super::super::layer::{Hints, Layer, TileBackward, TileForward, TileMemory};
use super::super::parameters::{Parameter, ParameterSpec};
use super::affine::{self, PreparedWeight};
use super::trigonometry::reduce_phase;
use super::{has_width, is_open, positive};
use crate::kernels::elementwise::axpy;
use crate::kernels::gabor_filter::{Bells, gabor_filters, gabor_filters_backward};
use crate::kernels::matmul::Start;

/// `scale` for each root of a cycle of the signal's root-mean-square frequency, when it is derived.
const SCALE_PER_ROOT_FREQUENCY: f32 = 20.0;

/// The same on a single axis, in the proportion that it has for [`super::Sine`].
const SCALE_PER_ROOT_FREQUENCY_OF_ONE_AXIS: f32 = 200.0;

/// Waves under bells, all trained; reads coordinates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GaborFilter {
    /// Number of outputs.
    #[serde(default, skip_serializing_if = "is_open")]
    pub width: usize,
    /// How high the frequencies start, see the init; 0 derives it from the spectrum of the signal.
    #[serde(default)]
    pub scale: f32,
    /// α: the mean of γ at the start, the inverse of the squared radius of a bell.
    #[serde(default = "default_alpha")]
    pub alpha: f32,
}

/// α = 6 / 4, for a network of four filters (authors' code).
fn default_alpha() -> f32 {
    1.5
}

impl GaborFilter {
    pub(in super::super) const SUMMARY: &'static str =
        "sin(x omega + phi) exp(-gamma |x - mu|^2 / 2), MFN";

    pub(in super::super) fn examples() -> Vec<Self> {
        [(4.0, 1.5), (2.0, 0.5)]
            .map(|(scale, alpha)| Self {
                width: 5,
                scale,
                alpha,
            })
            .into()
    }

    /// Sine and cosine of the phases and the bells.
    fn plain(parameters: &[Tensor<2>], input: &Tensor<2>) -> [Tensor<2>; 3] {
        let phase = input.clone().matmul(parameters[0].clone()) + parameters[1].clone();
        let phase = reduce_phase(phase);
        let square = Self::distances(parameters, input)
            .map(|d| d.clone() * d)
            .reduce(|sum, square| sum + square)
            .expect("there is an input");
        let bell = (square * parameters[3].clone()).mul_scalar(-0.5).exp();
        [phase.clone().sin(), phase.cos(), bell]
    }

    /// x_i − μ_i `[n, d_out]` for every input i.
    fn distances(parameters: &[Tensor<2>], input: &Tensor<2>) -> impl Iterator<Item = Tensor<2>> {
        let [_, d_in] = input.dims();
        (0..d_in).map(|i| {
            let centers = parameters[2].clone().narrow(0, i, 1);
            input.clone().narrow(1, i, 1) - centers
        })
    }
}

fn bells(parameters: &[Parameter]) -> Bells<'_> {
    Bells {
        centers: &parameters[2].values,
        sharpness: &parameters[3].values,
    }
}

impl Layer for GaborFilter {
    fn d_out(&self, _d_in: usize) -> usize {
        self.width
    }

    fn set_d_out(&mut self, d_out: usize) {
        self.width = d_out;
    }

    fn derive(&mut self, d_in: usize, hints: &Hints) {
        let frequency = hints.rms_frequency.iter().copied().reduce(f32::max);
        if let (Some(frequency), true) = (frequency, self.scale == 0.0) {
            let scale = match d_in {
                1 => SCALE_PER_ROOT_FREQUENCY_OF_ONE_AXIS,
                _ => SCALE_PER_ROOT_FREQUENCY,
            };
            self.scale = (scale * frequency.sqrt()).max(1.0);
        }
    }

    fn check(&self, _d_in: usize) -> Result<(), String> {
        has_width(self.width)?;
        positive("scale", self.scale)?;
        positive("alpha", self.alpha)
    }

    fn parameters(&self, d_in: usize) -> Vec<ParameterSpec> {
        vec![
            ParameterSpec::list("frequencies", &[d_in, self.width]),
            ParameterSpec::new("bias", &[self.width]),
            ParameterSpec::list("centers", &[d_in, self.width]),
            ParameterSpec::new("sharpness", &[self.width]),
        ]
    }

    fn initialize(&self, d_in: usize, rng: &mut StdRng) -> Vec<Vec<f32>> {
        let sharpness: Vec<f32> = (0..self.width)
            .map(|_| init::gamma(rng, self.alpha))
            .collect();
        let mut frequencies = init::torch_default(rng, d_in * self.width, d_in);
        for row in frequencies.chunks_exact_mut(self.width) {
            for (frequency, gamma) in row.iter_mut().zip(&sharpness) {
                *frequency *= self.scale * gamma.sqrt();
            }
        }
        let phases = init::uniform(rng, self.width, PI);
        let centers = init::uniform(rng, d_in * self.width, 1.0);
        vec![frequencies, phases, centers, sharpness]
    }

    fn forward(&self, parameters: &[Tensor<2>], input: Tensor<2>) -> Tensor<2> {
        let [sin, _, bell] = Self::plain(parameters, &input);
        sin * bell
    }

    fn forward_with_tangents(
        &self,
        parameters: &[Tensor<2>],
        input: Tensor<2>,
        tangents: Vec<Tensor<2>>,
    ) -> (Tensor<2>, Vec<Tensor<2>>) {
        let [sin, cos, bell] = Self::plain(parameters, &input);
        let (output, slope) = (sin * bell.clone(), cos * bell);
        let falling = output.clone() * parameters[3].clone();
        let tangents = tangents.into_iter().map(|tangent| {
            let along_wave = slope.clone() * tangent.clone().matmul(parameters[0].clone());
            let distances = Self::distances(parameters, &input).enumerate();
            distances.fold(along_wave, |sum, (i, distance)| {
                sum - falling.clone() * distance * tangent.clone().narrow(1, i, 1)
            })
        });
        let tangents = tangents.collect();
        (output, tangents)
    }

    fn multiply_adds(&self, d_in: usize) -> usize {
        d_in * self.width
    }

    /// The tape holds e^(…) cos(…), the scratch what the bells give to the gradient of x.
    fn tile_memory(&self, d_in: usize) -> TileMemory {
        TileMemory {
            tape: self.width,
            scratch: d_in,
            prepared: PreparedWeight::len(d_in, self.width),
        }
    }

    fn prepare(&self, d_in: usize, parameters: &[Parameter], prepared: &mut [f32]) {
        PreparedWeight::prepare(d_in, self.width, &parameters[0].values, prepared);
    }

    fn forward_tile(&self, d_in: usize, mut tile: TileForward) {
        affine::forward_tile(d_in, self.width, &mut tile);
        gabor_filters(tile.input, bells(tile.parameters), tile.output, tile.tape);
    }

    fn backward_tile(&self, d_in: usize, tile: TileBackward) {
        let [frequencies, phases, centers, sharpness] = tile.gradients else {
            unreachable!("the layer has waves and bells")
        };
        gabor_filters_backward(
            tile.input,
            bells(tile.parameters),
            [tile.output, tile.tape],
            tile.grad_output,
            [centers, sharpness],
            tile.scratch,
        );
        affine::backward_bias(tile.grad_output, phases);
        affine::backward_weight(tile.input, tile.grad_output, self.width, frequencies);
        if let Some(grad_input) = tile.grad_input {
            let weight = PreparedWeight::new(d_in, self.width, tile.prepared);
            weight.backward(tile.grad_output, Start::Zero, grad_input);
            axpy(1.0, tile.scratch, grad_input);
        }
    }
}
