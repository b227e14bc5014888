//! The CPU engine: forward, loss and backward of a tile of rows in one go, while its activations stay in the cache.
//!
//! A batch is cut into parts, a part into tiles. Every part adds up its own gradients, tile by tile, and the gradients of the parts
//! are summed in order. A table of which a row needs few numbers only has one gradient for all parts, see [`crate::model::Scattered`].
//! Parts and tiles follow from the batch, the layers and the cache alone, so that the same bits come out whatever the number of
//! threads is. After the first steps no memory is taken but for lists of tiles. The plain twin is [`super::BurnEngine`] on the same
//! layers.

mod grid;
mod part;
mod plan;
mod tangents;
mod workspace;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use burn::tensor::Device;
use rayon::prelude::*;

use super::{Batch, BurnEngine, Engine, EngineError, Loss, Measured, Profile};
use crate::kernels::Buffer;
use crate::kernels::loss::{l1, mse};
use crate::model::{Network, Parameters};
use grid::Grid;
use part::Part;
use plan::{Plan, Weights};
use workspace::{Input, Workspace};

/// Fewest rows of a part: enough that adding its gradients up is little beside computing them, few enough for many threads.
const ROWS_OF_A_PART: usize = 1024;

/// Most parts of a batch, each of which holds a copy of all gradients but those of tables.
const MOST_PARTS: usize = 64;

/// Runs the tile form of every layer on all cores.
#[derive(Debug, Default)]
pub struct TiledEngine {
    plan: Option<Plan>,
    /// What each layer prepares for all tiles.
    prepared: Vec<Buffer>,
    /// One for each thread.
    workspaces: Vec<Mutex<Workspace>>,
    /// One for each part of a batch.
    parts: Vec<Mutex<Part>>,
    /// The first layer on the axes of a grid.
    grid: Grid,
    /// Since the last profile was taken: preparing the parameters, and adding up the gradients of the parts.
    preparing: Duration,
    adding_up: Duration,
}

impl TiledEngine {
    /// Makes room for `network` and for `parts` sums of gradients, unless there is room already, and prepares the parameters.
    fn prepare(&mut self, network: &Network, parameters: &Parameters, parts: usize) {
        if self.plan.as_ref().is_none_or(|p| p.network != *network) {
            let plan = Plan::new(network);
            self.prepared = plan.prepared_buffers();
            self.workspaces.clear();
            self.parts.clear();
            self.plan = Some(plan);
        }
        let plan = self.plan.as_ref().expect("a plan was made");
        self.workspaces
            .resize_with(rayon::current_num_threads(), || {
                Mutex::new(Workspace::new(plan))
            });
        while self.parts.len() < parts {
            self.parts.push(Mutex::new(Part::new(plan, parameters)));
        }
        let start = Instant::now();
        plan.prepare(parameters, &mut self.prepared);
        self.preparing += start.elapsed();
    }
}

/// Locks without regard to a thread that panicked: all is overwritten before it is read.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The workspace of the current thread.
fn workspace(workspaces: &[Mutex<Workspace>]) -> MutexGuard<'_, Workspace> {
    lock(&workspaces[rayon::current_thread_index().unwrap_or(0)])
}

impl Engine for TiledEngine {
    fn loss_and_gradients(
        &mut self,
        network: &Network,
        parameters: &Parameters,
        batch: &Batch,
        loss: Loss,
        gradients: &mut Parameters,
    ) -> Result<Measured, EngineError> {
        if loss.needs_normals() {
            return match tangents::suits(network) {
                true => Ok(tangents::loss_and_gradients(
                    network, parameters, batch, gradients,
                )),
                // A layer kind without a tile form of its derivative rule has a plain one.
                false => BurnEngine::new(Device::flex())
                    .loss_and_gradients(network, parameters, batch, loss, gradients),
            };
        }
        let (d_in, d_out) = (network.d_in(), network.d_out());
        let rows = batch.targets.len() / d_out;
        let part_rows = rows.div_ceil(MOST_PARTS).max(ROWS_OF_A_PART);
        let parts = rows.div_ceil(part_rows);
        self.prepare(network, parameters, parts);
        let plan = self.plan.as_ref().expect("a plan was made");
        let weights = Weights {
            parameters,
            prepared: &self.prepared,
        };
        let (parts, workspaces) = (&self.parts[..parts], &self.workspaces);
        let is_grid = plan.is_separable() && self.grid.find(&batch.coordinates, d_in);
        let mut table_length = 0;
        if is_grid {
            self.grid.fill(plan, weights, workspaces);
            table_length = self.grid.table_len(plan);
        }
        let lookup = is_grid.then(|| self.grid.lookup(plan));
        let scale = 1.0 / batch.targets.len() as f32;
        parts
            .par_iter()
            .zip(batch.targets.par_chunks(part_rows * d_out))
            .enumerate()
            .for_each(|(index, (part, targets))| {
                let mut part = lock(part);
                let mut workspace = workspace(workspaces);
                part.clear(plan, targets.len() / d_out, table_length);
                for (tile, target) in targets.chunks(plan.rows * d_out).enumerate() {
                    let (place, rows) = (tile * plan.rows, target.len() / d_out);
                    let first = index * part_rows + place;
                    let input = match lookup {
                        Some(lookup) => Input::Lookup(lookup.rows(first, rows)),
                        None => {
                            Input::Coordinates(&batch.coordinates[first * d_in..][..rows * d_in])
                        }
                    };
                    workspace.forward(plan, weights, input, rows, true);
                    let (prediction, gradient) = workspace.output(target.len());
                    let start = Instant::now();
                    let squared_error = mse(prediction, target, gradient, batch.slack, scale);
                    part.squared_error += squared_error;
                    part.loss += match loss {
                        Loss::Mse => squared_error,
                        Loss::L1 => l1(prediction, target, gradient, batch.slack, scale),
                        Loss::Oriented => unreachable!("handled above"),
                    };
                    workspace.profile.loss += start.elapsed();
                    workspace.backward(plan, weights, input, place..place + rows, &mut part);
                }
            });
        if is_grid {
            self.grid.backward(plan, weights, workspaces, parts);
        }
        part::scatter(plan, parts, workspaces, gradients);
        let start = Instant::now();
        part::add_up(plan, parts, gradients);
        let measured = Measured {
            loss: parts.iter().map(|part| lock(part).loss).sum(),
            mean_squared_error: parts.iter().map(|part| lock(part).squared_error).sum(),
        };
        self.adding_up += start.elapsed();
        Ok(measured)
    }

    fn evaluate(
        &mut self,
        network: &Network,
        parameters: &Parameters,
        coordinates: &[f32],
        values: &mut [f32],
    ) -> Result<(), EngineError> {
        self.prepare(network, parameters, 0);
        let plan = self.plan.as_ref().expect("a plan was made");
        let weights = Weights {
            parameters,
            prepared: &self.prepared,
        };
        let (d_in, d_out) = (network.d_in(), network.d_out());
        let is_grid = plan.is_separable() && self.grid.find(coordinates, d_in);
        if is_grid {
            self.grid.fill(plan, weights, &self.workspaces);
        }
        let lookup = is_grid.then(|| self.grid.lookup(plan));
        values
            .par_chunks_mut(plan.rows * d_out)
            .enumerate()
            .for_each(|(tile, values)| {
                let (first, rows) = (tile * plan.rows, values.len() / d_out);
                let input = match lookup {
                    Some(lookup) => Input::Lookup(lookup.rows(first, rows)),
                    None => Input::Coordinates(&coordinates[first * d_in..][..rows * d_in]),
                };
                let mut workspace = workspace(&self.workspaces);
                workspace.forward(plan, weights, input, rows, false);
                values.copy_from_slice(workspace.output(values.len()).0);
            });
        Ok(())
    }

    fn take_profile(&mut self) -> Option<Profile> {
        let layers = self.plan.as_ref().map_or(0, |plan| plan.layers.len());
        let threads = self.workspaces.len();
        let mut profile = Profile {
            preparation: std::mem::take(&mut self.preparing),
            gradient_sum: std::mem::take(&mut self.adding_up),
            ..Profile::new(layers)
        };
        for workspace in &mut self.workspaces {
            let workspace = workspace.get_mut().unwrap_or_else(PoisonError::into_inner);
            profile.take_thread(&mut workspace.profile, threads);
        }
        Some(profile)
    }
}
