//! From a network back to a signal: evaluation on any grid in bounded memory, the signal's own metrics, and exporters.
//!
//! This room and `signal` are the only ones that know kinds of signals apart. A new kind is a file that implements [`Renderable`] and
//! [`Rendered`], and an arm in each `match` of `kind.rs`.

mod exhibit;
pub mod image;
pub mod image_file;
mod kind;
mod request;
mod resample;
pub mod shape;
pub mod sound;
mod srgb;

use std::borrow::Cow;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::engine::{Engine, EngineError};
use crate::model::{Network, Parameters};
use crate::signal::{Layout, Reduction, Signal, SignalError};

pub use exhibit::{
    Exhibit, Exhibition, MOST_PIXELS_A_SIDE, PackedMesh, Picture, PictureAxis, Place, Spectra,
    View3d, exhibit,
};
pub use image::Grid;
pub use image_file::{EncodeError, ImageFormat};
pub use kind::{KIND_FILES, KindFiles, Rendering};
pub use request::{Reconstruction, RenderRequest, Target};
pub use resample::Filter;
pub use shape::{Colouring, Drawing, MeshEncodeError, MeshFormat, Scene, Slice};

use kind::renderable;

/// Why something cannot be rendered or measured.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The device failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The picture cannot be written in that format.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The mesh cannot be written.
    #[error(transparent)]
    EncodeMesh(#[from] MeshEncodeError),
    /// The file to compare with cannot be read.
    #[error(transparent)]
    Signal(#[from] SignalError),
    /// What is asked for cannot be rendered.
    #[error("{0}")]
    Request(String),
    /// Two signals do not belong together.
    #[error("{0}")]
    Mismatch(String),
}

/// A named number with the name used in `report.json`.
pub type Metric = (Cow<'static, str>, f64);

/// A file that goes with a rendering: its name and its bytes.
pub type Companion = (&'static str, Vec<u8>);

/// How well one signal stands for another, in the metrics of its kind, the leading one first.
#[derive(Debug, Clone, PartialEq)]
pub struct Metrics(pub Vec<Metric>);

impl Metrics {
    /// Those of `values` that there are: without NaN, a share of nothing, and −∞, a ratio to silence, of which the tables show a dash.
    pub fn known(values: Vec<Metric>) -> Self {
        let is_known = |value: f64| !value.is_nan() && value > f64::NEG_INFINITY;
        Self(values.into_iter().filter(|(_, v)| is_known(*v)).collect())
    }

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

/// Renders `field` on the grid it was fitted to, or makes its mesh as `wanted` says. `progress` is told the finished share, in [0, 1].
///
/// # Errors
/// [`RenderError::Request`] when `wanted` is not for this kind of signal; [`RenderError::Engine`] when the device fails.
pub fn reconstruct(
    field: Field,
    wanted: &Reconstruction,
    engine: &mut dyn Engine,
    progress: &mut dyn FnMut(f64),
) -> Result<Rendering, RenderError> {
    wanted.check(field.layout)?;
    renderable(field.layout).reconstruct(field, wanted.resolution, engine, progress)
}

/// Renders `field` on the grid of another signal of the same kind, to be compared with it.
///
/// # Errors
/// [`RenderError::Mismatch`] when kinds or channels differ; [`RenderError::Engine`] when the device fails.
pub fn render_like(
    field: Field,
    other: &Layout,
    engine: &mut dyn Engine,
    progress: &mut dyn FnMut(f64),
) -> Result<Rendering, RenderError> {
    renderable(field.layout).render_like(field, other, engine, progress)
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
    renderable(&target.layout).render(field, &target.points, engine, progress)
}

/// Draws `field`: the bytes of a PNG file.
///
/// # Errors
/// [`RenderError::Request`] when there is nothing to see, or when signals of its kind are not drawn; [`RenderError::Engine`] when the
/// device fails.
pub fn draw(
    field: Field,
    drawing: &Drawing,
    engine: &mut dyn Engine,
) -> Result<Vec<u8>, RenderError> {
    renderable(field.layout).draw(field, drawing, engine)
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
    renderable(field.layout).upsample(field, reduction, engine, progress)
}

/// Interpolates what was reduced by `reduction` at the samples of the full signal, by one of [`Rendering::filters`].
///
/// # Errors
/// A kind of signal that cannot be interpolated says so.
pub fn interpolate(
    reduced: &Rendering,
    reduction: Reduction,
    filter: Filter,
) -> Result<Rendering, RenderError> {
    reduced.rendered().interpolate(reduction, filter)
}

/// A decoded signal as if it had been rendered, with the precision of `reference`, to be compared with it.
///
/// # Errors
/// [`RenderError::Mismatch`] when kinds differ, [`RenderError::Encode`] when samples are inconsistent.
pub fn from_signal(signal: &dyn Signal, reference: &dyn Signal) -> Result<Rendering, RenderError> {
    renderable(&reference.layout()).take(signal)
}

/// Measures how well `rendering` stands for `signal`, with the metrics of its kind.
///
/// # Errors
/// [`RenderError::Mismatch`] when kinds, sizes or channels differ.
pub fn measure(signal: &dyn Signal, rendering: &Rendering) -> Result<Metrics, RenderError> {
    rendering.rendered().measure(signal)
}

/// The PSNR in dB alone, which is quicker than all of [`measure`].
///
/// # Errors
/// See [`measure`].
pub fn measure_psnr_db(signal: &dyn Signal, rendering: &Rendering) -> Result<f64, RenderError> {
    rendering.rendered().psnr_db(signal)
}

impl Rendering {
    /// The layout of what was rendered.
    pub fn layout(&self) -> Layout {
        self.rendered().layout()
    }

    /// What there is to know of it before its metrics are read.
    pub fn remark(&self) -> Option<&'static str> {
        self.rendered().remark()
    }

    /// The file name ending that keeps all of it: `png`, or `exr` for float pictures.
    pub fn lossless_extension(&self) -> &'static str {
        renderable(&self.layout()).lossless_extensions()[0]
    }

    /// The bytes of a file whose format follows from the ending of `path`.
    ///
    /// # Errors
    /// [`RenderError::Encode`] when the format is unknown or cannot hold this.
    pub fn encode(&self, path: &Path) -> Result<Vec<u8>, RenderError> {
        self.rendered().encode(path)
    }

    /// The filters that interpolate this kind of signal.
    pub fn filters(&self) -> &'static [Filter] {
        self.rendered().filters()
    }

    /// Pictures and the like that show how it stands for `signal`: file names, which are among [`KindFiles::companions`], and bytes.
    ///
    /// # Errors
    /// [`RenderError::Mismatch`] when kinds or shapes differ, [`RenderError::Encode`] when the encoder fails.
    pub fn companions(&self, signal: &dyn Signal) -> Result<Vec<Companion>, RenderError> {
        self.rendered().companions(signal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_without_a_value_are_left_out_and_infinity_is_kept() {
        let metric = |name: &'static str, value: f64| (name.into(), value);
        let metrics = Metrics::known(vec![
            metric("snr_db", f64::NEG_INFINITY),
            metric("psnr_db", f64::INFINITY),
            metric("eikonal_share", f64::NAN),
            metric("lsd", 0.5),
        ]);
        let text = serde_json::to_string(&metrics).unwrap();
        assert_eq!(text, r#"{"psnr_db":null,"lsd":0.5}"#);
        assert_eq!(serde_json::from_str::<Metrics>(&text).unwrap(), metrics);
    }
}
