//! The structural similarity index (Wang, Bovik, Sheikh & Simoncelli 2004).
//!
//! Per channel and pixel, with means, variances and covariance under a Gaussian window w of 11 × 11 pixels, σ = 1.5 (eq. 13):
//!
//! ```text
//! SSIM = (2 μa μb + C1) (2 σab + C2) / ((μa² + μb² + C1) (σa² + σb² + C2)),   C1 = (0.01 L)², C2 = (0.03 L)²
//! ```
//!
//! with L the peak; averaged over all pixels whose window lies inside the picture, then over the channels. This is what
//! scikit-image computes with `gaussian_weights=True, sigma=1.5, use_sample_covariance=False`.
//!
//! Only four blurred maps are needed, of a, b, a² + b² and ab, since σa² and σb² appear as a sum. The window is
//! separable: each task blurs one row at a time, first down the columns, then along the row. Memory is four rows a thread.

use rayon::prelude::*;

/// Half the window: scikit-image cuts the Gaussian at int(3.5 σ + 0.5) = 5.
const RADIUS: usize = 5;
const TAPS: usize = 2 * RADIUS + 1;
const SIGMA: f64 = 1.5;
/// Wang et al. 2004, section III.C.
const K1: f64 = 0.01;
const K2: f64 = 0.03;
/// The blurred maps: a, b, a² + b², ab.
const MAPS: usize = 4;
/// The fewest rows a task takes, so that its four rows of memory are set aside seldom.
const ROWS: usize = 16;

/// The mean structural similarity of two pictures, 1 for equal ones.
///
/// `a` and `b` are interleaved and row-major, `[height, width, channels]`; `peak` is the span of the values, above 0.
///
/// Equals scikit-image's `structural_similarity(a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
/// data_range=peak, channel_axis=-1)`, also in leaving out the 5 pixels along each border. A picture with fewer than 11
/// pixels on a side, which scikit-image refuses, has no pixel with a whole window inside: all its pixels count
/// then, and outside the picture its mirror image is taken (d c b a | a b c d | d c b a). A picture without pixels gives NaN.
///
/// # Panics
/// If a slice does not have height × width × channels values.
pub fn ssim<T: Copy + Into<f64> + Sync>(
    a: &[T],
    b: &[T],
    width: usize,
    height: usize,
    channels: usize,
    peak: f64,
) -> f64 {
    let row = width * channels;
    assert_eq!(a.len(), row * height, "a must fill the picture");
    assert_eq!(b.len(), row * height, "b must fill the picture");
    let margin = if width < TAPS || height < TAPS {
        0
    } else {
        RADIUS
    };
    let (columns, rows) = (width - 2 * margin, height - 2 * margin);
    let window = window();
    let (c1, c2) = ((K1 * peak).powi(2), (K2 * peak).powi(2));
    // Values of a row are treated alike whatever their channel; the neighbour along x is `channels` further.
    let padded = row + 2 * RADIUS * channels;
    let sums: Vec<f64> = (margin..margin + rows)
        .into_par_iter()
        .with_min_len(ROWS)
        .map_init(
            || vec![[0.0; MAPS]; padded],
            |blurred, y| {
                blur_columns(a, b, y, height, &window, channels, blurred);
                // blurred[i] is RADIUS pixels left of value i, so this is the window of the first column that counts.
                (margin * channels..(margin + columns) * channels)
                    .map(|i| {
                        let mut moments = [0.0; MAPS];
                        for (k, &weight) in window.iter().enumerate() {
                            let maps = &blurred[i + k * channels];
                            for (moment, map) in moments.iter_mut().zip(maps) {
                                *moment += weight * map;
                            }
                        }
                        similarity(moments, c1, c2)
                    })
                    .sum()
            },
        )
        .collect();
    // Each channel has the same number of pixels, so the mean over all values is the mean of the channels.
    sums.iter().sum::<f64>() / (columns * channels * rows) as f64
}

fn similarity([a, b, squares, product]: [f64; MAPS], c1: f64, c2: f64) -> f64 {
    let means = a * a + b * b;
    let variances = squares - means;
    let covariance = product - a * b;
    ((2.0 * a * b + c1) * (2.0 * covariance + c2)) / ((means + c1) * (variances + c2))
}

/// The Gaussian weights at −5 ..= 5, of sum 1.
fn window() -> [f64; TAPS] {
    let mut weights = [0.0; TAPS];
    for (i, weight) in weights.iter_mut().enumerate() {
        let x = i as f64 - RADIUS as f64;
        *weight = (-0.5 * (x / SIGMA).powi(2)).exp();
    }
    let sum: f64 = weights.iter().sum();
    weights.map(|weight| weight / sum)
}

/// Blurs the four maps of row `y` down the columns, and mirrors RADIUS pixels beyond both ends: `blurred` is
/// `[RADIUS + width + RADIUS, channels]` with four maps each.
fn blur_columns<T: Copy + Into<f64>>(
    a: &[T],
    b: &[T],
    y: usize,
    height: usize,
    window: &[f64; TAPS],
    channels: usize,
    blurred: &mut [[f64; MAPS]],
) {
    let border = RADIUS * channels;
    let row = blurred.len() - 2 * border;
    let inside = &mut blurred[border..border + row];
    inside.fill([0.0; MAPS]);
    for (k, &weight) in window.iter().enumerate() {
        let start = mirror(y as isize + k as isize - RADIUS as isize, height) * row;
        let (a, b) = (&a[start..][..row], &b[start..][..row]);
        for ((maps, &a), &b) in inside.iter_mut().zip(a).zip(b) {
            let (a, b): (f64, f64) = (a.into(), b.into());
            maps[0] += weight * a;
            maps[1] += weight * b;
            maps[2] += weight * (a * a + b * b);
            maps[3] += weight * (a * b);
        }
    }
    let width = row / channels;
    for pixel in 0..RADIUS {
        let left = mirror(pixel as isize - RADIUS as isize, width) * channels;
        let right = mirror((width + pixel) as isize, width) * channels;
        for c in 0..channels {
            blurred[pixel * channels + c] = blurred[border + left + c];
            blurred[border + row + pixel * channels + c] = blurred[border + right + c];
        }
    }
}

/// The index that `index` falls on when 0..n is continued by its mirror images with the border value doubled.
fn mirror(index: isize, n: usize) -> usize {
    let period = 2 * n as isize;
    let index = index.rem_euclid(period) as usize;
    if index < n { index } else { 2 * n - 1 - index }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(n: usize, seed: u64) -> Vec<u8> {
        let mut state = seed;
        (0..n)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                (state >> 56) as u8
            })
            .collect()
    }

    #[test]
    fn mirror_doubles_the_border_value() {
        let seen: Vec<usize> = (-5..8).map(|i| mirror(i, 3)).collect();
        assert_eq!(seen, [1, 2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1]);
        assert!((-9..9).all(|i| mirror(i, 1) == 0));
    }

    #[test]
    fn equal_pictures_have_similarity_one() {
        for (width, height, channels) in
            [(20, 13, 3), (11, 11, 1), (1, 1, 1), (1, 40, 4), (10, 3, 2)]
        {
            let a = noise(width * height * channels, 5);
            let value = ssim(&a, &a, width, height, channels, 255.0);
            assert!((value - 1.0).abs() < 1e-12, "{width} x {height}: {value}");
        }
        assert!(ssim::<u8>(&[], &[], 0, 0, 3, 255.0).is_nan());
    }

    #[test]
    fn constant_pictures_follow_the_formula() {
        // Without variance, SSIM = (2 · 100 · 120 + C1) / (100² + 120² + C1), C1 = 2.55².
        let c1 = 2.55_f64.powi(2);
        let expected = (24_000.0 + c1) / (24_400.0 + c1);
        for (width, height) in [(16, 12), (3, 2)] {
            let n = width * height;
            let value = ssim(&vec![100_u8; n], &vec![120_u8; n], width, height, 1, 255.0);
            assert!((value - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn channels_are_averaged() {
        let (width, height) = (19, 14);
        let n = width * height;
        let planes: Vec<Vec<u8>> = (0..4).map(|seed| noise(n, seed)).collect();
        let weave = |p: &Vec<u8>, q: &Vec<u8>| -> Vec<u8> {
            p.iter().zip(q).flat_map(|(&p, &q)| [p, q]).collect()
        };
        let (a, b) = (weave(&planes[0], &planes[1]), weave(&planes[2], &planes[3]));
        let both = ssim(&a, &b, width, height, 2, 255.0);
        let first = ssim(&planes[0], &planes[2], width, height, 1, 255.0);
        let second = ssim(&planes[1], &planes[3], width, height, 1, 255.0);
        assert!((both - (first + second) / 2.0).abs() < 1e-12);
    }

    /// The definition without any shortcut: a full 11 × 11 window at every pixel, centred moments.
    fn direct(a: &[u8], b: &[u8], width: usize, height: usize, peak: f64) -> f64 {
        let margin = if width < 11 || height < 11 { 0 } else { 5 };
        let w = window();
        let (mut sum, mut count) = (0.0, 0.0);
        for y in margin..height - margin {
            for x in margin..width - margin {
                let mut cells = Vec::new();
                for j in 0..11 {
                    for i in 0..11 {
                        let yy = mirror(y as isize + j as isize - 5, height);
                        let xx = mirror(x as isize + i as isize - 5, width);
                        let at = yy * width + xx;
                        cells.push((w[i] * w[j], f64::from(a[at]), f64::from(b[at])));
                    }
                }
                let mean = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
                    cells.iter().map(|&(w, a, b)| w * f(a, b)).sum()
                };
                let (ma, mb) = (mean(&|a, _| a), mean(&|_, b| b));
                let va = mean(&|a, _| (a - ma).powi(2));
                let vb = mean(&|_, b| (b - mb).powi(2));
                let vab = mean(&|a, b| (a - ma) * (b - mb));
                let (c1, c2) = ((0.01 * peak).powi(2), (0.03 * peak).powi(2));
                sum += (2.0 * ma * mb + c1) * (2.0 * vab + c2)
                    / ((ma * ma + mb * mb + c1) * (va + vb + c2));
                count += 1.0;
            }
        }
        sum / count
    }

    #[test]
    fn small_pictures_count_every_pixel_with_a_mirrored_border() {
        for (width, height) in [(1, 1), (1, 9), (7, 5), (10, 30), (4, 11), (11, 12)] {
            let (a, b) = (noise(width * height, 1), noise(width * height, 2));
            let value = ssim(&a, &b, width, height, 1, 255.0);
            let expected = direct(&a, &b, width, height, 255.0);
            assert!(
                (value - expected).abs() < 1e-9,
                "{width} x {height}: {value} {expected}"
            );
        }
    }

    #[test]
    fn the_result_does_not_depend_on_the_threads() {
        let (a, b) = (noise(70 * 60 * 3, 1), noise(70 * 60 * 3, 2));
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let pool = pool.build().unwrap();
            pool.install(|| ssim(&a, &b, 70, 60, 3, 255.0))
        };
        let one = with(1);
        for threads in [2, 5] {
            assert_eq!(one.to_bits(), with(threads).to_bits());
        }
    }
}
