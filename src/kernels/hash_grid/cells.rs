//! Where the rows of a block lie in a level.

use super::Level;

/// Rows that are worked on together: few enough for the L1 cache, enough for loops over whole vectors.
pub(super) const ROWS: usize = 64;

/// 2²³: a number below it, added to it, loses what is behind the point.
const WHOLE: f32 = 8_388_608.0;

/// The cells around the inputs of a block of rows, each with C = 2^D corners; bit i of a corner: the upper vertex of axis i.
pub(super) struct Cells<const D: usize, const C: usize> {
    /// The row within the level of the vertex at every corner.
    pub vertices: [[u32; ROWS]; C],
    /// What it weighs.
    pub weights: [[f32; ROWS]; C],
    /// The share of the upper vertex on each axis.
    uppers: [[f32; ROWS]; D],
}

impl<const D: usize, const C: usize> Cells<D, C> {
    #[inline(always)]
    pub fn new() -> Self {
        Self {
            vertices: [[0; ROWS]; C],
            weights: [[0.0; ROWS]; C],
            uppers: [[0.0; ROWS]; D],
        }
    }

    /// Finds the cells of inputs given axis by axis; NaN lies in some cell and weighs NaN.
    #[inline(always)]
    pub fn find(&mut self, level: &Level, x: &[[f32; ROWS]; D]) {
        let mut terms = [[0; ROWS]; D];
        for axis in 0..D {
            let (factor, half) = (level.factors[axis], level.half(axis));
            let last = 2.0 * half - 1.0;
            let places = terms[axis].iter_mut().zip(&mut self.uppers[axis]);
            for (x, (term, upper)) in x[axis].iter().zip(places) {
                // `clamp` lets NaN through; the comparison with `last` does not.
                let u = x.clamp(-1.0, 1.0) * half + half;
                let nearest = (u + WHOLE) - WHOLE;
                let floor = if nearest > u { nearest - 1.0 } else { nearest };
                let vertex = if floor < last { floor } else { last };
                *upper = u - vertex;
                *term = ((vertex + WHOLE).to_bits() - WHOLE.to_bits()).wrapping_mul(factor);
            }
        }
        for (corner, vertices) in self.vertices.iter_mut().enumerate() {
            let places = vertices.iter_mut().zip(&mut self.weights[corner]);
            for (row, (vertex, weight)) in places.enumerate() {
                let (mut joined, mut product) = (0, 1.0);
                for (axis, terms) in terms.iter().enumerate() {
                    let (term, upper) = (terms[row], self.uppers[axis][row]);
                    let (term, share) = if corner >> axis & 1 == 1 {
                        (term.wrapping_add(level.factors[axis]), upper)
                    } else {
                        (term, 1.0 - upper)
                    };
                    joined = level.join(joined, term);
                    product *= share;
                }
                *vertex = level.row(joined);
                *weight = product;
            }
        }
    }

    /// The derivative of the weight of a corner by the share of the upper vertex on an axis.
    #[inline(always)]
    pub fn weight_by_upper(&self, corner: usize, axis: usize, row: usize) -> f32 {
        let mut product = if corner >> axis & 1 == 1 { 1.0 } else { -1.0 };
        for other in (0..D).filter(|other| *other != axis) {
            let upper = self.uppers[other][row];
            product *= if corner >> other & 1 == 1 {
                upper
            } else {
                1.0 - upper
            };
        }
        product
    }
}

/// Up to [`ROWS`] inputs axis by axis, with zeros behind them.
#[inline(always)]
pub(super) fn columns<const D: usize>(x: &[[f32; D]]) -> [[f32; ROWS]; D] {
    let mut columns = [[0.0; ROWS]; D];
    for (row, x) in x.iter().enumerate() {
        for (column, x) in columns.iter_mut().zip(x) {
            column[row] = *x;
        }
    }
    columns
}
