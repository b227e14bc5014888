//! Random numbers that follow from an index alone, so that any sample can be made again.

/// A stream of numbers for one sample.
pub(super) struct Random(u64);

impl Random {
    pub fn new(seed: u64, index: u64) -> Self {
        Self(mix(seed ^ mix(index)))
    }

    /// Uniform in [0, 1).
    pub fn unit(&mut self) -> f64 {
        self.0 = mix(self.0);
        // The upper 53 bits are what an f64 holds.
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in the box [-1, 1]³.
    pub fn in_box(&mut self) -> [f32; 3] {
        std::array::from_fn(|_| (2.0 * self.unit() - 1.0) as f32)
    }

    /// Three normal numbers of standard deviation 1 (Box and Muller 1958).
    pub fn normal(&mut self) -> [f64; 3] {
        std::array::from_fn(|_| {
            let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
            radius * (std::f64::consts::TAU * self.unit()).cos()
        })
    }
}

/// SplitMix64's finaliser (Steele et al. 2014).
fn mix(value: u64) -> u64 {
    let z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
