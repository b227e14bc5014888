//! `integer-sine`: y_j = sin(π k_j·x + φ_j), k_j in whole numbers that are not trained: the filter of BACON (Lindell et al. 2022), periodic on [-1, 1].
//!
//! Shapes: x `[n, d_in]`, k `[d_in, d_out]`, φ `[d_out]`, y `[n, d_out]`. k follows from `seed`, by a generator that belongs to the model format.
//! Every number of k is drawn evenly from −B to B, so that y has no frequency above B cycles over an axis, and a product of such filters none above the sum of
//! their B.
//! Init: φ in U(±π), as theirs.
//! Derivative: dy_j = π cos(π k_j·x + φ_j) (dx·k_j).

use std::f32::consts::PI;

use burn::tensor::Tensor;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::super::init;
use super::super::layer::{Hints, Layer, TileBackward, TileForward, TileMemory};
use super::super::parameters::{Parameter, ParameterSpec};
use super::affine::{self, PreparedWeight};
use super::fourier_kan::constant_row;
use super::trigonometry::reduce_phase;
use super::{has_width, is_open, positive};
use crate::kernels::elementwise::multiply_in_place;
use crate::kernels::matmul::Start;
use crate::kernels::trigonometry::sine_forward;

/// Most cycles over an axis, far above any signal's Nyquist limit and small enough that π k is exact enough in f32.
const MOST_BAND: usize = 1 << 20;

/// Waves of whole frequencies with trained phases; reads coordinates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntegerSine {
    /// Number of outputs.
    #[serde(default, skip_serializing_if = "is_open")]
    pub width: usize,
    /// B, the highest frequency in cycles over an axis; 0 is replaced by `share` of the signal's highest.
    #[serde(default)]
    pub band: usize,
    /// The part of the signal's Nyquist limit that B is when it is left open, above 0 and at most 1.
    #[serde(default = "default_share")]
    pub share: f32,
    /// What k is drawn from.
    #[serde(default)]
    pub seed: u64,
}

fn default_share() -> f32 {
    0.25
}

impl IntegerSine {
    pub(in super::super) const SUMMARY: &'static str =
        "sin(pi k x + phi), k whole, random and fixed, BACON";

    pub(in super::super) fn examples() -> Vec<Self> {
        [(3, 0), (1, 7)]
            .map(|(band, seed)| Self {
                width: 5,
                band,
                share: 1.0,
                seed,
            })
            .into()
    }

    /// π k `[d_in, d_out]`.
    fn matrix(&self, d_in: usize) -> Vec<f32> {
        let (least, count) = (-(self.band as f64), 2.0 * self.band as f64 + 1.0);
        let uniform = init::fixed_uniform(self.seed).take(d_in * self.width);
        // In (0, 1], so that the last number is met from below.
        uniform
            .map(|u| PI * (least + (u * count).ceil() - 1.0) as f32)
            .collect()
    }

    /// π k x + φ and π k.
    fn phase(&self, parameters: &[Tensor<2>], input: &Tensor<2>) -> [Tensor<2>; 2] {
        let d_in = input.dims()[1];
        let matrix = self.matrix(d_in).into_iter().map(f64::from).collect();
        let matrix = constant_row(input, matrix).reshape([d_in, self.width]);
        let phase = input.clone().matmul(matrix.clone()) + parameters[0].clone();
        [reduce_phase(phase), matrix]
    }
}

impl Layer for IntegerSine {
    fn d_out(&self, _d_in: usize) -> usize {
        self.width
    }

    fn set_d_out(&mut self, d_out: usize) {
        self.width = d_out;
    }

    fn derive(&mut self, _d_in: usize, hints: &Hints) {
        let nyquist = hints.nyquist.iter().copied().reduce(f32::max);
        if let (Some(nyquist), 0) = (nyquist, self.band) {
            self.band = ((self.share * nyquist) as usize).clamp(1, MOST_BAND);
        }
    }

    fn check(&self, _d_in: usize) -> Result<(), String> {
        has_width(self.width)?;
        positive("share", self.share)?;
        if self.share > 1.0 {
            return Err(format!("share is {}; it must be at most 1", self.share));
        }
        match (1..=MOST_BAND).contains(&self.band) {
            true => Ok(()),
            false => Err(format!(
                "band is {}; it must be from 1 to {MOST_BAND}",
                self.band
            )),
        }
    }

    fn parameters(&self, _d_in: usize) -> Vec<ParameterSpec> {
        vec![ParameterSpec::new("bias", &[self.width])]
    }

    fn initialize(&self, _d_in: usize, rng: &mut StdRng) -> Vec<Vec<f32>> {
        vec![init::uniform(rng, self.width, PI)]
    }

    fn forward(&self, parameters: &[Tensor<2>], input: Tensor<2>) -> Tensor<2> {
        let [phase, _] = self.phase(parameters, &input);
        phase.sin()
    }

    fn forward_with_tangents(
        &self,
        parameters: &[Tensor<2>],
        input: Tensor<2>,
        tangents: Vec<Tensor<2>>,
    ) -> (Tensor<2>, Vec<Tensor<2>>) {
        let [phase, matrix] = self.phase(parameters, &input);
        let slope = phase.clone().cos();
        let tangents = tangents
            .into_iter()
            .map(|t| slope.clone() * t.matmul(matrix.clone()));
        let tangents = tangents.collect();
        (phase.sin(), tangents)
    }

    fn multiply_adds(&self, d_in: usize) -> usize {
        d_in * self.width
    }

    /// The tape holds cos(π k x + φ).
    fn tile_memory(&self, d_in: usize) -> TileMemory {
        TileMemory {
            tape: self.width,
            scratch: 0,
            prepared: PreparedWeight::len(d_in, self.width),
        }
    }

    fn prepare(&self, d_in: usize, _parameters: &[Parameter], prepared: &mut [f32]) {
        PreparedWeight::prepare(d_in, self.width, &self.matrix(d_in), prepared);
    }

    fn forward_tile(&self, d_in: usize, tile: TileForward) {
        let bias = Start::Bias(&tile.parameters[0].values);
        let weight = PreparedWeight::new(d_in, self.width, tile.prepared);
        weight.forward(tile.input, bias, tile.output);
        sine_forward(tile.output, 1.0, tile.tape);
    }

    fn backward_tile(&self, d_in: usize, tile: TileBackward) {
        multiply_in_place(tile.grad_output, tile.tape);
        affine::backward_bias(tile.grad_output, &mut tile.gradients[0]);
        if let Some(grad_input) = tile.grad_input {
            let weight = PreparedWeight::new(d_in, self.width, tile.prepared);
            weight.backward(tile.grad_output, Start::Zero, grad_input);
        }
    }
}
