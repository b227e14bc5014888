//! What a kind of signal does when a network becomes a signal again, and where kinds are told apart.

use std::any::Any;
use std::path::{Path, PathBuf};

use super::exhibit::Exhibition;
use super::request::{Points, RenderRequest, Target};
use super::shape::Drawing;
use super::{Companion, Field, Filter, Metrics, RenderError, image, shape, sound};
use crate::engine::Engine;
use crate::signal::{Image, Layout, Reduction, Signal, Sound};

/// A signal that was rendered from a network.
#[derive(Debug, Clone, PartialEq)]
pub enum Rendering {
    /// A picture.
    Image(Image),
    /// A sound.
    Sound(Sound),
    /// A shape.
    Shape(shape::ShapeRendering),
}

/// The names of the files that fits to one kind of signal leave, beside those that every fit leaves.
#[derive(Debug)]
pub struct KindFiles {
    /// The endings of all files that a reconstruction may be kept in.
    pub lossless_extensions: &'static [&'static str],
    /// What [`Rendering::companions`] gives.
    pub companions: &'static [&'static str],
}

/// The files of every kind of signal.
pub static KIND_FILES: &[KindFiles] = &[image::FILES, sound::FILES, shape::FILES];

/// The layout of a signal that a network was fitted to; the layout of `field` is this one.
pub(super) trait Renderable {
    /// See [`super::reconstruct`]; `resolution` has passed [`Renderable::check_resolution`].
    fn reconstruct(
        &self,
        field: Field,
        resolution: Option<u32>,
        engine: &mut dyn Engine,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Rendering, RenderError>;

    /// See [`super::render_like`].
    fn render_like(
        &self,
        field: Field,
        other: &Layout,
        engine: &mut dyn Engine,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Rendering, RenderError>;

    /// See [`super::upsample`].
    fn upsample(
        &self,
        field: Field,
        reduction: Reduction,
        engine: &mut dyn Engine,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Rendering, RenderError>;

    /// Renders `points`, which [`Renderable::resolve`] made for this layout.
    fn render(
        &self,
        field: Field,
        points: &Points,
        engine: &mut dyn Engine,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Rendering, RenderError>;

    /// See [`RenderRequest::resolve`].
    fn resolve(&self, request: &RenderRequest) -> Result<Target, RenderError>;

    /// `signal` as if it had been rendered with the precision of this layout.
    fn take(&self, signal: &dyn Signal) -> Result<Rendering, RenderError>;

    /// The file name endings that keep all of it, the usual one first.
    fn lossless_extensions(&self) -> &'static [&'static str];

    /// Checks [`super::Reconstruction::resolution`].
    fn check_resolution(&self, _resolution: u32) -> Result<(), RenderError> {
        Err(RenderError::Request(
            "--resolution is that of a mesh; a picture or a sound is made again at its own, and inr upsample renders others".into(),
        ))
    }

    /// See [`super::exhibit`]; this layout is that of `original`, or of the first file.
    fn exhibit(
        &self,
        original: Option<&dyn Signal>,
        files: &[PathBuf],
        room: usize,
    ) -> Result<Exhibition, RenderError>;

    /// See [`Target::size_name`].
    fn size_name(&self, points: &Points) -> String;

    /// See [`Target::check_format`].
    fn check_format(&self, path: &Path) -> Result<(), RenderError>;

    /// See [`super::draw`].
    fn draw(
        &self,
        _field: Field,
        _drawing: &Drawing,
        _engine: &mut dyn Engine,
    ) -> Result<Vec<u8>, RenderError> {
        Err(RenderError::Request(
            "inr render draws shapes; inr upsample renders a picture or a sound".into(),
        ))
    }
}

/// A rendered signal.
pub(super) trait Rendered {
    /// See [`Rendering::layout`].
    fn layout(&self) -> Layout;

    /// See [`Rendering::filters`].
    fn filters(&self) -> &'static [Filter];

    /// See [`super::interpolate`].
    fn interpolate(&self, reduction: Reduction, filter: Filter) -> Result<Rendering, RenderError>;

    /// See [`Rendering::remark`].
    fn remark(&self) -> Option<&'static str> {
        None
    }

    /// See [`super::measure`].
    fn measure(&self, original: &dyn Signal) -> Result<Metrics, RenderError>;

    /// See [`super::measure_psnr_db`].
    fn psnr_db(&self, original: &dyn Signal) -> Result<f64, RenderError>;

    /// See [`Rendering::encode`].
    fn encode(&self, path: &Path) -> Result<Vec<u8>, RenderError>;

    /// See [`Rendering::companions`].
    fn companions(&self, original: &dyn Signal) -> Result<Vec<Companion>, RenderError>;
}

/// The kind of a layout.
pub(super) fn renderable(layout: &Layout) -> &dyn Renderable {
    match layout {
        Layout::Image(layout) => layout,
        Layout::Sound(layout) => layout,
        Layout::Shape(layout) => layout,
    }
}

impl Rendering {
    /// The kind of a rendering.
    pub(super) fn rendered(&self) -> &dyn Rendered {
        match self {
            Self::Image(image) => image,
            Self::Sound(sound) => sound,
            Self::Shape(shape) => shape,
        }
    }
}

/// The concrete signal behind `signal`, to be compared with a rendering of `kind`.
///
/// # Errors
/// [`RenderError::Mismatch`] when it is of another kind.
pub(super) fn downcast<'a, T: Signal>(
    signal: &'a dyn Signal,
    kind: &str,
) -> Result<&'a T, RenderError> {
    (signal as &dyn Any)
        .downcast_ref()
        .ok_or_else(|| other_kind(kind, &signal.layout()))
}

/// What is said when a signal of `kind` meets one of another kind.
pub(super) fn other_kind(kind: &str, other: &Layout) -> RenderError {
    RenderError::Mismatch(format!(
        "{} and {kind} cannot be compared; both must be of one kind",
        other.article()
    ))
}
