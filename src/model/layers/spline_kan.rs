//! `spline-kan`: a residual function and a cubic B-spline on every edge (Liu et al. 2024, eqs. 2.10–2.12).
//!
//! y_j = b_j + Σ_i [ w_ij r(x_i) + Σ_{m=0..G+2} c_mij B_m(x_i) ]
//!
//! Shapes: x `[n, d_in]`; residual weights w `[d_in, d_out]`; coefficients c `[G+3, d_in, d_out]`; b `[d_out]`; y `[n, d_out]`.
//! The knots are uniform, G intervals of width h = 2R/G on [-R, R]; B_m is the cardinal cubic B-spline centred on
//! −R + (m−1) h: B(u) = ((2−|u|)₊³ − 4 (1−|u|)₊³)/6 with u the distance to the centre in units of h. Four of them are not zero at
//! any x. Outside [-R, R] every B_m goes on along its tangent at the border, so that no input ever meets a zero gradient
//! (a deviation from pykan, where the spline is zero there). The bias stands in for pykan's node-wise affine map.
//! Derivative: dy_j = Σ_i dx_i [ w_ij r'(x_i) + Σ_m c_mij B'_m(x_i) ].

use burn::tensor::{Tensor, activation};
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::super::init;
use super::super::layer::{Layer, TileBackward, TileForward, TileMemory};
use super::super::parameters::{Parameter, ParameterSpec};
use super::super::tangents::{Pointwise, TangentForm};
use super::affine::{self, PreparedWeight};
use super::form::silu;
use super::fourier_kan::constant_row;
use super::trigonometry::reduce_phase;
use super::{has_width, is_open, positive};
use crate::kernels::activation::silu_with_derivative;
use crate::kernels::elementwise::{add_bias_rows, multiply_in_place};
use crate::kernels::jets::silu_jet;
use crate::kernels::matmul::Start;
use crate::kernels::spline_layer::{self, SplineShape};
use crate::kernels::trigonometry::sine_forward;

/// The residual function r beside the spline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Residual {
    /// r(x) = x / (1 + e^−x), pykan's default.
    #[default]
    Silu,
    /// r(x) = x.
    Identity,
    /// r(x) = sin(ω₀ x): the edge is a SIREN neuron plus a spline.
    Sine,
    /// No residual: splines alone.
    None,
}

/// A residual function and a cubic B-spline on every edge, and a bias.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplineKan {
    /// Number of outputs; the last layer of a network may leave it out.
    #[serde(default, skip_serializing_if = "is_open")]
    pub width: usize,
    /// G, the number of knot intervals.
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
    /// Standard deviation of the initial spline part of the output; 0 starts with the residual alone.
    #[serde(default = "default_noise_scale")]
    pub noise_scale: f32,
}

/// G = 5 (efficient-kan's default).
fn default_grid_size() -> usize {
    5
}

fn default_range() -> f32 {
    1.0
}

fn default_omega_0() -> f32 {
    30.0
}

fn default_noise_scale() -> f32 {
    0.1
}

impl SplineKan {
    pub(in super::super) const SUMMARY: &'static str =
        "w r(x) + sum_m c_m B_m(x) on every edge (cubic B-splines), KAN";

    pub(in super::super) fn examples() -> Vec<Self> {
        let spline = |grid_size, range, residual, noise_scale| Self {
            width: 5,
            grid_size,
            range,
            residual,
            omega_0: 30.0,
            noise_scale,
        };
        vec![
            spline(5, 1.0, Residual::Silu, 0.1),
            spline(3, 0.5, Residual::Sine, 0.3),
            spline(8, 1.5, Residual::Identity, 0.1),
            spline(1, 1.0, Residual::None, 0.5),
            // As few outputs as a picture has channels.
            Self {
                width: 3,
                ..spline(5, 1.0, Residual::Silu, 0.5)
            },
            // More intervals than are sorted without counting.
            spline(20, 1.0, Residual::Sine, 0.5),
            // More outputs than one vector, more intervals than are counted.
            Self {
                width: 19,
                ..spline(70, 1.0, Residual::Silu, 0.5)
            },
        ]
    }

    /// G + 3, the number of B-splines that reach into [-R, R].
    pub fn bases(&self) -> usize {
        self.grid_size + 3
    }

    fn has_residual(&self) -> bool {
        self.residual != Residual::None
    }

    /// Values and slopes of all B-splines at x, each `[n, (G+3)·d_in]`, column m·d_in + i.
    pub(super) fn basis(&self, input: Tensor<2>) -> [Tensor<2>; 2] {
        let d_in = input.dims()[1];
        let range = f64::from(self.range);
        let inverse_h = self.grid_size as f64 / (2.0 * range);
        let inside = input.clone().clamp(-range, range);
        let excess = (input - inside.clone()).repeat_dim(1, self.bases());
        // Centres in units of h: (−R + (m − 1) h) / h.
        let centres: Vec<f64> = (0..self.bases() * d_in)
            .map(|column| (column / d_in) as f64 - 1.0 - range * inverse_h)
            .collect();
        let row = constant_row(&inside, centres);
        let u = inside.mul_scalar(inverse_h).repeat_dim(1, self.bases()) - row;
        let sign = u.clone().detach().sign();
        let distance = u.abs();
        let a = activation::relu(distance.clone().neg().add_scalar(2.0));
        let b = activation::relu(distance.neg().add_scalar(1.0));
        let (a2, b2) = (a.clone() * a.clone(), b.clone() * b.clone());
        let slope = sign * (b2.clone().mul_scalar(4.0) - a2.clone()).mul_scalar(0.5 * inverse_h);
        let value = (a2 * a - (b2 * b).mul_scalar(4.0)).div_scalar(6.0);
        [value + slope.clone() * excess, slope]
    }

    /// r(x) and r'(x).
    pub(super) fn residual_with_slope(&self, input: Tensor<2>) -> [Tensor<2>; 2] {
        match self.residual {
            Residual::Silu => silu(input),
            Residual::Identity => {
                let slope = input.ones_like();
                [input, slope]
            }
            Residual::Sine => {
                let omega_0 = f64::from(self.omega_0);
                let phase = reduce_phase(input.mul_scalar(omega_0));
                [phase.clone().sin(), phase.cos().mul_scalar(omega_0)]
            }
            Residual::None => [input.zeros_like(), input.zeros_like()],
        }
    }

    /// B_m(x), B_m'(x) and B_m''(x).
    pub(super) fn basis_jet(&self, m: usize, x: f32) -> [f32; 3] {
        let inverse_h = self.grid_size as f32 / (2.0 * self.range);
        let inside = x.clamp(-self.range, self.range);
        let excess = x - inside;
        // As in `Self::basis`.
        let u = inside * inverse_h - (m as f32 - 1.0 - self.range * inverse_h);
        let (a, b) = ((2.0 - u.abs()).max(0.0), (1.0 - u.abs()).max(0.0));
        let slope = u.signum() * (4.0 * b * b - a * a) * 0.5 * inverse_h;
        let value = (a * a * a - 4.0 * b * b * b) / 6.0 + slope * excess;
        // Straight lines beyond the knots.
        let bend = if excess == 0.0 { a - 4.0 * b } else { 0.0 };
        [value, slope, bend * inverse_h * inverse_h]
    }

    /// r(x), r'(x) and r''(x).
    pub(super) fn residual_jet(&self, x: f32) -> [f32; 3] {
        match self.residual {
            Residual::Silu => silu_jet(x),
            Residual::Identity => [x, 1.0, 0.0],
            Residual::Sine => {
                let (sin, cos) = (self.omega_0 * x).sin_cos();
                [sin, self.omega_0 * cos, -self.omega_0 * self.omega_0 * sin]
            }
            Residual::None => [0.0; 3],
        }
    }

    /// r(x) and r'(x) on slices.
    pub(super) fn residual_tile(&self, input: &[f32], value: &mut [f32], slope: &mut [f32]) {
        match self.residual {
            Residual::Silu => silu_with_derivative(input, value, slope),
            Residual::Identity => {
                value.copy_from_slice(input);
                slope.fill(1.0);
            }
            Residual::Sine => {
                value.copy_from_slice(input);
                sine_forward(value, self.omega_0, slope);
            }
            Residual::None => {}
        }
    }
}

impl Layer for SplineKan {
    fn d_out(&self, _d_in: usize) -> usize {
        self.width
    }

    fn set_d_out(&mut self, d_out: usize) {
        self.width = d_out;
    }

    fn check(&self, _d_in: usize) -> Result<(), String> {
        has_width(self.width)?;
        if !(1..=8192).contains(&self.grid_size) {
            return Err(format!(
                "grid_size is {}; it must be from 1 to 8192",
                self.grid_size
            ));
        }
        positive("range", self.range)?;
        // Knots nearer than this have no reciprocal distance in f32.
        if self.range < 1e-6 {
            return Err(format!("range is {}; it must be at least 1e-6", self.range));
        }
        positive("omega_0", self.omega_0)?;
        if !(self.noise_scale.is_finite() && self.noise_scale >= 0.0) {
            return Err(format!(
                "noise_scale is {}; it must be 0 or more",
                self.noise_scale
            ));
        }
        Ok(())
    }

    fn parameters(&self, d_in: usize) -> Vec<ParameterSpec> {
        let mut specs = vec![
            ParameterSpec::new("coefficients", &[self.bases(), d_in, self.width]),
            ParameterSpec::new("bias", &[self.width]),
        ];
        if self.has_residual() {
            specs.push(ParameterSpec::new("residual", &[d_in, self.width]));
        }
        specs
    }

    fn initialize(&self, d_in: usize, rng: &mut StdRng) -> Vec<Vec<f32>> {
        // Σ_m B_m(x)² averages 151/315 over an interval, the self-correlation of the cubic B-spline, so that the sum over
        // d_in edges has the standard deviation noise_scale.
        let scale = self.noise_scale / (d_in as f32 * 151.0 / 315.0).sqrt();
        let coefficients = (0..self.bases() * d_in * self.width)
            .map(|_| init::normal(rng) * scale)
            .collect();
        let mut values = vec![coefficients, vec![0.0; self.width]];
        let count = d_in * self.width;
        match self.residual {
            // SIREN's bound, for the sine is SIREN's (Sitzmann et al. 2020, §3.2), and its bias.
            Residual::Sine => {
                let bound = (6.0 / d_in as f32).sqrt() / self.omega_0;
                values.push(init::uniform(rng, count, bound));
                values[1] = init::torch_default(rng, self.width, d_in);
            }
            Residual::Silu | Residual::Identity => {
                values.push(init::torch_default(rng, count, d_in));
            }
            Residual::None => {}
        }
        values
    }

    fn forward(&self, parameters: &[Tensor<2>], input: Tensor<2>) -> Tensor<2> {
        let [basis, _] = self.basis(input.clone());
        let mut output = basis.matmul(parameters[0].clone()) + parameters[1].clone();
        if self.has_residual() {
            let [residual, _] = self.residual_with_slope(input);
            output = output + residual.matmul(parameters[2].clone());
        }
        output
    }

    fn forward_with_tangents(
        &self,
        parameters: &[Tensor<2>],
        input: Tensor<2>,
        tangents: Vec<Tensor<2>>,
    ) -> (Tensor<2>, Vec<Tensor<2>>) {
        let [_, basis_slope] = self.basis(input.clone());
        let residual_slope = self
            .has_residual()
            .then(|| self.residual_with_slope(input.clone())[1].clone());
        let tangents = tangents
            .into_iter()
            .map(|t| {
                let spline = basis_slope.clone() * t.clone().repeat_dim(1, self.bases());
                let mut out = spline.matmul(parameters[0].clone());
                if let Some(slope) = &residual_slope {
                    out = out + (slope.clone() * t).matmul(parameters[2].clone());
                }
                out
            })
            .collect();
        (self.forward(parameters, input), tangents)
    }

    fn tangent_form(&self) -> Option<TangentForm<'_>> {
        let weights: &[usize] = if self.has_residual() { &[0, 2] } else { &[0] };
        Some(TangentForm {
            before: Some(self),
            weights,
            ..TangentForm::AFFINE
        })
    }

    /// The four B-splines that are not zero at a point, and the residual function.
    fn multiply_adds(&self, d_in: usize) -> usize {
        (4 + usize::from(self.has_residual())) * d_in * self.width
    }

    fn is_separable(&self) -> bool {
        true
    }

    /// The tape holds what `spline_layer::locate` finds, then r(x), then r'(x).
    fn tile_memory(&self, d_in: usize) -> TileMemory {
        let mut memory = TileMemory {
            tape: spline_layer::TAPE * d_in,
            scratch: 0,
            prepared: self.shape(d_in).prepared_len(),
        };
        if self.has_residual() {
            memory.tape += 2 * d_in;
            memory.prepared += PreparedWeight::len(d_in, self.width);
        }
        memory
    }

    fn prepare(&self, d_in: usize, parameters: &[Parameter], prepared: &mut [f32]) {
        let shape = self.shape(d_in);
        let (coefficients, residual) = prepared.split_at_mut(shape.prepared_len());
        spline_layer::prepare(shape, &parameters[0].values, coefficients);
        if self.has_residual() {
            PreparedWeight::prepare(d_in, self.width, &parameters[2].values, residual);
        }
    }

    fn forward_tile(&self, d_in: usize, tile: TileForward) {
        let shape = self.shape(d_in);
        let (located, residual) = tile
            .tape
            .split_at_mut(tile.input.len() * spline_layer::TAPE);
        let (coefficients, weight) = tile.prepared.split_at(shape.prepared_len());
        let bias = &tile.parameters[1].values;
        if self.has_residual() {
            let (value, slope) = residual.split_at_mut(tile.input.len());
            self.residual_tile(tile.input, value, slope);
            PreparedWeight::new(d_in, self.width, weight).forward(
                value,
                Start::Bias(bias),
                tile.output,
            );
        } else {
            tile.output.fill(0.0);
            add_bias_rows(tile.output, bias);
        }
        spline_layer::locate(shape, tile.input, located);
        spline_layer::forward(shape, located, coefficients, tile.output);
    }

    fn backward_tile(&self, d_in: usize, tile: TileBackward) {
        let (shape, grad_output) = (self.shape(d_in), &*tile.grad_output);
        let (located, residual) = tile.tape.split_at(tile.input.len() * spline_layer::TAPE);
        let (value, slope) = residual.split_at(residual.len() / 2);
        let (coefficients, weight) = tile.prepared.split_at(shape.prepared_len());
        let [grad_coefficients, grad_bias, grad_residual @ ..] = tile.gradients else {
            unreachable!("a spline layer has coefficients and a bias")
        };
        spline_layer::backward_coefficients(shape, located, grad_output, grad_coefficients);
        affine::backward_bias(grad_output, grad_bias);
        if let [grad_residual] = grad_residual {
            affine::backward_weight(value, grad_output, self.width, grad_residual);
        }
        let Some(grad_input) = tile.grad_input else {
            return;
        };
        if self.has_residual() {
            PreparedWeight::new(d_in, self.width, weight).backward(
                grad_output,
                Start::Zero,
                grad_input,
            );
            multiply_in_place(grad_input, slope);
        } else {
            grad_input.fill(0.0);
        }
        spline_layer::backward_input(shape, located, coefficients, grad_output, grad_input);
    }
}

impl SplineKan {
    fn shape(&self, d_in: usize) -> SplineShape {
        SplineShape {
            d_in,
            d_out: self.width,
            range: self.range,
            grid_size: self.grid_size,
        }
    }
}

impl Pointwise for SplineKan {
    /// The B-splines, then the residual function.
    fn functions(&self) -> usize {
        self.bases() + usize::from(self.has_residual())
    }

    fn jet(
        &self,
        _parameters: &[Parameter],
        x: &[f32],
        d: usize,
        [value, slope, curvature]: [&mut [f32]; 3],
    ) {
        let columns = self.functions() * d;
        let place =
            |row: usize, function: usize, input: usize| row * columns + function * d + input;
        for (row, x) in x.chunks_exact(d).enumerate() {
            for (input, &x) in x.iter().enumerate() {
                for basis in 0..self.bases() {
                    let at = place(row, basis, input);
                    [value[at], slope[at], curvature[at]] = self.basis_jet(basis, x);
                }
                if self.has_residual() {
                    let at = place(row, self.bases(), input);
                    [value[at], slope[at], curvature[at]] = self.residual_jet(x);
                }
            }
        }
    }
}
