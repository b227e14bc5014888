//! Adam and AdamW.

use rayon::prelude::*;

use super::{OptimizerConfig, OptimizerKind, PIECE};
use crate::kernels::optimizer::{self, AdamStep};

/// First and second moment of one parameter tensor (Kingma and Ba 2015, algorithm 1).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Adam {
    pub m: Vec<f32>,
    pub v: Vec<f32>,
}

impl Adam {
    pub fn new(count: usize) -> Self {
        Self {
            m: vec![0.0; count],
            v: vec![0.0; count],
        }
    }

    pub fn step(
        &mut self,
        config: &OptimizerConfig,
        steps: u64,
        factor: f64,
        parameters: &mut [f32],
        gradients: &[f32],
    ) {
        let power = i32::try_from(steps).unwrap_or(i32::MAX);
        let decay = match config.kind {
            OptimizerKind::AdamW => config.weight_decay,
            OptimizerKind::Adam | OptimizerKind::Muon => 0.0,
        };
        let step = AdamStep {
            learning_rate: (config.learning_rate * factor) as f32,
            beta_1: config.beta_1 as f32,
            beta_2: config.beta_2 as f32,
            epsilon: config.epsilon as f32,
            bias_correction_1: (1.0 - config.beta_1.powi(power)) as f32,
            bias_correction_2: (1.0 - config.beta_2.powi(power)) as f32,
            weight_decay: decay as f32,
        };
        parameters
            .par_chunks_mut(PIECE)
            .zip(gradients.par_chunks(PIECE))
            .zip(self.m.par_chunks_mut(PIECE))
            .zip(self.v.par_chunks_mut(PIECE))
            .for_each(|(((parameters, gradients), m), v)| {
                optimizer::adam(parameters, gradients, m, v, step);
            });
    }
}
