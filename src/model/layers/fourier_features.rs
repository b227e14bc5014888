//! `fourier-features`: y = [cos(π x B) | sin(π x B)], B in N(0, σ²), drawn once and not trained (Tancik et al. 2020, §5: 2π B v there, with v in
//! [0, 1] where x is in [-1, 1], so that σ is in cycles over an axis in both).
//!
//! Shapes: x `[n, d_in]`, B `[d_in, M]`, y `[n, 2M]`. B follows from `seed`, by a generator that belongs to the model format: a file holds
//! the seed, not the numbers.
//! Derivative: see [`super::waves`].

use burn::tensor::Tensor;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::super::init;
use super::super::layer::{
    Hints, Layer, MOST_OUTPUTS, Size, TileBackward, TileForward, TileMemory,
};
use super::super::parameters::{Parameter, ParameterSpec};
use super::positive;
use super::waves::Waves;

/// σ for each cycle of the signal's root-mean-square frequency, when it is derived.
const SIGMA_PER_FREQUENCY: f32 = 0.5;

/// Waves of random directions and frequencies; a first layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FourierFeatures {
    /// M, the number of frequencies; each has a cosine and a sine.
    #[serde(default = "default_frequencies")]
    pub frequencies: usize,
    /// σ, the standard deviation of the frequencies, in cycles over an axis; 0 derives it from the spectrum of the signal.
    #[serde(default)]
    pub sigma: f32,
    /// What B is drawn from.
    #[serde(default)]
    pub seed: u64,
}

/// M = 256 (Tancik et al. 2020, §6.1).
fn default_frequencies() -> usize {
    256
}

impl FourierFeatures {
    pub(in super::super) const SUMMARY: &'static str =
        "cos and sin of pi x B, B random and fixed, Fourier features";

    pub(in super::super) fn examples() -> Vec<Self> {
        let features = |frequencies, sigma, seed| Self {
            frequencies,
            sigma,
            seed,
        };
        vec![features(3, 0.7, 0), features(17, 2.0, 5)]
    }

    /// B `[d_in, M]`.
    fn matrix(&self, d_in: usize) -> Vec<f32> {
        let mut matrix = init::fixed_normal(self.seed, d_in * self.frequencies);
        for value in &mut matrix {
            *value *= self.sigma;
        }
        matrix
    }
}

/// The waves of a matrix.
fn waves(d_in: usize, frequencies: &[f32]) -> Waves<'_> {
    Waves {
        frequencies,
        d_in,
        with_input: false,
    }
}

impl Layer for FourierFeatures {
    fn d_out(&self, _d_in: usize) -> usize {
        2 * self.frequencies
    }

    fn set_d_out(&mut self, _d_out: usize) {}

    /// M.
    fn size(&self, _d_in: usize) -> Size {
        Size {
            value: self.frequencies,
            most: MOST_OUTPUTS / 2,
            power: 1,
        }
    }

    fn set_size(&mut self, size: usize) {
        self.frequencies = size;
    }

    fn derive(&mut self, _d_in: usize, hints: &Hints) {
        let frequency = hints.rms_frequency.iter().copied().reduce(f32::max);
        if let (Some(frequency), true) = (frequency, self.sigma == 0.0) {
            self.sigma = (SIGMA_PER_FREQUENCY * frequency).max(1.0);
        }
    }

    fn check(&self, _d_in: usize) -> Result<(), String> {
        positive("sigma", self.sigma)?;
        match (1..=MOST_OUTPUTS / 2).contains(&self.frequencies) {
            true => Ok(()),
            false => Err(format!(
                "frequencies is {}; it must be from 1 to {}",
                self.frequencies,
                MOST_OUTPUTS / 2
            )),
        }
    }

    fn parameters(&self, _d_in: usize) -> Vec<ParameterSpec> {
        vec![]
    }

    fn initialize(&self, _d_in: usize, _rng: &mut StdRng) -> Vec<Vec<f32>> {
        vec![]
    }

    fn forward(&self, _parameters: &[Tensor<2>], input: Tensor<2>) -> Tensor<2> {
        let d_in = input.dims()[1];
        waves(d_in, &self.matrix(d_in)).plain(input)
    }

    fn forward_with_tangents(
        &self,
        _parameters: &[Tensor<2>],
        input: Tensor<2>,
        tangents: Vec<Tensor<2>>,
    ) -> (Tensor<2>, Vec<Tensor<2>>) {
        let d_in = input.dims()[1];
        waves(d_in, &self.matrix(d_in)).plain_with_tangents(input, tangents)
    }

    fn multiply_adds(&self, d_in: usize) -> usize {
        d_in * self.frequencies
    }

    /// Prepared is B.
    fn tile_memory(&self, d_in: usize) -> TileMemory {
        TileMemory {
            prepared: d_in * self.frequencies,
            ..TileMemory::default()
        }
    }

    fn prepare(&self, d_in: usize, _parameters: &[Parameter], prepared: &mut [f32]) {
        prepared.copy_from_slice(&self.matrix(d_in));
    }

    fn forward_tile(&self, d_in: usize, tile: TileForward) {
        waves(d_in, tile.prepared).forward_tile(tile.input, tile.output);
    }

    fn backward_tile(&self, d_in: usize, tile: TileBackward) {
        if let Some(grad_input) = tile.grad_input {
            waves(d_in, tile.prepared).backward_tile(tile.output, tile.grad_output, grad_input);
        }
    }
}
