//! `factored-kan`: one spline a node, φ_ij(x) = w_1ij σ_i(x) + Σ_h w_hij sin(h ω₀ x), h = 2..H, σ_i(x) = r(x) + Σ_m c_mi B_m(x).
//!
//! y_j = b_j + Σ_i φ_ij(x_i): a KAN (Liu et al. 2025) whose edges from one node share the shape of their spline, so that a layer has
//! H d_in d_out + (G+3) d_in numbers instead of (G+4) d_in d_out, and costs what a linear layer of H d_in inputs costs. With the sine residual,
//! r(x) = sin(ω₀ x), and splines that start at zero it starts as the layer of a SIREN (Sitzmann et al. 2020) that learns its activations, and with
//! harmonics of that sine as one of GKAN (Luo et al. 2024). A node may have them only beside a sine.
//!
//! Shapes: x `[n, d_in]`; weight w `[H, d_in, d_out]`, for H = 1 `[d_in, d_out]`; node coefficients c `[G+3, d_in]`; b `[d_out]`; y `[n, d_out]`. B_m
//! and r are those of `spline-kan`, tangents beyond the knots included.
//! Init: c in N(0, noise_scale² / (151/315)), so that the spline part of σ has the standard deviation noise_scale; w for a
//! sine in SIREN's bound with H d_in inputs, for the others in U(±1/√d_in), both times α (`weight_scale`); b in U(±1/√d_in).
//! Derivative: dy_j = Σ_i φ_ij'(x_i) dx_i.

use burn::tensor::Tensor;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::super::init;
use super::super::layer::{Layer, TileBackward, TileForward, TileMemory};
use super::super::parameters::{Parameter, ParameterSpec};
use super::super::tangents::{Pointwise, TangentForm};
use super::affine::{self, PreparedWeight};
use super::spline_kan::{Residual, SplineKan};
use super::{has_width, is_open, positive};
use crate::kernels::elementwise::sum_of_products;
use crate::kernels::matmul::Start;
use crate::kernels::node_spline::{LARGEST_GRID, NodeSpline, node_spline, node_spline_backward};
use crate::kernels::trigonometry::harmonics_forward;

/// A function of its own for every input, and harmonics beside it, then a matrix and a bias.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactoredKan {
    /// Number of outputs; the last layer of a network may leave it out.
    #[serde(default, skip_serializing_if = "is_open")]
    pub width: usize,
    /// G, the number of knot intervals; at most 16, for the cost grows with it.
    #[serde(default = "default_grid_size")]
    pub grid_size: usize,
    /// R: the knots span [-R, R].
    #[serde(default = "default_range")]
    pub range: f32,
    /// The residual function r.
    #[serde(default)]
    pub residual: Residual,
    /// ω₀ of the sine residual.
    #[serde(default = "default_omega_0")]
    pub omega_0: f32,
    /// H, the number of harmonics sin(h ω₀ x) of a node, of which the sine residual is the first; 1 adds none.
    #[serde(default = "default_harmonics", skip_serializing_if = "is_single")]
    pub harmonics: usize,
    /// Standard deviation of the spline part of σ at the start; 0 starts with the residual alone.
    #[serde(default)]
    pub noise_scale: f32,
    /// α, the factor on the initial weights w, as in `sine`.
    #[serde(default = "super::one", skip_serializing_if = "is_one")]
    pub weight_scale: f32,
}

/// Whether weights start as ever, which is not written, so that runs from before they could start otherwise go on.
fn is_one(scale: &f32) -> bool {
    *scale == 1.0
}

fn default_harmonics() -> usize {
    1
}

/// Whether a node has no harmonics beside its function, which is not written, so that runs from before it could have some go on.
fn is_single(harmonics: &usize) -> bool {
    *harmonics == 1
}

/// Most harmonics of a node; beyond them nothing was tried.
const MOST_HARMONICS: usize = 16;

fn default_grid_size() -> usize {
    5
}

fn default_range() -> f32 {
    1.0
}

/// ω₀ = 30 (Sitzmann et al. 2020, §3.2).
fn default_omega_0() -> f32 {
    30.0
}

impl FactoredKan {
    pub(in super::super) const SUMMARY: &'static str =
        "w_1 (r(x) + sum_m c_m B_m(x)) + sum_h w_h sin(h omega_0 x), one spline a node, KAN";

    pub(in super::super) fn examples() -> Vec<Self> {
        let factored = |grid_size, range, residual, noise_scale| Self {
            width: 5,
            grid_size,
            range,
            residual,
            omega_0: 30.0,
            harmonics: 1,
            noise_scale,
            weight_scale: 1.0,
        };
        vec![
            factored(3, 0.5, Residual::Sine, 0.3),
            Self {
                omega_0: 10.0,
                harmonics: 3,
                ..factored(4, 0.5, Residual::Sine, 0.3)
            },
            factored(5, 1.0, Residual::Silu, 0.1),
            factored(1, 1.2, Residual::None, 0.5),
            factored(16, 1.0, Residual::Identity, 0.5),
        ]
    }

    /// The layer whose edges have the functions of these nodes.
    fn edges(&self) -> SplineKan {
        SplineKan {
            width: self.width,
            grid_size: self.grid_size,
            range: self.range,
            residual: self.residual,
            omega_0: self.omega_0,
            noise_scale: self.noise_scale,
        }
    }

    fn nodes(&self, d_in: usize) -> NodeSpline {
        NodeSpline {
            columns: d_in,
            stride: self.harmonics * d_in,
            range: self.range,
            grid_size: self.grid_size,
        }
    }

    /// The functions h = 1..H of a node without its spline: the residual, for a sine with h ω₀.
    fn residuals(&self) -> impl Iterator<Item = SplineKan> {
        (1..=self.harmonics).map(|h| SplineKan {
            omega_0: h as f32 * self.omega_0,
            ..self.edges()
        })
    }

    /// σ(x) and the harmonics beside it, and their derivatives, each `[n, H·d_in]`.
    fn functions(&self, coefficients: &Tensor<2>, input: Tensor<2>) -> [Tensor<2>; 2] {
        let edges = self.edges();
        let [rows, d_in] = input.dims();
        let bases = edges.bases();
        let row = coefficients.clone().reshape([1, bases * d_in]);
        let splines = edges.basis(input.clone()).map(|basis| {
            let terms = (basis * row.clone()).reshape([rows, bases, d_in]);
            terms.sum_dim(1).reshape([rows, d_in])
        });
        let (mut values, mut slopes) = (Vec::new(), Vec::new());
        for residual in self.residuals() {
            let [value, slope] = residual.residual_with_slope(input.clone());
            values.push(value);
            slopes.push(slope);
        }
        let [spline, spline_slope] = splines;
        values[0] = values[0].clone() + spline;
        slopes[0] = slopes[0].clone() + spline_slope;
        [Tensor::cat(values, 1), Tensor::cat(slopes, 1)]
    }

    /// The same without the spline, on slices.
    fn residual_tile(&self, d_in: usize, input: &[f32], value: &mut [f32], slope: &mut [f32]) {
        if self.harmonics > 1 {
            return harmonics_forward(input, d_in, self.omega_0, value, slope);
        }
        self.edges().residual_tile(input, value, slope);
        if self.residual == Residual::None {
            value.fill(0.0);
            slope.fill(0.0);
        }
    }
}

impl Layer for FactoredKan {
    fn d_out(&self, _d_in: usize) -> usize {
        self.width
    }

    fn set_d_out(&mut self, d_out: usize) {
        self.width = d_out;
    }

    fn check(&self, d_in: usize) -> Result<(), String> {
        has_width(self.width)?;
        self.edges().check(d_in)?;
        positive("weight_scale", self.weight_scale)?;
        if !(1..=MOST_HARMONICS).contains(&self.harmonics) {
            return Err(format!(
                "harmonics is {}; it must be from 1 to {MOST_HARMONICS}",
                self.harmonics
            ));
        }
        if self.harmonics > 1 && self.residual != Residual::Sine {
            return Err(format!(
                "harmonics is {}; more than 1 need residual = \"sine\", whose harmonics they are",
                self.harmonics
            ));
        }
        match self.grid_size <= LARGEST_GRID {
            true => Ok(()),
            false => Err(format!(
                "grid_size is {}; it must be from 1 to {LARGEST_GRID}, for more take spline-kan",
                self.grid_size
            )),
        }
    }

    fn parameters(&self, d_in: usize) -> Vec<ParameterSpec> {
        let mut specs = affine::parameters(d_in, self.width);
        if self.harmonics > 1 {
            specs[0].shape.insert(0, self.harmonics);
        }
        specs.push(ParameterSpec::list(
            "node_coefficients",
            &[self.edges().bases(), d_in],
        ));
        specs
    }

    fn initialize(&self, d_in: usize, rng: &mut StdRng) -> Vec<Vec<f32>> {
        let features = self.harmonics * d_in;
        let bound = match self.residual {
            Residual::Sine => (6.0 / features as f32).sqrt() / self.omega_0,
            _ => 1.0 / (features as f32).sqrt(),
        };
        let weight = init::uniform(rng, features * self.width, bound * self.weight_scale);
        let bias = init::torch_default(rng, self.width, d_in);
        // Σ_m B_m(x)² averages 151/315 over an interval.
        let deviation = self.noise_scale / (151.0_f32 / 315.0).sqrt();
        let coefficients = (0..self.edges().bases() * d_in).map(|_| init::normal(rng) * deviation);
        vec![weight, bias, coefficients.collect()]
    }

    fn forward(&self, parameters: &[Tensor<2>], input: Tensor<2>) -> Tensor<2> {
        let [value, _] = self.functions(&parameters[2], input);
        value.matmul(parameters[0].clone()) + parameters[1].clone()
    }

    fn forward_with_tangents(
        &self,
        parameters: &[Tensor<2>],
        input: Tensor<2>,
        tangents: Vec<Tensor<2>>,
    ) -> (Tensor<2>, Vec<Tensor<2>>) {
        let [value, slope] = self.functions(&parameters[2], input);
        let tangents = tangents
            .into_iter()
            .map(|t| {
                let t = t.repeat_dim(1, self.harmonics);
                (slope.clone() * t).matmul(parameters[0].clone())
            })
            .collect();
        let output = value.matmul(parameters[0].clone()) + parameters[1].clone();
        (output, tangents)
    }

    fn tangent_form(&self) -> Option<TangentForm<'_>> {
        Some(TangentForm {
            before: Some(self),
            ..TangentForm::AFFINE
        })
    }

    fn multiply_adds(&self, d_in: usize) -> usize {
        self.harmonics * d_in * self.width
    }

    fn is_separable(&self) -> bool {
        true
    }

    /// The tape holds σ(x) and the harmonics, then their derivatives; the scratch their gradients.
    fn tile_memory(&self, d_in: usize) -> TileMemory {
        let features = self.harmonics * d_in;
        TileMemory {
            tape: 2 * features,
            scratch: features,
            prepared: PreparedWeight::len(features, self.width),
        }
    }

    fn prepare(&self, d_in: usize, parameters: &[Parameter], prepared: &mut [f32]) {
        let features = self.harmonics * d_in;
        PreparedWeight::prepare(features, self.width, &parameters[0].values, prepared);
    }

    fn forward_tile(&self, d_in: usize, tile: TileForward) {
        let features = self.harmonics * d_in;
        let (value, slope) = tile.tape.split_at_mut(self.harmonics * tile.input.len());
        self.residual_tile(d_in, tile.input, value, slope);
        let coefficients = &tile.parameters[2].values;
        node_spline(self.nodes(d_in), coefficients, tile.input, value, slope);
        let bias = Start::Bias(&tile.parameters[1].values);
        PreparedWeight::new(features, self.width, tile.prepared).forward(value, bias, tile.output);
    }

    fn backward_tile(&self, d_in: usize, tile: TileBackward) {
        let (features, length) = (self.harmonics * d_in, self.harmonics * tile.input.len());
        let (value, slope) = tile.tape.split_at(length);
        let [grad_weight, grad_bias, grad_coefficients] = tile.gradients else {
            unreachable!("the layer has a weight, a bias and node coefficients")
        };
        affine::backward_bias(tile.grad_output, grad_bias);
        affine::backward_weight(value, tile.grad_output, self.width, grad_weight);
        let grad = &mut tile.scratch[..length];
        PreparedWeight::new(features, self.width, tile.prepared).backward(
            tile.grad_output,
            Start::Zero,
            grad,
        );
        node_spline_backward(self.nodes(d_in), tile.input, grad, grad_coefficients);
        if let Some(grad_input) = tile.grad_input {
            sum_of_products(slope, grad, d_in, grad_input);
        }
    }
}

/// σ and the harmonics beside it.
impl Pointwise for FactoredKan {
    fn functions(&self) -> usize {
        self.harmonics
    }

    fn jet(
        &self,
        parameters: &[Parameter],
        x: &[f32],
        d: usize,
        [value, slope, curvature]: [&mut [f32]; 3],
    ) {
        let edges = self.edges();
        let columns = self.harmonics * d;
        let coefficients = &parameters[2].values;
        for (h, residual) in self.residuals().enumerate() {
            // The spline is that of the first function.
            let bases = if h == 0 { edges.bases() } else { 0 };
            for (place, &x) in x.iter().enumerate() {
                let (row, column) = (place / d, place % d);
                let mut jet = residual.residual_jet(x);
                for m in 0..bases {
                    let c = coefficients[m * d + column];
                    for (sum, basis) in jet.iter_mut().zip(edges.basis_jet(m, x)) {
                        *sum += c * basis;
                    }
                }
                let at = row * columns + h * d + column;
                [value[at], slope[at], curvature[at]] = jet;
            }
        }
    }

    fn backward(&self, x: &[f32], d: usize, grad: [&[f32]; 2], gradients: &mut [Vec<f32>]) {
        let edges = self.edges();
        for (place, &x) in x.iter().enumerate() {
            let (row, column) = (place / d, place % d);
            let at = row * self.harmonics * d + column;
            for m in 0..edges.bases() {
                let [value, slope, _] = edges.basis_jet(m, x);
                gradients[2][m * d + column] += grad[0][at] * value + grad[1][at] * slope;
            }
        }
    }
}
