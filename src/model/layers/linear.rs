//! `linear`: y = x W + b.
//!
//! Shapes: x `[n, d_in]`, W `[d_in, d_out]`, b `[d_out]`, y `[n, d_out]`. The usual last layer of a network. After a `gabor`
//! layer it reads the pairs [re | im], and is then the real part of WIRE's complex output layer: Re(z V) = re V_re − im V_im.

use burn::tensor::Tensor;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::super::init;
use super::super::layer::{Layer, TileBackward, TileForward, TileMemory};
use super::super::parameters::ParameterSpec;
use super::{affine, has_width, is_open, positive};

/// A matrix and a bias.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Linear {
    /// Number of outputs; the last layer of a network may leave it out.
    #[serde(default, skip_serializing_if = "is_open")]
    pub width: usize,
    /// When given, weights start in U(±√(6/d_in)/omega_0) (Sitzmann et al. 2020, §3.2); else in U(±1/√d_in) as in PyTorch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub omega_0: Option<f32>,
}

impl Linear {
    pub(in super::super) const SUMMARY: &'static str = "x W + b";

    pub(in super::super) fn examples() -> Vec<Self> {
        vec![
            Self {
                width: 5,
                omega_0: None,
            },
            Self {
                width: 5,
                omega_0: Some(30.0),
            },
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
        vec![
            ParameterSpec::new("weight", &[d_in, self.width]),
            ParameterSpec::new("bias", &[self.width]),
        ]
    }

    fn initialize(&self, d_in: usize, rng: &mut StdRng) -> Vec<Vec<f32>> {
        let weight = match self.omega_0 {
            Some(omega_0) => {
                init::uniform(rng, d_in * self.width, (6.0 / d_in as f32).sqrt() / omega_0)
            }
            None => init::torch_default(rng, d_in * self.width, d_in),
        };
        vec![weight, init::torch_default(rng, self.width, d_in)]
    }

    fn forward(&self, parameters: &[Tensor<2>], input: Tensor<2>) -> Tensor<2> {
        input.matmul(parameters[0].clone()) + parameters[1].clone()
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

    fn tile_memory(&self, _d_in: usize) -> TileMemory {
        TileMemory::default()
    }

    fn forward_tile(&self, _d_in: usize, tile: TileForward) {
        let [weight, bias] = tile.parameters else {
            unreachable!()
        };
        affine::forward(tile.input, &weight.values, &bias.values, tile.output);
    }

    fn backward_tile(&self, _d_in: usize, tile: TileBackward) {
        affine::backward_bias(tile.grad_output, &mut tile.gradients[1].values);
        affine::backward_weight(
            tile.input,
            tile.grad_output,
            self.width,
            &mut tile.gradients[0].values,
        );
        if let Some(grad_input) = tile.grad_input {
            affine::backward_input(
                tile.grad_output,
                &tile.parameters[0].values,
                self.width,
                grad_input,
                false,
            );
        }
    }
}
