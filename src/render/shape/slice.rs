//! Pictures of the values of a field in a plane.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use image::RgbImage;

use super::field::{Evaluate, evaluate};

const AXES: [&str; 3] = ["x", "y", "z"];

/// The plane axis = position, in the coordinates of the field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slice {
    /// 0, 1, 2 for x, y, z.
    pub axis: usize,
    /// Where it cuts the axis.
    pub position: f32,
}

impl Display for Slice {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        write!(f, "{}={}", AXES[self.axis], self.position)
    }
}

/// A text that names no plane.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no plane; give an axis and a place from -1 to 1, such as z=0 or x=-0.25")]
pub struct SliceError(String);

impl FromStr for Slice {
    type Err = SliceError;

    fn from_str(text: &str) -> Result<Self, SliceError> {
        let parsed = text.split_once('=').and_then(|(axis, position)| {
            let axis = AXES
                .iter()
                .position(|name| axis.trim().eq_ignore_ascii_case(name))?;
            let position: f32 = position.trim().parse().ok()?;
            (position.abs() <= 1.0).then_some(Self { axis, position })
        });
        parsed.ok_or_else(|| SliceError(text.to_owned()))
    }
}

/// A picture of the values in a plane.
#[derive(Debug, Clone, PartialEq)]
pub struct SlicePicture {
    /// Blue inside, orange outside, white near 0, in bands; the surface is a black line.
    pub picture: RgbImage,
    /// The values from one band to the next.
    pub band: f32,
}

/// Bands from 0 to the largest value, about.
const BANDS: f32 = 8.0;
/// The colours of the largest values inside and outside and of 0: told apart by people of every kind of colour vision (the ends of
/// ColorBrewer's PuOr and RdBu).
const INSIDE: [f32; 3] = [16.0, 70.0, 140.0];
const OUTSIDE: [f32; 3] = [190.0, 95.0, 10.0];
const ZERO: [f32; 3] = [250.0, 250.0, 248.0];
/// Half the width of the line of the surface and of those between bands, in pixels.
const LINE: f32 = 1.1;
const THIN_LINE: f32 = 0.45;

/// Draws the values of the field in the part of `slice` within the box `bounds`, `size` pixels along its longer side. To the right and
/// upwards run the next axes: x and y for z, y and z for x, x and z for y.
///
/// # Errors
/// Those of the field.
pub fn slice_picture<E>(
    field: &mut Evaluate<E>,
    slice: Slice,
    bounds: [[f32; 3]; 2],
    size: u32,
) -> Result<SlicePicture, E> {
    let [across, up] = [[1, 2], [0, 2], [0, 1]][slice.axis.min(2)];
    let side = |axis: usize| bounds[1][axis] - bounds[0][axis];
    let pixel = side(across).max(side(up)) / size as f32;
    let pixels = |axis: usize| ((side(axis) / pixel).round() as usize).max(2);
    let (width, height) = (pixels(across), pixels(up));
    let points: Vec<[f32; 3]> = (0..width * height)
        .map(|i| {
            let (x, y) = (i % width, height - 1 - i / width);
            let mut point = [slice.position; 3];
            point[across] = bounds[0][across] + (x as f32 + 0.5) * pixel;
            point[up] = bounds[0][up] + (y as f32 + 0.5) * pixel;
            point
        })
        .collect();
    let values = evaluate(field, &points)?;
    let largest = values
        .iter()
        .filter(|value| value.is_finite())
        .fold(f32::MIN_POSITIVE, |a, b| a.max(b.abs()));
    let band = round_number(largest / BANDS);
    let colour = |x: usize, y: usize| {
        let at = |x: usize, y: usize| values[y.min(height - 1) * width + x.min(width - 1)];
        let value = at(x, y);
        // Differences to both sides, a pixel apart at the border and two within.
        let slope = |a: f32, b: f32, apart: usize| (a - b) / apart as f32;
        let dx = slope(
            at(x + 1, y),
            at(x.saturating_sub(1), y),
            if x == 0 || x + 1 == width { 1 } else { 2 },
        );
        let dy = slope(
            at(x, y + 1),
            at(x, y.saturating_sub(1)),
            if y == 0 || y + 1 == height { 1 } else { 2 },
        );
        shade(value, dx.hypot(dy), band, largest)
    };
    let picture = RgbImage::from_fn(width as u32, height as u32, |x, y| {
        image::Rgb(colour(x as usize, y as usize).map(|c| c.round() as u8))
    });
    Ok(SlicePicture { picture, band })
}

/// The colour of a value whose field changes by `slope` a pixel.
fn shade(value: f32, slope: f32, band: f32, largest: f32) -> [f32; 3] {
    let mix = |a: [f32; 3], b: [f32; 3], part: f32| {
        [0, 1, 2].map(|channel| a[channel] + (b[channel] - a[channel]) * part)
    };
    // Part of the pixel that a line covers whose value is `distance` away.
    let covered = |distance: f32, half_width: f32| {
        let pixels = distance / slope.max(f32::MIN_POSITIVE);
        (half_width + 0.5 - pixels).clamp(0.0, 1.0)
    };
    let value = value.clamp(-largest, largest);
    let level = (value.abs() / band).floor() * band + band / 2.0;
    let end = if value < 0.0 { INSIDE } else { OUTSIDE };
    let colour = mix(ZERO, end, (level / largest).clamp(0.0, 1.0).powf(0.8));
    let to_line = (value / band - (value / band).round()).abs() * band;
    let lined = mix(colour, end, 0.5 * covered(to_line, THIN_LINE));
    mix(lined, [0.0; 3], covered(value.abs(), LINE))
}

/// The nearest of 1, 2, 5 · 10ᵏ above `x`.
fn round_number(x: f32) -> f32 {
    let power = 10_f32.powf(x.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    steps
        .into_iter()
        .find(|&step| step >= x)
        .unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_are_read() {
        let plane = |text: &str| text.parse::<Slice>();
        assert_eq!(
            plane("z=0"),
            Ok(Slice {
                axis: 2,
                position: 0.0
            })
        );
        assert_eq!(
            plane(" X = -0.25"),
            Ok(Slice {
                axis: 0,
                position: -0.25
            })
        );
        for text in ["", "z", "w=0", "z=", "z=one", "z=nan", "z=0=0", "z=1.5"] {
            assert!(
                plane(text).unwrap_err().to_string().contains("z=0 or"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_circle_is_blue_inside_and_lies_where_it_should() {
        // A sphere of radius 0.5 around (0.5, 0, 0), seen in z = 0: x to the right, y upwards.
        let mut field = |p: &[f32], v: &mut [f32]| -> Result<(), std::convert::Infallible> {
            for (p, v) in p.chunks(3).zip(v) {
                *v = ((p[0] - 0.5).powi(2) + (p[1] - 0.25).powi(2) + p[2] * p[2]).sqrt() - 0.5;
            }
            Ok(())
        };
        let slice = Slice {
            axis: 2,
            position: 0.0,
        };
        let Ok(found) = slice_picture(&mut field, slice, [[-1.0; 3], [1.0; 3]], 200);
        let at = |x: f32, y: f32| {
            let pixel = |v: f32| ((v + 1.0) * 100.0) as u32;
            found.picture.get_pixel(pixel(x), 199 - pixel(y)).0
        };
        assert!(at(0.5, 0.25)[2] > at(0.5, 0.25)[0]);
        assert!(at(-0.8, -0.8)[0] > at(-0.8, -0.8)[2]);
        for (x, y) in [(0.5, 0.75), (0.5, -0.25), (0.0, 0.25)] {
            assert!(at(x, y).iter().all(|&c| c < 120), "{:?}", at(x, y));
        }
        // The corner (-1, -1) is √(1.5² + 1.25²) − 0.5 = 1.45 away; an eighth of that is 0.18.
        assert_eq!(found.band, 0.2);
    }
}
