//! Cubic B-splines on uniform knots, G intervals of width h = 2R/G on [-R, R], with G + 3 bases.
//!
//! On interval s, with t = (x + R)/h − s in [0, 1], the bases s .. s + 3 alone are not zero:
//!
//! B_s = (1 − t)³/6, B_{s+1} = (3t³ − 6t² + 4)/6, B_{s+2} = (−3t³ + 3t² + 3t + 1)/6, B_{s+3} = t³/6
//!
//! (de Boor 1978, ch. IX). Basis m is the cardinal cubic B-spline centred on −R + (m − 1) h. Outside [-R, R] every basis goes on
//! along its tangent at the border: B(x) = B(border) + B'(border) (x − border), so that an input that has left the grid still has
//! a gradient.
//!
//! A layer has two forms. Dense: [`expand`] writes all bases of a tile for one matrix product, and [`expand_backward`] takes the
//! gradient of the bases back to x. Local: [`super::spline_local`].

use super::trigonometry::ROUND;
use super::{Block, LANES, dispatch, load, mul_add};

/// The four bases that are not zero at `t` in [0, 1] of an interval.
pub fn cubic_bases(t: f32) -> [f32; 4] {
    cubic_bases_lane::<{ super::BASELINE_FMA }>(t)
}

#[inline(always)]
fn cubic_bases_lane<const FMA: bool>(t: f32) -> [f32; 4] {
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

/// The derivatives of [`cubic_bases`] with respect to t; divide by h for those with respect to x.
pub fn cubic_bases_derivative(t: f32) -> [f32; 4] {
    cubic_bases_derivative_lane::<{ super::BASELINE_FMA }>(t)
}

#[inline(always)]
fn cubic_bases_derivative_lane<const FMA: bool>(t: f32) -> [f32; 4] {
    let s = 1.0 - t;
    let middle = |u: f32| u * mul_add::<FMA>(1.5, u, -2.0);
    [-0.5 * s * s, middle(t), -middle(s), 0.5 * t * t]
}

/// Where x lies: its interval `span` in [0, G − 1], t in [0, 1] within it, and `excess`, how far x lies outside [-R, R] (0 inside,
/// in units of x).
///
/// NaN gives a NaN `t`. `range` is R > 0, `grid_size` is G ≥ 1.
pub fn locate(x: f32, range: f32, grid_size: usize) -> (usize, f32, f32) {
    let (span, t, excess) =
        locate_lane::<{ super::BASELINE_FMA }>(x, &Knots::new(range, grid_size));
    (span as usize, t, excess)
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
    bases: usize,
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
            bases: grid_size + 3,
        }
    }
}

#[inline(always)]
fn locate_lane<const FMA: bool>(x: f32, knots: &Knots) -> (i32, f32, f32) {
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
            let (span, t, excess) = locate_lane::<FMA>(x, knots);
            let value = cubic_bases_lane::<FMA>(t);
            let slope = cubic_bases_derivative_lane::<FMA>(t);
            located.span[lane] = span;
            for k in 0..4 {
                located.slope[k][lane] = slope[k] * knots.inverse_h;
                located.value[k][lane] = mul_add::<FMA>(located.slope[k][lane], excess, value[k]);
            }
        }
        located
    }
}

/// Writes all bases of a tile: `x` `[rows, d_in]`, `bases` `[rows, (G+3)·d_in]`, basis m of input i in column m·d_in + i.
pub fn expand(x: &[f32], d_in: usize, range: f32, grid_size: usize, bases: &mut [f32]) {
    let knots = Knots::new(range, grid_size);
    check_expansion(x, d_in, &knots, bases.len());
    dispatch!(expand_body(x: &[f32], d_in: usize, knots: Knots, bases: &mut [f32]));
}

#[inline(always)]
fn expand_body<const FMA: bool>(x: &[f32], d_in: usize, knots: Knots, bases: &mut [f32]) {
    scatter::<FMA>(x, d_in, &knots, bases, |located| &located.value);
}

/// Writes the derivatives of all bases with respect to x, in the layout of [`expand`].
pub fn expand_derivative(x: &[f32], d_in: usize, range: f32, grid_size: usize, slopes: &mut [f32]) {
    let knots = Knots::new(range, grid_size);
    check_expansion(x, d_in, &knots, slopes.len());
    dispatch!(expand_derivative_body(x: &[f32], d_in: usize, knots: Knots, slopes: &mut [f32]));
}

#[inline(always)]
fn expand_derivative_body<const FMA: bool>(
    x: &[f32],
    d_in: usize,
    knots: Knots,
    slopes: &mut [f32],
) {
    scatter::<FMA>(x, d_in, &knots, slopes, |located| &located.slope);
}

#[inline(always)]
fn scatter<const FMA: bool>(
    x: &[f32],
    d_in: usize,
    knots: &Knots,
    out: &mut [f32],
    choose: impl Fn(&Located) -> &[Block; 4],
) {
    let rows = x
        .chunks_exact(d_in)
        .zip(out.chunks_exact_mut(knots.bases * d_in));
    for (x, out) in rows {
        // Row by row, so that the zeros are still in the L1 cache when the bases come.
        out.fill(0.0);
        for (block, x) in x.chunks(LANES).enumerate() {
            let located = Located::new::<FMA>(&load(x), knots);
            let weights = choose(&located);
            for (lane, &span) in located.span[..x.len()].iter().enumerate() {
                let first = span as usize * d_in + block * LANES + lane;
                let out = &mut out[first..=first + 3 * d_in];
                for k in 0..4 {
                    out[k * d_in] = weights[k][lane];
                }
            }
        }
    }
}

fn check_expansion(x: &[f32], d_in: usize, knots: &Knots, expanded: usize) {
    assert!(
        d_in > 0 && x.len().is_multiple_of(d_in) && expanded == x.len() * knots.bases,
        "x must be [rows, d_in] and its expansion [rows, (G+3) d_in]"
    );
}

/// Adds to `grad_x` `[rows, d_in]` what the gradient of the bases, `[rows, (G+3)·d_in]` in the layout of [`expand`], means for x.
pub fn expand_backward(
    x: &[f32],
    d_in: usize,
    range: f32,
    grid_size: usize,
    grad_bases: &[f32],
    grad_x: &mut [f32],
) {
    let knots = Knots::new(range, grid_size);
    check_expansion(x, d_in, &knots, grad_bases.len());
    assert_eq!(x.len(), grad_x.len(), "grad_x must have the shape of x");
    dispatch!(expand_backward_body(
        x: &[f32], d_in: usize, knots: Knots, grad_bases: &[f32], grad_x: &mut [f32]
    ));
}

#[inline(always)]
fn expand_backward_body<const FMA: bool>(
    x: &[f32],
    d_in: usize,
    knots: Knots,
    grad_bases: &[f32],
    grad_x: &mut [f32],
) {
    let rows = x
        .chunks_exact(d_in)
        .zip(grad_x.chunks_exact_mut(d_in))
        .zip(grad_bases.chunks_exact(knots.bases * d_in));
    for ((x, grad_x), grad) in rows {
        let blocks = x.chunks(LANES).zip(grad_x.chunks_mut(LANES));
        for (block, (x, grad_x)) in blocks.enumerate() {
            let located = Located::new::<FMA>(&load(x), &knots);
            for (lane, grad_x) in grad_x.iter_mut().enumerate() {
                let first = located.span[lane] as usize * d_in + block * LANES + lane;
                let grad = &grad[first..=first + 3 * d_in];
                for k in 0..4 {
                    *grad_x = mul_add::<FMA>(located.slope[k][lane], grad[k * d_in], *grad_x);
                }
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::{for_every_instruction_set, scattered};
    use super::*;

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
            let sum: f32 = cubic_bases(t).iter().sum();
            let slopes: f32 = cubic_bases_derivative(t).iter().sum();
            assert!((sum - 1.0).abs() <= 2e-7 && slopes.abs() <= 3e-7, "t {t}");
        }
    }

    // At a knot, basis k of one interval goes on as basis k − 1 of the next: same value, slope and second derivative. The slope is
    // a quadratic q, whose derivative at its ends is exactly −3 q(0) + 4 q(½) − q(1) and q(0) − 4 q(½) + 3 q(1).
    #[test]
    fn bases_are_twice_continuously_differentiable_at_knots() {
        let [q0, q_half, q1] = [0.0, 0.5, 1.0].map(cubic_bases_derivative);
        let start = |k: usize| -3.0 * q0[k] + 4.0 * q_half[k] - q1[k];
        let end = |k: usize| q0[k] - 4.0 * q_half[k] + 3.0 * q1[k];
        for k in 1..4 {
            assert!((cubic_bases(1.0)[k] - cubic_bases(0.0)[k - 1]).abs() <= 1e-7);
            assert!((q1[k] - q0[k - 1]).abs() <= 1e-7);
            assert!((end(k) - start(k - 1)).abs() <= 1e-6);
        }
        // The outermost pieces begin and end with zeros.
        assert_eq!([cubic_bases(0.0)[3], q0[3], start(3)], [0.0; 3]);
        assert_eq!([cubic_bases(1.0)[0], q1[0], end(0)], [0.0; 3]);
    }

    #[test]
    fn inputs_are_located() {
        assert_eq!(locate(0.3125, 1.0, 8), (5, 0.25, 0.0));
        assert_eq!(locate(-1.0, 1.0, 5), (0, 0.0, 0.0));
        assert_eq!(locate(1.0, 1.0, 5), (4, 1.0, 0.0));
        assert_eq!(locate(3.5, 1.5, 4), (3, 1.0, 2.0));
        assert_eq!(locate(-3.5, 1.5, 4), (0, 0.0, -2.0));
        let (span, t, excess) = locate(f32::NAN, 1.0, 5);
        assert!(span < 5 && t.is_nan() && excess.is_nan());
    }

    #[test]
    fn the_dense_form_equals_the_recursion() {
        let shapes = [
            (1, 1, 1.0),
            (2, 5, 1.0),
            (17, 3, 0.5),
            (50, 8, 1.5),
            (3, 40, 1.0),
        ];
        for_every_instruction_set(|set| {
            for (d_in, grid_size, range) in shapes {
                let (rows, bases) = (13, grid_size + 3);
                let mut x = scattered(rows * d_in, -1.7 * range, 1.7 * range);
                (x[0], x[1]) = (range, -range);
                let mut values = vec![f32::NAN; rows * d_in * bases];
                let mut slopes = values.clone();
                expand(&x, d_in, range, grid_size, &mut values);
                expand_derivative(&x, d_in, range, grid_size, &mut slopes);
                let unit = grid_size as f64 / f64::from(range);
                for (index, (value, slope)) in values.iter().zip(&slopes).enumerate() {
                    let (row, column) = (index / (bases * d_in), index % (bases * d_in));
                    let x = x[row * d_in + column % d_in];
                    let [exact, exact_slope] = reference(column / d_in, x, range, grid_size);
                    let error = (f64::from(*value) - exact).abs();
                    assert!(error <= 1e-6 * (1.0 + unit), "{set}: x {x} {value} {exact}");
                    let error = (f64::from(*slope) - exact_slope).abs();
                    let bound = 1e-6 * unit * (1.0 + unit);
                    assert!(error <= bound, "{set}: x {x} {slope} {exact_slope}");
                }
            }
        });
    }

    // grad x_i += Σ_m B'_m(x_i) grad_mi, with the slopes of the recursion.
    #[test]
    fn the_gradient_goes_back_through_the_bases() {
        for_every_instruction_set(|set| {
            let (rows, d_in, grid_size, range) = (7, 19, 6, 1.2_f32);
            let bases = grid_size + 3;
            let x = scattered(rows * d_in, -1.5, 1.5);
            let grad = scattered(x.len() * bases, -1.0, 1.0);
            let mut grad_x = vec![2.0; x.len()];
            expand_backward(&x, d_in, range, grid_size, &grad, &mut grad_x);
            for (index, value) in grad_x.iter().enumerate() {
                let (row, i) = (index / d_in, index % d_in);
                let terms = (0..bases).map(|m| {
                    let [_, slope] = reference(m, x[index], range, grid_size);
                    slope * f64::from(grad[(row * bases + m) * d_in + i])
                });
                let expected = 2.0 + terms.sum::<f64>();
                assert!(
                    (f64::from(*value) - expected).abs() <= 1e-5,
                    "{set}: {value} {expected}"
                );
            }
        });
    }
}
