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

/// One draw from the gamma distribution of shape `alpha` and scale 1 (Marsaglia and Tsang 2000).
pub(super) fn gamma(rng: &mut StdRng, alpha: f32) -> f32 {
    // Below 1 a draw of shape α + 1 times u^(1/α), which has the shape α.
    let alpha = f64::from(alpha);
    let (shape, factor) = match alpha < 1.0 {
        true => (alpha + 1.0, (1.0 - rng.random::<f64>()).powf(1.0 / alpha)),
        false => (alpha, 1.0),
    };
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = f64::from(normal(rng));
        let v = (1.0 + c * x).powi(3);
        // 1 − u lies in (0, 1], so that the logarithm is finite.
        let u = 1.0 - rng.random::<f64>();
        if v > 0.0 && u.ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return (factor * d * v) as f32;
        }
    }
}

/// `count` draws from the default of PyTorch's `Linear`, U(±1/√fan_in), for weights and biases alike.
pub(super) fn torch_default(rng: &mut StdRng, count: usize, fan_in: usize) -> Vec<f32> {
    uniform(rng, count, 1.0 / (fan_in.max(1) as f32).sqrt())
}

/// Draws from (0, 1] that follow from `seed` alone, for numbers that a model file does not hold: the generator is SplitMix64 (Steele et
/// al. 2014), which is written out here because that of the weights may be another one in a later version.
pub(super) fn fixed_uniform(seed: u64) -> impl Iterator<Item = f64> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        // The upper 53 bits.
        ((z ^ (z >> 31)) >> 11).wrapping_add(1) as f64 / (1_u64 << 53) as f64
    })
}

/// `count` draws from N(0, 1) of [`fixed_uniform`] (Box and Muller 1958).
pub(super) fn fixed_normal(seed: u64, count: usize) -> Vec<f32> {
    let mut uniform = fixed_uniform(seed);
    let mut draw = || uniform.next().expect("draws do not end");
    let normal = || {
        let radius = (-2.0 * draw().ln()).sqrt();
        (radius * (std::f64::consts::TAU * draw()).cos()) as f32
    };
    std::iter::repeat_with(normal).take(count).collect()
}
