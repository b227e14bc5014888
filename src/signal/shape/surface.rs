//! Random points of a mesh, evenly by area.

use super::mesh::Mesh;
use super::random::Random;
use super::vector::{Vector, add, cross, narrow, scale, sub, unit};

/// The faces of a mesh with their areas summed up.
pub(super) struct Surface {
    corners: Vec<[Vector; 3]>,
    /// The area of all faces up to each one.
    areas: Vec<f64>,
}

impl Surface {
    /// The surface of a mesh with at least one face.
    pub fn new(mesh: &Mesh) -> Self {
        let faces = 0..mesh.faces.len();
        let areas = faces.clone().scan(0.0, |sum, face| {
            *sum += mesh.area(face);
            Some(*sum)
        });
        Self {
            areas: areas.collect(),
            corners: faces.map(|face| mesh.corners(face)).collect(),
        }
    }

    /// The corners of every face.
    pub fn triangles(&self) -> &[[Vector; 3]] {
        &self.corners
    }

    pub fn faces(&self) -> usize {
        self.corners.len()
    }

    pub fn area(&self) -> f64 {
        self.areas[self.areas.len() - 1]
    }

    /// A point and the normal of its face.
    pub fn sample(&self, random: &mut Random) -> ([f32; 3], [f32; 3]) {
        let wanted = random.unit() * self.area();
        let face = self.areas.partition_point(|&area| area <= wanted);
        let [a, b, c] = self.corners[face.min(self.corners.len() - 1)];
        // Osada et al. 2002, eq. 1.
        let (root, along) = (random.unit().sqrt(), random.unit());
        let point = add(
            scale(a, 1.0 - root),
            add(scale(b, root * (1.0 - along)), scale(c, root * along)),
        );
        let normal = unit(cross(sub(b, a), sub(c, a)));
        (narrow(point), narrow(normal))
    }
}
