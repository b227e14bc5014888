//! Pictures of shapes as file bytes.

use gif::{Encoder, EncodingError, Frame, Repeat};
use image::RgbImage;
use rayon::prelude::*;

use crate::render::image_file::{self, EncodeError, ImageFormat};
use crate::signal::{BitDepth, Channels, Image, ImageLayout, Samples};

/// Hundredths of a second that each picture of an animation is seen.
const FRAME_TIME: u16 = 9;
/// Of 1 to 30: how hurriedly the 256 colours of a picture are chosen.
const PALETTE_SPEED: i32 = 10;

/// The bytes of a PNG file.
///
/// # Errors
/// [`EncodeError`] when the picture is empty or the encoder fails.
pub fn encode_png(picture: RgbImage) -> Result<Vec<u8>, EncodeError> {
    let (width, height) = picture.dimensions();
    let layout = ImageLayout::new(width, height, Channels::Rgb, BitDepth::U8);
    let image = Image::new(layout, Samples::U8(picture.into_raw()))?;
    image_file::encode(&image, ImageFormat::Png)
}

/// The bytes of a GIF file that shows `pictures`, all of one size, one after the other without end.
///
/// # Errors
/// [`EncodeError::TooLarge`] above 65535 pixels a side, [`EncodeError::Encoder`] when the encoder fails.
///
/// # Panics
/// If the pictures differ in size.
pub fn encode_gif(pictures: &[RgbImage]) -> Result<Vec<u8>, EncodeError> {
    let (width, height) = pictures.first().map_or((0, 0), RgbImage::dimensions);
    let (Ok(columns), Ok(rows)) = (u16::try_from(width), u16::try_from(height)) else {
        return Err(EncodeError::TooLarge {
            format: "GIF",
            limit: u16::MAX.into(),
            width,
            height,
        });
    };
    animate(pictures, [columns, rows]).map_err(|error| EncodeError::Encoder {
        format: "GIF",
        reason: error.to_string(),
    })
}

fn animate(pictures: &[RgbImage], [width, height]: [u16; 2]) -> Result<Vec<u8>, EncodingError> {
    let frames: Vec<Frame> = pictures
        .par_iter()
        .map(|picture| Frame {
            delay: FRAME_TIME,
            ..Frame::from_rgb_speed(width, height, picture, PALETTE_SPEED)
        })
        .collect();
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, width, height, &[])?;
    encoder.set_repeat(Repeat::Infinite)?;
    for frame in &frames {
        encoder.write_frame(frame)?;
    }
    drop(encoder);
    Ok(file)
}
