//! The CPU engine: forward, loss and backward of a tile of rows in one go, while its activations stay in the cache.
//!
//! A batch is cut into parts, a part into tiles. Every part adds up its own gradients, tile by tile, and the gradients of the parts
//! are summed in order. Parts and tiles follow from the batch and the layers alone, so that the same bits come out whatever the
//! number of threads is. The plain twin is [`super::BurnEngine`] on the same layers.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rayon::prelude::*;

use super::{Batch, Engine, EngineError, Loss, Measured, Profile};
use crate::kernels::Buffer;
use crate::kernels::elementwise::{axpy, l1, mse};
use crate::model::{Network, Parameters, TileBackward, TileForward};

/// Fewest rows of a part: enough that adding its gradients up is little beside computing them, few enough for many threads.
const ROWS_OF_A_PART: usize = 1024;

/// Most parts of a batch, each of which holds a copy of all gradients.
const MOST_PARTS: usize = 64;

/// Bytes of activations and tape in a tile, about the second-level cache of one core; beyond it time goes to memory traffic.
const BYTES_OF_A_TILE: usize = 1 << 20;

/// Fewest rows of a tile: with fewer the matrix products are too small to be efficient.
const FEWEST_ROWS: usize = 64;

/// Runs the tile form of every layer on all cores.
#[derive(Debug, Default)]
pub struct TiledEngine {
    plan: Option<Plan>,
    /// What the layers prepare for all tiles.
    prepared: Vec<Buffer>,
    /// One for each thread.
    workspaces: Vec<Mutex<Workspace>>,
    /// One for each part of a batch.
    parts: Vec<Mutex<Part>>,
    /// Time spent on adding up the parts since the last profile was taken.
    adding_up: Duration,
}

/// What follows from the layers: places in a workspace.
#[derive(Debug, Clone, PartialEq)]
struct Plan {
    network: Network,
    rows: usize,
    tensors: Vec<usize>,
    widths: Vec<usize>,
    tapes: Vec<usize>,
    scratches: Vec<usize>,
    prepared: Vec<usize>,
    widest: usize,
}

/// Activations, tapes and gradients of one tile.
#[derive(Debug, Default)]
struct Workspace {
    activations: Vec<Buffer>,
    tapes: Vec<Buffer>,
    gradients: [Buffer; 2],
    scratch: Buffer,
    /// What this thread's time went to since the last profile was taken.
    profile: Profile,
}

/// What all tiles read.
#[derive(Debug, Clone, Copy)]
struct Weights<'a> {
    parameters: &'a Parameters,
    prepared: &'a [Buffer],
}

/// What one part of a batch adds up.
#[derive(Debug, Default)]
struct Part {
    gradients: Parameters,
    loss: f64,
    squared_error: f64,
}

impl Plan {
    fn new(network: &Network) -> Self {
        let memory: Vec<_> = network
            .layers_with_d_in()
            .map(|(config, d_in)| config.layer().tile_memory(d_in))
            .collect();
        let widths: Vec<usize> = network
            .layers_with_d_in()
            .map(|(config, d_in)| config.layer().d_out(d_in))
            .collect();
        let tapes: Vec<usize> = memory.iter().map(|m| m.tape).collect();
        let numbers: usize = widths.iter().sum::<usize>() + tapes.iter().sum::<usize>();
        let rows = BYTES_OF_A_TILE / (4 * numbers.max(1));
        Self {
            network: network.clone(),
            // Whole vectors of 16 rows suit the kernels.
            rows: (rows / 16 * 16).clamp(FEWEST_ROWS, ROWS_OF_A_PART),
            tensors: network.tensors_per_layer(),
            widths,
            tapes,
            scratches: memory.iter().map(|m| m.scratch).collect(),
            prepared: memory.iter().map(|m| m.prepared).collect(),
            widest: network.widest(),
        }
    }
}

impl Workspace {
    /// Makes room for tiles of the plan.
    fn fit(&mut self, plan: &Plan) {
        let rows = plan.rows;
        let sized = |widths: &[usize]| widths.iter().map(|w| Buffer::zeros(w * rows)).collect();
        self.activations = sized(&plan.widths);
        self.tapes = sized(&plan.tapes);
        self.gradients = [0, 1].map(|_| Buffer::zeros(plan.widest * rows));
        let scratch = plan.scratches.iter().copied().max().unwrap_or(0);
        self.scratch = Buffer::zeros(scratch * rows);
        self.profile = Profile::new(plan.widths.len());
    }

    /// Runs `rows` rows forward; the last activations hold the result.
    fn forward(&mut self, plan: &Plan, weights: Weights, input: &[f32], rows: usize, keep: bool) {
        let mut first = 0;
        for (index, (config, d_in)) in plan.network.layers_with_d_in().enumerate() {
            let (before, after) = self.activations.split_at_mut(index);
            let count = plan.tensors[index];
            let start = Instant::now();
            config.layer().forward_tile(
                d_in,
                TileForward {
                    parameters: &weights.parameters.tensors[first..first + count],
                    prepared: &weights.prepared[index][..plan.prepared[index]],
                    input: before.last().map_or(input, |a| &a[..rows * d_in]),
                    output: &mut after[0][..rows * plan.widths[index]],
                    tape: &mut self.tapes[index][..rows * plan.tapes[index]],
                    keep,
                },
            );
            self.profile.forward[index] += start.elapsed();
            first += count;
        }
    }

    /// Runs the gradient in `gradients[0]` backward and adds to `sums`.
    fn backward(
        &mut self,
        plan: &Plan,
        weights: Weights,
        input: &[f32],
        rows: usize,
        sums: &mut Parameters,
    ) {
        let mut end = weights.parameters.tensors.len();
        let layers: Vec<_> = plan.network.layers_with_d_in().collect();
        for (index, (config, d_in)) in layers.into_iter().enumerate().rev() {
            let first = end - plan.tensors[index];
            let [grad_output, grad_input] = &mut self.gradients;
            let start = Instant::now();
            config.layer().backward_tile(
                d_in,
                TileBackward {
                    parameters: &weights.parameters.tensors[first..end],
                    prepared: &weights.prepared[index][..plan.prepared[index]],
                    input: match index {
                        0 => input,
                        _ => &self.activations[index - 1][..rows * d_in],
                    },
                    output: &self.activations[index][..rows * plan.widths[index]],
                    tape: &mut self.tapes[index][..rows * plan.tapes[index]],
                    grad_output: &mut grad_output[..rows * plan.widths[index]],
                    gradients: &mut sums.tensors[first..end],
                    grad_input: (index > 0).then(|| &mut grad_input[..rows * d_in]),
                    scratch: &mut self.scratch[..rows * plan.scratches[index]],
                },
            );
            self.profile.backward[index] += start.elapsed();
            self.gradients.swap(0, 1);
            end = first;
        }
    }
}

impl TiledEngine {
    /// Makes room for `network` and for `parts` sums of gradients, unless there is room already, and prepares the parameters.
    fn prepare(&mut self, network: &Network, parameters: &Parameters, parts: usize) {
        if self
            .plan
            .as_ref()
            .is_none_or(|plan| plan.network != *network)
        {
            self.plan = None;
            self.prepared.clear();
            self.parts.clear();
            self.workspaces.clear();
        }
        let plan = self.plan.get_or_insert_with(|| Plan::new(network));
        let lengths = plan.prepared.iter().skip(self.prepared.len());
        self.prepared
            .extend(lengths.map(|&length| Buffer::zeros(length)));
        self.workspaces
            .resize_with(rayon::current_num_threads(), || {
                let mut workspace = Workspace::default();
                workspace.fit(plan);
                Mutex::new(workspace)
            });
        while self.parts.len() < parts {
            self.parts.push(Mutex::new(Part {
                gradients: parameters.zeros_like(),
                ..Part::default()
            }));
        }
        let mut rest = &parameters.tensors[..];
        for ((index, (config, d_in)), prepared) in network
            .layers_with_d_in()
            .enumerate()
            .zip(&mut self.prepared)
        {
            let (tensors, behind) = rest.split_at(plan.tensors[index]);
            rest = behind;
            let prepared = &mut prepared[..plan.prepared[index]];
            config.layer().prepare(d_in, tensors, prepared);
        }
    }
}

/// The workspace of the current thread.
fn workspace(workspaces: &[Mutex<Workspace>]) -> std::sync::MutexGuard<'_, Workspace> {
    let index = rayon::current_thread_index().unwrap_or(0);
    workspaces[index]
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
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
        let plan = self.plan.as_ref().expect("prepare made a plan");
        let weights = Weights {
            parameters,
            prepared: &self.prepared,
        };
        let workspaces = &self.workspaces;
        let scale = 1.0 / batch.targets.len() as f32;
        let sums = &self.parts[..parts];
        sums.par_iter()
            .zip(batch.coordinates.par_chunks(part_rows * d_in))
            .zip(batch.targets.par_chunks(part_rows * d_out))
            .for_each(|((part, coordinates), targets)| {
                let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
                let mut workspace = workspace(workspaces);
                part.gradients.fill(0.0);
                (part.loss, part.squared_error) = (0.0, 0.0);
                let tiles = coordinates
                    .chunks(plan.rows * d_in)
                    .zip(targets.chunks(plan.rows * d_out));
                for (input, target) in tiles {
                    let rows = target.len() / d_out;
                    workspace.forward(plan, weights, input, rows, true);
                    let Workspace {
                        activations,
                        gradients,
                        profile,
                        ..
                    } = &mut *workspace;
                    let prediction = &activations[activations.len() - 1][..target.len()];
                    let gradient = &mut gradients[0][..target.len()];
                    let start = Instant::now();
                    let squared_error = mse(prediction, target, gradient, scale);
                    part.squared_error += squared_error;
                    part.loss += match loss {
                        Loss::Mse => squared_error,
                        Loss::L1 => l1(prediction, target, gradient, scale),
                    };
                    profile.loss += start.elapsed();
                    workspace.backward(plan, weights, input, rows, &mut part.gradients);
                }
            });
        let mut parts: Vec<_> = sums
            .iter()
            .map(|part| part.lock().unwrap_or_else(PoisonError::into_inner))
            .collect();
        let measured = Measured {
            loss: parts.iter().map(|p| p.loss).sum(),
            mean_squared_error: parts.iter().map(|p| p.squared_error).sum(),
        };
        let parts: Vec<&Parameters> = parts.iter_mut().map(|p| &p.gradients).collect();
        let start = Instant::now();
        add_up(&parts, gradients);
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
        let plan = self.plan.as_ref().expect("prepare made a plan");
        let weights = Weights {
            parameters,
            prepared: &self.prepared,
        };
        let workspaces = &self.workspaces;
        coordinates
            .par_chunks(plan.rows * network.d_in())
            .zip(values.par_chunks_mut(plan.rows * network.d_out()))
            .for_each(|(input, values)| {
                let mut workspace = workspace(workspaces);
                workspace.forward(plan, weights, input, values.len() / network.d_out(), false);
                let last = workspace.activations.last().expect("a network has a layer");
                values.copy_from_slice(&last[..values.len()]);
            });
        Ok(())
    }

    fn take_profile(&mut self) -> Option<Profile> {
        let layers = self.plan.as_ref().map_or(0, |plan| plan.widths.len());
        let threads = self.workspaces.len();
        let mut profile = Profile {
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
fn add_up(parts: &[&Parameters], total: &mut Parameters) {
    /// Numbers that one thread adds up at a time.
    const PIECE: usize = 16_384;
    for (index, tensor) in total.tensors.iter_mut().enumerate() {
        tensor
            .values
            .par_chunks_mut(PIECE)
            .enumerate()
            .for_each(|(piece, sum)| {
                let place = piece * PIECE..piece * PIECE + sum.len();
                sum.copy_from_slice(&parts[0].tensors[index].values[place.clone()]);
                for part in &parts[1..] {
                    axpy(1.0, &part.tensors[index].values[place.clone()], sum);
                }
            });
    }
}
