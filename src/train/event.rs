//! What the trainer tells while it runs.

use serde::{Deserialize, Serialize};

use super::trainer::State;

/// A point of the training curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Optimizer steps so far.
    pub step: u64,
    /// Wall seconds of training so far.
    pub seconds: f64,
    /// Loss, smoothed over recent batches.
    pub loss: f64,
    /// PSNR in dB of recent batches, each measured before its own update: a running figure, not the final one.
    pub running_psnr_db: f64,
}

/// Where the run is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Step, seconds, loss and running PSNR.
    pub point: CurvePoint,
    /// Spent share of the budget, in [0, 1].
    pub fraction: f64,
    /// Samples trained on in a second, on average since the run began or went on.
    pub samples_per_second: f64,
    /// Estimated wall seconds to the end.
    pub seconds_left: f64,
}

/// Something happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// A step is done.
    Step(Progress),
    /// A point was added to the curve.
    Evaluated(CurvePoint),
    /// The loss exploded or was not finite: the run went back to an earlier state with smaller learning rates.
    Restored {
        /// The step at which it was noticed.
        step: u64,
        /// The step that the run went back to.
        back_to: u64,
        /// The factor on all learning rates from now on.
        learning_rate_factor: f64,
    },
    /// A good moment to save `state`.
    Checkpoint(&'a State),
}

/// What the listener wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Continue,
    /// End the run; everything learnt so far is kept.
    Stop,
}
