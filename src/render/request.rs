//! What `inr upsample` asks for, and what follows from it.

use std::path::Path;

use super::image::Grid;
use super::{ImageFormat, RenderError};
use crate::signal::{BitDepth, ImageLayout, Layout};

/// The size, part and precision asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct RenderRequest {
    /// Factors on width and height, when `size` is not given.
    pub scale: [f64; 2],
    /// Width and height in pixels.
    pub size: Option<[u32; 2]>,
    /// Left, top, width and height in pixels of the original.
    pub crop: Option<[f64; 4]>,
    /// Bits a channel.
    pub bit_depth: Option<u8>,
}

/// What will be rendered.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The layout of the result.
    pub layout: Layout,
    pub(super) grid: Grid,
}

impl RenderRequest {
    /// Checks the request for a model that was fitted to a signal of `layout`.
    ///
    /// # Errors
    /// [`RenderError::Grid`] with the flag that is at fault.
    pub fn resolve(&self, layout: &Layout) -> Result<Target, RenderError> {
        let Layout::Image(original) = layout;
        let whole = [
            0.0,
            0.0,
            f64::from(original.width),
            f64::from(original.height),
        ];
        let part = self.crop.unwrap_or(whole);
        // Rounded, so that a scale that is a ratio of sizes gives just that size; a float-to-integer cast saturates.
        let scaled = |axis: usize| ((part[axis + 2] * self.scale[axis]).round() as u32).max(1);
        let size = self.size.unwrap_or_else(|| [scaled(0), scaled(1)]);
        let grid = Grid::part(original, part, size)?;
        let sized = ImageLayout {
            width: size[0],
            height: size[1],
            ..original.clone()
        };
        Ok(Target {
            layout: Layout::Image(with_bit_depth(sized, self.bit_depth)?),
            grid,
        })
    }
}

fn with_bit_depth(layout: ImageLayout, bits: Option<u8>) -> Result<ImageLayout, RenderError> {
    let bit_depth = match bits {
        None => return Ok(layout),
        Some(_) if layout.bit_depth == BitDepth::F32 => {
            return Err(RenderError::Grid(
                "--bit-depth: the model was fitted to a float picture, whose range 8 or 16 bit cannot hold; leave it out and write exr, tiff or hdr".into(),
            ));
        }
        Some(8) => BitDepth::U8,
        Some(16) => BitDepth::U16,
        Some(other) => {
            return Err(RenderError::Grid(format!(
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
        let Layout::Image(layout) = &self.layout;
        super::image::lossless_extension(layout)
    }

    /// The size as part of a file name: `3072x2048`.
    pub fn size_name(&self) -> String {
        let Layout::Image(layout) = &self.layout;
        format!("{}x{}", layout.width, layout.height)
    }

    /// Checks, before any work, that the format named by the ending of `path` can hold the result.
    ///
    /// # Errors
    /// [`RenderError::Encode`] with the formats that can.
    pub fn check_format(&self, path: &Path) -> Result<(), RenderError> {
        let Layout::Image(layout) = &self.layout;
        ImageFormat::from_path(path)?.check(layout)?;
        Ok(())
    }
}
