//! Why a file could not become a signal.

use std::path::PathBuf;

/// Why a file could not be loaded; each text is one sentence that begins with the file.
#[derive(Debug, thiserror::Error)]
pub enum SignalError {
    /// There is nothing at the path.
    #[error("{path} does not exist")]
    Missing { path: PathBuf },
    /// The path is a folder.
    #[error("{path} is a folder; give one file")]
    Folder { path: PathBuf },
    /// The path is a device, a pipe or a socket.
    #[error("{path} is not a regular file")]
    NotAFile { path: PathBuf },
    /// The operating system refused.
    #[error("{path} cannot be read: {source}")]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    /// The file has no bytes.
    #[error("{path} is empty (0 bytes)")]
    Empty { path: PathBuf },
    /// The content is of no kind that is read, whatever the extension says.
    #[error(
        "{path} is neither a picture nor a sound nor a shape: its content is none of PNG, JPEG, TIFF, WebP, BMP, PNM, QOI, Radiance HDR, OpenEXR, WAV, PLY, OFF, GLB and NPY, and its name does not end in .obj, .stl or .xyz"
    )]
    Unknown { path: PathBuf },
    /// A picture in a format without a decoder.
    #[error(
        "{path} is a {format} picture, which cannot be read; convert it to PNG, JPEG, TIFF, WebP, BMP, PNM, QOI, Radiance HDR or OpenEXR"
    )]
    UnsupportedFormat { path: PathBuf, format: String },
    /// A known format with samples or features that its decoder does not handle.
    #[error(
        "{path} is a {format} picture of a sort that cannot be read ({reason}); save it as 8- or 16-bit grey or RGB PNG, or as float RGB OpenEXR"
    )]
    UnsupportedContent {
        path: PathBuf,
        format: &'static str,
        reason: String,
    },
    /// The file ends before the signal does.
    #[error("{path} is cut off: the file ends before its {format} {kind} does")]
    Truncated {
        path: PathBuf,
        format: &'static str,
        kind: &'static str,
    },
    /// A sound of a sort that is not read.
    #[error(
        "{path} is a {format} file of a sort that cannot be read ({reason}); save it as WAV, 8-, 16-, 24- or 32-bit PCM or 32-bit float, with 1 to 8 channels"
    )]
    UnsupportedSound {
        path: PathBuf,
        format: &'static str,
        reason: String,
    },
    /// A sound for which this build has no decoder.
    #[error(
        "{path} is a sound in the format {format}, which this build of inr does not decode; convert it to WAV, or build inr with --features audio-formats"
    )]
    EncodedSound { path: PathBuf, format: &'static str },
    /// A shape by formula that cannot be read.
    #[error("sdf:{formula} is no shape that can be fitted: {reason}")]
    Formula { formula: String, reason: String },
    /// Distances that a shape does not have.
    #[error("training.target: {0}")]
    Target(String),
    /// A kind that has no grid.
    #[error("{0} has no grid that could be reduced; pictures and sounds have")]
    Unreducible(&'static str),
    /// The header says that there are no samples.
    #[error("{path} has no samples: it lasts 0 seconds")]
    NoSamples { path: PathBuf },
    /// The mesh of a field without a surface.
    #[error("{path} holds no surface: it has neither vertices nor faces")]
    NoSurface { path: PathBuf },
    /// A float sample of a sound is NaN or infinite.
    #[error(
        "{path} holds {value} at frame {frame}, channel {channel} (counted from 0); every sample must be a finite number"
    )]
    NonFiniteSound {
        path: PathBuf,
        frame: usize,
        channel: usize,
        value: f32,
    },
    /// The header says that there are no pixels.
    #[error("{path} has no pixels: its size is {width} x {height}")]
    ZeroSize {
        path: PathBuf,
        width: u32,
        height: u32,
    },
    /// The header says more pixels or bytes than are decoded.
    #[error("{path} is too large: its header says {size}, and at most {limit} are read")]
    TooLarge {
        path: PathBuf,
        size: String,
        limit: String,
    },
    /// A float sample is NaN or infinite.
    #[error(
        "{path} holds {value} at column {x}, row {y}, channel {channel} (counted from 0); every sample must be a finite number"
    )]
    NonFinite {
        path: PathBuf,
        x: usize,
        y: usize,
        channel: usize,
        value: f32,
    },
    /// The decoder found a fault.
    #[error("{path} is not a valid {format} file: {reason}")]
    Damaged {
        path: PathBuf,
        format: &'static str,
        reason: String,
    },
    /// A reduction that reduces nothing.
    #[error("a factor of {factor} leaves nothing out; it must be a whole number of at least 2")]
    Factor { factor: u32 },
    /// An axis has fewer samples than a reduction makes one of.
    #[error(
        "a signal of {size} samples cannot be reduced by {factor}; the factor can be at most its shorter side"
    )]
    TooSmall { size: String, factor: usize },
    /// Samples and layout of a picture made in memory do not belong together.
    #[error("a {layout} picture needs {expected}, not {given}")]
    Mismatch {
        layout: String,
        expected: String,
        given: String,
    },
}
