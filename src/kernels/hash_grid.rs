//! Multiresolution hash encoding (Müller et al. 2022, §3): grids of several resolutions over [-1, 1]^D, a row of F features at every
//! vertex, and between the vertices multilinear interpolation; y = [features of level 0 | features of level 1 | ...].
//!
//! All rows lie in one table, level after level. A level whose vertices are no more than T has a row for each of them; a finer level
//! has T rows, and a vertex v finds its own at (v_0 π_0 ⊕ v_1 π_1 ⊕ ...) mod T (eq. 4), which other vertices may share.
//! Inputs outside [-1, 1] count as the border, and the slope there is 0.
//!
//! The level is the outer loop, so that the rows of a tile meet one part of the table at a time. Unlike the other kernels these
//! are compiled once: they wait for memory, and wider vectors do not help.

/// Most inputs of a row.
pub const MOST_AXES: usize = 4;

/// Most resolutions of a grid.
pub const MOST_LEVELS: usize = 32;

/// π_i of eq. 4; the fourth is from the authors' code (tiny-cuda-nn).
const PRIMES: [u32; MOST_AXES] = [1, 2_654_435_761, 805_459_861, 3_674_653_429];

/// The resolutions of a grid and where their rows lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HashGridShape {
    /// Inputs of a row, from 1 to [`MOST_AXES`].
    d_in: usize,
    /// F: 1, 2, 4 or 8.
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
    /// ⌈2⁶⁴ / rows⌉ modulo 2⁶⁴.
    reciprocal: u64,
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
        self.levels().iter().map(|level| level.rows as usize).sum()
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
        level.row(terms.fold(0, |sum, term| level.join(sum, term)))
    }

    /// How many resolutions there are.
    pub fn level_count(&self) -> usize {
        self.count
    }

    /// The cells of a level along each axis.
    pub fn cells(&self, level: usize) -> &[u32] {
        &self.levels()[level].cells[..self.d_in]
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
            reciprocal: (u64::MAX / u64::from(table_size)).wrapping_add(1),
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

    #[inline(always)]
    fn join(&self, a: u32, b: u32) -> u32 {
        if self.hashed { a ^ b } else { a + b }
    }

    /// The row in the table from what [`Self::join`] made of the coordinates of a vertex.
    #[inline(always)]
    fn row(&self, joined: u32) -> u32 {
        if self.hashed {
            // joined mod rows without a division (Lemire et al. 2019, "Faster remainder by direct computation").
            let fraction = self.reciprocal.wrapping_mul(joined.into());
            self.first + ((u128::from(fraction) * u128::from(self.rows)) >> 64) as u32
        } else {
            self.first + joined
        }
    }

    /// The cell around `x`: the rows of its C = 2^D corners (bit i of the corner: the upper vertex of axis i), the weights of the
    /// lower and the upper vertex on each axis, and the slope of the upper weights.
    #[inline(always)]
    fn cell<const D: usize, const C: usize>(
        &self,
        x: &[f32; D],
    ) -> ([u32; C], [[f32; 2]; D], [f32; D]) {
        let (mut terms, mut weights, mut slopes) = ([[0; 2]; D], [[0.0; 2]; D], [0.0; D]);
        for i in 0..D {
            let half = 0.5 * self.cells[i] as f32;
            // `clamp` lets NaN through.
            let u = x[i].clamp(-1.0, 1.0) * half + half;
            let vertex = (u as u32).min(self.cells[i] - 1);
            let upper = u - vertex as f32;
            weights[i] = [1.0 - upper, upper];
            slopes[i] = if x[i].abs() > 1.0 { 0.0 } else { half };
            let term = vertex.wrapping_mul(self.factors[i]);
            terms[i] = [term, term.wrapping_add(self.factors[i])];
        }
        let mut rows = [0; C];
        for (corner, row) in rows.iter_mut().enumerate() {
            let mut joined = terms[0][corner & 1];
            for (i, term) in terms.iter().enumerate().skip(1) {
                joined = self.join(joined, term[corner >> i & 1]);
            }
            *row = self.row(joined);
        }
        (rows, weights, slopes)
    }
}

/// Calls `body::<D, 2^D, F>` for the number of inputs and features of `grid`.
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
            1 => $body::<$d, $c, 1>($($argument),*),
            2 => $body::<$d, $c, 2>($($argument),*),
            4 => $body::<$d, $c, 4>($($argument),*),
            8 => $body::<$d, $c, 8>($($argument),*),
            _ => panic!("{} features are not 1, 2, 4 or 8", $features),
        }
    };
}

/// Writes the encoded rows; `x`: `[rows, d_in]`, `table`: `[grid.rows(), features]`, `y`: `[rows, grid.d_out()]`.
pub fn forward(grid: &HashGridShape, x: &[f32], table: &[f32], y: &mut [f32]) {
    check(grid, x, table, y);
    specialise!(grid, forward_body(grid, x, table, y));
}

fn forward_body<const D: usize, const C: usize, const F: usize>(
    grid: &HashGridShape,
    x: &[f32],
    table: &[f32],
    y: &mut [f32],
) {
    let table = table.as_chunks::<F>().0;
    for (index, level) in grid.levels().iter().enumerate() {
        let y = y.as_chunks_mut::<F>().0[index..].iter_mut();
        for (x, y) in x.as_chunks::<D>().0.iter().zip(y.step_by(grid.count)) {
            let (rows, weights, _) = level.cell::<D, C>(x);
            let mut sum = [0.0; F];
            for (corner, &row) in rows.iter().enumerate() {
                let weight = weight(&weights, corner);
                for (sum, value) in sum.iter_mut().zip(&table[row as usize]) {
                    *sum += weight * value;
                }
            }
            *y = sum;
        }
    }
}

/// Adds to the gradient of the table; shapes as in [`forward`].
pub fn backward_table(grid: &HashGridShape, x: &[f32], grad_y: &[f32], grad_table: &mut [f32]) {
    check(grid, x, grad_table, grad_y);
    specialise!(grid, backward_table_body(grid, x, grad_y, grad_table));
}

fn backward_table_body<const D: usize, const C: usize, const F: usize>(
    grid: &HashGridShape,
    x: &[f32],
    grad_y: &[f32],
    grad_table: &mut [f32],
) {
    let grad_table = grad_table.as_chunks_mut::<F>().0;
    for (index, level) in grid.levels().iter().enumerate() {
        let grad_y = grad_y.as_chunks::<F>().0[index..].iter();
        for (x, g) in x.as_chunks::<D>().0.iter().zip(grad_y.step_by(grid.count)) {
            let (rows, weights, _) = level.cell::<D, C>(x);
            for (corner, &row) in rows.iter().enumerate() {
                let weight = weight(&weights, corner);
                for (sum, g) in grad_table[row as usize].iter_mut().zip(g) {
                    *sum += weight * g;
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
    check(grid, x, table, grad_y);
    assert_eq!(x.len(), grad_x.len(), "grad_x must be as long as x");
    specialise!(grid, backward_input_body(grid, x, table, grad_y, grad_x));
}

fn backward_input_body<const D: usize, const C: usize, const F: usize>(
    grid: &HashGridShape,
    x: &[f32],
    table: &[f32],
    grad_y: &[f32],
    grad_x: &mut [f32],
) {
    let table = table.as_chunks::<F>().0;
    grad_x.fill(0.0);
    for (index, level) in grid.levels().iter().enumerate() {
        let grad_y = grad_y.as_chunks::<F>().0[index..].iter();
        let rows = x.as_chunks::<D>().0.iter().zip(grad_y.step_by(grid.count));
        for ((x, g), grad_x) in rows.zip(grad_x.as_chunks_mut::<D>().0) {
            let (rows, weights, slopes) = level.cell::<D, C>(x);
            for (corner, &row) in rows.iter().enumerate() {
                let mut product = 0.0;
                for (value, g) in table[row as usize].iter().zip(g) {
                    product += value * g;
                }
                for i in 0..D {
                    let mut weights = weights;
                    weights[i] = [-slopes[i], slopes[i]];
                    grad_x[i] += product * weight(&weights, corner);
                }
            }
        }
    }
}

/// The product of the weights that a corner has on each axis.
#[inline(always)]
fn weight<const D: usize>(weights: &[[f32; 2]; D], corner: usize) -> f32 {
    let mut product = 1.0;
    for (i, weights) in weights.iter().enumerate() {
        product *= weights[corner >> i & 1];
    }
    product
}

fn check(grid: &HashGridShape, x: &[f32], table: &[f32], y: &[f32]) {
    assert_eq!(
        table.len(),
        grid.rows() * grid.features,
        "the table must be [grid.rows(), features]"
    );
    assert!(
        x.len().is_multiple_of(grid.d_in) && x.len() / grid.d_in * grid.d_out() == y.len(),
        "x must be [rows, d_in] and y [rows, d_out]"
    );
}

#[cfg(test)]
mod tests {
    use super::super::scattered;
    use super::*;

    /// Cells of three levels, coarse to fine, and T. In two dimensions the levels have 12, 99 and 2300 vertices.
    const CELLS: [[u32; MOST_AXES]; 3] = [[3, 2, 1, 2], [10, 8, 7, 9], [45, 49, 60, 30]];
    const TABLE_SIZE: u32 = 99;

    /// Rows of each level by counting.
    fn rows_of(cells: &[u32], table_size: u32) -> u64 {
        let vertices: u64 = cells.iter().map(|c| u64::from(*c) + 1).product();
        vertices.min(table_size.into())
    }

    /// One encoded row by the formula, in f64, with the primes written out.
    fn exact(d_in: usize, features: usize, x: &[f64], table: &[f64]) -> Vec<f64> {
        let primes = [1_u64, 2_654_435_761, 805_459_861, 3_674_653_429];
        let (mut y, mut first) = (Vec::new(), 0);
        for cells in CELLS {
            let cells = &cells[..d_in];
            let rows = rows_of(cells, TABLE_SIZE);
            let vertices: u64 = cells.iter().map(|c| u64::from(*c) + 1).product();
            let mut sum = vec![0.0; features];
            for corner in 0..1 << d_in {
                let (mut weight, mut hash, mut place, mut stride) = (1.0, 0, 0, 1);
                for i in 0..d_in {
                    let n = f64::from(cells[i]);
                    let u = (x[i].clamp(-1.0, 1.0) + 1.0) / 2.0 * n;
                    let lower = u.floor().min(n - 1.0);
                    let upper = corner >> i & 1;
                    let fraction = u - lower;
                    weight *= [1.0 - fraction, fraction][upper];
                    let vertex = lower as u64 + upper as u64;
                    hash ^= vertex * primes[i] % (1 << 32);
                    place += vertex * stride;
                    stride *= u64::from(cells[i]) + 1;
                }
                let row = if vertices <= TABLE_SIZE.into() {
                    place
                } else {
                    hash % rows
                };
                for (f, sum) in sum.iter_mut().enumerate() {
                    *sum += weight * table[(first + row as usize) * features + f];
                }
            }
            first += rows as usize;
            y.extend(sum);
        }
        y
    }

    fn wide(x: &[f32]) -> Vec<f64> {
        x.iter().map(|&x| x.into()).collect()
    }

    // The loss is Σ g y; its central differences in f64 with step 1e-7 are the gradients.
    #[test]
    fn values_and_gradients_are_those_of_the_formula() {
        for d_in in 1..=MOST_AXES {
            for features in [1, 2, 4, 8] {
                let grid = HashGridShape::new(d_in, features, TABLE_SIZE, CELLS);
                let expected = CELLS.map(|cells| rows_of(&cells[..d_in], TABLE_SIZE));
                assert_eq!(grid.rows() as u64, expected.iter().sum::<u64>());
                assert_eq!(grid.d_out(), 3 * features);
                let rows = 17;
                let mut x = scattered(rows * d_in, -1.0, 1.0);
                // The corners of the grid, and points outside.
                x[..d_in].fill(-1.0);
                x[d_in..2 * d_in].fill(1.0);
                x[2 * d_in] = -1.4;
                x[4 * d_in - 1] = 3.0;
                let table = scattered(grid.rows() * features, -1.0, 1.0);
                let g =
                    scattered(2 * rows * grid.d_out(), -1.0, 1.0).split_off(rows * grid.d_out());
                let mut y = vec![f32::NAN; rows * grid.d_out()];
                let mut grad_x = vec![f32::NAN; x.len()];
                let mut grad_table = vec![1.0; table.len()];
                forward(&grid, &x, &table, &mut y);
                backward_input(&grid, &x, &table, &g, &mut grad_x);
                backward_table(&grid, &x, &g, &mut grad_table);

                let close = |found: f32, expected: f64, bound: f64, what: &str| {
                    let error = (f64::from(found) - expected).abs();
                    assert!(error <= bound, "{d_in}, {features}, {what}: {error:e}");
                };
                let (x, g) = (wide(&x), wide(&g));
                let mut table = wide(&table);
                for row in 0..rows {
                    let x = &x[row * d_in..][..d_in];
                    let at = row * grid.d_out();
                    let g = &g[at..][..grid.d_out()];
                    let values = exact(d_in, features, x, &table);
                    for (found, expected) in y[at..].iter().zip(&values) {
                        close(*found, *expected, 2e-5, "y");
                    }
                    // At the first two points, vertices of all levels, the slope jumps.
                    for i in (0..d_in).filter(|_| row >= 2) {
                        let loss = |h: f64| -> f64 {
                            let mut x = x.to_vec();
                            x[i] += h;
                            let y = exact(d_in, features, &x, &table);
                            y.iter().zip(g).map(|(y, g)| y * g).sum()
                        };
                        let slope = (loss(1e-7) - loss(-1e-7)) / 2e-7;
                        close(grad_x[row * d_in + i], slope, 2e-3, "gradient of x");
                    }
                }
                // The encoding is linear in the table, so that a step of 1 is exact.
                for place in (0..table.len()).step_by(7) {
                    let mut loss = |value: f64| -> f64 {
                        let before = std::mem::replace(&mut table[place], value);
                        let sum = x.chunks(d_in).zip(g.chunks(grid.d_out())).map(|(x, g)| {
                            let y = exact(d_in, features, x, &table);
                            y.iter().zip(g).map(|(y, g)| y * g).sum::<f64>()
                        });
                        let sum = sum.sum();
                        table[place] = before;
                        sum
                    };
                    let slope = loss(1.0) - loss(0.0);
                    close(
                        grad_table[place],
                        1.0 + slope,
                        5e-5,
                        "gradient of the table",
                    );
                }
            }
        }
    }

    #[test]
    fn remainders_are_exact_for_any_table_size() {
        for rows in [1, 2, 3, 7, 1000, 16_384, 100_003, 1 << 24] {
            // Far more vertices than any table has.
            let level = Level::new(&[u32::MAX - 1; 2], 5, rows);
            for hash in [0, 1, rows - 1, rows, rows + 1, 123_456_789, u32::MAX] {
                assert_eq!(level.row(hash), 5 + hash % rows, "{hash} mod {rows}");
            }
        }
    }

    #[test]
    fn nan_stays_in_its_row() {
        let grid = HashGridShape::new(2, 2, TABLE_SIZE, CELLS);
        let table = scattered(grid.rows() * 2, -1.0, 1.0);
        let mut y = [0.0; 12];
        forward(&grid, &[f32::NAN, 0.5, 0.5, 0.5], &table, &mut y);
        assert!(y[..6].iter().all(|y| y.is_nan()));
        assert!(y[6..].iter().all(|y| y.is_finite()));
    }

    #[test]
    #[should_panic(expected = "the table must be")]
    fn a_table_of_another_size_is_refused() {
        let grid = HashGridShape::new(2, 2, TABLE_SIZE, CELLS);
        forward(&grid, &[0.0; 2], &[0.0; 8], &mut [0.0; 6]);
    }
}
