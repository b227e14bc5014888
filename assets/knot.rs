//! A tube along a trefoil knot, which goes twice around the axis of a torus and three times through its hole.
//!
//! Places on circles are powers of one rotation, whose cosine is a Taylor series: every machine writes the same bytes.

use std::f64::consts::TAU;

use inr::signal::Mesh;

/// Points along the knot and around the tube.
const ALONG: usize = 192;
const AROUND: usize = 24;
/// Radii of the circle in the torus, of the torus and of the tube.
const CIRCLE: f64 = 2.0;
const TORUS: f64 = 1.0;
const TUBE: f64 = 0.42;

/// Cosine and sine of k/n turns, for all k < n.
fn circle(n: usize) -> Vec<[f64; 2]> {
    let angle = TAU / n as f64;
    let series = |first: f64, from: usize| {
        let mut sum = 0.0;
        for k in (0..8).rev() {
            let k = (2 * k + from) as f64;
            sum = first - sum * angle * angle / ((k + 1.0) * (k + 2.0));
        }
        sum
    };
    let (c, s) = (series(1.0, 0), angle * series(1.0, 1));
    let mut point = [1.0, 0.0];
    (0..n)
        .map(|_| {
            let [x, y] = point;
            point = [c * x - s * y, s * x + c * y];
            [x, y]
        })
        .collect()
}

fn combine(parts: [(f64, [f64; 3]); 3]) -> [f64; 3] {
    [0, 1, 2].map(|axis| parts.iter().map(|(weight, v)| weight * v[axis]).sum())
}

fn unit(v: [f64; 3]) -> [f64; 3] {
    let length = (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]).sqrt();
    v.map(|x| x / length)
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [0, 1, 2].map(|i| {
        let (j, k) = ((i + 1) % 3, (i + 2) % 3);
        a[j] * b[k] - a[k] * b[j]
    })
}

/// The surface of the tube, closed, its faces anticlockwise from outside.
pub fn knot() -> Mesh {
    let (along, around) = (circle(ALONG), circle(AROUND));
    let mut vertices = Vec::new();
    for i in 0..ALONG {
        let [[c, s], [across, height]] = [along[2 * i % ALONG], along[3 * i % ALONG]];
        let radius = CIRCLE + TORUS * across;
        // Of the torus: the direction along its circle, and its normal, which is at right angles to the knot.
        let forward = [-s, c, 0.0];
        let normal = [across * c, across * s, height];
        let slope = [-height * c, -height * s, across];
        let tangent = unit(combine([
            (2.0 * radius, forward),
            (3.0 * TORUS, slope),
            (0.0, normal),
        ]));
        let side = cross(tangent, normal);
        let centre = [radius * c, radius * s, TORUS * height];
        vertices.extend(around.iter().map(|&[u, v]| {
            combine([(1.0, centre), (TUBE * u, normal), (TUBE * v, side)]).map(|x| x as f32)
        }));
    }
    let vertex = |i: usize, j: usize| (i % ALONG * AROUND + j % AROUND) as u32;
    let faces = (0..ALONG * AROUND).flat_map(|k| {
        let (i, j) = (k / AROUND, k % AROUND);
        let [a, b, c, d] = [
            vertex(i, j),
            vertex(i + 1, j),
            vertex(i + 1, j + 1),
            vertex(i, j + 1),
        ];
        [[a, c, b], [a, d, c]]
    });
    Mesh {
        vertices,
        faces: faces.collect(),
        normals: Vec::new(),
    }
}
