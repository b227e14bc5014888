//! The exponential and the activations made of it, and the rectifier.
//!
//! e^x: x = n ln 2 + r with ln 2 in two parts (Cody and Waite 1980), e^r a minimax polynomial of degree 6 on |r| ≤ ln 2 / 2, and
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

/// e^x; 0 below the smallest positive number, infinite above the largest.
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

/// ln of 1e-10, below which a bell counts as 0: in a sum with heights near 1 so little is lost to rounding anyway, and the products that the passes
/// form of it would be subnormal numbers, with which some processors take ten times as long for a step.
const BELL_FOOT: f32 = -23.0;

/// The height of a bell whose logarithm is x: e^x, and 0 below 1e-10.
#[inline(always)]
pub(super) fn bell_lane<const FMA: bool>(x: f32) -> f32 {
    let height = exp_lane::<FMA>(x);
    if x < BELL_FOOT { 0.0 } else { height }
}

/// tanh x; maximum relative error 2e-7.
#[inline(always)]
pub(super) fn tanh_lane<const FMA: bool>(x: f32) -> f32 {
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

/// σ(x) = 1 / (1 + e^−x) and σ'(x), both without cancellation at either end; maximum relative error of σ 3e-7.
#[inline(always)]
pub(super) fn sigmoid_lane<const FMA: bool>(x: f32) -> [f32; 2] {
    let e = exp_lane::<FMA>(-x.abs());
    let r = 1.0 / (1.0 + e);
    let other = e * r;
    [if x < 0.0 { other } else { r }, other * r]
}

/// x σ(x) and its derivative.
#[inline(always)]
fn silu_lane<const FMA: bool>(x: f32) -> [f32; 2] {
    let [sigmoid, slope] = sigmoid_lane::<FMA>(x);
    [x * sigmoid, mul_add::<FMA>(x, slope, sigmoid)]
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

/// y ← max(0, y).
pub fn relu_in_place(y: &mut [f32]) {
    dispatch!(relu_in_place_body(y: &mut [f32]));
}

#[inline(always)]
fn relu_in_place_body<const FMA: bool>(y: &mut [f32]) {
    for_each(
        [],
        [y],
        // Not `max`, which takes 0 for NaN.
        #[inline(always)]
        |[], [y]| [if y < 0.0 { 0.0 } else { y }],
    );
}

/// g ← g where y = max(0, z) is above 0, else 0: from the gradient of y to that of z.
pub fn relu_backward_in_place(y: &[f32], g: &mut [f32]) {
    dispatch!(relu_backward_in_place_body(y: &[f32], g: &mut [f32]));
}

#[inline(always)]
fn relu_backward_in_place_body<const FMA: bool>(y: &[f32], g: &mut [f32]) {
    for_each(
        [y],
        [g],
        #[inline(always)]
        |[y], [g]| [if y <= 0.0 { 0.0 } else { g }],
    );
}

#[cfg(test)]
mod tests {
    use super::super::{for_every_instruction_set, scattered};
    use super::*;

    /// What the lanes of this file give, one vector for each; of σ and silu the values and the derivatives.
    struct Values {
        exp: Vec<f32>,
        tanh: Vec<f32>,
        sigmoid: [Vec<f32>; 2],
        silu: [Vec<f32>; 2],
    }

    /// Every lane function at every x.
    fn values(x: &[f32]) -> Values {
        let [mut exp, mut tanh, mut y, mut dy, mut silu, mut silu_dy] =
            [(); 6].map(|()| vec![7.0; x.len()]);
        let [e, t, s, ds] = [&mut exp, &mut tanh, &mut y, &mut dy].map(Vec::as_mut_slice);
        dispatch!(lanes_body(x: &[f32], e: &mut [f32], t: &mut [f32], s: &mut [f32], ds: &mut [f32]));
        silu_with_derivative(x, &mut silu, &mut silu_dy);
        Values {
            exp,
            tanh,
            sigmoid: [y, dy],
            silu: [silu, silu_dy],
        }
    }

    #[inline(always)]
    fn lanes_body<const FMA: bool>(
        x: &[f32],
        exp: &mut [f32],
        tanh: &mut [f32],
        sigmoid: &mut [f32],
        slope: &mut [f32],
    ) {
        for_each(
            [x],
            [exp, tanh, sigmoid, slope],
            #[inline(always)]
            |[x], _| {
                let [sigmoid, slope] = sigmoid_lane::<FMA>(x);
                [exp_lane::<FMA>(x), tanh_lane::<FMA>(x), sigmoid, slope]
            },
        );
    }

    fn sigmoid_f64(x: f64) -> f64 {
        1.0 / (1.0 + (-x).exp())
    }

    fn silu_f64(x: f64) -> f64 {
        x * sigmoid_f64(x)
    }

    #[test]
    fn values_are_accurate() {
        type Case = (fn(&Values) -> &[f32], fn(f64) -> f64, f32, f32, f64);
        let cases: [Case; 8] = [
            (|v| &v.exp, f64::exp, -87.0, 88.7, 1e-7),
            (|v| &v.exp, f64::exp, -1.0, 1.0, 1e-7),
            (|v| &v.tanh, f64::tanh, -12.0, 12.0, 2e-7),
            (|v| &v.tanh, f64::tanh, 0.3, 1.0, 2e-7),
            (|v| &v.tanh, f64::tanh, 1e-6, 1e-3, 2e-7),
            (|v| &v.sigmoid[0], sigmoid_f64, -80.0, 30.0, 3e-7),
            (|v| &v.silu[0], silu_f64, -80.0, -1e-3, 3e-7),
            (|v| &v.silu[0], silu_f64, 1e-3, 100.0, 3e-7),
        ];
        for_every_instruction_set(|set| {
            for (number, (of, f, low, high, bound)) in cases.into_iter().enumerate() {
                let x = scattered(500_000, low, high);
                let values = values(&x);
                let errors = x
                    .iter()
                    .zip(of(&values))
                    .map(|(x, y)| (f64::from(*y) / f(f64::from(*x)) - 1.0).abs());
                let error = errors.fold(0.0, f64::max);
                assert!(error <= bound, "{set}, case {number}: {error:e}");
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
            let y = values(&x).exp;
            assert_eq!(y[..3], [f32::INFINITY; 3]);
            assert_eq!(y[3..6], [0.0; 3]);
            assert!(y[6].is_nan());
            assert_eq!(y[7], 1.0);
            // Below the smallest normal number: one rounding to the spacing 2⁻¹⁴⁹ of the subnormal ones.
            let x = scattered(10_000, -103.0, -87.4);
            for (x, y) in x.iter().zip(values(&x).exp) {
                let exact = f64::from(*x).exp();
                let bound = 0.51 * 2_f64.powi(-149) + 2e-7 * exact;
                assert!((f64::from(y) - exact).abs() <= bound, "x {x}: {y:e}");
            }
        });
    }

    #[test]
    fn ends_saturate_and_nan_passes() {
        for_every_instruction_set(|_| {
            let values = values(&[1e30, -1e30, f32::NAN]);
            let [sigmoid, sigmoid_slope] = &values.sigmoid;
            let [silu, silu_slope] = &values.silu;
            for (found, expected) in [
                (&values.tanh, [1.0, -1.0]),
                (sigmoid, [1.0, 0.0]),
                (sigmoid_slope, [0.0, 0.0]),
                (silu, [1e30, 0.0]),
                (silu_slope, [1.0, 0.0]),
            ] {
                assert_eq!(found[..2], expected);
                assert!(found[2].is_nan());
            }
        });
    }

    // The derivative is held to the central difference (f(x + h) − f(x − h)) / 2h in f64 with h = 1e-5.
    #[test]
    fn derivatives_are_slopes() {
        for_every_instruction_set(|set| {
            let x = scattered(10_007, -20.0, 20.0);
            let values = values(&x);
            let functions: [fn(f64) -> f64; 2] = [sigmoid_f64, silu_f64];
            for (slopes, f) in [&values.sigmoid[1], &values.silu[1]]
                .into_iter()
                .zip(functions)
            {
                for (x, found) in x.iter().zip(slopes) {
                    let (x, h) = (f64::from(*x), 1e-5);
                    let slope = (f(x + h) - f(x - h)) / (2.0 * h);
                    let error = (f64::from(*found) - slope).abs();
                    assert!(error <= 5e-7, "{set} at {x}: {error:e}");
                }
            }
        });
    }

    #[test]
    fn relu_keeps_what_is_above_zero_forward_and_backward() {
        for_every_instruction_set(|set| {
            for length in [1, 16, 37] {
                let x = scattered(length, -1.0, 1.0);
                let (mut y, mut g) = (x.clone(), vec![2.0; length]);
                relu_in_place(&mut y);
                relu_backward_in_place(&y, &mut g);
                for ((x, y), g) in x.iter().zip(&y).zip(&g) {
                    let expected = if *x > 0.0 { (*x, 2.0) } else { (0.0, 0.0) };
                    assert_eq!((*y, *g), expected, "{set} at {x}");
                }
            }
            let mut y = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
            relu_in_place(&mut y);
            assert!(y[0].is_nan());
            assert_eq!(y[1..], [f32::INFINITY, 0.0]);
        });
    }
}
