//! From a network back to a signal: evaluation on any grid in bounded memory, the signal's own metrics, and exporters.
//!
//! This room and `signal` are the only ones that know kinds of signals apart.

pub mod image;
pub mod image_file;
mod request;
mod resample;

use std::any::Any;
use std::borrow::Cow;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::engine::{Engine, EngineError};
use crate::model::{Network, Parameters};
use crate::signal::{Image, Layout, Reduction, Signal, SignalError};

pub use image::Grid;
pub use image_file::{EncodeError, ImageFormat};
pub use request::{RenderRequest, Target};
pub use resample::Filter;

/// Why something cannot be rendered or measured.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The device failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The picture cannot be written in that format.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The file to compare with cannot be read.
    #[error(transparent)]
    Signal(#[from] SignalError),
    /// The part or the size makes no picture.
    #[error("{0}")]
    Grid(String),
    /// Two signals do not belong together.
    #[error("{0}")]
    Mismatch(String),
}

/// A named number with the name used in `report.json`.
pub type Metric = (Cow<'static, str>, f64);

/// How well one signal stands for another, in the metrics of its kind, the leading one first.
#[derive(Debug, Clone, PartialEq)]
pub struct Metrics(pub Vec<Metric>);

impl Metrics {
    /// The metric called `name`.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| *v)
    }
}

impl Serialize for Metrics {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de> Deserialize<'de> for Metrics {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> serde::de::Visitor<'de> for InOrder {
            type Value = Metrics;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("metrics by name")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Metrics, A::Error> {
                let mut metrics = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Option<f64>>()? {
                    // JSON has no infinity, which is the PSNR of no error at all.
                    metrics.push((name.into(), value.unwrap_or(f64::INFINITY)));
                }
                Ok(Metrics(metrics))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// A signal that was rendered from a network.
#[derive(Debug, Clone, PartialEq)]
pub enum Rendering {
    /// A picture.
    Image(Image),
}

/// A network with its weights and what it was fitted to.
#[derive(Clone, Copy)]
pub struct Field<'a> {
    /// The layers.
    pub network: &'a Network,
    /// The weights.
    pub parameters: &'a Parameters,
    /// The signal it was fitted to.
    pub layout: &'a Layout,
}

/// Renders `field` on the grid it was fitted to. `progress` is told the finished share, in [0, 1].
///
/// # Errors
/// [`RenderError::Engine`] when the device fails.
pub fn reconstruct(
    field: Field,
    engine: &mut dyn Engine,
    progress: &mut dyn FnMut(f64),
) -> Result<Rendering, RenderError> {
    let Layout::Image(layout) = field.layout;
    let grid = Grid::whole(layout, [layout.width, layout.height])?;
    Ok(Rendering::Image(image::render(
        field, &grid, engine, progress,
    )?))
}

/// Renders `field` on the grid of another signal of the same kind, to be compared with it.
///
/// # Errors
/// [`RenderError::Mismatch`] when channels differ; [`RenderError::Engine`] when the device fails.
pub fn render_like(
    field: Field,
    other: &Layout,
    engine: &mut dyn Engine,
    progress: &mut dyn FnMut(f64),
) -> Result<Rendering, RenderError> {
    let (Layout::Image(layout), Layout::Image(other)) = (field.layout, other);
    if layout.channels != other.channels {
        return Err(RenderError::Mismatch(format!(
            "the model has {} values a pixel and the reference is {}",
            layout.channels.name(),
            other.channels.name()
        )));
    }
    let grid = Grid::whole(layout, [other.width, other.height])?;
    let image = image::render(field, &grid, engine, progress)?;
    Ok(Rendering::Image(image_file::convert_bit_depth(
        &image,
        other.bit_depth,
    )?))
}

/// Renders `field` at the size, part and precision of `target`, whose layout is that of `field`.
///
/// # Errors
/// [`RenderError::Engine`] when the device fails.
pub fn render(
    field: Field,
    target: &Target,
    engine: &mut dyn Engine,
    progress: &mut dyn FnMut(f64),
) -> Result<Rendering, RenderError> {
    let field = Field {
        layout: &target.layout,
        ..field
    };
    Ok(Rendering::Image(image::render(
        field,
        &target.grid,
        engine,
        progress,
    )?))
}

/// Renders `field`, which was fitted to a signal reduced by `reduction`, at the samples of the full signal.
///
/// # Errors
/// [`RenderError::Engine`] when the device fails.
pub fn upsample(
    field: Field,
    reduction: Reduction,
    engine: &mut dyn Engine,
    progress: &mut dyn FnMut(f64),
) -> Result<Rendering, RenderError> {
    let Layout::Image(layout) = field.layout;
    let grid = Grid::full(layout, reduction)?;
    Ok(Rendering::Image(image::render(
        field, &grid, engine, progress,
    )?))
}

/// Interpolates what was reduced by `reduction` at the samples of the full signal.
///
/// # Errors
/// A kind of signal that cannot be interpolated says so.
pub fn interpolate(
    reduced: &Rendering,
    reduction: Reduction,
    filter: Filter,
) -> Result<Rendering, RenderError> {
    let Rendering::Image(image) = reduced;
    Ok(Rendering::Image(resample::resample(
        image, reduction, filter,
    )))
}

/// A decoded signal as if it had been rendered, with the precision of `reference`, to be compared with it.
///
/// # Errors
/// [`RenderError::Encode`] when its samples are inconsistent.
pub fn from_signal(signal: &dyn Signal, reference: &dyn Signal) -> Result<Rendering, RenderError> {
    let depth = picture(reference).layout.bit_depth;
    Ok(Rendering::Image(image_file::convert_bit_depth(
        picture(signal),
        depth,
    )?))
}

fn picture(signal: &dyn Signal) -> &Image {
    (signal as &dyn Any)
        .downcast_ref::<Image>()
        .expect("pictures are the only kind of signal")
}

/// Measures how well `rendering` stands for `signal`, with the metrics of its kind.
///
/// # Errors
/// [`RenderError::Mismatch`] when size or channels differ.
pub fn measure(signal: &dyn Signal, rendering: &Rendering) -> Result<Metrics, RenderError> {
    let Rendering::Image(image) = rendering;
    image::measure(picture(signal), image)
}

/// The PSNR in dB alone, which is quicker than all of [`measure`].
///
/// # Errors
/// See [`measure`].
pub fn measure_psnr_db(signal: &dyn Signal, rendering: &Rendering) -> Result<f64, RenderError> {
    let Rendering::Image(image) = rendering;
    image::psnr_db(picture(signal), image)
}

impl Rendering {
    /// The layout of what was rendered.
    pub fn layout(&self) -> Layout {
        let Self::Image(image) = self;
        Layout::Image(image.layout.clone())
    }

    /// The file name ending that keeps all of it: `png`, or `exr` for float pictures.
    pub fn lossless_extension(&self) -> &'static str {
        let Self::Image(image) = self;
        image::lossless_extension(&image.layout)
    }

    /// The bytes of a file whose format follows from the ending of `path`.
    ///
    /// # Errors
    /// [`RenderError::Encode`] when the format is unknown or cannot hold this.
    pub fn encode(&self, path: &Path) -> Result<Vec<u8>, RenderError> {
        let Self::Image(image) = self;
        Ok(image_file::encode(image, ImageFormat::from_path(path)?)?)
    }

    /// A picture of where it differs from `signal`, as PNG.
    ///
    /// # Errors
    /// [`RenderError::Encode`] when the encoder fails.
    pub fn encode_error_picture(&self, signal: &dyn Signal) -> Result<Vec<u8>, RenderError> {
        let Self::Image(image) = self;
        let error = image_file::error_image(picture(signal), image)?;
        Ok(image_file::encode(&error, ImageFormat::Png)?)
    }
}
