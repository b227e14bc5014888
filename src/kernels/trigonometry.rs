//! Sine and cosine.
//!
//! The argument is reduced to r = x − nπ in [-π/2, π/2] with π in three parts, so that the products with n are exact (Cody and
//! Waite 1980), and sin r and cos r are minimax polynomials; their sign is the parity of n. Maximum absolute error for
//! |x| ≤ 10⁴: 1.5e-7. Chunks of 256 with a larger argument, an infinity or NaN go to the standard library.

use super::{dispatch, for_each, mul_add};

/// Elements that are checked against [`LIMIT`] together, few enough to stay in the L1 cache.
pub(super) const CHUNK: usize = 256;

/// The largest |x| whose n, at most 3183, still has an exact product with [`PI_HIGH`] and [`PI_MIDDLE`].
const LIMIT: f32 = 1e4;

// π in three parts; the first two have 11 significant bits.
const PI_HIGH: f32 = 3.140_625;
const PI_MIDDLE: f32 = 9.675_025_9e-4;
const PI_LOW: f32 = 1.509_958e-7;

/// 1.5·2²³: adding it rounds a number below 2²² to an integer, which then stands in the low bits.
pub(super) const ROUND: f32 = 12_582_912.0;

/// sin r and cos r for |r| ≤ π/2, with the sign of cos(nπ), where the lowest bit of `n` is the parity of n.
///
/// sin r = r + r³ P(r²) with error 5e-9 and cos r = 1 + r² Q(r²) with error 5e-10 on [-π/2, π/2]; minimax fits (Lawson's
/// iteration in f64), the coefficients rounded to f32 one after the other with a new fit of the others.
#[inline(always)]
pub(super) fn sin_cos_reduced<const FMA: bool>(r: f32, n: u32) -> [f32; 2] {
    let square = r * r;
    let p = mul_add::<FMA>(square, 2.598_857e-6, -1.980_603_3e-4);
    let p = mul_add::<FMA>(square, p, 8.333_009e-3);
    let p = mul_add::<FMA>(square, p, -1.666_665_7e-1);
    let sin = mul_add::<FMA>(r * square, p, r);
    let q = mul_add::<FMA>(square, -2.620_901_7e-7, 2.477_018e-5);
    let q = mul_add::<FMA>(square, q, -1.388_858_5e-3);
    let q = mul_add::<FMA>(square, q, 4.166_665_7e-2);
    let q = mul_add::<FMA>(square, q, -0.5);
    let cos = mul_add::<FMA>(square, q, 1.0);
    let sign = n << 31;
    [
        f32::from_bits(sin.to_bits() ^ sign),
        f32::from_bits(cos.to_bits() ^ sign),
    ]
}

/// sin x and cos x for |x| ≤ [`LIMIT`].
#[inline(always)]
pub(super) fn sin_cos_lane<const FMA: bool>(x: f32) -> [f32; 2] {
    let shifted = mul_add::<FMA>(x, std::f32::consts::FRAC_1_PI, ROUND);
    let n = shifted - ROUND;
    let r = mul_add::<FMA>(n, -PI_HIGH, x);
    let r = mul_add::<FMA>(n, -PI_MIDDLE, r);
    let r = mul_add::<FMA>(n, -PI_LOW, r);
    sin_cos_reduced::<FMA>(r, shifted.to_bits())
}

/// Whether any |factor · x| is above [`LIMIT`], infinite or NaN: too much for [`sin_cos_lane`].
#[inline(always)]
pub(super) fn is_beyond_limit(x: &[f32], factor: f32) -> bool {
    // Without their sign bit, floats are ordered as integers, and NaN comes last.
    let sizes = x.iter().map(|x| (factor * x).to_bits() & 0x7fff_ffff);
    sizes.fold(0, u32::max) > LIMIT.to_bits()
}

/// sin x and cos x.
pub fn sin_cos(x: &[f32], sin: &mut [f32], cos: &mut [f32]) {
    dispatch!(sin_cos_body(x: &[f32], sin: &mut [f32], cos: &mut [f32]));
}

#[inline(always)]
fn sin_cos_body<const FMA: bool>(x: &[f32], sin: &mut [f32], cos: &mut [f32]) {
    let chunks = x
        .chunks(CHUNK)
        .zip(sin.chunks_mut(CHUNK))
        .zip(cos.chunks_mut(CHUNK));
    for ((x, sin), cos) in chunks {
        if is_beyond_limit(x, 1.0) {
            sin_cos_library(x, sin, cos);
        } else {
            for_each(
                [x],
                [sin, cos],
                #[inline(always)]
                |[x], _| sin_cos_lane::<FMA>(x),
            );
        }
    }
}

#[cold]
#[inline(never)]
fn sin_cos_library(x: &[f32], sin: &mut [f32], cos: &mut [f32]) {
    for_each([x], [sin, cos], |[x], _| x.sin_cos().into());
}

/// y = sin x.
pub fn sin(x: &[f32], y: &mut [f32]) {
    dispatch!(sin_body(x: &[f32], y: &mut [f32]));
}

#[inline(always)]
fn sin_body<const FMA: bool>(x: &[f32], y: &mut [f32]) {
    for (x, y) in x.chunks(CHUNK).zip(y.chunks_mut(CHUNK)) {
        if is_beyond_limit(x, 1.0) {
            sin_library(x, y);
        } else {
            for_each(
                [x],
                [y],
                #[inline(always)]
                |[x], _| [sin_cos_lane::<FMA>(x)[0]],
            );
        }
    }
}

#[cold]
#[inline(never)]
fn sin_library(x: &[f32], y: &mut [f32]) {
    for_each([x], [y], |[x], _| [x.sin()]);
}

/// Replaces z by y = sin(ω₀ z) and writes the derivative dy/dz = ω₀ cos(ω₀ z) (SIREN, Sitzmann et al. 2020, eq. 5).
pub fn sine_forward(z: &mut [f32], omega_0: f32, derivative: &mut [f32]) {
    dispatch!(sine_forward_body(z: &mut [f32], omega_0: f32, derivative: &mut [f32]));
}

#[inline(always)]
fn sine_forward_body<const FMA: bool>(z: &mut [f32], omega_0: f32, derivative: &mut [f32]) {
    for (z, derivative) in z.chunks_mut(CHUNK).zip(derivative.chunks_mut(CHUNK)) {
        if is_beyond_limit(z, omega_0) {
            sine_forward_library(z, omega_0, derivative);
        } else {
            for_each(
                [],
                [z, derivative],
                #[inline(always)]
                |[], [z, _]| {
                    let [sin, cos] = sin_cos_lane::<FMA>(omega_0 * z);
                    [sin, omega_0 * cos]
                },
            );
        }
    }
}

#[cold]
#[inline(never)]
fn sine_forward_library(z: &mut [f32], omega_0: f32, derivative: &mut [f32]) {
    for_each([], [z, derivative], |[], [z, _]| {
        let (sin, cos) = (omega_0 * z).sin_cos();
        [sin, omega_0 * cos]
    });
}
