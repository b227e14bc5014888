//! What `inr upsample` asks for, and what follows from it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::RenderError;
use super::image::Grid;
use super::kind::{Rendering, renderable};
use crate::signal::{BitDepth, ImageLayout, Layout};

/// What is asked for; a field that does not fit the kind of the signal is refused.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RenderRequest {
    /// Factors on width and height of a picture, or the same factor twice on the rate of a sound; 4 when neither this nor a size or a rate is
    /// given.
    pub scale: Option<[f64; 2]>,
    /// Width and height in pixels.
    pub size: Option<[u32; 2]>,
    /// Left, top, width and height in pixels of the original.
    pub crop: Option<[f64; 4]>,
    /// Bits a channel of a picture.
    pub bit_depth: Option<u8>,
    /// Samples a second of a sound.
    pub rate: Option<u32>,
    /// Points along the longest side of the box around a shape; 512 when not given.
    pub resolution: Option<u32>,
}

/// How the signal that a network was fitted to is made again; what is not said follows from the signal.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reconstruction {
    /// Points along the longest side of the box around a shape; 256 when not given. Distances between surfaces are measured on that mesh.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<u32>,
    /// The ending of its file, one that keeps all of it; the usual one when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ending: Option<String>,
}

impl Reconstruction {
    /// Checks, before any work, that a signal of `layout` can be made again like that.
    ///
    /// # Errors
    /// [`RenderError::Request`] with the flag that is at fault, and what would work.
    pub fn check(&self, layout: &Layout) -> Result<(), RenderError> {
        if let Some(resolution) = self.resolution {
            renderable(layout).check_resolution(resolution)?;
        }
        let endings = renderable(layout).lossless_extensions();
        match &self.ending {
            Some(ending) if !endings.contains(&ending.as_str()) => {
                Err(RenderError::Request(format!(
                    "--reconstruction {ending}: {} can be kept as {}",
                    layout.article(),
                    endings.join(", ")
                )))
            }
            _ => Ok(()),
        }
    }

    /// The ending of the file that `rendering` goes into.
    pub fn ending<'a>(&'a self, rendering: &Rendering) -> &'a str {
        self.ending
            .as_deref()
            .unwrap_or_else(|| rendering.lossless_extension())
    }
}

/// Where a network is evaluated.
#[derive(Debug, Clone, PartialEq)]
pub enum Points {
    /// The pixels of a picture.
    Pixels(Grid),
    /// So many instants, evenly over a sound.
    Frames(u64),
    /// A cube of so many points a side.
    Lattice(u32),
}

/// What will be rendered.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The layout of the result.
    pub layout: Layout,
    pub(super) points: Points,
}

impl RenderRequest {
    /// The factors, when nothing says otherwise.
    pub(super) const DEFAULT_SCALE: [f64; 2] = [4.0, 4.0];

    /// Checks the request for a model that was fitted to a signal of `layout`.
    ///
    /// # Errors
    /// [`RenderError::Request`] with the flag that is at fault.
    pub fn resolve(&self, layout: &Layout) -> Result<Target, RenderError> {
        renderable(layout).resolve(self)
    }

    /// Refuses every flag that is given and not among `flags`, those of `kind`.
    pub(super) fn allow(&self, kind: &str, flags: &[&str]) -> Result<(), RenderError> {
        let given = [
            ("--scale", self.scale.is_some()),
            ("--size", self.size.is_some()),
            ("--crop", self.crop.is_some()),
            ("--bit-depth", self.bit_depth.is_some()),
            ("--rate", self.rate.is_some()),
            ("--resolution", self.resolution.is_some()),
        ];
        match given
            .iter()
            .find(|(flag, given)| *given && !flags.contains(flag))
        {
            None => Ok(()),
            Some((flag, _)) => Err(RenderError::Request(format!(
                "{flag} is not for {kind}, which has {}",
                flags.join(", ")
            ))),
        }
    }

    /// See [`Self::resolve`].
    pub(super) fn resolve_picture(&self, original: &ImageLayout) -> Result<Target, RenderError> {
        self.allow("a picture", &["--scale", "--size", "--crop", "--bit-depth"])?;
        let whole = [
            0.0,
            0.0,
            f64::from(original.width),
            f64::from(original.height),
        ];
        let part = self.crop.unwrap_or(whole);
        let scale = self.scale.unwrap_or(Self::DEFAULT_SCALE);
        // Rounded, so that a scale that is a ratio of sizes gives just that size; a float-to-integer cast saturates.
        let scaled = |axis: usize| ((part[axis + 2] * scale[axis]).round() as u32).max(1);
        let size = self.size.unwrap_or_else(|| [scaled(0), scaled(1)]);
        let grid = Grid::part(original, part, size)?;
        let sized = ImageLayout {
            width: size[0],
            height: size[1],
            ..original.clone()
        };
        Ok(Target {
            layout: Layout::Image(with_bit_depth(sized, self.bit_depth)?),
            points: Points::Pixels(grid),
        })
    }
}

fn with_bit_depth(layout: ImageLayout, bits: Option<u8>) -> Result<ImageLayout, RenderError> {
    let bit_depth = match bits {
        None => return Ok(layout),
        Some(_) if layout.bit_depth == BitDepth::F32 => {
            return Err(RenderError::Request(
                "--bit-depth: the model was fitted to a float picture, whose range 8 or 16 bit cannot hold; leave it out and write exr, tiff or hdr".into(),
            ));
        }
        Some(8) => BitDepth::U8,
        Some(16) => BitDepth::U16,
        Some(other) => {
            return Err(RenderError::Request(format!(
                "--bit-depth is {other}; use 8 or 16"
            )));
        }
    };
    Ok(ImageLayout {
        range: bit_depth.range(),
        bit_depth,
        ..layout
    })
}

impl Target {
    /// The file name ending that keeps all of it.
    pub fn lossless_extension(&self) -> &'static str {
        renderable(&self.layout).lossless_extensions()[0]
    }

    /// The size as part of a file name: `3072x2048`, `96000hz`, or the resolution of a mesh.
    pub fn size_name(&self) -> String {
        renderable(&self.layout).size_name(&self.points)
    }

    /// Checks, before any work, that the format named by the ending of `path` can hold the result.
    ///
    /// # Errors
    /// [`RenderError::Encode`] with the formats that can.
    pub fn check_format(&self, path: &Path) -> Result<(), RenderError> {
        renderable(&self.layout).check_format(path)
    }
}
