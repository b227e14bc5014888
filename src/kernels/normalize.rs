//! Layer normalisation of rows (Ba et al. 2016, eqs. 3 and 4): x̂ = (x − μ) / s with s = √(σ² + ε), y = γ x̂ + β; μ and σ² are
//! the mean and the biased variance of the row.
//!
//! Backward, with g the gradient of y: grad γ = Σ_r g x̂, grad β = Σ_r g, and with h = γ g and means over the row
//!
//! grad x = (h − mean(h) − x̂ mean(h x̂)) / s.
//!
//! The forward pass keeps μ and 1/s of every row; x̂ follows from them.

use super::{LANES, dispatch, for_each, mul_add};

/// Numbers of a row that [`normalize`] keeps: μ and 1/s.
pub const MOMENTS: usize = 2;

/// Writes y = γ x̂ + β for every row, and μ and 1/s; `x`, `y`: `[rows, d]`, `gain` γ and `bias` β: `[d]`, `moments`:
/// `[rows, MOMENTS]`.
pub fn normalize(
    x: &[f32],
    gain: &[f32],
    bias: &[f32],
    epsilon: f32,
    y: &mut [f32],
    moments: &mut [f32],
) {
    check_rows(&[x, y], gain, moments);
    dispatch!(normalize_body(
        x: &[f32], gain: &[f32], bias: &[f32], epsilon: f32, y: &mut [f32], moments: &mut [f32]
    ));
}

#[inline(always)]
fn normalize_body<const FMA: bool>(
    x: &[f32],
    gain: &[f32],
    bias: &[f32],
    epsilon: f32,
    y: &mut [f32],
    moments: &mut [f32],
) {
    let d = gain.len();
    let rows = x.chunks_exact(d).zip(y.chunks_exact_mut(d));
    for ((x, y), moments) in rows.zip(moments.as_chunks_mut::<MOMENTS>().0) {
        let mean = sum(
            [x],
            #[inline(always)]
            |[x]| x,
        ) / d as f32;
        // In a second pass: the difference of the mean square and the squared mean would cancel.
        let variance = sum(
            [x],
            #[inline(always)]
            |[x]| (x - mean) * (x - mean),
        ) / d as f32;
        let inverse = 1.0 / (variance + epsilon).sqrt();
        *moments = [mean, inverse];
        for_each(
            [x, gain, bias],
            [y],
            #[inline(always)]
            |[x, gain, bias], _| [mul_add::<FMA>((x - mean) * inverse, gain, bias)],
        );
    }
}

/// grad_gain += Σ_r g x̂; `x`, `grad_y` g: `[rows, d]`, `moments` as [`normalize`] wrote them, `grad_gain`: `[d]`.
pub fn normalize_backward_gain(x: &[f32], moments: &[f32], grad_y: &[f32], grad_gain: &mut [f32]) {
    check_rows(&[x, grad_y], grad_gain, moments);
    dispatch!(backward_gain_body(
        x: &[f32], moments: &[f32], grad_y: &[f32], grad_gain: &mut [f32]
    ));
}

#[inline(always)]
fn backward_gain_body<const FMA: bool>(
    x: &[f32],
    moments: &[f32],
    grad_y: &[f32],
    grad_gain: &mut [f32],
) {
    let d = grad_gain.len();
    let rows = x.chunks_exact(d).zip(grad_y.chunks_exact(d));
    for ((x, g), &[mean, inverse]) in rows.zip(moments.as_chunks::<MOMENTS>().0) {
        for_each(
            [x, g],
            [&mut *grad_gain],
            #[inline(always)]
            |[x, g], [sum]| [mul_add::<FMA>(g, (x - mean) * inverse, sum)],
        );
    }
}

/// Writes the gradient of x from `grad_y`, that of y; shapes as in [`normalize`].
pub fn normalize_backward_input(
    x: &[f32],
    gain: &[f32],
    moments: &[f32],
    grad_y: &[f32],
    grad_x: &mut [f32],
) {
    check_rows(&[x, grad_y, grad_x], gain, moments);
    dispatch!(backward_input_body(
        x: &[f32], gain: &[f32], moments: &[f32], grad_y: &[f32], grad_x: &mut [f32]
    ));
}

#[inline(always)]
fn backward_input_body<const FMA: bool>(
    x: &[f32],
    gain: &[f32],
    moments: &[f32],
    grad_y: &[f32],
    grad_x: &mut [f32],
) {
    let d = gain.len();
    let rows = x.chunks_exact(d).zip(grad_y.chunks_exact(d));
    let rows = rows.zip(grad_x.chunks_exact_mut(d));
    for (((x, g), grad_x), &[mean, inverse]) in rows.zip(moments.as_chunks::<MOMENTS>().0) {
        // h, which the gradient of x then replaces.
        for_each(
            [g, gain],
            [&mut *grad_x],
            #[inline(always)]
            |[g, gain], _| [gain * g],
        );
        let h_mean = sum(
            [grad_x],
            #[inline(always)]
            |[h]| h,
        ) / d as f32;
        let hx_mean = sum(
            [x, grad_x],
            #[inline(always)]
            |[x, h]| h * ((x - mean) * inverse),
        ) / d as f32;
        for_each(
            [x],
            [grad_x],
            #[inline(always)]
            |[x], [h]| {
                let normalized = (x - mean) * inverse;
                [mul_add::<FMA>(-normalized, hx_mean, h - h_mean) * inverse]
            },
        );
    }
}

fn check_rows(tiles: &[&[f32]], row: &[f32], moments: &[f32]) {
    let rows = moments.len() / MOMENTS;
    assert!(
        !row.is_empty() && moments.len().is_multiple_of(MOMENTS),
        "a row must hold a number, and its moments two"
    );
    assert!(
        tiles.iter().all(|tile| tile.len() == rows * row.len()),
        "the tiles must be whole rows of the vector's length, one for each pair of moments"
    );
}

/// Σ f over the elements of a row, in [`LANES`] partial sums that are added in pairs.
#[inline(always)]
fn sum<const I: usize>(row: [&[f32]; I], f: impl Fn([f32; I]) -> f32) -> f32 {
    let mut sums = [0.0; LANES];
    let split = row.map(|slice| slice.as_chunks::<LANES>());
    for block in 0..split[0].0.len() {
        let blocks = split.map(|(blocks, _)| &blocks[block]);
        for lane in 0..LANES {
            sums[lane] += f(blocks.map(|block| block[lane]));
        }
    }
    for lane in 0..split[0].1.len() {
        sums[lane] += f(split.map(|(_, rest)| rest[lane]));
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
        width /= 2;
    }
    sums[0]
}

#[cfg(test)]
mod tests {
    use super::super::{for_every_instruction_set, scattered};
    use super::*;

    const EPSILON: f32 = 1e-2;

    /// One row by the formula, in f64.
    fn exact(x: &[f64], gain: &[f64], bias: &[f64]) -> Vec<f64> {
        let d = x.len() as f64;
        let mean = x.iter().sum::<f64>() / d;
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / d;
        let deviation = (variance + f64::from(EPSILON)).sqrt();
        let columns = x.iter().zip(gain).zip(bias);
        columns
            .map(|((x, gain), bias)| gain * (x - mean) / deviation + bias)
            .collect()
    }

    fn wide(x: &[f32]) -> Vec<f64> {
        x.iter().map(|&x| x.into()).collect()
    }

    // The loss is Σ g y; its central differences in f64 with step 1e-6 are the gradients of x and γ.
    #[test]
    fn values_and_gradients_are_those_of_the_formula() {
        for_every_instruction_set(|set| {
            for (rows, d) in [(3, 1), (5, 7), (4, 16), (2, 128), (3, 131)] {
                let mut x = scattered(rows * d, -2.0, 3.0);
                // A row far from 0, and one without any spread.
                x[..d].iter_mut().for_each(|x| *x += 100.0);
                x[(rows - 1) * d..].fill(0.7);
                let (gain, bias) = (scattered(d, 0.5, 2.0), scattered(d, -1.0, 1.0));
                let g = scattered(2 * rows * d, -1.0, 1.0).split_off(rows * d);
                let mut moments = vec![f32::NAN; MOMENTS * rows];
                let (mut y, mut grad_x) = (vec![f32::NAN; rows * d], vec![f32::NAN; rows * d]);
                let mut grad_gain = vec![1.0; d];
                normalize(&x, &gain, &bias, EPSILON, &mut y, &mut moments);
                normalize_backward_gain(&x, &moments, &g, &mut grad_gain);
                normalize_backward_input(&x, &gain, &moments, &g, &mut grad_x);

                let (gain, bias) = (wide(&gain), wide(&bias));
                let close = |found: f32, expected: f64, bound: f64, what: &str| {
                    let error = (f64::from(found) - expected).abs();
                    assert!(error <= bound, "{set}, {d} columns, {what}: {error:e}");
                };
                let h = 1e-6;
                let mut exact_grad_gain = vec![1.0; d];
                for row in 0..rows {
                    let at = row * d..(row + 1) * d;
                    let (x, g) = (wide(&x[at.clone()]), wide(&g[at.clone()]));
                    let loss = |x: &[f64], gain: &[f64]| -> f64 {
                        let terms = exact(x, gain, &bias).into_iter().zip(&g);
                        terms.map(|(y, g)| g * y).sum()
                    };
                    let slope = |column: usize, in_x: bool| {
                        let [up, down] = [h, -h].map(|h| {
                            let (mut x, mut gain) = (x.clone(), gain.clone());
                            let moved = if in_x { &mut x } else { &mut gain };
                            moved[column] += h;
                            loss(&x, &gain)
                        });
                        (up - down) / (2.0 * h)
                    };
                    for (column, expected) in exact(&x, &gain, &bias).into_iter().enumerate() {
                        let place = at.start + column;
                        close(y[place], expected, 2e-5, "y");
                        close(grad_x[place], slope(column, true), 2e-5, "gradient of x");
                        exact_grad_gain[column] += slope(column, false);
                    }
                }
                for (found, expected) in grad_gain.iter().zip(exact_grad_gain) {
                    close(*found, expected, 2e-5, "gradient of the gain");
                }
            }
        });
    }

    #[test]
    fn nan_stays_in_its_row() {
        for_every_instruction_set(|_| {
            let (mut y, mut moments) = ([0.0; 4], [0.0; 4]);
            let x = [f32::NAN, 1.0, 2.0, 4.0];
            normalize(&x, &[1.0; 2], &[0.0; 2], 0.0, &mut y, &mut moments);
            assert!(y[..2].iter().all(|y| y.is_nan()));
            assert_eq!(
                (&y[2..], &moments[2..]),
                (&[-1.0, 1.0][..], &[3.0, 1.0][..])
            );
        });
    }

    #[test]
    #[should_panic(expected = "whole rows")]
    fn a_tile_of_another_width_is_refused() {
        let row = [1.0; 3];
        normalize(&[0.0; 4], &row, &row, EPSILON, &mut [0.0; 4], &mut [0.0; 2]);
    }
}
