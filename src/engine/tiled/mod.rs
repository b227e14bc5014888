//! The CPU engine: forward, loss and backward of a tile of rows in one go, while its activations stay in the cache.
//!
//! A batch is cut into parts, a part into tiles. Every part adds up its own gradients, tile by tile, and the gradients of the parts
//! are summed in order. Parts and tiles follow from the batch, the layers and the cache alone, so that the same bits come out whatever
//! the number of threads is. After the first steps no memory is taken. The plain twin is [`super::BurnEngine`] on the same layers.

mod grid;
mod plan;
mod workspace;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rayon::prelude::*;

use super::{Batch, Engine, EngineError, Loss, Measured, Profile};
use crate::kernels::Buffer;
use crate::kernels::elementwise::{axpy, l1, mse};
use crate::model::{Network, Parameters};
use grid::Grid;
use plan::{Plan, Weights};
use workspace::{Input, Workspace};

/// Fewest rows of a part: enough that adding its gradients up is little beside computing them, few enough for many threads.
const ROWS_OF_A_PART: usize = 1024;

/// Most parts of a batch, each of which holds a copy of all gradients.
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

/// What one part of a batch adds up.
#[derive(Debug)]
struct Part {
    /// One for each parameter tensor.
    gradients: Vec<Buffer>,
    /// The gradient of the first layer's table, if there is one.
    table_gradient: Buffer,
    loss: f64,
    squared_error: f64,
}

impl Part {
    fn new(parameters: &Parameters) -> Self {
        let zeros = |tensor: &crate::model::Parameter| Buffer::zeros(tensor.values.len());
        Self {
            gradients: parameters.tensors.iter().map(zeros).collect(),
            table_gradient: Buffer::default(),
            loss: 0.0,
            squared_error: 0.0,
        }
    }

    fn clear(&mut self, table_length: usize) {
        if self.table_gradient.len() < table_length {
            self.table_gradient = Buffer::zeros(table_length.next_power_of_two());
        }
        self.table_gradient[..table_length].fill(0.0);
        for gradient in &mut self.gradients {
            gradient.fill(0.0);
        }
        (self.loss, self.squared_error) = (0.0, 0.0);
    }
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
            self.parts.push(Mutex::new(Part::new(parameters)));
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
                part.clear(table_length);
                let mut first = index * part_rows;
                for target in targets.chunks(plan.rows * d_out) {
                    let rows = target.len() / d_out;
                    let input = match lookup {
                        Some(lookup) => Input::Lookup(lookup.rows(first, rows)),
                        None => {
                            Input::Coordinates(&batch.coordinates[first * d_in..][..rows * d_in])
                        }
                    };
                    first += rows;
                    workspace.forward(plan, weights, input, rows, true);
                    let (prediction, gradient) = workspace.output(target.len());
                    let start = Instant::now();
                    let squared_error = mse(prediction, target, gradient, scale);
                    part.squared_error += squared_error;
                    part.loss += match loss {
                        Loss::Mse => squared_error,
                        Loss::L1 => l1(prediction, target, gradient, scale),
                    };
                    workspace.profile.loss += start.elapsed();
                    let Part {
                        gradients,
                        table_gradient,
                        ..
                    } = &mut *part;
                    workspace.backward(plan, weights, input, rows, gradients, table_gradient);
                }
            });
        if is_grid {
            self.grid.backward(plan, weights, workspaces, parts);
        }
        let start = Instant::now();
        add_up(parts, gradients);
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

/// Sums the gradients of all parts, in their order, into `total`.
fn add_up(parts: &[Mutex<Part>], total: &mut Parameters) {
    /// Numbers that one thread adds up at a time.
    const PIECE: usize = 16_384;
    for (index, tensor) in total.tensors.iter_mut().enumerate() {
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
