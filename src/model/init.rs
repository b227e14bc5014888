//! Random initial values; all from the host's seeded generator, so that every device starts from the same bits.

use rand::{Rng, rngs::StdRng};

/// `count` draws from U(-bound, bound).
pub(super) fn uniform(rng: &mut StdRng, count: usize, bound: f32) -> Vec<f32> {
    (0..count)
        .map(|_| (rng.random::<f32>() * 2.0 - 1.0) * bound)
        .collect()
}

/// One draw from N(0, 1) (Box and Muller 1958).
pub(super) fn normal(rng: &mut StdRng) -> f32 {
    // 1 - u lies in (0, 1], so that the logarithm is finite.
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    (radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()) as f32
}

/// `count` draws from the default of PyTorch's `Linear`, U(±1/√fan_in), for weights and biases alike.
pub(super) fn torch_default(rng: &mut StdRng, count: usize, fan_in: usize) -> Vec<f32> {
    uniform(rng, count, 1.0 / (fan_in.max(1) as f32).sqrt())
}

/// `count` draws from N(0, 1) that follow from `seed` alone, for numbers that a model file does not hold: the generator is SplitMix64 (Steele et
/// al. 2014), which is written out here because that of the weights may be another one in a later version.
pub(super) fn fixed_normal(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed;
    let mut uniform = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        // The upper 53 bits, as a number in (0, 1].
        ((z ^ (z >> 31)) >> 11).wrapping_add(1) as f64 / (1_u64 << 53) as f64
    };
    // Box and Muller 1958.
    let normal = || {
        let radius = (-2.0 * uniform().ln()).sqrt();
        (radius * (std::f64::consts::TAU * uniform()).cos()) as f32
    };
    std::iter::repeat_with(normal).take(count).collect()
}
