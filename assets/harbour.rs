//! The harbour: a picture with the statistics of a photograph, from wide glow to rigging half a pixel thick.

use crate::{Point, Rgb};
use crate::{
    add, byte, encode, falloff, fract, fractal, hash, length, line, mix, rgb, scale, smooth,
    supersample,
};

const SUN: Point = (1.225, 0.335);
/// Where the far shore and the quay meet the water.
const SHORE: f64 = 0.585;
const QUAY_TOP: f64 = 0.552;
/// Where the schooner floats: nearer to us, so lower in the picture.
const KEEL: f64 = 0.715;

pub fn harbour(width: u32, height: u32) -> Vec<u8> {
    let scene = |x, y| {
        let backdrop = if y < SHORE { land(x, y) } else { water(x, y) };
        posts(x, y, schooner(x, y, backdrop))
    };
    let pixels = supersample(width, height, scene);
    let mut bytes = Vec::with_capacity(pixels.len() * 3);
    for (i, light) in pixels.into_iter().enumerate() {
        let (x, y) = (i as i32 % width as i32, i as i32 / width as i32);
        let off_axis = |i, n| f64::from(i) / f64::from(n) - 0.5;
        let vignette = 1.0 - 0.6 * length(off_axis(x, width), off_axis(y, height));
        for (c, v) in (0u32..).zip(light) {
            // Film grain: one part common to all dye layers, one part of its own.
            let grain = hash(x, y, 90) + hash(x, y, 91) - 1.0 + 0.5 * (hash(x, y, 92 + c) - 0.5);
            bytes.push(byte(encode(v * vignette) + 0.014 * grain));
        }
    }
    bytes
}

/// Everything above the waterline except the schooner.
fn land(x: f64, y: f64) -> Rgb {
    let backdrop = gulls(x, y, hills(x, y, sky(x, y)));
    quay(x, y, town(x, y, lighthouse(x, y, backdrop)))
}

fn glow(x: f64, y: f64) -> f64 {
    let r = length(x - SUN.0, y - SUN.1);
    0.40 * falloff(r, 0.07) + 0.35 * falloff(r, 0.26)
}

fn sky(x: f64, y: f64) -> Rgb {
    let h = y / SHORE;
    let air = mix(rgb(0x3F74AE), rgb(0xA3C4DC), smooth(0.0, 0.8, h));
    let air = mix(air, rgb(0xE9CBA4), 0.85 * smooth(0.5, 1.0, h));
    let (u, v) = (x * 2.6 + 4.0, y * 6.0 + 1.5);
    let density = fractal(u, v, 7, 10) - 0.12 * h;
    let cloud = 0.9 * smooth(-0.02, 0.36, density);
    // A cloud is bright where it thins out towards the sun.
    let lit = (0.45 + 1.5 * (density - fractal(u + 0.15, v + 0.2, 5, 10))).clamp(0.0, 1.0);
    let air = mix(air, mix(rgb(0x93A0B6), rgb(0xFFF3E2), lit), cloud);
    let disc = smooth(0.030, 0.026, length(x - SUN.0, y - SUN.1));
    add(air, scale(rgb(0xFFD9A0), glow(x, y) + disc))
}

fn hills(x: f64, y: f64, under: Rgb) -> Rgb {
    let far = 0.445 - 0.22 * fractal(x * 2.2 + 2.6, 0.5, 6, 20);
    let near = 0.505 - 0.20 * fractal(x * 2.9 + 9.0, 0.5, 6, 30);
    let mut colour = under;
    for (ridge, base, rough, haze) in [
        (far, rgb(0x6D819C), 26.0, 0.30),
        (near, rgb(0x4C5F40), 40.0, 0.06),
    ] {
        if y > ridge {
            // Slopes that face the sun are lighter; `bump` is the height field seen from the front.
            let bump = |x: f64, y: f64| fractal(x * rough, y * rough * 1.6, 5, 40);
            let light = 1.0 + 1.6 * (bump(x, y) - bump(x + 0.008, y - 0.006)) + 0.5 * bump(x, y);
            let air = add(rgb(0xA9B4BE), scale(rgb(0xFFC890), 0.8 * glow(x, y)));
            let fog = haze + (1.0 - haze) * 0.35 * smooth(ridge, SHORE + 0.03, y);
            colour = mix(scale(base, light.max(0.25)), air, fog);
        }
    }
    colour
}

fn gulls(x: f64, y: f64, under: Rgb) -> Rgb {
    let mut colour = under;
    for (gx, gy, span) in [
        (0.62, 0.13, 0.020),
        (0.69, 0.10, 0.015),
        (0.745, 0.155, 0.012),
    ] {
        for side in [-1.0, 1.0] {
            let (tip, joint) = (
                (gx + side * span, gy - 0.2 * span),
                (gx + side * 0.5 * span, gy - 0.45 * span),
            );
            colour = line(colour, (x, y), (gx, gy), joint, 0.0045, rgb(0x4A5058));
            colour = line(colour, (x, y), joint, tip, 0.0028, rgb(0x4A5058));
        }
    }
    colour
}

fn lighthouse(x: f64, y: f64, under: Rgb) -> Rgb {
    let (dx, iron) = (x - 1.42, rgb(0x3A3E44));
    let half = 0.016 + 0.05 * (y - 0.28);
    let round = 0.45 + 0.75 * smooth(half, -0.9 * half, dx);
    let mut colour = line(under, (x, y), (1.42, 0.227), (1.42, 0.205), 0.0025, iron);
    if y < 0.240 && length(dx, y - 0.238) < 0.012 {
        colour = scale(rgb(0xA83428), round);
    }
    if (0.240..0.280).contains(&y) && dx.abs() < 0.011 {
        let bar = fract(dx / 0.0073 + 0.5) < 0.2;
        colour = if bar { iron } else { rgb(0xFFE9A8) };
    }
    if (0.285..0.53).contains(&y) && dx.abs() < half {
        let red = fract((y - 0.285) / 0.086) < 0.5;
        colour = scale(if red { rgb(0xB8392B) } else { rgb(0xF1ECE0) }, round);
    }
    colour = line(colour, (x, y), (1.398, 0.283), (1.442, 0.283), 0.006, iron);
    colour = line(colour, (x, y), (1.406, 0.240), (1.434, 0.240), 0.004, iron);
    let crag = smooth(0.22, 0.0, dx.abs()) * (0.75 + 0.8 * fractal(x * 14.0, 3.0, 6, 50));
    if y < SHORE + 0.005 - 0.13 * crag {
        return colour;
    }
    let grain = |x: f64, y: f64| fractal(x * 45.0, y * 70.0, 5, 51);
    let light = 0.75 + 1.1 * (grain(x, y) - grain(x + 0.008, y - 0.006)) + 0.4 * grain(x, y);
    scale(
        rgb(0x6E655B),
        light.max(0.12) * smooth(SHORE + 0.01, 0.52, y).max(0.35),
    )
}

struct House {
    left: f64,
    width: f64,
    eaves: f64,
    rise: f64,
    wall: u32,
    roof: u32,
    columns: f64,
    storeys: f64,
}

#[rustfmt::skip]
const TOWN: [House; 7] = [
    House { left: 0.205, width: 0.050, eaves: 0.260, rise: 0.110, wall: 0xB9AA94, roof: 0x4E6B66, columns: 1.0, storeys: 6.0 },
    House { left: -0.04, width: 0.135, eaves: 0.340, rise: 0.060, wall: 0xC98F5E, roof: 0x7A3B2C, columns: 4.0, storeys: 4.0 },
    House { left: 0.095, width: 0.110, eaves: 0.385, rise: 0.075, wall: 0xE3D9C4, roof: 0x59463E, columns: 3.0, storeys: 3.0 },
    House { left: 0.205, width: 0.095, eaves: 0.350, rise: 0.065, wall: 0xA94F3E, roof: 0x44464C, columns: 3.0, storeys: 4.0 },
    House { left: 0.300, width: 0.075, eaves: 0.410, rise: 0.055, wall: 0x7F98A8, roof: 0x6A3A2E, columns: 2.0, storeys: 3.0 },
    House { left: 0.735, width: 0.085, eaves: 0.430, rise: 0.060, wall: 0xD9B46A, roof: 0x70402F, columns: 3.0, storeys: 3.0 },
    House { left: 0.375, width: 0.360, eaves: 0.425, rise: 0.055, wall: 0xB7654A, roof: 0x51555A, columns: 9.0, storeys: 1.0 },
];

fn town(x: f64, y: f64, under: Rgb) -> Rgb {
    let colour = TOWN.iter().fold(under, |under, h| house(h, x, y, under));
    sign(x, y, colour)
}

fn house(h: &House, x: f64, y: f64, under: Rgb) -> Rgb {
    let u = (x - h.left) / h.width;
    let ridge = h.eaves - h.rise * (1.0 - (2.0 * u - 1.0).abs());
    if !(0.0..1.0).contains(&u) || !(ridge..QUAY_TOP).contains(&y) {
        return under;
    }
    if y < ridge + 0.010 {
        return scale(rgb(h.roof), if u < 0.5 { 0.7 } else { 1.15 });
    }
    // Courses of brick under weather stains.
    let course = (y * 128.0).floor();
    let joint = fract(y * 128.0) < 0.3 || fract(x * 64.0 + course * 0.5) < 0.14;
    let stain = 1.0 + 0.5 * fractal(x * 30.0, y * 14.0, 4, 60) - if joint { 0.10 } else { 0.0 };
    let shade = (0.82 + 0.3 * u) * (1.0 - 0.35 * smooth(0.03, 0.0, y - ridge - 0.010));
    let wall = scale(rgb(h.wall), stain * shade);
    let v = (y - h.eaves) / (QUAY_TOP - h.eaves);
    let large = h.storeys < 2.0;
    let (cu, cv) = (fract(u * h.columns), fract(v * h.storeys));
    let (top, bottom) = if large { (0.55, 0.98) } else { (0.24, 0.76) };
    if v < 0.0 || !(0.22..0.78).contains(&cu) || !(top..bottom).contains(&cv) {
        return wall;
    }
    let frame = !(0.29..0.71).contains(&cu) || cv < top + 0.07 || (cu - 0.5).abs() < 0.035;
    if frame && !large {
        return scale(rgb(0xEDE6D8), shade);
    }
    let key = ((u * h.columns) as i32, (v * h.storeys) as i32);
    if hash(key.0, key.1, (h.wall & 255) + 61) < 0.22 {
        return mix(rgb(0xFFD27A), rgb(0xC47F35), (cv - top) / (bottom - top));
    }
    mix(
        rgb(0x35424E),
        rgb(0x7F94A2),
        smooth(bottom, top, cv + 0.2 * cu),
    )
}

const SIGN: &str = "SIREN FISH CO";

/// Rows of a 5×7 glyph, top first; the highest of five bits is the left column.
fn glyph(letter: u8) -> [u8; 7] {
    match letter {
        b'C' => [
            0b01110, 0b10001, 0b10000, 0b10000, 0b10000, 0b10001, 0b01110,
        ],
        b'E' => [
            0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b11111,
        ],
        b'F' => [
            0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b10000,
        ],
        b'H' => [
            0b10001, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001,
        ],
        b'I' => [
            0b01110, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110,
        ],
        b'N' => [
            0b10001, 0b11001, 0b10101, 0b10101, 0b10011, 0b10001, 0b10001,
        ],
        b'O' => [
            0b01110, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110,
        ],
        b'R' => [
            0b11110, 0b10001, 0b10001, 0b11110, 0b10100, 0b10010, 0b10001,
        ],
        b'S' => [
            0b01111, 0b10000, 0b10000, 0b01110, 0b00001, 0b00001, 0b11110,
        ],
        _ => [0; 7],
    }
}

/// The board of the fish hall, one font dot a pixel at 256 rows.
fn sign(x: f64, y: f64, under: Rgb) -> Rgb {
    let (u, v) = (x * 256.0 - 104.0, y * 256.0 - 114.0);
    let length = 6.0 * SIGN.len() as f64 - 1.0;
    if !(-3.0..length + 3.0).contains(&u) || !(-2.0..9.0).contains(&v) {
        return under;
    }
    let inside = (0.0..length).contains(&u) && (0.0..7.0).contains(&v);
    let ink = inside && {
        let (column, row) = (u as usize, v as usize);
        let bits = glyph(SIGN.as_bytes()[column / 6])[row];
        column % 6 < 5 && bits >> (4 - column % 6) & 1 == 1
    };
    if ink { rgb(0xF6EBCB) } else { rgb(0x1F3F4F) }
}

fn quay(x: f64, y: f64, under: Rgb) -> Rgb {
    let mut colour = under;
    for k in 0..6 {
        let (foot, top) = (0.07 + 0.15 * f64::from(k), 0.492);
        colour = line(
            colour,
            (x, y),
            (foot, QUAY_TOP),
            (foot, top),
            0.003,
            rgb(0x2E3236),
        );
        colour = line(
            colour,
            (x, y),
            (foot, top),
            (foot + 0.004, top),
            0.008,
            rgb(0xFFE7B0),
        );
    }
    if y < QUAY_TOP || x > 0.86 {
        return colour;
    }
    let row = ((y - QUAY_TOP) * 96.0).floor();
    let joint = fract((y - QUAY_TOP) * 96.0) < 0.12 || fract(x * 22.0 + row * 0.37) < 0.05;
    let stone = 1.0 + 0.6 * fractal(x * 70.0, y * 70.0, 4, 70) - if joint { 0.45 } else { 0.0 };
    let stone = stone * (1.0 - 0.55 * smooth(QUAY_TOP + 0.012, SHORE, y));
    scale(
        rgb(0x9C9285),
        if y < QUAY_TOP + 0.004 { 1.3 } else { stone },
    )
}

/// Two mixes of the same waves, which grow towards us: the tilt that bends a reflection, and the crests.
fn ripples(x: f64, y: f64) -> (f64, f64) {
    let depth = y - SHORE;
    let (u, v) = ((x - 0.75) / (0.12 + depth), depth.max(0.0).sqrt());
    let swell = fractal(u * 2.6, v * 24.0, 3, 80);
    let ripple = fractal(u * 11.0 + 2.0 * swell, v * 85.0, 5, 84);
    (0.4 * swell + 0.6 * ripple, ripple + 0.35 * swell)
}

/// The water mirrors the shore about `SHORE` and the schooner about `KEEL`.
fn water(x: f64, y: f64) -> Rgb {
    let depth = y - SHORE;
    let (slope, crest) = ripples(x, y);
    let tilt = slope * (0.02 + depth);
    let (mx, shift) = (x + 0.07 * tilt, 0.42 * tilt);
    let mut mirrored = land(mx, (SHORE - 0.9 * depth + shift).clamp(0.0, SHORE - 1e-6));
    if y > KEEL {
        mirrored = schooner(mx, (2.0 * KEEL - y + shift).min(KEEL), mirrored);
    }
    // Fresnel: the nearer the water and the more a ripple faces us, the more of the deep shows.
    let deep = mix(rgb(0x2C5A66), rgb(0x0D2C38), smooth(0.0, 0.4, depth));
    let facing = 0.14 + 0.9 * depth + 1.3 * crest * (0.15 + depth);
    let colour = mix(scale(mirrored, 0.93), deep, facing.clamp(0.04, 0.9));
    let path = falloff(x - SUN.0, 0.03 + 0.12 * depth) * (1.0 - 1.2 * depth);
    add(
        colour,
        scale(rgb(0xFFDDA8), 0.9 * path * smooth(0.16, 0.42, crest)),
    )
}

/// Mooring posts in the foreground with their reflections.
fn posts(x: f64, y: f64, under: Rgb) -> Rgb {
    let mut colour = under;
    for (middle, top, foot) in [
        (0.205, 0.735, 0.865),
        (0.125, 0.690, 0.905),
        (0.165, 0.715, 0.935),
    ] {
        let wet = y > foot;
        let tilt = if wet {
            ripples(x, y).0 * 0.5 * (y - foot).min(0.1)
        } else {
            0.0
        };
        let v = if wet { 2.0 * foot - y + 1.5 * tilt } else { y };
        let dx = (x + 0.6 * tilt - middle) / 0.0155;
        if dx.abs() > 1.0 || !(top + 0.003 * dx * dx..=foot).contains(&v) {
            continue;
        }
        let grain = 1.0 + 0.8 * fractal(x * 160.0, v * 14.0, 4, 95);
        let wood = mix(
            rgb(0x8A7560),
            rgb(0x2B3326),
            smooth(foot - 0.050, foot - 0.035, v),
        );
        let wood = if v < top + 0.012 {
            rgb(0xDAD2C4)
        } else {
            scale(wood, grain)
        };
        let light = 0.3 + 0.85 * smooth(-1.0, 0.9, dx);
        colour = mix(scale(wood, light), colour, if wet { 0.35 } else { 0.0 });
    }
    colour
}

const MAST: [(f64, f64); 2] = [(0.925, 0.150), (1.085, 0.185)];
const DECK: f64 = 0.655;

/// Spars and furled sails: ends, width, display colour.
#[rustfmt::skip]
const SPARS: [(Point, Point, f64, u32); 12] = [
    ((0.925, DECK), (0.925, 0.150), 0.0075, 0x6B4A30), ((1.085, DECK), (1.085, 0.185), 0.0075, 0x6B4A30),
    ((1.215, 0.640), (1.345, 0.590), 0.0065, 0x6B4A30),
    ((0.920, 0.585), (0.745, 0.570), 0.0060, 0x7C5A3A), ((0.920, 0.390), (0.800, 0.300), 0.0050, 0x7C5A3A),
    ((1.080, 0.590), (0.945, 0.578), 0.0060, 0x7C5A3A), ((1.080, 0.400), (0.985, 0.325), 0.0050, 0x7C5A3A),
    ((0.905, 0.573), (0.770, 0.561), 0.0150, 0xE6DCC6), ((1.065, 0.579), (0.965, 0.569), 0.0140, 0xE6DCC6),
    ((0.770, 0.561), (0.905, 0.568), 0.0035, 0xA89A82), ((0.965, 0.569), (1.065, 0.574), 0.0035, 0xA89A82),
    ((1.225, 0.632), (1.300, 0.603), 0.0110, 0xE6DCC6),
];

/// Standing and running rigging, all of it 0.5 to 0.6 pixels thick.
const RIGGING: [(Point, Point); 14] = [
    ((0.925, 0.155), (1.085, 0.190)),
    ((0.925, 0.280), (1.085, 0.440)),
    ((1.085, 0.190), (1.343, 0.590)),
    ((1.085, 0.270), (1.285, 0.613)),
    ((1.085, 0.330), (1.225, 0.635)),
    ((0.925, 0.155), (0.800, 0.300)),
    ((0.925, 0.260), (0.840, 0.330)),
    ((1.085, 0.190), (0.985, 0.325)),
    ((0.800, 0.300), (0.747, 0.570)),
    ((0.925, 0.160), (0.747, 0.570)),
    ((0.985, 0.325), (0.947, 0.578)),
    ((0.747, 0.570), (0.800, DECK)),
    ((0.925, 0.160), (0.775, 0.640)),
    ((1.343, 0.590), (1.205, 0.690)),
];

fn schooner(x: f64, y: f64, under: Rgb) -> Rgb {
    if !(0.73..1.36).contains(&x) || !(0.10..=KEEL).contains(&y) {
        return under;
    }
    let mut colour = under;
    for (a, b) in RIGGING {
        colour = line(colour, (x, y), a, b, 0.0022, rgb(0x33302C));
    }
    for (foot, top) in MAST {
        colour = shrouds(x, y, foot, top + 0.11, colour);
    }
    for (a, b, width, hex) in SPARS {
        let round = 0.8 + 0.3 * smooth(-width, width, x - a.0 + a.1 - y);
        colour = line(colour, (x, y), a, b, width, scale(rgb(hex), round));
    }
    hull(x, y, colour)
}

/// Three stays on each side of a mast with ratlines between them.
fn shrouds(x: f64, y: f64, foot: f64, top: f64, under: Rgb) -> Rgb {
    let rope = rgb(0x33302C);
    let mut colour = under;
    for k in [-3.0, -2.0, -1.0, 1.0, 2.0, 3.0] {
        colour = line(
            colour,
            (x, y),
            (foot, top),
            (foot + 0.013 * k, DECK),
            0.0016,
            rope,
        );
    }
    let spread = 0.039 * (y - top) / (DECK - top);
    let aside = (x - foot).abs();
    let rung = (fract(y * 64.0) - 0.5).abs() < 0.04;
    if rung && y < DECK && aside < spread && aside > spread / 3.0 {
        mix(colour, rope, 0.7)
    } else {
        colour
    }
}

fn hull(x: f64, y: f64, under: Rgb) -> Rgb {
    let (stern, bow) = (0.770 + 0.5 * (y - 0.63).max(0.0), 1.232 - 0.7 * (y - 0.62));
    let u = (x - 0.78) / 0.45;
    let rail = 0.652 - 0.035 * (u - 0.42) * (u - 0.42) / 0.34 + 0.006;
    let cabin = (0.985..1.045).contains(&x) || (0.815..0.865).contains(&x);
    if cabin && (rail - 0.022..rail).contains(&y) {
        let pane = fract((x - 0.815) * 60.0) < 0.5 && (y - rail + 0.012).abs() < 0.005;
        return if pane { rgb(0x2A3238) } else { rgb(0xD8CDB8) };
    }
    if !(stern..bow).contains(&x) || y < rail {
        return under;
    }
    let plank = 1.0 + 0.4 * fractal(x * 20.0, y * 220.0, 3, 86);
    let round = 0.55 + 0.6 * smooth(0.0, 1.0, u) * smooth(KEEL, rail, y) + 0.25 * glow(x, y);
    let hole = (fract(x * 24.0) - 0.5) / 24.0;
    let paint = match y - rail {
        h if h < 0.006 => 0x9A7048,
        _ if y > KEEL - 0.010 => 0x8A3A2C,
        h if (0.014..0.018).contains(&h) => 0xE9E2D0,
        h if hole * hole + (h - 0.027) * (h - 0.027) < 0.000012 && u < 0.9 => 0xD9C48A,
        _ => 0x274A48,
    };
    scale(rgb(paint), plank * round)
}
