//! Muon: momentum whose every matrix is made orthogonal before it is applied.

use rayon::prelude::*;

use super::OptimizerConfig;
use crate::kernels::optimizer::{newton_schulz, newton_schulz_scratch};
use crate::model::Parameter;

/// Momentum of one parameter tensor `[.., d_in, d_out]`; each `[d_in, d_out]` slice is a matrix of its own.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Muon {
    pub momentum: Vec<f32>,
}

impl Muon {
    pub fn new(parameter: &Parameter) -> Self {
        Self {
            momentum: vec![0.0; parameter.values.len()],
        }
    }

    /// m ← μ m + (1 − μ) g; u = μ m + (1 − μ) g (Nesterov); W ← W − η √max(1, d_out/d_in) orthogonal(u) (Jordan et al. 2024, whose
    /// matrices are `[d_out, d_in]`).
    pub fn step(
        &mut self,
        config: &OptimizerConfig,
        factor: f64,
        parameter: &mut Parameter,
        gradients: &[f32],
    ) {
        let axes = parameter.shape.len();
        let [rows, columns] = [parameter.shape[axes - 2], parameter.shape[axes - 1]];
        let slice = rows * columns;
        let shape_factor = (columns as f64 / rows as f64).max(1.0).sqrt();
        let rate = (config.muon_learning_rate * factor * shape_factor) as f32;
        let mu = config.momentum as f32;
        parameter
            .values
            .par_chunks_mut(slice)
            .zip(gradients.par_chunks(slice))
            .zip(self.momentum.par_chunks_mut(slice))
            .for_each(|((weights, gradients), momentum)| {
                let mut update: Vec<f32> = momentum
                    .iter_mut()
                    .zip(gradients)
                    .map(|(m, &g)| {
                        *m = mu * *m + (1.0 - mu) * g;
                        mu * *m + (1.0 - mu) * g
                    })
                    .collect();
                let mut scratch = vec![0.0; newton_schulz_scratch(rows, columns)];
                newton_schulz(&mut update, rows, columns, &mut scratch);
                for (weight, step) in weights.iter_mut().zip(&update) {
                    *weight -= rate * step;
                }
            });
    }
}
