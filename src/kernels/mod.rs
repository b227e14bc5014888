//! Arithmetic on slices: slices in, slices out, one thread, `f32`. The engine above spreads tiles of rows over threads.
//!
//! Every kernel is compiled several times, once for each instruction set below, and the widest one that the processor has is chosen
//! at run time. Most are plain loops without intrinsics, which the compiler vectorises, 16 lanes at a time with AVX-512. Where speed
//! hangs on what stays in registers, in matrix products and splines, the loop is written against the vectors of [`vector`], whose
//! plain form serves every other processor. This is the only room with `unsafe`.
//!
//! Unless a function says otherwise, it writes every element of its outputs, keeps nothing between calls, allocates nothing,
//! and panics when the lengths of its slices do not fit together (a mistake of the caller, never of the user's data). NaN goes
//! in and NaN comes out. For a given instruction set the results are the same bits on every run. Slices that start at a multiple
//! of 64 bytes are faster with AVX-512 (measured: 1.4 times in the spline kernels), for no vector then lies across two cache lines.

pub mod activation;
mod buffer;
mod cache;
mod columns;
pub mod elementwise;
pub mod fourier;
pub mod frequencies;
pub mod gabor;
pub mod gabor_filter;
pub mod gated;
pub mod hash_grid;
pub mod jets;
pub mod loss;
pub mod matmul;
mod matmul_narrow;
mod matrix;
pub mod node_spline;
pub mod normalize;
pub mod optimizer;
pub mod sinusoids;
mod spline;
pub mod spline_layer;
mod spline_narrow;
mod spline_sorted;
pub mod transpose;
pub mod trigonometry;
mod vector;
pub mod wavelet;

pub use buffer::Buffer;
pub use cache::second_level_cache;

use std::sync::OnceLock;

/// A set of vector instructions for which the kernels are compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InstructionSet {
    /// 512-bit vectors with fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// 256-bit vectors with fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// What every processor of the compilation target has; on aarch64 that includes NEON.
    Baseline,
}

impl InstructionSet {
    const ALL: &[Self] = &[
        #[cfg(target_arch = "x86_64")]
        Self::Avx512,
        #[cfg(target_arch = "x86_64")]
        Self::Avx2,
        Self::Baseline,
    ];

    /// Whether this processor has it.
    fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512bw")
                    && Self::Avx2.is_available()
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            Self::Baseline => true,
        }
    }

    fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            Self::Baseline if cfg!(target_arch = "aarch64") => "neon",
            Self::Baseline => "plain",
        }
    }

    /// Whether it has an instruction for [`vector::Vector::look_up`].
    fn looks_up(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => true,
            _ => false,
        }
    }

    /// The widest set of this processor.
    fn widest() -> Self {
        *Self::ALL
            .iter()
            .find(|set| set.is_available())
            .unwrap_or(&Self::Baseline)
    }

    /// The set that the kernels use on this thread.
    #[inline]
    fn current() -> Self {
        #[cfg(test)]
        if let Some(set) = FORCED.get() {
            return set;
        }
        static WIDEST: OnceLock<InstructionSet> = OnceLock::new();
        *WIDEST.get_or_init(Self::widest)
    }
}

/// The vector instructions that the kernels use on this processor: `avx512`, `avx2`, `neon` or `plain`.
pub fn instruction_set() -> &'static str {
    InstructionSet::current().name()
}

/// Whether [`InstructionSet::Baseline`] has a fused multiply-add; without one, `f32::mul_add` is a slow library call.
const BASELINE_FMA: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));

/// Compiles `body`, an `#[inline(always)]` function with the parameter `const FMA: bool`, for every instruction set and calls the
/// one for this processor.
macro_rules! dispatch {
    ($body:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)?) => {
        match $crate::kernels::InstructionSet::current() {
            #[cfg(target_arch = "x86_64")]
            $crate::kernels::InstructionSet::Avx512 => {
                #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
                fn compiled($($argument: $type),*) $(-> $result)? {
                    $body::<true>($($argument),*)
                }
                // SAFETY: `current` answers Avx512 only after it has found all of these features on this processor.
                unsafe { compiled($($argument),*) }
            }
            #[cfg(target_arch = "x86_64")]
            $crate::kernels::InstructionSet::Avx2 => {
                #[target_feature(enable = "avx2,fma")]
                fn compiled($($argument: $type),*) $(-> $result)? {
                    $body::<true>($($argument),*)
                }
                // SAFETY: `current` answers Avx2 only after it has found both features on this processor.
                unsafe { compiled($($argument),*) }
            }
            $crate::kernels::InstructionSet::Baseline => {
                $body::<{ $crate::kernels::BASELINE_FMA }>($($argument),*)
            }
        }
    };
}
use dispatch;

/// As `dispatch!`, for an `#[inline(always)]` function with the parameters `V: Vector, const ROWS: usize, const VECTORS: usize`, of
/// which the last two say how large a block of accumulators the registers of the instruction set hold: `ROWS` by `VECTORS` vectors.
macro_rules! dispatch_vector {
    ($body:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)?) => {
        match $crate::kernels::InstructionSet::current() {
            #[cfg(target_arch = "x86_64")]
            $crate::kernels::InstructionSet::Avx512 => {
                #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
                fn compiled($($argument: $type),*) $(-> $result)? {
                    // 24 of the 32 registers; 3 more hold a row of the right matrix.
                    $body::<$crate::kernels::vector::Avx512, 8, 3>($($argument),*)
                }
                // SAFETY: `current` answers Avx512 only after it has found all of these features on this processor.
                unsafe { compiled($($argument),*) }
            }
            #[cfg(target_arch = "x86_64")]
            $crate::kernels::InstructionSet::Avx2 => {
                #[target_feature(enable = "avx2,fma")]
                fn compiled($($argument: $type),*) $(-> $result)? {
                    // 12 of the 16 registers, two to a vector.
                    $body::<$crate::kernels::vector::Avx2, 6, 1>($($argument),*)
                }
                // SAFETY: `current` answers Avx2 only after it has found both features on this processor.
                unsafe { compiled($($argument),*) }
            }
            // Four registers to a vector: 8 of SSE2's 16, 24 of NEON's 32.
            $crate::kernels::InstructionSet::Baseline => {
                const ROWS: usize = if cfg!(target_arch = "aarch64") { 6 } else { 2 };
                $body::<$crate::kernels::vector::Plain, ROWS, 1>($($argument),*)
            }
        }
    };
}
use dispatch_vector;

/// a·b + c, fused where the instruction set can.
#[inline(always)]
fn mul_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// Elements in one AVX-512 vector.
const LANES: usize = 16;

/// What one AVX-512 vector holds.
type Block = [f32; LANES];

/// Replaces element i of the `updated` slices by `f` of element i of the `inputs` and of the `updated`, for every i.
///
/// It is one plain loop over whole vectors, which the compiler vectorises fully; the rest of the slices is padded with zeros to
/// one vector, so that no element is computed alone. (Loops over the lanes of a vector inside a loop over vectors are unrolled too
/// early and then vectorised across vectors, up to ten times slower.)
#[inline(always)]
fn for_each<const I: usize, const U: usize>(
    inputs: [&[f32]; I],
    mut updated: [&mut [f32]; U],
    f: impl Fn([f32; I], [f32; U]) -> [f32; U],
) {
    let length = updated[0].len();
    check_lengths(&inputs, &updated, length);
    let whole = length - length % LANES;
    for_each_whole(
        inputs.map(|slice| &slice[..whole]),
        updated.each_mut().map(|slice| &mut slice[..whole]),
        &f,
    );
    if whole < length {
        // Loops, for the compiler does not always inline `map`.
        let mut padded_inputs = [[0.0; LANES]; I];
        for (block, slice) in padded_inputs.iter_mut().zip(&inputs) {
            *block = padded(&slice[whole..]);
        }
        let mut padded_updated = [[0.0; LANES]; U];
        for (block, slice) in padded_updated.iter_mut().zip(&updated) {
            *block = padded(&slice[whole..]);
        }
        for_each_whole(
            padded_inputs.each_ref().map(Block::as_slice),
            padded_updated.each_mut().map(Block::as_mut_slice),
            &f,
        );
        for (slice, block) in updated.iter_mut().zip(&padded_updated) {
            slice[whole..].copy_from_slice(&block[..length - whole]);
        }
    }
}

#[inline(always)]
fn for_each_whole<const I: usize, const U: usize>(
    inputs: [&[f32]; I],
    mut updated: [&mut [f32]; U],
    // Borrowed here, for the call of a `&F` as an `impl Fn` is a function of its own, which is left out of line when it grows large.
    f: &impl Fn([f32; I], [f32; U]) -> [f32; U],
) {
    let length = updated[0].len();
    check_lengths(&inputs, &updated, length);
    for i in 0..length {
        // SAFETY: i is below `length`, and `check_lengths` has shown that every slice has that length. Bounds checks in this loop
        // would leave its last vectors to be computed element by element.
        unsafe {
            let input = inputs.map(|slice| *slice.get_unchecked(i));
            let old = updated.each_ref().map(|slice| *slice.get_unchecked(i));
            let new = f(input, old);
            for (slice, value) in updated.iter_mut().zip(new) {
                *slice.get_unchecked_mut(i) = value;
            }
        }
    }
}

#[inline(always)]
fn check_lengths(inputs: &[&[f32]], updated: &[&mut [f32]], length: usize) {
    assert!(
        inputs.iter().all(|slice| slice.len() == length)
            && updated.iter().all(|slice| slice.len() == length),
        "the slices of an elementwise kernel must have one length"
    );
}

/// The block at the start of `x`, padded with zeros.
#[inline(always)]
fn load(x: &[f32]) -> Block {
    match x.first_chunk() {
        Some(block) => *block,
        None => padded(x),
    }
}

/// A block that starts with `rest` and goes on with zeros.
#[inline(always)]
fn padded(rest: &[f32]) -> Block {
    let mut block = [0.0; LANES];
    block[..rest.len()].copy_from_slice(rest);
    block
}

#[cfg(test)]
thread_local! {
    static FORCED: std::cell::Cell<Option<InstructionSet>> = const { std::cell::Cell::new(None) };
}

/// Runs `test` once for every instruction set that this processor has, with the name of the set.
#[cfg(test)]
pub(crate) fn for_every_instruction_set(mut test: impl FnMut(&'static str)) {
    for &set in InstructionSet::ALL {
        if set.is_available() {
            FORCED.set(Some(set));
            test(set.name());
        }
    }
    FORCED.set(None);
}

/// `count` numbers that fill [low, high] evenly in a scattered order (multiples of the golden ratio modulo 1).
#[cfg(test)]
fn scattered(count: usize, low: f32, high: f32) -> Vec<f32> {
    (0..count)
        .map(|i| {
            let part = (i as f64 * 0.618_033_988_749_894_9).fract();
            (f64::from(low) + f64::from(high - low) * part) as f32
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_available_set_is_used() {
        let mut names = Vec::new();
        for_every_instruction_set(|name| {
            assert_eq!(instruction_set(), name);
            names.push(name);
        });
        assert_eq!(instruction_set(), names[0]);
        assert!(names.contains(&"plain") || names.contains(&"neon"));
    }

    #[test]
    fn for_each_reaches_every_element_of_any_length() {
        for length in 0..70 {
            let x = scattered(length, -1.0, 1.0);
            let mut y = vec![2.0; length];
            for_each([&x], [&mut y], |[x], [y]| [x + y]);
            let expected: Vec<f32> = x.iter().map(|x| x + 2.0).collect();
            assert_eq!(y, expected);
        }
    }

    #[test]
    #[should_panic(expected = "one length")]
    fn for_each_refuses_different_lengths() {
        for_each([&[0.0; 32]], [&mut [0.0; 33]], |x, _| x);
    }
}
