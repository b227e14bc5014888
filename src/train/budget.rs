//! When a run ends.

use serde::{Deserialize, Serialize};

/// Limits of a run; the first one reached ends it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Budget {
    /// Optimizer steps.
    pub steps: Option<u64>,
    /// Wall seconds of training.
    pub seconds: Option<f64>,
    /// PSNR in dB to stop at.
    pub target_psnr_db: Option<f64>,
}

/// What ended a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoppedBy {
    /// The number of steps.
    Steps,
    /// The time.
    Time,
    /// The target PSNR.
    Target,
    /// The user.
    Interrupt,
}

impl StoppedBy {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::Time => "time",
            Self::Target => "target",
            Self::Interrupt => "interrupt",
        }
    }
}

impl Budget {
    /// The spent share in [0, 1]: of the steps or of the time, whichever is further. The target has no part in it.
    pub fn progress(&self, step: u64, seconds: f64) -> f64 {
        let steps = self
            .steps
            .map_or(0.0, |limit| step as f64 / limit.max(1) as f64);
        let time = self
            .seconds
            .map_or(0.0, |limit| seconds / limit.max(f64::MIN_POSITIVE));
        steps.max(time).min(1.0)
    }

    /// Which limit is reached after `step` steps and `seconds`, if any; the target is judged by the trainer.
    pub fn reached(&self, step: u64, seconds: f64) -> Option<StoppedBy> {
        if self.steps.is_some_and(|limit| step >= limit) {
            Some(StoppedBy::Steps)
        } else if self.seconds.is_some_and(|limit| seconds >= limit) {
            Some(StoppedBy::Time)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_that_is_nearer_to_its_end_rules() {
        let budget = Budget {
            steps: Some(100),
            seconds: Some(10.0),
            target_psnr_db: None,
        };
        assert_eq!(budget.progress(50, 1.0), 0.5);
        assert_eq!(budget.progress(50, 8.0), 0.8);
        assert_eq!(budget.reached(99, 9.9), None);
        assert_eq!(budget.reached(100, 1.0), Some(StoppedBy::Steps));
        assert_eq!(budget.reached(5, 10.0), Some(StoppedBy::Time));
    }
}
