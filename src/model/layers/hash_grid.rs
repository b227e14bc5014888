//! `hash-grid`: trained features at the vertices of grids of several resolutions, interpolated between them (Müller et al. 2022,
//! "Instant Neural Graphics Primitives", §3).
//!
//! y = [y_0 | ... | y_{L-1}], y_l = Σ_v table[row(l, v)] Π_i w_i(v) over the 2^d_in vertices v of the cell around x, with
//! u_i = (x_i + 1)/2 · N_{l,i} and w_i = 1 − |u_i − v_i|; N_{l,i} = round(N_l a_i) cells, at least 1, along an axis of the aspect a_i,
//! and N_l = N_min b^l, b = (N_max/N_min)^(1/(L−1)) (eqs. 2 and 3; there N_l is rounded down). A level with no more than T vertices
//! has a row for each of them; a finer one has T, found by the hash of eq. 4.
//!
//! Shapes: x `[n, d_in]`, d_in from 1 to 4; table `[rows of all levels, F]`; y `[n, L F]`. x outside [-1, 1] counts as the border.
//! Init: U(±1e-4) (§4). The paper trains tables by Adam at a rate of 1e-2; they are no matrices and never get Muon's updates.
//! Derivative: dy_l = Σ_v table[row(l, v)] Σ_i dx_i (±N_{l,i}/2) Π_{k≠i} w_k(v), + for an upper vertex; 0 outside [-1, 1].

use burn::tensor::Tensor;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::super::layer::{Hints, Layer, Scattered, Size, TileBackward, TileForward, TileMemory};
use super::super::parameters::ParameterSpec;
use super::table::{self, Cells, Levels, MOST_ROWS};
use crate::kernels::hash_grid::{FEATURES, HashGridShape, MOST_AXES, MOST_LEVELS};

/// Most cells along an axis.
const MOST_CELLS: usize = 65_536;

/// Cells of the finest level for each sample along the longest axis, when derived from the signal: as 615 cells for 768 samples.
const FINEST_PER_SAMPLE: f32 = 0.8;

/// Grids of features, coarse to fine; a first layer, or one on at most four inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HashGrid {
    /// L, the number of resolutions.
    #[serde(default = "default_levels")]
    pub levels: usize,
    /// F, features of a level: 1, 2, 3, 4 or 8.
    #[serde(default = "default_features")]
    pub features: usize,
    /// T, most rows of a level; not only powers of two. This is what a parameter budget changes.
    #[serde(default = "default_table_size")]
    pub table_size: usize,
    /// N_min, cells of the coarsest level along the longest axis.
    #[serde(default = "default_coarsest")]
    pub coarsest: usize,
    /// N_max, cells of the finest level along the longest axis; 0 is replaced by 0.8 times the samples there.
    #[serde(default)]
    pub finest: usize,
    /// a, the extent of each axis as a part of the longest; when empty, that of the signal, or 1 where the signal has other axes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aspect: Vec<f32>,
}

/// L = 10, enough for factors of about 1.5 between the levels of a picture (the paper has 16 for shapes).
fn default_levels() -> usize {
    10
}

/// F = 2 (table 1).
fn default_features() -> usize {
    2
}

/// T = 2¹⁴, the least in table 1.
fn default_table_size() -> usize {
    1 << 14
}

/// N_min = 16 (table 1).
fn default_coarsest() -> usize {
    16
}

impl HashGrid {
    pub(in super::super) const SUMMARY: &'static str =
        "features at the vertices of hashed grids, coarse to fine, interpolated; Instant NGP";

    pub(in super::super) fn examples() -> Vec<Self> {
        // 3 to 9 cells: some levels have a row for each vertex, others share rows.
        let grid = |levels, features, table_size| Self {
            levels,
            features,
            table_size,
            coarsest: 3,
            finest: 9,
            aspect: vec![],
        };
        vec![grid(3, 2, 100), grid(4, 1, 301), grid(1, 4, 30)]
    }
}

impl Layer for HashGrid {
    fn d_out(&self, _d_in: usize) -> usize {
        self.levels.saturating_mul(self.features)
    }

    fn set_d_out(&mut self, _d_out: usize) {}

    /// T: with the widths of the other layers the number of rows grows in proportion to their weights.
    fn size(&self, _d_in: usize) -> Size {
        Size {
            value: self.table_size,
            most: MOST_ROWS,
            power: 2,
        }
    }

    fn set_size(&mut self, size: usize) {
        self.table_size = size;
    }

    fn is_well_sized(&self, d_in: usize) -> bool {
        self.shape(d_in).is_even()
    }

    fn derive(&mut self, d_in: usize, hints: &Hints) {
        let Some(longest) = hints.nyquist.iter().copied().reduce(f32::max) else {
            return;
        };
        if self.finest == 0 {
            // Two samples for each cycle at the Nyquist limit.
            let finest = (FINEST_PER_SAMPLE * 2.0 * longest).round() as usize;
            self.finest = finest.clamp(self.coarsest, MOST_CELLS.max(self.coarsest));
        }
        if self.aspect.is_empty() {
            self.aspect = table::aspect(d_in, hints);
        }
    }

    fn check(&self, d_in: usize) -> Result<(), String> {
        for (field, value, least, most) in [
            ("levels", self.levels, 1, MOST_LEVELS),
            ("table_size", self.table_size, 1, MOST_ROWS),
            ("coarsest", self.coarsest, 1, MOST_CELLS),
            ("finest", self.finest, self.coarsest, MOST_CELLS),
        ] {
            if !(least..=most).contains(&value) {
                return Err(format!(
                    "{field} is {value}; it must be from {least} to {most}"
                ));
            }
        }
        if !FEATURES.contains(&self.features) {
            return Err(format!(
                "features is {}; it must be one of {FEATURES:?}",
                self.features
            ));
        }
        table::check_axes(d_in, &self.aspect)
    }

    fn parameters(&self, d_in: usize) -> Vec<ParameterSpec> {
        table::parameters(&self.shape(d_in))
    }

    fn initialize(&self, d_in: usize, rng: &mut StdRng) -> Vec<Vec<f32>> {
        table::initialize(&self.shape(d_in), rng)
    }

    fn forward(&self, parameters: &[Tensor<2>], input: Tensor<2>) -> Tensor<2> {
        Cells::new(&self.shape(input.dims()[1]), &input).value(&parameters[0])
    }

    fn forward_with_tangents(
        &self,
        parameters: &[Tensor<2>],
        input: Tensor<2>,
        tangents: Vec<Tensor<2>>,
    ) -> (Tensor<2>, Vec<Tensor<2>>) {
        Cells::new(&self.shape(input.dims()[1]), &input)
            .value_with_tangents(&parameters[0], tangents)
    }

    /// The interpolation: 2^d_in features times their weights, for each output.
    fn multiply_adds(&self, d_in: usize) -> usize {
        (self.levels * self.features) << d_in
    }

    /// The cells are found again on the way back, which takes less time than to keep them.
    fn tile_memory(&self, _d_in: usize) -> TileMemory {
        TileMemory::default()
    }

    fn forward_tile(&self, d_in: usize, tile: TileForward) {
        table::forward_tile(&self.shape(d_in), tile);
    }

    fn backward_tile(&self, d_in: usize, tile: TileBackward) {
        table::backward_tile(&self.shape(d_in), tile);
    }

    fn scattered(&self) -> Option<&dyn Scattered> {
        Some(self)
    }
}

impl Levels for HashGrid {
    fn shape(&self, d_in: usize) -> HashGridShape {
        let (coarsest, finest) = (self.coarsest as f64, self.finest as f64);
        let steps = (self.levels - 1).max(1) as f64;
        let cells = (0..self.levels).map(|level| {
            let longest = coarsest * (finest / coarsest).powf(level as f64 / steps);
            let mut cells = [0; MOST_AXES];
            for (axis, cells) in cells.iter_mut().take(d_in).enumerate() {
                let aspect = self.aspect.get(axis).map_or(1.0, |&a| f64::from(a));
                *cells = (longest * aspect).round().max(1.0) as u32;
            }
            cells
        });
        HashGridShape::new(d_in, self.features, self.table_size as u32, cells)
    }
}
