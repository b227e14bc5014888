//! Rows that come from a grid: a first layer that is a sum over its inputs is evaluated once for each value of an axis, not once for each
//! row.
//!
//! With f(x) = b + Σ_i φ_i(x_i) and e_i the unit vectors, f(x) = Σ_i f(x_i e_i) − (d_in − 1) f(0). So the layer is evaluated at the points
//! x_i e_i and at 0, and a row is a sum of d_in rows of that table. Backward is the same in reverse: the gradient of a row is added to
//! its d_in places, and the layer runs backward on the table alone. A batch of 16,384 samples of a 768×512 picture takes a
//! table of 1,281 rows.

use std::sync::Mutex;

use rayon::prelude::*;

use super::plan::{Plan, Weights};
use super::workspace::Workspace;
use super::{Part, lock, workspace};
use crate::kernels::Buffer;
use crate::kernels::elementwise::{add_rows_at, axpy, sum_of_rows_at};

/// A table is used when it has no more than this share of the rows.
const MOST_ROWS: f64 = 0.25;

/// Numbers that one thread adds up at a time.
const PIECE: usize = 4096;

/// A table of the first layer, kept for its memory.
#[derive(Debug, Default)]
pub(super) struct Grid {
    /// `[points, d_in]`: x_i e_i for every value of every axis, then 0.
    points: Vec<f32>,
    /// How many of the points lie on the first axis; they come first.
    on_first_axis: usize,
    /// `[rows, d_in]`: which points a row is the sum of.
    places: Vec<u32>,
    /// `[points, d_out]`, then its gradient.
    table: Buffer,
    gradient: Buffer,
    /// A hash table of the values of one axis, with their points.
    slots: Vec<Option<(u32, u32)>>,
}

/// A table, and the rows that are sums of its rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lookup<'a> {
    table: &'a [f32],
    d_out: usize,
    d_in: usize,
    places: &'a [u32],
}

impl Grid {
    /// Finds the values on every axis of `coordinates` `[rows, d_in]`; false when there are too many for a table to be worth while.
    pub fn find(&mut self, coordinates: &[f32], d_in: usize) -> bool {
        let rows = coordinates.len() / d_in;
        let most = (MOST_ROWS * rows as f64) as usize;
        if most == 0 {
            return false;
        }
        self.points.clear();
        self.places.resize(coordinates.len(), 0);
        // At most half full, so that a search is short.
        let bits = (2 * most).max(2).next_power_of_two().ilog2();
        for axis in 0..d_in {
            self.slots.clear();
            self.slots.resize(1 << bits, None);
            if axis == 1 {
                self.on_first_axis = self.points.len() / d_in;
            }
            for row in 0..rows {
                let value = coordinates[row * d_in + axis];
                let place = match self.slot(value.to_bits(), bits) {
                    Ok(place) => place,
                    Err(slot) => {
                        let place = self.points.len() / d_in;
                        if place + 1 >= most {
                            return false;
                        }
                        self.points.resize((place + 1) * d_in, 0.0);
                        self.points[place * d_in + axis] = value;
                        self.slots[slot] = Some((value.to_bits(), place as u32));
                        place as u32
                    }
                };
                self.places[row * d_in + axis] = place;
            }
        }
        if d_in == 1 {
            self.on_first_axis = self.points.len();
        }
        self.points.resize(self.points.len() + d_in, 0.0);
        true
    }

    /// The point of a value, or the free slot for it.
    fn slot(&self, value: u32, bits: u32) -> Result<u32, usize> {
        // Multiples of 2³² / golden ratio spread over the upper bits (Knuth, TAOCP 3, 6.4).
        let mut slot = (value.wrapping_mul(0x9e37_79b9) >> (32 - bits)) as usize;
        loop {
            match self.slots[slot] {
                Some((found, place)) if found == value => return Ok(place),
                Some(_) => slot = (slot + 1) & ((1 << bits) - 1),
                None => return Err(slot),
            }
        }
    }

    /// How many rows the table has.
    fn rows(&self, plan: &Plan) -> usize {
        self.points.len() / plan.network.d_in()
    }

    /// Evaluates the first layer at all points.
    pub fn fill(&mut self, plan: &Plan, weights: Weights, workspaces: &[Mutex<Workspace>]) {
        let (d_in, d_out) = (plan.network.d_in(), plan.layers[0].d_out);
        let length = self.rows(plan) * d_out;
        if self.table.len() < length {
            self.table = Buffer::zeros(length.next_power_of_two());
        }
        let table = &mut self.table[..length];
        self.points
            .par_chunks(plan.rows * d_in)
            .zip(table.par_chunks_mut(plan.rows * d_out))
            .for_each(|(points, table)| {
                let mut workspace = workspace(workspaces);
                table.copy_from_slice(workspace.first_layer(plan, weights, points, false));
            });
        // One place of every row carries −(d_in − 1) f(0).
        let (values, at_zero) = table.split_at_mut(length - d_out);
        for row in values[..self.on_first_axis * d_out].chunks_exact_mut(d_out) {
            axpy(-((d_in - 1) as f32), at_zero, row);
        }
    }

    /// The table, after [`Self::fill`].
    pub fn lookup(&self, plan: &Plan) -> Lookup<'_> {
        Lookup {
            table: &self.table[..self.table_len(plan)],
            d_out: plan.layers[0].d_out,
            d_in: plan.network.d_in(),
            places: &self.places,
        }
    }

    /// Runs the first layer backward: from the gradients of the table that the parts added up, to the gradients of the parameters.
    pub fn backward(
        &mut self,
        plan: &Plan,
        weights: Weights,
        workspaces: &[Mutex<Workspace>],
        parts: &[Mutex<Part>],
    ) {
        let (d_in, d_out) = (plan.network.d_in(), plan.layers[0].d_out);
        let length = self.rows(plan) * d_out;
        if self.gradient.len() < length {
            self.gradient = Buffer::zeros(length.next_power_of_two());
        }
        let gradient = &mut self.gradient[..length];
        gradient
            .par_chunks_mut(PIECE)
            .enumerate()
            .for_each(|(piece, sum)| {
                let place = piece * PIECE..piece * PIECE + sum.len();
                sum.fill(0.0);
                for part in parts {
                    axpy(1.0, &lock(part).table_gradient[place.clone()], sum);
                }
            });
        let (values, at_zero) = gradient.split_at_mut(length - d_out);
        for row in values[..self.on_first_axis * d_out].chunks_exact(d_out) {
            axpy(-((d_in - 1) as f32), row, at_zero);
        }
        let rows = self.rows(plan).div_ceil(parts.len());
        parts
            .par_iter()
            .zip(self.points.par_chunks(rows * d_in))
            .zip(self.gradient[..length].par_chunks(rows * d_out))
            .for_each(|((part, points), gradient)| {
                let mut workspace = workspace(workspaces);
                let mut part = lock(part);
                let tiles = points.chunks(plan.rows * d_in);
                for (points, gradient) in tiles.zip(gradient.chunks(plan.rows * d_out)) {
                    workspace.first_layer(plan, weights, points, true);
                    workspace.first_layer_backward(plan, weights, points, gradient, &mut part);
                }
            });
    }

    /// How many numbers the table has.
    pub fn table_len(&self, plan: &Plan) -> usize {
        self.rows(plan) * plan.layers[0].d_out
    }
}

impl<'a> Lookup<'a> {
    /// The same table for rows `first..first + rows`.
    pub fn rows(&self, first: usize, rows: usize) -> Self {
        Self {
            places: &self.places[first * self.d_in..][..rows * self.d_in],
            ..*self
        }
    }

    /// Writes the output of the first layer.
    pub fn forward(&self, output: &mut [f32]) {
        sum_of_rows_at(self.table, self.d_out, self.places, self.d_in, output);
    }

    /// Adds the gradient of the output to that of the table.
    pub fn backward(&self, grad_output: &[f32], table_gradient: &mut [f32]) {
        add_rows_at(
            grad_output,
            self.d_out,
            self.places,
            self.d_in,
            table_gradient,
        );
    }
}
