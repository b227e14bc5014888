//! Muon: momentum whose every matrix is made orthogonal before it is applied.

use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::newton_schulz::{Workspace, at_least, newton_schulz};
use super::{OptimizerConfig, PIECE};
use crate::kernels::Buffer;
use crate::kernels::elementwise::axpy;
use crate::kernels::optimizer::nesterov;
use crate::model::Parameter;

/// Momentum of one parameter tensor `[.., d_in, d_out]`. Each `[d_in, d_out]` slice is a matrix of its own; but in the first layer, whose
/// d_in are the coordinates, the tensor is one matrix from all basis functions of all coordinates to the outputs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Muon {
    pub momentum: Vec<f32>,
    /// Rows and columns of a matrix.
    matrix: [usize; 2],
}

impl Muon {
    pub fn new(parameter: &Parameter) -> Self {
        let axes = parameter.shape.len();
        let matrix = match parameter.layer {
            0 => parameter.matrix_shape(),
            _ => [parameter.shape[axes - 2], parameter.shape[axes - 1]],
        };
        Self {
            momentum: vec![0.0; parameter.values.len()],
            matrix,
        }
    }

    /// m ← μ m + (1 − μ) g; u = μ m + (1 − μ) g (Nesterov); W ← W − η orthogonal(u) (Jordan et al. 2024), η from
    /// [`OptimizerConfig::muon_rate`].
    pub fn step(
        &mut self,
        config: &OptimizerConfig,
        factor: f64,
        parameter: &mut Parameter,
        gradients: &[f32],
        memory: &Memory,
    ) {
        let [rows, columns] = self.matrix;
        let slice = rows * columns;
        let rate = (config.muon_rate(rows, columns) * factor) as f32;
        let mu = config.momentum as f32;
        parameter
            .values
            .par_chunks_mut(slice)
            .zip(gradients.par_chunks(slice))
            .zip(self.momentum.par_chunks_mut(slice))
            .for_each(|((weights, gradients), momentum)| {
                memory.lend(|(update, workspace)| {
                    let update = at_least(update, slice);
                    gradients
                        .par_chunks(PIECE)
                        .zip(momentum.par_chunks_mut(PIECE))
                        .zip(update.par_chunks_mut(PIECE))
                        .for_each(|((g, m), update)| nesterov(g, m, update, mu));
                    newton_schulz(update, rows, columns, workspace);
                    weights
                        .par_chunks_mut(PIECE)
                        .zip(update.par_chunks(PIECE))
                        .for_each(|(weights, update)| axpy(-rate, update, weights));
                });
            });
    }
}

/// The update of a matrix, and what it takes to make it orthogonal.
type Room = (Buffer, Workspace);

/// Memory for as many matrices as are worked on at a time. Between steps it holds nothing of worth, so that all are equal and a clone
/// starts without any.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<Vec<Room>>);

impl Memory {
    fn lend(&self, work: impl FnOnce(&mut Room)) {
        let free = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut room = free().pop().unwrap_or_default();
        work(&mut room);
        free().push(room);
    }
}

impl Clone for Memory {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Memory {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
