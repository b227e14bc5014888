//! Shapes by formula, such as `difference(box(0.5, 0.5, 0.5), sphere(0.6))`.
//!
//! Distances of single bodies, moved and scaled, are exact (formulas as collected by I. Quilez, "distance functions"). A union is exact
//! outside, an intersection and a difference are bounds where two surfaces meet: never larger than the distance.

mod parse;

use super::vector::{Vector, add, dot, norm, scale, sub};

/// A shape by formula.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Analytic {
    /// Radius.
    Sphere(f64),
    /// Half the sides.
    Box(Vector),
    /// Radius of the ring in the plane z = 0, and of its tube.
    Torus(f64, f64),
    /// Radius, and half the height along z.
    Cylinder(f64, f64),
    /// Radius, and half the length along z of the line that it is thrown around.
    Capsule(f64, f64),
    /// The half space n · x < d, n of length 1.
    Plane(Vector, f64),
    Union(Vec<Analytic>),
    Intersection(Vec<Analytic>),
    /// The first without the others.
    Difference(Vec<Analytic>),
    /// A union whose edges are filled within a distance.
    SmoothUnion(f64, Vec<Analytic>),
    Translate(Vector, Box<Analytic>),
    /// Rows of the inverse rotation.
    Rotate([Vector; 3], Box<Analytic>),
    Scale(f64, Box<Analytic>),
}

impl Analytic {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        parse::parse(text)
    }

    /// The signed distance at a point.
    pub fn distance(&self, p: Vector) -> f64 {
        let all = |parts: &[Self], fold: fn(f64, f64) -> f64| {
            let distances = parts.iter().map(|part| part.distance(p));
            distances.reduce(fold).unwrap_or(f64::INFINITY)
        };
        match self {
            Self::Sphere(radius) => norm(p) - radius,
            Self::Box(half) => beyond([0, 1, 2].map(|axis| p[axis].abs() - half[axis])),
            Self::Torus(ring, tube) => (p[0].hypot(p[1]) - ring).hypot(p[2]) - tube,
            Self::Cylinder(radius, half) => beyond([p[0].hypot(p[1]) - radius, p[2].abs() - half]),
            Self::Capsule(radius, half) => {
                norm(sub(p, [0.0, 0.0, p[2].clamp(-half, *half)])) - radius
            }
            Self::Plane(normal, offset) => dot(p, *normal) - offset,
            Self::Union(parts) => all(parts, f64::min),
            Self::Intersection(parts) => all(parts, f64::max),
            Self::Difference(parts) => match parts.split_first() {
                Some((first, others)) => first.distance(p).max(
                    -others
                        .iter()
                        .fold(f64::INFINITY, |least, other| least.min(other.distance(p))),
                ),
                None => f64::INFINITY,
            },
            Self::SmoothUnion(width, parts) => {
                let distances = parts.iter().map(|part| part.distance(p));
                // Quilez's quadratic smooth minimum.
                let smooth = |a: f64, b: f64| {
                    let near = (1.0 - (a - b).abs() / width).max(0.0);
                    a.min(b) - 0.25 * width * near * near
                };
                distances.reduce(smooth).unwrap_or(f64::INFINITY)
            }
            Self::Translate(by, part) => part.distance(sub(p, *by)),
            Self::Rotate(rows, part) => part.distance(rows.map(|row| dot(row, p))),
            Self::Scale(factor, part) => factor * part.distance(scale(p, 1.0 / factor)),
        }
    }

    /// Turns `part` about x, then y, then z, in degrees.
    fn rotated([x, y, z]: Vector, part: Self) -> Self {
        let turn = |v: Vector, axis: usize, degrees: f64| {
            let (sin, cos) = degrees.to_radians().sin_cos();
            let (a, b) = ((axis + 1) % 3, (axis + 2) % 3);
            let mut turned = v;
            turned[a] = cos * v[a] - sin * v[b];
            turned[b] = sin * v[a] + cos * v[b];
            turned
        };
        // The columns of a rotation are the rows of its inverse.
        let rows = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
            .map(|axis| turn(turn(turn(axis, 0, x), 1, y), 2, z));
        Self::Rotate(rows, Box::new(part))
    }
}

/// The distance to a box by how far a point is beyond its sides.
fn beyond<const N: usize>(sides: [f64; N]) -> f64 {
    let outside = sides.iter().map(|x| x.max(0.0).powi(2)).sum::<f64>().sqrt();
    outside + sides.into_iter().fold(f64::NEG_INFINITY, f64::max).min(0.0)
}

/// The gradient of a distance by central differences over `step` to each side.
pub(super) fn gradient(distance: impl Fn(Vector) -> f64, p: Vector, step: f64) -> Vector {
    [0, 1, 2].map(|axis| {
        let mut along = [0.0; 3];
        along[axis] = step;
        (distance(add(p, along)) - distance(sub(p, along))) / (2.0 * step)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, p: Vector) -> f64 {
        Analytic::parse(text).unwrap().distance(p)
    }

    #[test]
    fn distances_have_closed_forms() {
        let root2 = 2_f64.sqrt();
        for (text, point, expected) in [
            ("sphere(0.5)", [0.0, 0.6, 0.8], 0.5),
            ("sphere", [0.0, 0.0, 0.0], -0.7),
            ("box(0.5, 0.25, 1)", [1.5, 1.25, 0.0], root2),
            ("box(0.5, 0.25, 1)", [0.1, 0.0, 0.2], -0.25),
            ("torus(0.5,0.2)", [0.0, 0.5, 0.7], 0.5),
            ("torus(0.5,0.2)", [0.5, 0.0, 0.0], -0.2),
            ("cylinder(0.5, 1)", [1.5, 0.0, 2.0], root2),
            ("capsule(0.25, 0.5)", [0.0, 0.0, 1.0], 0.25),
            ("plane(0, 0, 2, 0.5)", [7.0, 7.0, 1.0], 0.75),
            (
                "union(sphere(0.1), translate(1, 0, 0, sphere(0.2)))",
                [1.0, 0.5, 0.0],
                0.3,
            ),
            (
                "intersection(sphere(1), plane(1, 0, 0, 0))",
                [0.5, 0.0, 0.0],
                0.5,
            ),
            ("difference(sphere(1), sphere(0.5))", [0.0; 3], 0.5),
            ("scale(2, sphere(0.25))", [1.0, 0.0, 0.0], 0.5),
            (
                "rotate(0, 90, 0, cylinder(0.1, 0.5))",
                [0.75, 0.0, 0.0],
                0.25,
            ),
            // Where both are equally far, a quarter of the width is filled.
            (
                "smooth_union(0.2, sphere(0.5), sphere(0.5))",
                [1.0, 0.0, 0.0],
                0.45,
            ),
        ] {
            let found = at(text, point);
            assert!((found - expected).abs() < 1e-12, "{text}: {found}");
        }
    }

    #[test]
    fn faults_are_sentences() {
        for (text, expected) in [
            ("spere(1)", "did you mean sphere"),
            ("torus(0.5)", "torus takes 2 numbers"),
            ("torus(0.5, -1)", "must be positive"),
            ("plane(1e200, 0, 0, 1e199)", "too long"),
            ("sphere(1", "ends"),
            ("sphere(1))", "\")\""),
            ("union()", "at least one shape"),
            ("translate(1, 2, sphere(1))", "translate takes 3 numbers"),
            ("plane(0, 0, 0, 1)", "no length"),
            ("", "ends"),
            ("sphere(x)", "\"x\""),
        ] {
            let error = Analytic::parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
        let deep = "scale(1,".repeat(10_000);
        assert!(Analytic::parse(&deep).unwrap_err().contains("deep"));
    }
}
