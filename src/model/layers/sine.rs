//! `sine`: y = sin(ω₀ (x W + b)), the layer of SIREN (Sitzmann et al. 2020, eq. 5 and §3.2).
//!
//! Shapes: x `[n, d_in]`, W `[d_in, d_out]`, b `[d_out]`, y `[n, d_out]`.
//! Init: W in U(±α/d_in) for the first layer, U(±α √(6/d_in)/ω₀) for the others, α = 1 in the paper; b as in the authors' code, U(±1/√d_in).
//! Derivative: dy = ω₀ cos(ω₀ (x W + b)) (dx W).

use burn::tensor::Tensor;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::super::init;
use super::super::layer::{Hints, Layer, TileBackward, TileForward, TileMemory};
use super::super::parameters::{Parameter, ParameterSpec};
use super::super::tangents::{Pointwise, TangentForm};
use super::affine::{self, PreparedWeight};
use super::trigonometry::reduce_phase;
use super::{has_width, is_open, positive};
use crate::kernels::elementwise::{multiply_in_place, scale};
use crate::kernels::trigonometry::{sine_forward, sine_in_place};

/// A matrix, a bias and a sine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sine {
    /// Number of outputs.
    #[serde(default, skip_serializing_if = "is_open")]
    pub width: usize,
    /// ω₀, the factor inside the sine; 0 in a first layer derives it from the spectrum of the signal.
    #[serde(default = "default_omega_0")]
    pub omega_0: f32,
    /// Whether the layer reads coordinates, which selects the paper's first-layer init.
    #[serde(default)]
    pub first: bool,
    /// α, the factor on the initial weights; above 1 the network starts with higher frequencies ("Fast Neural Fields", ICLR 2025,
    /// which scales all but the last layer), below 1 smoother, which suits Muon (docs/search-on-pictures.md).
    #[serde(default = "super::one")]
    pub weight_scale: f32,
}

/// ω₀ = 30 (Sitzmann et al. 2020, §3.2).
fn default_omega_0() -> f32 {
    30.0
}

/// A derived ω₀ is this times √f, f the largest root-mean-square frequency of the signal in cycles an axis. A line through the best
/// of ω₀ = 30, 60 and 90 for three photographs with f from 17 to 55; the paper's 30 belongs to f = 4.
const OMEGA_PER_ROOT_FREQUENCY: f32 = 15.0;

/// The same on a single axis, where other axes lend it no frequencies: near the best of two to four ω₀ on a cello (f = 4,450) and two
/// speakers (11,140 and 23,452), see docs/sound.md.
const OMEGA_PER_ROOT_FREQUENCY_OF_ONE_AXIS: f32 = 150.0;

/// Bounds of a derived ω₀ on several axes: beyond them nothing was tried.
const DERIVED_OMEGA: [f32; 2] = [10.0, 200.0];

impl Sine {
    pub(in super::super) const SUMMARY: &'static str = "sin(omega_0 (x W + b)), SIREN";

    pub(in super::super) fn examples() -> Vec<Self> {
        let sine = |omega_0, first| Self {
            width: 5,
            omega_0,
            first,
            weight_scale: 1.0,
        };
        vec![sine(30.0, true), sine(30.0, false), sine(3.0, false)]
    }

    fn phase(&self, parameters: &[Tensor<2>], input: Tensor<2>) -> Tensor<2> {
        let z = input.matmul(parameters[0].clone()) + parameters[1].clone();
        reduce_phase(z.mul_scalar(self.omega_0))
    }
}

impl Layer for Sine {
    fn d_out(&self, _d_in: usize) -> usize {
        self.width
    }

    fn set_d_out(&mut self, d_out: usize) {
        self.width = d_out;
    }

    fn derive(&mut self, d_in: usize, hints: &Hints) {
        let frequency = hints.rms_frequency.iter().copied().reduce(f32::max);
        if let (Some(frequency), true) = (frequency, self.first && self.omega_0 == 0.0) {
            let [least, most] = DERIVED_OMEGA;
            self.omega_0 = match d_in {
                1 => (OMEGA_PER_ROOT_FREQUENCY_OF_ONE_AXIS * frequency.sqrt()).max(least),
                _ => (OMEGA_PER_ROOT_FREQUENCY * frequency.sqrt()).clamp(least, most),
            };
        }
    }

    fn check(&self, _d_in: usize) -> Result<(), String> {
        has_width(self.width)?;
        positive("omega_0", self.omega_0)?;
        positive("weight_scale", self.weight_scale)
    }

    fn parameters(&self, d_in: usize) -> Vec<ParameterSpec> {
        affine::parameters(d_in, self.width)
    }

    fn initialize(&self, d_in: usize, rng: &mut StdRng) -> Vec<Vec<f32>> {
        let bound = if self.first {
            1.0 / d_in as f32
        } else {
            (6.0 / d_in as f32).sqrt() / self.omega_0
        };
        let bound = bound * self.weight_scale;
        vec![
            init::uniform(rng, d_in * self.width, bound),
            init::torch_default(rng, self.width, d_in),
        ]
    }

    fn forward(&self, parameters: &[Tensor<2>], input: Tensor<2>) -> Tensor<2> {
        self.phase(parameters, input).sin()
    }

    fn forward_with_tangents(
        &self,
        parameters: &[Tensor<2>],
        input: Tensor<2>,
        tangents: Vec<Tensor<2>>,
    ) -> (Tensor<2>, Vec<Tensor<2>>) {
        let phase = self.phase(parameters, input);
        let slope = phase.clone().cos().mul_scalar(self.omega_0);
        let tangents = tangents
            .into_iter()
            .map(|t| slope.clone() * t.matmul(parameters[0].clone()))
            .collect();
        (phase.sin(), tangents)
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

    /// The tape holds dy/dz = ω₀ cos(ω₀ z).
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
            sine_forward(tile.output, self.omega_0, tile.tape);
        } else {
            sine_in_place(tile.output, self.omega_0);
        }
    }

    fn backward_tile(&self, d_in: usize, tile: TileBackward) {
        multiply_in_place(tile.grad_output, tile.tape);
        affine::backward_tile(d_in, self.width, tile);
    }
}

impl Pointwise for Sine {
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
        sine_forward(value, self.omega_0, slope);
        curvature.copy_from_slice(value);
        scale(-self.omega_0 * self.omega_0, curvature);
    }
}
