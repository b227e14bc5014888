//! `relu`: y = max(0, x W + b) (Nair and Hinton 2010).
//!
//! Shapes: x `[n, d_in]`, W `[d_in, d_out]`, b `[d_out]`, y `[n, d_out]`.
//! Init: W in N(0, 2/d_in), b = 0 (He et al. 2015, eq. 10 and the text after it), or W and b in U(±1/√d_in), as PyTorch's linear layers.
//! Derivative: dy = (dx W) where y > 0, and 0 elsewhere.

use burn::tensor::{Tensor, activation};
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::super::init;
use super::super::layer::{Layer, TileBackward, TileForward, TileMemory};
use super::super::parameters::{Parameter, ParameterSpec};
use super::super::tangents::{Pointwise, TangentForm};
use super::affine::{self, PreparedWeight};
use super::{has_width, is_open};
use crate::kernels::activation::{relu_backward_in_place, relu_in_place};

/// A matrix, a bias and a rectifier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relu {
    /// Number of outputs.
    #[serde(default, skip_serializing_if = "is_open")]
    pub width: usize,
    /// How it starts.
    #[serde(default, skip_serializing_if = "is_he")]
    pub init: ReluInit,
}

/// How a rectifier's matrix and bias start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReluInit {
    /// So that the numbers keep their size from layer to layer (He et al. 2015).
    #[default]
    He,
    /// The default of PyTorch, with which published rectifiers mostly start.
    Pytorch,
}

// Serde hands out a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_he(init: &ReluInit) -> bool {
    *init == ReluInit::He
}

impl Relu {
    pub(in super::super) const SUMMARY: &'static str = "max(0, x W + b)";

    pub(in super::super) fn examples() -> Vec<Self> {
        [ReluInit::He, ReluInit::Pytorch]
            .map(|init| Self { width: 5, init })
            .into()
    }
}

impl Layer for Relu {
    fn d_out(&self, _d_in: usize) -> usize {
        self.width
    }

    fn set_d_out(&mut self, d_out: usize) {
        self.width = d_out;
    }

    fn check(&self, _d_in: usize) -> Result<(), String> {
        has_width(self.width)
    }

    fn parameters(&self, d_in: usize) -> Vec<ParameterSpec> {
        affine::parameters(d_in, self.width)
    }

    fn initialize(&self, d_in: usize, rng: &mut StdRng) -> Vec<Vec<f32>> {
        let count = d_in * self.width;
        match self.init {
            ReluInit::He => {
                let deviation = (2.0 / d_in as f32).sqrt();
                let weight = (0..count).map(|_| init::normal(rng) * deviation);
                vec![weight.collect(), vec![0.0; self.width]]
            }
            ReluInit::Pytorch => vec![
                init::torch_default(rng, count, d_in),
                init::torch_default(rng, self.width, d_in),
            ],
        }
    }

    fn forward(&self, parameters: &[Tensor<2>], input: Tensor<2>) -> Tensor<2> {
        activation::relu(input.matmul(parameters[0].clone()) + parameters[1].clone())
    }

    fn forward_with_tangents(
        &self,
        parameters: &[Tensor<2>],
        input: Tensor<2>,
        tangents: Vec<Tensor<2>>,
    ) -> (Tensor<2>, Vec<Tensor<2>>) {
        let output = self.forward(parameters, input);
        // 1 where the output is above 0, else 0.
        let slope = output.clone().detach().sign();
        let tangents = tangents
            .into_iter()
            .map(|t| slope.clone() * t.matmul(parameters[0].clone()))
            .collect();
        (output, tangents)
    }

    fn tangent_form(&self) -> Option<TangentForm<'_>> {
        Some(TangentForm {
            after: Some(self),
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

    fn forward_tile(&self, d_in: usize, mut tile: TileForward) {
        affine::forward_tile(d_in, self.width, &mut tile);
        relu_in_place(tile.output);
    }

    fn backward_tile(&self, d_in: usize, tile: TileBackward) {
        relu_backward_in_place(tile.output, tile.grad_output);
        affine::backward_tile(d_in, self.width, tile);
    }
}

impl Pointwise for Relu {
    fn functions(&self) -> usize {
        1
    }

    fn jet(
        &self,
        _parameters: &[Parameter],
        x: &[f32],
        _d: usize,
        [value, slope, curvature]: [&mut [f32]; 3],
    ) {
        value.copy_from_slice(x);
        relu_in_place(value);
        slope.fill(1.0);
        relu_backward_in_place(value, slope);
        curvature.fill(0.0);
    }
}
