//! `chebyshev-kan`: y_j = b_j + Σ_i Σ_{k=1..K} c_kij T_k(tanh x_i) (ChebyKAN, SynodicMonth 2024; first layer of SL²A, Heidari et al. 2025).
//!
//! T_k is the Chebyshev polynomial of degree k, T_k(cos θ) = cos(k θ). T_0 is the bias; the published layers have a constant on every edge
//! instead, c_0ij, of which only the sums matter to y, but each takes a step of its own: `edge_constants`.
//! Shapes: x `[n, d_in]`, c `[K (+1), d_in, d_out]`, b `[d_out]` or none, y `[n, d_out]`.
//! Init: c in N(0, gain² / (K d_in)), with constants K + 1 for K; b = 0.
//! Derivative: with u = tanh x, dy_j = Σ c_kij T_k'(u_i) (1 − u_i²) dx_i.

use burn::tensor::Tensor;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::super::parameters::Parameter;
use super::super::tangents::Pointwise;
use super::form::{Form, Functions, normal_coefficients};
use super::{is_open, positive};

/// Chebyshev polynomials on every edge, and a bias or constants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChebyshevKan {
    /// Number of outputs; the last layer of a network may leave it out.
    #[serde(default, skip_serializing_if = "is_open")]
    pub width: usize,
    /// K, the largest degree.
    #[serde(default = "default_degree")]
    pub degree: usize,
    /// Whether every edge has a constant, T_0, instead of one bias for all edges to a node.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub edge_constants: bool,
    /// Standard deviation of the outputs at the start, about.
    #[serde(default = "default_gain")]
    pub gain: f32,
}

/// As in the examples of ChebyKAN.
fn default_degree() -> usize {
    4
}

fn default_gain() -> f32 {
    1.0
}

impl ChebyshevKan {
    pub(in super::super) const SUMMARY: &'static str =
        "b + sum_k c_k T_k(tanh x) on every edge (Chebyshev polynomials), ChebyKAN";

    pub(in super::super) fn examples() -> Vec<Self> {
        [(1, false), (2, false), (7, false), (1, true), (6, true)]
            .map(|(degree, edge_constants)| Self {
                width: 5,
                degree,
                edge_constants,
                gain: 1.0,
            })
            .into()
    }

    /// Degree of the first function.
    fn first(&self) -> usize {
        usize::from(!self.edge_constants)
    }
}

impl Form for ChebyshevKan {
    fn width(&self) -> usize {
        self.width
    }

    fn set_width(&mut self, width: usize) {
        self.width = width;
    }

    fn check(&self) -> Result<(), String> {
        positive("gain", self.gain)?;
        match (1..=1024).contains(&self.degree) {
            true => Ok(()),
            false => Err(format!(
                "degree is {}; it must be from 1 to 1024",
                self.degree
            )),
        }
    }

    fn before(&self) -> Option<&dyn Functions> {
        Some(self)
    }

    fn has_bias(&self) -> bool {
        !self.edge_constants
    }

    fn initialize(&self, d_in: usize, rng: &mut StdRng) -> [Vec<f32>; 2] {
        normal_coefficients(self, d_in, self.gain, rng)
    }
}

impl Pointwise for ChebyshevKan {
    fn functions(&self) -> usize {
        self.degree + 1 - self.first()
    }

    /// By the recurrence T_{k+1} = 2 u T_k − T_{k−1} and its derivatives (Mason and Handscomb 2003, §1.2), in f64: at high degrees rounding would
    /// grow with k².
    fn jet(
        &self,
        _parameters: &[Parameter],
        x: &[f32],
        d: usize,
        [value, slope, curvature]: [&mut [f32]; 3],
    ) {
        let functions = self.functions();
        for (at, &x) in x.iter().enumerate() {
            let (row, input) = (at / d, at % d);
            let u = f64::from(x).tanh();
            // du/dx and d²u/dx².
            let (du, ddu) = (1.0 - u * u, -2.0 * u * (1.0 - u * u));
            // T_0 and T_1, or T_-1 = T_1 and T_0.
            let (mut before, mut now) = match self.edge_constants {
                true => ([u, 1.0, 0.0], [1.0, 0.0, 0.0]),
                false => ([1.0, 0.0, 0.0], [u, 1.0, 0.0]),
            };
            for k in 0..functions {
                let place = (row * functions + k) * d + input;
                let [t, t1, t2] = now;
                value[place] = t as f32;
                slope[place] = (t1 * du) as f32;
                curvature[place] = (t2 * du * du + t1 * ddu) as f32;
                let next = [
                    2.0 * u * t - before[0],
                    2.0 * t + 2.0 * u * t1 - before[1],
                    4.0 * t1 + 2.0 * u * t2 - before[2],
                ];
                (before, now) = (now, next);
            }
        }
    }
}

impl Functions for ChebyshevKan {
    fn plain(&self, x: Tensor<2>) -> [Tensor<2>; 2] {
        let u = x.tanh();
        let du = (u.clone() * u.clone()).neg().add_scalar(1.0);
        let (mut values, mut slopes) = (
            vec![u.ones_like(), u.clone()],
            vec![u.zeros_like(), u.ones_like()],
        );
        for k in 2..=self.degree {
            let [t, t1] = [values[k - 1].clone(), slopes[k - 1].clone()];
            let twice = u.clone().mul_scalar(2.0);
            values.push(twice.clone() * t.clone() - values[k - 2].clone());
            slopes.push(t.mul_scalar(2.0) + twice * t1 - slopes[k - 2].clone());
        }
        let kept = |of: Vec<Tensor<2>>| of.into_iter().skip(self.first());
        let slopes = kept(slopes).map(|slope| slope * du.clone());
        [
            Tensor::cat(kept(values).collect(), 1),
            Tensor::cat(slopes.collect(), 1),
        ]
    }
}
