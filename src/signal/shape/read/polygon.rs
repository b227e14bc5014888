//! Polygons as triangles.

use super::super::mesh::Mesh;
use super::super::vector::{Vector, add, cross, dot, sub, widen};

/// Appends a polygon of at least three vertices as triangles.
///
/// A triangle goes in as it is; of others ears are cut off (Meisters 1975), so that polygons with inward corners are right too.
///
/// # Errors
/// The index that is not below the number of vertices.
pub(super) fn push(mesh: &mut Mesh, polygon: &[u32]) -> Result<(), u32> {
    let count = mesh.vertices.len();
    if let Some(&index) = polygon.iter().find(|&&index| index as usize >= count) {
        return Err(index);
    }
    if let &[a, b, c] = polygon {
        mesh.faces.push([a, b, c]);
        return Ok(());
    }
    let corner = |index: u32| widen(mesh.vertices[index as usize]);
    let up = normal(polygon.iter().map(|&index| corner(index)));
    let mut rest = polygon.to_vec();
    while rest.len() > 3 {
        let n = rest.len();
        let at = |i: usize| corner(rest[i % n]);
        let ear = (0..n).find(|&i| {
            let triangle = [at(i), at(i + 1), at(i + 2)];
            turns_left(triangle, up) && (i + 3..i + n).all(|other| !inside(at(other), triangle, up))
        });
        // A polygon that crosses itself may have no ear; any corner is then as good.
        let ear = ear.unwrap_or(0);
        mesh.faces
            .push([rest[ear], rest[(ear + 1) % n], rest[(ear + 2) % n]]);
        rest.remove((ear + 1) % n);
    }
    if let &[a, b, c] = rest.as_slice() {
        mesh.faces.push([a, b, c]);
    }
    Ok(())
}

/// Twice the area of a polygon times its normal (Newell).
fn normal(corners: impl Iterator<Item = Vector> + Clone) -> Vector {
    let Some(first) = corners.clone().next() else {
        return [0.0; 3];
    };
    corners
        .clone()
        .zip(corners.skip(1))
        .map(|(a, b)| cross(sub(a, first), sub(b, first)))
        .fold([0.0; 3], add)
}

fn turns_left([a, b, c]: [Vector; 3], up: Vector) -> bool {
    dot(cross(sub(b, a), sub(c, b)), up) > 0.0
}

/// Whether a point lies in a triangle that turns left, its border included except for its corners.
fn inside(point: Vector, triangle: [Vector; 3], up: Vector) -> bool {
    !triangle.contains(&point)
        && (0..3).all(|i| {
            let (from, to) = (triangle[i], triangle[(i + 1) % 3]);
            dot(cross(sub(to, from), sub(point, from)), up) >= 0.0
        })
}
