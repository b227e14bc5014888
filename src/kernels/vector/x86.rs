//! [`Vector`] in the registers of x86-64.

use std::arch::x86_64::*;

use super::{Block, LANES, Vector};

/// One AVX-512 register.
#[derive(Clone, Copy)]
pub(in super::super) struct Avx512(__m512);

// SAFETY of all blocks: the instructions are there, see `Vector`; loads and stores go through references to 16 numbers, or through
// a mask that ends at the slice's length.
impl Vector for Avx512 {
    const PACKED: usize = 10;

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
    fn max(self, other: Self) -> Self {
        unsafe { Self(_mm512_max_ps(self.0, other.0)) }
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        unsafe { Self(_mm512_min_ps(self.0, other.0)) }
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        unsafe { _mm512_reduce_add_ps(self.0) }
    }

    #[inline(always)]
    fn sums(vectors: &[Block; LANES]) -> Self {
        unsafe {
            // Quarters of a vector stay quarters until each holds the sums of four vectors.
            let mut four = [_mm512_setzero_ps(); 4];
            for (four, vectors) in four.iter_mut().zip(vectors.as_chunks::<4>().0) {
                let [a, b, c, d] = vectors;
                let first = pairs(Self::load(a).0, Self::load(b).0);
                let second = pairs(Self::load(c).0, Self::load(d).0);
                let (first, second) = (_mm512_castps_pd(first), _mm512_castps_pd(second));
                *four = _mm512_add_ps(
                    _mm512_castpd_ps(_mm512_unpacklo_pd(first, second)),
                    _mm512_castpd_ps(_mm512_unpackhi_pd(first, second)),
                );
            }
            let [a, b, c, d] = four;
            Self(quarters(quarters(a, b), quarters(c, d)))
        }
    }

    #[inline(always)]
    fn transpose(matrix: &mut [Block; LANES]) {
        unsafe {
            let mut a = [_mm512_setzero_ps(); LANES];
            for (a, row) in a.iter_mut().zip(&*matrix) {
                *a = Self::load(row).0;
            }
            let mut b = a;
            // Two by two, then four by four within the quarters of the vectors, then the quarters.
            for i in (0..LANES).step_by(2) {
                b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
                b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
            }
            for i in (0..LANES).step_by(4) {
                for half in 0..2 {
                    let low = _mm512_castps_pd(b[i + half]);
                    let high = _mm512_castps_pd(b[i + half + 2]);
                    a[i + 2 * half] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
                    a[i + 2 * half + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
                }
            }
            for i in 0..4 {
                for half in [0, 8] {
                    let (low, high) = (a[half + i], a[half + i + 4]);
                    b[half + i] = _mm512_shuffle_f32x4::<0b10_00_10_00>(low, high);
                    b[half + i + 4] = _mm512_shuffle_f32x4::<0b11_01_11_01>(low, high);
                }
            }
            for i in 0..8 {
                a[i] = _mm512_shuffle_f32x4::<0b10_00_10_00>(b[i], b[i + 8]);
                a[i + 8] = _mm512_shuffle_f32x4::<0b11_01_11_01>(b[i], b[i + 8]);
            }
            for (row, a) in matrix.iter_mut().zip(a) {
                Self(a).store(row);
            }
        }
    }

    #[inline(always)]
    fn pack_equal(self, class: Self, value: f32, place: &mut Block) -> usize {
        unsafe {
            let equal = _mm512_cmpeq_ps_mask(class.0, _mm512_set1_ps(value));
            // To a register first: compressing into memory is slow on Zen 4.
            Self(_mm512_maskz_compress_ps(equal, self.0)).store(place);
            equal.count_ones() as usize
        }
    }

    #[inline(always)]
    fn look_up(self, index: Self) -> Self {
        // It reads the lowest four bits of the indices.
        unsafe { Self(_mm512_permutexvar_ps(_mm512_castps_si512(index.0), self.0)) }
    }

    #[inline(always)]
    fn where_equal(self, class: Self, value: Self, other: Self) -> Self {
        unsafe {
            let equal = _mm512_cmpeq_ps_mask(class.0, value.0);
            Self(_mm512_mask_mov_ps(other.0, equal, self.0))
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

/// The sums of the numbers of `a` and `b` two by two, in turn, within each quarter of the vectors.
#[inline(always)]
unsafe fn pairs(a: __m512, b: __m512) -> __m512 {
    unsafe { _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b)) }
}

/// The sums of the quarters of `a` two by two, then of `b`.
#[inline(always)]
unsafe fn quarters(a: __m512, b: __m512) -> __m512 {
    unsafe {
        _mm512_add_ps(
            _mm512_shuffle_f32x4::<0b10_00_10_00>(a, b),
            _mm512_shuffle_f32x4::<0b11_01_11_01>(a, b),
        )
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
    fn prefetch(x: *const f32) {
        unsafe { _mm_prefetch::<_MM_HINT_T0>(x.cast()) }
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        unsafe {
            Self(
                _mm256_max_ps(self.0, other.0),
                _mm256_max_ps(self.1, other.1),
            )
        }
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        unsafe {
            Self(
                _mm256_min_ps(self.0, other.0),
                _mm256_min_ps(self.1, other.1),
            )
        }
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
