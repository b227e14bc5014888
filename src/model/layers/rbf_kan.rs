//! `rbf-kan`: y_j = b_j + Σ_i Σ_m c_mij exp(−((x_i − t_m)/h)²) (FastKAN, Li 2024; DeepOKAN, Abueidda et al. 2024), with silu(x_i) as one more
//! function of every edge when `residual` is set, as in FastKAN.
//!
//! The M centres t_m lie evenly on [-R, R], h = 2R/(M − 1) apart.
//! Shapes: x `[n, d_in]`, c `[M (+1), d_in, d_out]`, b `[d_out]`, y `[n, d_out]`.
//! Init: c in N(0, gain² / (M d_in)), with `residual` N(0, gain² / ((M + 1) d_in)), b = 0.
//! Derivative: dy_j = Σ c_mij (−2 (x_i − t_m)/h²) exp(−((x_i − t_m)/h)²) dx_i.

use burn::tensor::Tensor;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::super::parameters::Parameter;
use super::super::tangents::Pointwise;
use super::form::{Form, Functions, normal_coefficients, silu};
use super::{is_open, positive};
use crate::kernels::jets::silu_jet;

/// Gaussian bumps on every edge and a bias.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RbfKan {
    /// Number of outputs; the last layer of a network may leave it out.
    #[serde(default, skip_serializing_if = "is_open")]
    pub width: usize,
    /// M, the number of centres.
    #[serde(default = "default_centres")]
    pub centres: usize,
    /// R: the centres span [-R, R].
    #[serde(default = "default_range")]
    pub range: f32,
    /// Whether every edge has a silu beside its bumps.
    #[serde(default)]
    pub residual: bool,
    /// Standard deviation of the outputs at the start, about.
    #[serde(default = "default_gain")]
    pub gain: f32,
}

/// Eight centres on [-2, 2] (FastKAN).
fn default_centres() -> usize {
    8
}

fn default_range() -> f32 {
    2.0
}

fn default_gain() -> f32 {
    1.0
}

impl RbfKan {
    pub(in super::super) const SUMMARY: &'static str =
        "b + sum_m c_m exp(-((x - t_m)/h)^2) on every edge (Gaussian bumps), FastKAN";

    pub(in super::super) fn examples() -> Vec<Self> {
        let rbf = |centres, range, residual| Self {
            width: 5,
            centres,
            range,
            residual,
            gain: 1.0,
        };
        vec![rbf(2, 1.0, false), rbf(8, 2.0, true)]
    }

    /// Distance of two centres.
    fn spacing(&self) -> f32 {
        2.0 * self.range / (self.centres - 1) as f32
    }

    fn centre(&self, m: usize) -> f32 {
        m as f32 * self.spacing() - self.range
    }
}

impl Form for RbfKan {
    fn width(&self) -> usize {
        self.width
    }

    fn set_width(&mut self, width: usize) {
        self.width = width;
    }

    fn check(&self) -> Result<(), String> {
        positive("range", self.range)?;
        positive("gain", self.gain)?;
        match (2..=1024).contains(&self.centres) {
            true => Ok(()),
            false => Err(format!(
                "centres is {}; it must be from 2 to 1024",
                self.centres
            )),
        }
    }

    fn before(&self) -> Option<&dyn Functions> {
        Some(self)
    }

    fn initialize(&self, d_in: usize, rng: &mut StdRng) -> [Vec<f32>; 2] {
        normal_coefficients(self, d_in, self.gain, rng)
    }
}

impl Pointwise for RbfKan {
    fn functions(&self) -> usize {
        self.centres + usize::from(self.residual)
    }

    fn jet(
        &self,
        _parameters: &[Parameter],
        x: &[f32],
        d: usize,
        [value, slope, curvature]: [&mut [f32]; 3],
    ) {
        let inverse = 1.0 / self.spacing();
        let functions = self.functions();
        for (at, &x) in x.iter().enumerate() {
            let place = |function: usize| (at / d * functions + function) * d + at % d;
            for m in 0..self.centres {
                let u = (x - self.centre(m)) * inverse;
                let bump = (-u * u).exp();
                let at = place(m);
                value[at] = bump;
                slope[at] = -2.0 * u * inverse * bump;
                curvature[at] = (4.0 * u * u - 2.0) * inverse * inverse * bump;
            }
            if self.residual {
                let at = place(self.centres);
                [value[at], slope[at], curvature[at]] = silu_jet(x);
            }
        }
    }
}

impl Functions for RbfKan {
    fn plain(&self, x: Tensor<2>) -> [Tensor<2>; 2] {
        let inverse = 1.0 / f64::from(self.spacing());
        let (mut values, mut slopes) = (Vec::new(), Vec::new());
        for m in 0..self.centres {
            let u = x.clone().sub_scalar(self.centre(m)).mul_scalar(inverse);
            let bump = (u.clone() * u.clone()).neg().exp();
            slopes.push((u * bump.clone()).mul_scalar(-2.0 * inverse));
            values.push(bump);
        }
        if self.residual {
            let [value, slope] = silu(x);
            values.push(value);
            slopes.push(slope);
        }
        [Tensor::cat(values, 1), Tensor::cat(slopes, 1)]
    }
}
