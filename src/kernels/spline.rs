//! Cubic B-splines on uniform knots, G intervals of width h = 2R/G on [-R, R], with G + 3 bases.
//!
//! On interval s, with t = (x + R)/h − s in [0, 1], the bases s .. s + 3 alone are not zero:
//!
//! B_s = (1 − t)³/6, B_{s+1} = (3t³ − 6t² + 4)/6, B_{s+2} = (−3t³ + 3t² + 3t + 1)/6, B_{s+3} = t³/6
//!
//! (de Boor 1978, ch. IX). Basis m is the cardinal cubic B-spline centred on −R + (m − 1) h. Outside [-R, R] every basis goes on
//! along its tangent at the border: B(x) = B(border) + B'(border) (x − border), so that an input that has left the grid still has
//! a gradient.

use super::trigonometry::ROUND;
use super::{Block, LANES, mul_add};

/// The four bases that are not zero at `t` in [0, 1] of an interval.
#[inline(always)]
fn cubic_bases<const FMA: bool>(t: f32) -> [f32; 4] {
    let s = 1.0 - t;
    let (t2, s2) = (t * t, s * s);
    // B_{s+1} and B_{s+2} mirror each other: 2/3 − u² + u³/2 with u the distance to the centre.
    let middle = |u: f32, u2: f32| mul_add::<FMA>(u2, mul_add::<FMA>(0.5, u, -1.0), 2.0 / 3.0);
    [
        s2 * s * (1.0 / 6.0),
        middle(t, t2),
        middle(s, s2),
        t2 * t * (1.0 / 6.0),
    ]
}

/// The derivatives of the four with respect to t; divide by h for those with respect to x.
#[inline(always)]
fn cubic_bases_derivative<const FMA: bool>(t: f32) -> [f32; 4] {
    let s = 1.0 - t;
    let middle = |u: f32| u * mul_add::<FMA>(1.5, u, -2.0);
    [-0.5 * s * s, middle(t), -middle(s), 0.5 * t * t]
}

/// The knots, with what the loops need of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Knots {
    range: f32,
    /// 1/h.
    inverse_h: f32,
    /// G/2, the position of x = 0 in units of h.
    middle: f32,
    last_span: i32,
}

impl Knots {
    pub(super) fn new(range: f32, grid_size: usize) -> Self {
        assert!(
            range > 0.0 && (1..=1 << 20).contains(&grid_size),
            "range must be above 0 and grid_size from 1 to 2^20"
        );
        Self {
            range,
            inverse_h: grid_size as f32 / (2.0 * range),
            middle: 0.5 * grid_size as f32,
            last_span: grid_size as i32 - 1,
        }
    }
}

/// Where x lies: its interval in [0, G − 1], t in [0, 1] within it, and how far x lies outside [-R, R] (0 inside, in units of x). NaN
/// gives a NaN t.
#[inline(always)]
fn locate<const FMA: bool>(x: f32, knots: &Knots) -> (i32, f32, f32) {
    let inside = x.clamp(-knots.range, knots.range);
    let position = mul_add::<FMA>(inside, knots.inverse_h, knots.middle);
    // The interval that contains the position; a knot belongs to either neighbour. A cast would be done lane by lane. NaN gives
    // any integer, which the clamp makes a valid span.
    let shifted = (position - 0.5) + ROUND;
    let rounded = (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let span = rounded.clamp(0, knots.last_span);
    (span, position - span as f32, x - inside)
}

/// For 16 inputs: the first of the four bases, their values, their derivatives with respect to x.
pub(super) struct Located {
    pub(super) span: [i32; LANES],
    pub(super) value: [Block; 4],
    pub(super) slope: [Block; 4],
}

impl Located {
    #[inline(always)]
    pub(super) fn new<const FMA: bool>(x: &Block, knots: &Knots) -> Self {
        let mut located = Self {
            span: [0; LANES],
            value: [[0.0; LANES]; 4],
            slope: [[0.0; LANES]; 4],
        };
        for (lane, &x) in x.iter().enumerate() {
            let (span, t, excess) = locate::<FMA>(x, knots);
            let value = cubic_bases::<FMA>(t);
            let slope = cubic_bases_derivative::<FMA>(t);
            located.span[lane] = span;
            for k in 0..4 {
                located.slope[k][lane] = slope[k] * knots.inverse_h;
                located.value[k][lane] = mul_add::<FMA>(located.slope[k][lane], excess, value[k]);
            }
        }
        located
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::{BASELINE_FMA, scattered};
    use super::*;

    fn bases(t: f32) -> [f32; 4] {
        cubic_bases::<BASELINE_FMA>(t)
    }

    fn slopes(t: f32) -> [f32; 4] {
        cubic_bases_derivative::<BASELINE_FMA>(t)
    }

    /// N_{m,p}(x) by the recursion of Cox and de Boor on the knots −R + (j − 3) h, in f64; x below R.
    fn cox_de_boor(m: usize, degree: usize, x: f64, range: f64, grid_size: usize) -> f64 {
        let knot = |j: usize| -range + (j as f64 - 3.0) * 2.0 * range / grid_size as f64;
        if degree == 0 {
            return if knot(m) <= x && x < knot(m + 1) {
                1.0
            } else {
                0.0
            };
        }
        let rise = (x - knot(m)) / (knot(m + degree) - knot(m));
        let fall = (knot(m + degree + 1) - x) / (knot(m + degree + 1) - knot(m + 1));
        rise * cox_de_boor(m, degree - 1, x, range, grid_size)
            + fall * cox_de_boor(m + 1, degree - 1, x, range, grid_size)
    }

    /// Value and slope of basis m in f64, continued along its tangent outside [-R, R]. The slope of a cubic B-spline is the difference of
    /// two quadratic ones over h.
    pub(in super::super) fn reference(m: usize, x: f32, range: f32, grid_size: usize) -> [f64; 2] {
        let (x, range) = (f64::from(x), f64::from(range));
        // R itself lies outside the half-open last interval.
        let inside = x.clamp(-range, range * (1.0 - 1e-14));
        let quadratic = |m| cox_de_boor(m, 2, inside, range, grid_size);
        let slope = (quadratic(m) - quadratic(m + 1)) * grid_size as f64 / (2.0 * range);
        let value = cox_de_boor(m, 3, inside, range, grid_size);
        [value + slope * (x - x.clamp(-range, range)), slope]
    }

    #[test]
    fn four_bases_form_a_partition_of_unity() {
        for t in scattered(1000, 0.0, 1.0) {
            let sum: f32 = bases(t).iter().sum();
            let slopes: f32 = slopes(t).iter().sum();
            assert!((sum - 1.0).abs() <= 2e-7 && slopes.abs() <= 3e-7, "t {t}");
        }
    }

    // At a knot, basis k of one interval goes on as basis k − 1 of the next: same value, slope and second derivative. The slope is
    // a quadratic q, whose derivative at its ends is exactly −3 q(0) + 4 q(½) − q(1) and q(0) − 4 q(½) + 3 q(1).
    #[test]
    fn bases_are_twice_continuously_differentiable_at_knots() {
        let [q0, q_half, q1] = [0.0, 0.5, 1.0].map(slopes);
        let start = |k: usize| -3.0 * q0[k] + 4.0 * q_half[k] - q1[k];
        let end = |k: usize| q0[k] - 4.0 * q_half[k] + 3.0 * q1[k];
        for k in 1..4 {
            assert!((bases(1.0)[k] - bases(0.0)[k - 1]).abs() <= 1e-7);
            assert!((q1[k] - q0[k - 1]).abs() <= 1e-7);
            assert!((end(k) - start(k - 1)).abs() <= 1e-6);
        }
        // The outermost pieces begin and end with zeros.
        assert_eq!([bases(0.0)[3], q0[3], start(3)], [0.0; 3]);
        assert_eq!([bases(1.0)[0], q1[0], end(0)], [0.0; 3]);
    }

    #[test]
    fn inputs_are_located() {
        let locate = |x, range, grid_size| locate::<BASELINE_FMA>(x, &Knots::new(range, grid_size));
        assert_eq!(locate(0.3125, 1.0, 8), (5, 0.25, 0.0));
        assert_eq!(locate(-1.0, 1.0, 5), (0, 0.0, 0.0));
        assert_eq!(locate(1.0, 1.0, 5), (4, 1.0, 0.0));
        assert_eq!(locate(3.5, 1.5, 4), (3, 1.0, 2.0));
        assert_eq!(locate(-3.5, 1.5, 4), (0, 0.0, -2.0));
        let (span, t, excess) = locate(f32::NAN, 1.0, 5);
        assert!((0..5).contains(&span) && t.is_nan() && excess.is_nan());
    }

    #[test]
    fn bases_and_slopes_equal_the_recursion() {
        for (grid_size, range) in [(1, 1.0), (5, 1.0), (3, 0.5), (8, 1.5), (40, 1.0)] {
            let mut x: Block = scattered(LANES, -1.7 * range, 1.7 * range)
                .try_into()
                .unwrap();
            (x[0], x[1]) = (range, -range);
            let located = Located::new::<BASELINE_FMA>(&x, &Knots::new(range, grid_size));
            let unit = grid_size as f64 / f64::from(range);
            for (lane, x) in x.into_iter().enumerate() {
                for m in 0..grid_size + 3 {
                    let k = m.wrapping_sub(located.span[lane] as usize);
                    let [value, slope] = match k {
                        0..4 => [located.value[k][lane], located.slope[k][lane]],
                        _ => [0.0; 2],
                    };
                    let [exact, exact_slope] = reference(m, x, range, grid_size);
                    let error = (f64::from(value) - exact).abs();
                    assert!(error <= 1e-6 * (1.0 + unit), "x {x} {value} {exact}");
                    let error = (f64::from(slope) - exact_slope).abs();
                    let bound = 1e-6 * unit * (1.0 + unit);
                    assert!(error <= bound, "x {x} {slope} {exact_slope}");
                }
            }
        }
    }
}
