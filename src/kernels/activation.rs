//! The exponential and the activations made of it.
//!
//! exp: x = n ln 2 + r with ln 2 in two parts (Cody and Waite 1980), e^r a minimax polynomial of degree 6 on |r| ≤ ln 2 / 2, and
//! 2^n put into the exponent in two steps, so that results below the smallest normal number are rounded once and results
//! above the largest become infinite. Maximum relative error 2e-7.

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

/// y = tanh x; maximum relative error 5e-7.
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

/// y = σ(x) = 1 / (1 + e^−x).
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

/// y = x σ(x).
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
