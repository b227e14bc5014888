//! The samples that a fit to a shape draws from: near the surface at two scales, on it, and in the whole box.

use rayon::prelude::*;

use super::body::Body;
use super::random::Random;
use super::vector::{norm, sub, widen};

/// Samples of an epoch.
pub(super) const COUNT: usize = 1 << 21;
/// Parts of the samples that are drawn anew by turns, one an epoch: a long fit sees many times as many, and a step of the fastest network
/// is not much longer for it.
const PARTS: usize = 16;
/// Distances that one thread computes at a time.
const AT_ONCE: usize = 256;

/// Samples of a part.
const SIZE: usize = COUNT / PARTS;

/// The standard deviations of samples near the surface, in coordinates.
const NEAR: [f64; 2] = [0.003, 0.03];
/// Of 16 samples, how many are near the surface at the first and the second scale, and on it; the others lie anywhere in the box.
const SHARES: [u64; 3] = [7, 4, 1];
/// The same of a cloud, whose points are known better than the distances around them.
const SHARES_OF_POINTS: [u64; 3] = [0, 4, 8];

/// Places with distances and normals.
pub(super) struct Pool {
    /// `[n, 3]`
    pub coordinates: Vec<f32>,
    /// `[n]`
    pub distances: Vec<f32>,
    /// The mean of the squared distances from their mean over the first samples anywhere in the box.
    pub variance: f64,
    /// How often each part was drawn anew.
    drawings: [Option<u64>; PARTS],
}

/// A sample.
pub(super) struct Place {
    pub at: [f32; 3],
    /// The normal there, if it is on the surface.
    pub normal: Option<[f32; 3]>,
    /// What its distance does not exceed.
    reach: f32,
}

impl Place {
    fn anywhere(random: &mut Random) -> Self {
        Self {
            at: random.in_box(),
            normal: None,
            reach: f32::INFINITY,
        }
    }

    /// Sample number `index`.
    pub fn new(body: &Body, index: u64) -> Self {
        let mut random = Random::new(1, index);
        let [fine, coarse, on] = match body {
            Body::Points(_) => SHARES_OF_POINTS,
            _ => SHARES,
        };
        let turn = index % 16;
        let spread = match turn {
            _ if turn < fine => NEAR[0],
            _ if turn < fine + coarse => NEAR[1],
            _ if turn < fine + coarse + on => 0.0,
            _ => return Self::anywhere(&mut random),
        };
        let Some((point, normal)) = body.surface(&mut random) else {
            return Self::anywhere(&mut random);
        };
        let offset = random.normal();
        let moved = |axis: usize| f64::from(point[axis]) + spread * offset[axis];
        let at = [0, 1, 2].map(|axis| moved(axis).clamp(-1.0, 1.0) as f32);
        Self {
            at,
            normal: (spread == 0.0).then_some(normal),
            reach: norm(sub(widen(at), widen(point))) as f32,
        }
    }
}

impl Pool {
    /// The samples of the first epoch.
    pub fn new(body: &Body) -> Self {
        let mut pool = Self {
            coordinates: vec![0.0; 3 * COUNT],
            distances: vec![0.0; COUNT],
            variance: 0.0,
            drawings: [None; PARTS],
        };
        pool.refresh(body, 0);
        let anywhere = pool.distances.iter().skip(15).step_by(16);
        let anywhere = || anywhere.clone().map(|&d| f64::from(d));
        let count = anywhere().count() as f64;
        let mean = anywhere().sum::<f64>() / count;
        pool.variance = anywhere().map(|d| (d - mean).powi(2)).sum::<f64>() / count;
        pool
    }

    /// The number of the sample at `index`, by which [`Place::new`] makes it.
    pub fn number(&self, index: usize) -> u64 {
        number(index, self.drawings[index / SIZE].unwrap_or_default())
    }

    /// Makes them the samples of an epoch, from those of any other.
    ///
    /// A pool that was not whole when a draw ended early draws those parts again.
    pub fn refresh(&mut self, body: &Body, epoch: u64) {
        let parts = self.coordinates.chunks_exact_mut(3 * SIZE);
        let parts = parts.zip(self.distances.chunks_exact_mut(SIZE));
        for (part, ((coordinates, distances), drawing)) in parts.zip(&mut self.drawings).enumerate()
        {
            // Part 0 is the first to be drawn anew, before epoch 1.
            let wanted = (epoch + (PARTS - 1 - part) as u64) / PARTS as u64;
            if *drawing != Some(wanted) {
                *drawing = None;
                draw(body, number(part * SIZE, wanted), coordinates, distances);
                *drawing = Some(wanted);
            }
        }
    }
}

/// The number of the sample at `index` when its part has been drawn anew so often.
fn number(index: usize, drawings: u64) -> u64 {
    drawings * COUNT as u64 + index as u64
}

/// Draws samples number `first` and following: `coordinates` `[n, 3]`, `distances` `[n]`.
fn draw(body: &Body, first: u64, coordinates: &mut [f32], distances: &mut [f32]) {
    coordinates
        .par_chunks_mut(3 * AT_ONCE)
        .zip(distances.par_chunks_mut(AT_ONCE))
        .enumerate()
        .for_each(|(chunk, (coordinates, distances))| {
            for (i, point) in coordinates.as_chunks_mut().0.iter_mut().enumerate() {
                let place = Place::new(body, first + (chunk * AT_ONCE + i) as u64);
                *point = place.at;
                distances[i] = place.reach;
            }
        });
    body.distances(coordinates, distances);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::shape::analytic::Analytic;

    #[test]
    fn samples_of_an_epoch_follow_from_its_number_alone() {
        let body = Body::Analytic(Analytic::parse("sphere(0.6)").unwrap());
        let mut pool = Pool::new(&body);
        let first = pool.distances.clone();
        let changed = |a: &[f32], b: &[f32]| a.iter().zip(b).filter(|(a, b)| a != b).count();
        pool.refresh(&body, 1);
        // One part of 16 is new.
        let differ = changed(&pool.distances, &first);
        assert!(
            (COUNT / PARTS / 2..=COUNT / PARTS).contains(&differ),
            "{differ}"
        );
        assert_eq!(pool.number(SIZE - 1), (COUNT + SIZE - 1) as u64);
        assert_eq!(pool.number(SIZE), SIZE as u64);
        // Places on the surface lie where their normals are asked for.
        let place = Place::new(&body, pool.number(11));
        assert_eq!(place.at, pool.coordinates[33..36]);
        pool.refresh(&body, 0);
        assert_eq!(pool.distances, first);
    }
}
