//! Sixteen numbers at a time, in the registers of each instruction set.
//!
//! Loops whose speed hangs on what stays in registers (matrix products, splines) are written against [`Vector`];
//! all others leave the choice of registers to the compiler, see the head of this room.

use super::{Block, LANES, mul_add, padded};

/// Sixteen `f32`.
///
/// The methods may use instructions that a processor need not have. That is sound because values of the types below are made only in
/// functions that `dispatch_vector!` compiles for an instruction set and calls after it has found it on this processor.
pub(super) trait Vector: Copy {
    /// Up to how many intervals [`Self::pack_equal`] is faster at sorting rows than counting is; measured.
    const PACKED: usize = 0;

    fn load(x: &[f32; LANES]) -> Self;
    fn store(self, y: &mut [f32; LANES]);
    fn splat(x: f32) -> Self;
    /// self · b + c, fused where the instruction set can.
    fn mul_add(self, b: Self, c: Self) -> Self;
    fn mul(self, b: Self) -> Self;
    fn add(self, b: Self) -> Self;
    /// The larger one, `other` when either is NaN.
    fn max(self, other: Self) -> Self;
    /// The smaller one, `other` when either is NaN.
    fn min(self, other: Self) -> Self;
    /// The sum of the sixteen, in an order that depends on the instruction set.
    fn sum(self) -> f32;

    /// The sums of sixteen vectors, in an order that depends on the instruction set.
    #[inline(always)]
    fn sums(vectors: &[Block; LANES]) -> Self {
        let mut sums = [0.0; LANES];
        for (sum, vector) in sums.iter_mut().zip(vectors) {
            *sum = Self::load(vector).sum();
        }
        Self::load(&sums)
    }

    /// Turns rows into columns.
    #[inline(always)]
    fn transpose(matrix: &mut [Block; LANES]) {
        let rows = *matrix;
        for (column, place) in matrix.iter_mut().enumerate() {
            for (number, row) in place.iter_mut().zip(&rows) {
                *number = row[column];
            }
        }
    }

    /// Moves the numbers of the lanes in which `class` is `value` to the start of `place`, in their order; returns how many. What comes
    /// behind them in `place` is lost.
    #[inline(always)]
    fn pack_equal(self, class: Self, value: f32, place: &mut Block) -> usize {
        let [mut numbers, mut classes] = [[0.0; LANES]; 2];
        self.store(&mut numbers);
        class.store(&mut classes);
        let mut count = 0;
        for (number, class) in numbers.into_iter().zip(classes) {
            place[count % LANES] = number;
            count += usize::from(class == value);
        }
        count
    }

    /// The numbers of `self`, a table, at `index`: in every lane 1.5 · 2^23 plus an integer from 0 to 15.
    #[inline(always)]
    fn look_up(self, index: Self) -> Self {
        let [mut table, mut numbers] = [[0.0; LANES]; 2];
        self.store(&mut table);
        index.store(&mut numbers);
        Self::load(&numbers.map(|number| table[number.to_bits() as usize % LANES]))
    }

    /// `self` in the lanes in which `class` is `value`, `other` in the rest.
    #[inline(always)]
    fn where_equal(self, class: Self, value: Self, other: Self) -> Self {
        let [mut numbers, mut classes, mut values, mut others] = [[0.0; LANES]; 4];
        self.store(&mut numbers);
        class.store(&mut classes);
        value.store(&mut values);
        other.store(&mut others);
        for lane in 0..LANES {
            if classes[lane] != values[lane] {
                numbers[lane] = others[lane];
            }
        }
        Self::load(&numbers)
    }

    /// Asks for the cache line of a number that will soon be needed; does nothing where that cannot be asked.
    #[inline(always)]
    fn prefetch(_x: *const f32) {}

    /// The first numbers of a vector, with zeros behind them; `x` holds at most 16.
    #[inline(always)]
    fn load_some(x: &[f32]) -> Self {
        Self::load(&padded(x))
    }

    /// Writes the first numbers; `y` holds at most 16.
    #[inline(always)]
    fn store_some(self, y: &mut [f32]) {
        let mut block = [0.0; LANES];
        self.store(&mut block);
        y.copy_from_slice(&block[..y.len()]);
    }
}

/// In plain numbers, which the compiler puts into the registers of the compilation target.
#[derive(Clone, Copy)]
pub(super) struct Plain([f32; LANES]);

impl Plain {
    #[inline(always)]
    fn map(mut self, f: impl Fn(usize, f32) -> f32) -> Self {
        for (lane, x) in self.0.iter_mut().enumerate() {
            *x = f(lane, *x);
        }
        self
    }
}

impl Vector for Plain {
    #[inline(always)]
    fn load(x: &[f32; LANES]) -> Self {
        Self(*x)
    }

    #[inline(always)]
    fn store(self, y: &mut [f32; LANES]) {
        *y = self.0;
    }

    #[inline(always)]
    fn splat(x: f32) -> Self {
        Self([x; LANES])
    }

    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        self.map(|lane, x| mul_add::<{ super::BASELINE_FMA }>(x, b.0[lane], c.0[lane]))
    }

    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        self.map(|lane, x| x * b.0[lane])
    }

    #[inline(always)]
    fn add(self, b: Self) -> Self {
        self.map(|lane, x| x + b.0[lane])
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.map(|lane, x| if x > other.0[lane] { x } else { other.0[lane] })
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.map(|lane, x| if x < other.0[lane] { x } else { other.0[lane] })
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        let mut sums = self.0;
        for half in [8, 4, 2, 1] {
            for lane in 0..half {
                sums[lane] += sums[lane + half];
            }
        }
        sums[0]
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(test)]
mod tests {
    use super::super::{dispatch_vector, for_every_instruction_set, scattered};
    use super::*;

    fn all_operations<V: Vector>(x: &Block, y: &Block, out: &mut [Block; 8]) -> (f32, usize) {
        let (a, b) = (V::load(x), V::load(y));
        a.mul_add(b, V::splat(0.5)).store(&mut out[0]);
        a.mul(b).store(&mut out[1]);
        a.add(b).store(&mut out[2]);
        V::load_some(&x[..5]).store(&mut out[3]);
        b.store_some(&mut out[3][5..12]);
        a.max(b).store(&mut out[4]);
        a.min(b).store(&mut out[5]);
        a.where_equal(b, V::splat(y[3]), V::splat(9.0))
            .store(&mut out[6]);
        let mut packed = [0.0; LANES];
        let count = a.pack_equal(b, y[3], &mut packed);
        out[7][..count].copy_from_slice(&packed[..count]);
        (a.sum(), count)
    }

    #[inline(always)]
    fn all_body<V: Vector, const ROWS: usize, const VECTORS: usize>(
        x: &Block,
        y: &Block,
        out: &mut [Block; 8],
    ) -> (f32, usize) {
        all_operations::<V>(x, y, out)
    }

    #[test]
    fn every_instruction_set_computes_the_same() {
        for_every_instruction_set(|set| {
            let x: Block = scattered(LANES, -1.0, 1.0).try_into().unwrap();
            let mut y: Block = scattered(2 * LANES, -3.0, 3.0)[LANES..].try_into().unwrap();
            y[8] = y[3];
            y[15] = y[3];
            let mut out = [[7.0; LANES]; 8];
            let (x, y, place) = (&x, &y, &mut out);
            let (sum, count) = dispatch_vector!(all_body(
                x: &Block, y: &Block, place: &mut [Block; 8]
            ) -> (f32, usize));
            let exact: f64 = x.iter().map(|&x| f64::from(x)).sum();
            assert!((f64::from(sum) - exact).abs() <= 1e-5, "{set}");
            for lane in 0..LANES {
                let (a, b) = (f64::from(x[lane]), f64::from(y[lane]));
                assert!(
                    (f64::from(out[0][lane]) - (a * b + 0.5)).abs() <= 5e-7,
                    "{set}"
                );
                assert_eq!(out[1][lane], x[lane] * y[lane], "{set}");
                assert_eq!(out[2][lane], x[lane] + y[lane], "{set}");
                let some = match lane {
                    0..5 => x[lane],
                    5..12 => y[lane - 5],
                    _ => 0.0,
                };
                assert_eq!(out[3][lane], some, "{set}");
                assert_eq!(out[4][lane], x[lane].max(y[lane]), "{set}");
                assert_eq!(out[5][lane], x[lane].min(y[lane]), "{set}");
                let chosen = [3, 8, 15].contains(&lane);
                assert_eq!(out[6][lane], if chosen { x[lane] } else { 9.0 }, "{set}");
            }
            assert_eq!(count, 3, "{set}");
            assert_eq!(out[7][..4], [x[3], x[8], x[15], 7.0], "{set}");
        });
    }

    /// The larger and the smaller of NaN and 1, both ways round.
    #[inline(always)]
    fn nan_body<V: Vector, const ROWS: usize, const VECTORS: usize>(out: &mut [Block; 4]) {
        let (nan, one) = (V::splat(f32::NAN), V::splat(1.0));
        nan.max(one).store(&mut out[0]);
        nan.min(one).store(&mut out[1]);
        one.max(nan).store(&mut out[2]);
        one.min(nan).store(&mut out[3]);
    }

    #[test]
    fn the_second_operand_wins_against_nan() {
        for_every_instruction_set(|set| {
            let mut out = [[7.0; LANES]; 4];
            let place = &mut out;
            dispatch_vector!(nan_body(place: &mut [Block; 4]));
            assert!(out[..2].as_flattened().iter().all(|x| *x == 1.0), "{set}");
            assert!(out[2..].as_flattened().iter().all(|x| x.is_nan()), "{set}");
        });
    }

    /// The sums of the rows of a matrix, its transpose, and the numbers of its first row that the second row names.
    #[inline(always)]
    fn matrix_body<V: Vector, const ROWS: usize, const VECTORS: usize>(
        matrix: &mut [Block; LANES],
        out: &mut [Block; 2],
    ) {
        V::sums(matrix).store(&mut out[0]);
        V::load(&matrix[0])
            .look_up(V::load(&matrix[1]))
            .store(&mut out[1]);
        V::transpose(matrix);
    }

    #[test]
    fn every_instruction_set_sums_transposes_and_looks_up() {
        for_every_instruction_set(|set| {
            // Integers, whose sums are exact.
            let mut matrix: [Block; LANES] = std::array::from_fn(|row| {
                std::array::from_fn(|column| ((row * 37 + column * 11) % 101) as f32)
            });
            let index = |lane: usize| lane * 7 % LANES;
            matrix[1] = std::array::from_fn(|lane| 12_582_912.0 + index(lane) as f32);
            let original = matrix;
            let mut out = [[7.0; LANES]; 2];
            let (square, place) = (&mut matrix, &mut out);
            dispatch_vector!(matrix_body(square: &mut [Block; LANES], place: &mut [Block; 2]));
            for row in (0..LANES).filter(|row| *row != 1) {
                assert_eq!(out[0][row], original[row].iter().sum::<f32>(), "{set}");
            }
            for lane in 0..LANES {
                assert_eq!(out[1][lane], original[0][index(lane)], "{set}");
                for row in 0..LANES {
                    assert_eq!(matrix[lane][row], original[row][lane], "{set}");
                }
            }
        });
    }
}
