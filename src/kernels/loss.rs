//! Losses between predictions and targets, with their gradients.

use super::{LANES, dispatch, for_each};

/// Returns `scale` · Σ d² and writes its gradient 2 `scale` d, d being the [`difference`] of prediction and target with `slack`.
///
/// With `scale` = 1 / (number of elements of the whole batch) the sum over all tiles is the mean squared error. The sum is kept
/// in f64, in an order that depends on the length alone, so that every instruction set returns the same bits.
pub fn mse(
    prediction: &[f32],
    target: &[f32],
    gradient: &mut [f32],
    slack: f32,
    scale: f32,
) -> f64 {
    dispatch!(mse_body(prediction: &[f32], target: &[f32], gradient: &mut [f32], slack: f32, scale: f32) -> f64)
}

#[inline(always)]
fn mse_body<const FMA: bool>(
    prediction: &[f32],
    target: &[f32],
    gradient: &mut [f32],
    slack: f32,
    scale: f32,
) -> f64 {
    let loss = |difference: f32| f64::from(difference) * f64::from(difference);
    let slope = |difference: f32| 2.0 * scale * difference;
    f64::from(scale) * sum_of_losses(prediction, target, gradient, slack, loss, slope)
}

/// Returns `scale` · Σ |d| and writes its gradient `scale` · sign(d), 0 where d is 0; d is the [`difference`] with `slack`.
///
/// See [`mse`] for `scale` and the order of the sum.
pub fn l1(prediction: &[f32], target: &[f32], gradient: &mut [f32], slack: f32, scale: f32) -> f64 {
    dispatch!(l1_body(prediction: &[f32], target: &[f32], gradient: &mut [f32], slack: f32, scale: f32) -> f64)
}

#[inline(always)]
fn l1_body<const FMA: bool>(
    prediction: &[f32],
    target: &[f32],
    gradient: &mut [f32],
    slack: f32,
    scale: f32,
) -> f64 {
    let loss = |difference: f32| f64::from(difference.abs());
    let slope = |difference: f32| {
        // Adding 0·difference lets NaN through; `signum` alone is not 0 at 0.
        let step = f32::from(u8::from(difference > 0.0)) - f32::from(u8::from(difference < 0.0));
        scale * (step + 0.0 * difference)
    };
    f64::from(scale) * sum_of_losses(prediction, target, gradient, slack, loss, slope)
}

/// prediction − target, and less by up to `slack` where the prediction lies beyond a target of −1 or less or of 1 or more.
#[inline(always)]
pub fn difference(prediction: f32, target: f32, slack: f32) -> f32 {
    let difference = prediction - target;
    // Without a branch; comparisons with NaN are false, so that it stays.
    let is_above = (target >= 1.0) & (difference > 0.0);
    let is_below = (target <= -1.0) & (difference < 0.0);
    let (less, more) = (difference - slack, difference + slack);
    if is_above {
        if less > 0.0 { less } else { 0.0 }
    } else if is_below {
        if more < 0.0 { more } else { 0.0 }
    } else {
        difference
    }
}

/// Σ loss(d), and the slope at every element; d is the [`difference`].
#[inline(always)]
fn sum_of_losses(
    prediction: &[f32],
    target: &[f32],
    gradient: &mut [f32],
    slack: f32,
    loss: impl Fn(f32) -> f64,
    slope: impl Fn(f32) -> f32,
) -> f64 {
    assert!(
        prediction.len() == target.len() && gradient.len() == target.len(),
        "prediction, target and gradient must have one length"
    );
    for_each(
        [prediction, target],
        [gradient],
        #[inline(always)]
        |[p, t], _| [slope(difference(p, t, slack))],
    );
    let mut sums = [0.0; LANES];
    let (predictions, last_prediction) = prediction.as_chunks::<LANES>();
    let (targets, last_target) = target.as_chunks::<LANES>();
    for (prediction, target) in predictions.iter().zip(targets) {
        for lane in 0..LANES {
            sums[lane] += loss(difference(prediction[lane], target[lane], slack));
        }
    }
    for ((sum, prediction), target) in sums.iter_mut().zip(last_prediction).zip(last_target) {
        *sum += loss(difference(*prediction, *target, slack));
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::super::{for_every_instruction_set, scattered};
    use super::*;

    // mse: scale Σ d², gradient 2 scale d; l1: scale Σ |d|, gradient scale sign d.
    #[test]
    fn losses_and_their_gradients() {
        let n = 1001;
        let (p, mut t) = (
            scattered(n, -1.0, 1.0),
            scattered(2 * n, -1.0, 1.0).split_off(n),
        );
        t[5] = p[5];
        let scale = 1.0 / 3.0_f32;
        let mut returned = Vec::new();
        for_every_instruction_set(|_| {
            let (mut grad_mse, mut grad_l1) = (vec![0.0; n], vec![0.0; n]);
            let squares = mse(&p, &t, &mut grad_mse, 0.0, scale);
            let sizes = l1(&p, &t, &mut grad_l1, 0.0, scale);
            let (mut expected_squares, mut expected_sizes) = (0.0, 0.0);
            for i in 0..n {
                let d = f64::from(p[i] - t[i]);
                expected_squares += d * d * f64::from(scale);
                expected_sizes += d.abs() * f64::from(scale);
                assert!((f64::from(grad_mse[i]) - 2.0 * f64::from(scale) * d).abs() <= 1e-6);
                let sign = if d == 0.0 { 0.0 } else { d.signum() };
                assert_eq!(f64::from(grad_l1[i]), f64::from(scale) * sign);
            }
            assert!((squares - expected_squares).abs() <= 1e-12 * expected_squares);
            assert!((sizes - expected_sizes).abs() <= 1e-12 * expected_sizes);
            returned.push((squares.to_bits(), sizes.to_bits()));
        });
        assert!(returned.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn nan_reaches_the_loss_and_the_gradient() {
        for_every_instruction_set(|_| {
            let mut gradient = [0.0; 3];
            assert!(l1(&[0.0, f32::NAN, 1.0], &[0.0; 3], &mut gradient, 0.0, 1.0).is_nan());
            assert!(gradient[1].is_nan());
            assert!(mse(&[0.0, f32::NAN, 1.0], &[0.0; 3], &mut gradient, 0.0, 1.0).is_nan());
            assert!(gradient[1].is_nan());
        });
    }

    /// In words: what lies beyond a target at the end of its range is as good as the target, up to the slack.
    #[test]
    fn predictions_beyond_the_range_are_forgiven() {
        for slack in [0.0, 0.125, f32::MAX] {
            for p in scattered(100, -2.0, 2.0) {
                for t in [-1.5, -1.0, -0.99, 0.3, 1.0, 1.2] {
                    let expected = match t {
                        t if t >= 1.0 => (p - t) - (p - t).clamp(0.0, slack),
                        t if t <= -1.0 => (p - t) + (t - p).clamp(0.0, slack),
                        _ => p - t,
                    };
                    let found = difference(p, t, slack);
                    assert!((found - expected).abs() < 1e-6, "{p} for {t}: {found}");
                }
            }
            // What is not finite is no good answer to anything.
            assert!(difference(f32::NAN, 1.0, slack).is_nan());
            assert_eq!(difference(f32::INFINITY, 1.0, slack), f32::INFINITY);
        }
        for_every_instruction_set(|_| {
            let (predictions, mut gradient) = ([3.0, -3.0, 3.0, 0.5], [f32::NAN; 4]);
            let targets = [1.0, -1.0, -1.0, 1.0];
            let loss = mse(&predictions, &targets, &mut gradient, 0.5, 1.0);
            assert!((loss - (2.25 + 2.25 + 16.0 + 0.25)).abs() < 1e-6);
            assert_eq!(gradient, [3.0, -3.0, 8.0, -1.0]);
            let loss = l1(&predictions, &targets, &mut gradient, 2.0, 1.0);
            assert!((loss - (0.0 + 0.0 + 4.0 + 0.5)).abs() < 1e-6);
            assert_eq!(gradient, [0.0, 0.0, 1.0, -1.0]);
        });
    }
}
