//! A network as a shape again: its surface as a mesh, what it says at fixed places, and pictures of it.

use std::path::{Path, PathBuf};

use super::super::exhibit::Exhibition;
use super::super::kind::{KindFiles, Renderable, Rendered, Rendering, downcast, other_kind};
use super::super::request::{Points, RenderRequest, Target};
use super::super::resample::Filter;
use super::super::{Companion, Field, Metrics, RenderError};
use super::places::{GRID, RANDOM, distances_within, nearest_in_box, places_within};
use super::{
    Blocks, Camera, Colouring, Drawing, Evaluate, Lattice, MeshEncodeError, MeshFormat, Scene,
    Search, View, encode_gif, encode_png, exhibit, extract, gradients, mesh_file, orbit, preview,
    slice_picture,
};
use crate::engine::Engine;
use crate::metrics::{SurfaceSamples, eikonal_share, iou, psnr_db, sdf_mae, surface_distance};
use crate::signal::shape::{Frame, surface_samples};
use crate::signal::{Layout, Mesh, Reduction, Shape, ShapeLayout, Signal};

/// The files of a fit to a shape.
pub(in crate::render) const FILES: KindFiles = KindFiles {
    lossless_extensions: &["ply", "obj", "stl", "glb"],
    companions: &["preview.png", "orbit.gif"],
};

/// Pixels along the sides of a preview.
pub(super) const PREVIEW: u32 = 640;
/// Points along the longest side of the box when nothing else is asked for.
const RESOLUTION: u32 = 256;
/// Points by which surfaces are compared.
const SURFACE: usize = 100_000;
/// How far from the surface distances are compared, in coordinates.
const BAND: f32 = 0.05;
/// Half the way of a central difference, in coordinates.
const STEP: f32 = 1e-3;
/// The largest slope of a fitted distance: 1, and some more.
pub(super) const SLOPE: f32 = 1.3;
/// How near to its faces corners count as lying on the box, in coordinates: several roundings in the units of a file.
const ON_THE_BOX: f32 = 1e-5;
/// Of a field that is no distance every so many points are looked at first.
const STRIDE: u32 = 2;

/// The surface of a network, and what is needed to measure and to show it.
#[derive(Debug, Clone, PartialEq)]
pub struct ShapeRendering {
    /// The surface in the units of the file, in the layout of the fit.
    pub mesh: Mesh,
    layout: ShapeLayout,
    /// The box in which volumes and distances are compared.
    frame: Frame,
    /// The field at the cells of the grid and at the random places of that box, in its coordinates; empty when only the mesh was asked for.
    values: Vec<f32>,
    /// Gradients of the field at random places near its surface.
    gradients: Vec<[f32; 3]>,
    pictures: Vec<Companion>,
}

/// A mesh without the flat faces that close it where the body leaves the box [-1, 1]³, which are no surface of anything.
pub(super) fn without_caps(mesh: &Mesh, frame: &Frame) -> Mesh {
    let is_cap = |face: &[u32; 3]| {
        let corners = face.map(|vertex| frame.coordinate(mesh.vertices[vertex as usize]));
        (0..3).any(|axis| corners.iter().all(|x| x[axis].abs() > 1.0 - ON_THE_BOX))
    };
    let faces = mesh.faces.iter().filter(|face| !is_cap(face));
    Mesh {
        faces: faces.copied().collect(),
        ..mesh.clone()
    }
}

/// The lattice of so many points a side in the box [-1, 1]³.
fn lattice(resolution: u32) -> Result<Lattice, RenderError> {
    Lattice::cube(resolution).map_err(|e| RenderError::Request(e.to_string()))
}

/// The field of a network as a function, negative inside.
fn function<'a>(
    field: Field<'a>,
    layout: &'a ShapeLayout,
    engine: &'a mut dyn Engine,
) -> impl FnMut(&[f32], &mut [f32]) -> Result<(), RenderError> + 'a {
    let target = layout.target;
    move |points, values| {
        engine.evaluate(field.network, field.parameters, points, values)?;
        values.iter_mut().for_each(|v| *v = target.field(*v));
        Ok(())
    }
}

impl ShapeLayout {
    fn search(&self) -> Search {
        match self.target.is_distance() {
            true => Search::Lipschitz(SLOPE),
            false => Search::Sampled(STRIDE),
        }
    }

    /// The blocks of a lattice of so many points a side that the surface lies in.
    fn blocks(
        &self,
        function: &mut Evaluate<RenderError>,
        resolution: u32,
    ) -> Result<Blocks, RenderError> {
        Blocks::find(function, &lattice(resolution)?, self.search())
    }

    /// The same at [`RESOLUTION`], or at the next lower one that the surface does not fill: a network that has learnt little is soon drawn.
    fn overview(&self, function: &mut Evaluate<RenderError>) -> Result<Blocks, RenderError> {
        for resolution in [RESOLUTION, RESOLUTION / 2] {
            let lattice = lattice(resolution)?;
            if let Some(blocks) = Blocks::find_sparse(function, &lattice, self.search())? {
                return Ok(blocks);
            }
        }
        self.blocks(function, RESOLUTION / 4)
    }

    /// The surface in `blocks`, in the units of the file.
    fn surface(
        &self,
        function: &mut Evaluate<RenderError>,
        blocks: &Blocks,
    ) -> Result<Mesh, RenderError> {
        let mut mesh = extract(function, blocks)?;
        for vertex in &mut mesh.vertices {
            *vertex = self.frame.place(*vertex);
        }
        Ok(mesh)
    }

    /// The mesh, from so many points a side or from those of the overview, the values at all places of the box of `frame` and the gradients near
    /// the surface; and the blocks of the overview.
    fn measurable(
        &self,
        field: Field,
        frame: Frame,
        resolution: Option<u32>,
        engine: &mut dyn Engine,
        progress: &mut dyn FnMut(f64),
    ) -> Result<(ShapeRendering, Blocks), RenderError> {
        let mut function = function(field, self, engine);
        let blocks = self.overview(&mut function)?;
        progress(0.2);
        let mesh = match resolution {
            None => self.surface(&mut function, &blocks)?,
            Some(resolution) => {
                let blocks = self.blocks(&mut function, resolution)?;
                self.surface(&mut function, &blocks)?
            }
        };
        progress(0.4);
        let places = places_within(&frame, &self.frame);
        let (nearest, away): (Vec<[f32; 3]>, Vec<f32>) =
            places.iter().map(|place| nearest_in_box(*place)).unzip();
        let mut values = vec![0.0; places.len()];
        for (places, values) in nearest.chunks(1 << 17).zip(values.chunks_mut(1 << 17)) {
            function(places.as_flattened(), values)?;
        }
        progress(0.6);
        let random = nearest.iter().zip(&away).zip(&values).skip(GRID.pow(3));
        let near: Vec<[f32; 3]> = random
            .filter(|((_, away), value)| **away == 0.0 && value.abs() < BAND)
            .map(|((place, _), _)| *place)
            .collect();
        // Nothing of a fit lies outside of its box, and the way to the box is added.
        for (value, away) in values.iter_mut().zip(away).filter(|(_, away)| *away > 0.0) {
            *value = value.max(0.0) + away;
        }
        let scale = (self.frame.scale / frame.scale) as f32;
        values.iter_mut().for_each(|value| *value *= scale);
        let gradients = match self.target.is_distance() {
            true => gradients(&mut function, &near, STEP)?,
            false => Vec::new(),
        };
        let rendering = ShapeRendering {
            mesh,
            layout: self.clone(),
            frame,
            values,
            gradients,
            pictures: Vec::new(),
        };
        Ok((rendering, blocks))
    }

    /// A picture of the surface, and one that turns.
    fn pictures(
        &self,
        field: Field,
        blocks: &Blocks,
        engine: &mut dyn Engine,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Vec<Companion>, RenderError> {
        let up = self.up;
        let outline = blocks.outline();
        if outline.is_empty() {
            return Ok(Vec::new());
        }
        let mut function = function(field, self, engine);
        let view = View {
            size: PREVIEW,
            colouring: Colouring::Clay,
            occlusion: self.target.is_distance(),
            through_lattice: true,
        };
        let [azimuth, elevation] = Scene::VIEWPOINT;
        let camera = Camera::new(&outline, up, azimuth, elevation);
        let still = preview(&mut function, blocks, &camera, &view)?;
        progress(0.8);
        let small = View {
            size: 240,
            occlusion: false,
            ..view
        };
        // From the values of the lattice: a turn takes tens of millions, and shows less than they hold.
        let turn = orbit::<RenderError>(&mut blocks.field(), blocks, up, &small)?;
        let [still_name, turn_name] = [FILES.companions[0], FILES.companions[1]];
        Ok(vec![
            (still_name, encode_png(still)?),
            (turn_name, encode_gif(&turn)?),
        ])
    }
}

impl Renderable for ShapeLayout {
    fn reconstruct(
        &self,
        field: Field,
        resolution: Option<u32>,
        engine: &mut dyn Engine,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Rendering, RenderError> {
        let (mut rendering, blocks) =
            self.measurable(field, self.frame, resolution, engine, progress)?;
        rendering.pictures = self.pictures(field, &blocks, engine, progress)?;
        progress(1.0);
        Ok(Rendering::Shape(rendering))
    }

    fn render_like(
        &self,
        field: Field,
        other: &Layout,
        engine: &mut dyn Engine,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Rendering, RenderError> {
        match other {
            Layout::Shape(other) => {
                let frame = self.frame.holding(&other.frame.hull());
                let (rendering, _) = self.measurable(field, frame, None, engine, progress)?;
                Ok(Rendering::Shape(rendering))
            }
            other => Err(other_kind("a shape", other)),
        }
    }

    fn upsample(
        &self,
        _field: Field,
        _reduction: Reduction,
        _engine: &mut dyn Engine,
        _progress: &mut dyn FnMut(f64),
    ) -> Result<Rendering, RenderError> {
        Err(RenderError::Request(
            "a shape has no grid that could be reduced".into(),
        ))
    }

    fn render(
        &self,
        field: Field,
        points: &Points,
        engine: &mut dyn Engine,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Rendering, RenderError> {
        let Points::Lattice(resolution) = *points else {
            return Err(RenderError::Request("a shape has no pixels".into()));
        };
        let mut function = function(field, self, engine);
        let blocks = self.blocks(&mut function, resolution)?;
        let mesh = self.surface(&mut function, &blocks)?;
        if mesh.faces.is_empty() {
            return Err(MeshEncodeError::Empty.into());
        }
        progress(1.0);
        Ok(Rendering::Shape(ShapeRendering {
            mesh,
            layout: self.clone(),
            frame: self.frame,
            values: Vec::new(),
            gradients: Vec::new(),
            pictures: Vec::new(),
        }))
    }

    fn resolve(&self, request: &RenderRequest) -> Result<Target, RenderError> {
        request.allow("a shape", &["--resolution"])?;
        let resolution = request.resolution.unwrap_or(2 * RESOLUTION);
        lattice(resolution)?;
        Ok(Target {
            layout: Layout::Shape(self.clone()),
            points: Points::Lattice(resolution),
        })
    }

    /// A mesh in a file is its own surface, and its distances are what a network would have learnt of it, in a box that holds this
    /// shape and the mesh.
    fn take(&self, signal: &dyn Signal) -> Result<Rendering, RenderError> {
        let shape: &Shape = downcast(signal, "a shape")?;
        let mesh = Mesh::of_corners(shape.triangles().flatten().collect());
        if mesh.faces.is_empty() {
            return Err(RenderError::Mismatch(
                "only a mesh, or the folder of a run, can be measured against a shape".into(),
            ));
        }
        let frame = self.frame.holding(&mesh.vertices);
        Ok(Rendering::Shape(ShapeRendering {
            mesh,
            layout: ShapeLayout {
                frame,
                ..shape.as_distances()
            },
            frame,
            values: distances_within(&frame, shape),
            gradients: Vec::new(),
            pictures: Vec::new(),
        }))
    }

    fn exhibit(
        &self,
        original: Option<&dyn Signal>,
        files: &[PathBuf],
        room: usize,
    ) -> Result<Exhibition, RenderError> {
        let original = original.map(|original| downcast(original, "a shape"));
        exhibit::exhibit(self, original.transpose()?, files, room)
    }

    fn lossless_extensions(&self) -> &'static [&'static str] {
        FILES.lossless_extensions
    }

    fn check_resolution(&self, resolution: u32) -> Result<(), RenderError> {
        lattice(resolution).map(|_| ())
    }

    fn size_name(&self, points: &Points) -> String {
        match points {
            Points::Lattice(resolution) => resolution.to_string(),
            _ => String::new(),
        }
    }

    fn check_format(&self, path: &Path) -> Result<(), RenderError> {
        MeshFormat::from_path(path)?;
        Ok(())
    }

    fn draw(
        &self,
        field: Field,
        drawing: &Drawing,
        engine: &mut dyn Engine,
    ) -> Result<Vec<u8>, RenderError> {
        let Drawing { scene, size } = *drawing;
        let mut function = function(field, self, engine);
        let picture = match scene {
            Scene::Slice(slice) => {
                slice_picture(&mut function, slice, [[-1.0; 3], [1.0; 3]], size)?.picture
            }
            Scene::Surface {
                colouring,
                azimuth,
                elevation,
            } => {
                let blocks = self.overview(&mut function)?;
                let outline = blocks.outline();
                if outline.is_empty() {
                    return Err(RenderError::Request(
                        "there is no surface to see: the field has one sign everywhere".into(),
                    ));
                }
                let camera = Camera::new(&outline, self.up, azimuth, elevation);
                let view = View {
                    size,
                    colouring,
                    occlusion: self.target.is_distance(),
                    through_lattice: false,
                };
                preview(&mut function, &blocks, &camera, &view)?
            }
        };
        Ok(encode_png(picture)?)
    }
}

impl Rendered for ShapeRendering {
    fn layout(&self) -> Layout {
        Layout::Shape(self.layout.clone())
    }

    fn filters(&self) -> &'static [Filter] {
        &[]
    }

    fn interpolate(
        &self,
        _reduction: Reduction,
        _filter: Filter,
    ) -> Result<Rendering, RenderError> {
        Err(RenderError::Request(
            "a shape has no grid that could be interpolated".into(),
        ))
    }

    fn remark(&self) -> Option<&'static str> {
        match (self.mesh.faces.is_empty(), self.pictures.is_empty()) {
            (false, _) => None,
            (true, true) => Some(
                "no surface: the field has one sign wherever it was looked at, so that there is no preview; more steps may find one",
            ),
            (true, false) => Some("the mesh has no faces at this --resolution; take a higher one"),
        }
    }

    fn measure(&self, original: &dyn Signal) -> Result<Metrics, RenderError> {
        let original: &Shape = downcast(original, "a shape")?;
        let mut metrics = Vec::new();
        let mut add = |name: &'static str, value: f64| metrics.push((name.into(), value));
        let target = self.layout.target;
        let truth = match original.has_true_distances() {
            true => distances_within(&self.frame, original),
            false => Vec::new(),
        };
        // Without an inside on both sides there is nothing that volumes and signs could be compared by.
        let is_signed = target.is_signed() && original.as_distances().target.is_signed();
        let cells = GRID.pow(3);
        if is_signed && !truth.is_empty() {
            let inside =
                |values: &[f32]| -> Vec<bool> { values.iter().map(|&v| v < 0.0).collect() };
            let (ours, theirs) = (inside(&self.values), inside(&truth));
            add("iou", iou(&ours[..cells], &theirs[..cells]));
            add("iou_random", iou(&ours[cells..], &theirs[cells..]));
        }
        let theirs = original.surface_samples(SURFACE);
        let ours = surface_samples(
            &without_caps(&self.mesh, &self.layout.frame),
            theirs.0.len(),
        );
        let samples = |(points, normals)| SurfaceSamples { points, normals };
        let distance = surface_distance(
            samples((ours.0.as_slice(), ours.1.as_slice())),
            samples((theirs.0.as_slice(), theirs.1.as_slice())),
            original.as_distances().diagonal(),
        );
        add("chamfer_l1", distance.chamfer_l1);
        add("chamfer_l2", distance.chamfer_l2);
        add("normal_consistency", distance.normal_consistency);
        if target.is_distance() {
            if is_signed && !truth.is_empty() {
                add("sdf_mae", sdf_mae(&self.values, &truth, BAND));
            }
            add("eikonal_share", eikonal_share(&self.gradients));
        }
        Ok(Metrics::known(metrics))
    }

    /// Of the targets at random places, whose peak is 2.
    fn psnr_db(&self, original: &dyn Signal) -> Result<f64, RenderError> {
        let original: &Shape = downcast(original, "a shape")?;
        let target = self.layout.target;
        let truth = distances_within(&self.frame, original);
        let random = self.values.iter().zip(&truth).skip(GRID.pow(3));
        let sum: f64 = random
            .map(|(&field, &distance)| target.output(field) - target.target(distance))
            .map(|error| f64::from(error).powi(2))
            .sum();
        Ok(psnr_db(sum / RANDOM as f64, 2.0))
    }

    fn encode(&self, path: &Path) -> Result<Vec<u8>, RenderError> {
        Ok(mesh_file::encode(&self.mesh, MeshFormat::from_path(path)?)?)
    }

    fn companions(&self, _original: &dyn Signal) -> Result<Vec<Companion>, RenderError> {
        Ok(self.pictures.clone())
    }
}
