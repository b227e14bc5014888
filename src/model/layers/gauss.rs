//! `gauss`: y = exp(−(s z)²), z = x W + b (Ramasinghe and Lucey 2022): a bump for every unit.
//!
//! Shapes: x `[n, d_in]`, W `[d_in, d_out]`, b `[d_out]`, y `[n, d_out]`.
//! Init: W and b in U(±1/√d_in), PyTorch's, as in the code of WIRE and FINER, which run this baseline.
//! Derivative: dy = −2 s² z y (dx W).

use burn::tensor::Tensor;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::super::init;
use super::super::parameters::Parameter;
use super::super::tangents::Pointwise;
use super::form::{Form, Functions};
use super::{is_open, positive};
use crate::kernels::jets::gauss_jet;

/// A matrix, a bias and a Gaussian.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gauss {
    /// Number of outputs; the last layer of a network may leave it out.
    #[serde(default, skip_serializing_if = "is_open")]
    pub width: usize,
    /// s, the inverse width of the bump.
    #[serde(default = "default_scale")]
    pub scale: f32,
}

/// s = 30 (baseline of SL²A and FINER).
fn default_scale() -> f32 {
    30.0
}

impl Gauss {
    pub(in super::super) const SUMMARY: &'static str =
        "exp(-(s z)^2), z = x W + b, Gaussian activation";

    pub(in super::super) fn examples() -> Vec<Self> {
        [3.0, 0.7].map(|scale| Self { width: 5, scale }).into()
    }
}

impl Form for Gauss {
    fn width(&self) -> usize {
        self.width
    }

    fn set_width(&mut self, width: usize) {
        self.width = width;
    }

    fn check(&self) -> Result<(), String> {
        positive("scale", self.scale)
    }

    fn after(&self) -> Option<&dyn Functions> {
        Some(self)
    }

    fn initialize(&self, d_in: usize, rng: &mut StdRng) -> [Vec<f32>; 2] {
        [d_in * self.width, self.width].map(|count| init::torch_default(rng, count, d_in))
    }
}

impl Pointwise for Gauss {
    fn functions(&self) -> usize {
        1
    }

    fn jet(
        &self,
        _parameters: &[Parameter],
        z: &[f32],
        _d: usize,
        [value, slope, curvature]: [&mut [f32]; 3],
    ) {
        gauss_jet(z, self.scale, [value, slope, curvature]);
    }
}

impl Functions for Gauss {
    fn plain(&self, z: Tensor<2>) -> [Tensor<2>; 2] {
        let square = f64::from(self.scale).powi(2);
        let value = (z.clone() * z.clone()).mul_scalar(-square).exp();
        [value.clone(), (z * value).mul_scalar(-2.0 * square)]
    }
}
