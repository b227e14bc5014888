//! A layer of cubic B-splines by the one cubic of each edge that counts, so that its cost does not grow with the grid size G.
//!
//! y_j += Σ_i Σ_{m=0..G+2} c[m, i, j] B_m(x_i), where the inner sum is a polynomial on the piece in which x_i lies, see
//! [`super::spline`].
//!
//! A vector holds 16 outputs of a row, see [`super::spline_sorted`], or one output of 16 rows when there are few outputs, see
//! [`super::spline_narrow`].

use super::columns::Columns;
use super::spline::Knots;
use super::vector::Vector;
use super::{LANES, dispatch_vector, spline_narrow as narrow, spline_sorted as sorted};

/// Rows that are worked on together: their outputs, 64 wide, fill the L1 cache.
pub(super) const ROWS: usize = 128;

/// Numbers a row and an input on the tape of [`locate`]: a piece and the place there.
pub const TAPE: usize = 2;

/// The shape of a spline layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SplineShape {
    /// Inputs of a row.
    pub d_in: usize,
    /// Outputs of a row.
    pub d_out: usize,
    /// R > 0: the knots span [-R, R].
    pub range: f32,
    /// G from 1 to 65,534, the number of intervals.
    pub grid_size: usize,
}

impl SplineShape {
    pub(super) fn bases(&self) -> usize {
        self.grid_size + 3
    }

    /// Pieces of a spline, tangents and all.
    pub(super) fn pieces(&self) -> usize {
        self.grid_size + 2
    }

    /// 1/h.
    pub(super) fn inverse_h(&self) -> f32 {
        self.grid_size as f32 / (2.0 * self.range)
    }

    /// Whether a vector holds rows instead of outputs.
    fn is_narrow(&self) -> bool {
        narrow::suits(self)
    }

    /// How many numbers [`prepare`] writes.
    pub fn prepared_len(&self) -> usize {
        if self.is_narrow() {
            self.d_in * self.d_out * 4 * LANES
        } else {
            self.d_in * self.bases() * self.d_out.next_multiple_of(LANES)
        }
    }

    /// Panics unless a tape or a row-major matrix of `values` numbers has whole rows of `width`; returns how many.
    fn rows(values: usize, width: usize) -> usize {
        assert!(
            width > 0 && values.is_multiple_of(width),
            "a tile must have whole rows"
        );
        values / width
    }

    fn check(&self, tape: usize, y: usize) {
        assert_eq!(
            Self::rows(tape, TAPE * self.d_in),
            Self::rows(y, self.d_out),
            "the tape and the outputs must have equally many rows"
        );
    }

    fn check_prepared(&self, prepared: usize) {
        assert_eq!(prepared, self.prepared_len(), "the length of prepared");
    }

    fn check_coefficients(&self, coefficients: usize) {
        assert_eq!(
            coefficients,
            self.bases() * self.d_in * self.d_out,
            "the coefficients must be [G+3, d_in, d_out]"
        );
    }
}

/// Copies the coefficients `[G+3, d_in, d_out]` into the layout in which the functions below read them.
pub fn prepare(shape: SplineShape, coefficients: &[f32], prepared: &mut [f32]) {
    shape.check_coefficients(coefficients.len());
    shape.check_prepared(prepared.len());
    if shape.is_narrow() {
        narrow::prepare(&shape, coefficients, prepared);
    } else {
        sorted::prepare(&shape, coefficients, prepared);
    }
}

/// Finds the piece of every input `x` `[rows, d_in]` for the functions below; `tape`: `[rows, d_in · TAPE]` in a layout of its own.
pub fn locate(shape: SplineShape, x: &[f32], tape: &mut [f32]) {
    let rows = SplineShape::rows(x.len(), shape.d_in);
    assert_eq!(
        tape.len(),
        rows * shape.d_in * TAPE,
        "the length of the tape"
    );
    assert!(shape.grid_size < 65_535, "grid_size must be below 65,535");
    dispatch_vector!(locate_body(shape: SplineShape, x: &[f32], tape: &mut [f32]));
}

#[inline(always)]
fn locate_body<V: Vector, const BLOCK_ROWS: usize, const BLOCK_VECTORS: usize>(
    shape: SplineShape,
    x: &[f32],
    tape: &mut [f32],
) {
    let d_in = shape.d_in;
    let knots = Knots::new(shape.range, shape.grid_size);
    let mut columns = Columns::<{ ROWS / LANES }>::zeros();
    for (x, tape) in x
        .chunks(ROWS * d_in)
        .zip(tape.chunks_mut(ROWS * d_in * TAPE))
    {
        let rows = x.len() / d_in;
        for (input, tape) in tape.chunks_exact_mut(rows * TAPE).enumerate() {
            if input % LANES == 0 {
                columns.load::<V>(x, d_in, input);
            }
            let (pieces, places) = tape.split_at_mut(rows);
            let mut found = [[0.0; LANES]; ROWS / LANES];
            for ((x, piece), place) in columns.0[input % LANES]
                .iter()
                .zip(&mut found)
                .zip(places.chunks_mut(LANES))
            {
                let located = knots.locate(V::load(x));
                located[0].store(piece);
                located[1].store_some(place);
            }
            // No row, no piece.
            found.as_flattened_mut()[rows..].fill(0.0);
            if shape.is_narrow() {
                pieces.copy_from_slice(&found.as_flattened()[..rows]);
            } else {
                sorted::sort::<V>(&found, shape.grid_size, pieces);
            }
        }
    }
}

/// y += Σ_i spline_ij(x_i); `tape`: of [`locate`], `prepared`: of [`prepare`], `y`: `[rows, d_out]`.
pub fn forward(shape: SplineShape, tape: &[f32], prepared: &[f32], y: &mut [f32]) {
    shape.check(tape.len(), y.len());
    shape.check_prepared(prepared.len());
    if shape.is_narrow() {
        narrow::forward(shape, tape, prepared, y);
    } else {
        sorted::forward(shape, tape, prepared, y);
    }
}

/// Adds to `grad_coefficients` `[G+3, d_in, d_out]` for the gradient of the outputs, `grad_y` `[rows, d_out]`.
pub fn backward_coefficients(
    shape: SplineShape,
    tape: &[f32],
    grad_y: &[f32],
    grad_coefficients: &mut [f32],
) {
    shape.check(tape.len(), grad_y.len());
    shape.check_coefficients(grad_coefficients.len());
    if shape.is_narrow() {
        narrow::backward_coefficients(shape, tape, grad_y, grad_coefficients);
    } else {
        sorted::backward_coefficients(shape, tape, grad_y, grad_coefficients);
    }
}

/// Adds to `grad_x` `[rows, d_in]` for the gradient of the outputs, `grad_y` `[rows, d_out]`.
pub fn backward_input(
    shape: SplineShape,
    tape: &[f32],
    prepared: &[f32],
    grad_y: &[f32],
    grad_x: &mut [f32],
) {
    shape.check(tape.len(), grad_y.len());
    shape.check_prepared(prepared.len());
    assert_eq!(
        grad_x.len() * TAPE,
        tape.len(),
        "grad_x must be [rows, d_in]"
    );
    if shape.is_narrow() {
        narrow::backward_input(shape, tape, prepared, grad_y, grad_x);
    } else {
        sorted::backward_input(shape, tape, prepared, grad_y, grad_x);
    }
}

#[cfg(test)]
mod tests {
    use super::super::spline::tests::reference;
    use super::super::{for_every_instruction_set, scattered};
    use super::*;

    const fn shape(d_in: usize, d_out: usize, range: f32, grid_size: usize) -> SplineShape {
        SplineShape {
            d_in,
            d_out,
            range,
            grid_size,
        }
    }

    /// Rows and shapes: every width of strip, whole blocks and parts.
    const SHAPES: [(usize, SplineShape); 11] = [
        (1, shape(1, 1, 1.0, 1)),
        (5, shape(2, 3, 1.0, 5)),
        (170, shape(17, 9, 0.5, 3)),
        (20, shape(6, 127, 1.5, 8)),
        (3, shape(40, 64, 1.0, 20)),
        // Each number of few outputs, up to the most pieces that fit a vector and beyond.
        (150, shape(18, 1, 1.0, 5)),
        (33, shape(3, 2, 0.5, 1)),
        (128, shape(16, 3, 1.0, 13)),
        (47, shape(5, 4, 1.0, 14)),
        (140, shape(3, 4, 1.0, 15)),
        // As many pieces as are counted, and one more than that.
        (129, shape(2, 5, 1.0, 65)),
    ];

    /// Values and slopes of all bases at every x, in f64 by the recursion of Cox and de Boor.
    fn dense(shape: SplineShape, x: &[f32]) -> Vec<Vec<[f64; 2]>> {
        let bases = |x: &f32| {
            (0..shape.grid_size + 3)
                .map(|m| reference(m, *x, shape.range, shape.grid_size))
                .collect()
        };
        x.iter().map(bases).collect()
    }

    /// y += Σ_i spline_ij(x_i).
    fn accumulate(shape: SplineShape, x: &[f32], c: &[f32], y: &mut [f32]) {
        let (tape, prepared) = (located(shape, x), prepared(shape, c));
        forward(shape, &tape, &prepared, y);
    }

    fn located(shape: SplineShape, x: &[f32]) -> Vec<f32> {
        let mut tape = vec![f32::NAN; x.len() * TAPE];
        locate(shape, x, &mut tape);
        tape
    }

    fn prepared(shape: SplineShape, c: &[f32]) -> Vec<f32> {
        let mut prepared = vec![f32::NAN; shape.prepared_len()];
        prepare(shape, c, &mut prepared);
        prepared
    }

    fn inputs_and_coefficients(rows: usize, shape: SplineShape) -> (Vec<f32>, Vec<f32>) {
        let x = scattered(rows * shape.d_in, -1.3 * shape.range, 1.3 * shape.range);
        let count = (shape.grid_size + 3) * shape.d_in * shape.d_out;
        (x, scattered(count, -1.0, 1.0))
    }

    #[test]
    fn the_local_form_equals_the_dense_sum() {
        for_every_instruction_set(|set| {
            for (rows, shape) in SHAPES {
                let SplineShape { d_in, d_out, .. } = shape;
                let (x, c) = inputs_and_coefficients(rows, shape);
                let mut y = vec![0.5; rows * d_out];
                accumulate(shape, &x, &c, &mut y);
                let bases = dense(shape, &x);
                for (index, value) in y.iter().enumerate() {
                    let (row, j) = (index / d_out, index % d_out);
                    let mut expected = 0.5;
                    for i in 0..d_in {
                        for (m, [basis, _]) in bases[row * d_in + i].iter().enumerate() {
                            expected += basis * f64::from(c[(m * d_in + i) * d_out + j]);
                        }
                    }
                    let error = (f64::from(*value) - expected).abs();
                    assert!(error <= 3e-5, "{set} {shape:?}: {value} {expected}");
                }
            }
        });
    }

    // With the loss Σ g y: grad c_mij = Σ_rows B_m(x_i) g_j and grad x_i = Σ_mj B'_m(x_i) c_mij g_j.
    #[test]
    fn gradients_equal_the_dense_sums() {
        for_every_instruction_set(|set| {
            for (rows, shape) in SHAPES {
                let SplineShape { d_in, d_out, .. } = shape;
                let (x, c) = inputs_and_coefficients(rows, shape);
                let g = scattered(2 * rows * d_out, -1.0, 1.0).split_off(rows * d_out);
                let (mut grad_c, mut grad_x) = (vec![0.25; c.len()], vec![0.5; x.len()]);
                let tape = located(shape, &x);
                backward_coefficients(shape, &tape, &g, &mut grad_c);
                backward_input(shape, &tape, &prepared(shape, &c), &g, &mut grad_x);
                let bases = dense(shape, &x);
                let (mut expected_c, mut expected_x) = (vec![0.25; c.len()], vec![0.5; x.len()]);
                for (edge, bases) in bases.iter().enumerate() {
                    let (row, i) = (edge / d_in, edge % d_in);
                    for (m, [basis, slope]) in bases.iter().enumerate() {
                        for j in 0..d_out {
                            let g = f64::from(g[row * d_out + j]);
                            let index = (m * d_in + i) * d_out + j;
                            expected_c[index] += basis * g;
                            expected_x[edge] += slope * f64::from(c[index]) * g;
                        }
                    }
                }
                for (value, expected) in grad_c.iter().zip(&expected_c) {
                    let error = (f64::from(*value) - expected).abs();
                    assert!(error <= 2e-5, "{set} {shape:?}: {value} {expected}");
                }
                let unit = shape.grid_size as f64 / f64::from(shape.range);
                for (value, expected) in grad_x.iter().zip(&expected_x) {
                    let bound = 1e-5 * unit * (1.0 + expected.abs());
                    let error = (f64::from(*value) - expected).abs();
                    assert!(error <= bound, "{set} {shape:?}: {value} {expected}");
                }
            }
        });
    }

    // With h = 1/64 and knots 1/2 apart, the central difference of a cubic misses its slope by h²/6 times the third derivative, which is
    // a third difference of the coefficients (at most 9.2 here) times 2³: 0.003.
    #[test]
    fn the_gradient_of_x_is_the_slope_of_the_forward_pass() {
        let shape = shape(1, 1, 1.0, 4);
        let c = [0.3, -1.0, 2.0, 0.5, -0.7, 1.1, 0.2];
        let value = |x: f32| {
            let mut y = [0.0];
            accumulate(shape, &[x], &c, &mut y);
            f64::from(y[0])
        };
        for x in [-1.4, -0.8, -0.3, 0.1, 0.7, 1.2] {
            let mut grad_x = [0.0];
            let (tape, prepared) = (located(shape, &[x]), prepared(shape, &c));
            backward_input(shape, &tape, &prepared, &[1.0], &mut grad_x);
            let h = 1.0 / 64.0;
            let slope = (value(x + h) - value(x - h)) / (2.0 * f64::from(h));
            assert!(
                (f64::from(grad_x[0]) - slope).abs() <= 0.0035,
                "x {x}: {grad_x:?} {slope}"
            );
        }
    }

    // Beyond the borders a spline is straight, also where t³ is more than a number can hold.
    #[test]
    fn splines_are_straight_far_outside() {
        for_every_instruction_set(|set| {
            for d_out in [3, 20] {
                let shape = shape(1, d_out, 1.0, 5);
                let c = scattered(8 * d_out, -1.0, 1.0);
                let slopes_at = |x: [f32; 2]| {
                    let tape = located(shape, &x);
                    let mut grad_c = vec![0.0; c.len()];
                    backward_coefficients(shape, &tape, &vec![1.0; 2 * d_out], &mut grad_c);
                    assert!(grad_c.iter().all(|g| g.is_finite()), "{set} {x:?}");
                    let mut y = vec![0.0; 2 * d_out];
                    forward(shape, &tape, &prepared(shape, &c), &mut y);
                    assert!(y.iter().all(|y| y.is_finite()), "{set} {x:?}");
                    let (g, mut grad_x) = (vec![1.0; 2 * d_out], [0.0; 2]);
                    backward_input(shape, &tape, &prepared(shape, &c), &g, &mut grad_x);
                    grad_x
                };
                assert_eq!(slopes_at([-2.0, 2.0]), slopes_at([-1e15, 1e15]), "{set}");
            }
        });
    }

    #[test]
    fn nan_stays_in_its_row() {
        for_every_instruction_set(|set| {
            for d_out in [3, 20] {
                let shape = shape(2, d_out, 1.0, 5);
                // NaN may hold any bits.
                let nan = f32::from_bits(0xffff_ffff);
                let (x, c) = ([0.1, nan, 0.3, 0.4], vec![1.0; 16 * d_out]);
                let mut y = vec![0.0; 2 * d_out];
                accumulate(shape, &x, &c, &mut y);
                let (first, second) = y.split_at(d_out);
                assert!(first.iter().all(|y| y.is_nan()), "{set}");
                assert!(second.iter().all(|y| y.is_finite()), "{set}");
                let mut grad_x = [0.0; 4];
                let (tape, prepared) = (located(shape, &x), prepared(shape, &c));
                backward_input(shape, &tape, &prepared, &y, &mut grad_x);
                assert!(
                    grad_x[1].is_nan() && grad_x[2..].iter().all(|g| g.is_finite()),
                    "{set}"
                );
            }
        });
    }
}
