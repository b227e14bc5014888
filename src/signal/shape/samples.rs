//! The samples that a fit to a shape draws from: near the surface at two scales, on it, and in the whole box.

use rayon::prelude::*;

use super::body::Body;
use super::random::Random;

/// Samples of a fit, about as many as its steps take.
pub(super) const COUNT: usize = 1 << 21;
/// Distances that one thread computes at a time.
const AT_ONCE: usize = 256;

/// The standard deviations of samples near the surface, in coordinates.
const NEAR: [f64; 2] = [0.005, 0.05];
/// Of 16 samples, how many are near the surface at the first and the second scale, and on it; the others lie anywhere in the box.
const SHARES: [u64; 3] = [6, 6, 1];

/// Places with distances and normals.
pub(super) struct Pool {
    /// `[n, 3]`
    pub coordinates: Vec<f32>,
    /// `[n]`; 0 at points of a cloud and NaN off them.
    pub distances: Vec<f32>,
    /// The mean of the squared distances from their mean over samples anywhere in the box.
    pub variance: f64,
}

/// Where sample `index` lies, with a normal if it is on the surface.
pub(super) fn place(body: &Body, index: u64) -> ([f32; 3], Option<[f32; 3]>) {
    let mut random = Random::new(1, index);
    if let Body::Points(points) = body {
        // Every point in turn, and as many places anywhere.
        let point = (index / 2) as usize % points.positions.len();
        return match index % 2 {
            0 => (points.positions[point], Some(points.normals[point])),
            _ => (random.in_box(), None),
        };
    }
    let [fine, coarse, on] = SHARES;
    let turn = index % 16;
    let spread = match turn {
        _ if turn < fine => NEAR[0],
        _ if turn < fine + coarse => NEAR[1],
        _ if turn < fine + coarse + on => 0.0,
        _ => return (random.in_box(), None),
    };
    let Some((point, normal)) = body.surface(&mut random) else {
        return (random.in_box(), None);
    };
    let offset = random.normal();
    let moved = |axis: usize| f64::from(point[axis]) + spread * offset[axis];
    let place = [0, 1, 2].map(|axis| moved(axis).clamp(-1.0, 1.0) as f32);
    (place, (spread == 0.0).then_some(normal))
}

impl Pool {
    pub fn new(body: &Body) -> Self {
        let mut coordinates = vec![0.0; 3 * COUNT];
        let mut distances = vec![0.0; COUNT];
        coordinates
            .par_chunks_mut(3 * AT_ONCE)
            .zip(distances.par_chunks_mut(AT_ONCE))
            .enumerate()
            .for_each(|(chunk, (coordinates, distances))| {
                for (i, point) in coordinates.as_chunks_mut().0.iter_mut().enumerate() {
                    let index = (chunk * AT_ONCE + i) as u64;
                    *point = place(body, index).0;
                    if matches!(body, Body::Points(_)) {
                        distances[i] = if index.is_multiple_of(2) {
                            0.0
                        } else {
                            f32::NAN
                        };
                    }
                }
            });
        if !matches!(body, Body::Points(_)) {
            body.distances(&coordinates, &mut distances);
        }
        let anywhere = || distances.iter().skip(15).step_by(16).map(|&d| f64::from(d));
        let count = anywhere().count() as f64;
        let mean = anywhere().sum::<f64>() / count;
        let variance = anywhere().map(|d| (d - mean).powi(2)).sum::<f64>() / count;
        Self {
            coordinates,
            distances,
            variance,
        }
    }
}
