use super::super::{for_every_instruction_set, scattered};
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

/// The gradient of the table through the record of all rows, added to 1.
fn grad_table(grid: &HashGridShape, x: &[f32], g: &[f32]) -> Vec<f32> {
    let mut kept = vec![f32::NAN; x.len() + g.len()];
    record(grid, x, g, &mut kept);
    let mut gradient = vec![1.0; grid.rows() * grid.features];
    let mut rest = &mut gradient[..];
    for (level, rows) in grid.rows_of_levels().enumerate() {
        let (part, others) = rest.split_at_mut(rows * grid.features);
        backward_table(grid, level, &kept, part);
        rest = others;
    }
    assert!(rest.is_empty());
    gradient
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
            // A block and a part of one.
            let rows = ROWS + 7;
            let mut x = scattered(rows * d_in, -1.0, 1.0);
            // The corners of the grid, and points outside.
            x[..d_in].fill(-1.0);
            x[d_in..2 * d_in].fill(1.0);
            x[2 * d_in] = -1.4;
            x[4 * d_in - 1] = 3.0;
            let table = scattered(grid.rows() * features, -1.0, 1.0);
            let g = scattered(2 * rows * grid.d_out(), -1.0, 1.0).split_off(rows * grid.d_out());

            let (wide_x, wide_g, mut wide_table) = (wide(&x), wide(&g), wide(&table));
            let points = wide_x.chunks(d_in).zip(wide_g.chunks(grid.d_out()));
            let (mut values, mut slopes) = (Vec::new(), Vec::new());
            for (x, g) in points.clone() {
                values.extend(exact(d_in, features, x, &wide_table));
                for i in 0..d_in {
                    let loss = |h: f64| -> f64 {
                        let mut x = x.to_vec();
                        x[i] += h;
                        let y = exact(d_in, features, &x, &wide_table);
                        y.iter().zip(g).map(|(y, g)| y * g).sum()
                    };
                    slopes.push((loss(1e-7) - loss(-1e-7)) / 2e-7);
                }
            }
            // The encoding is linear in the table, so that a step of 1 is exact.
            let places = (0..table.len()).step_by(7).map(|place| {
                let mut loss = |value: f64| -> f64 {
                    let before = std::mem::replace(&mut wide_table[place], value);
                    let sum = points.clone().map(|(x, g)| {
                        let y = exact(d_in, features, x, &wide_table);
                        y.iter().zip(g).map(|(y, g)| y * g).sum::<f64>()
                    });
                    let sum = sum.sum();
                    wide_table[place] = before;
                    sum
                };
                (place, loss(1.0) - loss(0.0))
            });
            let places: Vec<(usize, f64)> = places.collect();

            for_every_instruction_set(|set| {
                let close = |found: f32, expected: f64, bound: f64, what: &str| {
                    let error = (f64::from(found) - expected).abs();
                    assert!(
                        error <= bound,
                        "{set}, {d_in}, {features}, {what}: {error:e}"
                    );
                };
                let mut y = vec![f32::NAN; rows * grid.d_out()];
                let mut grad_x = vec![f32::NAN; x.len()];
                forward(&grid, &x, &table, &mut y);
                backward_input(&grid, &x, &table, &g, &mut grad_x);
                let grad_table = grad_table(&grid, &x, &g);
                for (found, expected) in y.iter().zip(&values) {
                    close(*found, *expected, 2e-5, "y");
                }
                // At the first two points, vertices of all levels, the slope jumps.
                for (found, slope) in grad_x.iter().zip(&slopes).skip(2 * d_in) {
                    close(*found, *slope, 2e-3, "gradient of x");
                }
                for (place, slope) in &places {
                    close(
                        grad_table[*place],
                        1.0 + slope,
                        2e-4,
                        "gradient of the table",
                    );
                }
            });
        }
    }
}

/// Row by row, and not in vectors over rows: what one row gives does not depend on its place among the others, and sums run in the order
/// of the rows.
#[test]
fn rows_together_give_the_bits_of_rows_alone() {
    for_every_instruction_set(|set| {
        let grid = HashGridShape::new(2, 2, TABLE_SIZE, CELLS);
        let rows = 2 * ROWS + 5;
        let x = scattered(2 * rows, -1.1, 1.1);
        let table = scattered(grid.rows() * 2, -1.0, 1.0);
        let g = scattered(2 * rows * 6, -1.0, 1.0).split_off(rows * 6);
        let results = |rows_at_once: usize| {
            let (mut y, mut grad_x) = (vec![f32::NAN; g.len()], vec![f32::NAN; x.len()]);
            let mut gradient = vec![0.0; table.len()];
            for row in (0..rows).step_by(rows_at_once) {
                let end = (row + rows_at_once).min(rows);
                let (x, g) = (&x[2 * row..2 * end], &g[6 * row..6 * end]);
                forward(&grid, x, &table, &mut y[6 * row..6 * end]);
                backward_input(&grid, x, &table, g, &mut grad_x[2 * row..2 * end]);
                let mut kept = vec![f32::NAN; x.len() + g.len()];
                record(&grid, x, g, &mut kept);
                let mut first = 0;
                for (level, rows) in grid.rows_of_levels().enumerate() {
                    backward_table(&grid, level, &kept, &mut gradient[first..first + 2 * rows]);
                    first += 2 * rows;
                }
            }
            [y, grad_x, gradient]
                .map(|values| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>())
        };
        let together = results(rows);
        assert_eq!(together, results(1), "{set}");
        assert_eq!(together, results(50), "{set}");
    });
}

#[test]
fn remainders_are_exact_for_any_table_size() {
    for rows in [1, 2, 3, 7, 1000, 16_384, 100_003, 1 << 24] {
        // Far more vertices than any table has.
        let level = Level::new(&[u32::MAX - 1; 2], 5, rows);
        for hash in [0, 1, rows - 1, rows, rows + 1, 123_456_789, u32::MAX] {
            assert_eq!(level.row(hash), hash % rows, "{hash} mod {rows}");
        }
    }
}

#[test]
fn nan_stays_in_its_row() {
    for_every_instruction_set(|set| {
        let grid = HashGridShape::new(2, 2, TABLE_SIZE, CELLS);
        let table = scattered(grid.rows() * 2, -1.0, 1.0);
        let (x, mut y, mut grad_x) = ([f32::NAN, 0.5, 0.5, 0.5], [0.0; 12], [0.0; 4]);
        forward(&grid, &x, &table, &mut y);
        assert!(y[..6].iter().all(|y| y.is_nan()), "{set}");
        assert!(y[6..].iter().all(|y| y.is_finite()), "{set}");
        backward_input(&grid, &x, &table, &[1.0; 12], &mut grad_x);
        assert!(grad_x[1].is_nan(), "{set}");
        assert!(grad_x[2..].iter().all(|g| g.is_finite()), "{set}");
    });
}

#[test]
#[should_panic(expected = "the table must be")]
fn a_table_of_another_size_is_refused() {
    let grid = HashGridShape::new(2, 2, TABLE_SIZE, CELLS);
    forward(&grid, &[0.0; 2], &[0.0; 8], &mut [0.0; 6]);
}
