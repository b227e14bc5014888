//! Pictures of the surface: shaded, coloured by its normals, or turning around.

use image::RgbImage;
use rayon::prelude::*;

use super::super::srgb;
use super::blocks::Blocks;
use super::camera::{Camera, Ray};
use super::field::{Evaluate, evaluate, gradients};
use super::trace::trace;
use super::vector::{Vec3, add, dot, scale, unit};
use crate::signal::shape::UpAxis;

/// What colours show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colouring {
    /// Grey clay under a warm light from the left above, a cool sky and a light from behind.
    Clay,
    /// The unit normal, (n + 1) / 2 as red, green and blue.
    Normals,
}

/// How a surface is to be shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// Pixels a side.
    pub size: u32,
    /// What colours show.
    pub colouring: Colouring,
    /// Darkens hollows; only for fields whose values are distances, in the units of the coordinates.
    pub occlusion: bool,
    /// Rays meet the surface between the values of the lattice, so that the field is evaluated where they end alone; for pixels not much
    /// smaller than its spacing.
    pub through_lattice: bool,
}

/// Towards the lights, as right, up and towards the eye, and their colours.
const LIGHTS: [(Vec3, Vec3); 3] = [
    ([-0.55, 0.65, 0.62], [0.95, 0.86, 0.74]),
    ([0.80, 0.10, 0.45], [0.10, 0.13, 0.19]),
    ([0.35, 0.45, -0.90], [0.30, 0.34, 0.42]),
];
const SKY: Vec3 = [0.17, 0.20, 0.25];
const GROUND: Vec3 = [0.08, 0.065, 0.055];
const ALBEDO: Vec3 = [0.66, 0.62, 0.58];
/// The background at the top and at the bottom.
const BACKGROUND: [Vec3; 2] = [[0.91, 0.92, 0.94], [0.66, 0.68, 0.71]];
/// Samples of a pixel at an edge, as parts of its sides. No two share a row or a column, so that upright and level edges have five
/// shades.
const SUBPIXELS: [[f32; 2]; 4] = [
    [0.125, 0.625],
    [0.375, 0.125],
    [0.625, 0.875],
    [0.875, 0.375],
];
/// The largest share of pixels at edges that are sampled more finely: of a surface that is rough all over it would take minutes and show no more.
const MOST_EDGES: f32 = 0.25;
/// The difference of linear light between neighbouring pixels from which on they are an edge.
const EDGE: f32 = 0.06;
/// Distances of the probes for occlusion, as a share of the diagonal of the lattice's box.
const PROBES: [f32; 4] = [0.006, 0.014, 0.03, 0.06];
/// Pictures of a turn.
const FRAMES: u16 = 24;
/// Degrees above the horizon from which a turn is seen.
const ELEVATION: f32 = 18.0;

/// A picture of the surface in `blocks` as `camera` sees it.
///
/// # Errors
/// Those of the field.
pub fn preview<E>(
    field: &mut Evaluate<E>,
    blocks: &Blocks,
    camera: &Camera,
    view: &View,
) -> Result<RgbImage, E> {
    let size = view.size as usize;
    let centres: Vec<[f32; 2]> = (0..size * size)
        .map(|i| place([i % size, i / size], [0.5; 2], size))
        .collect();
    let mut colours = shade(field, blocks, camera, view, &centres)?;
    let edges: Vec<usize> = (0..size * size)
        .into_par_iter()
        .filter(|&i| is_edge(&colours, i, size))
        .collect();
    if edges.len() as f32 > MOST_EDGES * colours.len() as f32 {
        return Ok(picture(&colours, view.size));
    }
    let inner: Vec<[f32; 2]> = edges
        .iter()
        .flat_map(|&i| SUBPIXELS.map(|within| place([i % size, i / size], within, size)))
        .collect();
    let samples = shade(field, blocks, camera, view, &inner)?;
    for (&i, samples) in edges.iter().zip(samples.chunks(SUBPIXELS.len())) {
        let sum = samples.iter().fold([0.0; 3], |sum, &c| add(sum, c));
        colours[i] = scale(sum, 1.0 / samples.len() as f32);
    }
    Ok(picture(&colours, view.size))
}

/// The picture of linear light, row by row.
fn picture(colours: &[Vec3], size: u32) -> RgbImage {
    RgbImage::from_fn(size, size, |x, y| {
        let colour = colours[y as usize * size as usize + x as usize];
        image::Rgb(colour.map(to_byte))
    })
}

/// 24 pictures of a full turn around the axis `up`.
///
/// # Errors
/// Those of the field.
pub fn orbit<E>(
    field: &mut Evaluate<E>,
    blocks: &Blocks,
    up: UpAxis,
    view: &View,
) -> Result<Vec<RgbImage>, E> {
    let outline = blocks.outline();
    (0..FRAMES)
        .map(|i| {
            let azimuth = 360.0 * f32::from(i) / f32::from(FRAMES);
            let camera = Camera::orbiting(&outline, up, azimuth, ELEVATION);
            preview(field, blocks, &camera, view)
        })
        .collect()
}

/// The place in the picture, from −1 to 1, of a part of a pixel.
fn place(pixel: [usize; 2], within: [f32; 2], size: usize) -> [f32; 2] {
    [0, 1].map(|axis| 2.0 * (pixel[axis] as f32 + within[axis]) / size as f32 - 1.0)
}

fn is_edge(colours: &[Vec3], i: usize, size: usize) -> bool {
    let (x, y) = (i % size, i / size);
    let differs =
        |j: usize| (0..3).any(|channel| (colours[i][channel] - colours[j][channel]).abs() > EDGE);
    x > 0 && differs(i - 1)
        || x + 1 < size && differs(i + 1)
        || y > 0 && differs(i - size)
        || y + 1 < size && differs(i + size)
}

/// The linear light at places of the picture.
fn shade<E>(
    field: &mut Evaluate<E>,
    blocks: &Blocks,
    camera: &Camera,
    view: &View,
    places: &[[f32; 2]],
) -> Result<Vec<Vec3>, E> {
    let rays: Vec<Ray> = places.par_iter().map(|&place| camera.ray(place)).collect();
    let distances = match view.through_lattice {
        true => trace(&mut blocks.field(), blocks, &rays)?,
        false => trace(field, blocks, &rays)?,
    };
    let met: Vec<usize> = (0..rays.len())
        .filter(|&i| distances[i].is_finite())
        .collect();
    let points: Vec<Vec3> = met.iter().map(|&i| rays[i].at(distances[i])).collect();
    let step = blocks.lattice.normal_step();
    let normals: Vec<Vec3> = gradients(field, &points, step)?
        .into_iter()
        .zip(&met)
        .map(|(gradient, &i)| unit(gradient).unwrap_or(scale(rays[i].direction, -1.0)))
        .collect();
    let open = if view.occlusion {
        openness(field, blocks, &points, &normals)?
    } else {
        vec![1.0; points.len()]
    };
    let mut colours: Vec<Vec3> = places.iter().map(|&[_, y]| background(y)).collect();
    let up = camera.direction([0.0, 1.0, 0.0]);
    for ((&i, &normal), open) in met.iter().zip(&normals).zip(open) {
        colours[i] = match view.colouring {
            Colouring::Normals => normal.map(|n| srgb::decode(n * 0.5 + 0.5)),
            Colouring::Clay => clay(camera, rays[i].direction, normal, up, open),
        };
    }
    Ok(colours)
}

/// How open the surroundings are, 0 to 1: distances along the normal compared with those of a plane, the near ones most.
fn openness<E>(
    field: &mut Evaluate<E>,
    blocks: &Blocks,
    points: &[Vec3],
    normals: &[Vec3],
) -> Result<Vec<f32>, E> {
    let [low, high] = blocks.lattice.bounds();
    let diagonal = (0..3)
        .map(|a| (high[a] - low[a]).powi(2))
        .sum::<f32>()
        .sqrt();
    let probes: Vec<Vec3> = points
        .iter()
        .zip(normals)
        .flat_map(|(&point, &normal)| {
            PROBES.map(|probe| add(point, scale(normal, probe * diagonal)))
        })
        .collect();
    let values = evaluate(field, &probes)?;
    let missing = |values: &[f32; 4]| {
        let part = |i: usize| 1.0 - (values[i] / (PROBES[i] * diagonal)).clamp(0.0, 1.0);
        (0..4)
            .map(|i| part(i) * [0.3, 0.3, 0.25, 0.15][i])
            .sum::<f32>()
    };
    let (values, _) = values.as_chunks::<4>();
    Ok(values
        .iter()
        .map(|v| (1.0 - missing(v)).powf(1.3))
        .collect())
}

/// The light where there is no surface, at a height of the picture from −1 to 1 downwards.
pub(super) fn background(y: f32) -> Vec3 {
    let part = (y + 1.0) / 2.0;
    add(scale(BACKGROUND[0], 1.0 - part), scale(BACKGROUND[1], part))
}

/// The light from a surface of clay whose surroundings are `open`, 0 to 1.
pub(super) fn clay(camera: &Camera, ray: Vec3, normal: Vec3, up: Vec3, open: f32) -> Vec3 {
    let sky = dot(normal, up) * 0.5 + 0.5;
    let mut light = scale(add(scale(SKY, sky), scale(GROUND, 1.0 - sky)), open);
    let mut gloss = [0.0; 3];
    for (towards, colour) in LIGHTS {
        let towards = unit(camera.direction(towards)).unwrap_or(up);
        let cosine = dot(normal, towards);
        // Light reaches a little around the edge of shadow, as in a body that is not quite opaque.
        let diffuse = ((cosine + 0.08) / 1.08).max(0.0);
        light = add(light, scale(colour, diffuse * (0.4 + 0.6 * open)));
        let halfway = unit(add(towards, scale(ray, -1.0))).unwrap_or(normal);
        let shine = dot(normal, halfway).max(0.0).powi(40) * cosine.max(0.0);
        gloss = add(gloss, scale(colour, 0.10 * shine * open));
    }
    let body = [0, 1, 2].map(|channel| ALBEDO[channel] * light[channel]);
    add(body, gloss)
}

/// Linear light to a byte.
pub(super) fn to_byte(linear: f32) -> u8 {
    (255.0 * srgb::encode(linear)).round() as u8
}
