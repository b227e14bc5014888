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
