//! Pictures as file bytes.

mod derived;

use std::borrow::Cow;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use image::codecs::bmp::BmpEncoder;
use image::codecs::hdr::HdrEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::openexr::OpenExrEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::codecs::qoi::QoiEncoder;
use image::codecs::tiff::TiffEncoder;
use image::codecs::webp::WebPEncoder;
use image::{EncodableLayout, ExtendedColorType, ImageEncoder};

pub use derived::{convert_bit_depth, error_image};

use crate::signal::{BitDepth, Channels, Image, ImageLayout, Samples, SignalError};

/// On photographs within 5 % of the size of the encoder's default level, in a quarter of the time (10 megapixels a second).
const PNG_LEVEL: CompressionType = CompressionType::Level(3);
/// Of 100; above it files grow fast and gain little.
const JPEG_QUALITY: u8 = 95;

/// Why a picture could not be written.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The file name does not say a format.
    #[error(
        "{path} does not name a picture format; end it in one of {}",
        extensions()
    )]
    UnknownExtension { path: PathBuf },
    /// The format has no place for such samples.
    #[error("{format} cannot hold a picture of {channels}, {depth}; {instead} can")]
    CannotHold {
        format: &'static str,
        channels: &'static str,
        depth: &'static str,
        instead: String,
    },
    /// The format has no place for so many pixels.
    #[error(
        "{format} holds at most {limit} pixels a side, and the picture has {width} x {height}; PNG and TIFF hold more"
    )]
    TooLarge {
        format: &'static str,
        limit: u32,
        width: u32,
        height: u32,
    },
    /// The encoder found a fault.
    #[error("the picture could not be written as {format}: {reason}")]
    Encoder {
        format: &'static str,
        reason: String,
    },
    /// Samples and layout do not belong together.
    #[error(transparent)]
    Inconsistent(#[from] SignalError),
    /// Two pictures cannot be compared.
    #[error("the pictures differ in shape: one has {one}, the other {other}")]
    Shapes { one: String, other: String },
}

/// The formats that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageFormat {
    /// Grey or RGB with or without alpha, 8 or 16 bit, lossless.
    Png,
    /// As PNG, and RGB or RGBA float; uncompressed.
    Tiff,
    /// RGB or RGBA float, lossless (OpenEXR).
    Exr,
    /// RGB float with a shared exponent (Radiance): about 1 % of the largest channel; negative values become 0.
    Hdr,
    /// Grey or RGB, 8 bit, with loss.
    Jpeg,
    /// RGB or RGBA, 8 bit; written without loss.
    WebP,
    /// RGB or RGBA, 8 bit, uncompressed.
    Bmp,
    /// RGB or RGBA, 8 bit, lossless and fast.
    Qoi,
    /// Grey or RGB with or without alpha, 8 or 16 bit, uncompressed: PGM, PPM or, with alpha, PAM by the channels.
    Pnm,
}

impl ImageFormat {
    /// Every format, the most useful first.
    pub const ALL: [ImageFormat; 9] = [
        ImageFormat::Png,
        ImageFormat::Tiff,
        ImageFormat::Exr,
        ImageFormat::Hdr,
        ImageFormat::Jpeg,
        ImageFormat::WebP,
        ImageFormat::Bmp,
        ImageFormat::Qoi,
        ImageFormat::Pnm,
    ];

    /// The format that the extension names, in upper or lower case.
    ///
    /// # Errors
    /// [`EncodeError::UnknownExtension`], which lists the extensions that work.
    pub fn from_path(path: &Path) -> Result<ImageFormat, EncodeError> {
        let extension = path.extension().and_then(|extension| extension.to_str());
        let extension = extension.unwrap_or_default().to_ascii_lowercase();
        ImageFormat::ALL
            .into_iter()
            .find(|format| format.extensions().contains(&extension.as_str()))
            .ok_or_else(|| EncodeError::UnknownExtension { path: path.into() })
    }

    /// Which channels a file of this format stores for a picture of `layout`; asked before a long rendering, it saves one in vain.
    ///
    /// # Errors
    /// [`EncodeError::CannotHold`] or [`EncodeError::TooLarge`], which name formats that would do.
    pub fn check(self, layout: &ImageLayout) -> Result<Channels, EncodeError> {
        let ImageLayout {
            width,
            height,
            channels,
            bit_depth,
            ..
        } = *layout;
        if let Some(limit) = self.most_pixels()
            && width.max(height) > limit
        {
            return Err(EncodeError::TooLarge {
                format: self.name(),
                limit,
                width,
                height,
            });
        }
        self.stored_channels(channels, bit_depth)
            .ok_or_else(|| EncodeError::CannotHold {
                format: self.name(),
                channels: channels.name(),
                depth: bit_depth.name(),
                instead: alternatives(channels, bit_depth),
            })
    }

    /// The extensions of the format, without the dot and the usual one first.
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            ImageFormat::Png => &["png"],
            ImageFormat::Tiff => &["tiff", "tif"],
            ImageFormat::Exr => &["exr"],
            ImageFormat::Hdr => &["hdr"],
            ImageFormat::Jpeg => &["jpg", "jpeg"],
            ImageFormat::WebP => &["webp"],
            ImageFormat::Bmp => &["bmp"],
            ImageFormat::Qoi => &["qoi"],
            ImageFormat::Pnm => &["pnm", "pgm", "ppm", "pam"],
        }
    }

    /// The name in words.
    pub fn name(self) -> &'static str {
        match self {
            ImageFormat::Png => "PNG",
            ImageFormat::Tiff => "TIFF",
            ImageFormat::Exr => "OpenEXR",
            ImageFormat::Hdr => "Radiance HDR",
            ImageFormat::Jpeg => "JPEG",
            ImageFormat::WebP => "WebP",
            ImageFormat::Bmp => "BMP",
            ImageFormat::Qoi => "QOI",
            ImageFormat::Pnm => "PNM",
        }
    }

    /// The channels under which the format stores such a picture without losing any, or `None` if it cannot.
    ///
    /// Where a format has no grey, equal red, green and blue are written, so the file reads back as RGB or RGBA.
    pub fn stored_channels(self, channels: Channels, depth: BitDepth) -> Option<Channels> {
        let coloured = match channels {
            Channels::Grey => Channels::Rgb,
            Channels::GreyAlpha => Channels::Rgba,
            other => other,
        };
        match (self, depth) {
            (ImageFormat::Png | ImageFormat::Pnm, BitDepth::U8 | BitDepth::U16) => Some(channels),
            (ImageFormat::Tiff, BitDepth::U8 | BitDepth::U16) if channels == Channels::Grey => {
                Some(channels)
            }
            (ImageFormat::Jpeg, BitDepth::U8) if !channels.has_alpha() => Some(channels),
            (ImageFormat::Hdr, BitDepth::F32) if !channels.has_alpha() => Some(coloured),
            (ImageFormat::Exr, BitDepth::F32)
            | (ImageFormat::Tiff, _)
            | (ImageFormat::WebP | ImageFormat::Bmp | ImageFormat::Qoi, BitDepth::U8) => {
                Some(coloured)
            }
            _ => None,
        }
    }

    /// The most pixels a side, where the header or the encoder sets a limit below 2^31.
    fn most_pixels(self) -> Option<u32> {
        match self {
            ImageFormat::Jpeg => Some(65_535),
            ImageFormat::WebP => Some(16_384),
            // Longer rows would have to be written without run lengths, which can then be mistaken for such.
            ImageFormat::Hdr => Some(32_767),
            _ => None,
        }
    }
}

/// The bytes of a file with this picture.
///
/// Everything but JPEG and Radiance HDR is lossless. Samples keep their type; see [`convert_bit_depth`] to change it first.
///
/// # Errors
/// [`EncodeError::CannotHold`] names formats that would do; the others say what is wrong with the picture.
pub fn encode(image: &Image, format: ImageFormat) -> Result<Vec<u8>, EncodeError> {
    image.check()?;
    let stored = format.check(&image.layout)?;
    let ImageLayout {
        width,
        height,
        channels,
        bit_depth,
        ..
    } = image.layout;
    let colour = colour(stored, bit_depth);
    let mut file = Cursor::new(Vec::new());
    let written = match &image.samples {
        Samples::U8(values) => {
            let values = with_channels(values, channels, stored);
            write(&mut file, format, values.as_bytes(), width, height, colour)
        }
        Samples::U16(values) => {
            let values = with_channels(values, channels, stored);
            write(&mut file, format, values.as_bytes(), width, height, colour)
        }
        Samples::F32(values) => {
            let values = with_channels(values, channels, stored);
            write(&mut file, format, values.as_bytes(), width, height, colour)
        }
    };
    written.map_err(|error| EncodeError::Encoder {
        format: format.name(),
        reason: error.to_string(),
    })?;
    Ok(file.into_inner())
}

fn write(
    file: &mut Cursor<Vec<u8>>,
    format: ImageFormat,
    bytes: &[u8],
    width: u32,
    height: u32,
    colour: ExtendedColorType,
) -> image::ImageResult<()> {
    match format {
        ImageFormat::Png => PngEncoder::new_with_quality(file, PNG_LEVEL, FilterType::Adaptive)
            .write_image(bytes, width, height, colour),
        ImageFormat::Tiff => TiffEncoder::new(file).write_image(bytes, width, height, colour),
        ImageFormat::Exr => OpenExrEncoder::new(file).write_image(bytes, width, height, colour),
        ImageFormat::Hdr => HdrEncoder::new(file).write_image(bytes, width, height, colour),
        ImageFormat::Jpeg => JpegEncoder::new_with_quality(file, JPEG_QUALITY)
            .write_image(bytes, width, height, colour),
        ImageFormat::WebP => {
            WebPEncoder::new_lossless(file).write_image(bytes, width, height, colour)
        }
        ImageFormat::Bmp => BmpEncoder::new(file).write_image(bytes, width, height, colour),
        ImageFormat::Qoi => QoiEncoder::new(file).write_image(bytes, width, height, colour),
        ImageFormat::Pnm => {
            file.write_all(pnm_header(width, height, colour).as_bytes())?;
            match colour.bits_per_pixel() / u16::from(colour.channel_count()) {
                8 => file.write_all(bytes)?,
                _ => file.write_all(&big_endian(bytes))?,
            }
            Ok(())
        }
    }
}

/// The text before the samples: PGM for grey, PPM for RGB, and PAM with alpha (netpbm's pgm(5), ppm(5), pam(5)).
fn pnm_header(width: u32, height: u32, colour: ExtendedColorType) -> String {
    let depth = colour.channel_count();
    let most = match colour.bits_per_pixel() / u16::from(depth) {
        8 => 255,
        _ => 65_535,
    };
    let arbitrary = |tuple| {
        format!(
            "P7\nWIDTH {width}\nHEIGHT {height}\nDEPTH {depth}\nMAXVAL {most}\nTUPLTYPE {tuple}\nENDHDR\n"
        )
    };
    match depth {
        1 => format!("P5\n{width} {height}\n{most}\n"),
        2 => arbitrary("GRAYSCALE_ALPHA"),
        3 => format!("P6\n{width} {height}\n{most}\n"),
        _ => arbitrary("RGB_ALPHA"),
    }
}

/// Bytes of 16-bit samples, from the order of this machine to the high byte first.
fn big_endian(bytes: &[u8]) -> Vec<u8> {
    let words = bytes
        .chunks_exact(2)
        .map(|b| u16::from_ne_bytes([b[0], b[1]]));
    words.flat_map(u16::to_be_bytes).collect()
}

/// Repeats grey as red, green and blue if the format asks for it.
fn with_channels<T: Copy>(values: &[T], from: Channels, to: Channels) -> Cow<'_, [T]>
where
    [T]: ToOwned<Owned = Vec<T>>,
{
    if from == to {
        return Cow::Borrowed(values);
    }
    let mut out = Vec::with_capacity(values.len() / from.count() * to.count());
    for pixel in values.chunks_exact(from.count()) {
        out.extend_from_slice(&[pixel[0]; 3]);
        out.extend_from_slice(&pixel[1..]);
    }
    Cow::Owned(out)
}

fn colour(channels: Channels, depth: BitDepth) -> ExtendedColorType {
    match (channels, depth) {
        (Channels::Grey, BitDepth::U8) => ExtendedColorType::L8,
        (Channels::GreyAlpha, BitDepth::U8) => ExtendedColorType::La8,
        (Channels::Rgb, BitDepth::U8) => ExtendedColorType::Rgb8,
        (Channels::Rgba, BitDepth::U8) => ExtendedColorType::Rgba8,
        (Channels::Grey, BitDepth::U16) => ExtendedColorType::L16,
        (Channels::GreyAlpha, BitDepth::U16) => ExtendedColorType::La16,
        (Channels::Rgb, BitDepth::U16) => ExtendedColorType::Rgb16,
        (Channels::Rgba, BitDepth::U16) => ExtendedColorType::Rgba16,
        (Channels::Grey | Channels::Rgb, BitDepth::F32) => ExtendedColorType::Rgb32F,
        (Channels::GreyAlpha | Channels::Rgba, BitDepth::F32) => ExtendedColorType::Rgba32F,
    }
}

fn alternatives(channels: Channels, depth: BitDepth) -> String {
    let holding: Vec<&str> = ImageFormat::ALL
        .into_iter()
        .filter(|format| format.stored_channels(channels, depth).is_some())
        .map(ImageFormat::name)
        .collect();
    list(&holding, "and")
}

fn extensions() -> String {
    let all: Vec<String> = ImageFormat::ALL
        .iter()
        .flat_map(|format| format.extensions())
        .map(|extension| format!(".{extension}"))
        .collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    list(&all, "or")
}

fn list(words: &[&str], joint: &str) -> String {
    match words {
        [before @ .., last] if !before.is_empty() => {
            format!("{} {joint} {last}", before.join(", "))
        }
        _ => words.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(width: u32, height: u32, channels: Channels, samples: Samples) -> Image {
        let layout = ImageLayout::new(width, height, channels, samples.bit_depth());
        Image::new(layout, samples).unwrap()
    }

    #[test]
    fn extensions_name_formats() {
        for (path, format) in [
            ("a.png", ImageFormat::Png),
            ("b/c.TIF", ImageFormat::Tiff),
            ("d.jpeg", ImageFormat::Jpeg),
            ("e.pgm", ImageFormat::Pnm),
        ] {
            assert_eq!(ImageFormat::from_path(Path::new(path)).unwrap(), format);
        }
        for path in ["out", "out.gif", ".png"] {
            let error = ImageFormat::from_path(Path::new(path)).unwrap_err();
            let text = error.to_string();
            assert!(text.starts_with(path) && text.contains(".png, .tiff, .tif, .exr"));
            assert!(text.ends_with("or .pam"), "{text}");
        }
    }

    #[test]
    fn a_format_that_cannot_hold_the_picture_names_others() {
        let rgba = image(1, 1, Channels::Rgba, Samples::U8(vec![0; 4]));
        let error = encode(&rgba, ImageFormat::Jpeg).unwrap_err();
        assert_eq!(
            error.to_string(),
            "JPEG cannot hold a picture of RGBA, 8 bit; PNG, TIFF, WebP, BMP, QOI and PNM can"
        );
        let deep = image(1, 1, Channels::Grey, Samples::U16(vec![0]));
        let error = encode(&deep, ImageFormat::Bmp).unwrap_err();
        assert_eq!(
            error.to_string(),
            "BMP cannot hold a picture of grey, 16 bit; PNG, TIFF and PNM can"
        );
    }

    #[test]
    fn sides_beyond_the_format_are_refused() {
        let wide = image(70_000, 1, Channels::Grey, Samples::U8(vec![0; 70_000]));
        for format in [ImageFormat::Jpeg, ImageFormat::WebP] {
            assert!(matches!(
                encode(&wide, format),
                Err(EncodeError::TooLarge { width: 70_000, .. })
            ));
        }
        assert!(encode(&wide, ImageFormat::Png).is_ok());
    }
}
