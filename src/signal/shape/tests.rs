//! Small meshes, and distances held to closed forms, to brute force and to the parity of crossings.

use super::mesh::Mesh;

/// A tetrahedron with the origin as a corner.
pub(super) fn tetrahedron() -> Mesh {
    Mesh {
        vertices: vec![[0.0; 3], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        faces: vec![[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]],
        normals: Vec::new(),
    }
}

/// The cube [-0.5, 0.5]³.
pub(super) fn cube() -> Mesh {
    let vertices = (0..8).map(|i| [i & 1, i >> 1 & 1, i >> 2].map(|bit| bit as f32 - 0.5));
    let quads: [[u32; 4]; 6] = [
        [0, 2, 3, 1],
        [4, 5, 7, 6],
        [0, 1, 5, 4],
        [2, 6, 7, 3],
        [0, 4, 6, 2],
        [1, 3, 7, 5],
    ];
    Mesh {
        vertices: vertices.collect(),
        faces: quads
            .iter()
            .flat_map(|&[a, b, c, d]| [[a, b, c], [a, c, d]])
            .collect(),
        normals: Vec::new(),
    }
}
