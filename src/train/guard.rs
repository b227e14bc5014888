//! Notices a run that diverges.

use serde::{Deserialize, Serialize};

use crate::engine::Measured;

/// A loss this many times above its best running mean counts as an explosion ...
const EXPLOSION: f64 = 10.0;
/// ... if it is also above this share of the loss at the start, for a nearly perfect fit may flutter without harm ...
const SHARE_OF_START: f64 = 0.5;
/// ... which counts as no less than this, with values in [-1, 1]: a network that begins where most of a signal lies starts with next to no loss, and
/// the first batch with the rest of it is no explosion.
const LEAST_START: f64 = 0.01;
/// How far the running mean looks back, in steps.
const MEMORY: f64 = 20.0;

/// Watches the loss and keeps the factor on the learning rates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Guard {
    start: Option<f64>,
    loss: f64,
    mean_squared_error: f64,
    best: f64,
    /// Factor on all learning rates; halved by every restoration.
    pub learning_rate_factor: f64,
    /// How often the run was restored.
    pub restorations: u32,
}

impl Default for Guard {
    fn default() -> Self {
        Self {
            start: None,
            loss: 0.0,
            mean_squared_error: 0.0,
            best: 0.0,
            learning_rate_factor: 1.0,
            restorations: 0,
        }
    }
}

impl Guard {
    /// Takes what a step measured; false when the run has diverged.
    pub fn accept(&mut self, measured: Measured) -> bool {
        let Measured {
            loss,
            mean_squared_error,
        } = measured;
        if !loss.is_finite() {
            return false;
        }
        let Some(start) = self.start else {
            *self = Self {
                start: Some(loss),
                loss,
                mean_squared_error,
                best: loss,
                ..self.clone()
            };
            return true;
        };
        if loss > EXPLOSION * self.best && loss > SHARE_OF_START * start.max(LEAST_START) {
            return false;
        }
        self.loss += (loss - self.loss) / MEMORY;
        self.mean_squared_error += (mean_squared_error - self.mean_squared_error) / MEMORY;
        self.best = self.best.min(self.loss);
        true
    }

    /// The running mean of the loss.
    pub fn loss(&self) -> f64 {
        self.loss
    }

    /// The running mean of the squared error.
    pub fn mean_squared_error(&self) -> f64 {
        self.mean_squared_error
    }

    /// Goes back to the good state `before`, with halved learning rates.
    pub fn restored(&self, before: &Self) -> Self {
        Self {
            learning_rate_factor: self.learning_rate_factor * 0.5,
            restorations: self.restorations + 1,
            ..before.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(loss: f64) -> Measured {
        Measured {
            loss,
            mean_squared_error: loss,
        }
    }

    #[test]
    fn accepts_noise_and_refuses_explosions() {
        let mut guard = Guard::default();
        assert!(guard.accept(measured(0.3)));
        for step in 0..200 {
            assert!(guard.accept(measured(0.3 / f64::from(step + 1))));
        }
        assert!(
            guard.accept(measured(0.05)),
            "a bad batch of a good fit is no explosion"
        );
        assert!(!guard.clone().accept(measured(0.4)));
        assert!(!guard.clone().accept(measured(f64::NAN)));
        assert!(!guard.clone().accept(measured(f64::INFINITY)));
        let after = guard.restored(&Guard::default());
        assert_eq!((after.learning_rate_factor, after.restorations), (0.5, 1));
    }

    #[test]
    fn a_rare_detail_of_a_flat_signal_is_no_explosion() {
        let mut guard = Guard::default();
        for _ in 0..50 {
            assert!(guard.accept(measured(1e-7)));
        }
        assert!(guard.accept(measured(1e-3)));
        assert!(!guard.accept(measured(0.2)));
    }

    /// The loss of silence of a sound with a peak 17 dB above its mean.
    #[test]
    fn a_quiet_signal_that_is_lost_again_is_an_explosion() {
        let mut guard = Guard::default();
        assert!(guard.accept(measured(0.02)));
        for _ in 0..200 {
            assert!(guard.accept(measured(1e-4)));
        }
        assert!(!guard.accept(measured(0.02)));
    }

    #[test]
    fn a_first_loss_that_is_not_finite_is_refused() {
        assert!(!Guard::default().accept(measured(f64::NAN)));
    }
}
