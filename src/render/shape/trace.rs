//! Rays until they meet the surface.
//!
//! Sphere tracing (Hart 1996) for fields of any slope: only the blocks that hold surface are walked through, in steps that follow the
//! value but stay between a quarter and one spacing of the lattice; where the sign changes, bisection ends the search.

use rayon::prelude::*;

use super::blocks::Blocks;
use super::camera::Ray;
use super::field::{CHUNK, Evaluate, evaluate};

/// Halvings of the last step: to 1/256 of a spacing.
const BISECTIONS: usize = 8;
/// Of a block's side: how far a ray goes beyond a face, so that it is in the next block.
const NUDGE: f32 = 1e-3;

/// A ray under way.
struct Walk {
    ray: usize,
    distance: f32,
    end: f32,
}

/// The distances along `rays` at which they enter the body; infinite for those that do not.
pub(super) fn trace<E>(
    field: &mut Evaluate<E>,
    blocks: &Blocks,
    rays: &[Ray],
) -> Result<Vec<f32>, E> {
    let mut hits = vec![f32::INFINITY; rays.len()];
    for (rays, hits) in rays.chunks(CHUNK).zip(hits.chunks_mut(CHUNK)) {
        trace_chunk(field, blocks, rays, hits)?;
    }
    Ok(hits)
}

fn trace_chunk<E>(
    field: &mut Evaluate<E>,
    blocks: &Blocks,
    rays: &[Ray],
    hits: &mut [f32],
) -> Result<(), E> {
    let spacing = blocks.lattice.smallest_spacing();
    let [low, high] = blocks.lattice.bounds();
    let mut walks: Vec<Walk> = rays
        .par_iter()
        .enumerate()
        .filter_map(|(ray, r)| {
            let [distance, end] = r.through(low, high)?;
            Some(Walk { ray, distance, end })
        })
        .collect();
    // The last place that was outside, or where the ray enters the box: a body cut by the box is met at its face.
    let mut outside = vec![0.0; rays.len()];
    for walk in &walks {
        outside[walk.ray] = walk.distance;
    }
    let mut brackets: Vec<(usize, [f32; 2])> = Vec::new();
    while !walks.is_empty() {
        walks = walks
            .into_par_iter()
            .filter_map(|walk| to_surface(blocks, &rays[walk.ray], walk))
            .collect();
        let places: Vec<[f32; 3]> = walks
            .par_iter()
            .map(|walk| rays[walk.ray].at(walk.distance))
            .collect();
        let values = evaluate(field, &places)?;
        let mut next = Vec::with_capacity(walks.len());
        for (mut walk, value) in walks.into_iter().zip(values) {
            if value < 0.0 {
                // Behind an absent block the surface may lie a little before the first step.
                let start = outside[walk.ray].max(walk.distance - 2.0 * spacing);
                brackets.push((walk.ray, [start, walk.distance]));
                continue;
            }
            outside[walk.ray] = walk.distance;
            walk.distance += value.clamp(spacing / 4.0, spacing);
            if walk.distance < walk.end {
                next.push(walk);
            }
        }
        walks = next;
    }
    bisect(field, rays, brackets, hits)
}

fn bisect<E>(
    field: &mut Evaluate<E>,
    rays: &[Ray],
    mut brackets: Vec<(usize, [f32; 2])>,
    hits: &mut [f32],
) -> Result<(), E> {
    for _ in 0..BISECTIONS {
        let places: Vec<[f32; 3]> = brackets
            .par_iter()
            .map(|(ray, [a, b])| rays[*ray].at(f32::midpoint(*a, *b)))
            .collect();
        for ((_, bracket), value) in brackets.iter_mut().zip(evaluate(field, &places)?) {
            bracket[usize::from(value < 0.0)] = f32::midpoint(bracket[0], bracket[1]);
        }
    }
    for (ray, [a, b]) in brackets {
        hits[ray] = f32::midpoint(a, b);
    }
    Ok(())
}

/// The walk, moved on to the next block that holds surface.
fn to_surface(blocks: &Blocks, ray: &Ray, mut walk: Walk) -> Option<Walk> {
    let nudge = blocks.lattice.smallest_spacing() * blocks.size() as f32 * NUDGE;
    while walk.distance < walk.end {
        let place = blocks.lattice.index_at(ray.at(walk.distance));
        let (block, held) = blocks.block_around(place)?;
        if held {
            return Some(walk);
        }
        let corner = |offset: usize| {
            let index = block.map(|b| ((b + offset) * blocks.size()) as f64 - 0.5);
            blocks.lattice.position(index)
        };
        let leave = ray
            .through(corner(0), corner(1))
            .map_or(0.0, |[_, leave]| leave);
        walk.distance = leave.max(walk.distance) + nudge;
    }
    None
}
