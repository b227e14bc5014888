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

use super::activation::bell_lane;
use super::trigonometry::{CHUNK, is_beyond_limit, sin_cos_lane};
use super::{check_lengths, dispatch, for_each, mul_add};

/// Writes Re ψ and Im ψ for z = a + i b, and 0 where |ψ| is below 1e-10.
pub fn gabor(a: &[f32], b: &[f32], omega_0: f32, s_0: f32, re: &mut [f32], im: &mut [f32]) {
    check_lengths(&[a, b], &[re, im], a.len());
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
                    let m = bell_lane::<FMA>(log_m::<FMA>(a, b, omega_0, s_squared));
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
        let m = bell_lane::<false>(log_m::<false>(a, b, omega_0, s_squared));
        [m * cos, m * sin]
    });
}

/// Replaces z = a + i b by its gradient, from Re ψ and Im ψ as [`gabor`] wrote them and from their gradients.
pub fn gabor_backward(
    z: [&mut [f32]; 2],
    psi: [&[f32]; 2],
    omega_0: f32,
    s_0: f32,
    grad_psi: [&[f32]; 2],
) {
    dispatch!(gabor_backward_body(
        z: [&mut [f32]; 2], psi: [&[f32]; 2], omega_0: f32, s_0: f32, grad_psi: [&[f32]; 2]
    ));
}

#[inline(always)]
fn gabor_backward_body<const FMA: bool>(
    z: [&mut [f32]; 2],
    [re, im]: [&[f32]; 2],
    omega_0: f32,
    s_0: f32,
    [grad_re, grad_im]: [&[f32]; 2],
) {
    let two_s_squared = 2.0 * s_0 * s_0;
    for_each(
        [re, im, grad_re, grad_im],
        z,
        #[inline(always)]
        |[re, im, g, h], [a, b]| {
            let p = mul_add::<FMA>(g, re, h * im);
            let q = mul_add::<FMA>(h, re, -(g * im));
            [
                mul_add::<FMA>(-two_s_squared * a, p, omega_0 * q),
                -mul_add::<FMA>(two_s_squared, b, omega_0) * p,
            ]
        },
    );
}

#[cfg(test)]
mod tests {
    use super::super::{for_every_instruction_set, scattered};
    use super::*;

    /// Smaller wavelets are 0.
    const LEAST_HEIGHT: f64 = 1.03e-10;

    /// ψ(a + i b) = exp(i ω₀ z) exp(−|s₀ z|²) in f64, with the complex exponent and |z| as in the paper.
    fn psi(a: f64, b: f64, omega_0: f32, s_0: f32) -> [f64; 2] {
        let (omega_0, s_0) = (f64::from(omega_0), f64::from(s_0));
        let (exponent_re, exponent_im) = (-omega_0 * b, omega_0 * a);
        let size = exponent_re.exp() * (-(s_0 * a.hypot(b)).powi(2)).exp();
        [size * exponent_im.cos(), size * exponent_im.sin()]
    }

    #[test]
    fn values_equal_the_complex_formula() {
        for_every_instruction_set(|set| {
            // The last phases lie beyond the limit of the polynomials.
            for (omega_0, s_0, limit) in [(20.0, 10.0, 0.5), (5.0, 2.0, 2.0), (3e4, 0.1, 1.0)] {
                let a = scattered(1003, -limit, limit);
                let b = scattered(2003, -5.0 / omega_0, 5.0 / omega_0).split_off(1000);
                let (mut re, mut im) = (vec![0.0; a.len()], vec![0.0; a.len()]);
                gabor(&a, &b, omega_0, s_0, &mut re, &mut im);
                for i in 0..a.len() {
                    let (a, b) = (f64::from(a[i]), f64::from(b[i]));
                    let [exact_re, exact_im] = psi(a, b, omega_0, s_0);
                    // Phase and log-size carry the rounding of their products; both scale with the size.
                    let phase = f64::from(omega_0) * a.hypot(b);
                    let window = (f64::from(s_0) * a.hypot(b)).powi(2);
                    let size = exact_re.hypot(exact_im);
                    let bound = size * (5e-7 + 2e-7 * (phase + window)) + LEAST_HEIGHT;
                    assert!(
                        (f64::from(re[i]) - exact_re).abs() <= bound,
                        "{set}: {a} {b}"
                    );
                    assert!(
                        (f64::from(im[i]) - exact_im).abs() <= bound,
                        "{set}: {a} {b}"
                    );
                    let found = re[i].hypot(im[i]);
                    assert!(found == 0.0 || found > 0.99e-10, "{set}: {found}");
                }
            }
        });
    }

    // The loss is g Re ψ + h Im ψ; its central differences in f64 with step 1e-6 are the gradients of a and b.
    #[test]
    fn gradients_are_central_differences() {
        for_every_instruction_set(|set| {
            for (omega_0, s_0) in [(20.0, 10.0), (5.0, 2.0)] {
                let n = 1003;
                let (a, b) = (
                    scattered(n, -0.3, 0.3),
                    scattered(3 * n, -0.3, 0.3).split_off(2 * n),
                );
                let (g, h) = (
                    scattered(2 * n, -1.0, 1.0).split_off(n),
                    scattered(n, -1.0, 1.0),
                );
                let (mut re, mut im) = (vec![0.0; n], vec![0.0; n]);
                gabor(&a, &b, omega_0, s_0, &mut re, &mut im);
                let (mut grad_a, mut grad_b) = (a.clone(), b.clone());
                let z = [&mut grad_a[..], &mut grad_b[..]];
                gabor_backward(z, [&re, &im], omega_0, s_0, [&g, &h]);
                for i in 0..n {
                    let [a, b, g, h] = [a[i], b[i], g[i], h[i]].map(f64::from);
                    let loss = |a: f64, b: f64| {
                        let [re, im] = psi(a, b, omega_0, s_0);
                        g * re + h * im
                    };
                    let step = 1e-6;
                    let slope_a = (loss(a + step, b) - loss(a - step, b)) / (2.0 * step);
                    let slope_b = (loss(a, b + step) - loss(a, b - step)) / (2.0 * step);
                    let [re, im] = psi(a, b, omega_0, s_0);
                    let bound = 1e-5 * f64::from(omega_0 + s_0 * s_0) * re.hypot(im) + 1e-8;
                    assert!(
                        (f64::from(grad_a[i]) - slope_a).abs() <= bound,
                        "{set}: {a} {b}"
                    );
                    assert!(
                        (f64::from(grad_b[i]) - slope_b).abs() <= bound,
                        "{set}: {a} {b}"
                    );
                }
            }
        });
    }
}
