//! The surface inside one cell of a lattice: closed polygons through the edges that it crosses.
//!
//! Marching cubes (Lorensen & Cline 1987) without its table: on each face the crossings are joined by segments, a face with four
//! crossings by the asymptotic decider (Nielson & Hamann 1991), which knows the values of that face alone, so that both cells at a face agree.
//! The segments of the six faces form closed polygons, which are triangulated without diagonals in a face, around a vertex of their own if
//! need be. Every edge of a triangle thus belongs to exactly two, and the surface is a closed oriented manifold whatever the values.
//!
//! Corner c lies at x = bit 0, y = bit 1, z = bit 2 of c. Edge e runs along axis e / 4; the bits of e % 4 are the place along the next two axes.

use super::vector::{dot, sub};

/// The corners of the faces, anticlockwise seen from outside the cell: low and high side of x, y, z.
const FACES: [[u8; 4]; 6] = {
    let mut faces = [[0; 4]; 6];
    let mut axis = 0;
    while axis < 3 {
        let (u, v) = (1 << ((axis + 1) % 3), 1 << ((axis + 2) % 3));
        let high = 1 << axis;
        faces[2 * axis] = [0, v, u | v, u];
        faces[2 * axis + 1] = [high, high | u, high | u | v, high | v];
        axis += 1;
    }
    faces
};

/// The crossings of a cell have at most this many.
const MOST: usize = 12;

/// The lower corner and the axis of an edge.
pub(super) fn edge_start(edge: usize) -> (usize, usize) {
    let axis = edge / 4;
    let corner = (edge & 1) << ((axis + 1) % 3) | (edge >> 1 & 1) << ((axis + 2) % 3);
    (corner, axis)
}

fn edge_between(one: u8, other: u8) -> u8 {
    let axis = (one ^ other).trailing_zeros() as u8;
    let lower = one & other;
    axis * 4 + (lower >> ((axis + 1) % 3) & 1) + 2 * (lower >> ((axis + 2) % 3) & 1)
}

/// Whether two edges lie in a common face.
fn share_face(one: u8, other: u8) -> bool {
    let ends = |edge: u8| {
        let (corner, axis) = edge_start(edge.into());
        (corner, corner | 1 << axis)
    };
    let ((a, b), (c, d)) = (ends(one), ends(other));
    let (all, any) = (a & b & c & d, a | b | c | d);
    // A face is where one bit is the same in all corners.
    all != 0 || any != 7
}

/// Which corners are inside, as bits.
pub(super) fn inside_bits(values: &[f32; 8]) -> u8 {
    (0..8).fold(0, |bits, c| bits | u8::from(values[c] < 0.0) << c)
}

/// Calls `polygon` with the edges of each closed polygon, ordered anticlockwise seen from outside the surface.
///
/// `joined` tells of a face with four crossings whether its inside corners, of which one is given by its place, are joined across it.
fn polygons(inside: u8, joined: impl Fn(&[u8; 4], usize) -> bool, mut polygon: impl FnMut(&[u8])) {
    let mut next = [u8::MAX; MOST];
    for face in &FACES {
        let is_inside = |i: usize| inside >> face[i % 4] & 1 == 1;
        let edge = |i: usize| usize::from(edge_between(face[i % 4], face[(i + 1) % 4]));
        for exit in (0..4).filter(|&i| is_inside(i) && !is_inside(i + 1)) {
            // From the way out to a way in: around the outside corners if the inside is joined, else around the inside corners.
            let ambiguous = is_inside(exit + 2) && !is_inside(exit + 3);
            let steps = if ambiguous && !joined(face, exit) {
                3
            } else {
                (1..4)
                    .find(|step| !is_inside(exit + step) && is_inside(exit + step + 1))
                    .unwrap_or(3)
            };
            next[edge(exit + steps)] = edge(exit) as u8;
        }
    }
    for start in 0..MOST {
        let (mut edges, mut n, mut edge) = ([0; MOST], 0, start);
        while next[edge] != u8::MAX {
            edges[n] = edge as u8;
            n += 1;
            edge = usize::from(std::mem::replace(&mut next[edge], u8::MAX));
        }
        if n > 0 {
            polygon(&edges[..n]);
        }
    }
}

/// The asymptotic decider: the saddle (ac − bd) / (a + c − b − d) of the bilinear function on the face is inside.
fn decide(values: &[f32; 8], face: &[u8; 4], inside: usize) -> bool {
    let value = |i: usize| values[usize::from(face[i % 4])];
    value(inside) * value(inside + 2) > value(inside + 1) * value(inside + 3)
}

/// A corner of a triangle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Corner {
    /// The crossing of this edge.
    Edge(u8),
    /// The middle of the polygon.
    Middle,
}

/// Calls `polygon` with the edges of each polygon of the surface, anticlockwise seen from outside, and its triangles.
pub(super) fn triangles(
    values: &[f32; 8],
    position: impl Fn(u8) -> [f32; 3],
    mut polygon: impl FnMut(&[u8], &[[Corner; 3]]),
) {
    let mut triangles = Vec::with_capacity(MOST);
    polygons(
        inside_bits(values),
        |face, inside| decide(values, face, inside),
        |edges| {
            triangles.clear();
            triangulate(edges, &position, &mut triangles);
            polygon(edges, &triangles);
        },
    );
}

/// Cuts a polygon along the diagonals with the smallest sum of squared lengths, none of them in a face of the cell. Where every way has
/// one in a face (some polygons of eight edges and more), the triangles meet in the middle.
fn triangulate(edges: &[u8], position: &impl Fn(u8) -> [f32; 3], triangles: &mut Vec<[Corner; 3]>) {
    let n = edges.len();
    if n == 3 {
        return triangles.push([edges[0], edges[1], edges[2]].map(Corner::Edge));
    }
    let mut places = [[0.0; 3]; MOST];
    for (place, &edge) in places.iter_mut().zip(edges) {
        *place = position(edge);
    }
    let diagonal = |i: usize, j: usize| {
        if j - i == 1 || j - i == n - 1 {
            0.0
        } else if share_face(edges[i], edges[j]) {
            f32::INFINITY
        } else {
            let d = sub(places[i], places[j]);
            dot(d, d)
        }
    };
    // Of the part from i to j, the least sum and the corner that forms a triangle with the diagonal (i, j).
    let mut best = [[(0.0, 0); MOST]; MOST];
    for span in 2..n {
        for i in 0..n - span {
            let j = i + span;
            best[i][j] = (i + 1..j)
                .map(|k| (best[i][k].0 + best[k][j].0 + diagonal(i, j), k))
                .fold((f32::INFINITY, i + 1), |a, b| if b.0 < a.0 { b } else { a });
        }
    }
    if best[0][n - 1].0 == f32::INFINITY {
        let side = |i: usize| [edges[i], edges[(i + 1) % n]].map(Corner::Edge);
        triangles.extend((0..n).map(side).map(|[a, b]| [a, b, Corner::Middle]));
        return;
    }
    let mut parts = vec![(0, n - 1)];
    while let Some((i, j)) = parts.pop() {
        if j - i >= 2 {
            let k = best[i][j].1;
            triangles.push([edges[i], edges[k], edges[j]].map(Corner::Edge));
            parts.extend([(i, k), (k, j)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All signs of the corners and all decisions on the faces, whether or not values can bring them about.
    fn every_case(mut case: impl FnMut(u8, &[Vec<u8>])) {
        for inside in 0..=255 {
            for decisions in 0..64_u8 {
                let mut found = Vec::new();
                let joined = |face: &[u8; 4], _: usize| {
                    let index = FACES.iter().position(|f| f == face).unwrap();
                    decisions >> index & 1 == 1
                };
                polygons(inside, joined, |edges| found.push(edges.to_vec()));
                case(inside, &found);
            }
        }
    }

    fn middle(edge: u8) -> [f32; 3] {
        let (corner, axis) = edge_start(edge.into());
        let mut place = [0, 1, 2].map(|a| (corner >> a & 1) as f32);
        place[axis] = 0.5;
        place
    }

    #[test]
    fn edges_are_numbered_both_ways() {
        for edge in 0..12 {
            let (corner, axis) = edge_start(edge);
            assert_eq!(corner >> axis & 1, 0);
            let ends = (corner as u8, (corner | 1 << axis) as u8);
            assert_eq!(usize::from(edge_between(ends.0, ends.1)), edge);
            assert_eq!(usize::from(edge_between(ends.1, ends.0)), edge);
        }
        // Each edge meets 3 + 3 others in its two faces, and itself.
        for one in 0..12 {
            assert_eq!((0..12).filter(|&other| share_face(one, other)).count(), 7);
        }
    }

    #[test]
    fn every_crossed_edge_is_in_one_polygon() {
        every_case(|inside, found| {
            let mut edges: Vec<u8> = found.concat();
            edges.sort_unstable();
            let crossed: Vec<u8> = (0..12)
                .filter(|&e| {
                    let (corner, axis) = edge_start(e.into());
                    (inside >> corner & 1) != (inside >> (corner | 1 << axis) & 1)
                })
                .collect();
            assert_eq!(edges, crossed);
            assert!(found.iter().all(|polygon| polygon.len() >= 3));
        });
    }

    #[test]
    fn no_diagonal_lies_in_a_face() {
        every_case(|_, found| {
            for polygon in found {
                let n = polygon.len();
                let mut triangles = Vec::new();
                triangulate(polygon, &middle, &mut triangles);
                let around = triangles[0].contains(&Corner::Middle);
                assert_eq!(triangles.len(), if around { n } else { n - 2 });
                assert!(!around || n >= 8, "{polygon:?}");
                for [a, b, c] in triangles {
                    for pair in [(a, b), (b, c), (c, a)] {
                        let (Corner::Edge(one), Corner::Edge(other)) = pair else {
                            continue;
                        };
                        let i = polygon.iter().position(|&e| e == one).unwrap();
                        let j = polygon.iter().position(|&e| e == other).unwrap();
                        let side = (i + 1) % n == j || (j + 1) % n == i;
                        assert!(side || !share_face(one, other), "{polygon:?}");
                    }
                }
            }
        });
    }
}
