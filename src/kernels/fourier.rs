//! Fourier features cos(k s x), sin(k s x) for K integers k.
//!
//! The frequencies go in runs. Of the frequencies 1..K every eighth run is computed directly; the others follow from the run before by the
//! addition theorem, one rotation for each element, so that rounding errors grow over seven rotations only. A direct run is exact in its
//! phase: s x / π is reduced to [-1, 1] in f64 and split into g₁ + g₂, where g₁ is a multiple of 2⁻¹¹. For k ≤ 8192 the product
//! k g₁ is exact in f32, and so is its distance to an integer. Maximum absolute error for |s x| ≤ 10⁴ and k ≤ 8192: 2e-6. With gaps between
//! the frequencies every run is computed directly, and for k up to 32,768 g₁ is a multiple of 2⁻⁹: 6e-6.
//!
//! Columns are basis-major: cos(k_j s x_i) in column j·d_in + i, sin(k_j s x_i) in column (K+j)·d_in + i, j from 0. For few inputs a run
//! holds 16 frequencies, so that its 16·d_in columns fill whole vectors; for many inputs it holds one.

use super::trigonometry::{ROUND, sin_cos_reduced};
use super::{Block, LANES, dispatch, load, mul_add};

/// Lanes of the tables on the stack; rows with more inputs are done in parts.
const PART: usize = 256;

/// Runs from one direct computation to the next.
const REFRESH: usize = 8;

/// The largest K.
pub const MAX_FREQUENCIES: usize = 8192;

/// The highest frequency.
pub const HIGHEST_FREQUENCY: usize = 32_768;

type Table = [f32; PART];

/// Part of a row as runs of frequencies: lane l of a run stands for input `l % inputs` and for the frequency `l / inputs` after
/// the first of the run.
struct Runs {
    inputs: usize,
    frequencies: usize,
    /// Lanes of a run, rounded up to whole vectors.
    lanes: usize,
    /// Which frequency of the run each lane has.
    place: [usize; PART],
}

impl Runs {
    #[inline(always)]
    fn new(d_in: usize, inputs: usize) -> Self {
        let frequencies = if d_in <= LANES { LANES } else { 1 };
        let mut place = [0; PART];
        for (k, places) in place.chunks_mut(inputs).enumerate() {
            places.fill(k);
        }
        Self {
            inputs,
            frequencies,
            lanes: (inputs * frequencies).next_multiple_of(LANES),
            place,
        }
    }

    /// The frequencies of the 16 lanes from `lane` on; `values` begins with those of the run.
    #[inline(always)]
    fn of_lanes(&self, lane: usize, values: &[f32]) -> Block {
        let last = values.len() - 1;
        std::array::from_fn(|l| values[self.place[lane + l].min(last)])
    }

    /// How many runs `frequencies` take, and how many lanes of a run are used (fewer in the last one).
    #[inline(always)]
    fn shape(&self, frequencies: usize) -> (usize, impl Fn(usize) -> usize) {
        let (step, inputs) = (self.frequencies, self.inputs);
        let used = move |run: usize| step.min(frequencies - run * step) * inputs;
        (frequencies.div_ceil(step), used)
    }
}

/// The phases of the lanes in half turns, s x / π = first + second, and their sum rounded.
struct Phases {
    x: Table,
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
        x: [0.0; PART],
        first: [0.0; PART],
        second: [0.0; PART],
        sum: [0.0; PART],
    };

    /// The phases of the inputs `x`, repeated for every frequency of a run.
    #[inline(always)]
    fn set(&mut self, x: &[f32], half_turns: f64, grid: f64, runs: &Runs) {
        for lanes in self.x.chunks_exact_mut(x.len()).take(runs.frequencies) {
            for (lane, x) in lanes.iter_mut().zip(x) {
                *lane = *x;
            }
        }
        for lane in 0..runs.lanes {
            let phase = f64::from(self.x[lane]) * half_turns;
            // The product lets infinities become NaN.
            let phase = if phase.abs() < LARGE_PHASE {
                phase
            } else {
                0.0 * phase
            };
            let phase = phase - 2.0 * ((0.5 * phase + ROUND_F64) - ROUND_F64);
            let coarse = ((phase * grid + ROUND_F64) - ROUND_F64) / grid;
            self.first[lane] = coarse as f32;
            self.second[lane] = (phase - coarse) as f32;
            self.sum[lane] = phase as f32;
        }
    }

    /// The 16 lanes from `lane` on.
    #[inline(always)]
    fn block(&self, lane: usize) -> PhaseBlock {
        PhaseBlock {
            first: load(&self.first[lane..]),
            second: load(&self.second[lane..]),
            sum: load(&self.sum[lane..]),
        }
    }
}

/// 16 lanes of [`Phases`].
struct PhaseBlock {
    first: Block,
    second: Block,
    sum: Block,
}

/// sin and cos of 16 lanes, which stay in registers from run to run.
#[derive(Clone, Copy)]
struct State {
    sin: Block,
    cos: Block,
}

impl PhaseBlock {
    /// sin and cos of k times the phase.
    #[inline(always)]
    fn turn<const FMA: bool>(&self, k: &Block) -> State {
        let (mut sin, mut cos) = ([0.0; LANES], [0.0; LANES]);
        for lane in 0..LANES {
            let shifted = mul_add::<FMA>(k[lane], self.sum[lane], ROUND);
            let rest = mul_add::<FMA>(k[lane], self.first[lane], -(shifted - ROUND));
            let rest = mul_add::<FMA>(k[lane], self.second[lane], rest);
            [sin[lane], cos[lane]] =
                sin_cos_reduced::<FMA>(rest * std::f32::consts::PI, shifted.to_bits());
        }
        State { sin, cos }
    }
}

impl State {
    /// sin and cos of the sum of two angles.
    #[inline(always)]
    fn plus<const FMA: bool>(&self, other: &Self) -> Self {
        let (mut sin, mut cos) = ([0.0; LANES], [0.0; LANES]);
        for lane in 0..LANES {
            let (s, c) = (self.sin[lane], self.cos[lane]);
            let (other_s, other_c) = (other.sin[lane], other.cos[lane]);
            sin[lane] = mul_add::<FMA>(s, other_c, c * other_s);
            cos[lane] = mul_add::<FMA>(c, other_c, -(s * other_s));
        }
        Self { sin, cos }
    }
}

/// Writes the first lanes. The block comes by value: one whose address is known would not stay in registers.
#[cold]
#[inline(never)]
fn store_some(values: Block, out: &mut [f32]) {
    out.copy_from_slice(&values[..out.len()]);
}

/// Writes the features of a tile: `x` `[rows, d_in]`, `scale` s, `frequencies` k as [`super::frequencies::frequencies`] gives them, `features` `[rows, 2K·d_in]`.
pub fn features(x: &[f32], d_in: usize, scale: f32, frequencies: &[f32], features: &mut [f32]) {
    check(x.len(), d_in, frequencies, features.len());
    dispatch!(features_body(
        x: &[f32], d_in: usize, scale: f32, frequencies: &[f32], features: &mut [f32]
    ));
}

fn check(x: usize, d_in: usize, frequencies: &[f32], features: usize) {
    let is_known = |k: &f32| *k <= HIGHEST_FREQUENCY as f32;
    assert!(
        (1..=MAX_FREQUENCIES).contains(&frequencies.len())
            && frequencies.last().is_some_and(is_known),
        "there must be 1 to {MAX_FREQUENCIES} frequencies up to {HIGHEST_FREQUENCY}"
    );
    assert!(
        d_in > 0 && x.is_multiple_of(d_in) && features == 2 * frequencies.len() * x,
        "x must be [rows, d_in] and the features [rows, 2 K d_in]"
    );
}

#[inline(always)]
fn features_body<const FMA: bool>(
    x: &[f32],
    d_in: usize,
    scale: f32,
    frequencies: &[f32],
    features: &mut [f32],
) {
    let half_turns = f64::from(scale) / std::f64::consts::PI;
    let half = frequencies.len() * d_in;
    let highest = frequencies.last().map_or(0, |&k| k as usize);
    let direct = if highest == frequencies.len() {
        REFRESH
    } else {
        1
    };
    let grid = if highest > MAX_FREQUENCIES {
        512.0
    } else {
        2048.0
    };
    let mut phases = Phases::ZERO;
    for part in (0..d_in).step_by(PART) {
        let inputs = part..d_in.min(part + PART);
        let runs = Runs::new(d_in, inputs.len());
        let (count, used) = runs.shape(frequencies.len());
        let rows = x
            .chunks_exact(d_in)
            .zip(features.chunks_exact_mut(2 * half));
        for (x, features) in rows {
            let (cos, sin) = features.split_at_mut(half);
            phases.set(&x[inputs.clone()], half_turns, grid, &runs);
            for lane in (0..runs.lanes).step_by(LANES) {
                let phases = phases.block(lane);
                let step = phases.turn::<FMA>(&[runs.frequencies as f32; LANES]);
                let mut state = step;
                // The last run may have no frequency left for these lanes.
                let count = if used(count - 1) > lane {
                    count
                } else {
                    count - 1
                };
                for run in 0..count {
                    state = if run % direct == 0 {
                        let values = &frequencies[run * runs.frequencies..];
                        phases.turn::<FMA>(&runs.of_lanes(lane, values))
                    } else {
                        state.plus::<FMA>(&step)
                    };
                    let start = run * runs.frequencies * d_in + part + lane;
                    let used = used(run) - lane;
                    let (cos, sin) = (&mut cos[start..], &mut sin[start..]);
                    if let (LANES.., Some(cos), Some(sin)) =
                        (used, cos.first_chunk_mut(), sin.first_chunk_mut())
                    {
                        (*cos, *sin) = (state.cos, state.sin);
                    } else {
                        store_some(state.cos, &mut cos[..used]);
                        store_some(state.sin, &mut sin[..used]);
                    }
                }
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
    frequencies: &[f32],
    grad_x: &mut [f32],
) {
    check(grad_x.len(), d_in, frequencies, features.len());
    check(grad_x.len(), d_in, frequencies, grad_features.len());
    dispatch!(features_backward_body(
        features: &[f32], grad_features: &[f32],
        d_in: usize, scale: f32, frequencies: &[f32], grad_x: &mut [f32]
    ));
}

#[inline(always)]
fn features_backward_body<const FMA: bool>(
    features: &[f32],
    grad_features: &[f32],
    d_in: usize,
    scale: f32,
    frequencies: &[f32],
    grad_x: &mut [f32],
) {
    let half = frequencies.len() * d_in;
    for part in (0..d_in).step_by(PART) {
        let inputs = part..d_in.min(part + PART);
        let runs = Runs::new(d_in, inputs.len());
        let (count, used) = runs.shape(frequencies.len());
        let k: Vec<f32> = frequencies
            .iter()
            .flat_map(|&k| std::iter::repeat_n(k, runs.inputs))
            .collect();
        let rows = grad_x
            .chunks_exact_mut(d_in)
            .zip(features.chunks_exact(2 * half))
            .zip(grad_features.chunks_exact(2 * half));
        for ((grad_x, features), grad_features) in rows {
            let (cos, sin) = features.split_at(half);
            let (grad_cos, grad_sin) = grad_features.split_at(half);
            let mut sums = [0.0; PART];
            for run in 0..count {
                let first = run * runs.frequencies;
                let start = first * d_in + part;
                let used = used(run);
                let run = start..start + used;
                let (cos, sin) = (&cos[run.clone()], &sin[run.clone()]);
                let (grad_cos, grad_sin) = (&grad_cos[run.clone()], &grad_sin[run]);
                let (sums, k) = (&mut sums[..used], &k[first * runs.inputs..][..used]);
                for lane in 0..used {
                    let turn =
                        mul_add::<FMA>(cos[lane], grad_sin[lane], -(sin[lane] * grad_cos[lane]));
                    sums[lane] = mul_add::<FMA>(k[lane], turn, sums[lane]);
                }
            }
            for (i, grad_x) in grad_x[inputs.clone()].iter_mut().enumerate() {
                let lanes = (0..runs.frequencies).map(|k| sums[k * runs.inputs + i]);
                *grad_x = scale * lanes.sum::<f32>();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{for_every_instruction_set, scattered};
    use super::*;

    /// Largest error of the features against cos(k s x), sin(k s x) in f64.
    fn worst_error(x: &[f32], d_in: usize, scale: f32, frequencies: &[f32]) -> f64 {
        let count = frequencies.len();
        let width = 2 * count * d_in;
        let mut out = vec![f32::NAN; x.len() / d_in * width];
        features(x, d_in, scale, frequencies, &mut out);
        let mut worst = 0.0_f64;
        for (x, row) in x.chunks_exact(d_in).zip(out.chunks_exact(width)) {
            for (column, value) in row.iter().enumerate() {
                let (basis, i) = (column / d_in, column % d_in);
                let k = f64::from(frequencies[basis % count]);
                let phase = k * f64::from(scale) * f64::from(x[i]);
                let exact = if basis < count {
                    phase.cos()
                } else {
                    phase.sin()
                };
                let error = (f64::from(*value) - exact).abs();
                assert!(!error.is_nan(), "d_in {d_in} K {count} column {column}");
                worst = worst.max(error);
            }
        }
        worst
    }

    #[test]
    fn features_equal_direct_evaluation() {
        for_every_instruction_set(|set| {
            for d_in in [1, 2, 3, 5, 16, 17, 50, 300] {
                for count in [1, 7, 15, 16, 17, 33, 270] {
                    for highest in [count, 3 * count] {
                        let x = scattered(5 * d_in, -1.3, 1.3);
                        let frequencies = super::super::frequencies::frequencies(count, highest);
                        let error = worst_error(&x, d_in, 0.9 * std::f32::consts::PI, &frequencies);
                        assert!(
                            error <= 2e-6,
                            "{set}: d_in {d_in} K {count} up to {highest}: {error:e}"
                        );
                    }
                }
            }
        });
    }

    #[test]
    fn high_frequencies_and_large_inputs_stay_accurate() {
        for_every_instruction_set(|set| {
            for (count, highest, limit, bound) in [
                (1024, 1024, 1.0, 2e-6),
                (1024, 1024, 1e3, 2e-6),
                (8192, 8192, 1.0, 2e-6),
                (8192, 8192, 3e3, 2e-6),
                (256, 8192, 3e3, 2e-6),
                (256, 32_768, 3e3, 6e-6),
            ] {
                let frequencies = super::super::frequencies::frequencies(count, highest);
                let error = worst_error(&scattered(66, -limit, limit), 2, 2.8, &frequencies);
                assert!(
                    error <= bound,
                    "{set}: K {count} up to {highest} |x| {limit}: {error:e}"
                );
            }
        });
    }

    #[test]
    fn nan_and_infinity_spoil_their_own_columns_only() {
        for_every_instruction_set(|_| {
            let x = [f32::NAN, 0.0, f32::INFINITY, 1e38];
            let mut out = [7.0; 80];
            features(
                &x,
                4,
                1.0,
                &super::super::frequencies::frequencies(10, 10),
                &mut out,
            );
            for (column, value) in out.iter().enumerate() {
                match column % 4 {
                    0 | 2 => assert!(value.is_nan()),
                    1 => assert_eq!(*value, if column < 40 { 1.0 } else { 0.0 }),
                    _ => assert!(value.abs() <= 1.0 + 1e-6),
                }
            }
        });
    }

    // The loss is Σ grad · feature; its central difference in f64 with step 1e-7 along each x is the gradient.
    #[test]
    fn gradients_are_central_differences() {
        for_every_instruction_set(|set| {
            for (d_in, count, highest) in [
                (1, 5, 5),
                (2, 40, 40),
                (3, 17, 50),
                (20, 9, 9),
                (300, 3, 20),
            ] {
                let (rows, scale) = (4, 2.5_f32);
                let frequencies = super::super::frequencies::frequencies(count, highest);
                let width = 2 * count * d_in;
                let x = scattered(rows * d_in, -1.0, 1.0);
                let grad = scattered(rows * width, -1.0, 1.0);
                let mut out = vec![0.0; rows * width];
                features(&x, d_in, scale, &frequencies, &mut out);
                let mut grad_x = vec![f32::NAN; rows * d_in];
                features_backward(&out, &grad, d_in, scale, &frequencies, &mut grad_x);
                for (index, value) in grad_x.iter().enumerate() {
                    let (row, i) = (index / d_in, index % d_in);
                    let grad = &grad[row * width..][..width];
                    let loss = |x: f64| -> f64 {
                        let term = |(j, k): (usize, &f32)| {
                            let phase = f64::from(*k) * f64::from(scale) * x;
                            let cos = f64::from(grad[j * d_in + i]) * phase.cos();
                            cos + f64::from(grad[(count + j) * d_in + i]) * phase.sin()
                        };
                        frequencies.iter().enumerate().map(term).sum()
                    };
                    let (x, h) = (f64::from(x[index]), 1e-7);
                    let slope = (loss(x + h) - loss(x - h)) / (2.0 * h);
                    let bound = 1e-6 * (highest as f64).powi(2) + 1e-5;
                    let error = (f64::from(*value) - slope).abs();
                    assert!(
                        error <= bound,
                        "{set}: d_in {d_in} K {count}: {value} {slope}"
                    );
                }
            }
        });
    }
}
