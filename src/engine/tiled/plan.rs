//! What follows from the layers before any tile is run.

use rayon::prelude::*;

use super::ROWS_OF_A_PART;
use crate::kernels::{Buffer, second_level_cache};
use crate::model::{Network, Parameters, Source};

/// Activations and tape of a tile, in second-level caches of a core. Measured on five networks: less makes the matrix products too
/// small, more makes them wait for memory; from 1 to 2 there is little difference.
const CACHES_OF_A_TILE: f64 = 1.5;

/// Fewest rows of a tile: with fewer the matrix products are too small to be efficient.
const FEWEST_ROWS: usize = 64;

/// How a network is cut into tiles.
#[derive(Debug)]
pub(super) struct Plan {
    pub network: Network,
    /// Rows of a tile.
    pub rows: usize,
    pub layers: Vec<LayerPlan>,
    /// Most numbers a row between two layers.
    pub widest: usize,
}

/// The sizes of one layer; see [`crate::model::TileMemory`].
#[derive(Debug)]
pub(super) struct LayerPlan {
    pub d_in: usize,
    pub d_out: usize,
    /// Places of its tensors among all parameters.
    pub tensors: std::ops::Range<usize>,
    pub tape: usize,
    pub scratch: usize,
    prepared: usize,
    /// What the layer reads.
    pub source: Source,
    /// The layer whose output is a factor of this one's.
    pub factor: Option<usize>,
    /// Whether a later layer than the next reads the output.
    pub is_read_later: bool,
    /// Numbers of a row's record; 0 for a layer that is not [`crate::model::Scattered`].
    pub record: usize,
}

/// What all tiles read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weights<'a> {
    pub parameters: &'a Parameters,
    /// One for each layer.
    pub prepared: &'a [Buffer],
}

impl Plan {
    pub fn new(network: &Network) -> Self {
        let mut first = 0;
        let layers: Vec<LayerPlan> = network
            .layers_with_d_in()
            .zip(network.is_read_later())
            .map(|((config, d_in), is_read_later)| {
                let layer = config.layer();
                let memory = layer.tile_memory(d_in);
                let tensors = first..first + layer.parameters(d_in).len();
                first = tensors.end;
                LayerPlan {
                    d_in,
                    d_out: layer.d_out(d_in),
                    tensors,
                    tape: memory.tape,
                    scratch: memory.scratch,
                    prepared: memory.prepared,
                    source: layer.source(),
                    factor: layer.factor(),
                    is_read_later,
                    record: layer.scattered().map_or(0, |s| s.record(d_in)),
                }
            })
            .collect();
        let numbers: usize = layers.iter().map(|layer| layer.d_out + layer.tape).sum();
        let bytes_of_a_row = (numbers * size_of::<f32>()).max(1);
        let rows = (CACHES_OF_A_TILE * second_level_cache() as f64) as usize / bytes_of_a_row;
        Self {
            network: network.clone(),
            // Whole vectors of 16 rows suit the kernels.
            rows: (rows / 16 * 16).clamp(FEWEST_ROWS, ROWS_OF_A_PART),
            layers,
            widest: network.widest(),
        }
    }

    /// Whether the first layer is a sum over its inputs, see [`crate::model::Layer::is_separable`], has gradients for each part, and no other layer reads the
    /// coordinates.
    pub fn is_separable(&self) -> bool {
        let reads_coordinates = |layer: &LayerPlan| layer.source == Source::Coordinates;
        self.layers[0].record == 0
            && self.network.layers()[0].layer().is_separable()
            && !self.layers.iter().any(reads_coordinates)
    }

    /// Room for what the layers prepare.
    pub fn prepared_buffers(&self) -> Vec<Buffer> {
        self.layers
            .iter()
            .map(|layer| Buffer::zeros(layer.prepared))
            .collect()
    }

    /// Lets every layer prepare its parameters.
    pub fn prepare(&self, parameters: &Parameters, prepared: &mut [Buffer]) {
        self.network
            .layers()
            .par_iter()
            .zip(&self.layers)
            .zip(prepared)
            .for_each(|((config, layer), prepared)| {
                let tensors = &parameters.tensors[layer.tensors.clone()];
                config.layer().prepare(layer.d_in, tensors, prepared);
            });
    }
}
