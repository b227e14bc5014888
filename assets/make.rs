//! Makes the samples of this folder, pictures, a sound and a shape: `cargo run --release --example make-assets [folder]`.
//!
//! Every picture is a function from a point to a colour, averaged over 4×4 samples a pixel. The functions add,
//! multiply, divide, take floors and square roots, which IEEE 754 fixes to the last bit: every machine writes the same bytes.
//! Points are in units of the picture's height, y downwards; colours are linear light until `encode` takes the root.

use std::error::Error;
use std::path::PathBuf;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use inr::render::MeshFormat;
use inr::render::shape::mesh_file;

mod chime;
mod harbour;
mod knot;

type Rgb = [f64; 3];
type Point = (f64, f64);

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args_os().nth(1).unwrap_or("assets".into()));
    std::fs::create_dir_all(&folder)?;
    let pictures = [
        (
            "harbour.png",
            384,
            256,
            ExtendedColorType::Rgb8,
            harbour::harbour(384, 256),
        ),
        ("leaf.png", 160, 160, ExtendedColorType::Rgba8, leaf(160)),
        (
            "gradient16.png",
            128,
            96,
            ExtendedColorType::L16,
            gradient16(128, 96),
        ),
        ("icon.png", 64, 64, ExtendedColorType::Rgb8, icon(64)),
    ];
    for (name, width, height, kind, bytes) in pictures {
        let mut png = Vec::new();
        PngEncoder::new_with_quality(&mut png, CompressionType::Best, FilterType::Adaptive)
            .write_image(&bytes, width, height, kind)?;
        std::fs::write(folder.join(name), &png)?;
        println!("{name}: {width}x{height}, {} bytes", png.len());
    }
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: chime::RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(folder.join("chime.wav"), spec)?;
    let samples = chime::chime(chime::RATE as usize * 5 / 2);
    for &sample in &samples {
        wav.write_sample(sample)?;
    }
    wav.finalize()?;
    println!("chime.wav: {} frames at {} Hz", samples.len(), chime::RATE);
    let knot = knot::knot();
    let bytes = mesh_file::encode(&knot, MeshFormat::Ply)?;
    std::fs::write(folder.join("knot.ply"), &bytes)?;
    println!(
        "knot.ply: {} faces, {} bytes",
        knot.faces.len(),
        bytes.len()
    );
    Ok(())
}

// ---- Tools ---------------------------------------------------------------------------------------

/// Averages 4×4 samples a pixel, row by row.
fn supersample<const N: usize>(
    width: u32,
    height: u32,
    colour: impl Fn(f64, f64) -> [f64; N],
) -> Vec<[f64; N]> {
    let sub =
        |pixel: u32, k: u32| (f64::from(pixel) + (f64::from(k) + 0.5) / 4.0) / f64::from(height);
    let pixel = |x, y| {
        let mut sum = [0.0; N];
        for k in 0..16 {
            let sample = colour(sub(x, k % 4), sub(y, k / 4));
            sum.iter_mut().zip(sample).for_each(|(s, v)| *s += v / 16.0);
        }
        sum
    };
    (0..width * height)
        .map(|i| pixel(i % width, i / width))
        .collect()
}

/// Linear light to a display value in 0..=1; a square root stands for the display's curve.
fn encode(light: f64) -> f64 {
    light.clamp(0.0, 1.0).sqrt()
}

fn byte(value: f64) -> u8 {
    (value * 255.0 + 0.5).clamp(0.0, 255.0) as u8
}

/// Linear light of a display colour 0xRRGGBB.
fn rgb(hex: u32) -> Rgb {
    [16, 8, 0].map(|shift| {
        let v = f64::from(hex >> shift & 255) / 255.0;
        v * v
    })
}

fn mix(a: Rgb, b: Rgb, t: f64) -> Rgb {
    [0, 1, 2].map(|c| a[c] + (b[c] - a[c]) * t)
}

fn scale(a: Rgb, factor: f64) -> Rgb {
    a.map(|v| v * factor)
}

fn add(a: Rgb, b: Rgb) -> Rgb {
    [0, 1, 2].map(|c| a[c] + b[c])
}

fn length(dx: f64, dy: f64) -> f64 {
    (dx * dx + dy * dy).sqrt()
}

fn fract(v: f64) -> f64 {
    v - v.floor()
}

/// The cubic step from 0 at `low` to 1 at `high`.
fn smooth(low: f64, high: f64, v: f64) -> f64 {
    let t = ((v - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// 1 at `v` = 0, a half at `v` = `width`, and long tails.
fn falloff(v: f64, width: f64) -> f64 {
    1.0 / (1.0 + v * v / (width * width))
}

/// A number in 0..=1 for a lattice cell: the cell's key through the 32-bit finaliser of MurmurHash3 (Appleby).
fn hash(x: i32, y: i32, seed: u32) -> f64 {
    let mut h = (x as u32).wrapping_mul(0x9E37_79B1) ^ (y as u32).wrapping_mul(0x85EB_CA77);
    h = (h ^ seed.wrapping_mul(0xC2B2_AE3D)).wrapping_add(seed);
    h = (h ^ h >> 16).wrapping_mul(0x85EB_CA6B);
    h = (h ^ h >> 13).wrapping_mul(0xC2B2_AE35);
    f64::from(h ^ h >> 16) / f64::from(u32::MAX)
}

/// Value noise in 0..=1 with one cell a unit.
fn noise(x: f64, y: f64, seed: u32) -> f64 {
    let (i, j) = (x.floor() as i32, y.floor() as i32);
    let (u, v) = (smooth(0.0, 1.0, fract(x)), smooth(0.0, 1.0, fract(y)));
    let row = |j| hash(i, j, seed) * (1.0 - u) + hash(i + 1, j, seed) * u;
    row(j) * (1.0 - v) + row(j + 1) * v
}

/// Fractal noise in −1..=1: each octave turned by the 3-4-5 angle, which hides the lattice.
fn fractal(x: f64, y: f64, octaves: u32, seed: u32) -> f64 {
    let (mut x, mut y, mut sum, mut gain) = (x, y, 0.0, 1.0);
    for octave in 0..octaves {
        sum += gain * (noise(x, y, seed + octave) - 0.5);
        (x, y) = (1.6 * x - 1.2 * y + 7.3, 1.2 * x + 1.6 * y + 3.1);
        gain *= 0.5;
    }
    sum
}

/// Distance from `p` to the segment `a`–`b`.
fn distance(p: Point, a: Point, b: Point) -> f64 {
    let (dx, dy, px, py) = (b.0 - a.0, b.1 - a.1, p.0 - a.0, p.1 - a.1);
    let t = ((px * dx + py * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
    length(px - t * dx, py - t * dy)
}

/// Paints the segment `a`–`b` over `under`; the soft edge is a quarter of a pixel at 256 rows.
fn line(under: Rgb, p: Point, a: Point, b: Point, width: f64, colour: Rgb) -> Rgb {
    let cover = (0.5 + (width / 2.0 - distance(p, a, b)) * 1024.0).clamp(0.0, 1.0);
    mix(under, colour, cover)
}

// ---- leaf.png ------------------------------------------------------------------------------------

fn leaf(side: u32) -> Vec<u8> {
    let pixels = supersample(side, side, |x, y| {
        let (t, s) = leaf_axes(x - 0.025, y - 0.04);
        let shadow = 0.6 * smooth(-0.06, 0.09, leaf_edge(t, s, 0.0));
        let (t, s) = leaf_axes(x, y);
        let cover = smooth(-0.002, 0.002, leaf_edge(t, s, 0.02));
        let colour = if cover > 0.0 {
            leaf_colour(x, y)
        } else {
            [0.0; 3]
        };
        let ink = mix(scale(rgb(0x1A1E2C), shadow), colour, cover);
        [ink[0], ink[1], ink[2], cover + shadow * (1.0 - cover)]
    });
    let straight = |[r, g, b, a]: [f64; 4]| {
        let light = [r, g, b].map(|v| byte(encode(v / a.max(1e-9))));
        [light[0], light[1], light[2], byte(a)]
    };
    // A pixel that cannot be seen keeps no colour.
    let visible = |p: [u8; 4]| if p[3] == 0 { [0; 4] } else { p };
    pixels
        .into_iter()
        .flat_map(|p| visible(straight(p)))
        .collect()
}

/// Along the midrib from 0 at the stalk to 1 at the tip, and across it; the midrib bends a little.
fn leaf_axes(x: f64, y: f64) -> (f64, f64) {
    let (dx, dy) = ((x - 0.20) / 0.94, (0.80 - y) / 0.94);
    let (along, across) = (0.75 * dx + 0.6614 * dy, 0.6614 * dx - 0.75 * dy);
    (along, across - 0.16 * along * (0.9 - along))
}

/// Signed distance to the margin, positive inside; exact enough for a shadow.
fn leaf_edge(t: f64, s: f64, teeth: f64) -> f64 {
    let stalk = 0.011 - distance((t, s), (-0.16, 0.03), (0.02, 0.0));
    let end = t - t.clamp(0.0, 1.0);
    if end != 0.0 {
        return stalk.max(-length(end, s));
    }
    let tooth = fract(t * 15.0 + if s > 0.0 { 0.0 } else { 0.5 });
    let half =
        t.sqrt() * (1.0 - t) * (0.82 - 0.36 * t) + teeth * tooth * smooth(0.0, 0.3, t) * (1.0 - t);
    stalk.max(half - s.abs())
}

fn leaf_colour(x: f64, y: f64) -> Rgb {
    let (t, s) = leaf_axes(x, y);
    let (edge, aside) = (leaf_edge(t, s, 0.02), s.abs());
    let age = smooth(0.16, 0.0, edge + 0.16 * fractal(x * 7.0, y * 7.0, 4, 101));
    let rust = smooth(0.7, 1.1, age + 0.5 * fractal(x * 9.0, y * 9.0, 3, 105));
    let blade = mix(
        mix(rgb(0x4A8432), rgb(0xC9A93A), age),
        rgb(0xA8482A),
        0.85 * rust,
    );
    // Side veins leave the midrib in turn and curve towards the tip; `phase` counts them.
    let phase = (t - 0.42 * aside - 1.1 * aside * aside) * 9.5 + if s > 0.0 { 0.0 } else { 0.5 };
    let off = (fract(phase) - 0.5).abs();
    let width = 0.004 + 0.010 * edge / (edge + aside).max(0.02);
    let side = smooth(width, 0.3 * width, off / 9.5 * 0.85) * smooth(-0.3, 0.2, phase);
    let rib = smooth(0.011 - 0.008 * t, 0.004 - 0.003 * t, aside);
    let fine = smooth(0.10, 0.02, cells(x * 42.0, y * 42.0));
    let puff = 0.74 + 0.6 * smooth(0.0, 0.5, off) + 0.16 * fractal(x * 40.0, y * 40.0, 3, 108);
    let light = puff * (1.08 - 0.36 * smooth(-0.1, 0.1, s)) * (0.9 + 0.25 * t);
    let vein = (0.4 * fine).max(0.75 * side).max(rib);
    mix(scale(blade, light), rgb(0xE4DC9A), 0.8 * vein)
}

/// Second smallest less smallest distance to one random point a cell: 0 on the net between the points.
fn cells(x: f64, y: f64) -> f64 {
    let (mut first, mut second) = (9.0_f64, 9.0_f64);
    for k in 0..9 {
        let (i, j) = (x.floor() as i32 + k % 3 - 1, y.floor() as i32 + k / 3 - 1);
        let (dx, dy) = (
            f64::from(i) + hash(i, j, 110) - x,
            f64::from(j) + hash(i, j, 111) - y,
        );
        let d = length(dx, dy);
        second = second.min(d.max(first));
        first = first.min(d);
    }
    second - first
}

// ---- gradient16.png ------------------------------------------------------------------------------

/// A ball and a Siemens star before a backdrop that rises by at most 102 of 65,535 a pixel, where a step of 8 bits is 257.
fn gradient16(width: u32, height: u32) -> Vec<u8> {
    let grey = |x: f64, y: f64| {
        let backdrop = 0.30 + 0.10 * x + 0.06 * y - 0.05 * (x - 0.5) * (x - 0.5);
        [star(x, y).unwrap_or_else(|| ball(x, y, backdrop))]
    };
    let quantise = |[v]: [f64; 1]| ((v * 65535.0 + 0.5) as u16).to_ne_bytes();
    supersample(width, height, grey)
        .into_iter()
        .flat_map(quantise)
        .collect()
}

fn ball(x: f64, y: f64, backdrop: f64) -> f64 {
    let (u, v) = ((x - 0.36) / 0.25, (y - 0.47) / 0.25);
    let height = 1.0 - u * u - v * v;
    let (su, sv) = ((x - 0.42) / 0.27, (y - 0.73) / 0.07);
    let shade = backdrop * (1.0 - 0.45 * falloff(su * su + sv * sv, 0.7));
    if height < 0.0 {
        shade
    } else {
        0.34 + 0.40 * (0.75 * height.sqrt() - 0.45 * u - 0.5 * v).max(-0.5)
    }
}

/// Sixteen black and white pairs; `None` outside the disc.
fn star(x: f64, y: f64) -> Option<f64> {
    let (u, v) = ((x - 0.98) / 0.29, (y - 0.45) / 0.29);
    let r = length(u, v);
    if r > 1.0 {
        return None;
    }
    if r > 0.94 {
        return Some(0.12);
    }
    // The imaginary part of (u + iv)^16 has the sign of sin 16θ: four squarings, no arctangent.
    let power = (0..4).fold((0.8 * u - 0.6 * v, 0.6 * u + 0.8 * v), |(a, b), _| {
        (a * a - b * b, 2.0 * a * b)
    });
    Some(if power.1 > 0.0 { 0.88 } else { 0.12 })
}

// ---- icon.png ------------------------------------------------------------------------------------

/// A boat in seven flat colours, no blending between them.
fn icon(side: i32) -> Vec<u8> {
    let colour = |i: i32| icon_colour(i % side, i / side);
    (0..side * side)
        .flat_map(|i| colour(i).to_be_bytes().into_iter().skip(1))
        .collect()
}

fn icon_colour(x: i32, y: i32) -> u32 {
    let wave = (x % 16 - 8).abs() / 2;
    let (sx, sy) = (x - 49, y - 15);
    match (x, y) {
        _ if y >= 53 + wave => 0x14506B,
        _ if y >= 45 + wave => 0x2A86A5,
        _ if (40..50).contains(&y) && x >= y - 30 && x < 94 - y => 0xB5382E,
        _ if (5..10).contains(&y) && x >= 22 + (y - 7).abs() && x < 31 => 0xB5382E,
        _ if (30..32).contains(&x) && (5..40).contains(&y) => 0x2B2A33,
        _ if (33..52).contains(&x) && y < 37 && y >= 10 + (x - 33) * 27 / 19 => 0xFFF6E0,
        _ if (13..29).contains(&x) && y < 37 && y >= 14 + (28 - x) * 23 / 16 => 0xFFF6E0,
        _ if sx * sx + sy * sy < 70 => 0xF2B83A,
        _ => 0x9AD0E0,
    }
}
