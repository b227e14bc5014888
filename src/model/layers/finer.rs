//! `finer`: y = sin(ω₀ (|z| + 1) z), z = x W + b (FINER, Liu et al. 2024, eq. 5): a sine whose frequency grows with its input.
//!
//! Shapes: x `[n, d_in]`, W `[d_in, d_out]`, b `[d_out]`, y `[n, d_out]`.
//! Init: W as in SIREN (Sitzmann et al. 2020, §3.2); b in U(±1/√d_in), or in U(±k) with k = `bias_range`, which sets how high the frequencies of a
//! first layer reach (§3.3 of the paper; 20 in several of the authors' scripts).
//! Derivative: dy = ω₀ (2 |z| + 1) cos(ω₀ (|z| + 1) z) (dx W). The authors' code leaves out the derivative of |z|; here it is whole.

use burn::tensor::Tensor;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::super::init;
use super::super::parameters::Parameter;
use super::super::tangents::Pointwise;
use super::form::{Form, Functions};
use super::trigonometry::reduce_phase;
use super::{is_open, positive};
use crate::kernels::jets::finer_jet;

/// A matrix, a bias and a sine of growing frequency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finer {
    /// Number of outputs; the last layer of a network may leave it out.
    #[serde(default, skip_serializing_if = "is_open")]
    pub width: usize,
    /// ω₀, the factor inside the sine.
    #[serde(default = "default_omega_0")]
    pub omega_0: f32,
    /// Whether the layer reads coordinates, which selects SIREN's first-layer init.
    #[serde(default)]
    pub first: bool,
    /// k, the bound of the initial bias; 0 is that of other layers, 1/√d_in.
    #[serde(default)]
    pub bias_range: f32,
}

/// ω₀ = 30 (Liu et al. 2024, §4).
fn default_omega_0() -> f32 {
    30.0
}

impl Finer {
    pub(in super::super) const SUMMARY: &'static str =
        "sin(omega_0 (|z| + 1) z), z = x W + b, FINER";

    pub(in super::super) fn examples() -> Vec<Self> {
        let finer = |omega_0, first, bias_range| Self {
            width: 5,
            omega_0,
            first,
            bias_range,
        };
        vec![finer(5.0, true, 1.0), finer(30.0, false, 0.0)]
    }
}

impl Form for Finer {
    fn width(&self) -> usize {
        self.width
    }

    fn set_width(&mut self, width: usize) {
        self.width = width;
    }

    fn check(&self) -> Result<(), String> {
        positive("omega_0", self.omega_0)?;
        match self.bias_range.is_finite() && self.bias_range >= 0.0 {
            true => Ok(()),
            false => Err(format!(
                "bias_range is {}; it must be 0 or more",
                self.bias_range
            )),
        }
    }

    fn after(&self) -> Option<&dyn Functions> {
        Some(self)
    }

    fn initialize(&self, d_in: usize, rng: &mut StdRng) -> [Vec<f32>; 2] {
        let bound = match self.first {
            true => 1.0 / d_in as f32,
            false => (6.0 / d_in as f32).sqrt() / self.omega_0,
        };
        let weight = init::uniform(rng, d_in * self.width, bound);
        let bias = match self.bias_range > 0.0 {
            true => init::uniform(rng, self.width, self.bias_range),
            false => init::torch_default(rng, self.width, d_in),
        };
        [weight, bias]
    }
}

impl Pointwise for Finer {
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
        finer_jet(z, self.omega_0, [value, slope, curvature]);
    }
}

impl Functions for Finer {
    fn plain(&self, z: Tensor<2>) -> [Tensor<2>; 2] {
        let omega_0 = f64::from(self.omega_0);
        let size = z.clone().abs();
        let phase = reduce_phase((size.clone().add_scalar(1.0) * z).mul_scalar(omega_0));
        let slope = size.mul_scalar(2.0).add_scalar(1.0).mul_scalar(omega_0);
        [phase.clone().sin(), slope * phase.cos()]
    }
}
