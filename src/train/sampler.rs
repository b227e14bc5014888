//! Which samples a batch holds.

use rayon::prelude::*;

/// Samples that one thread draws at a time.
const AT_ONCE: usize = 512;

/// Draws batches without replacement: every epoch visits each sample once, in an order of its own that follows from the seed.
///
/// The order is a keyed permutation (a four-round Feistel network, cut to the number of samples by cycle walking, Black and
/// Rogaway 2002), so that it takes no memory even for very large signals, and any step can be drawn without the ones before it.
#[derive(Debug, Clone)]
pub struct Sampler {
    seed: u64,
    samples: u64,
    batch_size: usize,
}

impl Sampler {
    /// Batches of `batch_size` out of `samples` (at least 1, at most 2^32).
    pub fn new(seed: u64, samples: usize, batch_size: usize) -> Self {
        Self {
            seed,
            samples: samples as u64,
            batch_size,
        }
    }

    /// Replaces `indices` by the samples of step number `step`, from 0.
    pub fn batch(&self, step: u64, indices: &mut Vec<u32>) {
        let first = step * self.batch_size as u64;
        indices.resize(self.batch_size, 0);
        indices
            .par_chunks_mut(AT_ONCE)
            .enumerate()
            .for_each(|(piece, indices)| self.draw(first + (piece * AT_ONCE) as u64, indices));
    }

    /// The epoch in which step number `step` begins.
    pub fn epoch(&self, step: u64) -> u64 {
        step * self.batch_size as u64 / self.samples
    }

    /// The samples at `position` of all epochs one after the other, and at those that follow; at most [`AT_ONCE`].
    fn draw(&self, mut position: u64, mut indices: &mut [u32]) {
        while !indices.is_empty() {
            let (epoch, place) = (position / self.samples, position % self.samples);
            let rest = (self.samples - place).min(indices.len() as u64);
            let (of_epoch, behind) = indices.split_at_mut(rest as usize);
            self.permutation(epoch).apply(place, of_epoch);
            (position, indices) = (position + rest, behind);
        }
    }

    /// Where within their cells the samples of step number `step` are drawn along each axis, uniform in [−1/2, 1/2).
    ///
    /// One offset for the whole batch, so that its coordinates still lie on a grid, which first layers may make use of; over the
    /// steps every sample is drawn all over its cell.
    pub fn offset(&self, step: u64, offset: &mut [f64]) {
        // Epochs take keys of their own from the same seed, hence the complement.
        let mut key = mix(self.seed ^ mix(!step));
        for offset in offset {
            key = mix(key);
            // The upper 53 bits are what an f64 holds.
            *offset = (key >> 11) as f64 / (1_u64 << 53) as f64 - 0.5;
        }
    }

    fn permutation(&self, epoch: u64) -> Permutation {
        let bits = u64::BITS - (self.samples - 1).leading_zeros();
        let mut key = mix(self.seed ^ mix(epoch));
        Permutation {
            samples: self.samples,
            half: bits.div_ceil(2).max(1),
            keys: std::array::from_fn(|_| {
                key = mix(key);
                key
            }),
        }
    }
}

struct Permutation {
    samples: u64,
    half: u32,
    keys: [u64; 4],
}

impl Permutation {
    /// The samples at `place` and at the places that follow; at most [`AT_ONCE`].
    ///
    /// All of them walk at once, for one waits long for the products of its own rounds.
    fn apply(&self, place: u64, indices: &mut [u32]) {
        let (mut values, mut owners) = ([0_u64; AT_ONCE], [0_u32; AT_ONCE]);
        let mut walking = indices.len();
        for (i, (value, owner)) in values.iter_mut().zip(&mut owners).take(walking).enumerate() {
            (*value, *owner) = (place + i as u64, i as u32);
        }
        while walking > 0 {
            let mut left = 0;
            for i in 0..walking {
                let (value, owner) = (self.rounds(values[i]), owners[i]);
                indices[owner as usize] = value as u32;
                // Those that are not at a sample yet go on, without a branch that nobody could foresee.
                (values[left], owners[left]) = (value, owner);
                left += usize::from(value >= self.samples);
            }
            walking = left;
        }
    }

    fn rounds(&self, value: u64) -> u64 {
        let mask = (1_u64 << self.half) - 1;
        let (mut left, mut right) = (value >> self.half, value & mask);
        for key in self.keys {
            (left, right) = (right, left ^ (mix(right ^ key) & mask));
        }
        left << self.half | right
    }
}

/// SplitMix64's finaliser (Steele et al. 2014).
fn mix(value: u64) -> u64 {
    let z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_visits_each_sample_once_in_its_own_order() {
        for samples in [1, 2, 3, 5, 64, 100, 1000] {
            let sampler = Sampler::new(7, samples, 1);
            let epoch = |e: u64| -> Vec<u32> {
                let mut order = Vec::new();
                let mut indices = Vec::new();
                for step in 0..samples as u64 {
                    sampler.batch(e * samples as u64 + step, &mut indices);
                    order.extend(&indices);
                }
                order
            };
            let (first, second) = (epoch(0), epoch(1));
            let mut sorted = first.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..samples as u32).collect::<Vec<_>>());
            if samples >= 64 {
                assert_ne!(first, second);
            }
        }
    }

    #[test]
    fn batches_continue_over_the_end_of_an_epoch() {
        let single = Sampler::new(3, 10, 1);
        let batched = Sampler::new(3, 10, 4);
        let (mut one, mut four, mut expected) = (Vec::new(), Vec::new(), Vec::<u32>::new());
        for step in 0..5 {
            batched.batch(step, &mut four);
            expected.clear();
            for position in step * 4..step * 4 + 4 {
                single.batch(position, &mut one);
                expected.extend(&one);
            }
            assert_eq!(four, expected);
        }
    }

    /// The plain twin: one place after the other.
    #[test]
    fn samples_walk_alone_as_they_walk_together() {
        for (samples, batch_size) in [(1, 5), (700, 1500), (100_000, 3000), (1 << 20, 1025)] {
            let sampler = Sampler::new(5, samples, batch_size);
            let mut indices = Vec::new();
            for step in [0, 1, 40] {
                sampler.batch(step, &mut indices);
                let first = step * batch_size as u64;
                for (position, index) in (first..).zip(&indices) {
                    let permutation = sampler.permutation(position / samples as u64);
                    let mut value = permutation.rounds(position % samples as u64);
                    while value >= samples as u64 {
                        value = permutation.rounds(value);
                    }
                    assert_eq!(u64::from(*index), value);
                }
                assert_eq!(indices.len(), batch_size);
            }
        }
    }

    /// Means of m uniform draws have a standard error of 1/√(12 m), their mean squares one of 1/√(180 m).
    #[test]
    fn offsets_are_uniform_and_differ_between_steps_axes_and_seeds() {
        let steps = 10_000;
        let draws = |seed, axis: usize| -> Vec<f64> {
            let draw = |step| {
                let mut offset = [f64::NAN; 2];
                Sampler::new(seed, 9, 3).offset(step, &mut offset);
                offset[axis]
            };
            (0..steps).map(draw).collect()
        };
        let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / steps as f64;
        let all = [draws(1, 0), draws(1, 1), draws(2, 0)];
        for (i, x) in all.iter().enumerate() {
            assert!(x.iter().all(|x| (-0.5..0.5).contains(x)));
            let error = 1.0 / (steps as f64).sqrt();
            let first = mean(&mut x.iter().copied());
            assert!(first.abs() < 4.0 * error / 12.0_f64.sqrt(), "mean {first}");
            let second = mean(&mut x.iter().map(|x| x * x)) - 1.0 / 12.0;
            assert!(second.abs() < 4.0 * error / 180.0_f64.sqrt(), "{second}");
            for y in &all[..i] {
                // Products of independent draws have the standard deviation 1/12.
                let product = mean(&mut x.iter().zip(y).map(|(x, y)| x * y));
                assert!(product.abs() < 4.0 * error / 12.0, "{product}");
            }
        }
    }

    /// The mean of n/2 draws without replacement from 0..n is n/2 with a standard error of n / √(24 · n/2) · √½ or less.
    #[test]
    fn half_an_epoch_is_spread_evenly() {
        let n = 100_000;
        let mut indices = Vec::new();
        Sampler::new(11, n, n / 2).batch(0, &mut indices);
        let mean = indices.iter().map(|&i| f64::from(i)).sum::<f64>() / indices.len() as f64;
        let error = n as f64 / (12.0 * n as f64 / 2.0).sqrt();
        assert!((mean - n as f64 / 2.0).abs() < 4.0 * error, "mean {mean}");
    }
}
