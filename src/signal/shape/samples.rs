//! The samples that a fit to a shape draws from: near the surface at two scales, on it, and in the whole box.

use rayon::prelude::*;

use super::body::Body;
use super::random::Random;
use super::vector::{norm, sub, widen};

/// Samples of a fit, about as many as its steps take.
pub(super) const COUNT: usize = 1 << 21;
/// Distances that one thread computes at a time.
const AT_ONCE: usize = 256;

/// The standard deviations of samples near the surface, in coordinates.
const NEAR: [f64; 2] = [0.003, 0.03];
/// Of 16 samples, how many are near the surface at the first and the second scale, and on it; the others lie anywhere in the box.
const SHARES: [u64; 3] = [7, 4, 1];

/// Places with distances and normals.
pub(super) struct Pool {
    /// `[n, 3]`
    pub coordinates: Vec<f32>,
    /// `[n]`; 0 at points of a cloud and NaN off them.
    pub distances: Vec<f32>,
    /// The mean of the squared distances from their mean over samples anywhere in the box.
    pub variance: f64,
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
        if let Body::Points(points) = body {
            // Every point in turn, and as many places anywhere.
            let point = (index / 2) as usize % points.positions.len();
            return match index % 2 {
                0 => Self {
                    at: points.positions[point],
                    normal: Some(points.normals[point]),
                    reach: 0.0,
                },
                _ => Self::anywhere(&mut random),
            };
        }
        let [fine, coarse, on] = SHARES;
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
    pub fn new(body: &Body) -> Self {
        let mut coordinates = vec![0.0; 3 * COUNT];
        let mut distances = vec![0.0; COUNT];
        coordinates
            .par_chunks_mut(3 * AT_ONCE)
            .zip(distances.par_chunks_mut(AT_ONCE))
            .enumerate()
            .for_each(|(chunk, (coordinates, distances))| {
                for (i, point) in coordinates.as_chunks_mut().0.iter_mut().enumerate() {
                    let place = Place::new(body, (chunk * AT_ONCE + i) as u64);
                    *point = place.at;
                    distances[i] = match (body, place.normal) {
                        (Body::Points(_), None) => f32::NAN,
                        _ => place.reach,
                    };
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
