//! The power spectrum of a plane of values, averaged over all directions.

use std::f64::consts::TAU;

use rayon::prelude::*;
use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

/// The longest side of a tile, in samples.
const MOST_SIDE: usize = 128;
/// The shortest one: below it nothing is left to average.
const LEAST_SIDE: usize = 8;
/// Most tiles along an axis; of larger planes parts are left out.
const MOST_TILES: usize = 16;

/// The power at 1, 2, … cycles across a tile, which has `side` samples a side: a [power spectral density](https://en.wikipedia.org/wiki/Spectral_density)
/// whose mean over all frequencies is the mean square, so that white noise of variance σ² has the power σ² everywhere.
#[derive(Debug, Clone, PartialEq)]
pub struct RadialSpectrum {
    /// Samples along a side of a tile; entry i is at (i + 1) / side cycles a sample.
    pub side: usize,
    /// `[side / 2]`.
    pub power: Vec<f64>,
}

/// The spectrum of a plane of `width` × `height` values by Welch's method (1967): periodograms of overlapping tiles under a Hann window, averaged over
/// tiles, each without its mean, and over rings of equal frequency. `read` gives the values of a row from column `x` on: `read(x, y, row)`.
///
/// None when a side has fewer than eight values.
pub fn radial_spectrum(
    width: usize,
    height: usize,
    read: impl Fn(usize, usize, &mut [f64]) + Sync,
) -> Option<RadialSpectrum> {
    let shortest = width.min(height);
    if shortest < LEAST_SIDE {
        return None;
    }
    let side = MOST_SIDE.min(1 << shortest.ilog2());
    let transform = RealFftPlanner::<f64>::new().plan_fft_forward(side);
    let window: Vec<f64> = (0..side)
        .map(|i| 0.5 - 0.5 * (TAU * i as f64 / side as f64).cos())
        .collect();
    let energy = window.iter().map(|w| w * w).sum::<f64>().powi(2);
    let tiles: Vec<[usize; 2]> = starts(height, side)
        .into_iter()
        .flat_map(|y| starts(width, side).into_iter().map(move |x| [x, y]))
        .collect();
    let rings: Vec<Vec<f64>> = tiles
        .par_iter()
        .map(|&[x, y]| {
            let mut tile = vec![0.0; side * side];
            for (row, values) in tile.chunks_exact_mut(side).enumerate() {
                read(x, y + row, values);
            }
            let mean = weighted_mean(&tile, &window);
            for (values, weight) in tile.chunks_exact_mut(side).zip(&window) {
                for (value, w) in values.iter_mut().zip(&window) {
                    *value = (*value - mean) * w * weight;
                }
            }
            rings(&mut tile, side, transform.as_ref())
        })
        .collect();
    // Added in the order of the tiles, whatever thread made them.
    let mut power = vec![0.0; side / 2];
    for ring in &rings {
        for (sum, value) in power.iter_mut().zip(ring) {
            *sum += value / energy / tiles.len() as f64;
        }
    }
    Some(RadialSpectrum { side, power })
}

/// The mean of a tile under the window, without which it has no power at 0 cycles; that would leak into the first rings.
fn weighted_mean(tile: &[f64], window: &[f64]) -> f64 {
    let rows = tile.chunks_exact(window.len()).zip(window);
    let sum: f64 = rows
        .map(|(row, weight)| weight * row.iter().zip(window).map(|(v, w)| v * w).sum::<f64>())
        .sum();
    sum / window.iter().sum::<f64>().powi(2)
}

/// Where the tiles along an axis start: evenly, half over each other where the axis is short enough.
fn starts(length: usize, side: usize) -> Vec<usize> {
    let count = (2 * length / side).saturating_sub(1).clamp(1, MOST_TILES);
    let last = length - side;
    (0..count).map(|i| last * i / (count - 1).max(1)).collect()
}

/// The mean of |F|² over the rings of 1 to side / 2 cycles.
fn rings(tile: &mut [f64], side: usize, transform: &dyn RealToComplex<f64>) -> Vec<f64> {
    let half = side / 2 + 1;
    let mut rows = vec![Complex::default(); side * half];
    for (row, out) in tile.chunks_exact_mut(side).zip(rows.chunks_exact_mut(half)) {
        // It fails only when a length is wrong.
        let _ = transform.process(row, out);
    }
    let (mut sums, mut counts) = (vec![0.0; side / 2], vec![0.0; side / 2]);
    let (mut input, mut parts) = (
        vec![0.0; side],
        [(); 2].map(|()| vec![Complex::default(); half]),
    );
    for kx in 0..half {
        // A complex transform from two real ones.
        for (part, out) in parts.iter_mut().enumerate() {
            for (y, value) in input.iter_mut().enumerate() {
                let complex: Complex<f64> = rows[y * half + kx];
                *value = if part == 0 { complex.re } else { complex.im };
            }
            let _ = transform.process(&mut input, out);
        }
        // Of −kx the values are those of kx, conjugate and mirrored.
        let weight = if kx == 0 || kx == side / 2 { 1.0 } else { 2.0 };
        for ky in 0..side {
            let (index, up) = (ky.min(side - ky), ky <= side / 2);
            let [a, b] = [parts[0][index], parts[1][index]].map(|c| if up { c } else { c.conj() });
            let value = a + Complex::<f64>::i() * b;
            let ring = ((kx * kx + index * index) as f64).sqrt().round() as usize;
            if (1..=side / 2).contains(&ring) {
                sums[ring - 1] += weight * value.norm_sqr();
                counts[ring - 1] += weight;
            }
        }
    }
    sums.iter()
        .zip(&counts)
        .map(|(sum, count)| sum / count)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pseudo-random values in [-1, 1], whose variance is 1/3.
    fn noise(x: usize, y: usize) -> f64 {
        let mut z = (x as u64) << 32 | y as u64;
        z = (z ^ (z >> 30))
            .wrapping_mul(0xbf58_476d_1ce4_e5b9)
            .wrapping_add(0x9e37_79b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    #[test]
    fn white_noise_is_flat_at_its_variance() {
        let read = |x: usize, y: usize, row: &mut [f64]| {
            for (i, value) in row.iter_mut().enumerate() {
                *value = noise(x + i, y);
            }
        };
        let spectrum = radial_spectrum(500, 300, read).unwrap();
        assert_eq!((spectrum.side, spectrum.power.len()), (128, 64));
        for (i, power) in spectrum.power.iter().enumerate().skip(4) {
            assert!((power * 3.0 - 1.0).abs() < 0.25, "{i}: {power}");
        }
        let mean = spectrum.power.iter().skip(8).sum::<f64>() / 56.0;
        assert!((mean * 3.0 - 1.0).abs() < 0.03, "{mean}");
    }

    /// cos of k = (12, 16) cycles a tile, |k| = 20, has |F|² = (Σ w)⁴ / 4 at ±k, and (2/3)², (1/6)² ... of it beside; the rings near 20 hold it all:
    /// over the plane the mean is the mean square 1/2.
    #[test]
    fn a_slanted_wave_lies_on_its_ring_with_all_of_its_power() {
        let side = 64;
        let read = |x: usize, y: usize, row: &mut [f64]| {
            for (i, value) in row.iter_mut().enumerate() {
                *value = (TAU * (12 * (x + i) + 16 * y) as f64 / side as f64).cos();
            }
        };
        let spectrum = radial_spectrum(side, side, read).unwrap();
        assert_eq!(spectrum.side, side);
        let strongest = (0..32).max_by(|&a, &b| spectrum.power[a].total_cmp(&spectrum.power[b]));
        assert_eq!(strongest, Some(19));
        // 17 rings away from the wave nothing is left.
        assert!(spectrum.power[2] < 1e-12 * spectrum.power[19]);
        // Rings r = 17..=23 hold about 2πr places each.
        let cells = |r: usize| {
            let all = (0..side * side).map(|i| [i % side, i / side].map(|k| k.min(side - k)));
            all.filter(|[x, y]| ((x * x + y * y) as f64).sqrt().round() as usize == r)
                .count()
        };
        let sum: f64 = (17..=23)
            .map(|r| spectrum.power[r - 1] * cells(r) as f64)
            .sum();
        assert!((sum / (side * side) as f64 - 0.5).abs() < 1e-9, "{sum}");
    }

    #[test]
    fn a_constant_has_no_power() {
        let spectrum = radial_spectrum(200, 130, |_, _, row| row.fill(0.7)).unwrap();
        assert!(spectrum.power.iter().all(|power| *power < 1e-28));
    }

    #[test]
    fn tiles_cover_the_plane_and_small_ones_are_refused() {
        assert_eq!(starts(128, 128), [0]);
        assert_eq!(starts(256, 128), [0, 64, 128]);
        assert_eq!(starts(1_000_000, 128).last(), Some(&(1_000_000 - 128)));
        assert_eq!(radial_spectrum(7, 100, |_, _, _| ()), None);
        assert_eq!(radial_spectrum(8, 9, |_, _, _| ()).unwrap().side, 8);
    }
}
