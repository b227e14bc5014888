//! The blocks of a lattice that hold the surface of a field, and its values there.
//!
//! Memory grows with the surface, not with the volume, apart from four bytes a block, and eight more while the surface is extracted.

use rayon::prelude::*;

use super::field::{CHUNK, Evaluate, evaluate};
use super::lattice::Lattice;

/// Points along the side of a block.
const SIZE: usize = 8;
/// Where there are fewer blocks, all of them are soon evaluated.
const FEWEST_TO_SAMPLE: usize = 16 * 16 * 16;
/// No values are held of such a block.
const ABSENT: u32 = u32::MAX;

/// How the first blocks with surface are found. From there on the surface is followed, so that a body found anywhere is found whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Search {
    /// The slope |∇f| is nowhere above this bound, as for a signed distance (1, and some more for a fitted one): a block is left out when
    /// the value at its centre shows that no surface can be near. Misses nothing while the bound holds. Where it leaves out less than
    /// half of the blocks the field is flat and no distance, and every second point is looked at instead.
    Lipschitz(f32),
    /// Every so many points along each axis are compared with their neighbours, 1 to 8; for fields whose slope is unknown, such as
    /// occupancy. Misses a body, hollow or hole that no two of these points tell apart, which 1 rules out: then all points are evaluated.
    Sampled(u32),
}

/// The values of a field at the points of the blocks that hold surface; NaN stands for points without a value.
#[derive(Debug, Clone)]
pub struct Blocks {
    pub(super) lattice: Lattice,
    size: usize,
    counts: [usize; 3],
    /// By block, x fastest: the index into `values`, or [`ABSENT`].
    slots: Vec<u32>,
    values: Vec<Box<[f32]>>,
}

impl Blocks {
    /// Finds the blocks of `lattice` through which the surface f = 0 passes.
    ///
    /// # Errors
    /// Those of the field.
    pub fn find<E>(field: &mut Evaluate<E>, lattice: &Lattice, search: Search) -> Result<Self, E> {
        Self::find_with_size(field, lattice, search, SIZE)
    }

    /// As [`Blocks::find`], unless the surface begins in more than half of the blocks, as that of a field that is mostly noise: then none.
    ///
    /// # Errors
    /// Those of the field.
    pub fn find_sparse<E>(
        field: &mut Evaluate<E>,
        lattice: &Lattice,
        search: Search,
    ) -> Result<Option<Self>, E> {
        let mut blocks = Self::empty(lattice, SIZE);
        let seeds = blocks.seeds(field, search)?;
        if blocks.are_most(&seeds) {
            return Ok(None);
        }
        blocks.follow(field, seeds)?;
        Ok(Some(blocks))
    }

    pub(super) fn find_with_size<E>(
        field: &mut Evaluate<E>,
        lattice: &Lattice,
        search: Search,
        size: usize,
    ) -> Result<Self, E> {
        let mut blocks = Self::empty(lattice, size);
        let seeds = blocks.seeds(field, search)?;
        blocks.follow(field, seeds)?;
        Ok(blocks)
    }

    fn empty(lattice: &Lattice, size: usize) -> Self {
        let counts = lattice.counts.map(|n| n.div_ceil(size));
        Self {
            lattice: lattice.clone(),
            size,
            counts,
            slots: vec![ABSENT; counts.iter().product()],
            values: Vec::new(),
        }
    }

    fn are_most(&self, seeds: &[usize]) -> bool {
        2 * seeds.len() > self.slots.len()
    }

    /// The blocks in which the surface is first seen.
    fn seeds<E>(&self, field: &mut Evaluate<E>, search: Search) -> Result<Vec<usize>, E> {
        match search {
            Search::Lipschitz(bound) => {
                let seeds = self.seeds_by_slope(field, bound)?;
                match self.are_most(&seeds) && self.slots.len() >= FEWEST_TO_SAMPLE {
                    true => self.seeds_by_sign(field, 2),
                    false => Ok(seeds),
                }
            }
            Search::Sampled(stride) => {
                self.seeds_by_sign(field, (stride as usize).clamp(1, self.size))
            }
        }
    }

    /// The blocks with values, in order.
    pub(super) fn present(&self) -> Vec<[usize; 3]> {
        let held = |&index: &usize| self.slots[index] != ABSENT;
        let held = (0..self.slots.len()).filter(held);
        held.map(|index| self.block(index)).collect()
    }

    /// Points around the body, in the coordinates of the field: of each block the corners of the box around its points inside.
    pub fn outline(&self) -> Vec<[f32; 3]> {
        let corners = |block: [usize; 3]| {
            let values = &self.values[self.slots[self.index(block)] as usize];
            let (mut low, mut high) = ([usize::MAX; 3], [0; 3]);
            for (i, _) in values.iter().enumerate().filter(|(_, v)| **v < 0.0) {
                let size = self.size;
                let local = [i % size, i / size % size, i / (size * size)];
                for axis in 0..3 {
                    low[axis] = low[axis].min(block[axis] * size + local[axis]);
                    high[axis] = high[axis].max(block[axis] * size + local[axis]);
                }
            }
            let held = low[0] <= high[0];
            let corner = move |c: usize| [0, 1, 2].map(|axis| [low, high][c >> axis & 1][axis]);
            (0..8)
                .filter(move |_| held)
                .map(move |c| self.lattice.point(corner(c)))
        };
        self.present().into_iter().flat_map(corners).collect()
    }

    /// The field as its values tell it: linear along each axis between those that are held, far outside where none is.
    pub(super) fn field<E>(&self) -> impl FnMut(&[f32], &mut [f32]) -> Result<(), E> + '_ {
        |points, values| {
            let (points, _) = points.as_chunks::<3>();
            values
                .par_iter_mut()
                .zip(points)
                .with_min_len(1024)
                .for_each(|(value, &point)| *value = self.between(point));
            Ok(())
        }
    }

    fn between(&self, point: [f32; 3]) -> f32 {
        // Points lie at the centres of their cells.
        let place = self.lattice.index_at(point).map(|x| x - 0.5);
        let base = place.map(f32::floor);
        let part = [0, 1, 2].map(|axis| place[axis] - base[axis]);
        let (mut sum, mut weights) = (0.0, 0.0);
        for corner in 0..8 {
            let upper = [0, 1, 2].map(|axis| corner >> axis & 1);
            let Some(value) = self.held([0, 1, 2].map(|a| base[a] as i64 + upper[a])) else {
                continue;
            };
            let weight: f32 = (0..3)
                .map(|a| {
                    if upper[a] == 1 {
                        part[a]
                    } else {
                        1.0 - part[a]
                    }
                })
                .product();
            sum += weight * value;
            weights += weight;
        }
        // Beside a block that is not held there is no surface, so that what is held tells the side.
        if weights > 0.0 {
            sum / weights
        } else {
            f32::INFINITY
        }
    }

    /// The finite value at a lattice point, if it is held.
    fn held(&self, point: [i64; 3]) -> Option<f32> {
        let mut block = [0; 3];
        let mut local = 0;
        for axis in (0..3).rev() {
            let index = usize::try_from(point[axis]).ok()?;
            block[axis] = index / self.size;
            if block[axis] >= self.counts[axis] {
                return None;
            }
            local = local * self.size + index % self.size;
        }
        let slot = self.slots[self.index(block)];
        if slot == ABSENT {
            return None;
        }
        Some(self.values[slot as usize][local]).filter(|value| value.is_finite())
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The place of a block in the order of [`Blocks::present`], counting absent ones.
    pub(super) fn index(&self, block: [usize; 3]) -> usize {
        (block[2] * self.counts[1] + block[1]) * self.counts[0] + block[0]
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    fn block(&self, index: usize) -> [usize; 3] {
        let [nx, ny, _] = self.counts;
        [index % nx, index / nx % ny, index / (nx * ny)]
    }

    /// Whether the block around a lattice place (in spacings, with a fraction) has values, and the block.
    pub(super) fn block_around(&self, place: [f32; 3]) -> Option<([usize; 3], bool)> {
        let mut block = [0; 3];
        for axis in 0..3 {
            if !(place[axis] >= 0.0 && place[axis] < self.lattice.counts[axis] as f32) {
                return None;
            }
            block[axis] = (place[axis] as usize / self.size).min(self.counts[axis] - 1);
        }
        Some((block, self.slots[self.index(block)] != ABSENT))
    }

    /// The points of a block and one layer around it, `[(size + 2)³]`, x fastest.
    pub(super) fn values_around(&self, block: [usize; 3]) -> Vec<f32> {
        let (size, side) = (self.size, self.size + 2);
        let mut around = vec![f32::NAN; side * side * side];
        for part in 0..27 {
            let offset = [part % 3, part / 3 % 3, part / 9];
            let Some(neighbour) = self.neighbour(block, offset) else {
                continue;
            };
            let slot = self.slots[self.index(neighbour)];
            if slot == ABSENT {
                continue;
            }
            let values = &self.values[slot as usize];
            // The part of the neighbour that is seen, and where it lies.
            let ranges = offset.map(|o| [size - 1..size, 0..size, 0..1][o].clone());
            let shift = offset.map(|o| [0, 1, size + 1][o]);
            for z in ranges[2].clone() {
                for y in ranges[1].clone() {
                    let from = (z * size + y) * size;
                    let [to_y, to_z] = [1, 2].map(|a| [y, z][a - 1] - ranges[a].start + shift[a]);
                    let to = (to_z * side + to_y) * side + shift[0];
                    let row = &values[from + ranges[0].start..from + ranges[0].end];
                    around[to..to + row.len()].copy_from_slice(row);
                }
            }
        }
        around
    }

    /// The block at `offset` − 1 from `block`, if it exists.
    fn neighbour(&self, block: [usize; 3], offset: [usize; 3]) -> Option<[usize; 3]> {
        let mut neighbour = block;
        for axis in 0..3 {
            neighbour[axis] = (block[axis] + offset[axis]).checked_sub(1)?;
            if neighbour[axis] >= self.counts[axis] {
                return None;
            }
        }
        Some(neighbour)
    }

    fn seeds_by_slope<E>(&self, field: &mut Evaluate<E>, bound: f32) -> Result<Vec<usize>, E> {
        let half = self.size as f64 / 2.0;
        // A block is answerable for the cells from its points to those of the next.
        let radius = self.lattice.spacing().map(|h| h * half as f32);
        let reach = bound * radius.iter().map(|r| r * r).sum::<f32>().sqrt();
        let mut seeds = Vec::new();
        let count = self.slots.len();
        for first in (0..count).step_by(CHUNK) {
            let indices: Vec<usize> = (first..count.min(first + CHUNK)).collect();
            let centres: Vec<[f32; 3]> = indices
                .iter()
                .map(|&index| {
                    let centre = self.block(index).map(|b| (b * self.size) as f64 + half);
                    self.lattice.position(centre)
                })
                .collect();
            let values = evaluate(field, &centres)?;
            let holds = |index: usize, value: f32| {
                let block = self.block(index);
                let outermost =
                    (0..3).any(|axis| block[axis] == 0 || block[axis] + 1 == self.counts[axis]);
                value.abs() <= reach || outermost && value < 0.0
            };
            let found = indices.iter().zip(values);
            seeds.extend(found.filter(|&(&i, v)| holds(i, v)).map(|(&i, _)| i));
        }
        Ok(seeds)
    }

    fn seeds_by_sign<E>(&self, field: &mut Evaluate<E>, stride: usize) -> Result<Vec<usize>, E> {
        let sampled = self.lattice.counts.map(|n| {
            let mut sampled: Vec<usize> = (0..n - 1).step_by(stride).collect();
            sampled.push(n - 1);
            sampled
        });
        let [xs, ys, zs] = &sampled;
        let plane = xs.len() * ys.len();
        let mut is_seed = vec![false; self.slots.len()];
        let mut mark = |one: [usize; 3], other: [usize; 3]| {
            for point in [one, other] {
                is_seed[self.index(point.map(|i| i / self.size))] = true;
            }
        };
        let mut below: Vec<bool> = Vec::new();
        for (group, planes) in zs.chunks((CHUNK / plane).max(1)).enumerate() {
            let points: Vec<[usize; 3]> = planes
                .iter()
                .flat_map(|&z| {
                    ys.iter()
                        .flat_map(move |&y| xs.iter().map(move |&x| [x, y, z]))
                })
                .collect();
            let inside: Vec<bool> = self
                .values_at(field, &points)?
                .into_iter()
                .map(|value| value < 0.0)
                .collect();
            let first_plane = group * (CHUNK / plane).max(1);
            for (i, &point) in points.iter().enumerate() {
                let (x, y, z) = (i % xs.len(), i / xs.len() % ys.len(), i / plane);
                if x > 0 && inside[i] != inside[i - 1] {
                    mark(point, [xs[x - 1], point[1], point[2]]);
                }
                if y > 0 && inside[i] != inside[i - xs.len()] {
                    mark(point, [point[0], ys[y - 1], point[2]]);
                }
                let under = if z > 0 {
                    Some(inside[i - plane])
                } else {
                    below.get(i).copied()
                };
                if under.is_some_and(|under| under != inside[i]) {
                    mark(point, [point[0], point[1], zs[first_plane + z - 1]]);
                }
            }
            below = inside[inside.len() - plane..].to_vec();
        }
        Ok((0..is_seed.len()).filter(|&i| is_seed[i]).collect())
    }

    /// The values at lattice points: +∞ in the cap, NaN beyond the lattice.
    fn values_at<E>(&self, field: &mut Evaluate<E>, points: &[[usize; 3]]) -> Result<Vec<f32>, E> {
        let lattice = &self.lattice;
        let exists = |p: &[usize; 3]| (0..3).all(|axis| p[axis] < lattice.counts[axis]);
        let real = |p: &[usize; 3]| exists(p) && !lattice.is_cap(*p);
        let places: Vec<[f32; 3]> = points
            .par_iter()
            .filter(|p| real(p))
            .map(|p| lattice.point(*p))
            .collect();
        let mut values = evaluate(field, &places)?.into_iter();
        let value = |p: &[usize; 3]| match (exists(p), real(p)) {
            (true, true) => values.next().unwrap_or(f32::NAN),
            (true, false) => f32::INFINITY,
            (false, _) => f32::NAN,
        };
        Ok(points.iter().map(value).collect())
    }

    /// Evaluates the blocks `wanted` and, again and again, all that hold points of a cell at a crossed edge.
    fn follow<E>(&mut self, field: &mut Evaluate<E>, mut wanted: Vec<usize>) -> Result<(), E> {
        let volume = self.size * self.size * self.size;
        while !wanted.is_empty() {
            for batch in wanted.chunks((CHUNK / volume).max(1)) {
                let points: Vec<[usize; 3]> = batch
                    .iter()
                    .flat_map(|&index| {
                        let (origin, size) = (self.block(index).map(|b| b * self.size), self.size);
                        (0..volume).map(move |i| {
                            let local = [i % size, i / size % size, i / (size * size)];
                            [0, 1, 2].map(|axis| origin[axis] + local[axis])
                        })
                    })
                    .collect();
                let values = self.values_at(field, &points)?;
                for (&index, values) in batch.iter().zip(values.chunks(volume)) {
                    self.slots[index] = self.values.len() as u32;
                    self.values.push(values.into());
                }
            }
            let mut next: Vec<usize> = wanted
                .par_iter()
                .flat_map_iter(|&index| self.needed_around(self.block(index)))
                .filter(|&index| self.slots[index] == ABSENT)
                .collect();
            next.par_sort_unstable();
            next.dedup();
            wanted = next;
        }
        Ok(())
    }

    /// The blocks with points of cells at the crossed edges that start or end in `block`.
    fn needed_around(&self, block: [usize; 3]) -> Vec<usize> {
        let (size, side) = (self.size, self.size + 2);
        let values = self.values_around(block);
        let strides = [1, side, side * side];
        let mut needed = [false; 27];
        for start in 0..values.len() {
            // Places within `values`: 0 and size + 1 belong to the neighbours.
            let place = strides.map(|stride| start / stride % side);
            for axis in 0..3 {
                let own = |a: usize| (usize::from(a != axis)..=size).contains(&place[a]);
                if !(0..3).all(own) || !crosses(values[start], values[start + strides[axis]]) {
                    continue;
                }
                let reach = [0, 1, 2].map(|a| {
                    let low = place[a] - usize::from(a != axis);
                    let offset = |p: usize| usize::from(p > 0) + usize::from(p > size);
                    offset(low)..=offset(place[a] + 1)
                });
                for z in reach[2].clone() {
                    for y in reach[1].clone() {
                        for x in reach[0].clone() {
                            needed[x + 3 * y + 9 * z] = true;
                        }
                    }
                }
            }
        }
        (0..27)
            .filter(|&part| needed[part])
            .filter_map(|part| self.neighbour(block, [part % 3, part / 3 % 3, part / 9]))
            .map(|neighbour| self.index(neighbour))
            .collect()
    }
}

/// Whether the surface passes between two neighbouring points.
pub(super) fn crosses(one: f32, other: f32) -> bool {
    !one.is_nan() && !other.is_nan() && (one < 0.0) != (other < 0.0)
}
