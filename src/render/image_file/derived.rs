//! Pictures made from pictures: another bit depth, and where a reconstruction is wrong.

use super::EncodeError;
use crate::signal::{BitDepth, Channels, Image, ImageLayout, Samples};

/// The mean absolute error, as a part of the range, that is white in an error picture.
const WHITE_ERROR: f64 = 32.0 / 255.0;

/// The same picture with another type of sample.
///
/// Whole numbers are mapped full range to full range and rounded (8 to 16 bit is v · 257, and back it is exact). From float, the
/// range of the layout becomes 0 to 2^bits − 1, without tone mapping; values outside it are clamped. To float, values become
/// v / (2^bits − 1) in [0, 1].
///
/// # Errors
/// [`EncodeError::Inconsistent`] if samples and layout do not belong together.
pub fn convert_bit_depth(image: &Image, depth: BitDepth) -> Result<Image, EncodeError> {
    image.check()?;
    if image.layout.bit_depth == depth {
        return Ok(image.clone());
    }
    let layout = ImageLayout {
        bit_depth: depth,
        range: depth.range(),
        ..image.layout
    };
    let (from, low) = (image.layout.peak(), f64::from(image.layout.range[0]));
    let scale = layout.peak() / from;
    let samples = match &image.samples {
        Samples::U8(values) => rescale(values, low, scale, depth),
        Samples::U16(values) => rescale(values, low, scale, depth),
        Samples::F32(values) => rescale(values, low, scale, depth),
    };
    Ok(Image::new(layout, samples)?)
}

fn rescale<T: Copy + Into<f64>>(values: &[T], low: f64, scale: f64, depth: BitDepth) -> Samples {
    let mut samples = Samples::with_capacity(depth, values.len());
    samples.extend(values.iter().map(|&value| (value.into() - low) * scale));
    samples
}

/// An 8-bit grey picture of where a reconstruction is wrong: the mean absolute error over the channels of each pixel.
///
/// The amplification is fixed, black for no error and white from 32/255 of the original's range on, so that the pictures of
/// different models can be compared.
///
/// # Errors
/// [`EncodeError::Shapes`] if size, channels or bit depth differ, [`EncodeError::Inconsistent`] if samples do not fit a layout.
pub fn error_image(original: &Image, reconstruction: &Image) -> Result<Image, EncodeError> {
    original.check()?;
    reconstruction.check()?;
    let white = WHITE_ERROR * original.layout.peak();
    let channels = original.layout.channels;
    let shapes = || EncodeError::Shapes {
        one: original.layout.describe(),
        other: reconstruction.layout.describe(),
    };
    let (one, other) = (&original.layout, &reconstruction.layout);
    if (one.width, one.height, channels) != (other.width, other.height, other.channels) {
        return Err(shapes());
    }
    let grey = match (&original.samples, &reconstruction.samples) {
        (Samples::U8(a), Samples::U8(b)) => mean_errors(a, b, channels, white),
        (Samples::U16(a), Samples::U16(b)) => mean_errors(a, b, channels, white),
        (Samples::F32(a), Samples::F32(b)) => mean_errors(a, b, channels, white),
        _ => return Err(shapes()),
    };
    let layout = ImageLayout::new(one.width, one.height, Channels::Grey, BitDepth::U8);
    Ok(Image::new(layout, Samples::U8(grey))?)
}

fn mean_errors<T: Copy + Into<f64>>(a: &[T], b: &[T], channels: Channels, white: f64) -> Vec<u8> {
    let channels = channels.count();
    a.chunks_exact(channels)
        .zip(b.chunks_exact(channels))
        .map(|(a, b)| {
            let sum: f64 = a
                .iter()
                .zip(b)
                .map(|(&a, &b)| (a.into() - b.into()).abs())
                .sum();
            // Saturates at white.
            (255.0 * sum / channels as f64 / white).round() as u8
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(width: u32, height: u32, channels: Channels, samples: Samples) -> Image {
        let layout = ImageLayout::new(width, height, channels, samples.bit_depth());
        Image::new(layout, samples).unwrap()
    }

    #[test]
    fn bit_depths_map_full_range_to_full_range() {
        let bytes = image(256, 1, Channels::Grey, Samples::U8((0..=255).collect()));
        let words = convert_bit_depth(&bytes, BitDepth::U16).unwrap();
        let expected = (0..=255_u16).map(|v| v * 257).collect();
        assert_eq!(words.samples, Samples::U16(expected));
        assert_eq!(words.layout.range, [0.0, 65535.0]);
        assert_eq!(convert_bit_depth(&words, BitDepth::U8).unwrap(), bytes);
        // 0.5 of 8 bit is 128.5 of 16 bit: rounded, not cut.
        let near = image(2, 1, Channels::Grey, Samples::U16(vec![128, 129]));
        let near = convert_bit_depth(&near, BitDepth::U8).unwrap();
        assert_eq!(near.samples, Samples::U8(vec![0, 1]));
    }

    #[test]
    fn float_pictures_convert_by_their_range() {
        let mut float = image(3, 1, Channels::Grey, Samples::F32(vec![-1.0, 1.0, 3.0]));
        float.layout.range = [-1.0, 3.0];
        let bytes = convert_bit_depth(&float, BitDepth::U8).unwrap();
        assert_eq!(bytes.samples, Samples::U8(vec![0, 128, 255]));
        let back = convert_bit_depth(&bytes, BitDepth::F32).unwrap();
        assert_eq!(back.samples, Samples::F32(vec![0.0, 128.0 / 255.0, 1.0]));
        assert_eq!(back.layout.range, [0.0, 1.0]);
    }

    #[test]
    fn errors_are_white_from_32_levels_on() {
        let a = image(4, 1, Channels::GreyAlpha, Samples::U8(vec![100; 8]));
        let b = vec![100, 100, 132, 132, 92, 100, 0, 255];
        let b = image(4, 1, Channels::GreyAlpha, Samples::U8(b));
        // Mean errors 0, 32, 4, 127.5; 4 is 255 · 4 / 32 = 31.875.
        let error = error_image(&a, &b).unwrap();
        assert_eq!(error.samples, Samples::U8(vec![0, 255, 32, 255]));
        assert_eq!(error.layout.channels, Channels::Grey);

        let deep = |v| image(1, 1, Channels::Grey, Samples::U16(vec![v]));
        let error = error_image(&deep(0), &deep(16 * 257)).unwrap();
        assert_eq!(error.samples, Samples::U8(vec![128]));
        assert!(error_image(&a, &deep(0)).is_err());
    }
}
