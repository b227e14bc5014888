//! The exponential and the activations made of it.
//!
//! exp: x = n ln 2 + r with ln 2 in two parts (Cody and Waite 1980), e^r a minimax polynomial of degree 6 on |r| ≤ ln 2 / 2, and
//! 2^n put into the exponent in two steps, so that results below the smallest normal number are rounded once and results
//! above the largest become infinite. Maximum relative error 1e-7.

use super::trigonometry::ROUND;
use super::{dispatch, for_each, mul_add};

// ln 2 in two parts; the first has 14 significant bits, so that its product with |n| ≤ 150 is exact.
const LN_2_HIGH: f32 = 0.693_115_23;
const LN_2_LOW: f32 = 3.194_618_3e-5;

/// e^x is 0 in f32 below the first and infinite above the second.
const EXP_RANGE: (f32, f32) = (-104.0, 89.0);

/// 2^n for -126 ≤ n ≤ 127.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits(((n + 127) << 23) as u32)
}

#[inline(always)]
pub(super) fn exp_lane<const FMA: bool>(x: f32) -> f32 {
    // `clamp` lets NaN through.
    let x = x.clamp(EXP_RANGE.0, EXP_RANGE.1);
    let shifted = mul_add::<FMA>(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = mul_add::<FMA>(n, -LN_2_HIGH, x);
    let r = mul_add::<FMA>(n, -LN_2_LOW, r);
    // (e^r − 1 − r) / r²: minimax in the relative error of e^r, 3e-9 (Lawson's iteration in f64).
    let p = mul_add::<FMA>(r, 1.381_982_6e-3, 8.368_687e-3);
    let p = mul_add::<FMA>(r, p, 4.166_827_7e-2);
    let p = mul_add::<FMA>(r, p, 1.666_652_1e-1);
    let p = mul_add::<FMA>(r, p, 0.499_999_94);
    let p = mul_add::<FMA>(r * r, p, r) + 1.0;
    let n = (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let half = n >> 1;
    p * power_of_two(half) * power_of_two(n - half)
}

#[inline(always)]
fn tanh_lane<const FMA: bool>(x: f32) -> f32 {
    let size = x.abs();
    // Near 0 the quotient below cancels, so x + x³ P(x²) takes over: minimax in the relative error on |x| ≤ 0.63, 5e-9.
    let square = x * x;
    let p = mul_add::<FMA>(square, -5.663_615e-3, 2.060_323_8e-2);
    let p = mul_add::<FMA>(square, p, -5.372_913e-2);
    let p = mul_add::<FMA>(square, p, 1.333_132_1e-1);
    let p = mul_add::<FMA>(square, p, -3.333_327_8e-1);
    let small = mul_add::<FMA>(x * square, p, x);
    let large = 1.0 - 2.0 / (exp_lane::<FMA>(2.0 * size) + 1.0);
    let large = large.copysign(x);
    if size < 0.625 { small } else { large }
}

#[inline(always)]
fn tanh_with_derivative_lane<const FMA: bool>(x: f32) -> [f32; 2] {
    let y = tanh_lane::<FMA>(x);
    [y, mul_add::<FMA>(-y, y, 1.0)]
}

/// σ(x) = 1 / (1 + e^−x) and σ'(x), both without cancellation at either end.
#[inline(always)]
fn sigmoid_lane<const FMA: bool>(x: f32) -> [f32; 2] {
    let e = exp_lane::<FMA>(-x.abs());
    let r = 1.0 / (1.0 + e);
    let other = e * r;
    [if x < 0.0 { other } else { r }, other * r]
}

#[inline(always)]
fn silu_lane<const FMA: bool>(x: f32) -> [f32; 2] {
    let [sigmoid, slope] = sigmoid_lane::<FMA>(x);
    [x * sigmoid, mul_add::<FMA>(x, slope, sigmoid)]
}

/// y = e^x; 0 below the smallest positive number, infinite above the largest.
pub fn exp(x: &[f32], y: &mut [f32]) {
    dispatch!(exp_body(x: &[f32], y: &mut [f32]));
}

#[inline(always)]
fn exp_body<const FMA: bool>(x: &[f32], y: &mut [f32]) {
    for_each(
        [x],
        [y],
        #[inline(always)]
        |[x], _| [exp_lane::<FMA>(x)],
    );
}

/// y = tanh x; maximum relative error 2e-7.
pub fn tanh(x: &[f32], y: &mut [f32]) {
    dispatch!(tanh_body(x: &[f32], y: &mut [f32]));
}

#[inline(always)]
fn tanh_body<const FMA: bool>(x: &[f32], y: &mut [f32]) {
    for_each(
        [x],
        [y],
        #[inline(always)]
        |[x], _| [tanh_lane::<FMA>(x)],
    );
}

/// y = tanh x and dy = 1 − y².
pub fn tanh_with_derivative(x: &[f32], y: &mut [f32], dy: &mut [f32]) {
    dispatch!(tanh_with_derivative_body(x: &[f32], y: &mut [f32], dy: &mut [f32]));
}

#[inline(always)]
fn tanh_with_derivative_body<const FMA: bool>(x: &[f32], y: &mut [f32], dy: &mut [f32]) {
    for_each(
        [x],
        [y, dy],
        #[inline(always)]
        |[x], _| tanh_with_derivative_lane::<FMA>(x),
    );
}

/// y = σ(x) = 1 / (1 + e^−x); maximum relative error 3e-7.
pub fn sigmoid(x: &[f32], y: &mut [f32]) {
    dispatch!(sigmoid_body(x: &[f32], y: &mut [f32]));
}

#[inline(always)]
fn sigmoid_body<const FMA: bool>(x: &[f32], y: &mut [f32]) {
    for_each(
        [x],
        [y],
        #[inline(always)]
        |[x], _| [sigmoid_lane::<FMA>(x)[0]],
    );
}

/// y = σ(x) and dy = σ(x) (1 − σ(x)).
pub fn sigmoid_with_derivative(x: &[f32], y: &mut [f32], dy: &mut [f32]) {
    dispatch!(sigmoid_with_derivative_body(x: &[f32], y: &mut [f32], dy: &mut [f32]));
}

#[inline(always)]
fn sigmoid_with_derivative_body<const FMA: bool>(x: &[f32], y: &mut [f32], dy: &mut [f32]) {
    for_each(
        [x],
        [y, dy],
        #[inline(always)]
        |[x], _| sigmoid_lane::<FMA>(x),
    );
}

/// y = x σ(x); maximum relative error 3e-7.
pub fn silu(x: &[f32], y: &mut [f32]) {
    dispatch!(silu_body(x: &[f32], y: &mut [f32]));
}

#[inline(always)]
fn silu_body<const FMA: bool>(x: &[f32], y: &mut [f32]) {
    for_each(
        [x],
        [y],
        #[inline(always)]
        |[x], _| [silu_lane::<FMA>(x)[0]],
    );
}

/// y = x σ(x) and dy = σ(x) + x σ'(x).
pub fn silu_with_derivative(x: &[f32], y: &mut [f32], dy: &mut [f32]) {
    dispatch!(silu_with_derivative_body(x: &[f32], y: &mut [f32], dy: &mut [f32]));
}

#[inline(always)]
fn silu_with_derivative_body<const FMA: bool>(x: &[f32], y: &mut [f32], dy: &mut [f32]) {
    for_each(
        [x],
        [y, dy],
        #[inline(always)]
        |[x], _| silu_lane::<FMA>(x),
    );
}

#[cfg(test)]
mod tests {
    use super::super::{for_every_instruction_set, scattered};
    use super::*;

    type Unary = fn(&[f32], &mut [f32]);
    type WithDerivative = fn(&[f32], &mut [f32], &mut [f32]);
    type Exact = fn(f64) -> f64;

    /// Largest |y/f(x) − 1| for 500,000 arguments in [low, high].
    fn worst_relative(kernel: Unary, f: Exact, low: f32, high: f32) -> f64 {
        let x = scattered(500_000, low, high);
        let mut y = vec![0.0; x.len()];
        kernel(&x, &mut y);
        let errors = x
            .iter()
            .zip(&y)
            .map(|(x, y)| (f64::from(*y) / f(f64::from(*x)) - 1.0).abs());
        errors.fold(0.0, f64::max)
    }

    fn sigmoid_f64(x: f64) -> f64 {
        1.0 / (1.0 + (-x).exp())
    }

    fn silu_f64(x: f64) -> f64 {
        x * sigmoid_f64(x)
    }

    #[test]
    fn values_are_accurate() {
        let cases: [(&str, Unary, Exact, f32, f32, f64); 8] = [
            ("exp", exp, f64::exp, -87.0, 88.7, 1e-7),
            ("exp", exp, f64::exp, -1.0, 1.0, 1e-7),
            ("tanh", tanh, f64::tanh, -12.0, 12.0, 2e-7),
            ("tanh", tanh, f64::tanh, 0.3, 1.0, 2e-7),
            ("tanh", tanh, f64::tanh, 1e-6, 1e-3, 2e-7),
            ("sigmoid", sigmoid, sigmoid_f64, -80.0, 30.0, 3e-7),
            ("silu", silu, silu_f64, -80.0, -1e-3, 3e-7),
            ("silu", silu, silu_f64, 1e-3, 100.0, 3e-7),
        ];
        for_every_instruction_set(|set| {
            for (name, kernel, f, low, high, bound) in cases {
                let error = worst_relative(kernel, f, low, high);
                assert!(error <= bound, "{set} {name} on [{low}, {high}]: {error:e}");
            }
        });
    }

    #[test]
    fn exp_overflows_and_underflows() {
        for_every_instruction_set(|_| {
            let x = [
                88.8,
                1e30,
                f32::INFINITY,
                -104.5,
                -1e30,
                f32::NEG_INFINITY,
                f32::NAN,
                0.0,
            ];
            let mut y = [7.0; 8];
            exp(&x, &mut y);
            assert_eq!(y[..3], [f32::INFINITY; 3]);
            assert_eq!(y[3..6], [0.0; 3]);
            assert!(y[6].is_nan());
            assert_eq!(y[7], 1.0);
            // Below the smallest normal number: one rounding to the spacing 2⁻¹⁴⁹ of the subnormal ones.
            let x = scattered(10_000, -103.0, -87.4);
            let mut y = vec![0.0; x.len()];
            exp(&x, &mut y);
            for (x, y) in x.iter().zip(y) {
                let exact = f64::from(*x).exp();
                let bound = 0.51 * 2_f64.powi(-149) + 2e-7 * exact;
                assert!((f64::from(y) - exact).abs() <= bound, "x {x}: {y:e}");
            }
        });
    }

    #[test]
    fn ends_saturate_and_nan_passes() {
        for_every_instruction_set(|_| {
            let x = [1e30, -1e30, f32::NAN];
            let cases: [(WithDerivative, [f32; 2], [f32; 2]); 3] = [
                (tanh_with_derivative, [1.0, -1.0], [0.0, 0.0]),
                (sigmoid_with_derivative, [1.0, 0.0], [0.0, 0.0]),
                (silu_with_derivative, [1e30, 0.0], [1.0, 0.0]),
            ];
            for (kernel, expected, slope) in cases {
                let (mut y, mut dy) = ([7.0; 3], [7.0; 3]);
                kernel(&x, &mut y, &mut dy);
                assert_eq!((&y[..2], &dy[..2]), (&expected[..], &slope[..]));
                assert!(y[2].is_nan() && dy[2].is_nan());
            }
        });
    }

    // The derivative is held to the central difference (f(x + h) − f(x − h)) / 2h in f64 with h = 1e-5.
    #[test]
    fn derivatives_are_slopes() {
        let cases: [(&str, WithDerivative, Unary, Exact); 3] = [
            ("tanh", tanh_with_derivative, tanh, f64::tanh),
            ("sigmoid", sigmoid_with_derivative, sigmoid, sigmoid_f64),
            ("silu", silu_with_derivative, silu, silu_f64),
        ];
        for_every_instruction_set(|set| {
            for (name, kernel, value, f) in cases {
                let x = scattered(10_007, -20.0, 20.0);
                let (mut y, mut dy) = (vec![0.0; x.len()], vec![0.0; x.len()]);
                let mut alone = y.clone();
                kernel(&x, &mut y, &mut dy);
                value(&x, &mut alone);
                assert_eq!(y, alone);
                for (x, dy) in x.iter().zip(dy) {
                    let (x, h) = (f64::from(*x), 1e-5);
                    let slope = (f(x + h) - f(x - h)) / (2.0 * h);
                    let error = (f64::from(dy) - slope).abs();
                    assert!(error <= 5e-7, "{set} {name} at {x}: {error:e}");
                }
            }
        });
    }
}
