//! The signed distance to a mesh: negative inside.
//!
//! Of a closed surface whose faces agree, the side is told by the pseudonormal of the closest point, which is the face's normal, the sum
//! of two at an edge, and the sum weighted by the angles at a corner (Baerentzen and Aanaes 2005, "Signed distance computation using
//! the angle weighted pseudonormal"). Of any other surface it is told by the generalized winding number ([`Winding`]).

use super::bvh::{Bvh, Closest, Feature};
use super::mesh::Mesh;
use super::topology::Edges;
use super::vector::{Vector, add, cross, dot, narrow, norm, scale, sub, unit, widen};
use super::winding::Winding;

/// How a side of the surface is told from the other.
enum Side {
    /// By the direction of the surface at its closest point.
    Pseudonormals(Pseudonormals),
    /// By how often the surface goes round a point: more than so many times inside.
    Winding(Winding, f64),
    /// Not at all: distances are unsigned.
    None,
}

/// Distances to a mesh.
pub(super) struct Distance {
    bvh: Bvh,
    side: Side,
}

/// Directions of the surface by feature; only their signs of products count, so that edges and corners need no unit length.
struct Pseudonormals {
    faces: Vec<[f32; 3]>,
    edges: Vec<[[f32; 3]; 3]>,
    corners: Vec<[[f32; 3]; 3]>,
}

impl Pseudonormals {
    fn new(mesh: &Mesh) -> Self {
        let normals: Vec<Vector> = (0..mesh.faces.len())
            .map(|face| {
                let [a, b, c] = mesh.corners(face);
                unit(cross(sub(b, a), sub(c, a)))
            })
            .collect();
        let mut edges = vec![[[0.0; 3]; 3]; mesh.faces.len()];
        for uses in Edges::new(&mesh.faces).uses() {
            let sum = uses
                .clone()
                .fold([0.0; 3], |sum, (face, _)| add(sum, normals[face]));
            uses.for_each(|(face, corner)| edges[face][corner] = narrow(unit(sum)));
        }
        let mut vertices = vec![[0.0; 3]; mesh.vertices.len()];
        for (face, &normal) in normals.iter().enumerate() {
            let corners = mesh.corners(face);
            for (corner, &vertex) in mesh.faces[face].iter().enumerate() {
                let sum = &mut vertices[vertex as usize];
                *sum = add(*sum, scale(normal, angle(corners, corner)));
            }
        }
        let corners = mesh.faces.iter();
        let corners = corners.map(|face| face.map(|v| narrow(unit(vertices[v as usize]))));
        Self {
            faces: normals.iter().map(|&n| narrow(n)).collect(),
            edges,
            corners: corners.collect(),
        }
    }

    fn at(&self, closest: &Closest) -> Vector {
        let face = closest.face as usize;
        widen(match closest.feature {
            Feature::Face => self.faces[face],
            Feature::Edge(edge) => self.edges[face][edge as usize],
            Feature::Corner(corner) => self.corners[face][corner as usize],
        })
    }
}

/// The angle of a triangle at a corner, in radians; by the arc tangent, which is exact near 0 and π too.
fn angle(corners: [Vector; 3], corner: usize) -> f64 {
    let a = sub(corners[(corner + 1) % 3], corners[corner]);
    let b = sub(corners[(corner + 2) % 3], corners[corner]);
    norm(cross(a, b)).atan2(dot(a, b))
}

impl Distance {
    /// Distances signed by pseudonormals; the mesh must be watertight and oriented.
    pub fn by_pseudonormals(mesh: &Mesh) -> Self {
        Self {
            bvh: Bvh::new(mesh),
            side: Side::Pseudonormals(Pseudonormals::new(mesh)),
        }
    }

    /// Distances signed by the winding number.
    pub fn by_winding(mesh: &Mesh) -> Self {
        let bvh = Bvh::new(mesh);
        let winding = Winding::new(&bvh);
        Self::by_winding_above(bvh, winding, 0.5)
    }

    /// Distances to the triangles of `bvh`, negative where their `winding` number is above `level`.
    pub fn by_winding_above(bvh: Bvh, winding: Winding, level: f64) -> Self {
        Self {
            bvh,
            side: Side::Winding(winding, level),
        }
    }

    /// Distances without a sign to the triangles of `bvh`.
    pub fn unsigned(bvh: Bvh) -> Self {
        Self {
            bvh,
            side: Side::None,
        }
    }

    /// The distance of one point, which is known to be at most `reach`; infinity when nothing is known.
    pub fn at(&self, query: [f32; 3], reach: f32) -> f32 {
        let closest = self.bvh.closest(query, reach);
        let distance = closest.squared.sqrt();
        let inside = match &self.side {
            Side::Pseudonormals(normals) => {
                dot(sub(widen(query), closest.point), normals.at(&closest)) < 0.0
            }
            Side::Winding(winding, level) => winding.number(&self.bvh, query) > *level,
            Side::None => false,
        };
        (if inside { -distance } else { distance }) as f32
    }
}
