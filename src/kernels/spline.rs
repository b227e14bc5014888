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
//! A spline is thus a polynomial of the place t on each of G + 2 pieces: piece 0 below −R, where t = (x + R)/h; pieces 1 .. G, the
//! intervals; piece G + 1 above R, where t = (x − R)/h. With c_0 .. c_3 the coefficients of the bases that begin there, it is
//!
//! (c_0 + 4c_1 + c_2)/6 + (c_2 − c_0)/2 t + (c_0 − 2c_1 + c_2)/2 t² + (c_3 − c_0 + 3c_1 − 3c_2)/6 t³
//!
//! and without the last two terms on the outer pieces.

use super::trigonometry::ROUND;
use super::vector::Vector;

/// The knots, with what the loops need of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Knots<V> {
    inverse_h: V,
    /// G/2, the position of x = 0 in units of h.
    middle: V,
    /// G.
    last: V,
}

impl<V: Vector> Knots<V> {
    #[inline(always)]
    pub(super) fn new(range: f32, grid_size: usize) -> Self {
        assert!(
            range > 0.0 && (1..=1 << 20).contains(&grid_size),
            "range must be above 0 and grid_size from 1 to 2^20"
        );
        Self {
            inverse_h: V::splat(grid_size as f32 / (2.0 * range)),
            middle: V::splat(0.5 * grid_size as f32),
            last: V::splat(grid_size as f32),
        }
    }

    /// Where x lies: [`ROUND`] plus its piece, and the place t there. NaN gives some piece and the place NaN.
    #[inline(always)]
    pub(super) fn locate(&self, x: V) -> [V; 2] {
        let position = x.mul_add(self.inverse_h, self.middle);
        // A knot belongs to either neighbour.
        let up = position.add(V::splat(0.5)).max(V::splat(0.0));
        let piece = up.min(self.last.add(V::splat(1.0))).add(V::splat(ROUND));
        let start = self.first_basis(piece);
        [piece, start.mul_add(V::splat(-1.0), position)]
    }

    /// The first basis of a piece of [`Self::locate`].
    #[inline(always)]
    pub(super) fn first_basis(&self, piece: V) -> V {
        let before = piece.add(V::splat(-ROUND - 1.0));
        before.max(V::splat(0.0)).min(self.last)
    }

    /// The four bases of a piece, which begin with [`Self::first_basis`], at `place`; both of [`Self::locate`].
    #[inline(always)]
    pub(super) fn bases(&self, piece: V, place: V) -> [V; 4] {
        let zero = V::splat(0.0);
        let above = self.last.add(V::splat(ROUND + 1.0));
        let t = zero.where_equal(
            piece,
            V::splat(ROUND),
            zero.where_equal(piece, above, place),
        );
        // The slopes at t = 0 are −1/2, 0, 1/2, 0.
        let tangent = t.mul_add(V::splat(-1.0), place).mul(V::splat(0.5));
        let s = t.mul_add(V::splat(-1.0), V::splat(1.0));
        let (t2, s2) = (t.mul(t), s.mul(s));
        let sixth = V::splat(1.0 / 6.0);
        [
            s2.mul(s).mul_add(sixth, tangent.mul(V::splat(-1.0))),
            middle(t, t2),
            middle(s, s2).add(tangent),
            t2.mul(t).mul(sixth),
        ]
    }
}

/// The first basis that is not zero on a piece, and how many are not: four, but three on the outer two, which are tangents.
#[inline(always)]
pub(super) fn bases_of_piece(piece: usize, grid_size: usize) -> (usize, usize) {
    let first = piece.saturating_sub(1).min(grid_size);
    let is_tangent = piece == 0 || piece > grid_size;
    (first, if is_tangent { 3 } else { 4 })
}

/// The coefficients of 1, t, t², t³ on a piece from those of its bases, of which there are `count`; a fourth that is none may be any
/// number.
#[inline(always)]
pub(super) fn polynomial<V: Vector>(c: [V; 4], count: usize) -> [V; 4] {
    // Without branches, for pieces follow each other in no order that a processor could foresee.
    let curved = if count < 4 { 0.0 } else { 1.0 };
    let minus = V::splat(-1.0);
    let sum = c[0].add(c[2]);
    let value = c[1].mul_add(V::splat(4.0), sum);
    let slope = c[0].mul_add(minus, c[2]);
    let square = c[1].mul_add(V::splat(-2.0), sum);
    let cube = c[2]
        .mul_add(minus, c[1])
        .mul_add(V::splat(3.0), c[0].mul_add(minus, c[3]));
    [
        value.mul(V::splat(1.0 / 6.0)),
        slope.mul(V::splat(0.5)),
        square.mul(V::splat(0.5 * curved)),
        cube.mul(V::splat(curved / 6.0)),
    ]
}

/// The transpose of [`polynomial`]: the gradient of the coefficients of the bases from that of the polynomial's.
#[inline(always)]
pub(super) fn polynomial_transposed<V: Vector>(p: [V; 4], count: usize) -> [V; 4] {
    let sixth = p[0].mul(V::splat(1.0 / 6.0));
    let half = V::splat(0.5);
    if count < 4 {
        return [
            p[1].mul_add(V::splat(-0.5), sixth),
            p[0].mul(V::splat(2.0 / 3.0)),
            p[1].mul_add(half, sixth),
            V::splat(0.0),
        ];
    }
    let last = p[3].mul(V::splat(1.0 / 6.0));
    let even = p[2].mul_add(half, sixth);
    [
        p[1].mul_add(V::splat(-0.5), last.mul_add(V::splat(-1.0), even)),
        p[0].mul_add(
            V::splat(2.0 / 3.0),
            p[3].mul_add(half, p[2].mul(V::splat(-1.0))),
        ),
        p[1].mul_add(half, p[3].mul_add(V::splat(-0.5), even)),
        last,
    ]
}

/// B_{s+1} and B_{s+2} mirror each other: 2/3 − u² + u³/2 with u the distance to the centre.
#[inline(always)]
fn middle<V: Vector>(u: V, u2: V) -> V {
    let inner = u.mul_add(V::splat(0.5), V::splat(-1.0));
    u2.mul_add(inner, V::splat(2.0 / 3.0))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::vector::Plain;
    use super::super::{LANES, dispatch_vector, for_every_instruction_set, scattered};
    use super::*;

    /// Of sixteen equal numbers.
    fn number<V: Vector>(vector: V) -> f32 {
        let mut numbers = [0.0; LANES];
        vector.store(&mut numbers);
        numbers[0]
    }

    /// The polynomials of the bases of an interval or an outer piece.
    fn powers(count: usize) -> [[f32; 4]; 4] {
        std::array::from_fn(|k| {
            let mut c = [Plain::splat(0.0); 4];
            c[k] = Plain::splat(1.0);
            polynomial(c, count).map(number)
        })
    }

    fn value(p: [f32; 4], t: f32) -> f32 {
        ((p[3] * t + p[2]) * t + p[1]) * t + p[0]
    }

    fn slope(p: [f32; 4], t: f32) -> f32 {
        (3.0 * p[3] * t + 2.0 * p[2]) * t + p[1]
    }

    fn bases(t: f32) -> [f32; 4] {
        powers(4).map(|p| value(p, t))
    }

    fn slopes(t: f32) -> [f32; 4] {
        powers(4).map(|p| slope(p, t))
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
        // A basis begins and ends with zeros.
        for zero in [bases(0.0)[3], q0[3], start(3), bases(1.0)[0], q1[0], end(0)] {
            assert!(zero.abs() <= 1e-6);
        }
    }

    /// Piece, place, first basis, and the four bases.
    #[inline(always)]
    fn find_body<V: Vector, const ROWS: usize, const VECTORS: usize>(
        x: f32,
        range: f32,
        grid_size: usize,
    ) -> [f32; 7] {
        let knots = Knots::<V>::new(range, grid_size);
        let [piece, place] = knots.locate(V::splat(x));
        let [a, b, c, d] = knots.bases(piece, place);
        let mut found = [0.0; 7];
        for (place, vector) in
            found
                .iter_mut()
                .zip([piece, place, knots.first_basis(piece), a, b, c, d])
        {
            *place = number(vector);
        }
        found[0] -= ROUND;
        found
    }

    fn find(x: f32, range: f32, grid_size: usize) -> [f32; 7] {
        dispatch_vector!(find_body(x: f32, range: f32, grid_size: usize) -> [f32; 7])
    }

    #[test]
    fn inputs_are_located() {
        for_every_instruction_set(|set| {
            let locate = |x, range, grid_size| {
                let [piece, place, first, ..] = find(x, range, grid_size);
                (piece, place, first)
            };
            assert_eq!(locate(0.3125, 1.0, 8), (6.0, 0.25, 5.0), "{set}");
            assert_eq!(locate(3.0, 1.5, 4), (5.0, 2.0, 4.0), "{set}");
            assert_eq!(locate(-3.0, 1.5, 4), (0.0, -2.0, 0.0), "{set}");
            // A border belongs to either neighbour.
            let (piece, place, first) = locate(1.0, 1.0, 4);
            assert_eq!(first + place, 4.0, "{set}");
            assert!([4.0, 5.0].contains(&piece), "{set}");
            let (piece, place, first) = locate(f32::NAN, 1.0, 5);
            assert!(
                (0.0..7.0).contains(&piece) && (0.0..6.0).contains(&first),
                "{set}"
            );
            assert!(place.is_nan(), "{set}");
        });
    }

    #[test]
    fn bases_and_polynomials_equal_the_recursion() {
        for_every_instruction_set(|set| {
            for (grid_size, range) in [(1, 1.0), (5, 1.0), (3, 0.5), (8, 1.5), (40, 1.0)] {
                let unit = grid_size as f64 / f64::from(range);
                let mut xs = scattered(30, -1.7 * range, 1.7 * range);
                xs.extend([-range, range]);
                for x in xs {
                    let [piece, t, first, values @ ..] = find(x, range, grid_size);
                    let (start, count) = bases_of_piece(piece as usize, grid_size);
                    assert_eq!(start, first as usize, "{set} x {x}");
                    let powers = powers(count);
                    for m in 0..grid_size + 3 {
                        let k = m.wrapping_sub(start);
                        let found = match k < count {
                            true => [values[k], value(powers[k], t), slope(powers[k], t)],
                            false => [0.0; 3],
                        };
                        // The slope of the polynomial is one in units of h = 2R/G.
                        let [basis, value, slope] = found.map(f64::from);
                        let [exact, exact_slope] = reference(m, x, range, grid_size);
                        for value in [basis, value] {
                            let error = (value - exact).abs();
                            assert!(error <= 1e-6 * (1.0 + unit), "{set} x {x} {value} {exact}");
                        }
                        let error = (0.5 * unit * slope - exact_slope).abs();
                        let bound = 1e-6 * unit * (1.0 + unit);
                        assert!(error <= bound, "{set} x {x} {slope} {exact_slope}");
                    }
                }
            }
        });
    }
}
