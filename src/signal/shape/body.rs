//! What a shape is made of, as something with distances and surface samples, in coordinates.

use rayon::prelude::*;

use super::analytic::{Analytic, gradient};
use super::bvh::Bvh;
use super::distance::Distance;
use super::frame::Frame;
use super::grid::Grid;
use super::mesh::{Mesh, bounds};
use super::random::Random;
use super::read::Content;
use super::surface::Surface;
use super::surfels::Surfels;
use super::topology::{Topology, orient, turn_inverted, weld};
use super::vector::{Vector, add, dot, narrow, norm, scale, sub, unit, widen};

/// Probes by which the two ways of telling the side of a surface are compared.
const PROBES: usize = 4096;
/// How far from the surface they lie, in coordinates.
const PROBE: f32 = 0.01;
/// The share of probes that may disagree: a point on the surface has no side.
const DISAGREEMENT: f64 = 0.002;
/// Points that one thread answers at a time.
const AT_ONCE: usize = 256;

/// A shape in coordinates.
pub(super) enum Body {
    /// A surface of triangles.
    Mesh(Solid),
    /// A formula, whose units are the coordinates.
    Analytic(Analytic),
    /// Distances in cells, and coordinates a cell.
    Grid(Grid, f64),
    /// Points with normals, whose distances are estimates.
    Points(Surfels),
}

/// A mesh with distances.
pub(super) struct Solid {
    surface: Surface,
    distance: Distance,
    /// Why it has no inside, if it has none.
    pub hollow: Option<String>,
}

/// Places along the longest side that the numbers of a file must tell apart, or a warning is due.
const FEWEST_PLACES: f32 = 1e4;

impl Body {
    /// Where what a file holds lies, and its extents in the units of the file.
    ///
    /// # Errors
    /// What is wrong in words.
    pub fn place(
        content: &Content,
        warnings: &mut Vec<String>,
    ) -> Result<(Frame, [f32; 3]), String> {
        let (low, high) = match content {
            Content::Mesh(mesh) => mesh.bounds().into(),
            Content::Points(points) => bounds(points.positions.iter().copied()).into(),
            Content::Grid(grid) => (grid.half().map(|x| -x), grid.half()),
        };
        let extents = [0, 1, 2].map(|axis| high[axis] - low[axis]);
        if !extents.iter().all(|side| side.is_finite()) {
            return Err("it is larger than 32-bit numbers reach; scale it down".into());
        }
        let frame =
            Frame::around([low, high]).ok_or("all of its points lie at one place".to_string())?;
        let farthest = low
            .iter()
            .chain(&high)
            .fold(0.0, |a: f32, b| a.max(b.abs()));
        let longest = extents.into_iter().fold(0.0, f32::max);
        if longest < FEWEST_PLACES * f32::EPSILON * farthest {
            warnings.push(format!(
                "it lies {:.0} times its own size from the origin, where 32-bit numbers tell few places of it apart; move it to the origin first",
                farthest / longest
            ));
        }
        Ok((frame, extents))
    }

    /// The body of what a file holds, which lies at `frame`.
    pub fn new(content: Content, frame: &Frame, warnings: &mut Vec<String>) -> Self {
        match content {
            Content::Mesh(mut mesh) => {
                let vertices = mesh.vertices.iter();
                mesh.vertices = vertices.map(|&v| frame.coordinate(v)).collect();
                Self::Mesh(Solid::new(mesh, warnings))
            }
            Content::Points(mut points) => {
                let positions = points.positions.iter();
                points.positions = positions.map(|&p| frame.coordinate(p)).collect();
                Self::Points(Surfels::new(points, warnings))
            }
            Content::Grid(grid) => Self::Grid(grid, 1.0 / frame.scale),
        }
    }

    /// The signed distance at a point, whose magnitude is at most `reach`.
    fn distance(&self, point: [f32; 3], reach: f32) -> f32 {
        match self {
            Self::Mesh(solid) => solid.distance.at(point, reach),
            Self::Analytic(analytic) => analytic.distance(widen(point)) as f32,
            Self::Grid(grid, cell) => {
                (grid.distance(scale(widen(point), 1.0 / cell)) * cell) as f32
            }
            Self::Points(surfels) => surfels.distance.at(point, reach),
        }
    }

    /// The signed distances at points `[n, 3]`, to `out` `[n]`.
    ///
    /// On entry `out` holds what the magnitudes are known not to exceed, infinity where nothing is known: the search is the quicker for
    /// it, and finds the same.
    pub fn distances(&self, points: &[f32], out: &mut [f32]) {
        points
            .par_chunks(3 * AT_ONCE)
            .zip(out.par_chunks_mut(AT_ONCE))
            .for_each(|(points, out)| {
                let mut before = ([0.0; 3], f32::INFINITY);
                for (&point, out) in points.as_chunks().0.iter().zip(out) {
                    // A distance changes by no more than the way.
                    let way = norm(sub(widen(point), widen(before.0))) as f32;
                    let distance = self.distance(point, out.min(before.1 + way));
                    *out = distance;
                    before = (point, distance.abs());
                }
            });
    }

    /// The corners of every face of a mesh; none of anything else.
    pub fn triangles(&self) -> &[[Vector; 3]] {
        match self {
            Self::Mesh(solid) => solid.surface.triangles(),
            _ => &[],
        }
    }

    /// A point of the surface and its normal: evenly by area from a mesh, one of the points of a cloud, and the nearest of random
    /// points otherwise; none if the search
    /// was in vain.
    pub fn surface(&self, random: &mut Random) -> Option<([f32; 3], [f32; 3])> {
        match self {
            Self::Mesh(solid) => Some(solid.surface.sample(random)),
            Self::Points(Surfels { points, .. }) => {
                let index = (random.unit() * points.positions.len() as f64) as usize;
                Some((points.positions[index], points.normals[index]))
            }
            Self::Analytic(_) | Self::Grid(..) => {
                const TRIES: usize = 32;
                const STEPS: usize = 12;
                const STEP: f64 = 1e-3;
                let distance = |p| f64::from(self.distance(narrow(p), f32::INFINITY));
                (0..TRIES).find_map(|_| {
                    let mut p = widen(random.in_box());
                    for _ in 0..STEPS {
                        let slope = gradient(distance, p, STEP);
                        let squared = dot(slope, slope).max(1e-6);
                        p = sub(p, scale(slope, distance(p) / squared));
                    }
                    let inside = p.iter().all(|x| x.abs() <= 1.0);
                    let normal = unit(gradient(distance, p, STEP));
                    (inside && distance(p).abs() < 1e-5).then(|| (narrow(p), narrow(normal)))
                })
            }
        }
    }

    /// Why there is no inside, if there is none.
    pub fn hollow(&self) -> Option<&str> {
        match self {
            Self::Mesh(solid) => solid.hollow.as_deref(),
            Self::Points(surfels) => surfels.hollow.as_deref(),
            Self::Analytic(_) | Self::Grid(..) => None,
        }
    }

    /// The mean length of an edge, or a cell, or the distance of points: the finest detail, in coordinates.
    pub fn detail(&self) -> f32 {
        match self {
            Self::Mesh(solid) => {
                // The side of an equilateral triangle of the mean area.
                (solid.surface.area() / solid.surface.faces() as f64 * 4.0 / 3_f64.sqrt()).sqrt()
                    as f32
            }
            Self::Analytic(_) => 0.02,
            Self::Grid(_, cell) => *cell as f32,
            Self::Points(Surfels { points, .. }) => (4.0 / points.positions.len() as f32).sqrt(),
        }
    }
}

impl Solid {
    fn new(mut mesh: Mesh, warnings: &mut Vec<String>) -> Self {
        let mut topology = Topology::new(&mesh.faces);
        if !topology.watertight() {
            mesh = weld(&mesh);
            topology = Topology::new(&mesh.faces);
        }
        if !topology.oriented() && orient(&mut mesh) {
            warnings.push(format!(
                "{} edges had faces that disagree about what is outside; faces were turned",
                topology.misoriented_edges
            ));
            topology = Topology::new(&mesh.faces);
        }
        if topology.watertight() && topology.oriented() && mesh.signed_volume() < 0.0 {
            warnings.push("its faces look inwards and were turned".into());
            mesh.faces.iter_mut().for_each(|face| face.swap(1, 2));
        }
        if topology.watertight() && topology.oriented() && topology.bodies > 1 {
            match turn_inverted(&mut mesh) {
                0 => {}
                count => warnings.push(format!(
                    "{count} of its {} bodies look inwards and were turned",
                    topology.bodies
                )),
            }
        }
        let mut solid = Self::by_winding(&mesh);
        if topology.watertight() && topology.oriented() {
            let inside = solid.probed(&solid.distance, PROBE);
            let by_pseudonormals = Distance::by_pseudonormals(&mesh);
            let other = solid.probed(&by_pseudonormals, PROBE);
            let differ = inside.iter().zip(&other).filter(|(a, b)| a != b).count();
            if (differ as f64) < DISAGREEMENT * inside.len() as f64 {
                solid.distance = by_pseudonormals;
                return solid;
            }
            warnings.push(
                "it intersects itself: inside is where its winding number is above 1/2".into(),
            );
            return solid;
        }
        let why = match topology {
            Topology {
                open_edges: 0,
                non_manifold_edges,
                ..
            } if non_manifold_edges > 0 => {
                format!("{non_manifold_edges} edges have more than two faces")
            }
            Topology { open_edges: 0, .. } => "its faces cannot agree about what is outside".into(),
            Topology { open_edges, .. } => format!("it is open at {open_edges} edges"),
        };
        if topology.misoriented_edges == 0 {
            let by_winding = format!("{why}: inside is where its winding number is above 1/2");
            if solid.is_solid() {
                warnings.push(by_winding);
                return solid;
            }
            mesh.faces.iter_mut().for_each(|face| face.swap(1, 2));
            let turned = Self::by_winding(&mesh);
            if turned.is_solid() {
                warnings.push("its faces look inwards and were turned".into());
                warnings.push(by_winding);
                return turned;
            }
        }
        solid.hollow = Some(why);
        solid.distance = Distance::unsigned(Bvh::new(&mesh));
        solid
    }

    fn by_winding(mesh: &Mesh) -> Self {
        Self {
            surface: Surface::new(mesh),
            distance: Distance::by_winding(mesh),
            hollow: None,
        }
    }

    /// Which of [`PROBES`] points are inside, so far from the surface, by turns before and behind a face.
    fn probed(&self, distance: &Distance, away: f32) -> Vec<bool> {
        (0..PROBES)
            .into_par_iter()
            .map(|index| {
                let (point, normal) = self.surface.sample(&mut Random::new(0, index as u64));
                let side = f64::from(if index % 2 == 0 { away } else { -away });
                let probe = narrow(add(widen(point), scale(widen(normal), side)));
                distance.at(probe, away) < 0.0
            })
            .collect()
    }

    /// Whether there is an inside close behind most faces. Behind an open sheet winding numbers are near 1/2, above it where the sheet is hollow
    /// like a dish and below it where it bulges: for about half of the faces of a leaf or a landscape.
    fn is_solid(&self) -> bool {
        let probed = self.probed(&self.distance, 0.1 * PROBE);
        let behind: Vec<bool> = probed.into_iter().skip(1).step_by(2).collect();
        3 * behind.iter().filter(|&&inside| inside).count() >= 2 * behind.len()
    }
}
