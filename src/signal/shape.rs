//! Shapes: surfaces in space as the zero set of a function, from meshes, oriented points, grids and formulas.
//!
//! A sample is a place near the surface or anywhere in the box [-1, 1]³; what a network learns there follows from the signed distance, which
//! is negative inside ([`DistanceTarget`]). Oriented points have distances too, to the squares that they stand for; a network may also learn
//! a distance of its own from the points and their normals by the loss `oriented`.

mod analytic;
mod body;
mod bvh;
mod distance;
mod frame;
mod grid;
mod mesh;
mod random;
mod read;
mod samples;
mod surface;
mod surfels;
mod target;
mod topology;
mod vector;
mod winding;

#[cfg(test)]
mod tests;

use std::io::Read;
use std::path::Path;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::source::Source;
use super::{Footprint, HeldOut, Kind, Layout, Reduction, Signal, SignalError, Spectrum};

pub use frame::Frame;
pub use mesh::Mesh;
pub use target::DistanceTarget;

use analytic::Analytic;
use body::Body;
use random::Random;
use read::{Content, Fault, Format};
use samples::{Place, Pool};
use surface::Surface;
use surfels::Surfels;

/// The samples of every shape.
pub const SAMPLES: usize = samples::COUNT;

/// The entry of shapes in the table of kinds.
pub(super) const KIND: Kind = Kind {
    recognises: |source, extension| Format::of(&source.head, extension).is_some(),
    load: |source| Ok(Box::new(Shape::decode(source)?)),
    probe: |source| Ok(Layout::Shape(Shape::probe(source)?)),
};

/// The axis that points up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UpAxis {
    /// As in most OBJ, OFF and GLB files.
    Y,
    /// As in most STL and PLY files.
    Z,
}

/// Where a shape lies and what is learnt of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShapeLayout {
    /// The map from coordinates to the units of the file.
    pub frame: Frame,
    /// The sides of the bounding box in the units of the file.
    pub extents: [f32; 3],
    /// The axis that points up in pictures.
    pub up: UpAxis,
    /// What the outputs of a network mean.
    pub target: DistanceTarget,
}

impl ShapeLayout {
    fn new(frame: Frame, extents: [f32; 3], up: UpAxis) -> Self {
        Self {
            frame,
            extents,
            up,
            target: DistanceTarget::TruncatedSdf,
        }
    }

    /// The layout in words, such as `shape of 1.37 x 1.63 x 1.24, truncated signed distance`.
    pub fn describe(&self) -> String {
        let [x, y, z] = self.extents.map(|side| {
            if side == 0.0 {
                return "0".to_string();
            }
            let digits = 2 - (side.log10().floor() as i32).clamp(-7, 2);
            format!("{side:.*}", digits as usize)
        });
        format!("shape of {x} x {y} x {z}, {}", self.target.name())
    }

    /// The diagonal of the bounding box, in the units of the file.
    pub fn diagonal(&self) -> f64 {
        vector::norm(vector::widen(self.extents))
    }
}

/// A decoded shape.
pub struct Shape {
    layout: ShapeLayout,
    body: Arc<Body>,
    /// Made when first asked for; the same whatever is learnt.
    pool: Arc<OnceLock<RwLock<Pool>>>,
    warnings: Vec<String>,
}

/// The formula in a name such as `sdf:torus(0.5,0.2)`.
pub(super) fn formula(path: &Path) -> Option<&str> {
    path.to_str()?.strip_prefix("sdf:")
}

/// What a file holds, and in which format.
fn content(
    mut source: Source,
    warnings: &mut Vec<String>,
) -> Result<(Format, Content), SignalError> {
    let path = source.path.clone();
    let Some(format) = Format::of(&source.head, &source.extension()) else {
        return Err(SignalError::Unknown { path });
    };
    let mut bytes = Vec::new();
    if let Err(source) = source.reader.read_to_end(&mut bytes) {
        return Err(SignalError::Unreadable { path, source });
    }
    let content = format.read(&bytes, warnings).map_err(|fault| match fault {
        Fault::Damaged(reason) => SignalError::Damaged {
            path,
            format: format.name(),
            reason,
        },
        Fault::Truncated => SignalError::Truncated {
            path,
            format: format.name(),
            kind: "shape",
        },
        Fault::Nothing => SignalError::NoSurface { path },
    })?;
    Ok((format, content))
}

/// The sides of the box around points of the surface, which is all that there is to know of a formula or a grid, in coordinates; none without a
/// surface.
fn extents(body: &Body) -> Option<[f32; 3]> {
    const POINTS: u64 = 20_000;
    body.surface(&mut Random::new(0, 0))?;
    let points = (0..POINTS).into_par_iter();
    let points = points.filter_map(|index| body.surface(&mut Random::new(5, index)));
    let none = || ([f32::INFINITY; 3], [f32::NEG_INFINITY; 3]);
    let wider = |(low, high): ([f32; 3], [f32; 3]), (a, b): ([f32; 3], [f32; 3])| {
        let axes = [0, 1, 2];
        (
            axes.map(|axis| f32::min(low[axis], a[axis])),
            axes.map(|axis| f32::max(high[axis], b[axis])),
        )
    };
    let (low, high) = points.map(|(point, _)| (point, point)).reduce(none, wider);
    Some([0, 1, 2].map(|axis| high[axis] - low[axis]))
}

/// The mesh in a file, in its own units, without what it takes to know distances; none when the file holds something else.
///
/// # Errors
/// See [`SignalError`].
pub fn read_mesh(path: &Path) -> Result<Option<Mesh>, SignalError> {
    match content(Source::open(path)?, &mut Vec::new())? {
        (_, Content::Mesh(mesh)) => Ok(Some(mesh)),
        _ => Ok(None),
    }
}

/// Evenly spread points of a mesh and their normals, `count` of them; none of a mesh without faces.
pub fn surface_samples(mesh: &Mesh, count: usize) -> (Vec<[f32; 3]>, Vec<[f32; 3]>) {
    if mesh.faces.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let surface = Surface::new(mesh);
    (0..count as u64)
        .into_par_iter()
        .map(|index| surface.sample(&mut Random::new(3, index)))
        .unzip()
}

/// Places of the box [-1, 1]³ at random, always the same, `[count]`.
pub fn random_places(count: usize) -> Vec<[f32; 3]> {
    (0..count as u64)
        .map(|index| Random::new(2, index).in_box())
        .collect()
}

impl Shape {
    /// The shape of a formula, whose units are the coordinates.
    ///
    /// # Errors
    /// [`SignalError::Formula`].
    pub fn by_formula(formula: &str) -> Result<Self, SignalError> {
        let fault = |reason| SignalError::Formula {
            formula: formula.into(),
            reason,
        };
        let body = Body::Analytic(Analytic::parse(formula).map_err(fault)?);
        let Some(extents) = extents(&body) else {
            return Err(fault(
                "it has no surface in the box from -1 to 1".to_string(),
            ));
        };
        let layout = ShapeLayout::new(Frame::IDENTITY, extents, UpAxis::Z);
        Ok(Self::of(body, layout, Vec::new()))
    }

    /// What the file holds, and the layout by its extents alone, without what it takes to know distances.
    fn begin(
        source: Source,
        warnings: &mut Vec<String>,
    ) -> Result<(Content, ShapeLayout), SignalError> {
        let path = source.path.clone();
        let (format, content) = content(source, warnings)?;
        let (frame, extents) =
            Body::place(&content, warnings).map_err(|reason| SignalError::Damaged {
                path,
                format: format.name(),
                reason,
            })?;
        let up = match format {
            Format::Stl | Format::Ply => UpAxis::Z,
            _ => UpAxis::Y,
        };
        Ok((content, ShapeLayout::new(frame, extents, up)))
    }

    fn probe(source: Source) -> Result<ShapeLayout, SignalError> {
        Ok(Self::begin(source, &mut Vec::new())?.1)
    }

    fn decode(source: Source) -> Result<Self, SignalError> {
        let mut warnings = Vec::new();
        let (content, mut layout) = Self::begin(source, &mut warnings)?;
        let body = Body::new(content, &layout.frame, &mut warnings);
        // A grid may be much larger than the shape in it.
        if let Body::Grid(..) = body
            && let Some(sides) = extents(&body)
        {
            layout.extents = sides.map(|side| (f64::from(side) * layout.frame.scale) as f32);
        }
        Ok(Self::of(body, layout, warnings))
    }

    fn of(body: Body, layout: ShapeLayout, warnings: Vec<String>) -> Self {
        Self {
            layout,
            body: Arc::new(body),
            pool: Arc::default(),
            warnings,
        }
    }

    fn pool(&self) -> &RwLock<Pool> {
        self.pool.get_or_init(|| RwLock::new(Pool::new(&self.body)))
    }

    fn samples_now(&self) -> RwLockReadGuard<'_, Pool> {
        self.pool().read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Signed distances at coordinates `[n, 3]`, to `out` `[n]`, in coordinates.
    pub fn distances(&self, coordinates: &[f32], out: &mut [f32]) {
        out.fill(f32::INFINITY);
        self.body.distances(coordinates, out);
    }

    /// Its layout with whole distances as the target, signed ones if it has an inside.
    pub fn as_distances(&self) -> ShapeLayout {
        let target = match self.body.hollow() {
            None => DistanceTarget::Sdf,
            Some(_) => DistanceTarget::Unsigned,
        };
        ShapeLayout {
            target,
            ..self.layout.clone()
        }
    }

    /// Whether distances are those of the shape itself, and not estimates from points.
    pub fn has_true_distances(&self) -> bool {
        !matches!(*self.body, Body::Points(_))
    }

    /// The corners of every face of a mesh, in the units of the file; none of anything else.
    pub fn triangles(&self) -> impl Iterator<Item = [[f32; 3]; 3]> {
        let corner = |corner| self.layout.frame.place(vector::narrow(corner));
        self.body
            .triangles()
            .iter()
            .map(move |corners| corners.map(corner))
    }

    /// Points of the surface and their normals, in the units of the file, about `count` of them; all there are of points.
    pub fn surface_samples(&self, count: usize) -> (Vec<[f32; 3]>, Vec<[f32; 3]>) {
        let in_file = |(point, normal)| (self.layout.frame.place(point), normal);
        match &*self.body {
            Body::Points(Surfels { points, .. }) => {
                let normals = points.normals.iter().copied();
                let points = points.positions.iter().copied().zip(normals);
                points.map(in_file).unzip()
            }
            body => (0..count as u64)
                .into_par_iter()
                .filter_map(|index| body.surface(&mut Random::new(4, index)).map(in_file))
                .unzip(),
        }
    }
}

impl Signal for Shape {
    fn layout(&self) -> Layout {
        Layout::Shape(self.layout.clone())
    }

    fn samples(&self) -> usize {
        SAMPLES
    }

    fn gather(&self, indices: &[u32], coordinates: &mut [f64], targets: &mut [f32]) {
        let pool = self.samples_now();
        let target = self.layout.target;
        let (coordinates, _) = coordinates.as_chunks_mut::<3>();
        for ((&index, place), out) in indices.iter().zip(coordinates).zip(targets) {
            let index = index as usize;
            for (out, coordinate) in place.iter_mut().zip(&pool.coordinates[3 * index..]) {
                *out = f64::from(*coordinate);
            }
            *out = target.target(pool.distances[index]);
        }
    }

    fn slack(&self, _footprint: Footprint) -> f32 {
        self.layout.target.slack()
    }

    /// A place is a place: the same as [`Signal::gather`].
    fn gather_within(
        &self,
        _offset: &[f64],
        indices: &[u32],
        coordinates: &mut [f64],
        targets: &mut [f32],
    ) {
        self.gather(indices, coordinates, targets);
    }

    fn refresh(&self, epoch: u64) {
        let mut pool = self.pool().write().unwrap_or_else(PoisonError::into_inner);
        pool.refresh(&self.body, epoch);
    }

    fn has_normals(&self) -> bool {
        true
    }

    fn gather_normals(&self, indices: &[u32], normals: &mut [f32]) {
        let pool = self.samples_now();
        let (normals, _) = normals.as_chunks_mut::<3>();
        for (&index, out) in indices.iter().zip(normals) {
            let place = Place::new(&self.body, pool.number(index as usize));
            *out = place.normal.unwrap_or_default();
        }
    }

    fn with_target(
        &self,
        target: Option<DistanceTarget>,
    ) -> Result<Option<Box<dyn Signal>>, SignalError> {
        let target = target.unwrap_or(self.layout.target);
        if let Some(why) = self.body.hollow()
            && target.is_signed()
        {
            return Err(SignalError::Target(format!(
                "the shape has no inside ({why}); fit it as a surface with --set training.target=unsigned"
            )));
        }
        Ok(Some(Box::new(Self {
            layout: ShapeLayout {
                target,
                ..self.layout.clone()
            },
            body: Arc::clone(&self.body),
            pool: Arc::clone(&self.pool),
            warnings: self.warnings.clone(),
        })))
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The mesh, cells or points hold details down to their spacing h: 1/h cycles over an axis of 2. A distance d has slope 1, of which a
    /// third of the square falls to each axis; its energy is the variance σ² of the distance, hence f_rms = 1 / (π σ √3).
    fn spectrum(&self) -> Spectrum {
        let nyquist = 1.0 / self.body.detail().max(1e-4);
        let variance = self.samples_now().variance;
        let rms = 1.0 / (std::f64::consts::PI * (3.0 * variance).sqrt());
        Spectrum {
            nyquist: vec![nyquist; 3],
            rms_frequency: vec![rms as f32; 3],
        }
    }

    /// Of the distances at places that are always the same: samples are drawn anew while a network learns.
    fn checksum(&self) -> u32 {
        const PLACES: usize = 1 << 14;
        let places = random_places(PLACES);
        let mut distances = vec![0.0; PLACES];
        self.distances(places.as_flattened(), &mut distances);
        let mut hasher = crc32fast::Hasher::new();
        super::check(&mut hasher, &distances);
        hasher.finalize()
    }

    fn hold_out(self: Box<Self>, _reduction: Reduction) -> Result<HeldOut, SignalError> {
        Err(SignalError::Unreducible("a shape"))
    }
}
