//! Fourier features cos(k s x), sin(k s x) for k = 1..K.
//!
//! The frequencies go in runs. Every eighth run is computed directly; the others follow from the run before by the addition
//! theorem, one rotation for each element, so that rounding errors grow over seven rotations only. A direct run is exact in its
//! phase: s x / π is reduced to [-1, 1] in f64 and split into g₁ + g₂, where g₁ is a multiple of 2⁻¹¹. For k ≤ 8192 the product
//! k g₁ is exact in f32, and so is its distance to an integer. Maximum absolute error for |s x| ≤ 10⁴ and K ≤ 8192: 1.5e-6.
//!
//! Columns are basis-major: cos(k s x_i) in column (k−1)·d_in + i, sin(k s x_i) in column (K+k−1)·d_in + i. For few inputs a run
//! holds 16 frequencies, so that its 16·d_in columns fill whole vectors; for many inputs it holds one.

use super::trigonometry::{ROUND, sin_cos_reduced};
use super::{LANES, dispatch, mul_add};

/// Lanes of the tables on the stack; rows with more inputs are done in parts.
const PART: usize = 256;

/// Runs from one direct computation to the next.
const REFRESH: usize = 8;

/// The largest K.
pub const MAX_FREQUENCIES: usize = 8192;

type Table = [f32; PART];

/// Part of a row as runs of frequencies: lane l of a run stands for input `l % inputs` and for the frequency `l / inputs` after
/// the first of the run.
struct Runs {
    inputs: usize,
    frequencies: usize,
    /// Lanes of a run, rounded up to whole vectors.
    lanes: usize,
    /// Frequency of each lane in the run that starts with k = 0.
    offset: Table,
}

impl Runs {
    #[inline(always)]
    fn new(d_in: usize, inputs: usize) -> Self {
        let frequencies = if d_in <= LANES { LANES } else { 1 };
        let mut offset = [0.0; PART];
        for (k, offsets) in offset.chunks_mut(inputs).enumerate() {
            offsets.fill(k as f32);
        }
        Self {
            inputs,
            frequencies,
            lanes: (inputs * frequencies).next_multiple_of(LANES),
            offset,
        }
    }

    /// For every run: its index, its first frequency, and how many of its lanes are used.
    #[inline(always)]
    fn of(&self, frequencies: usize) -> impl Iterator<Item = (usize, usize, usize)> {
        let (step, inputs) = (self.frequencies, self.inputs);
        (1..=frequencies)
            .step_by(step)
            .enumerate()
            .map(move |(run, first)| (run, first, step.min(frequencies - first + 1) * inputs))
    }
}

/// The phases of the lanes in half turns, s x / π = first + second, and their sum rounded.
struct Phases {
    first: Table,
    second: Table,
    sum: Table,
}

// Adding it rounds an f64 below 2⁵¹ to an integer.
const ROUND_F64: f64 = 6_755_399_441_055_744.0;

/// From here on an f64 has no bits for the phase within a turn.
const LARGE_PHASE: f64 = (1_u64 << 50) as f64;

impl Phases {
    const ZERO: Self = Self {
        first: [0.0; PART],
        second: [0.0; PART],
        sum: [0.0; PART],
    };

    /// The phases of the inputs `x`, repeated for every frequency of a run.
    #[inline(always)]
    fn set(&mut self, x: &[f32], half_turns: f64, runs: &Runs) {
        let mut lanes = [0.0; PART];
        for lanes in lanes.chunks_exact_mut(x.len()).take(runs.frequencies) {
            for (lane, x) in lanes.iter_mut().zip(x) {
                *lane = *x;
            }
        }
        for lane in 0..runs.lanes {
            let phase = f64::from(lanes[lane]) * half_turns;
            // The difference lets infinities become NaN.
            let phase = if phase.abs() < LARGE_PHASE {
                phase
            } else {
                phase - phase
            };
            let phase = phase - 2.0 * ((0.5 * phase + ROUND_F64) - ROUND_F64);
            let coarse = ((phase * 2048.0 + ROUND_F64) - ROUND_F64) / 2048.0;
            self.first[lane] = coarse as f32;
            self.second[lane] = (phase - coarse) as f32;
            self.sum[lane] = phase as f32;
        }
    }

    /// cos and sin of (k + offset) times the phase.
    #[inline(always)]
    fn turn<const FMA: bool>(&self, k: f32, offset: &[f32], cos: &mut [f32], sin: &mut [f32]) {
        let lanes = cos.len();
        let (first, second, sum) = (
            &self.first[..lanes],
            &self.second[..lanes],
            &self.sum[..lanes],
        );
        let (offset, sin) = (&offset[..lanes], &mut sin[..lanes]);
        for lane in 0..lanes {
            let k = k + offset[lane];
            let shifted = mul_add::<FMA>(k, sum[lane], ROUND);
            let rest = mul_add::<FMA>(k, first[lane], -(shifted - ROUND));
            let rest = mul_add::<FMA>(k, second[lane], rest);
            let r = rest * std::f32::consts::PI;
            [sin[lane], cos[lane]] = sin_cos_reduced::<FMA>(r, shifted.to_bits());
        }
    }
}

/// Replaces cos a and sin a by those of a + b.
#[inline(always)]
fn rotate<const FMA: bool>(cos: &mut [f32], sin: &mut [f32], cos_b: &[f32], sin_b: &[f32]) {
    let lanes = cos.len();
    let (sin, cos_b, sin_b) = (&mut sin[..lanes], &cos_b[..lanes], &sin_b[..lanes]);
    for lane in 0..lanes {
        let (c, s) = (cos[lane], sin[lane]);
        cos[lane] = mul_add::<FMA>(c, cos_b[lane], -(s * sin_b[lane]));
        sin[lane] = mul_add::<FMA>(s, cos_b[lane], c * sin_b[lane]);
    }
}

/// Writes the features of a tile: `x` `[rows, d_in]`, `scale` s, `features` `[rows, 2K·d_in]`, K = `frequencies` from 1 to
/// [`MAX_FREQUENCIES`].
pub fn features(x: &[f32], d_in: usize, scale: f32, frequencies: usize, features: &mut [f32]) {
    check(x.len(), d_in, frequencies, features.len());
    dispatch!(features_body(
        x: &[f32], d_in: usize, scale: f32, frequencies: usize, features: &mut [f32]
    ));
}

fn check(x: usize, d_in: usize, frequencies: usize, features: usize) {
    assert!(
        (1..=MAX_FREQUENCIES).contains(&frequencies),
        "the number of frequencies must be from 1 to {MAX_FREQUENCIES}"
    );
    assert!(
        d_in > 0 && x.is_multiple_of(d_in) && features == 2 * frequencies * x,
        "x must be [rows, d_in] and the features [rows, 2 K d_in]"
    );
}

#[inline(always)]
fn features_body<const FMA: bool>(
    x: &[f32],
    d_in: usize,
    scale: f32,
    frequencies: usize,
    features: &mut [f32],
) {
    let half_turns = f64::from(scale) / std::f64::consts::PI;
    let half = frequencies * d_in;
    let mut phases = Phases::ZERO;
    let (mut cos, mut sin) = ([0.0; PART], [0.0; PART]);
    let (mut step_cos, mut step_sin) = ([0.0; PART], [0.0; PART]);
    let no_offset = [0.0; PART];
    for part in (0..d_in).step_by(PART) {
        let inputs = part..d_in.min(part + PART);
        let runs = Runs::new(d_in, inputs.len());
        let (cos, sin) = (&mut cos[..runs.lanes], &mut sin[..runs.lanes]);
        let (step_cos, step_sin) = (&mut step_cos[..runs.lanes], &mut step_sin[..runs.lanes]);
        let rows = x
            .chunks_exact(d_in)
            .zip(features.chunks_exact_mut(2 * half));
        for (x, features) in rows {
            let (cos_out, sin_out) = features.split_at_mut(half);
            phases.set(&x[inputs.clone()], half_turns, &runs);
            phases.turn::<FMA>(runs.frequencies as f32, &no_offset, step_cos, step_sin);
            for (run, first, count) in runs.of(frequencies) {
                if run % REFRESH == 0 {
                    phases.turn::<FMA>(first as f32, &runs.offset, cos, sin);
                } else {
                    rotate::<FMA>(cos, sin, step_cos, step_sin);
                }
                let start = (first - 1) * d_in + part;
                cos_out[start..start + count].copy_from_slice(&cos[..count]);
                sin_out[start..start + count].copy_from_slice(&sin[..count]);
            }
        }
    }
}

/// Writes the gradient of x, `[rows, d_in]`, from the features and their gradient, both `[rows, 2K·d_in]`:
/// grad x_i = s Σ_k k (cos_k grad sin_k − sin_k grad cos_k).
pub fn features_backward(
    features: &[f32],
    grad_features: &[f32],
    d_in: usize,
    scale: f32,
    frequencies: usize,
    grad_x: &mut [f32],
) {
    check(grad_x.len(), d_in, frequencies, features.len());
    check(grad_x.len(), d_in, frequencies, grad_features.len());
    dispatch!(features_backward_body(
        features: &[f32], grad_features: &[f32],
        d_in: usize, scale: f32, frequencies: usize, grad_x: &mut [f32]
    ));
}

#[inline(always)]
fn features_backward_body<const FMA: bool>(
    features: &[f32],
    grad_features: &[f32],
    d_in: usize,
    scale: f32,
    frequencies: usize,
    grad_x: &mut [f32],
) {
    let half = frequencies * d_in;
    for part in (0..d_in).step_by(PART) {
        let inputs = part..d_in.min(part + PART);
        let runs = Runs::new(d_in, inputs.len());
        let rows = grad_x
            .chunks_exact_mut(d_in)
            .zip(features.chunks_exact(2 * half))
            .zip(grad_features.chunks_exact(2 * half));
        for ((grad_x, features), grad_features) in rows {
            let (cos, sin) = features.split_at(half);
            let (grad_cos, grad_sin) = grad_features.split_at(half);
            let mut sums = [0.0; PART];
            for (_, first, count) in runs.of(frequencies) {
                let start = (first - 1) * d_in + part;
                let run = start..start + count;
                let (cos, sin) = (&cos[run.clone()], &sin[run.clone()]);
                let (grad_cos, grad_sin) = (&grad_cos[run.clone()], &grad_sin[run]);
                let (sums, offset) = (&mut sums[..count], &runs.offset[..count]);
                for lane in 0..count {
                    let k = first as f32 + offset[lane];
                    let turn =
                        mul_add::<FMA>(cos[lane], grad_sin[lane], -(sin[lane] * grad_cos[lane]));
                    sums[lane] = mul_add::<FMA>(k, turn, sums[lane]);
                }
            }
            for (i, grad_x) in grad_x[inputs.clone()].iter_mut().enumerate() {
                let lanes = (0..runs.frequencies).map(|k| sums[k * runs.inputs + i]);
                *grad_x = scale * lanes.sum::<f32>();
            }
        }
    }
}
