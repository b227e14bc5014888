//! How the learning rate falls over a run.

use serde::{Deserialize, Serialize};

/// The shape of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScheduleKind {
    /// Half a cosine from 1 to `final_factor` (Loshchilov and Hutter 2017, eq. 5, without restarts).
    #[default]
    Cosine,
    /// `final_factor`^progress.
    Exponential,
    /// No change.
    Constant,
}

/// The factor on every learning rate as a function of progress, the spent share of the budget.
///
/// Progress runs over whichever budget rules, steps or seconds, so that a timed run also ends at the schedule's end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Schedule {
    /// The shape.
    pub kind: ScheduleKind,
    /// The factor at the end of the run, from 0 to 1; above 0 for an exponential schedule.
    pub final_factor: f64,
    /// Share of the run, from 0 to 1, in which the factor first rises linearly from 0.
    pub warmup: f64,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            kind: ScheduleKind::Cosine,
            final_factor: 0.0,
            warmup: 0.0,
        }
    }
}

impl Schedule {
    /// The factor at `progress` in [0, 1].
    pub fn factor(&self, progress: f64) -> f64 {
        let progress = progress.clamp(0.0, 1.0);
        if progress < self.warmup {
            return progress / self.warmup;
        }
        let t = (progress - self.warmup) / (1.0 - self.warmup).max(f64::MIN_POSITIVE);
        let end = self.final_factor;
        match self.kind {
            ScheduleKind::Cosine => {
                end + (1.0 - end) * 0.5 * (1.0 + (std::f64::consts::PI * t).cos())
            }
            ScheduleKind::Exponential => end.powf(t),
            ScheduleKind::Constant => 1.0,
        }
    }

    /// Checks the fields; the error is a sentence that starts with the field's name.
    pub fn check(&self) -> Result<(), String> {
        if !(0.0..=1.0).contains(&self.final_factor) {
            return Err(format!(
                "final_factor is {}; it must be from 0 to 1",
                self.final_factor
            ));
        }
        if self.kind == ScheduleKind::Exponential && self.final_factor == 0.0 {
            return Err(
                "final_factor is 0, which an exponential schedule never reaches; 0.1 is usual"
                    .into(),
            );
        }
        if !(0.0..1.0).contains(&self.warmup) {
            return Err(format!(
                "warmup is {}; it must be at least 0 and below 1",
                self.warmup
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_its_formula() {
        let schedule = |kind, final_factor, warmup| Schedule {
            kind,
            final_factor,
            warmup,
        };
        let cosine = schedule(ScheduleKind::Cosine, 0.0, 0.0);
        // ½(1 + cos(π/3)) = 0.75
        for (progress, expected) in [
            (0.0, 1.0),
            (1.0 / 3.0, 0.75),
            (0.5, 0.5),
            (1.0, 0.0),
            (1.5, 0.0),
        ] {
            assert!((cosine.factor(progress) - expected).abs() < 1e-12);
        }
        let exponential = schedule(ScheduleKind::Exponential, 0.01, 0.0);
        for (progress, expected) in [(0.0, 1.0), (0.5, 0.1), (1.0, 0.01)] {
            assert!((exponential.factor(progress) - expected).abs() < 1e-12);
        }
        let warm = schedule(ScheduleKind::Constant, 1.0, 0.2);
        for (progress, expected) in [(0.0, 0.0), (0.1, 0.5), (0.2, 1.0), (0.9, 1.0)] {
            assert!((warm.factor(progress) - expected).abs() < 1e-12);
        }
    }
}
