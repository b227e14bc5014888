//! `grid`: a value at every vertex of one dense grid over [-1, 1]^d_in, interpolated between them; no network at all.
//!
//! y = Σ_v table[v] Π_i w_i(v) over the 2^d_in vertices v of the cell around x, as one level of [`super::HashGrid`] without hashing. The cells along an axis are
//! in proportion to its extent, as many as `vertices` allows.
//!
//! Shapes: x `[n, d_in]`, d_in from 1 to 4; table `[vertices, d_out]`; y `[n, d_out]`. x outside [-1, 1] counts as the border.
//! Init: U(±1e-4), as for hash grids.
//! Derivative: that of the hash grid.

use burn::tensor::Tensor;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::super::layer::{Hints, Layer, Scattered, Size, TileBackward, TileForward, TileMemory};
use super::super::parameters::ParameterSpec;
use super::is_open;
use super::table::{self, Cells, Levels, MOST_ROWS};
use crate::kernels::hash_grid::{FEATURES, HashGridShape, MOST_AXES};

/// A dense grid of trained values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// Number of outputs, the values at a vertex: 1, 2, 3, 4 or 8; the last layer of a network may leave it out.
    #[serde(default, skip_serializing_if = "is_open")]
    pub width: usize,
    /// Most vertices, but for two on every axis. This is what a parameter budget changes.
    #[serde(default = "default_vertices")]
    pub vertices: usize,
    /// The extent of each axis as a part of the longest; when empty, that of the signal, or 1 where the signal has other axes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aspect: Vec<f32>,
}

/// As a level of a hash grid has rows.
fn default_vertices() -> usize {
    1 << 14
}

impl Grid {
    pub(in super::super) const SUMMARY: &'static str =
        "values at the vertices of one dense grid, interpolated; no network";

    pub(in super::super) fn examples() -> Vec<Self> {
        let grid = |width, vertices| Self {
            width,
            vertices,
            aspect: vec![],
        };
        vec![grid(3, 100), grid(4, 300)]
    }

    /// Cells along each axis: as many as `vertices` allows with one scale for all axes, then one more on each axis in turn.
    fn cells(&self, d_in: usize) -> [u32; MOST_AXES] {
        let at_scale = |scale: f64| {
            let mut cells = [0; MOST_AXES];
            for (axis, cells) in cells.iter_mut().take(d_in).enumerate() {
                let aspect = self.aspect.get(axis).map_or(1.0, |&a| f64::from(a));
                *cells = (scale * aspect).max(1.0) as u32;
            }
            cells
        };
        let fits = |cells: &[u32; MOST_AXES]| {
            let vertices = cells[..d_in].iter().map(|&c| f64::from(c) + 1.0);
            vertices.product::<f64>() <= self.vertices as f64
        };
        let (mut low, mut high) = (1.0, self.vertices as f64);
        for _ in 0..40 {
            let middle = 0.5 * (low + high);
            match fits(&at_scale(middle)) {
                true => low = middle,
                false => high = middle,
            }
        }
        let mut cells = at_scale(low);
        for axis in 0..d_in {
            let mut more = cells;
            more[axis] += 1;
            if fits(&more) {
                cells = more;
            }
        }
        cells
    }
}

impl Layer for Grid {
    fn d_out(&self, _d_in: usize) -> usize {
        self.width
    }

    fn set_d_out(&mut self, d_out: usize) {
        self.width = d_out;
    }

    /// With the widths of other layers the number of vertices grows in proportion to their weights.
    fn size(&self, _d_in: usize) -> Size {
        Size {
            value: self.vertices,
            most: MOST_ROWS,
            power: 2,
        }
    }

    fn set_size(&mut self, size: usize) {
        self.vertices = size;
    }

    fn derive(&mut self, d_in: usize, hints: &Hints) {
        if self.aspect.is_empty() {
            self.aspect = table::aspect(d_in, hints);
        }
    }

    fn check(&self, d_in: usize) -> Result<(), String> {
        if !FEATURES.contains(&self.width) {
            return Err(format!(
                "width is {}; a grid holds {FEATURES:?} values a vertex",
                self.width
            ));
        }
        if !(1..=MOST_ROWS).contains(&self.vertices) {
            return Err(format!(
                "vertices is {}; it must be from 1 to {MOST_ROWS}",
                self.vertices
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

    /// The interpolation: 2^d_in values times their weights, for each output.
    fn multiply_adds(&self, d_in: usize) -> usize {
        self.width << d_in
    }

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

impl Levels for Grid {
    fn shape(&self, d_in: usize) -> HashGridShape {
        HashGridShape::new(d_in, self.width, u32::MAX, [self.cells(d_in)])
    }
}
