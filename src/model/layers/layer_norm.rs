//! `layer-norm`: y = γ x̂ + β, x̂ = (x − μ) / s, s = √(σ² + ε), with the mean μ and the biased variance σ² of a row (Ba et al. 2016,
//! eqs. 3 and 4; ε as in PyTorch).
//!
//! Shapes: x, y `[n, d_in]`, gain γ and bias β `[d_in]`: there are as many outputs as inputs, so that it has no width of its own.
//! Init: γ = 1, β = 0.
//! Derivative: with dc = dx − mean(dx), dy = γ (dc − x̂ mean(x̂ dc)) / s.

use burn::tensor::Tensor;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::super::layer::{Layer, TileBackward, TileForward, TileMemory};
use super::super::parameters::ParameterSpec;
use super::{affine, positive};
use crate::kernels::normalize::{
    MOMENTS, normalize, normalize_backward_gain, normalize_backward_input,
};

/// Rows brought to mean 0 and variance 1, then a gain and a bias for each column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerNorm {
    /// ε, added to the variance.
    #[serde(default = "default_epsilon")]
    pub epsilon: f32,
}

/// ε = 1e-5 (PyTorch's default).
fn default_epsilon() -> f32 {
    1e-5
}

impl LayerNorm {
    pub(in super::super) const SUMMARY: &'static str =
        "gain (x - mean) / sqrt(variance + epsilon) + bias over each row, as wide as its input";

    pub(in super::super) fn examples() -> Vec<Self> {
        [1e-5, 0.5].map(|epsilon| Self { epsilon }).into()
    }

    /// x̂ `[n, d_in]` and 1/s `[n, 1]`.
    fn normalized(&self, input: Tensor<2>) -> [Tensor<2>; 2] {
        let centred = input.clone() - input.mean_dim(1);
        let variance = (centred.clone() * centred.clone()).mean_dim(1);
        let inverse = variance.add_scalar(f64::from(self.epsilon)).sqrt().recip();
        [centred * inverse.clone(), inverse]
    }
}

impl Layer for LayerNorm {
    fn d_out(&self, d_in: usize) -> usize {
        d_in
    }

    fn set_d_out(&mut self, _d_out: usize) {}

    fn check(&self, _d_in: usize) -> Result<(), String> {
        positive("epsilon", self.epsilon)
    }

    fn parameters(&self, d_in: usize) -> Vec<ParameterSpec> {
        vec![
            ParameterSpec::new("gain", &[d_in]),
            ParameterSpec::new("bias", &[d_in]),
        ]
    }

    fn initialize(&self, d_in: usize, _rng: &mut StdRng) -> Vec<Vec<f32>> {
        vec![vec![1.0; d_in], vec![0.0; d_in]]
    }

    fn forward(&self, parameters: &[Tensor<2>], input: Tensor<2>) -> Tensor<2> {
        let [normalized, _] = self.normalized(input);
        normalized * parameters[0].clone() + parameters[1].clone()
    }

    fn forward_with_tangents(
        &self,
        parameters: &[Tensor<2>],
        input: Tensor<2>,
        tangents: Vec<Tensor<2>>,
    ) -> (Tensor<2>, Vec<Tensor<2>>) {
        let [normalized, inverse] = self.normalized(input);
        let gain = parameters[0].clone();
        let tangents = tangents
            .into_iter()
            .map(|t| {
                let centred = t.clone() - t.mean_dim(1);
                let along = (normalized.clone() * centred.clone()).mean_dim(1);
                (centred - normalized.clone() * along) * inverse.clone() * gain.clone()
            })
            .collect();
        (normalized * gain + parameters[1].clone(), tangents)
    }

    /// There is no matrix product.
    fn multiply_adds(&self, _d_in: usize) -> usize {
        0
    }

    /// The tape holds μ and 1/s of each row.
    fn tile_memory(&self, _d_in: usize) -> TileMemory {
        TileMemory {
            tape: MOMENTS,
            ..TileMemory::default()
        }
    }

    fn forward_tile(&self, _d_in: usize, tile: TileForward) {
        normalize(
            tile.input,
            &tile.parameters[0].values,
            &tile.parameters[1].values,
            self.epsilon,
            tile.output,
            tile.tape,
        );
    }

    fn backward_tile(&self, _d_in: usize, tile: TileBackward) {
        let [grad_gain, grad_bias] = tile.gradients else {
            unreachable!("a layer norm has a gain and a bias")
        };
        affine::backward_bias(tile.grad_output, grad_bias);
        normalize_backward_gain(tile.input, tile.tape, tile.grad_output, grad_gain);
        if let Some(grad_input) = tile.grad_input {
            normalize_backward_input(
                tile.input,
                &tile.parameters[0].values,
                tile.tape,
                tile.grad_output,
                grad_input,
            );
        }
    }
}
