//! `linear`: y = x W + b.
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
        affine::parameters(d_in, self.width)
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

    fn tangent_form(&self) -> Option<TangentForm<'_>> {
        Some(TangentForm::AFFINE)
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

    fn forward_tile(&self, d_in: usize, mut tile: TileForward) {
        affine::forward_tile(d_in, self.width, &mut tile);
    }

    fn backward_tile(&self, d_in: usize, tile: TileBackward) {
        affine::backward_tile(d_in, self.width, tile);
    }
}
