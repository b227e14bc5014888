//! Picture files: PNG, JPEG, TIFF, WebP, BMP, PNM, QOI, Radiance HDR and OpenEXR, read without changing their sample type.

use std::error::Error;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use image::error::UnsupportedErrorKind;
use image::metadata::Orientation;
use image::{
    ColorType, DynamicImage, ExtendedColorType, ImageDecoder, ImageError, ImageFormat, ImageReader,
    Limits,
};

use super::super::SignalError;
use super::super::source::{Source, catch_panic};
use super::{BitDepth, Channels, Image, ImageLayout, Samples};

/// The most pixels that are decoded, 2^29 or 537 megapixels; also keeps sample indices within 32 bits.
const MOST_PIXELS: u64 = 1 << 29;
/// The most bytes of decoded samples: 200 megapixels of float RGBA fit.
const MOST_BYTES: u64 = 4 << 30;

/// Whether the file looks like a picture: by its content, or by this extension if the content has no known signature.
pub(super) fn recognises(source: &Source, extension: &str) -> bool {
    format(source, extension).is_some()
}

/// Reads the layout from the header.
pub(super) fn probe(source: Source) -> Result<ImageLayout, SignalError> {
    shielded(source, |source, format| Ok(open(source, format)?.layout))
}

/// Decodes the picture.
pub(super) fn decode(source: Source) -> Result<Image, SignalError> {
    shielded(source, |source, format| {
        let path = source.path.clone();
        if format == ImageFormat::Jpeg && signature(&source.head).is_some() {
            require_jpeg_end(&path)?;
        }
        let opened = open(source, format)?;
        let mut picture = DynamicImage::from_decoder(opened.decoder)
            .map_err(|error| explain(&path, format, error, &opened.end))?;
        picture.apply_orientation(opened.orientation);
        let mut layout = opened.layout;
        let samples = match picture {
            DynamicImage::ImageLuma8(p) => Samples::U8(p.into_raw()),
            DynamicImage::ImageLumaA8(p) => Samples::U8(p.into_raw()),
            DynamicImage::ImageRgb8(p) => Samples::U8(p.into_raw()),
            DynamicImage::ImageRgba8(p) => Samples::U8(p.into_raw()),
            DynamicImage::ImageLuma16(p) => Samples::U16(p.into_raw()),
            DynamicImage::ImageLumaA16(p) => Samples::U16(p.into_raw()),
            DynamicImage::ImageRgb16(p) => Samples::U16(p.into_raw()),
            DynamicImage::ImageRgba16(p) => Samples::U16(p.into_raw()),
            DynamicImage::ImageRgb32F(p) => Samples::F32(p.into_raw()),
            DynamicImage::ImageRgba32F(p) => Samples::F32(p.into_raw()),
            other => return Err(unsupported_colour(&path, format, other.color())),
        };
        if let Samples::F32(values) = &samples {
            check_finite(values, &layout, &path)?;
        }
        layout.range = samples.range();
        Image::new(layout, samples)
    })
}

/// Runs a decoder so that a panic inside it becomes an error.
fn shielded<T>(
    source: Source,
    work: impl FnOnce(Source, ImageFormat) -> Result<T, SignalError>,
) -> Result<T, SignalError> {
    let path = source.path.clone();
    let Some(format) = format(&source, &source.extension()) else {
        return Err(SignalError::Unknown { path });
    };
    catch_panic(|| work(source, format)).unwrap_or_else(|| {
        Err(SignalError::Damaged {
            path,
            format: name(format),
            reason: "its decoder stopped at content that it did not expect".into(),
        })
    })
}

fn format(source: &Source, extension: &str) -> Option<ImageFormat> {
    signature(&source.head).or_else(|| ImageFormat::from_extension(extension))
}

fn signature(head: &[u8]) -> Option<ImageFormat> {
    image::guess_format(head).ok()
}

struct Opened {
    decoder: Box<dyn ImageDecoder>,
    layout: ImageLayout,
    orientation: Orientation,
    /// Whether the decoder has asked for more than the file has.
    end: Arc<AtomicBool>,
}

/// Reads the header and checks it before memory is set aside for the pixels.
fn open(source: Source, format: ImageFormat) -> Result<Opened, SignalError> {
    let path = source.path;
    let by_extension = signature(&source.head).is_none();
    if !format.reading_enabled() {
        return Err(match by_extension {
            true => SignalError::Unknown { path },
            false => SignalError::UnsupportedFormat {
                path,
                format: name(format).into(),
            },
        });
    }
    let mut limits = Limits::no_limits();
    // Decoders hold the output and at most a copy or two of it.
    limits.max_alloc = Some(3 * MOST_BYTES);
    let end = source.reader.end();
    let mut reader = ImageReader::with_format(source.reader, format);
    reader.limits(limits);
    let mut decoder = match reader.into_decoder() {
        Ok(decoder) => decoder,
        // Then it was the extension that lied.
        Err(_) if by_extension => return Err(SignalError::Unknown { path }),
        Err(error) => return Err(explain(&path, format, error, &end)),
    };
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(SignalError::ZeroSize {
            path,
            width,
            height,
        });
    }
    let pixels = u64::from(width) * u64::from(height);
    if pixels > MOST_PIXELS || decoder.total_bytes() > MOST_BYTES {
        return Err(SignalError::TooLarge {
            path,
            size: format!("{width} x {height}"),
            limit: limit(),
        });
    }
    let colour = decoder.color_type();
    let Some((channels, bit_depth)) = meaning(colour) else {
        return Err(unsupported_colour(&path, format, colour));
    };
    // An orientation that cannot be read is no reason to refuse the picture.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let (width, height) = match orientation {
        Orientation::Rotate90
        | Orientation::Rotate270
        | Orientation::Rotate90FlipH
        | Orientation::Rotate270FlipH => (height, width),
        _ => (width, height),
    };
    Ok(Opened {
        decoder: Box::new(decoder),
        layout: ImageLayout::new(width, height, channels, bit_depth),
        orientation,
        end,
    })
}

fn meaning(colour: ColorType) -> Option<(Channels, BitDepth)> {
    Some(match colour {
        ColorType::L8 => (Channels::Grey, BitDepth::U8),
        ColorType::La8 => (Channels::GreyAlpha, BitDepth::U8),
        ColorType::Rgb8 => (Channels::Rgb, BitDepth::U8),
        ColorType::Rgba8 => (Channels::Rgba, BitDepth::U8),
        ColorType::L16 => (Channels::Grey, BitDepth::U16),
        ColorType::La16 => (Channels::GreyAlpha, BitDepth::U16),
        ColorType::Rgb16 => (Channels::Rgb, BitDepth::U16),
        ColorType::Rgba16 => (Channels::Rgba, BitDepth::U16),
        ColorType::Rgb32F => (Channels::Rgb, BitDepth::F32),
        ColorType::Rgba32F => (Channels::Rgba, BitDepth::F32),
        _ => return None,
    })
}

/// Whether every sample is a finite number.
fn check_finite(values: &[f32], layout: &ImageLayout, path: &Path) -> Result<(), SignalError> {
    let Some(i) = values.iter().position(|value| !value.is_finite()) else {
        return Ok(());
    };
    let (channels, width) = (layout.channels.count(), layout.width as usize);
    Err(SignalError::NonFinite {
        path: path.into(),
        x: i / channels % width,
        y: i / channels / width,
        channel: i % channels,
        value: values[i],
    })
}

/// The JPEG decoder fills the missing part of a cut-off file with grey and reports success, so the end marker is looked for here.
///
/// Segments are walked by their lengths up to the entropy-coded data, where FF is followed by 0 (a stuffed FF) or a restart
/// marker D0–D7 (ITU-T T.81, B.1.1); the end marker is FF D9.
fn require_jpeg_end(path: &Path) -> Result<(), SignalError> {
    let bytes = std::fs::read(path).map_err(|source| SignalError::Unreadable {
        path: path.into(),
        source,
    })?;
    if jpeg_ends(&bytes) {
        Ok(())
    } else {
        Err(SignalError::Truncated {
            path: path.into(),
            format: name(ImageFormat::Jpeg),
            kind: "picture",
        })
    }
}

fn jpeg_ends(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(found) = bytes
        .get(at..)
        .and_then(|rest| rest.iter().position(|&byte| byte == 0xFF))
    {
        at += found + 1;
        match bytes.get(at) {
            Some(0xD9) => return true,
            // Stuffing, TEM, restart markers and a second start stand alone; a further FF is fill.
            Some(0x00 | 0x01 | 0xD0..=0xD8) => at += 1,
            Some(0xFF) => {}
            Some(_) => match bytes.get(at + 1..at + 3) {
                Some(length) => {
                    at += 1 + usize::from(u16::from_be_bytes([length[0], length[1]]));
                }
                None => return false,
            },
            None => return false,
        }
    }
    false
}

/// Turns what a decoder says into a sentence about the file.
fn explain(path: &Path, format: ImageFormat, error: ImageError, end: &AtomicBool) -> SignalError {
    let path = path.to_path_buf();
    // The JPEG decoder reads to the end whatever comes; there the end marker decides, before decoding.
    let ended = format != ImageFormat::Jpeg && end.load(Ordering::Relaxed);
    let format = name(format);
    match error {
        ImageError::IoError(source) if source.raw_os_error().is_some() => {
            SignalError::Unreadable { path, source }
        }
        ImageError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            SignalError::Truncated {
                path,
                format,
                kind: "picture",
            }
        }
        _ if ended => SignalError::Truncated {
            path,
            format,
            kind: "picture",
        },
        ImageError::Unsupported(error) => SignalError::UnsupportedContent {
            path,
            format,
            reason: match error.kind() {
                UnsupportedErrorKind::Color(ExtendedColorType::Unknown(bits)) => {
                    format!("{bits} bits a pixel of a colour type without a decoder")
                }
                UnsupportedErrorKind::Color(colour) => format!("colour type {colour:?}"),
                UnsupportedErrorKind::GenericFeature(feature) => clause(&feature),
                _ => clause(&error.to_string()),
            },
        },
        ImageError::Limits(_) => SignalError::TooLarge {
            path,
            size: "a size beyond every limit".into(),
            limit: limit(),
        },
        error => SignalError::Damaged {
            path,
            format,
            reason: match error.source() {
                Some(cause) => clause(&cause.to_string()),
                None => clause(&error.to_string()),
            },
        },
    }
}

/// A decoder's words as the end of a sentence: one short line without quotes, full stop or the file's own control characters.
fn clause(text: &str) -> String {
    const LONGEST: usize = 120;
    let line = text.lines().next().unwrap_or_default();
    let line: String = line
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .take(LONGEST)
        .collect();
    line.trim_matches(['"', '.', ' ']).to_string()
}

fn unsupported_colour(path: &Path, format: ImageFormat, colour: ColorType) -> SignalError {
    SignalError::UnsupportedContent {
        path: path.into(),
        format: name(format),
        reason: format!("colour type {colour:?}"),
    }
}

fn limit() -> String {
    format!(
        "{} megapixels and 4 GiB of samples",
        MOST_PIXELS / 1_000_000
    )
}

fn name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Png => "PNG",
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::Gif => "GIF",
        ImageFormat::WebP => "WebP",
        ImageFormat::Pnm => "PNM",
        ImageFormat::Tiff => "TIFF",
        ImageFormat::Tga => "TGA",
        ImageFormat::Dds => "DDS",
        ImageFormat::Bmp => "BMP",
        ImageFormat::Ico => "ICO",
        ImageFormat::Hdr => "Radiance HDR",
        ImageFormat::OpenExr => "OpenEXR",
        ImageFormat::Farbfeld => "farbfeld",
        ImageFormat::Avif => "AVIF",
        ImageFormat::Qoi => "QOI",
        _ => "picture",
    }
}
