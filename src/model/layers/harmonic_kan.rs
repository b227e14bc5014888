//! `harmonic-kan`: y_j = b_j + Σ_i Σ_m c_mij sin(m ω₀ x_i), m = 1..M (GKAN, Luo et al. 2024): some harmonics of what comes in, then one matrix.
//!
//! With M = 1 it is the matrix of a SIREN's layer behind the sine of the layer before.
//! Shapes: x `[n, d_in]`, c `[M, d_in, d_out]`, b `[d_out]`, y `[n, d_out]`.
//! Init: c in U(±√(6/(M d_in))/ω₀), so that z of the next layer is as large as in SIREN (Sitzmann et al. 2020, §3.2; the authors of GKAN leave
//! PyTorch's init, with ω₀ = 1); b in U(±1/√d_in).
//! Derivative: dy_j = Σ c_mij m ω₀ cos(m ω₀ x_i) dx_i.

use burn::tensor::Tensor;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::super::init;
use super::super::parameters::Parameter;
use super::super::tangents::Pointwise;
use super::form::{Form, Functions};
use super::trigonometry::reduce_phase;
use super::{is_open, positive};
use crate::kernels::jets::harmonics_jet;

/// A few harmonics on every edge and a bias.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HarmonicKan {
    /// Number of outputs; the last layer of a network may leave it out.
    #[serde(default, skip_serializing_if = "is_open")]
    pub width: usize,
    /// M, the number of harmonics.
    #[serde(default = "default_harmonics")]
    pub harmonics: usize,
    /// ω₀, the first frequency.
    #[serde(default = "default_omega_0")]
    pub omega_0: f32,
}

/// ω = 1, 2, 3 (Luo et al. 2024).
fn default_harmonics() -> usize {
    3
}

fn default_omega_0() -> f32 {
    30.0
}

impl HarmonicKan {
    pub(in super::super) const SUMMARY: &'static str =
        "b + sum_m c_m sin(m omega_0 x) on every edge, GKAN";

    pub(in super::super) fn examples() -> Vec<Self> {
        let harmonic = |harmonics, omega_0| Self {
            width: 5,
            harmonics,
            omega_0,
        };
        vec![harmonic(3, 1.0), harmonic(1, 30.0), harmonic(2, 10.0)]
    }
}

impl Form for HarmonicKan {
    fn width(&self) -> usize {
        self.width
    }

    fn set_width(&mut self, width: usize) {
        self.width = width;
    }

    fn check(&self) -> Result<(), String> {
        positive("omega_0", self.omega_0)?;
        match (1..=64).contains(&self.harmonics) {
            true => Ok(()),
            false => Err(format!(
                "harmonics is {}; it must be from 1 to 64",
                self.harmonics
            )),
        }
    }

    fn before(&self) -> Option<&dyn Functions> {
        Some(self)
    }

    fn initialize(&self, d_in: usize, rng: &mut StdRng) -> [Vec<f32>; 2] {
        let features = self.harmonics * d_in;
        let bound = (6.0 / features as f32).sqrt() / self.omega_0;
        [
            init::uniform(rng, features * self.width, bound),
            init::torch_default(rng, self.width, d_in),
        ]
    }
}

impl Pointwise for HarmonicKan {
    fn functions(&self) -> usize {
        self.harmonics
    }

    fn jet(&self, _parameters: &[Parameter], x: &[f32], d: usize, jet: [&mut [f32]; 3]) {
        harmonics_jet(x, d, self.omega_0, jet);
    }
}

impl Functions for HarmonicKan {
    fn plain(&self, x: Tensor<2>) -> [Tensor<2>; 2] {
        let (mut values, mut slopes) = (Vec::new(), Vec::new());
        for m in 1..=self.harmonics {
            let omega = m as f64 * f64::from(self.omega_0);
            let phase = reduce_phase(x.clone().mul_scalar(omega));
            values.push(phase.clone().sin());
            slopes.push(phase.cos().mul_scalar(omega));
        }
        [Tensor::cat(values, 1), Tensor::cat(slopes, 1)]
    }
}
