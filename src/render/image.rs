//! Pictures of any size and part, and how they compare.

mod exhibit;

use std::path::{Path, PathBuf};

use super::exhibit::Exhibition;
use super::image_file::{self, ImageFormat};
use super::kind::{KindFiles, Renderable, Rendered, Rendering, downcast, other_kind};
use super::request::{Points, RenderRequest, Target};
use super::{Companion, Field, Filter, Metrics, RenderError, resample};
use crate::engine::Engine;
use crate::metrics::{psnr_db as psnr_of, squared_error_sum, ssim};
use crate::signal::{BitDepth, Footprint, Image, ImageLayout, Layout, Reduction, Samples, Signal};

/// Points evaluated between two reports of progress; bounds the memory beside the finished picture.
const POINTS_AT_ONCE: usize = 1 << 17;

/// Most parts along one axis of a pixel when a picture is rendered smaller.
const MOST_SUBSAMPLES: usize = 16;

/// Largest picture: what the file formats and 64-bit sizes hold without special care.
const MOST_PIXELS: u64 = 1 << 32;

/// The part of a picture that is rendered, and how many pixels it gets.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// Pixels rendered: width, height.
    pub size: [u32; 2],
    /// The part, in pixels of the original: left, top, width, height.
    part: [f64; 4],
    /// Width and height of the original.
    original: [f64; 2],
}

impl Grid {
    /// The whole picture at another size.
    ///
    /// # Errors
    /// [`RenderError::Request`] when a side is 0 or the picture would be too large.
    pub fn whole(layout: &ImageLayout, size: [u32; 2]) -> Result<Self, RenderError> {
        let (width, height) = (f64::from(layout.width), f64::from(layout.height));
        Self::part(layout, [0.0, 0.0, width, height], size)
    }

    /// The pixels of the full picture, when `layout` is that of the picture reduced by `reduction`.
    ///
    /// # Errors
    /// [`RenderError::Request`] when the picture would be too large.
    pub fn full(layout: &ImageLayout, reduction: Reduction) -> Result<Self, RenderError> {
        let factor = reduction.factor() as u64;
        let side = |reduced| u32::try_from(u64::from(reduced) * factor).unwrap_or(u32::MAX);
        let mut grid = Self::whole(layout, [side(layout.width), side(layout.height)])?;
        // With a shift the last pixels lie behind the centre of the last reduced one and perhaps outside the reduced picture.
        grid.part[0] += reduction.shift();
        grid.part[1] += reduction.shift();
        Ok(grid)
    }

    /// A part of the picture: left, top, width, height in pixels of the original.
    ///
    /// # Errors
    /// [`RenderError::Request`] when the part is empty or leaves the picture, a side is 0, or the picture would be too large.
    pub fn part(layout: &ImageLayout, part: [f64; 4], size: [u32; 2]) -> Result<Self, RenderError> {
        let original = [f64::from(layout.width), f64::from(layout.height)];
        let [left, top, width, height] = part;
        let inside = left >= 0.0 && top >= 0.0 && width > 0.0 && height > 0.0;
        if !inside || left + width > original[0] || top + height > original[1] {
            return Err(RenderError::Request(format!(
                "--crop {left},{top},{width},{height} is not a part of the {}x{} picture; write left,top,width,height in its pixels",
                layout.width, layout.height
            )));
        }
        if size.contains(&0) || u64::from(size[0]) * u64::from(size[1]) > MOST_PIXELS {
            return Err(RenderError::Request(format!(
                "a picture of {}x{} pixels cannot be made; each side must be at least 1 and the product at most {MOST_PIXELS}",
                size[0], size[1]
            )));
        }
        Ok(Self {
            size,
            part,
            original,
        })
    }

    /// How many parts a pixel is cut into along each axis: 1 unless the picture gets smaller, where single points would alias.
    fn subsamples(&self) -> [usize; 2] {
        std::array::from_fn(|axis| {
            let shrink = self.part[axis + 2] / f64::from(self.size[axis]);
            // A hair above a whole factor is that factor.
            ((shrink - 1e-9).ceil() as usize).clamp(1, MOST_SUBSAMPLES)
        })
    }

    /// The coordinate of point `index` of `count` along `axis`: cell centres of the part, on the map of the original.
    fn coordinate(&self, axis: usize, index: usize, count: usize) -> f32 {
        let position = self.part[axis] + self.part[axis + 2] * (index as f64 + 0.5) / count as f64;
        (2.0 * position / self.original[axis] - 1.0) as f32
    }

    /// How many points a pixel is averaged over along each axis, and the coordinates of the points of all pixels along each.
    fn points(&self, footprint: Footprint) -> ([usize; 2], [Vec<f32>; 2]) {
        let (subsamples, nodes) = (self.subsamples(), footprint.nodes());
        let coordinates = std::array::from_fn(|axis| {
            let count = self.size[axis] as usize * subsamples[axis];
            let cell = 2.0 * self.part[axis + 2] / self.original[axis] / count as f64;
            let around = |centre| nodes.iter().map(move |node| centre + (node * cell) as f32);
            (0..count)
                .flat_map(|index| around(self.coordinate(axis, index, count)))
                .collect()
        });
        (subsamples.map(|s| s * nodes.len()), coordinates)
    }
}

/// Renders the pixels of `grid`. `progress` is told the finished share.
///
/// # Errors
/// [`RenderError::Engine`] when the device fails.
pub fn render(
    fitted: &ImageLayout,
    field: Field,
    grid: &Grid,
    engine: &mut dyn Engine,
    progress: &mut dyn FnMut(f64),
) -> Result<Image, RenderError> {
    let layout = ImageLayout {
        width: grid.size[0],
        height: grid.size[1],
        ..fitted.clone()
    };
    let [width, height] = grid.size.map(|s| s as usize);
    let ([sub_x, sub_y], [columns, rows]) = grid.points(fitted.footprint);
    let points = sub_x * sub_y;
    let pixels = width * height;
    let channels = field.network.d_out();

    let bytes = pixels * channels * usize::from(layout.bit_depth.bits()) / 8;
    if Vec::<u8>::new().try_reserve_exact(bytes).is_err() {
        return Err(RenderError::Request(format!(
            "a picture of {width}x{height} pixels takes {bytes} bytes, more than this machine gives; render it in parts with --crop"
        )));
    }
    let mut samples = Samples::with_capacity(layout.bit_depth, pixels * channels);
    let at_once = (POINTS_AT_ONCE / points).max(1);
    let mut coordinates = Vec::with_capacity(at_once * points * 2);
    let mut values = Vec::new();
    let mut start = 0;
    while start < pixels {
        let end = (start + at_once).min(pixels);
        coordinates.clear();
        for pixel in start..end {
            let (x, y) = (pixel % width * sub_x, pixel / width * sub_y);
            for row in &rows[y..y + sub_y] {
                for column in &columns[x..x + sub_x] {
                    coordinates.extend([*column, *row]);
                }
            }
        }
        values.resize((end - start) * points * channels, 0.0);
        engine.evaluate(field.network, field.parameters, &coordinates, &mut values)?;
        average(&mut values, points, channels);
        layout.from_unit(&values, &mut samples);
        start = end;
        progress(start as f64 / pixels as f64);
    }
    Ok(Image { layout, samples })
}

/// Averages every `points` consecutive rows of `channels` values into one, in place.
fn average(values: &mut Vec<f32>, points: usize, channels: usize) {
    if points == 1 {
        return;
    }
    let pixels = values.len() / (points * channels);
    for pixel in 0..pixels {
        for channel in 0..channels {
            let first = pixel * points * channels + channel;
            let sum: f32 = (0..points).map(|p| values[first + p * channels]).sum();
            values[pixel * channels + channel] = sum / points as f32;
        }
    }
    values.truncate(pixels * channels);
}

/// PSNR and SSIM of two pictures of one size, on the pixels as written.
///
/// # Errors
/// [`RenderError::Mismatch`] when size, channels or bit depth differ.
pub fn measure(original: &Image, other: &Image) -> Result<Metrics, RenderError> {
    let psnr = psnr_db(original, other)?;
    let layout = &original.layout;
    let (width, height) = (layout.width as usize, layout.height as usize);
    let (channels, peak) = (layout.channels.count(), layout.peak());
    let ssim = match (&original.samples, &other.samples) {
        (Samples::U8(a), Samples::U8(b)) => ssim(a, b, width, height, channels, peak),
        (Samples::U16(a), Samples::U16(b)) => ssim(a, b, width, height, channels, peak),
        (Samples::F32(a), Samples::F32(b)) => ssim(a, b, width, height, channels, peak),
        _ => return Err(mismatch(original, other)),
    };
    Ok(Metrics::known(vec![
        ("psnr_db".into(), psnr),
        ("ssim".into(), ssim),
    ]))
}

/// PSNR in dB of two pictures of one size, all channels together.
///
/// # Errors
/// See [`measure`].
pub fn psnr_db(original: &Image, other: &Image) -> Result<f64, RenderError> {
    let (a, b) = (&original.layout, &other.layout);
    if (a.width, a.height, a.channels) != (b.width, b.height, b.channels) {
        return Err(mismatch(original, other));
    }
    let sum = match (&original.samples, &other.samples) {
        (Samples::U8(a), Samples::U8(b)) => squared_error_sum(a, b),
        (Samples::U16(a), Samples::U16(b)) => squared_error_sum(a, b),
        (Samples::F32(a), Samples::F32(b)) => squared_error_sum(a, b),
        _ => return Err(mismatch(original, other)),
    };
    Ok(psnr_of(sum / original.samples.len() as f64, a.peak()))
}

fn mismatch(a: &Image, b: &Image) -> RenderError {
    RenderError::Mismatch(format!(
        "the pictures differ in kind ({} and {}); both must have the same size, channels and bit depth",
        a.layout.describe(),
        b.layout.describe()
    ))
}

/// The picture of the errors.
const ERROR_PICTURE: &str = "error.png";

/// The files of a fit to a picture.
pub(super) const FILES: KindFiles = KindFiles {
    lossless_extensions: &["png", "exr"],
    companions: &[ERROR_PICTURE],
};

/// A picture in the bit depth of one that it is compared with. Of float black is 0 and white 1, whatever its own extremes are.
fn comparable(mut image: Image, depth: BitDepth) -> Result<Image, RenderError> {
    if image.layout.bit_depth == BitDepth::F32 && depth != BitDepth::F32 {
        image.layout.range = BitDepth::F32.range();
    }
    Ok(image_file::convert_bit_depth(&image, depth)?)
}

impl Renderable for ImageLayout {
    fn reconstruct(
        &self,
        field: Field,
        _resolution: Option<u32>,
        engine: &mut dyn Engine,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Rendering, RenderError> {
        let grid = Grid::whole(self, [self.width, self.height])?;
        Ok(Rendering::Image(render(
            self, field, &grid, engine, progress,
        )?))
    }

    fn render_like(
        &self,
        field: Field,
        other: &Layout,
        engine: &mut dyn Engine,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Rendering, RenderError> {
        let Layout::Image(other) = other else {
            return Err(other_kind("a picture", other));
        };
        if self.channels != other.channels {
            return Err(RenderError::Mismatch(format!(
                "the model has {} values a pixel and the reference is {}",
                self.channels.name(),
                other.channels.name()
            )));
        }
        let grid = Grid::whole(self, [other.width, other.height])?;
        let are_whole = [self, other].iter().all(|l| l.bit_depth != BitDepth::F32);
        let rendered = match are_whole {
            // Not rounded to the fewer levels of the fitted picture first.
            true => ImageLayout {
                bit_depth: other.bit_depth,
                range: other.bit_depth.range(),
                ..self.clone()
            },
            false => self.clone(),
        };
        let image = render(&rendered, field, &grid, engine, progress)?;
        Ok(Rendering::Image(comparable(image, other.bit_depth)?))
    }

    fn upsample(
        &self,
        field: Field,
        reduction: Reduction,
        engine: &mut dyn Engine,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Rendering, RenderError> {
        let grid = Grid::full(self, reduction)?;
        Ok(Rendering::Image(render(
            self, field, &grid, engine, progress,
        )?))
    }

    fn render(
        &self,
        field: Field,
        points: &Points,
        engine: &mut dyn Engine,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Rendering, RenderError> {
        match points {
            Points::Pixels(grid) => Ok(Rendering::Image(render(
                self, field, grid, engine, progress,
            )?)),
            _ => Err(RenderError::Request(
                "a picture has nothing but pixels".into(),
            )),
        }
    }

    fn resolve(&self, request: &RenderRequest) -> Result<Target, RenderError> {
        request.resolve_picture(self)
    }

    fn take(&self, signal: &dyn Signal) -> Result<Rendering, RenderError> {
        let image: &Image = downcast(signal, "a picture")?;
        Ok(Rendering::Image(comparable(image.clone(), self.bit_depth)?))
    }

    fn exhibit(
        &self,
        original: Option<&dyn Signal>,
        files: &[PathBuf],
        room: usize,
    ) -> Result<Exhibition, RenderError> {
        let original = original.map(|original| downcast(original, "a picture"));
        exhibit::exhibit(self, original.transpose()?, files, room)
    }

    fn lossless_extensions(&self) -> &'static [&'static str] {
        match self.bit_depth {
            BitDepth::F32 => &["exr"],
            BitDepth::U8 | BitDepth::U16 => &["png"],
        }
    }

    fn size_name(&self, _points: &Points) -> String {
        format!("{}x{}", self.width, self.height)
    }

    fn check_format(&self, path: &Path) -> Result<(), RenderError> {
        ImageFormat::from_path(path)?.check(self)?;
        Ok(())
    }
}

impl Rendered for Image {
    fn layout(&self) -> Layout {
        Layout::Image(self.layout.clone())
    }

    fn filters(&self) -> &'static [Filter] {
        &Filter::PICTURES
    }

    fn interpolate(&self, reduction: Reduction, filter: Filter) -> Result<Rendering, RenderError> {
        Ok(Rendering::Image(resample::resample(
            self, reduction, filter,
        )))
    }

    fn measure(&self, original: &dyn Signal) -> Result<Metrics, RenderError> {
        measure(downcast(original, "a picture")?, self)
    }

    fn psnr_db(&self, original: &dyn Signal) -> Result<f64, RenderError> {
        psnr_db(downcast(original, "a picture")?, self)
    }

    fn encode(&self, path: &Path) -> Result<Vec<u8>, RenderError> {
        Ok(image_file::encode(self, ImageFormat::from_path(path)?)?)
    }

    fn companions(&self, original: &dyn Signal) -> Result<Vec<Companion>, RenderError> {
        let error = image_file::error_image(downcast(original, "a picture")?, self)?;
        Ok(vec![(
            ERROR_PICTURE,
            image_file::encode(&error, ImageFormat::Png)?,
        )])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::{Channels, ReducedBy};

    fn layout(width: u32, height: u32) -> ImageLayout {
        ImageLayout::new(width, height, Channels::Grey, BitDepth::U8)
    }

    /// The two cells that a ×2 grid puts into one cell lie evenly around its centre.
    #[test]
    fn a_double_grid_is_aligned_with_the_original() {
        let layout = layout(5, 3);
        let (one, two) = (
            Grid::whole(&layout, [5, 3]).unwrap(),
            Grid::whole(&layout, [10, 6]).unwrap(),
        );
        for (axis, n) in [(0, 5), (1, 3)] {
            for i in 0..n {
                let fine = [2 * i, 2 * i + 1].map(|j| two.coordinate(axis, j, 2 * n));
                let centre = one.coordinate(axis, i, n);
                assert!((centre - (fine[0] + fine[1]) / 2.0).abs() < 1e-6);
                assert_eq!(centre, crate::signal::cell_centre(i, n) as f32);
            }
        }
    }

    /// A network is evaluated where it was trained: the block around a mean, the kept pixel itself.
    #[test]
    fn a_full_grid_is_aligned_with_the_reduced_picture() {
        let layout = layout(5, 3);
        for factor in [2, 3, 8] {
            let n = factor as usize;
            let area = Reduction::new(factor, ReducedBy::Area).unwrap();
            let area = Grid::full(&layout, area).unwrap();
            assert_eq!(
                area,
                Grid::whole(&layout, [5 * factor, 3 * factor]).unwrap()
            );
            let decimation = Reduction::new(factor, ReducedBy::Decimation).unwrap();
            let decimation = Grid::full(&layout, decimation).unwrap();
            for (axis, count) in [(0, 5), (1, 3)] {
                let pixel = 2.0 / (count * n) as f32;
                for i in 0..count {
                    let centre = crate::signal::cell_centre(i, count) as f32;
                    for k in 0..n {
                        let at = decimation.coordinate(axis, n * i + k, n * count);
                        assert!((at - centre - k as f32 * pixel).abs() < 1e-6);
                    }
                }
            }
        }
    }

    #[test]
    fn a_part_has_the_coordinates_of_the_whole() {
        let layout = layout(8, 8);
        let whole = Grid::whole(&layout, [16, 16]).unwrap();
        let part = Grid::part(&layout, [2.0, 3.0, 4.0, 5.0], [8, 10]).unwrap();
        for i in 0..8 {
            assert_eq!(part.coordinate(0, i, 8), whole.coordinate(0, i + 4, 16));
            assert_eq!(part.coordinate(1, i, 10), whole.coordinate(1, i + 6, 16));
        }
    }

    #[test]
    fn parts_outside_and_empty_sizes_are_refused() {
        let layout = layout(8, 8);
        for part in [
            [0.0, 0.0, 9.0, 8.0],
            [-1.0, 0.0, 4.0, 4.0],
            [0.0, 0.0, 0.0, 4.0],
            [f64::NAN; 4],
        ] {
            assert!(Grid::part(&layout, part, [4, 4]).is_err(), "{part:?}");
        }
        assert!(Grid::whole(&layout, [0, 4]).is_err());
        assert!(Grid::whole(&layout, [u32::MAX, u32::MAX]).is_err());
    }

    #[test]
    fn smaller_pictures_average_over_the_pixel() {
        let layout = layout(8, 8);
        assert_eq!(Grid::whole(&layout, [8, 4]).unwrap().subsamples(), [1, 2]);
        assert_eq!(Grid::whole(&layout, [3, 16]).unwrap().subsamples(), [3, 1]);
        // Two points of two channels: (1, 10), (3, 30) → (2, 20).
        let mut values = vec![1.0, 10.0, 3.0, 30.0, 5.0, 50.0, 7.0, 70.0];
        average(&mut values, 2, 2);
        assert_eq!(values, [2.0, 20.0, 6.0, 60.0]);
    }
}
