//! `relu-kan`: y_j = b_j + Σ_i Σ_m c_mij R_m(x_i), R_m(x) = [relu(e_m − x) relu(x − s_m)]² 16/(e_m − s_m)⁴ (ReLU-KAN, Qiu et al. 2024, eq. 7).
//!
//! Bumps of height 1 on overlapping intervals, made of nothing but products. On G intervals of [0, 1] and with an overlap of k, as in the paper,
//! s_m = (m − k)/G and e_m = s_m + (k + 1)/G for m = 0..G+k−1; here the grid spans [-R, R], for that is where activations lie.
//! Shapes: x `[n, d_in]`, c `[G+k, d_in, d_out]`, b `[d_out]`, y `[n, d_out]`. The ends are fixed, which the paper offers beside trained ones.
//! Init: c in N(0, gain² / ((G+k) d_in)), b = 0.
//! Derivative: with p = (e − x)(x − s) > 0, R' = 32 p (e + s − 2 x) / (e − s)⁴, and 0 outside.

use burn::tensor::Tensor;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::super::parameters::Parameter;
use super::super::tangents::Pointwise;
use super::form::{Form, Functions, normal_coefficients};
use super::{is_open, positive};

/// Bumps of rectifiers on every edge and a bias.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReluKan {
    /// Number of outputs; the last layer of a network may leave it out.
    #[serde(default, skip_serializing_if = "is_open")]
    pub width: usize,
    /// G, the number of intervals.
    #[serde(default = "default_grid_size")]
    pub grid_size: usize,
    /// k, by how many intervals a bump reaches beyond its own.
    #[serde(default = "default_overlap")]
    pub overlap: usize,
    /// R: the grid spans [-R, R].
    #[serde(default = "default_range")]
    pub range: f32,
    /// Standard deviation of the outputs at the start, about.
    #[serde(default = "default_gain")]
    pub gain: f32,
}

/// G = 5 and k = 3 (Qiu et al. 2024, §4).
fn default_grid_size() -> usize {
    5
}

fn default_overlap() -> usize {
    3
}

fn default_range() -> f32 {
    1.0
}

fn default_gain() -> f32 {
    1.0
}

impl ReluKan {
    pub(in super::super) const SUMMARY: &'static str =
        "b + sum_m c_m (relu(e_m - x) relu(x - s_m))^2 on every edge, ReLU-KAN";

    pub(in super::super) fn examples() -> Vec<Self> {
        let relu_kan = |grid_size, overlap, range| Self {
            width: 5,
            grid_size,
            overlap,
            range,
            gain: 1.0,
        };
        vec![relu_kan(5, 3, 1.0), relu_kan(1, 1, 2.0)]
    }

    /// s_m and e_m.
    fn ends(&self, m: usize) -> [f32; 2] {
        let interval = 2.0 * self.range / self.grid_size as f32;
        let start = (m as f32 - self.overlap as f32) * interval - self.range;
        [start, start + (self.overlap + 1) as f32 * interval]
    }
}

impl Form for ReluKan {
    fn width(&self) -> usize {
        self.width
    }

    fn set_width(&mut self, width: usize) {
        self.width = width;
    }

    fn check(&self) -> Result<(), String> {
        positive("range", self.range)?;
        positive("gain", self.gain)?;
        for (field, value) in [("grid_size", self.grid_size), ("overlap", self.overlap)] {
            if !(1..=512).contains(&value) {
                return Err(format!("{field} is {value}; it must be from 1 to 512"));
            }
        }
        Ok(())
    }

    fn before(&self) -> Option<&dyn Functions> {
        Some(self)
    }

    fn initialize(&self, d_in: usize, rng: &mut StdRng) -> [Vec<f32>; 2] {
        normal_coefficients(self, d_in, self.gain, rng)
    }
}

impl Pointwise for ReluKan {
    fn functions(&self) -> usize {
        self.grid_size + self.overlap
    }

    fn jet(
        &self,
        _parameters: &[Parameter],
        x: &[f32],
        d: usize,
        [value, slope, curvature]: [&mut [f32]; 3],
    ) {
        let functions = self.functions();
        for m in 0..functions {
            let [start, end] = self.ends(m);
            let scale = 16.0 / (end - start).powi(4);
            for (at, &x) in x.iter().enumerate() {
                let p = (end - x).max(0.0) * (x - start).max(0.0);
                // Of p, where it is not 0.
                let dp = if p > 0.0 { end + start - 2.0 * x } else { 0.0 };
                let place = (at / d * functions + m) * d + at % d;
                value[place] = p * p * scale;
                slope[place] = 2.0 * p * dp * scale;
                curvature[place] = 2.0 * (dp * dp - 2.0 * p) * scale;
            }
        }
    }
}

impl Functions for ReluKan {
    fn plain(&self, x: Tensor<2>) -> [Tensor<2>; 2] {
        let (mut values, mut slopes) = (Vec::new(), Vec::new());
        for m in 0..self.functions() {
            let [start, end] = self.ends(m).map(f64::from);
            let scale = 16.0 / (end - start).powi(4);
            let relu = burn::tensor::activation::relu;
            let p = relu(x.clone().neg().add_scalar(end)) * relu(x.clone().sub_scalar(start));
            let dp = x.clone().mul_scalar(-2.0).add_scalar(end + start);
            values.push((p.clone() * p.clone()).mul_scalar(scale));
            slopes.push((p * dp).mul_scalar(2.0 * scale));
        }
        [Tensor::cat(values, 1), Tensor::cat(slopes, 1)]
    }
}
