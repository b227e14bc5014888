//! `linear`: y = x W + b, or x W alone, the first half of a matrix of low rank.
//!
//! Shapes: x `[n, d_in]`, W `[d_in, d_out]`, b `[d_out]`, y `[n, d_out]`. The usual last layer of a network. After a `gabor`
//! layer it reads the pairs [re | im], and is then the real part of WIRE's complex output layer: Re(z V) = re V_re − im V_im.

use burn::tensor::Tensor;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::super::init;
use super::super::layer::{Layer, TileBackward, TileForward, TileMemory};
use super::super::parameters::{Parameter, ParameterSpec};
use super::super::tangents::TangentForm;
use super::affine::{self, PreparedWeight};
use super::{has_width, is_open, positive};
use crate::kernels::matmul::Start;

/// A matrix and a bias.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Linear {
    /// Number of outputs; the last layer of a network may leave it out.
    #[serde(default, skip_serializing_if = "is_open")]
    pub width: usize,
    /// When given, weights start in U(±√(6/d_in)/omega_0) (Sitzmann et al. 2020, §3.2); else in U(±1/√d_in) as in PyTorch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub omega_0: Option<f32>,
    /// Whether there is a b.
    #[serde(default = "default_bias", skip_serializing_if = "is_default_bias")]
    pub bias: bool,
}

fn default_bias() -> bool {
    true
}

// Serde hands out a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_default_bias(bias: &bool) -> bool {
    *bias
}

impl Linear {
    pub(in super::super) const SUMMARY: &'static str = "x W + b";

    pub(in super::super) fn examples() -> Vec<Self> {
        let linear = |omega_0, bias| Self {
            width: 5,
            omega_0,
            bias,
        };
        vec![
            linear(None, true),
            linear(Some(30.0), true),
            linear(None, false),
        ]
    }
}

impl Layer for Linear {
    fn d_out(&self, _d_in: usize) -> usize {
        self.width
    }

    fn set_d_out(&mut self, d_out: usize) {
        self.width = d_out;
    }

    fn check(&self, _d_in: usize) -> Result<(), String> {
        has_width(self.width)?;
        self.omega_0.map_or(Ok(()), |w| positive("omega_0", w))
    }

    fn parameters(&self, d_in: usize) -> Vec<ParameterSpec> {
        let mut specs = affine::parameters(d_in, self.width);
        specs.truncate(if self.bias { 2 } else { 1 });
        specs
    }

    fn initialize(&self, d_in: usize, rng: &mut StdRng) -> Vec<Vec<f32>> {
        let weight = match self.omega_0 {
            Some(omega_0) => {
                init::uniform(rng, d_in * self.width, (6.0 / d_in as f32).sqrt() / omega_0)
            }
            None => init::torch_default(rng, d_in * self.width, d_in),
        };
        match self.bias {
            true => vec![weight, init::torch_default(rng, self.width, d_in)],
            false => vec![weight],
        }
    }

    fn forward(&self, parameters: &[Tensor<2>], input: Tensor<2>) -> Tensor<2> {
        let product = input.matmul(parameters[0].clone());
        match parameters.get(1) {
            Some(bias) => product + bias.clone(),
            None => product,
        }
    }

    fn forward_with_tangents(
        &self,
        parameters: &[Tensor<2>],
        input: Tensor<2>,
        tangents: Vec<Tensor<2>>,
    ) -> (Tensor<2>, Vec<Tensor<2>>) {
        // dy = dx W
        let tangents = tangents
            .into_iter()
            .map(|t| t.matmul(parameters[0].clone()))
            .collect();
        (self.forward(parameters, input), tangents)
    }

    fn tangent_form(&self) -> Option<TangentForm<'_>> {
        Some(TangentForm {
            bias: self.bias.then_some(1),
            ..TangentForm::AFFINE
        })
    }

    fn multiply_adds(&self, d_in: usize) -> usize {
        d_in * self.width
    }

    fn tile_memory(&self, d_in: usize) -> TileMemory {
        TileMemory {
            prepared: PreparedWeight::len(d_in, self.width),
            ..TileMemory::default()
        }
    }

    fn prepare(&self, d_in: usize, parameters: &[Parameter], prepared: &mut [f32]) {
        PreparedWeight::prepare(d_in, self.width, &parameters[0].values, prepared);
    }

    fn forward_tile(&self, d_in: usize, tile: TileForward) {
        let weight = PreparedWeight::new(d_in, self.width, tile.prepared);
        let start = match tile.parameters.get(1) {
            Some(bias) => Start::Bias(&bias.values),
            None => Start::Zero,
        };
        weight.forward(tile.input, start, tile.output);
    }

    fn backward_tile(&self, d_in: usize, tile: TileBackward) {
        if let Some(bias) = tile.gradients.get_mut(1) {
            affine::backward_bias(tile.grad_output, bias);
        }
        let grad_weight = &mut tile.gradients[0];
        affine::backward_weight(tile.input, tile.grad_output, self.width, grad_weight);
        if let Some(grad_input) = tile.grad_input {
            let weight = PreparedWeight::new(d_in, self.width, tile.prepared);
            weight.backward(tile.grad_output, Start::Zero, grad_input);
        }
    }
}
