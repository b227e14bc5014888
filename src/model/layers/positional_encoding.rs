//! `positional-encoding`: y = [x | cos(2^l s x) | sin(2^l s x)], l = 0..L−1, of every coordinate, s = π (NeRF, Mildenhall et al. 2020, eq. 4, and x beside
//! it as in the authors' code) or 1 (those of others, FINER's among them).
//!
//! Shapes: x `[n, d_in]`, y `[n, d_in + 2 L d_in]`, octave l of coordinate i in column l·d_in + i of its block. Nothing is trained.
//! Derivative: see [`super::waves`].

use std::f32::consts::PI;

use burn::tensor::Tensor;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::super::layer::{Hints, Layer, TileBackward, TileForward, TileMemory};
use super::super::parameters::{Parameter, ParameterSpec};
use super::positive;
use super::waves::Waves;

/// Most octaves: 2²³ periods over an axis are as many as f32 tells apart.
const MOST_OCTAVES: usize = 24;

/// Waves along every axis, each of twice the frequency of the one before; a first layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PositionalEncoding {
    /// L, the number of octaves; 0 goes up to the Nyquist limit of the longest axis.
    #[serde(default)]
    pub octaves: usize,
    /// Whether x is kept beside its waves.
    #[serde(default = "default_with_input")]
    pub with_input: bool,
    /// s, the factor on x within the waves, at most π.
    #[serde(default = "default_input_scale", skip_serializing_if = "is_default")]
    pub input_scale: f32,
}

/// An axis [-1, 1] then holds 2^l whole waves.
fn default_input_scale() -> f32 {
    PI
}

// Serde hands out a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_default(input_scale: &f32) -> bool {
    *input_scale == default_input_scale()
}

fn default_with_input() -> bool {
    true
}

impl PositionalEncoding {
    pub(in super::super) const SUMMARY: &'static str =
        "x beside cos and sin of 2^l pi x, l = 0..L-1, positional encoding";

    pub(in super::super) fn examples() -> Vec<Self> {
        let encoding = |octaves, with_input, input_scale| Self {
            octaves,
            with_input,
            input_scale,
        };
        vec![
            encoding(1, true, PI),
            encoding(4, false, PI),
            encoding(3, true, 1.0),
        ]
    }

    /// Cycles over an axis of octave 0.
    fn first_frequency(&self) -> f32 {
        self.input_scale / PI
    }

    /// `[d_in, L d_in]`: 2^l s/π in row i and column l·d_in + i.
    fn matrix(&self, d_in: usize) -> Vec<f32> {
        let columns = self.octaves * d_in;
        let mut matrix = vec![0.0; d_in * columns];
        for (axis, row) in matrix.chunks_exact_mut(columns).enumerate() {
            for octave in 0..self.octaves {
                row[octave * d_in + axis] = (1 << octave) as f32 * self.first_frequency();
            }
        }
        matrix
    }

    /// The waves of a matrix.
    fn waves<'a>(&self, d_in: usize, frequencies: &'a [f32]) -> Waves<'a> {
        Waves {
            frequencies,
            d_in,
            with_input: self.with_input,
        }
    }
}

impl Layer for PositionalEncoding {
    fn d_out(&self, d_in: usize) -> usize {
        2 * self.octaves * d_in + if self.with_input { d_in } else { 0 }
    }

    fn set_d_out(&mut self, _d_out: usize) {}

    fn derive(&mut self, _d_in: usize, hints: &Hints) {
        let nyquist = hints.nyquist.iter().copied().reduce(f32::max);
        if let (Some(nyquist), 0) = (nyquist, self.octaves) {
            let highest = nyquist / self.first_frequency();
            let octaves = (highest.max(1.0).log2() as usize).saturating_add(1);
            self.octaves = octaves.min(MOST_OCTAVES);
        }
    }

    fn check(&self, _d_in: usize) -> Result<(), String> {
        positive("input_scale", self.input_scale)?;
        if self.input_scale > PI {
            return Err(format!(
                "input_scale is {}; it must be at most π, half a wave a side",
                self.input_scale
            ));
        }
        match (1..=MOST_OCTAVES).contains(&self.octaves) {
            true => Ok(()),
            false => Err(format!(
                "octaves is {}; it must be from 1 to {MOST_OCTAVES}",
                self.octaves
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
        self.waves(d_in, &self.matrix(d_in)).plain(input)
    }

    fn forward_with_tangents(
        &self,
        _parameters: &[Tensor<2>],
        input: Tensor<2>,
        tangents: Vec<Tensor<2>>,
    ) -> (Tensor<2>, Vec<Tensor<2>>) {
        let d_in = input.dims()[1];
        self.waves(d_in, &self.matrix(d_in))
            .plain_with_tangents(input, tangents)
    }

    /// There is no matrix product.
    fn multiply_adds(&self, _d_in: usize) -> usize {
        0
    }

    /// Every output reads one input.
    fn is_separable(&self) -> bool {
        true
    }

    /// Prepared is the matrix of the frequencies.
    fn tile_memory(&self, d_in: usize) -> TileMemory {
        TileMemory {
            prepared: d_in * self.octaves * d_in,
            ..TileMemory::default()
        }
    }

    fn prepare(&self, d_in: usize, _parameters: &[Parameter], prepared: &mut [f32]) {
        prepared.copy_from_slice(&self.matrix(d_in));
    }

    fn forward_tile(&self, d_in: usize, tile: TileForward) {
        self.waves(d_in, tile.prepared)
            .forward_tile(tile.input, tile.output);
    }

    fn backward_tile(&self, d_in: usize, tile: TileBackward) {
        if let Some(grad_input) = tile.grad_input {
            self.waves(d_in, tile.prepared).backward_tile(
                tile.output,
                tile.grad_output,
                grad_input,
            );
        }
    }
}
