//! The surface of a field as a mesh.

use std::ops::Range;

use rayon::prelude::*;

use super::blocks::{Blocks, crosses};
use super::cell::{Corner, edge_start, inside_bits, triangles};
use super::field::{CHUNK, Evaluate, evaluate, gradients};
use super::lattice::Lattice;
use super::vector::{add, scale, unit};
use crate::signal::shape::Mesh;

/// Evaluations that move a vertex along its edge; after three it lies on a smooth surface to the precision of f32.
const REFINEMENTS: usize = 3;
/// Vertices stay this share of a spacing away from the points of the lattice, so that no two coincide.
const MARGIN: f32 = 1.0 / 256.0;

/// A crossed edge of the lattice.
#[derive(Clone, Copy)]
struct Crossing {
    point: [u32; 3],
    axis: u8,
    /// The values at both ends.
    values: [f32; 2],
}

/// The crossed edges that start in each block: the vertices of the mesh, in this order.
struct Crossings<'a> {
    blocks: &'a Blocks,
    present: Vec<[usize; 3]>,
    /// By block, absent ones too: where its vertices are.
    ranges: Vec<Range<u32>>,
    /// 3 · (place in the block) + axis of each vertex.
    edges: Vec<u32>,
    /// As `edges`.
    crossings: Vec<Crossing>,
}

/// The surface f = 0 in `blocks`: closed where it does not leave an uncapped box, an oriented manifold everywhere, with normals.
///
/// Vertices lie on edges of the lattice where the field itself is zero, found by regula falsi with the Illinois rule (Dowell & Jarratt
/// 1971). Normals are the direction of its gradient by central differences over a quarter of a spacing. The mesh is the same whatever the
/// number of threads. Without a surface it is empty.
///
/// # Errors
/// Those of the field.
pub fn extract<E>(field: &mut Evaluate<E>, blocks: &Blocks) -> Result<Mesh, E> {
    let mut crossings = Crossings::new(blocks);
    let lattice = &blocks.lattice;
    let mut vertices = Vec::with_capacity(crossings.crossings.len());
    let mut normals = Vec::with_capacity(crossings.crossings.len());
    for chunk in crossings.crossings.chunks(CHUNK) {
        let places = refine(field, lattice, chunk)?;
        normals.extend(normals_at(field, lattice, chunk, &places)?);
        vertices.extend(places);
    }
    crossings.crossings = Vec::new();
    let parts: Vec<Part> = crossings
        .present
        .par_iter()
        .map(|&block| crossings.faces(block, &vertices))
        .collect();
    let on_edges = vertices.len() as u32;
    let mut faces = Vec::with_capacity(parts.iter().map(|part| part.faces.len()).sum());
    for part in parts {
        let shift = vertices.len() as u32 - on_edges;
        let shifted = |i: u32| if i < on_edges { i } else { i + shift };
        faces.extend(part.faces.iter().map(|face| face.map(shifted)));
        for polygon in part.middles {
            vertices.push(mean(&polygon, &vertices));
            let normal = mean(&polygon, &normals);
            normals.push(unit(normal).unwrap_or(normals[polygon[0] as usize]));
        }
    }
    Ok(Mesh {
        vertices,
        faces,
        normals,
    })
}

fn mean(polygon: &[u32], of: &[[f32; 3]]) -> [f32; 3] {
    let sum = polygon
        .iter()
        .fold([0.0; 3], |sum, &i| add(sum, of[i as usize]));
    scale(sum, 1.0 / polygon.len() as f32)
}

/// The triangles of a block, and the polygons that need a vertex in the middle; these vertices are numbered after all others.
struct Part {
    faces: Vec<[u32; 3]>,
    middles: Vec<Vec<u32>>,
}

impl<'a> Crossings<'a> {
    fn new(blocks: &'a Blocks) -> Self {
        let present = blocks.present();
        let found: Vec<(Vec<u32>, Vec<Crossing>)> = present
            .par_iter()
            .map(|&block| crossings_of(blocks, block))
            .collect();
        let mut ranges = vec![0..0; blocks.len()];
        let mut start = 0;
        for (&block, (edges, _)) in present.iter().zip(&found) {
            let end = start + edges.len() as u32;
            ranges[blocks.index(block)] = start..end;
            start = end;
        }
        let (edges, crossings): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        Self {
            blocks,
            present,
            ranges,
            edges: edges.concat(),
            crossings: crossings.concat(),
        }
    }

    /// The triangles of the cells that start in `block`.
    fn faces(&self, block: [usize; 3], vertices: &[[f32; 3]]) -> Part {
        let size = self.blocks.size();
        let side = size + 2;
        let values = self.blocks.values_around(block);
        let (mut faces, mut middles) = (Vec::new(), Vec::new());
        for i in 0..size * size * size {
            let local = [i % size, i / size % size, i / (size * size)];
            let start = ((local[2] + 1) * side + local[1] + 1) * side + local[0] + 1;
            let corner = |c: usize| start + (c & 1) + (c >> 1 & 1) * side + (c >> 2) * side * side;
            let corners: [f32; 8] = std::array::from_fn(|c| values[corner(c)]);
            let inside = inside_bits(&corners);
            if inside == 0 || inside == 255 || corners.iter().any(|value| value.is_nan()) {
                continue;
            }
            let vertex = |edge: u8| self.vertex(block, local, edge);
            triangles(
                &corners,
                |edge| vertices[vertex(edge) as usize],
                |edges, triangles| {
                    let middle = (vertices.len() + middles.len()) as u32;
                    faces.extend(triangles.iter().map(|corners| {
                        corners.map(|corner| match corner {
                            Corner::Edge(edge) => vertex(edge),
                            Corner::Middle => middle,
                        })
                    }));
                    if triangles.iter().flatten().any(|&c| c == Corner::Middle) {
                        middles.push(edges.iter().map(|&edge| vertex(edge)).collect());
                    }
                },
            );
        }
        Part { faces, middles }
    }

    /// The vertex on an edge of the cell that starts at `local` in `block`.
    fn vertex(&self, block: [usize; 3], local: [usize; 3], edge: u8) -> u32 {
        let size = self.blocks.size();
        let (corner, axis) = edge_start(edge.into());
        let (mut block, mut local) = (block, local);
        for a in 0..3 {
            local[a] += corner >> a & 1;
            if local[a] == size {
                local[a] = 0;
                block[a] += 1;
            }
        }
        let range = &self.ranges[self.blocks.index(block)];
        let edge = 3 * ((local[2] * size + local[1]) * size + local[0]) + axis;
        let edges = &self.edges[range.start as usize..range.end as usize];
        // All points of a cell are present, so that its crossed edges are vertices.
        let (Ok(place) | Err(place)) = edges.binary_search(&(edge as u32));
        range.start + place as u32
    }
}

fn crossings_of(blocks: &Blocks, block: [usize; 3]) -> (Vec<u32>, Vec<Crossing>) {
    let size = blocks.size();
    let side = size + 2;
    let values = blocks.values_around(block);
    let (mut edges, mut crossings) = (Vec::new(), Vec::new());
    for i in 0..size * size * size {
        let local = [i % size, i / size % size, i / (size * size)];
        let start = ((local[2] + 1) * side + local[1] + 1) * side + local[0] + 1;
        for (axis, stride) in [1, side, side * side].into_iter().enumerate() {
            let ends = [values[start], values[start + stride]];
            if crosses(ends[0], ends[1]) {
                edges.push((3 * i + axis) as u32);
                crossings.push(Crossing {
                    point: [0, 1, 2].map(|a| (block[a] * size + local[a]) as u32),
                    axis: axis as u8,
                    values: ends,
                });
            }
        }
    }
    (edges, crossings)
}

impl Crossing {
    fn place(&self, lattice: &Lattice, part: f32) -> [f32; 3] {
        let mut index = self.point.map(f64::from);
        index[usize::from(self.axis)] += f64::from(part);
        lattice.position(index)
    }

    fn is_finite(&self) -> bool {
        self.values.iter().all(|value| value.is_finite())
    }

    /// The direction along the edge from inside to outside.
    fn outwards(&self) -> [f32; 3] {
        let mut direction = [0.0; 3];
        direction[usize::from(self.axis)] = if self.values[0] < 0.0 { 1.0 } else { -1.0 };
        direction
    }
}

/// Where on its edge a crossing lies, as long as it is being looked for.
struct Bracket {
    ends: [f32; 2],
    values: [f32; 2],
    /// The end that was replaced last.
    moved: Option<usize>,
}

impl Bracket {
    /// Where the chord is zero, or the middle if an end is infinite.
    fn zero(&self) -> f32 {
        let ([a, b], [fa, fb]) = (self.ends, self.values);
        let part = if fa.is_finite() && fb.is_finite() {
            fa / (fa - fb)
        } else {
            0.5
        };
        a + (b - a) * part
    }

    fn narrow(&mut self, place: f32, value: f32) {
        let end = usize::from((value < 0.0) != (self.values[0] < 0.0));
        self.ends[end] = place;
        self.values[end] = value;
        if self.moved == Some(end) {
            self.values[1 - end] /= 2.0;
        }
        self.moved = Some(end);
    }
}

fn refine<E>(
    field: &mut Evaluate<E>,
    lattice: &Lattice,
    crossings: &[Crossing],
) -> Result<Vec<[f32; 3]>, E> {
    let mut brackets: Vec<Bracket> = crossings
        .iter()
        .map(|crossing| Bracket {
            ends: [0.0, 1.0],
            values: crossing.values,
            moved: None,
        })
        .collect();
    // Crossings into the cap stay in the middle, on the face of the box.
    let open: Vec<usize> = (0..crossings.len())
        .filter(|&i| crossings[i].is_finite())
        .collect();
    for _ in 0..REFINEMENTS {
        let place = |&i: &usize| crossings[i].place(lattice, brackets[i].zero());
        let places: Vec<[f32; 3]> = open.par_iter().map(place).collect();
        let values = evaluate(field, &places)?;
        for (&i, value) in open.iter().zip(values) {
            let zero = brackets[i].zero();
            brackets[i].narrow(zero, value);
        }
    }
    let place = |(crossing, bracket): (&Crossing, &Bracket)| {
        crossing.place(lattice, bracket.zero().clamp(MARGIN, 1.0 - MARGIN))
    };
    Ok(crossings.par_iter().zip(&brackets).map(place).collect())
}

fn normals_at<E>(
    field: &mut Evaluate<E>,
    lattice: &Lattice,
    crossings: &[Crossing],
    places: &[[f32; 3]],
) -> Result<Vec<[f32; 3]>, E> {
    let gradients = gradients(field, places, lattice.normal_step())?;
    let normal = |(crossing, gradient): (&Crossing, [f32; 3])| {
        let own = crossing.is_finite().then_some(gradient).and_then(unit);
        own.unwrap_or_else(|| crossing.outwards())
    };
    Ok(crossings.iter().zip(gradients).map(normal).collect())
}
