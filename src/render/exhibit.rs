//! What a page shows of a signal and of what networks and filters made of it: pictures, sounds and meshes, small enough to be part of the page.

use std::path::PathBuf;

use super::kind::renderable;
use super::{RenderError, image_file};
use crate::signal::{self, Image, ReducedBy, Reduction, Signal};

/// The longest side of a picture on a page, in pixels.
pub const MOST_PIXELS_A_SIDE: u32 = 1500;

/// Something to look at or to listen to; what a kind of signal does not have is `None`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Exhibit {
    /// The picture, the spectrogram of a sound, the preview of a shape.
    pub picture: Option<Picture>,
    /// Where it differs from the original, in the size of `picture`.
    pub error: Option<Picture>,
    /// The pictures of [`Exhibition::places`], in their own pixels.
    pub crops: Vec<Picture>,
    /// The bytes of a WAV file.
    pub sound: Option<Vec<u8>>,
    /// The surface.
    pub mesh: Option<PackedMesh>,
}

/// A PNG file.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// The bytes of the file.
    pub png: Vec<u8>,
    /// Pixels along x.
    pub width: u32,
    /// Pixels along y.
    pub height: u32,
}

/// A mesh of few bytes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PackedMesh {
    /// Positions `[n, 3]`: 0 to 65535 along the sides of [`View3d::bounds`].
    pub positions: Vec<[u16; 3]>,
    /// Three indices of positions a face.
    pub faces: Vec<[u16; 3]>,
}

/// From where meshes are seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View3d {
    /// The smallest and the largest corner of the box around all of them.
    pub bounds: [[f32; 3]; 2],
    /// The axis that points up: 1 or 2.
    pub up: usize,
}

/// Everything shown of one signal.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Exhibition {
    /// The original, unless it is lost.
    pub original: Option<Exhibit>,
    /// What was made of it, in the order asked for.
    pub made: Vec<Exhibit>,
    /// What the pictures are: `Pictures`, `Spectrograms`, `Previews`.
    pub pictures: &'static str,
    /// Width and height at which they are shown, where those are not the pixels.
    pub stretched: Option<[u32; 2]>,
    /// What lies along the width and the height of the pictures, where those are not places.
    pub axes: Option<[PictureAxis; 2]>,
    /// What the colours of [`Exhibit::error`] mean.
    pub errors: &'static str,
    /// Where what was made differs most, the greatest difference first.
    pub places: Vec<Place>,
    /// How the power of the errors is spread over frequencies.
    pub spectra: Option<Spectra>,
    /// From where the meshes are seen.
    pub view: Option<View3d>,
    /// What was made smaller or left out, a sentence each.
    pub notes: Vec<String>,
}

/// What lies along a side of a picture, evenly: from its left to its right, or from its lower to its upper end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PictureAxis {
    /// The unit, such as `s`.
    pub unit: &'static str,
    /// The values at the two ends.
    pub ends: [f64; 2],
}

/// A square part of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its first column and row, in pixels of the original.
    pub corner: [usize; 2],
    /// Pixels along its sides.
    pub side: usize,
    /// Width and height of the picture that it is a part of.
    pub of: [usize; 2],
}

/// Power spectra in dB, of which 0 dB is the square of the range of the signal.
#[derive(Debug, Clone, PartialEq)]
pub struct Spectra {
    /// What the frequencies are, with their unit.
    pub axis: &'static str,
    /// `[n]`.
    pub frequencies: Vec<f64>,
    /// Of the original, `[n]`.
    pub original: Vec<f64>,
    /// Of the errors of everything that was made, `[n]` each; empty where there is none.
    pub errors: Vec<Vec<f64>>,
}

/// A power in dB, no lower than what 32 bits of float can tell apart.
pub(super) fn decibels(power: f64) -> f64 {
    10.0 * power.max(1e-15).log10()
}

/// Shows `original` and what `files` hold, each in about `room` bytes. `files` are renderings of the kind of `original`, or of one kind among
/// themselves.
///
/// # Errors
/// [`RenderError::Signal`] when a file cannot be read; [`RenderError::Mismatch`] when kinds differ.
pub fn exhibit(
    original: Option<&dyn Signal>,
    files: &[PathBuf],
    room: usize,
) -> Result<Exhibition, RenderError> {
    let layout = match (original, files.first()) {
        (Some(original), _) => original.layout(),
        (None, Some(file)) => signal::probe(file)?,
        (None, None) => return Ok(Exhibition::default()),
    };
    renderable(&layout).exhibit(original, files, room)
}

impl Picture {
    /// An 8-bit picture as a file.
    ///
    /// # Errors
    /// Those of the encoder.
    pub(super) fn new(image: &Image) -> Result<Self, RenderError> {
        Ok(Self {
            png: image_file::encode(image, image_file::ImageFormat::Png)?,
            width: image.layout.width,
            height: image.layout.height,
        })
    }
}

/// The means of blocks of `factor` × `factor` pixels.
///
/// # Errors
/// [`RenderError::Signal`] when the picture is smaller than a block.
pub(super) fn reduced(image: Image, factor: u32) -> Result<Image, RenderError> {
    if factor < 2 {
        return Ok(image);
    }
    let reduction = Reduction::new(factor, ReducedBy::Area)?;
    let held_out = Box::new(image).hold_out(reduction)?;
    let reduced: &Image = super::kind::downcast(held_out.reduced.as_ref(), "a picture")?;
    Ok(reduced.clone())
}
