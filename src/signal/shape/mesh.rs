//! Triangle meshes.

use super::vector::{cross, dot, norm, sub, widen};

/// A triangle mesh in the units of its file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mesh {
    /// Positions `[n, 3]`.
    pub vertices: Vec<[f32; 3]>,
    /// Three indices of vertices each, anticlockwise when seen from outside.
    pub faces: Vec<[u32; 3]>,
    /// Empty, or one unit vector a vertex.
    pub normals: Vec<[f32; 3]>,
}

impl Mesh {
    /// Triangles that share no vertices, whose corners lie one after the other.
    pub fn of_corners(vertices: Vec<[f32; 3]>) -> Self {
        let faces = 0..vertices.len() as u32 / 3;
        Self {
            faces: faces
                .map(|face| [0, 1, 2].map(|corner| 3 * face + corner))
                .collect(),
            vertices,
            normals: Vec::new(),
        }
    }

    /// The corners of a face.
    pub fn corners(&self, face: usize) -> [[f64; 3]; 3] {
        self.faces[face].map(|vertex| widen(self.vertices[vertex as usize]))
    }

    /// The smallest and the largest corner of the axis-parallel box around all vertices that a face uses; zeros without faces.
    pub fn bounds(&self) -> [[f32; 3]; 2] {
        bounds(
            self.faces
                .iter()
                .flatten()
                .map(|&vertex| self.vertices[vertex as usize]),
        )
    }

    /// The enclosed volume by the divergence theorem; negative when faces look inwards.
    pub fn signed_volume(&self) -> f64 {
        signed_volume(&self.vertices, &self.faces)
    }

    /// The area of a face.
    pub fn area(&self, face: usize) -> f64 {
        let [a, b, c] = self.corners(face);
        0.5 * norm(cross(sub(b, a), sub(c, a)))
    }
}

/// The smallest and the largest corner of the axis-parallel box around `points`; zeros without points.
pub(super) fn bounds(points: impl Iterator<Item = [f32; 3]>) -> [[f32; 3]; 2] {
    let empty = [[f32::INFINITY; 3], [f32::NEG_INFINITY; 3]];
    let [low, high] = points.fold(empty, |[low, high], point| {
        [
            std::array::from_fn(|axis| low[axis].min(point[axis])),
            std::array::from_fn(|axis| high[axis].max(point[axis])),
        ]
    });
    match low[0] <= high[0] {
        true => [low, high],
        false => [[0.0; 3]; 2],
    }
}

/// The volume enclosed by `faces`; see [`Mesh::signed_volume`].
pub(super) fn signed_volume(vertices: &[[f32; 3]], faces: &[[u32; 3]]) -> f64 {
    // About a corner of the surface, so that a far origin does not cancel digits.
    let Some(&[origin, ..]) = faces.first() else {
        return 0.0;
    };
    let origin = widen(vertices[origin as usize]);
    faces
        .iter()
        .map(|face| {
            let [a, b, c] = face.map(|vertex| sub(widen(vertices[vertex as usize]), origin));
            dot(a, cross(b, c)) / 6.0
        })
        .sum()
}
