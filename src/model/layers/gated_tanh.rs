//! `gated-tanh`: y = (z + tanh(ω₀ z)) σ(z), z = x W + b, the hidden layer of FKAN's image network (Mehrabian et al. 2025; the
//! formula of the authors' published run, whose paper writes a plain tanh).
//!
//! Shapes: x `[n, d_in]`, W `[d_in, d_out]`, b `[d_out]`, y `[n, d_out]`.
//! Init: W in U(±√(6/d_in)/ω₀), SIREN's bound, b in U(±1/√d_in), as in the authors' code. That code also holds three learned
//! numbers a layer that no output depends on; they are left out here.
//! Derivative: dy = [(1 + ω₀ (1 − tanh²(ω₀ z))) σ(z) + (z + tanh(ω₀ z)) σ(z) (1 − σ(z))] (dx W).

use burn::tensor::{Tensor, activation};
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::super::init;
use super::super::layer::{Layer, TileBackward, TileForward, TileMemory};
use super::super::parameters::{Parameter, ParameterSpec};
use super::affine::{self, PreparedWeight};
use super::{has_width, is_open, positive};
use crate::kernels::elementwise::multiply_in_place;
use crate::kernels::gated::{gated_tanh, gated_tanh_with_derivative};

/// A matrix, a bias and a gated hyperbolic tangent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatedTanh {
    /// Number of outputs.
    #[serde(default, skip_serializing_if = "is_open")]
    pub width: usize,
    /// ω₀, the factor inside the hyperbolic tangent.
    #[serde(default = "default_omega_0")]
    pub omega_0: f32,
}

/// ω₀ = 30 (authors' code).
fn default_omega_0() -> f32 {
    30.0
}

/// From here on tanh is ±1 in f64 too.
const SATURATED: f64 = 20.0;

impl GatedTanh {
    pub(in super::super) const SUMMARY: &'static str =
        "(z + tanh(omega_0 z)) sigmoid(z), z = x W + b, FKAN";

    pub(in super::super) fn examples() -> Vec<Self> {
        let gated = |omega_0| Self { width: 5, omega_0 };
        vec![gated(30.0), gated(2.0)]
    }

    /// z + tanh(ω₀ z), its derivative in z, and σ(z).
    fn parts(&self, parameters: &[Tensor<2>], input: Tensor<2>) -> [Tensor<2>; 3] {
        let omega_0 = f64::from(self.omega_0);
        let z = input.matmul(parameters[0].clone()) + parameters[1].clone();
        // Graphics cards may make tanh of sinh and cosh, which overflow (WGSL, accuracy of built-in functions).
        let tanh = z
            .clone()
            .mul_scalar(omega_0)
            .clamp(-SATURATED, SATURATED)
            .tanh();
        let slope = (tanh.clone() * tanh.clone())
            .mul_scalar(-omega_0)
            .add_scalar(1.0 + omega_0);
        [z.clone() + tanh, slope, activation::sigmoid(z)]
    }
}

impl Layer for GatedTanh {
    fn d_out(&self, _d_in: usize) -> usize {
        self.width
    }

    fn set_d_out(&mut self, d_out: usize) {
        self.width = d_out;
    }

    fn check(&self, _d_in: usize) -> Result<(), String> {
        has_width(self.width)?;
        positive("omega_0", self.omega_0)
    }

    fn parameters(&self, d_in: usize) -> Vec<ParameterSpec> {
        affine::parameters(d_in, self.width)
    }

    fn initialize(&self, d_in: usize, rng: &mut StdRng) -> Vec<Vec<f32>> {
        let bound = (6.0 / d_in as f32).sqrt() / self.omega_0;
        vec![
            init::uniform(rng, d_in * self.width, bound),
            init::torch_default(rng, self.width, d_in),
        ]
    }

    fn forward(&self, parameters: &[Tensor<2>], input: Tensor<2>) -> Tensor<2> {
        let [sum, _, gate] = self.parts(parameters, input);
        sum * gate
    }

    fn forward_with_tangents(
        &self,
        parameters: &[Tensor<2>],
        input: Tensor<2>,
        tangents: Vec<Tensor<2>>,
    ) -> (Tensor<2>, Vec<Tensor<2>>) {
        let [sum, sum_slope, gate] = self.parts(parameters, input);
        let output = sum * gate.clone();
        let slope = sum_slope * gate.clone() + output.clone() * gate.neg().add_scalar(1.0);
        let tangents = tangents
            .into_iter()
            .map(|t| slope.clone() * t.matmul(parameters[0].clone()))
            .collect();
        (output, tangents)
    }

    fn multiply_adds(&self, d_in: usize) -> usize {
        d_in * self.width
    }

    /// The tape holds dy/dz.
    fn tile_memory(&self, d_in: usize) -> TileMemory {
        TileMemory {
            tape: self.width,
            scratch: 0,
            prepared: PreparedWeight::len(d_in, self.width),
        }
    }

    fn prepare(&self, d_in: usize, parameters: &[Parameter], prepared: &mut [f32]) {
        PreparedWeight::prepare(d_in, self.width, &parameters[0].values, prepared);
    }

    fn forward_tile(&self, d_in: usize, mut tile: TileForward) {
        affine::forward_tile(d_in, self.width, &mut tile);
        if tile.keep {
            gated_tanh_with_derivative(tile.output, self.omega_0, tile.tape);
        } else {
            gated_tanh(tile.output, self.omega_0);
        }
    }

    fn backward_tile(&self, d_in: usize, tile: TileBackward) {
        multiply_in_place(tile.grad_output, tile.tape);
        affine::backward_tile(d_in, self.width, tile);
    }
}
