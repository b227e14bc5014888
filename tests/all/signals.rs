//! Picture files as signals: every format there and back, orientation, coordinates, and a clear error for every bad file.

use super::picture_files;
use super::program::repository;

use std::any::Any;
use std::path::{Path, PathBuf};

use inr::render::image_file::{EncodeError, ImageFormat, encode};
use inr::signal::{
    BitDepth, Channels, Image, ImageLayout, Layout, Samples, Signal, SignalError, load, probe,
};
use picture_files::{Tiff, exif, jpeg_with_exif, png};
use tempfile::TempDir;

const CHANNELS: [Channels; 4] = [
    Channels::Grey,
    Channels::GreyAlpha,
    Channels::Rgb,
    Channels::Rgba,
];
const DEPTHS: [BitDepth; 3] = [BitDepth::U8, BitDepth::U16, BitDepth::F32];

struct Folder(TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Loads bytes under a name, and holds the probed layout to the loaded one.
    fn load(&self, name: &str, bytes: &[u8]) -> Image {
        let path = self.write(name, bytes);
        let signal = load(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let Layout::Image(mut probed) = probe(&path).unwrap() else {
            panic!("a picture")
        };
        let any: &dyn Any = signal.as_ref();
        let image = any.downcast_ref::<Image>().unwrap().clone();
        if probed.bit_depth == BitDepth::F32 {
            probed.range = image.layout.range;
        }
        assert_eq!(probed, image.layout, "{name}");
        assert_eq!(image, Image::load(&path).unwrap());
        image
    }

    /// The text of the error, with the path taken off its beginning.
    fn error(&self, name: &str, bytes: &[u8]) -> String {
        error_text(&self.write(name, bytes))
    }
}

fn error_text(path: &Path) -> String {
    let Err(error) = load(path) else {
        panic!("{} was loaded", path.display());
    };
    let text = error.to_string();
    assert!(!text.contains('\n') && !text.ends_with('.'), "{text}");
    let rest = text.strip_prefix(path.to_str().unwrap());
    rest.expect("the path comes first").trim_start().to_string()
}

/// A picture whose values use the whole range and differ between channels; float values are `low` to 3.
fn picture(width: u32, height: u32, channels: Channels, depth: BitDepth, low: f32) -> Image {
    let mut layout = ImageLayout::new(width, height, channels, depth);
    let n = layout.values();
    let hash = |i: usize| ((i as u32 + 7).wrapping_mul(2_654_435_761)) >> 16;
    let samples = match depth {
        BitDepth::U8 => Samples::U8((0..n).map(|i| (hash(i) >> 8) as u8).collect()),
        BitDepth::U16 => Samples::U16((0..n).map(|i| hash(i) as u16).collect()),
        BitDepth::F32 => {
            let value = |i| low + (3.0 - low) * hash(i) as f32 / 65_536.0;
            let values: Vec<f32> = (0..n).map(value).collect();
            let smallest = values.iter().copied().fold(0.0, f32::min);
            let largest = values.iter().copied().fold(smallest, f32::max);
            layout.range = [smallest, largest];
            Samples::F32(values)
        }
    };
    Image::new(layout, samples).unwrap()
}

fn bytes(image: &Image) -> &[u8] {
    match &image.samples {
        Samples::U8(values) => values,
        other => panic!("8 bit expected, not {:?}", other.bit_depth()),
    }
}

fn repeat_grey<T: Copy>(values: &[T], from: Channels, to: Channels) -> Vec<T> {
    let mut out = Vec::new();
    for pixel in values.chunks(from.count()) {
        if from != to {
            out.extend([pixel[0], pixel[0]]);
        }
        out.extend(pixel);
    }
    out
}

/// What a lossless format gives back: the same samples, with grey as equal red, green and blue if it has no grey.
fn expected(image: &Image, stored: Channels) -> Image {
    let from = image.layout.channels;
    let samples = match &image.samples {
        Samples::U8(values) => Samples::U8(repeat_grey(values, from, stored)),
        Samples::U16(values) => Samples::U16(repeat_grey(values, from, stored)),
        Samples::F32(values) => Samples::F32(repeat_grey(values, from, stored)),
    };
    let layout = ImageLayout {
        channels: stored,
        ..image.layout
    };
    Image::new(layout, samples).unwrap()
}

#[test]
fn every_format_gives_back_what_it_can_hold() {
    let folder = Folder::new();
    let mut held = 0;
    for format in ImageFormat::ALL {
        for channels in CHANNELS {
            for depth in DEPTHS {
                for (width, height) in [(17, 9), (1, 1), (1, 13), (13, 1)] {
                    let low = if format == ImageFormat::Hdr {
                        0.0
                    } else {
                        -1.0
                    };
                    let image = picture(width, height, channels, depth, low);
                    let name = format!("{format:?} {}", image.layout.describe());
                    let Some(stored) = format.stored_channels(channels, depth) else {
                        let error = encode(&image, format).unwrap_err();
                        assert!(matches!(error, EncodeError::CannotHold { .. }), "{name}");
                        continue;
                    };
                    held += 1;
                    let file = encode(&image, format).unwrap_or_else(|e| panic!("{name}: {e}"));
                    // The name does not tell the format, so the content has to.
                    let loaded = folder.load("picture.dat", &file);
                    let expected = expected(&image, stored);
                    match format {
                        ImageFormat::Jpeg => assert_eq!(loaded.layout, expected.layout, "{name}"),
                        ImageFormat::Hdr => assert_shared_exponent(&loaded, &expected, &name),
                        _ => assert_eq!(loaded, expected, "{name}"),
                    }
                }
            }
        }
    }
    // PNG 8, TIFF 12, OpenEXR 4, HDR 2, JPEG 2, WebP 4, BMP 4, QOI 4, PNM 8 kinds of four sizes.
    assert_eq!(held, 48 * 4);
}

/// Radiance stores 8 bits of each channel under the exponent of the largest: an error of at most 1/128 of that channel.
fn assert_shared_exponent(loaded: &Image, expected: &Image, name: &str) {
    let (Samples::F32(a), Samples::F32(b)) = (&loaded.samples, &expected.samples) else {
        panic!("{name}: float expected");
    };
    assert_eq!(a.len(), b.len());
    for (a, b) in a.chunks(3).zip(b.chunks(3)) {
        let largest = b.iter().copied().fold(0.0, f32::max);
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).abs() <= largest / 128.0, "{name}: {a} {b}");
        }
    }
}

#[test]
fn jpeg_keeps_smooth_pictures_nearly_unchanged() {
    for channels in [Channels::Grey, Channels::Rgb] {
        let layout = ImageLayout::new(40, 24, channels, BitDepth::U8);
        let values = (0..layout.values()).map(|i| (i / channels.count() % 40 * 5 + 20) as u8);
        let image = Image::new(layout, Samples::U8(values.collect())).unwrap();
        let file = encode(&image, ImageFormat::Jpeg).unwrap();
        let loaded = Folder::new().load("smooth.jpg", &file);
        for (a, b) in bytes(&loaded).iter().zip(bytes(&image)) {
            assert!(a.abs_diff(*b) <= 4, "{a} {b}");
        }
    }
}

#[test]
fn the_content_wins_over_the_extension() {
    let image = picture(5, 4, Channels::Rgb, BitDepth::U8, 0.0);
    let file = encode(&image, ImageFormat::Qoi).unwrap();
    assert_eq!(Folder::new().load("really_qoi.png", &file), image);
    // A TIFF with 64-bit offsets has a signature that is not known, so here the extension decides.
    let tiff = Tiff {
        big: true,
        ..Tiff::GREY
    };
    let loaded = Folder::new().load("big.tif", &tiff.file(3, 1, &[7, 8, 9]));
    assert_eq!(bytes(&loaded), [7, 8, 9]);
    // Nor does the extension of one kind keep files of another from being read.
    let folder = Folder::new();
    for (asset, name) in [
        ("knot.ply", "a.png"),
        ("chime.wav", "b.ply"),
        ("icon.png", "c.obj"),
    ] {
        let asset = repository().join("assets").join(asset);
        let path = folder.write(name, &std::fs::read(&asset).unwrap());
        let layout = |path: &Path| load(path).unwrap().layout();
        assert_eq!(layout(&path), layout(&asset));
    }
}

#[test]
fn palettes_and_small_depths_become_8_bit() {
    let folder = Folder::new();
    // 1, 2 and 4 bits a pixel, packed from the high bits on: v becomes v · 255 / (2^bits − 1).
    let one = png((3, 1), (1, 0), &[], &[&[0b1010_0000]]);
    assert_eq!(bytes(&folder.load("1.png", &one)), [255, 0, 255]);
    let two = png((4, 1), (2, 0), &[], &[&[0b0001_1011]]);
    assert_eq!(bytes(&folder.load("2.png", &two)), [0, 85, 170, 255]);
    let four = png((2, 1), (4, 0), &[], &[&[0x3F]]);
    assert_eq!(bytes(&folder.load("4.png", &four)), [51, 255]);

    let palette: (&[u8; 4], &[u8]) = (b"PLTE", &[9, 8, 7, 1, 2, 3]);
    let rgb = png((2, 1), (8, 3), &[palette], &[&[1, 0]]);
    let loaded = folder.load("palette.png", &rgb);
    assert_eq!(loaded.layout.channels, Channels::Rgb);
    assert_eq!(bytes(&loaded), [1, 2, 3, 9, 8, 7]);
    let rgba = png((2, 1), (8, 3), &[palette, (b"tRNS", &[5])], &[&[1, 0]]);
    let loaded = folder.load("palette.png", &rgba);
    assert_eq!(loaded.layout.channels, Channels::Rgba);
    assert_eq!(bytes(&loaded), [1, 2, 3, 255, 9, 8, 7, 5]);

    // Two pixels of CMYK, without ink and with black alone.
    let cmyk = Tiff {
        photometric: 5,
        samples: 4,
        big: true,
        ..Tiff::GREY
    };
    let loaded = folder.load("cmyk.tif", &cmyk.file(2, 1, &[0, 0, 0, 0, 0, 0, 0, 255]));
    assert_eq!(loaded.layout.channels, Channels::Rgb);
    assert_eq!(bytes(&loaded), [255, 255, 255, 0, 0, 0]);
}

/// The stored rows 1 2 3 / 4 5 6 as they are shown for each EXIF orientation (EXIF 2.3, tag 0x0112: where row 0 and column 0 of
/// the stored picture lie).
const SHOWN: [(u8, u32, [u8; 6]); 8] = [
    (1, 3, [1, 2, 3, 4, 5, 6]),
    (2, 3, [3, 2, 1, 6, 5, 4]),
    (3, 3, [6, 5, 4, 3, 2, 1]),
    (4, 3, [4, 5, 6, 1, 2, 3]),
    (5, 2, [1, 4, 2, 5, 3, 6]),
    (6, 2, [4, 1, 5, 2, 6, 3]),
    (7, 2, [6, 3, 5, 2, 4, 1]),
    (8, 2, [3, 6, 2, 5, 1, 4]),
];

#[test]
fn orientation_is_applied() {
    let folder = Folder::new();
    // Blocks of 8 × 8 pixels, so that JPEG keeps them flat.
    let layout = ImageLayout::new(24, 16, Channels::Grey, BitDepth::U8);
    let blocks = (0..24 * 16).map(|i| ((i / 24 / 8 * 3 + i % 24 / 8) * 30 + 30) as u8);
    let blocks = Image::new(layout, Samples::U8(blocks.collect())).unwrap();
    let jpeg = encode(&blocks, ImageFormat::Jpeg).unwrap();
    for (orientation, width, shown) in SHOWN {
        let tag = exif(orientation);
        let file = png(
            (3, 2),
            (8, 0),
            &[(b"eXIf", &tag)],
            &[&[1, 2, 3], &[4, 5, 6]],
        );
        let loaded = folder.load("turned.png", &file);
        assert_eq!(bytes(&loaded), shown, "PNG {orientation}");
        assert_eq!(loaded.layout.width, width);

        let tiff = Tiff {
            orientation: orientation.into(),
            ..Tiff::GREY
        };
        let loaded = folder.load("turned.tif", &tiff.file(3, 2, &[1, 2, 3, 4, 5, 6]));
        assert_eq!(bytes(&loaded), shown, "TIFF {orientation}");

        let loaded = folder.load("turned.jpg", &jpeg_with_exif(&jpeg, orientation));
        let centre = |i: usize| {
            let (x, y) = (i % width as usize * 8 + 4, i / width as usize * 8 + 4);
            let value = bytes(&loaded)[y * loaded.layout.width as usize + x];
            (value + 15) / 30
        };
        let centres: Vec<u8> = (0..6).map(centre).collect();
        assert_eq!(centres, shown, "JPEG {orientation}");
    }
}

#[test]
fn float_pictures_keep_their_range() {
    let range = |values: [f32; 3]| {
        let layout = ImageLayout::new(1, 1, Channels::Rgb, BitDepth::F32);
        let image = Image::new(layout, Samples::F32(values.to_vec())).unwrap();
        let file = encode(&image, ImageFormat::Exr).unwrap();
        let loaded = Folder::new().load("float.exr", &file);
        let mut targets = [0.0; 3];
        loaded.gather(&[0], &mut [0.0; 2], &mut targets);
        assert!(targets.iter().all(|t| (-1.0..=1.0).contains(t)));
        loaded.layout.range
    };
    assert_eq!(range([0.5, 2.0, 8.0]), [0.0, 8.0]);
    assert_eq!(range([-3.0, 2.0, 1.0]), [-3.0, 2.0]);
    assert_eq!(range([0.0, 0.0, 0.0]), [0.0, 1.0]);
    assert_eq!(range([-2.0, -2.0, -2.0]), [-2.0, -1.0]);
    // Floats are 8 apart there.
    assert_eq!(range([-1e8, -1e8, -1e8]), [-1e8, -1e8 + 8.0]);
    assert_eq!(range([f32::MIN, 0.0, f32::MAX]), [f32::MIN, f32::MAX]);
}

#[test]
fn a_doubled_grid_is_aligned_with_the_first() {
    let coordinates = |width, height| {
        let image = picture(width, height, Channels::Grey, BitDepth::U8, 0.0);
        let all: Vec<u32> = (0..width * height).collect();
        let (mut xy, mut targets) = (vec![0.0; all.len() * 2], vec![0.0; all.len()]);
        image.gather(&all, &mut xy, &mut targets);
        xy
    };
    for (width, height) in [(5, 3), (1, 4), (1, 1), (64, 48)] {
        let (coarse, fine) = (
            coordinates(width, height),
            coordinates(2 * width, 2 * height),
        );
        for y in 0..height as usize {
            for x in 0..width as usize {
                let i = y * width as usize + x;
                let first = 2 * y * 2 * width as usize + 2 * x;
                let last = first + 2 * width as usize + 1;
                for axis in 0..2 {
                    let mean = (fine[2 * first + axis] + fine[2 * last + axis]) / 2.0;
                    assert!((mean - coarse[2 * i + axis]).abs() < 1e-7);
                }
            }
        }
    }
}

#[test]
fn a_single_pixel_lies_in_the_middle() {
    let image = picture(1, 1, Channels::Rgb, BitDepth::U16, 0.0);
    let mut coordinates = [9.0; 2];
    image.gather(&[0], &mut coordinates, &mut [0.0; 3]);
    assert_eq!(coordinates, [0.0, 0.0]);
    let spectrum = image.spectrum();
    assert_eq!(spectrum.nyquist, [0.5, 0.5]);
    assert_eq!(spectrum.rms_frequency, [0.0, 0.0]);
}

#[test]
fn files_that_are_no_pictures_are_named() {
    let folder = Folder::new();
    let missing = folder.0.path().join("missing.png");
    assert_eq!(error_text(&missing), "does not exist");
    assert!(matches!(probe(&missing), Err(SignalError::Missing { .. })));
    let inside = folder.0.path().to_path_buf();
    assert_eq!(error_text(&inside), "is a folder; give one file");
    assert_eq!(folder.error("empty.png", b""), "is empty (0 bytes)");
    let text = "is neither a picture nor a sound nor a shape: its content is none of PNG, JPEG, TIFF, WebP, BMP, PNM, QOI, Radiance HDR, OpenEXR, WAV, PLY, OFF, GLB and NPY, and its name does not end in .obj, .stl or .xyz";
    for name in [
        "text.png", "text.jpg", "text.tif", "text.hdr", "text.gif", "text.txt", "text",
    ] {
        assert_eq!(
            folder.error(name, b"To whom it may concern\n"),
            text,
            "{name}"
        );
        assert!(probe(&folder.0.path().join(name)).is_err());
    }
    let gif = folder.error("moving.gif", b"GIF89a\x01\0\x01\0\0\0\0;");
    assert!(gif.starts_with("is a GIF picture, which cannot be read; convert it to PNG"));
}

#[test]
fn cut_off_files_are_named() {
    let folder = Folder::new();
    for format in ImageFormat::ALL {
        let depth = match format {
            ImageFormat::Exr | ImageFormat::Hdr => BitDepth::F32,
            _ => BitDepth::U8,
        };
        let file = encode(&picture(40, 30, Channels::Rgb, depth, 0.0), format).unwrap();
        for part in [16, file.len() / 3, file.len() * 9 / 10, file.len() - 20] {
            let error = folder.error("cut.dat", &file[..part]);
            let name = format.name();
            let text = format!("is cut off: the file ends before its {name} picture does");
            assert_eq!(error, text, "{part} of {}", file.len());
        }
    }
}

#[test]
fn damaged_files_are_errors_and_never_panics() {
    let folder = Folder::new();
    let mut state = 1_u64;
    let mut random = |n: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % n
    };
    for format in ImageFormat::ALL {
        let depth = match format {
            ImageFormat::Exr | ImageFormat::Hdr => BitDepth::F32,
            _ => BitDepth::U8,
        };
        let file = encode(&picture(12, 10, Channels::Rgb, depth, 0.0), format).unwrap();
        for round in 0..150 {
            let mut damaged = file.clone();
            // Half of the rounds aim at the header.
            let reach = if round % 2 == 0 { 60 } else { file.len() };
            for _ in 0..3 {
                damaged[random(reach)] = random(256) as u8;
            }
            let path = folder.write("damaged.dat", &damaged);
            let (loaded, probed) = (load(&path), probe(&path));
            if loaded.is_ok() {
                assert!(probed.is_ok());
            }
        }
    }
}

#[test]
fn sizes_out_of_bounds_are_named() {
    let folder = Folder::new();
    let grey = (8, 0);
    for (name, file) in [
        ("huge.pgm", b"P5 100000 100000 255\n".to_vec()),
        ("huge.png", png((100_000, 100_000), grey, &[], &[])),
        ("huger.png", png((0x7FFF_FFFF, 0x7FFF_FFFF), grey, &[], &[])),
        ("huge.tif", Tiff::GREY.file(60_000, 60_000, &[0])),
    ] {
        let error = folder.error(name, &file);
        assert!(
            error.starts_with("is too large: its header says "),
            "{error}"
        );
        assert!(error.ends_with("at most 536 megapixels and 4 GiB of samples are read"));
        assert!(probe(&folder.0.path().join(name)).is_err());
    }
    let error = folder.error("none.pgm", b"P5 0 3 255\n");
    assert_eq!(error, "has no pixels: its size is 0 x 3");
    for (name, file) in [
        ("none.png", png((0, 3), grey, &[], &[])),
        ("none.tif", Tiff::GREY.file(0, 3, &[])),
    ] {
        let error = folder.error(name, &file);
        assert!(
            error.starts_with("is not a valid ") && error.contains("dimensions"),
            "{error}"
        );
    }
}

#[test]
fn samples_that_are_no_numbers_are_located() {
    let mut image = picture(4, 3, Channels::Rgba, BitDepth::F32, 0.0);
    for (format, value, word) in [
        (ImageFormat::Exr, f32::NAN, "NaN"),
        (ImageFormat::Tiff, f32::INFINITY, "inf"),
    ] {
        let Samples::F32(values) = &mut image.samples else {
            unreachable!("the picture is float");
        };
        // Row 1, column 2, channel 3.
        values[(4 + 2) * 4 + 3] = value;
        let file = encode(&image, format).unwrap();
        let error = Folder::new().error("hole", &file);
        let text = format!("holds {word} at column 2, row 1, channel 3 (counted from 0)");
        assert!(error.starts_with(&text), "{error}");
    }
}

#[test]
fn colour_types_without_a_decoder_are_named() {
    let folder = Folder::new();
    let float_grey = Tiff {
        bits: 32,
        sample_format: 3,
        ..Tiff::GREY
    };
    let error = folder.error("float.tif", &float_grey.file(1, 1, &1.0_f32.to_le_bytes()));
    let text = "is a TIFF picture of a sort that cannot be read (32 bits a pixel of a colour type without a decoder); \
                save it as 8- or 16-bit grey or RGB PNG, or as float RGB OpenEXR";
    assert_eq!(error, text);
}
