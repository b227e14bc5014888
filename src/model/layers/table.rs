//! What the layers share that interpolate in a table of trained numbers: where an input lies, both forms, and the gradient of the table.

use std::fmt::Debug;

use burn::tensor::{Int, Tensor, TensorData};
use rand::rngs::StdRng;

use super::super::init;
use super::super::layer::{Hints, Scattered, TileBackward, TileForward};
use super::super::parameters::ParameterSpec;
use super::fourier_kan::constant_row;
use crate::kernels::hash_grid::{
    HashGridShape, MOST_AXES, backward_input, backward_table, forward, record,
};

/// Most rows of a level, 2²⁴ (Müller et al. 2022, table 1).
pub(super) const MOST_ROWS: usize = 1 << 24;

/// A layer whose only tensor is a table of grids.
pub(super) trait Levels: Debug + Send + Sync {
    /// The grids over `d_in` inputs.
    fn shape(&self, d_in: usize) -> HashGridShape;
}

/// A piece is a level.
impl<T: Levels> Scattered for T {
    fn record(&self, d_in: usize) -> usize {
        self.shape(d_in).record()
    }

    fn pieces(&self, d_in: usize) -> Vec<usize> {
        let shape = self.shape(d_in);
        let features = features(&shape);
        shape.rows_of_levels().map(|rows| rows * features).collect()
    }

    fn add(&self, d_in: usize, piece: usize, records: &[&[f32]], gradient: &mut [f32]) {
        let shape = self.shape(d_in);
        for record in records {
            backward_table(&shape, piece, record, gradient);
        }
    }
}

/// Numbers of a row of the table.
fn features(shape: &HashGridShape) -> usize {
    shape.d_out() / shape.level_count()
}

/// The table.
pub(super) fn parameters(shape: &HashGridShape) -> Vec<ParameterSpec> {
    vec![ParameterSpec::list(
        "table",
        &[shape.rows(), features(shape)],
    )]
}

/// U(±1e-4) (Müller et al. 2022, §4).
pub(super) fn initialize(shape: &HashGridShape, rng: &mut StdRng) -> Vec<Vec<f32>> {
    vec![init::uniform(rng, shape.rows() * features(shape), 1e-4)]
}

/// The tile form, forward.
pub(super) fn forward_tile(shape: &HashGridShape, tile: TileForward) {
    forward(shape, tile.input, &tile.parameters[0].values, tile.output);
}

/// The tile form, backward: keeps a record of the tile for the gradient of the table.
pub(super) fn backward_tile(shape: &HashGridShape, tile: TileBackward) {
    record(shape, tile.input, tile.grad_output, tile.record);
    if let Some(grad_input) = tile.grad_input {
        let table = &tile.parameters[0].values;
        backward_input(shape, tile.input, table, tile.grad_output, grad_input);
    }
}

/// The extent of each axis as a part of the longest; nothing where the signal has other axes than the layer.
pub(super) fn aspect(d_in: usize, hints: &Hints) -> Vec<f32> {
    let longest = hints.nyquist.iter().copied().reduce(f32::max);
    match longest.filter(|_| hints.nyquist.len() == d_in) {
        Some(longest) => hints.nyquist.iter().map(|n| n / longest).collect(),
        None => vec![],
    }
}

/// Checks the number of axes and their extents.
pub(super) fn check_axes(d_in: usize, aspect: &[f32]) -> Result<(), String> {
    if let Some(part) = aspect.iter().find(|a| !(0.0..=1.0).contains(*a)) {
        return Err(format!("aspect has {part}; it must be from 0 to 1"));
    }
    if !aspect.is_empty() && aspect.len() != d_in {
        return Err(format!(
            "aspect has {} numbers for {d_in} inputs; give one for each, or leave it out",
            aspect.len()
        ));
    }
    if d_in > MOST_AXES {
        return Err(format!(
            "levels have at most {MOST_AXES} axes, and the layer reads {d_in} inputs; put it first"
        ));
    }
    Ok(())
}

/// Where the rows of an input lie in the table, for every level and corner.
pub(super) struct Cells {
    /// For each corner the rows of the table, `[n·levels]`; bit i of the corner: the upper vertex of axis i.
    rows: Vec<Tensor<1, Int>>,
    /// For each axis the weight of the upper vertex, `[n, levels]`.
    upper: Vec<Tensor<2>>,
    /// For each axis the slope of that weight, `[n, levels]`.
    slopes: Vec<Tensor<2>>,
}

impl Cells {
    /// Which cell an input lies in does not depend on it smoothly, so that it is found on the host, without the devices' different
    /// ways to multiply integers; the weights are differentiated on the device.
    pub fn new(shape: &HashGridShape, input: &Tensor<2>) -> Self {
        let ([n, d_in], levels) = (input.dims(), shape.level_count());
        let x = input.clone().detach().try_into_vec_as::<f64>();
        let x = x.expect("the device gives its numbers back");
        let mut rows = vec![Vec::with_capacity(n * levels); 1 << d_in];
        let [mut lower, mut slopes] = [(); 2].map(|()| vec![Vec::new(); d_in]);
        for x in x.chunks_exact(d_in) {
            for level in 0..levels {
                let mut vertex = [0; MOST_AXES];
                for (i, x) in x.iter().enumerate() {
                    let cells = shape.cells(level)[i];
                    let half = 0.5 * f64::from(cells);
                    vertex[i] = ((x.clamp(-1.0, 1.0) * half + half) as u32).min(cells - 1);
                    lower[i].push(f64::from(vertex[i]));
                    slopes[i].push(if x.abs() > 1.0 { 0.0 } else { half });
                }
                for (corner, rows) in rows.iter_mut().enumerate() {
                    let mut vertex = vertex;
                    for (i, vertex) in vertex.iter_mut().enumerate() {
                        *vertex += (corner >> i & 1) as u32;
                    }
                    rows.push(shape.row_of(level, &vertex[..d_in]) as i32);
                }
            }
        }
        let device = input.device();
        let matrix = |values| constant_row(input, values).reshape([n, levels]);
        let inside = input.clone().clamp(-1.0, 1.0);
        let upper = lower.into_iter().enumerate().map(|(i, lower)| {
            let half = (0..levels).map(|level| 0.5 * f64::from(shape.cells(level)[i]));
            let half = constant_row(input, half.collect());
            inside.clone().narrow(1, i, 1) * half.clone() + half - matrix(lower)
        });
        Self {
            upper: upper.collect(),
            slopes: slopes.into_iter().map(matrix).collect(),
            rows: (rows.into_iter())
                .map(|rows| Tensor::from_data(TensorData::from(&rows[..]), &device))
                .collect(),
        }
    }

    /// Σ over the corners of `weight` `[n, levels]` times the features there, `[n, levels·F]`.
    fn sum(&self, table: &Tensor<2>, weight: impl Fn(usize) -> Tensor<2>) -> Tensor<2> {
        let [n, levels] = self.upper[0].dims();
        let terms = self.rows.iter().enumerate().map(|(corner, rows)| {
            table.clone().select(0, rows.clone()) * weight(corner).reshape([n * levels, 1])
        });
        let sum = terms.reduce(|a, b| a + b).expect("a cell has corners");
        let features = table.dims()[1];
        sum.reshape([n, levels * features])
    }

    /// The features at the input, `[n, levels·F]`.
    pub fn value(&self, table: &Tensor<2>) -> Tensor<2> {
        self.sum(table, |corner| self.weight(corner, None))
    }

    /// The same, and their tangents along `tangents`, each `[n, d_in]`, of the input.
    pub fn value_with_tangents(
        &self,
        table: &Tensor<2>,
        tangents: Vec<Tensor<2>>,
    ) -> (Tensor<2>, Vec<Tensor<2>>) {
        let tangents = tangents.iter().map(|t| self.tangent(table, t));
        (self.value(table), tangents.collect())
    }

    /// Their tangent along one `[n, d_in]`.
    fn tangent(&self, table: &Tensor<2>, tangent: &Tensor<2>) -> Tensor<2> {
        self.sum(table, |corner| {
            let terms = self.slopes.iter().enumerate().map(|(i, slopes)| {
                let moved = slopes.clone() * tangent.clone().narrow(1, i, 1);
                self.weight(corner, Some(i)) * moved
            });
            terms.reduce(|a, b| a + b).expect("a cell has axes")
        })
    }

    /// The product of the weights of a corner on all axes but `without`; of that axis the sign, − at a lower vertex.
    fn weight(&self, corner: usize, without: Option<usize>) -> Tensor<2> {
        let factors = self.upper.iter().enumerate().map(|(i, upper)| {
            let is_upper = corner >> i & 1 == 1;
            match (without == Some(i), is_upper) {
                (true, true) => upper.ones_like(),
                (true, false) => upper.ones_like().neg(),
                (false, true) => upper.clone(),
                (false, false) => upper.clone().neg().add_scalar(1.0),
            }
        });
        factors.reduce(|a, b| a * b).expect("a cell has axes")
    }
}
