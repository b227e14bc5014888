//! What every part of a batch adds up by itself, and the gradients that come of it.

use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

use rayon::prelude::*;

use super::plan::Plan;
use super::workspace::Workspace;
use super::{lock, workspace};
use crate::kernels::Buffer;
use crate::kernels::elementwise::axpy;
use crate::model::{Parameter, Parameters};

/// Numbers that one thread adds up at a time.
const PIECE: usize = 16_384;

/// What one part of a batch adds up.
#[derive(Debug)]
pub(super) struct Part {
    rows: usize,
    /// One for each parameter tensor; empty where there are records instead.
    pub gradients: Vec<Buffer>,
    /// One for each layer, tile after tile; empty for a layer that is not [`crate::model::Scattered`].
    pub records: Vec<Buffer>,
    /// The gradient of the first layer's table, if there is one.
    pub table_gradient: Buffer,
    pub loss: f64,
    pub squared_error: f64,
}

impl Part {
    pub fn new(plan: &Plan, parameters: &Parameters) -> Self {
        let is_scattered = |tensor: &Parameter| plan.layers[tensor.layer].record > 0;
        let zeros = |tensor: &Parameter| match is_scattered(tensor) {
            true => Buffer::default(),
            false => Buffer::zeros(tensor.values.len()),
        };
        Self {
            rows: 0,
            gradients: parameters.tensors.iter().map(zeros).collect(),
            records: vec![Buffer::default(); plan.layers.len()],
            table_gradient: Buffer::default(),
            loss: 0.0,
            squared_error: 0.0,
        }
    }

    /// Sets all sums to zero, for a part of `rows` rows.
    pub fn clear(&mut self, plan: &Plan, rows: usize, table_length: usize) {
        (self.rows, self.loss, self.squared_error) = (rows, 0.0, 0.0);
        grow(&mut self.table_gradient, table_length);
        self.table_gradient[..table_length].fill(0.0);
        for gradient in &mut self.gradients {
            gradient.fill(0.0);
        }
        for (record, layer) in self.records.iter_mut().zip(&plan.layers) {
            grow(record, rows * layer.record);
        }
    }

    /// The records of a layer, one for each tile.
    fn records(&self, plan: &Plan, layer: usize) -> impl Iterator<Item = &[f32]> {
        let width = plan.layers[layer].record;
        self.records[layer][..self.rows * width].chunks(plan.rows * width)
    }
}

/// Makes room for `length` numbers.
fn grow(buffer: &mut Buffer, length: usize) {
    if buffer.len() < length {
        *buffer = Buffer::zeros(length.next_power_of_two());
    }
}

/// Writes the gradients of the layers that are [`crate::model::Scattered`] from the records of all parts.
pub(super) fn scatter(
    plan: &Plan,
    parts: &[Mutex<Part>],
    workspaces: &[Mutex<Workspace>],
    total: &mut Parameters,
) {
    let parts: Vec<MutexGuard<Part>> = parts.iter().map(lock).collect();
    for (index, layer) in plan.layers.iter().enumerate() {
        let Some(scattered) = plan.network.layers()[index].layer().scattered() else {
            continue;
        };
        let records = parts.iter().flat_map(|part| part.records(plan, index));
        let records: Vec<&[f32]> = records.collect();
        let mut rest = &mut total.tensors[layer.tensors.start].values[..];
        let pieces = scattered.pieces(layer.d_in);
        let pieces = pieces.into_iter().map(|length| {
            let (piece, others) = std::mem::take(&mut rest).split_at_mut(length);
            rest = others;
            piece
        });
        let pieces: Vec<&mut [f32]> = pieces.collect();
        assert!(rest.is_empty(), "the pieces must make up the tensor");
        let pieces = pieces.into_par_iter().enumerate().with_max_len(1);
        pieces.for_each(|(piece, gradient)| {
            let start = Instant::now();
            gradient.fill(0.0);
            scattered.add(layer.d_in, piece, &records, gradient);
            workspace(workspaces).profile.backward[index] += start.elapsed();
        });
    }
}

/// Sums the other gradients of all parts, in their order, into `total`.
pub(super) fn add_up(plan: &Plan, parts: &[Mutex<Part>], total: &mut Parameters) {
    for (index, tensor) in total.tensors.iter_mut().enumerate() {
        if plan.layers[tensor.layer].record > 0 {
            continue;
        }
        let pieces = tensor.values.par_chunks_mut(PIECE).enumerate();
        pieces.for_each(|(piece, sum)| {
            let place = piece * PIECE..piece * PIECE + sum.len();
            sum.fill(0.0);
            for part in parts {
                axpy(1.0, &lock(part).gradients[index][place.clone()], sum);
            }
        });
    }
}
