//! Pictures of shapes as file bytes.

use std::io::Cursor;

use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, Frame, ImageError, RgbImage, buffer::ConvertBuffer};

use crate::render::image_file::{self, EncodeError, ImageFormat};
use crate::signal::{BitDepth, Channels, Image, ImageLayout, Samples};

/// Milliseconds that each picture of an animation is seen.
const FRAME_TIME: u32 = 90;
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

/// The bytes of a GIF file that shows `pictures` one after the other without end.
///
/// # Errors
/// [`EncodeError::Encoder`] when the encoder fails.
pub fn encode_gif(pictures: &[RgbImage]) -> Result<Vec<u8>, EncodeError> {
    animate(pictures).map_err(|error| EncodeError::Encoder {
        format: "GIF",
        reason: error.to_string(),
    })
}

fn animate(pictures: &[RgbImage]) -> Result<Vec<u8>, ImageError> {
    let mut file = Cursor::new(Vec::new());
    let mut encoder = GifEncoder::new_with_speed(&mut file, PALETTE_SPEED);
    encoder.set_repeat(Repeat::Infinite)?;
    for picture in pictures {
        let delay = Delay::from_numer_denom_ms(FRAME_TIME, 1);
        encoder.encode_frame(Frame::from_parts(picture.convert(), 0, 0, delay))?;
    }
    drop(encoder);
    Ok(file.into_inner())
}
