//! Oriented points as a surface: a square at every point, across its normal and as large as what the point stands for ("Surfels",
//! Pfister et al. 2000).
//!
//! The closest square gives the distance, and the winding number of all squares the side (Barill et al. 2018, "Fast winding numbers for
//! soups and clouds", section 4): sheets that lie close to each other, gaps and noise are told apart by all of the points together.

use rayon::prelude::*;

use super::bvh::Bvh;
use super::distance::Distance;
use super::mesh::Mesh;
use super::read::Points;
use super::vector::{Vector, add, cross, narrow, scale, unit, widen};
use super::winding::Winding;

/// The neighbours whose distance says how large a part of the surface a point stands for; Barill et al. take about 20.
const NEIGHBOURS: usize = 12;
/// The side of a square by that of its part: a square has to reach over the gaps of an uneven cloud.
const OVERLAP: f64 = 1.25;
/// Points at which the winding number is calibrated.
const PROBES: usize = 4096;
/// How far from the surface, in sides of squares: there the squares next to each other look like one sheet.
const PROBE: f64 = 1.5;
/// The share of the winding number that lies behind the surface: 1 of a closed one, 0 if its normals point inwards, and half of an open
/// sheet. From here on, and as far from 0, it is one of the first two.
const LEAST_INSIDE: f64 = 0.75;
/// The least half of a side, for points that lie on each other.
const SMALLEST: f64 = 1e-6;

/// Distances to a cloud of points.
pub(super) struct Surfels {
    /// Points with unit normals that point outwards.
    pub points: Points,
    /// The distances to the squares.
    pub distance: Distance,
    /// Why there is no inside, if there is none.
    pub hollow: Option<String>,
}

impl Surfels {
    /// The surface of points in coordinates, at least one; normals that point inwards are turned, which is added to `warnings`.
    pub fn new(mut points: Points, warnings: &mut Vec<String>) -> Self {
        let halves = halves(&points.positions);
        let bvh = Bvh::new(&squares(&points, &halves));
        let winding = Winding::new(&bvh);
        let [behind, before] =
            [-1.0, 1.0].map(|side| median_number(&points, &halves, side, &bvh, &winding));
        // Across the surface the winding number changes by 1 where squares do not overlap, and by more where they do.
        let whole = behind - before;
        // It does not change at all where normals cancel out.
        let has_sides = whole > 0.0;
        if has_sides && behind <= (1.0 - LEAST_INSIDE) * whole {
            warnings.push("its normals point inwards and were turned".into());
            for normal in &mut points.normals {
                *normal = normal.map(|x| -x);
            }
            return Self::new(points, warnings);
        }
        let (distance, hollow) = match has_sides && behind >= LEAST_INSIDE * whole {
            true => {
                let distance = Distance::by_winding_above(bvh, winding, 0.5 * whole);
                (distance, None)
            }
            false => {
                let why = "its points lie on an open sheet, or their normals disagree";
                (Distance::unsigned(bvh), Some(why.to_string()))
            }
        };
        Self {
            points,
            distance,
            hollow,
        }
    }
}

/// Half the sides of the squares: n neighbours within r lie on π r² of the surface.
fn halves(positions: &[[f32; 3]]) -> Vec<f64> {
    let faces = (0..positions.len() as u32).map(|i| [i; 3]).collect();
    let tree = Bvh::new(&Mesh {
        vertices: positions.to_vec(),
        faces,
        normals: Vec::new(),
    });
    positions
        .par_iter()
        .map(|&position| {
            // The point itself is the nearest.
            let squared = tree.squared_reach(position, NEIGHBOURS + 1);
            let area = std::f64::consts::PI * squared / NEIGHBOURS as f64;
            (0.5 * OVERLAP * area.sqrt()).max(SMALLEST)
        })
        .collect()
}

/// Two triangles a point.
fn squares(points: &Points, halves: &[f64]) -> Mesh {
    let mut mesh = Mesh::default();
    for ((&position, &normal), &half) in points.positions.iter().zip(&points.normals).zip(halves) {
        let (position, normal) = (widen(position), widen(normal));
        let [across, along] = tangents(normal).map(|tangent| scale(tangent, half));
        let first = mesh.vertices.len() as u32;
        for [a, b] in [[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]] {
            let corner = add(position, add(scale(across, a), scale(along, b)));
            mesh.vertices.push(narrow(corner));
        }
        let corners = [[0, 1, 2], [0, 2, 3]];
        mesh.faces
            .extend(corners.map(|face| face.map(|corner| first + corner)));
    }
    mesh
}

/// Two unit vectors at right angles to a unit vector n and to each other, a × b = n.
fn tangents(normal: Vector) -> [Vector; 2] {
    let least = (0..3).fold(0, |least, axis| {
        match normal[axis].abs() < normal[least].abs() {
            true => axis,
            false => least,
        }
    });
    let mut axis = [0.0; 3];
    axis[least] = 1.0;
    let across = unit(cross(axis, normal));
    [across, cross(normal, across)]
}

/// The median of the winding number a little beside the surface, on the outer `side` 1 or the inner −1.
fn median_number(points: &Points, halves: &[f64], side: f64, bvh: &Bvh, winding: &Winding) -> f64 {
    let count = points.positions.len();
    let mut numbers: Vec<f64> = (0..count)
        .into_par_iter()
        .step_by(count.div_ceil(PROBES))
        .map(|i| {
            let way = side * PROBE * 2.0 * halves[i];
            let way = scale(widen(points.normals[i]), way);
            winding.number(bvh, narrow(add(widen(points.positions[i]), way)))
        })
        .collect();
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::super::random::Random;
    use super::super::vector::{dot, norm, sub};
    use super::*;

    const RADIUS: f64 = 0.7;
    const COUNT: usize = 4000;
    /// The mean distance of neighbouring points: √(4π RADIUS² / COUNT).
    const SPACING: f64 = 0.0392;

    /// Random points of a sphere, whose gaps and clumps are as large as those of a scan.
    fn sphere() -> Points {
        let directions = (0..COUNT as u64).map(|i| unit(Random::new(9, i).normal()));
        let (positions, normals) = directions
            .map(|n| (narrow(scale(n, RADIUS)), narrow(n)))
            .unzip();
        Points { positions, normals }
    }

    #[test]
    fn distances_to_a_sphere_of_points_are_those_to_the_sphere() {
        let mut warnings = Vec::new();
        let surfels = Surfels::new(sphere(), &mut warnings);
        assert!(warnings.is_empty() && surfels.hollow.is_none());
        let (mut worst, mut sum): (f64, f64) = (0.0, 0.0);
        for i in 0..2000 {
            let place = Random::new(2, i).in_box();
            let truth = norm(widen(place)) - RADIUS;
            let distance = f64::from(surfels.distance.at(place, f32::INFINITY));
            worst = worst.max((distance - truth).abs());
            sum += (distance - truth).abs();
        }
        // Corners of squares of up to two spacings stand out by (√2 SPACING)² / 2 RADIUS = 0.002; the rest is the gaps.
        assert!(worst < 0.3 * SPACING, "{worst}");
        assert!(sum / 2000.0 < 0.05 * SPACING, "{}", sum / 2000.0);
    }

    #[test]
    fn normals_that_point_inwards_are_turned() {
        let mut reversed = sphere();
        for normal in &mut reversed.normals {
            *normal = normal.map(|x| -x);
        }
        let mut warnings = Vec::new();
        let surfels = Surfels::new(reversed, &mut warnings);
        assert!(warnings[0].contains("inwards"), "{warnings:?}");
        assert!(surfels.distance.at([0.0; 3], f32::INFINITY) < 0.0);
        let point = widen(surfels.points.positions[0]);
        assert!(dot(point, widen(surfels.points.normals[0])) > 0.0);
    }

    #[test]
    fn points_of_an_open_sheet_have_no_inside() {
        let positions: Vec<[f32; 3]> = (0..2000)
            .map(|i| {
                let [x, y, _] = Random::new(5, i).in_box();
                [x, y, 0.0]
            })
            .collect();
        let normals = vec![[0.0, 0.0, 1.0]; positions.len()];
        let sheet = Points { positions, normals };
        let surfels = Surfels::new(sheet, &mut Vec::new());
        assert!(surfels.hollow.is_some());
        assert!(surfels.distance.at([0.1, 0.2, -0.5], f32::INFINITY) > 0.0);
    }

    #[test]
    fn points_whose_normals_cancel_out_have_no_inside() {
        let mut points = sphere();
        points.positions.extend_from_within(..);
        let reversed = points.normals.clone().into_iter();
        points
            .normals
            .extend(reversed.map(|normal| normal.map(|x| -x)));
        let surfels = Surfels::new(points, &mut Vec::new());
        assert!(surfels.hollow.is_some());
        assert!(surfels.distance.at([0.0; 3], f32::INFINITY) > 0.0);
    }

    #[test]
    fn few_points_or_equal_ones_do_no_harm() {
        for count in [1, 2, 13, 100] {
            let points = Points {
                positions: vec![[0.1, 0.2, 0.3]; count],
                normals: vec![[0.0, 1.0, 0.0]; count],
            };
            let surfels = Surfels::new(points, &mut Vec::new());
            let distance = surfels.distance.at([0.1, 0.7, 0.3], f32::INFINITY);
            assert!((distance.abs() - 0.5).abs() < 1e-3, "{count}: {distance}");
        }
    }

    #[test]
    fn the_reach_of_so_many_neighbours_is_that_of_brute_force() {
        let points = sphere().positions;
        let tree = Bvh::new(&Mesh {
            vertices: points.clone(),
            faces: (0..COUNT as u32).map(|i| [i; 3]).collect(),
            normals: Vec::new(),
        });
        for i in 0..50 {
            let query = Random::new(6, i).in_box();
            let mut squares: Vec<f64> = points
                .iter()
                .map(|&p| {
                    let offset = sub(widen(p), widen(query));
                    dot(offset, offset)
                })
                .collect();
            squares.sort_by(f64::total_cmp);
            for count in [1, 2, 13, COUNT, 2 * COUNT] {
                let expected = squares[count.min(COUNT) - 1];
                assert_eq!(tree.squared_reach(query, count), expected);
            }
        }
    }
}
