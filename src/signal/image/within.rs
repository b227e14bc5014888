//! What lies within the pixels of a picture whose samples are means over them.

use super::super::footprint::{REACH, TAPS, weights};

/// A picture at the same place within all of its pixels. Beyond its borders it is mirrored.
pub(super) struct Within {
    width: usize,
    height: usize,
    /// The products of the weights along y and x, rows first.
    weights: [[f64; TAPS]; TAPS],
}

impl Within {
    /// A picture of `width` x `height` pixels at `offset` along x and y, in pixels from their centres, from −1/2 to 1/2.
    pub fn new(width: usize, height: usize, offset: [f64; 2]) -> Self {
        let [along_x, along_y] = offset.map(weights);
        Self {
            width,
            height,
            weights: along_y.map(|y| along_x.map(|x| y * x)),
        }
    }

    /// Writes the values within pixel `index` of `samples`, `[height, width, values.len()]`.
    pub fn values<T: Copy + Into<f64>>(&self, samples: &[T], index: usize, values: &mut [f64]) {
        let channels = values.len();
        let columns = around(index % self.width, self.width);
        let rows = around(index / self.width, self.height);
        values.fill(0.0);
        for (row, weights) in rows.into_iter().zip(&self.weights) {
            for (column, weight) in columns.into_iter().zip(weights) {
                let pixel = &samples[(row * self.width + column) * channels..][..channels];
                for (value, &sample) in values.iter_mut().zip(pixel) {
                    *value += weight * sample.into();
                }
            }
        }
    }
}

/// The samples around `place` on an axis of `count` samples that is mirrored at its ends, again and again if it is short.
fn around(place: usize, count: usize) -> [usize; TAPS] {
    let period = 2 * count;
    std::array::from_fn(|tap| {
        // REACH periods keep the difference above zero.
        let folded = (place + tap + REACH * period - REACH) % period;
        folded.min(period - 1 - folded)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_mirrored_at_their_ends() {
        assert_eq!(around(0, 9), [2, 1, 0, 0, 1, 2, 3]);
        assert_eq!(around(7, 9), [4, 5, 6, 7, 8, 8, 7]);
        assert_eq!(around(1, 2), [1, 0, 0, 1, 1, 0, 0]);
        assert_eq!(around(0, 1), [0; TAPS]);
    }

    #[test]
    fn ramps_are_exact_away_from_the_borders() {
        // 3 x − y in one channel and a constant in the other.
        let samples: Vec<f32> = (0..20 * 10)
            .flat_map(|i| [3.0 * (i % 20) as f32 - (i / 20) as f32, 7.0])
            .collect();
        let mut values = [f64::NAN; 2];
        Within::new(20, 10, [0.4, -0.2]).values(&samples, 5 * 20 + 10, &mut values);
        assert!((values[0] - (3.0 * 10.4 - 4.8)).abs() < 1e-12, "{values:?}");
        assert!((values[1] - 7.0).abs() < 1e-12, "{values:?}");
    }
}
