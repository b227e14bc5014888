//! Pictures: samples in the type of the file, pixel coordinates, and the map between stored values and [-1, 1].

mod decode;
mod reduce;
mod samples;
mod within;

use std::path::Path;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::source::Source;
use super::spectrum::rms_frequency;
use super::{
    Footprint, HeldOut, Kind, Layout, Reduction, Signal, SignalError, Spectrum, cell_centre,
};
pub use samples::{BitDepth, Samples};
use within::Within;

/// The entry of pictures in the table of kinds.
pub(super) const KIND: Kind = Kind {
    recognises: decode::recognises,
    load: |source| Ok(Box::new(decode::decode(source)?)),
    probe: |source| Ok(Layout::Image(decode::probe(source)?)),
};

/// The meaning of the values of one pixel; alpha is a channel like the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channels {
    /// One value.
    Grey,
    /// Grey and opacity.
    GreyAlpha,
    /// Red, green, blue.
    Rgb,
    /// Red, green, blue and opacity.
    Rgba,
}

impl Channels {
    /// The number of values of a pixel, 1 to 4.
    pub fn count(self) -> usize {
        match self {
            Channels::Grey => 1,
            Channels::GreyAlpha => 2,
            Channels::Rgb => 3,
            Channels::Rgba => 4,
        }
    }

    /// Whether the last channel is opacity.
    pub fn has_alpha(self) -> bool {
        matches!(self, Channels::GreyAlpha | Channels::Rgba)
    }

    /// The name in words, such as `grey with alpha`.
    pub fn name(self) -> &'static str {
        match self {
            Channels::Grey => "grey",
            Channels::GreyAlpha => "grey with alpha",
            Channels::Rgb => "RGB",
            Channels::Rgba => "RGBA",
        }
    }
}

/// The shape of a picture and the range of its samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageLayout {
    /// Pixels along x, after the orientation of the file is applied.
    pub width: u32,
    /// Pixels along y.
    pub height: u32,
    /// The meaning of the values of a pixel.
    pub channels: Channels,
    /// The type of a sample.
    pub bit_depth: BitDepth,
    /// The stored values that become −1 and 1: [0, 2^bits − 1], or [min(0, smallest), largest] of a float picture.
    pub range: [f32; 2],
    /// What a sample says of its pixel; a file does not tell, so that it is the recipe of a model that does.
    #[serde(default, skip_serializing_if = "Footprint::is_point")]
    pub footprint: Footprint,
}

impl ImageLayout {
    /// A layout with the range of its bit depth ([`BitDepth::range`]).
    pub fn new(width: u32, height: u32, channels: Channels, bit_depth: BitDepth) -> ImageLayout {
        ImageLayout {
            width,
            height,
            channels,
            bit_depth,
            range: bit_depth.range(),
            footprint: Footprint::default(),
        }
    }

    /// The number of pixels, width × height.
    pub fn pixels(&self) -> usize {
        self.width as usize * self.height as usize
    }

    /// The number of stored values, width × height × channels.
    pub fn values(&self) -> usize {
        self.pixels() * self.channels.count()
    }

    /// The number of stored values of one row of pixels, width × channels.
    pub fn row(&self) -> usize {
        self.width as usize * self.channels.count()
    }

    /// The span of the range, which is the peak of PSNR: 255, 65535, or largest − min(0, smallest) of a float picture.
    pub fn peak(&self) -> f64 {
        f64::from(self.range[1]) - f64::from(self.range[0])
    }

    /// The layout in words, such as `768 x 512, RGB, 8 bit`.
    pub fn describe(&self) -> String {
        let (channels, depth) = (self.channels.name(), self.bit_depth.name());
        format!("{} x {}, {channels}, {depth}", self.width, self.height)
    }

    /// Maps a stored value linearly from the range to [-1, 1].
    pub fn to_unit(&self, value: f64) -> f32 {
        ((value - f64::from(self.range[0])) * (2.0 / self.peak()) - 1.0) as f32
    }

    /// Maps values of [-1, 1] back to the range and appends them to `samples` as its own type.
    ///
    /// See [`Samples::extend`]. Values of an integer file survive [`ImageLayout::to_unit`] and this unchanged.
    pub fn from_unit(&self, values: &[f32], samples: &mut Samples) {
        let low = f64::from(self.range[0]);
        let half = self.peak() / 2.0;
        samples.extend(values.iter().map(|&v| (f64::from(v) + 1.0) * half + low));
    }
}

/// A decoded picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// Shape and range.
    pub layout: ImageLayout,
    /// `layout.values()` values of the type `layout.bit_depth`.
    pub samples: Samples,
}

impl Image {
    /// A picture from values in memory.
    ///
    /// # Errors
    /// [`SignalError::Mismatch`] if the layout has no pixels, or the number or type of the values does not fit it.
    pub fn new(layout: ImageLayout, samples: Samples) -> Result<Image, SignalError> {
        let image = Image { layout, samples };
        image.check()?;
        Ok(image)
    }

    /// Whether samples and layout belong together.
    ///
    /// # Errors
    /// As [`Image::new`].
    pub fn check(&self) -> Result<(), SignalError> {
        let (layout, samples) = (&self.layout, &self.samples);
        let mismatch = |expected: String, given: String| {
            Err(SignalError::Mismatch {
                layout: layout.describe(),
                expected,
                given,
            })
        };
        if layout.pixels() == 0 {
            return mismatch("at least one pixel".into(), "none".into());
        }
        if samples.len() != layout.values() || samples.bit_depth() != layout.bit_depth {
            return mismatch(
                format!("{} values of {}", layout.values(), layout.bit_depth.name()),
                format!("{} of {}", samples.len(), samples.bit_depth().name()),
            );
        }
        Ok(())
    }

    /// Decodes a picture file; the format is told by the content, and by the extension only if the content does not say.
    ///
    /// Palettes become RGB or RGBA, grey of fewer than 8 bits becomes 8 bit, CMYK becomes RGB, and the EXIF orientation is applied.
    /// Of an animation the first frame is taken. Colour profiles are not applied: the stored numbers are the signal.
    ///
    /// # Errors
    /// See [`SignalError`].
    pub fn load(path: &Path) -> Result<Image, SignalError> {
        let source = Source::open(path)?;
        match decode::recognises(&source, &source.extension()) {
            true => decode::decode(source),
            false => Err(SignalError::Unknown { path: path.into() }),
        }
    }

    fn gather_from<T: Copy + Into<f64> + Sync>(
        &self,
        values: &[T],
        indices: &[u32],
        targets: &mut [f32],
    ) {
        let channels = self.layout.channels.count();
        let rows = indices.par_chunks(ROWS_AT_ONCE);
        rows.zip(targets.par_chunks_mut(ROWS_AT_ONCE * channels))
            .for_each(|(indices, targets)| {
                for (&index, target) in indices.iter().zip(targets.chunks_exact_mut(channels)) {
                    let pixel = &values[index as usize * channels..][..channels];
                    for (out, &value) in target.iter_mut().zip(pixel) {
                        *out = self.layout.to_unit(value.into());
                    }
                }
            });
    }

    fn gather_within_from<T: Copy + Into<f64> + Sync>(
        &self,
        samples: &[T],
        within: &Within,
        indices: &[u32],
        targets: &mut [f32],
    ) {
        let channels = self.layout.channels.count();
        indices
            .par_chunks(ROWS_AT_ONCE)
            .zip(targets.par_chunks_mut(ROWS_AT_ONCE * channels))
            .for_each(|(indices, targets)| {
                let mut values = [0.0; 4];
                let values = &mut values[..channels];
                for (&index, target) in indices.iter().zip(targets.chunks_exact_mut(channels)) {
                    within.values(samples, index as usize, values);
                    for (out, &value) in target.iter_mut().zip(&*values) {
                        *out = self.layout.to_unit(value);
                    }
                }
            });
    }
}

/// Rows of a batch that one thread gathers at a time.
const ROWS_AT_ONCE: usize = 512;

impl Signal for Image {
    fn layout(&self) -> Layout {
        Layout::Image(self.layout.clone())
    }

    fn samples(&self) -> usize {
        self.layout.pixels()
    }

    /// Whole numbers have a least and a greatest one. A network that went far beyond them would move the edges of white and black areas, which
    /// shows between the pixels.
    fn slack(&self, footprint: Footprint) -> f32 {
        match (self.layout.bit_depth, footprint) {
            (BitDepth::U8 | BitDepth::U16, Footprint::Point) => 0.05,
            // The mean over a cell is that of what is not clipped.
            (BitDepth::F32, _) | (_, Footprint::Area) => 0.0,
        }
    }

    fn gather(&self, indices: &[u32], coordinates: &mut [f64], targets: &mut [f32]) {
        let (width, height) = (self.layout.width as usize, self.layout.height as usize);
        assert_eq!(coordinates.len(), indices.len() * 2);
        assert_eq!(targets.len(), indices.len() * self.layout.channels.count());
        let rows = indices.par_chunks(ROWS_AT_ONCE);
        rows.zip(coordinates.par_chunks_mut(ROWS_AT_ONCE * 2))
            .for_each(|(indices, coordinates)| {
                for (&index, coordinate) in indices.iter().zip(coordinates.chunks_exact_mut(2)) {
                    let index = index as usize;
                    coordinate[0] = cell_centre(index % width, width);
                    coordinate[1] = cell_centre(index / width, height);
                }
            });
        match &self.samples {
            Samples::U8(values) => self.gather_from(values, indices, targets),
            Samples::U16(values) => self.gather_from(values, indices, targets),
            Samples::F32(values) => self.gather_from(values, indices, targets),
        }
    }

    fn gather_within(
        &self,
        offset: &[f64],
        indices: &[u32],
        coordinates: &mut [f64],
        targets: &mut [f32],
    ) {
        let counts = [self.layout.width, self.layout.height];
        let offset: [f64; 2] = offset.try_into().expect("an offset for each axis");
        assert_eq!(coordinates.len(), indices.len() * 2);
        assert_eq!(targets.len(), indices.len() * self.layout.channels.count());
        for (&index, coordinate) in indices.iter().zip(coordinates.chunks_exact_mut(2)) {
            let place = [index % counts[0], index / counts[0]];
            for axis in 0..2 {
                let position = f64::from(place[axis]) + 0.5 + offset[axis];
                coordinate[axis] = 2.0 * position / f64::from(counts[axis]) - 1.0;
            }
        }
        let within = Within::new(counts[0] as usize, counts[1] as usize, offset);
        match &self.samples {
            Samples::U8(values) => self.gather_within_from(values, &within, indices, targets),
            Samples::U16(values) => self.gather_within_from(values, &within, indices, targets),
            Samples::F32(values) => self.gather_within_from(values, &within, indices, targets),
        }
    }

    fn spectrum(&self) -> Spectrum {
        let (width, height) = (self.layout.width as usize, self.layout.height as usize);
        let channels = self.layout.channels.count();
        let rms = match &self.samples {
            Samples::U8(values) => rms_frequency(values, width, height, channels),
            Samples::U16(values) => rms_frequency(values, width, height, channels),
            Samples::F32(values) => rms_frequency(values, width, height, channels),
        };
        Spectrum {
            nyquist: vec![width as f32 / 2.0, height as f32 / 2.0],
            rms_frequency: rms.to_vec(),
        }
    }

    fn values(&self) -> [f32; 2] {
        self.samples.ends().map(|value| self.layout.to_unit(value))
    }

    fn hold_out(self: Box<Self>, reduction: Reduction) -> Result<HeldOut, SignalError> {
        let reference = reduce::cut(*self, reduction)?;
        Ok(HeldOut {
            reduced: Box::new(reduce::reduce(&reference, reduction)),
            reference: Box::new(reference),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_survive_the_unit_range() {
        let layout = ImageLayout::new(256, 1, Channels::Grey, BitDepth::U8);
        let bytes: Vec<u8> = (0..=255).collect();
        let unit: Vec<f32> = bytes.iter().map(|&v| layout.to_unit(v.into())).collect();
        assert_eq!((unit[0], unit[255]), (-1.0, 1.0));
        let mut back = Samples::with_capacity(BitDepth::U8, 256);
        layout.from_unit(&unit, &mut back);
        assert_eq!(back, Samples::U8(bytes));

        let layout = ImageLayout::new(65536, 1, Channels::Grey, BitDepth::U16);
        let words: Vec<u16> = (0..=65535).collect();
        let unit: Vec<f32> = words.iter().map(|&v| layout.to_unit(v.into())).collect();
        let mut back = Samples::with_capacity(BitDepth::U16, 65536);
        layout.from_unit(&unit, &mut back);
        assert_eq!(back, Samples::U16(words));
    }

    #[test]
    fn predictions_are_rounded_and_clamped() {
        let layout = ImageLayout::new(6, 1, Channels::Grey, BitDepth::U8);
        let mut out = Samples::with_capacity(BitDepth::U8, 6);
        // 0 is 127.5, which rounds away from zero; 1.003 is 255.4 and 1.01 is 256.3.
        layout.from_unit(&[-1.2, 0.0, 1.003, 1.01], &mut out);
        layout.from_unit(&[f32::NAN, f32::INFINITY], &mut out);
        assert_eq!(out, Samples::U8(vec![0, 128, 255, 255, 0, 255]));

        let mut layout = ImageLayout::new(3, 1, Channels::Grey, BitDepth::F32);
        layout.range = [-2.0, 6.0];
        let mut out = Samples::with_capacity(BitDepth::F32, 3);
        layout.from_unit(&[-1.0, 0.5, 2.0], &mut out);
        assert_eq!(out, Samples::F32(vec![-2.0, 4.0, 10.0]));
    }

    /// What has no range cannot be beyond it.
    #[test]
    fn float_pictures_have_no_slack() {
        for (bit_depth, samples, expected) in [
            (BitDepth::U8, Samples::U8(vec![255]), 0.05),
            (BitDepth::U16, Samples::U16(vec![0]), 0.05),
            (BitDepth::F32, Samples::F32(vec![1.0]), 0.0),
        ] {
            let layout = ImageLayout::new(1, 1, Channels::Grey, bit_depth);
            let image = Image::new(layout, samples).unwrap();
            assert_eq!(image.slack(Footprint::Point), expected);
            assert_eq!(image.slack(Footprint::Area), 0.0);
        }
    }

    #[test]
    fn gather_gives_x_before_y_and_targets_of_the_pixel() {
        let layout = ImageLayout::new(4, 2, Channels::GreyAlpha, BitDepth::U8);
        let samples = Samples::U8((0..16).map(|v| v * 17).collect());
        let image = Image::new(layout, samples).unwrap();
        let (mut coordinates, mut targets) = ([0.0; 4], [0.0; 4]);
        image.gather(&[7, 1], &mut coordinates, &mut targets);
        assert_eq!(coordinates, [0.75, 0.5, -0.25, -0.5]);
        // Pixel 7 holds 14 · 17 and 255; pixel 1 holds 2 · 17 and 3 · 17; value v is v/127.5 − 1.
        let unit = |v: f64| (v / 127.5 - 1.0) as f32;
        assert_eq!(targets, [unit(238.0), 1.0, unit(34.0), unit(51.0)]);
    }

    #[test]
    fn samples_that_do_not_fit_the_layout_are_refused() {
        let layout = ImageLayout::new(2, 2, Channels::Rgb, BitDepth::U8);
        for samples in [Samples::U8(vec![0; 11]), Samples::U16(vec![0; 12])] {
            let error = Image::new(layout.clone(), samples).unwrap_err();
            assert!(error.to_string().contains("needs 12 values of 8 bit"));
        }
        let layout = ImageLayout::new(0, 2, Channels::Rgb, BitDepth::U8);
        assert!(Image::new(layout, Samples::U8(vec![])).is_err());
    }

    #[test]
    fn the_spectrum_names_nyquist_per_axis() {
        let layout = ImageLayout::new(6, 4, Channels::Grey, BitDepth::U8);
        // Columns alternate between 0 and 255: Nyquist along x, nothing along y.
        let samples = Samples::U8((0..24).map(|i| (i % 2) * 255).collect());
        let spectrum = Image::new(layout, samples).unwrap().spectrum();
        assert_eq!(spectrum.nyquist, [3.0, 2.0]);
        assert_eq!(spectrum.rms_frequency, [3.0, 0.0]);
    }
}
