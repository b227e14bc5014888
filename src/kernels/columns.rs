//! Sixteen columns of a row-major matrix at a time, so that what is computed column by column is read and written in whole rows.

use super::vector::Vector;
use super::{Block, LANES};

/// Some consecutive columns of at most `16 * BLOCKS` rows.
#[repr(align(64))]
pub(super) struct Columns<const BLOCKS: usize>(pub(super) [[Block; BLOCKS]; LANES]);

impl<const BLOCKS: usize> Columns<BLOCKS> {
    pub(super) fn zeros() -> Self {
        Self([[[0.0; LANES]; BLOCKS]; LANES])
    }

    /// Reads the columns `first..` of a matrix of rows of `width`, and zeros beyond its right and lower borders.
    #[inline(always)]
    pub(super) fn load<V: Vector>(&mut self, matrix: &[f32], width: usize, first: usize) {
        let count = (width - first).min(LANES);
        for (block, rows) in matrix.chunks(LANES * width).enumerate() {
            let mut square = [[0.0; LANES]; LANES];
            for (place, row) in square.iter_mut().zip(rows.chunks_exact(width)) {
                V::load_some(&row[first..first + count]).store(place);
            }
            V::transpose(&mut square);
            for (column, values) in self.0.iter_mut().zip(square) {
                column[block] = values;
            }
        }
    }

    /// Adds the columns to the columns `first..` of a matrix of rows of `width`, up to its borders.
    #[inline(always)]
    pub(super) fn add_to<V: Vector>(&self, matrix: &mut [f32], width: usize, first: usize) {
        let count = (width - first).min(LANES);
        for (block, rows) in matrix.chunks_mut(LANES * width).enumerate() {
            let mut square = [[0.0; LANES]; LANES];
            for (values, column) in square.iter_mut().zip(&self.0) {
                *values = column[block];
            }
            V::transpose(&mut square);
            for (row, values) in rows.chunks_exact_mut(width).zip(&square) {
                let row = &mut row[first..first + count];
                V::load(values).add(V::load_some(row)).store_some(row);
            }
        }
    }
}
