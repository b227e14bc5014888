//! Sine and cosine.
//!
//! The argument is reduced to r = x − nπ in [-π/2, π/2] with π in three parts, so that the products with n are exact (Cody and
//! Waite 1980), and sin r and cos r are minimax polynomials; their sign is the parity of n. Maximum absolute error for
//! |x| ≤ 10⁴: 2e-7. Chunks of 256, or rows of harmonics, with a larger argument, an infinity or NaN go to the standard library.

use super::{check_lengths, dispatch, for_each, mul_add};

/// Elements that are checked against [`LIMIT`] together, few enough to stay in the L1 cache.
pub(super) const CHUNK: usize = 256;

/// The largest |x| whose n, at most 3183, still has an exact product with [`PI_HIGH`] and [`PI_MIDDLE`].
const LIMIT: f32 = 1e4;

// π in three parts; the first two have 11 significant bits.
const PI_HIGH: f32 = 3.140_625;
const PI_MIDDLE: f32 = 9.675_026e-4;
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

/// Replaces z by sin(ω₀ z).
pub fn sine_in_place(z: &mut [f32], omega_0: f32) {
    dispatch!(sine_in_place_body(z: &mut [f32], omega_0: f32));
}

#[inline(always)]
fn sine_in_place_body<const FMA: bool>(z: &mut [f32], omega_0: f32) {
    for z in z.chunks_mut(CHUNK) {
        if is_beyond_limit(z, omega_0) {
            sine_in_place_library(z, omega_0);
        } else {
            for_each(
                [],
                [z],
                #[inline(always)]
                |[], [z]| [sin_cos_lane::<FMA>(omega_0 * z)[0]],
            );
        }
    }
}

#[cold]
#[inline(never)]
fn sine_in_place_library(z: &mut [f32], omega_0: f32) {
    for_each([], [z], |[], [z]| [(omega_0 * z).sin()]);
}

/// Replaces z by y = sin(ω₀ z) and writes the derivative dy/dz = ω₀ cos(ω₀ z) (SIREN, Sitzmann et al. 2020, eq. 5).
pub fn sine_forward(z: &mut [f32], omega_0: f32, derivative: &mut [f32]) {
    check_lengths(&[z], &[derivative], z.len());
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

/// sin(h ω₀ x) and its derivative for h = 1..H; `x`: `[rows, d]`, `value` and `derivative`: `[rows, H·d]` with harmonic h of column i in
/// column (h−1)·d + i.
pub fn harmonics_forward(
    x: &[f32],
    d: usize,
    omega_0: f32,
    value: &mut [f32],
    derivative: &mut [f32],
) {
    check_lengths(&[], &[derivative], value.len());
    assert!(
        x.len().is_multiple_of(d) && value.len().is_multiple_of(x.len().max(1)),
        "the harmonics must be of whole rows, as many as there are inputs"
    );
    dispatch!(harmonics_forward_body(
        x: &[f32], d: usize, omega_0: f32, value: &mut [f32], derivative: &mut [f32]
    ));
}

#[inline(always)]
fn harmonics_forward_body<const FMA: bool>(
    x: &[f32],
    d: usize,
    omega_0: f32,
    value: &mut [f32],
    derivative: &mut [f32],
) {
    let harmonics = value.len() / x.len().max(1);
    let blocks = value
        .chunks_exact_mut(d)
        .zip(derivative.chunks_exact_mut(d));
    for (block, (value, derivative)) in blocks.enumerate() {
        let x = &x[block / harmonics * d..][..d];
        let omega = (block % harmonics + 1) as f32 * omega_0;
        if is_beyond_limit(x, omega) {
            value.copy_from_slice(x);
            sine_forward_library(value, omega, derivative);
        } else {
            for_each(
                [x],
                [value, derivative],
                #[inline(always)]
                |[x], _| {
                    let [sin, cos] = sin_cos_lane::<FMA>(omega * x);
                    [sin, omega * cos]
                },
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{for_every_instruction_set, scattered};
    use super::*;

    /// Largest error of sin and cos against f64 for `count` arguments in [-limit, limit].
    fn worst_error(count: usize, limit: f32) -> f64 {
        let x = scattered(count, -limit, limit);
        let (mut s, mut c, mut only) = (x.clone(), vec![0.0; count], x.clone());
        sine_forward(&mut s, 1.0, &mut c);
        sine_in_place(&mut only, 1.0);
        assert_eq!(s, only);
        let errors = x.iter().zip(s.iter().zip(&c)).map(|(x, (s, c))| {
            let (exact_s, exact_c) = f64::from(*x).sin_cos();
            let error = (f64::from(*s) - exact_s).abs();
            error.max((f64::from(*c) - exact_c).abs())
        });
        errors.fold(0.0, f64::max)
    }

    #[test]
    fn errors_are_small_up_to_the_limit_and_beyond() {
        for_every_instruction_set(|set| {
            for limit in [4.0, 1e3, 1e4, 1e7] {
                let error = worst_error(1_000_003, limit);
                assert!(error <= 2e-7, "{set}: {error:e} up to {limit}");
            }
        });
    }

    #[test]
    #[should_panic(expected = "one length")]
    fn outputs_shorter_by_whole_chunks_are_refused() {
        sine_forward(&mut [0.0; 2 * CHUNK], 1.0, &mut [0.0; CHUNK]);
    }

    #[test]
    fn special_values() {
        for_every_instruction_set(|_| {
            let x = [
                0.0,
                -0.0,
                f32::MAX,
                f32::INFINITY,
                f32::NEG_INFINITY,
                f32::NAN,
                1e-40,
            ];
            let (mut s, mut c) = (x, [7.0; 7]);
            sine_forward(&mut s, 1.0, &mut c);
            assert_eq!((s[0], c[0]), (0.0, 1.0));
            assert_eq!((s[1], c[1]), (0.0, 1.0));
            // An argument beyond the limit goes the way of the library with its whole chunk.
            assert_eq!((s[2], c[2]), f32::MAX.sin_cos());
            assert!(s[3..6].iter().chain(&c[3..6]).all(|value| value.is_nan()));
            assert_eq!(s[6], 1e-40);
        });
    }

    // y = sin(ω₀ z) and ω₀ cos(ω₀ z) in f64; the rounding of the product ω₀ z moves both by up to 2⁻²⁴ |ω₀ z|.
    #[test]
    fn sine_forward_gives_value_and_derivative() {
        for_every_instruction_set(|set| {
            for (length, limit) in [(1, 1.0), (181, 3.0), (1000, 2e3)] {
                let z = scattered(length, -limit, limit);
                let (mut y, mut derivative) = (z.clone(), vec![0.0; length]);
                sine_forward(&mut y, 30.0, &mut derivative);
                for ((z, y), derivative) in z.iter().zip(y).zip(derivative) {
                    let phase = 30.0 * f64::from(*z);
                    let bound = 2e-7 + phase.abs() * f64::from(f32::EPSILON) / 2.0;
                    assert!((f64::from(y) - phase.sin()).abs() <= bound, "{set}: z {z}");
                    let error = f64::from(derivative) / 30.0 - phase.cos();
                    assert!(error.abs() <= bound, "{set}: z {z}");
                }
            }
        });
    }
}
