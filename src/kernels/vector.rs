//! Sixteen numbers at a time, in the registers of each instruction set.
//!
//! Loops whose speed hangs on what stays in registers (matrix products, splines sorted by cell) are written against [`Vector`];
//! all others leave the choice of registers to the compiler, see the head of this room.

use super::{LANES, mul_add, padded};

/// Sixteen `f32`.
///
/// The methods may use instructions that a processor need not have. That is sound because values of the types below are made only in
/// functions that `dispatch_vector!` compiles for an instruction set and calls after it has found it on this processor.
pub(super) trait Vector: Copy {
    fn load(x: &[f32; LANES]) -> Self;
    fn store(self, y: &mut [f32; LANES]);
    fn splat(x: f32) -> Self;
    /// self · b + c, fused where the instruction set can.
    fn mul_add(self, b: Self, c: Self) -> Self;
    fn mul(self, b: Self) -> Self;
    fn add(self, b: Self) -> Self;
    /// The sum of the sixteen, in an order that depends on the instruction set.
    fn sum(self) -> f32;

    /// The numbers of self and `b` by turns: a₀ b₀ a₁ b₁ ... and, second, a₈ b₈ a₉ b₉ ...
    fn interleave(self, b: Self) -> [Self; 2];

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
    fn interleave(self, b: Self) -> [Self; 2] {
        [0, LANES / 2].map(|first| self.map(|lane, _| [self.0, b.0][lane % 2][first + lane / 2]))
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
mod x86 {
    use std::arch::x86_64::*;

    use super::{LANES, Vector};

    /// One AVX-512 register.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Avx512(__m512);

    // SAFETY of all blocks: the instructions are there, see `Vector`; loads and stores go through references to 16 numbers, or through
    // a mask that ends at the slice's length.
    impl Vector for Avx512 {
        #[inline(always)]
        fn load(x: &[f32; LANES]) -> Self {
            unsafe { Self(_mm512_loadu_ps(x.as_ptr())) }
        }

        #[inline(always)]
        fn store(self, y: &mut [f32; LANES]) {
            unsafe { _mm512_storeu_ps(y.as_mut_ptr(), self.0) }
        }

        #[inline(always)]
        fn splat(x: f32) -> Self {
            unsafe { Self(_mm512_set1_ps(x)) }
        }

        #[inline(always)]
        fn mul_add(self, b: Self, c: Self) -> Self {
            unsafe { Self(_mm512_fmadd_ps(self.0, b.0, c.0)) }
        }

        #[inline(always)]
        fn mul(self, b: Self) -> Self {
            unsafe { Self(_mm512_mul_ps(self.0, b.0)) }
        }

        #[inline(always)]
        fn add(self, b: Self) -> Self {
            unsafe { Self(_mm512_add_ps(self.0, b.0)) }
        }

        #[inline(always)]
        fn sum(self) -> f32 {
            unsafe { _mm512_reduce_add_ps(self.0) }
        }

        #[inline(always)]
        fn interleave(self, b: Self) -> [Self; 2] {
            unsafe {
                // Numbers from 16 on are those of b.
                let first =
                    _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
                let second = _mm512_add_epi32(first, _mm512_set1_epi32(8));
                [first, second].map(|order| Self(_mm512_permutex2var_ps(self.0, order, b.0)))
            }
        }

        #[inline(always)]
        fn prefetch(x: *const f32) {
            unsafe { _mm_prefetch::<_MM_HINT_T0>(x.cast()) }
        }

        #[inline(always)]
        fn load_some(x: &[f32]) -> Self {
            assert!(x.len() <= LANES);
            unsafe { Self(_mm512_maskz_loadu_ps(first(x.len()), x.as_ptr())) }
        }

        #[inline(always)]
        fn store_some(self, y: &mut [f32]) {
            assert!(y.len() <= LANES);
            unsafe { _mm512_mask_storeu_ps(y.as_mut_ptr(), first(y.len()), self.0) }
        }
    }

    /// The mask of the first `count` lanes.
    #[inline(always)]
    fn first(count: usize) -> __mmask16 {
        ((1_u32 << count) - 1) as __mmask16
    }

    /// Two AVX registers.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Avx2(__m256, __m256);

    // SAFETY of all blocks: as above.
    impl Vector for Avx2 {
        #[inline(always)]
        fn load(x: &[f32; LANES]) -> Self {
            unsafe {
                Self(
                    _mm256_loadu_ps(x.as_ptr()),
                    _mm256_loadu_ps(x.as_ptr().add(8)),
                )
            }
        }

        #[inline(always)]
        fn store(self, y: &mut [f32; LANES]) {
            unsafe {
                _mm256_storeu_ps(y.as_mut_ptr(), self.0);
                _mm256_storeu_ps(y.as_mut_ptr().add(8), self.1);
            }
        }

        #[inline(always)]
        fn splat(x: f32) -> Self {
            unsafe { Self(_mm256_set1_ps(x), _mm256_set1_ps(x)) }
        }

        #[inline(always)]
        fn mul_add(self, b: Self, c: Self) -> Self {
            unsafe {
                Self(
                    _mm256_fmadd_ps(self.0, b.0, c.0),
                    _mm256_fmadd_ps(self.1, b.1, c.1),
                )
            }
        }

        #[inline(always)]
        fn mul(self, b: Self) -> Self {
            unsafe { Self(_mm256_mul_ps(self.0, b.0), _mm256_mul_ps(self.1, b.1)) }
        }

        #[inline(always)]
        fn add(self, b: Self) -> Self {
            unsafe { Self(_mm256_add_ps(self.0, b.0), _mm256_add_ps(self.1, b.1)) }
        }

        #[inline(always)]
        fn interleave(self, b: Self) -> [Self; 2] {
            // The instructions interleave within each four.
            [(self.0, b.0), (self.1, b.1)].map(|(a, b)| unsafe {
                let (low, high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
                Self(
                    _mm256_permute2f128_ps::<0x20>(low, high),
                    _mm256_permute2f128_ps::<0x31>(low, high),
                )
            })
        }

        #[inline(always)]
        fn prefetch(x: *const f32) {
            unsafe { _mm_prefetch::<_MM_HINT_T0>(x.cast()) }
        }

        #[inline(always)]
        fn sum(self) -> f32 {
            unsafe {
                let eight = _mm256_add_ps(self.0, self.1);
                let four = _mm_add_ps(
                    _mm256_castps256_ps128(eight),
                    _mm256_extractf128_ps::<1>(eight),
                );
                let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
                _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{dispatch_vector, for_every_instruction_set, scattered};
    use super::*;

    fn all_operations<V: Vector>(
        x: &[f32; LANES],
        y: &[f32; LANES],
        out: &mut [[f32; LANES]; 6],
    ) -> f32 {
        let (a, b) = (V::load(x), V::load(y));
        a.mul_add(b, V::splat(0.5)).store(&mut out[0]);
        a.mul(b).store(&mut out[1]);
        a.add(b).store(&mut out[2]);
        V::load_some(&x[..5]).store(&mut out[3]);
        b.store_some(&mut out[3][5..12]);
        for (vector, out) in a.interleave(b).into_iter().zip(&mut out[4..]) {
            vector.store(out);
        }
        a.sum()
    }

    #[test]
    fn every_instruction_set_computes_the_same() {
        for_every_instruction_set(|set| {
            let x: [f32; LANES] = scattered(LANES, -1.0, 1.0).try_into().unwrap();
            let y: [f32; LANES] = scattered(2 * LANES, -3.0, 3.0)[LANES..].try_into().unwrap();
            let (x, y) = (&x, &y);
            let mut out = [[7.0; LANES]; 6];
            let place = &mut out;
            #[inline(always)]
            fn body<V: Vector, const ROWS: usize, const VECTORS: usize>(
                x: &[f32; LANES],
                y: &[f32; LANES],
                place: &mut [[f32; LANES]; 6],
            ) -> f32 {
                all_operations::<V>(x, y, place)
            }
            let sum = dispatch_vector!(body(
                x: &[f32; LANES], y: &[f32; LANES], place: &mut [[f32; LANES]; 6]
            ) -> f32);
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
                let by_turns = if lane % 2 == 0 { x } else { y };
                assert_eq!(out[4][lane], by_turns[lane / 2], "{set}");
                assert_eq!(out[5][lane], by_turns[8 + lane / 2], "{set}");
            }
        });
    }
}
