//! The complex Gabor wavelet of WIRE, ψ(z) = exp(i ω₀ z) exp(−|s₀ z|²) (Saragadam et al. 2023, eq. 4), on pairs of reals.
//!
//! With z = a + i b, i ω₀ z = −ω₀ b + i ω₀ a, so with m = exp(−ω₀ b − s₀² (a² + b²)):
//!
//! Re ψ = m cos(ω₀ a), Im ψ = m sin(ω₀ a).
//!
//! Backward: ∂m/∂a = −2 s₀² a m and ∂m/∂b = −(ω₀ + 2 s₀² b) m, and the phase depends on a alone, so
//!
//! - ∂Re/∂a = −2 s₀² a Re − ω₀ Im, ∂Im/∂a = −2 s₀² a Im + ω₀ Re;
//! - ∂Re/∂b = −(ω₀ + 2 s₀² b) Re, ∂Im/∂b = −(ω₀ + 2 s₀² b) Im.
//!
//! With the gradients g of Re and h of Im, p = g Re + h Im and q = h Re − g Im:
//!
//! grad a = ω₀ q − 2 s₀² a p, grad b = −(ω₀ + 2 s₀² b) p.
//!
//! All of it follows from a, b, Re, Im: the forward pass saves nothing else and the backward pass needs no exponential.

use super::activation::exp_lane;
use super::trigonometry::{CHUNK, is_beyond_limit, sin_cos_lane};
use super::{dispatch, for_each, mul_add};

/// Writes Re ψ and Im ψ for z = a + i b.
pub fn gabor(a: &[f32], b: &[f32], omega_0: f32, s_0: f32, re: &mut [f32], im: &mut [f32]) {
    dispatch!(gabor_body(
        a: &[f32], b: &[f32], omega_0: f32, s_0: f32, re: &mut [f32], im: &mut [f32]
    ));
}

#[inline(always)]
fn gabor_body<const FMA: bool>(
    a: &[f32],
    b: &[f32],
    omega_0: f32,
    s_0: f32,
    re: &mut [f32],
    im: &mut [f32],
) {
    let s_squared = s_0 * s_0;
    let chunks = a.chunks(CHUNK).zip(b.chunks(CHUNK));
    let chunks = chunks.zip(re.chunks_mut(CHUNK)).zip(im.chunks_mut(CHUNK));
    for (((a, b), re), im) in chunks {
        if is_beyond_limit(a, omega_0) {
            gabor_library([a, b], omega_0, s_squared, [re, im]);
        } else {
            for_each(
                [a, b],
                [re, im],
                #[inline(always)]
                |[a, b], _| {
                    let [sin, cos] = sin_cos_lane::<FMA>(omega_0 * a);
                    let m = exp_lane::<FMA>(log_m::<FMA>(a, b, omega_0, s_squared));
                    [m * cos, m * sin]
                },
            );
        }
    }
}

/// ln m = −ω₀ b − s₀² (a² + b²).
#[inline(always)]
fn log_m<const FMA: bool>(a: f32, b: f32, omega_0: f32, s_squared: f32) -> f32 {
    -mul_add::<FMA>(s_squared, mul_add::<FMA>(a, a, b * b), omega_0 * b)
}

#[cold]
#[inline(never)]
fn gabor_library(z: [&[f32]; 2], omega_0: f32, s_squared: f32, y: [&mut [f32]; 2]) {
    for_each(z, y, |[a, b], _| {
        let (sin, cos) = (omega_0 * a).sin_cos();
        let m = log_m::<false>(a, b, omega_0, s_squared).exp();
        [m * cos, m * sin]
    });
}

/// What the backward pass of [`gabor`] reads; all slices of one length.
#[derive(Debug, Clone, Copy)]
pub struct GaborTape<'a> {
    /// Real part of z.
    pub a: &'a [f32],
    /// Imaginary part of z.
    pub b: &'a [f32],
    /// Real part of ψ(z), as [`gabor`] wrote it.
    pub re: &'a [f32],
    /// Imaginary part of ψ(z), as [`gabor`] wrote it.
    pub im: &'a [f32],
}

/// Writes the gradients of a and b from those of Re ψ and Im ψ.
pub fn gabor_backward(
    tape: GaborTape,
    omega_0: f32,
    s_0: f32,
    [grad_re, grad_im]: [&[f32]; 2],
    [grad_a, grad_b]: [&mut [f32]; 2],
) {
    dispatch!(gabor_backward_body(
        tape: GaborTape, omega_0: f32, s_0: f32,
        grad_re: &[f32], grad_im: &[f32], grad_a: &mut [f32], grad_b: &mut [f32]
    ));
}

#[inline(always)]
fn gabor_backward_body<const FMA: bool>(
    tape: GaborTape,
    omega_0: f32,
    s_0: f32,
    grad_re: &[f32],
    grad_im: &[f32],
    grad_a: &mut [f32],
    grad_b: &mut [f32],
) {
    let two_s_squared = 2.0 * s_0 * s_0;
    for_each(
        [tape.a, tape.b, tape.re, tape.im, grad_re, grad_im],
        [grad_a, grad_b],
        #[inline(always)]
        |[a, b, re, im, g, h], _| {
            let p = mul_add::<FMA>(g, re, h * im);
            let q = mul_add::<FMA>(h, re, -(g * im));
            [
                mul_add::<FMA>(-two_s_squared * a, p, omega_0 * q),
                -mul_add::<FMA>(two_s_squared, b, omega_0) * p,
            ]
        },
    );
}
