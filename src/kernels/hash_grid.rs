//! Multiresolution hash encoding (Müller et al. 2022, §3): grids of several resolutions over [-1, 1]^D, a row of F features at every
//! vertex, and between the vertices multilinear interpolation; y = [features of level 0 | features of level 1 | ...].
//!
//! All rows lie in one table, level after level. A level whose vertices are no more than T has a row for each of them; a finer level
//! has T rows, and a vertex v finds its own at (v_0 π_0 ⊕ v_1 π_1 ⊕ ...) mod T (eq. 4), which other vertices may share.
//! Inputs outside [-1, 1] count as the border, and the slope there is 0.
//!
//! The level is the outer loop, so that the rows of a tile meet one part of the table at a time. The cells of a block of rows are
//! found in loops that vectorise, see [`cells`]; the features there are fetched row by row.

mod cells;

use super::{dispatch, mul_add};
use cells::{Cells, ROWS};

/// Most inputs of a row.
pub const MOST_AXES: usize = 4;

/// F: how many features a vertex may have.
pub const FEATURES: [usize; 5] = [1, 2, 3, 4, 8];

/// Most resolutions of a grid.
pub const MOST_LEVELS: usize = 32;

/// π_i of eq. 4; the fourth is from the authors' code (tiny-cuda-nn).
const PRIMES: [u32; MOST_AXES] = [1, 2_654_435_761, 805_459_861, 3_674_653_429];

/// The resolutions of a grid and where their rows lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HashGridShape {
    /// Inputs of a row, from 1 to [`MOST_AXES`].
    d_in: usize,
    /// F, one of [`FEATURES`].
    features: usize,
    count: usize,
    levels: [Level; MOST_LEVELS],
}

/// One resolution.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Level {
    /// Cells along each axis; one more vertices.
    cells: [u32; MOST_AXES],
    /// The first of its rows in the table.
    first: u32,
    /// How many rows it has.
    rows: u32,
    /// What a vertex number is multiplied by: the stride of its axis, or π.
    factors: [u32; MOST_AXES],
    /// Whether vertices share rows.
    hashed: bool,
    /// ⌊(2³² − 1) / rows⌋.
    reciprocal: u32,
}

impl HashGridShape {
    /// A grid over `d_in` axes with the given `cells` of each level, `features` at a vertex, and at most `table_size` T rows a level.
    pub fn new(
        d_in: usize,
        features: usize,
        table_size: u32,
        cells: impl IntoIterator<Item = [u32; MOST_AXES]>,
    ) -> Self {
        let (mut count, mut first) = (0, 0);
        let mut levels = [Level::default(); MOST_LEVELS];
        for (level, cells) in levels.iter_mut().zip(cells) {
            *level = Level::new(&cells[..d_in], first, table_size);
            first += level.rows;
            count += 1;
        }
        Self {
            d_in,
            features,
            count,
            levels,
        }
    }

    /// Rows of the table.
    pub fn rows(&self) -> usize {
        self.rows_of_levels().sum()
    }

    /// Rows of the table that belong to each level.
    pub fn rows_of_levels(&self) -> impl Iterator<Item = usize> {
        self.levels().iter().map(|level| level.rows as usize)
    }

    /// Numbers that [`record`] writes for a row.
    pub fn record(&self) -> usize {
        self.d_in + self.d_out()
    }

    /// Numbers of an encoded row.
    pub fn d_out(&self) -> usize {
        self.count * self.features
    }

    /// The row of a vertex of a level in the table; `vertex`: `[d_in]`.
    pub fn row_of(&self, level: usize, vertex: &[u32]) -> u32 {
        let level = &self.levels()[level];
        let terms = vertex.iter().zip(level.factors);
        let terms = terms.map(|(v, factor)| v.wrapping_mul(factor));
        level.first + level.row(terms.fold(0, |sum, term| level.join(sum, term)))
    }

    /// How many resolutions there are.
    pub fn level_count(&self) -> usize {
        self.count
    }

    /// The cells of a level along each axis.
    pub fn cells(&self, level: usize) -> &[u32] {
        &self.levels()[level].cells[..self.d_in]
    }

    /// Whether the vertices of the finest level are spread over its rows no worse than by chance, or nearly.
    ///
    /// The factors of the hash are meant for tables of 2^n rows. For some other numbers of rows T the first hashed axis moves on by few rows at a step, since
    /// y π mod 2³² mod T hardly drifts, so that most rows are never taken: of 19,304 rows a picture takes 20 %.
    pub fn is_even(&self) -> bool {
        /// Most vertices that are looked at; the pattern is the same everywhere.
        const MOST_VERTICES: f64 = 1_048_576.0;
        /// Variance of the vertices of a row by their mean; by chance it is 1 (a Poisson distribution).
        const MOST_UNEVENNESS: f64 = 2.0;
        let Some(level) = self.levels().last().filter(|level| level.hashed) else {
            return true;
        };
        let most = MOST_VERTICES.powf(1.0 / self.d_in as f64) as u32;
        let sides = level.cells[..self.d_in].iter().map(|c| (c + 1).min(most));
        let mut joined = vec![0];
        for (side, factor) in sides.zip(level.factors) {
            let terms = (0..side).map(|v| v.wrapping_mul(factor));
            let pairs = terms.flat_map(|term| joined.iter().map(move |sum| level.join(*sum, term)));
            joined = pairs.collect();
        }
        let mut vertices = vec![0_u32; level.rows as usize];
        for joined in &joined {
            vertices[level.row(*joined) as usize] += 1;
        }
        let mean = joined.len() as f64 / vertices.len() as f64;
        let squares = vertices.iter().map(|&v| (f64::from(v) - mean).powi(2));
        let variance = squares.sum::<f64>() / vertices.len() as f64;
        variance <= MOST_UNEVENNESS * mean
    }

    fn levels(&self) -> &[Level] {
        &self.levels[..self.count]
    }
}

impl Level {
    fn new(cells: &[u32], first: u32, table_size: u32) -> Self {
        let mut level = Self {
            first,
            rows: table_size,
            factors: PRIMES,
            hashed: true,
            reciprocal: u32::MAX / table_size,
            ..Self::default()
        };
        level.cells[..cells.len()].copy_from_slice(cells);
        let vertices = |cells: &u32| u64::from(*cells) + 1;
        let all = cells.iter().map(vertices).fold(1, u64::saturating_mul);
        if all <= u64::from(table_size) {
            level.rows = all as u32;
            level.hashed = false;
            let mut stride = 1;
            for (factor, cells) in level.factors.iter_mut().zip(cells) {
                *factor = stride;
                stride *= cells + 1;
            }
        }
        level
    }

    /// Half the cells along an axis: the slope of the place in units of cells.
    #[inline(always)]
    fn half(&self, axis: usize) -> f32 {
        0.5 * self.cells[axis] as f32
    }

    /// The rows of the level in a table.
    #[inline(always)]
    fn part<'a, T>(&self, table: &'a [T]) -> &'a [T] {
        &table[self.first as usize..][..self.rows as usize]
    }

    #[inline(always)]
    fn join(&self, a: u32, b: u32) -> u32 {
        if self.hashed { a ^ b } else { a + b }
    }

    /// The row within the level from what [`Self::join`] made of the coordinates of a vertex.
    #[inline(always)]
    fn row(&self, joined: u32) -> u32 {
        if !self.hashed {
            return joined;
        }
        // joined mod rows without a division: the reciprocal is at most 1 too small, so that joined · reciprocal / 2³² misses
        // joined / rows by less than joined / 2³² < 1, and its whole part the quotient by 1 at most.
        let quotient = (u64::from(joined) * u64::from(self.reciprocal)) >> 32;
        let rest = joined.wrapping_sub((quotient as u32).wrapping_mul(self.rows));
        // A rest below `rows` wraps round to the larger number.
        rest.min(rest.wrapping_sub(self.rows))
    }
}

/// Calls `body::<FMA, D, 2^D, F>` for the number of inputs and features of `grid`.
macro_rules! specialise {
    ($grid:ident, $body:ident($($argument:expr),*)) => {
        match ($grid.d_in, $grid.features) {
            (1, features) => specialise!(features, $body, 1, 2, ($($argument),*)),
            (2, features) => specialise!(features, $body, 2, 4, ($($argument),*)),
            (3, features) => specialise!(features, $body, 3, 8, ($($argument),*)),
            (4, features) => specialise!(features, $body, 4, 16, ($($argument),*)),
            (d_in, _) => panic!("{d_in} inputs are not from 1 to 4"),
        }
    };
    ($features:ident, $body:ident, $d:literal, $c:literal, ($($argument:expr),*)) => {
        match $features {
            1 => $body::<FMA, $d, $c, 1>($($argument),*),
            2 => $body::<FMA, $d, $c, 2>($($argument),*),
            3 => $body::<FMA, $d, $c, 3>($($argument),*),
            4 => $body::<FMA, $d, $c, 4>($($argument),*),
            8 => $body::<FMA, $d, $c, 8>($($argument),*),
            _ => panic!("{} features are none of {FEATURES:?}", $features),
        }
    };
}

/// Writes the encoded rows; `x`: `[rows, d_in]`, `table`: `[grid.rows(), features]`, `y`: `[rows, grid.d_out()]`.
pub fn forward(grid: &HashGridShape, x: &[f32], table: &[f32], y: &mut [f32]) {
    check_table(grid, table);
    check_rows(grid, x, y);
    dispatch!(forward_any(grid: &HashGridShape, x: &[f32], table: &[f32], y: &mut [f32]));
}

#[inline(always)]
fn forward_any<const FMA: bool>(grid: &HashGridShape, x: &[f32], table: &[f32], y: &mut [f32]) {
    specialise!(grid, forward_body(grid, x, table, y));
}

#[inline(always)]
fn forward_body<const FMA: bool, const D: usize, const C: usize, const F: usize>(
    grid: &HashGridShape,
    x: &[f32],
    table: &[f32],
    y: &mut [f32],
) {
    let mut cells = Cells::<D, C>::new();
    for (index, level) in grid.levels().iter().enumerate() {
        let table = level.part(table.as_chunks::<F>().0);
        for (x, y) in x.chunks(ROWS * D).zip(y.chunks_mut(ROWS * grid.count * F)) {
            cells.find(level, &cells::columns(x.as_chunks().0));
            let y = y.as_chunks_mut::<F>().0[index..].iter_mut();
            for (row, y) in y.step_by(grid.count).enumerate() {
                let mut sum = [0.0; F];
                for corner in 0..C {
                    let weight = cells.weights[corner][row];
                    let features = &table[cells.vertices[corner][row] as usize];
                    for (sum, value) in sum.iter_mut().zip(features) {
                        *sum = mul_add::<FMA>(weight, *value, *sum);
                    }
                }
                *y = sum;
            }
        }
    }
}

/// Keeps what [`backward_table`] needs of some rows, level by level; `x`: `[rows, d_in]`, `grad_y`: `[rows, grid.d_out()]`, `record`:
/// `[rows · grid.record()]`, first x as `[d_in, rows]`, then the gradients as `[levels, rows, features]`.
pub fn record(grid: &HashGridShape, x: &[f32], grad_y: &[f32], record: &mut [f32]) {
    check_rows(grid, x, grad_y);
    assert_eq!(x.len() + grad_y.len(), record.len(), "the length of record");
    dispatch!(record_any(grid: &HashGridShape, x: &[f32], grad_y: &[f32], record: &mut [f32]));
}

#[inline(always)]
fn record_any<const FMA: bool>(
    grid: &HashGridShape,
    x: &[f32],
    grad_y: &[f32],
    record: &mut [f32],
) {
    specialise!(grid, record_body(grid, x, grad_y, record));
}

#[inline(always)]
fn record_body<const FMA: bool, const D: usize, const C: usize, const F: usize>(
    grid: &HashGridShape,
    x: &[f32],
    grad_y: &[f32],
    record: &mut [f32],
) {
    let (columns, levels) = record.split_at_mut(x.len());
    let rows = (x.len() / D).max(1);
    for (axis, column) in columns.chunks_exact_mut(rows).enumerate() {
        for (place, x) in column.iter_mut().zip(x.as_chunks::<D>().0) {
            *place = x[axis];
        }
    }
    for (index, level) in levels.chunks_exact_mut(rows * F).enumerate() {
        let grad_y = grad_y.as_chunks::<F>().0[index..].iter();
        let places = level.as_chunks_mut::<F>().0.iter_mut();
        for (place, g) in places.zip(grad_y.step_by(grid.count)) {
            *place = *g;
        }
    }
}

/// Adds to the gradient of the rows of one level, `[rows of the level, features]`, row by row in the order of [`record`].
pub fn backward_table(grid: &HashGridShape, level: usize, record: &[f32], gradient: &mut [f32]) {
    assert_eq!(
        gradient.len(),
        grid.levels()[level].rows as usize * grid.features,
        "the gradient must be [rows of the level, features]"
    );
    assert!(
        record.len().is_multiple_of(grid.record()),
        "the record must be of whole rows"
    );
    dispatch!(backward_table_any(
        grid: &HashGridShape, level: usize, record: &[f32], gradient: &mut [f32]
    ));
}

#[inline(always)]
fn backward_table_any<const FMA: bool>(
    grid: &HashGridShape,
    level: usize,
    record: &[f32],
    gradient: &mut [f32],
) {
    specialise!(grid, backward_table_body(grid, level, record, gradient));
}

#[inline(always)]
fn backward_table_body<const FMA: bool, const D: usize, const C: usize, const F: usize>(
    grid: &HashGridShape,
    level: usize,
    record: &[f32],
    gradient: &mut [f32],
) {
    let rows = record.len() / grid.record();
    let (x, grad_y) = record.split_at(rows * D);
    let grad_y = grad_y[level * rows * F..][..rows * F].as_chunks::<F>().0;
    let gradient = gradient.as_chunks_mut::<F>().0;
    let mut cells = Cells::<D, C>::new();
    for (block, grad_y) in grad_y.chunks(ROWS).enumerate() {
        let mut columns = [[0.0; ROWS]; D];
        for (axis, column) in columns.iter_mut().enumerate() {
            let x = &x[axis * rows + block * ROWS..][..grad_y.len()];
            column[..x.len()].copy_from_slice(x);
        }
        cells.find(&grid.levels()[level], &columns);
        for (row, g) in grad_y.iter().enumerate() {
            for corner in 0..C {
                let weight = cells.weights[corner][row];
                let sums = &mut gradient[cells.vertices[corner][row] as usize];
                for (sum, g) in sums.iter_mut().zip(g) {
                    *sum = mul_add::<FMA>(weight, *g, *sum);
                }
            }
        }
    }
}

/// Writes the gradient of x; shapes as in [`forward`].
pub fn backward_input(
    grid: &HashGridShape,
    x: &[f32],
    table: &[f32],
    grad_y: &[f32],
    grad_x: &mut [f32],
) {
    check_table(grid, table);
    check_rows(grid, x, grad_y);
    assert_eq!(x.len(), grad_x.len(), "grad_x must be as long as x");
    dispatch!(backward_input_any(
        grid: &HashGridShape, x: &[f32], table: &[f32], grad_y: &[f32], grad_x: &mut [f32]
    ));
}

#[inline(always)]
fn backward_input_any<const FMA: bool>(
    grid: &HashGridShape,
    x: &[f32],
    table: &[f32],
    grad_y: &[f32],
    grad_x: &mut [f32],
) {
    specialise!(grid, backward_input_body(grid, x, table, grad_y, grad_x));
}

#[inline(always)]
fn backward_input_body<const FMA: bool, const D: usize, const C: usize, const F: usize>(
    grid: &HashGridShape,
    x: &[f32],
    table: &[f32],
    grad_y: &[f32],
    grad_x: &mut [f32],
) {
    let mut cells = Cells::<D, C>::new();
    grad_x.fill(0.0);
    for (index, level) in grid.levels().iter().enumerate() {
        let table = level.part(table.as_chunks::<F>().0);
        for ((x, grad_y), grad_x) in x
            .chunks(ROWS * D)
            .zip(grad_y.chunks(ROWS * grid.count * F))
            .zip(grad_x.chunks_mut(ROWS * D))
        {
            let x = x.as_chunks::<D>().0;
            cells.find(level, &cells::columns(x));
            let grad_y = grad_y.as_chunks::<F>().0[index..].iter();
            let rows = x.iter().zip(grad_y.step_by(grid.count));
            let grad_x = grad_x.as_chunks_mut::<D>().0.iter_mut();
            for (row, ((x, g), grad_x)) in rows.zip(grad_x).enumerate() {
                let mut slopes = [0.0; D];
                for corner in 0..C {
                    let mut product = 0.0;
                    let features = &table[cells.vertices[corner][row] as usize];
                    for (value, g) in features.iter().zip(g) {
                        product = mul_add::<FMA>(*value, *g, product);
                    }
                    for (axis, slope) in slopes.iter_mut().enumerate() {
                        let weight = cells.weight_by_upper(corner, axis, row);
                        *slope = mul_add::<FMA>(product, weight, *slope);
                    }
                }
                for (axis, sum) in grad_x.iter_mut().enumerate() {
                    let outside = x[axis].abs() > 1.0;
                    let scale = if outside { 0.0 } else { level.half(axis) };
                    *sum = mul_add::<FMA>(slopes[axis], scale, *sum);
                }
            }
        }
    }
}

fn check_table(grid: &HashGridShape, table: &[f32]) {
    assert_eq!(
        table.len(),
        grid.rows() * grid.features,
        "the table must be [grid.rows(), features]"
    );
}

fn check_rows(grid: &HashGridShape, x: &[f32], y: &[f32]) {
    assert!(
        x.len().is_multiple_of(grid.d_in) && x.len() / grid.d_in * grid.d_out() == y.len(),
        "x must be [rows, d_in] and y [rows, d_out]"
    );
}

#[cfg(test)]
mod tests;
