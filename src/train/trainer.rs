//! The training loop.

use std::time::Instant;

use super::budget::{Budget, StoppedBy};
use super::event::{CurvePoint, Event, Flow, Progress};
use super::feed::Feed;
use super::guard::Guard;
use super::optimizer::{Optimizer, OptimizerConfig};
use super::schedule::Schedule;
use crate::engine::{Engine, EngineError, Loss};
use crate::metrics::psnr_db;
use crate::model::{Network, Parameters};
use crate::signal::{Footprint, Signal};

/// Points on the training curve of one run.
const CURVE_POINTS: f64 = 50.0;
/// Seconds between checkpoints.
const SECONDS_BETWEEN_CHECKPOINTS: f64 = 30.0;
/// Steps between the states that a diverged run can go back to.
const STEPS_BETWEEN_SNAPSHOTS: u64 = 100;
/// A run that diverged this often will not recover.
const MOST_RESTORATIONS: u32 = 12;

/// How a network is trained, resolved and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Training {
    /// When to stop.
    pub budget: Budget,
    /// Samples a step.
    pub batch_size: usize,
    /// Samples that are drawn for each of these; those with the largest errors are learnt.
    pub candidates: usize,
    /// Weight of the loss on spectra beside the mean squared error; 0 leaves it out.
    pub spectral_weight: f64,
    /// Seed of the order of the samples and of where within their cells they are drawn.
    pub seed: u64,
    /// What the samples say of their cells.
    pub footprint: Footprint,
    /// What is made small.
    pub loss: Loss,
    /// Whether a network may go beyond the range of the values at samples that are at its end, see [`Signal::slack`].
    pub slack: bool,
    /// How it is made small.
    pub optimizer: OptimizerConfig,
    /// How the learning rates fall.
    pub schedule: Schedule,
}

/// All that a run needs to go on: what a checkpoint holds.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The weights.
    pub parameters: Parameters,
    /// The optimizer with its moments.
    pub optimizer: Optimizer,
    /// Optimizer steps so far; the order of the samples follows from it.
    pub step: u64,
    /// Wall seconds of training so far.
    pub seconds: f64,
    /// The training curve so far.
    pub curve: Vec<CurvePoint>,
    pub(super) guard: Guard,
}

/// Why training failed.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The device failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The loss exploded again and again.
    #[error(
        "training diverged {0} times although the learning rates were halved each time; lower training.optimizer.learning_rate and muon_learning_rate"
    )]
    Diverged(u32),
}

impl State {
    /// The state before the first step.
    pub fn new(training: &Training, parameters: Parameters) -> Self {
        Self {
            optimizer: Optimizer::new(&training.optimizer, &parameters),
            parameters,
            step: 0,
            seconds: 0.0,
            curve: Vec::new(),
            guard: Guard::default(),
        }
    }

    /// How often the run went back to an earlier state.
    pub fn restorations(&self) -> u32 {
        self.guard.restorations
    }

    /// `above_db` is that of [`Signal::psnr_above_targets_db`], so that the running PSNR is of the same values as the final one.
    fn point(&self, above_db: f64) -> CurvePoint {
        // Targets span [-1, 1], so the peak is 2.
        let of_targets_db = psnr_db(self.guard.mean_squared_error().max(1e-30), 2.0);
        CurvePoint {
            step: self.step,
            seconds: self.seconds,
            loss: self.guard.loss(),
            running_psnr_db: of_targets_db + above_db,
        }
    }
}

/// The fixed side of a run: what is trained, on what, and how.
pub struct Run<'a> {
    /// Budget, optimizer, schedule, loss.
    pub training: &'a Training,
    /// The layers.
    pub network: &'a Network,
    /// The samples.
    pub signal: &'a dyn Signal,
}

/// Measures the PSNR in dB of the given parameters on the whole signal, as it would be written.
pub type MeasurePsnr<'a> = dyn FnMut(&mut dyn Engine, &Parameters) -> Result<f64, EngineError> + 'a;

impl Run<'_> {
    /// Trains from `state` until a budget is reached or `listener` stops it.
    ///
    /// `measure_psnr_db` is asked only when the running PSNR says that the target may be reached.
    ///
    /// # Errors
    /// [`TrainError`]; `state` then holds the last good state.
    pub fn train(
        &self,
        engine: &mut dyn Engine,
        state: &mut State,
        listener: &mut dyn FnMut(Event) -> Flow,
        measure_psnr_db: &mut MeasurePsnr,
    ) -> Result<StoppedBy, TrainError> {
        let Training {
            budget, batch_size, ..
        } = *self.training;
        let mut feed = Feed::new(self);
        let mut gradients = state.parameters.zeros_like();
        let mut good = state.clone();
        // Not on the clock: the first of several models would pay for all of them.
        if budget.reached(state.step, state.seconds).is_none() {
            feed.prepare(state.step);
        }
        let above_db = self.signal.psnr_above_targets_db();
        // A run that goes on, perhaps only to be drawn again, may be there already.
        if let Some(target) = budget.target_psnr_db
            && state.step > 0
            && measure_psnr_db(engine, &state.parameters)? >= target
        {
            finish(state, above_db, listener);
            return Ok(StoppedBy::Target);
        }
        let mut pace = Pace::new(&budget, state, above_db);
        let footprint = self.training.footprint;
        let mut target = budget
            .target_psnr_db
            .map(|psnr_db| Target::new(psnr_db, footprint));

        loop {
            if let Some(reason) = budget.reached(state.step, state.seconds) {
                finish(state, above_db, listener);
                return Ok(reason);
            }
            let known = feed.fill(state.step, engine, &state.parameters)?;
            let measured = engine.loss_and_gradients(
                self.network,
                &state.parameters,
                &feed.batch,
                self.training.loss,
                &mut gradients,
            )?;
            let mut flow = Flow::Continue;
            let mut sound = state.guard.accept(known.over(measured));
            if sound {
                if state.step.is_multiple_of(STEPS_BETWEEN_SNAPSHOTS) {
                    // Now that its loss is seen to be sound, and not right after the step that led here.
                    good.clone_from(state);
                }
                let progress = budget.progress(state.step, state.seconds);
                let factor =
                    self.training.schedule.factor(progress) * state.guard.learning_rate_factor;
                state
                    .optimizer
                    .step(&mut state.parameters, &gradients, factor);
                state.step += 1;
                state.seconds = pace.seconds();
                // Of the last step no loss will be seen.
                sound = state.parameters.is_finite();
            }
            if !sound {
                let guard = state.guard.restored(&good.guard);
                if guard.restorations > MOST_RESTORATIONS {
                    state.clone_from(&good);
                    return Err(TrainError::Diverged(MOST_RESTORATIONS));
                }
                let step = state.step;
                good.guard = guard;
                good.seconds = pace.seconds();
                state.clone_from(&good);
                pace.go_back(&budget, state);
                flow = listener(Event::Restored {
                    step,
                    back_to: state.step,
                    learning_rate_factor: state.guard.learning_rate_factor,
                });
            }
            if flow == Flow::Continue {
                flow = pace.tell(&budget, batch_size, state, listener);
            }
            if flow == Flow::Stop {
                finish(state, above_db, listener);
                return Ok(StoppedBy::Interrupt);
            }
            let running = state.point(above_db);
            if let Some(target) = &mut target
                && target.may_be_reached(&running)
                && target.is_reached(&running, measure_psnr_db(engine, &state.parameters)?)
            {
                finish(state, above_db, listener);
                return Ok(StoppedBy::Target);
            }
        }
    }
}

/// Ends the curve with where the run is, and offers its state for a last checkpoint.
fn finish(state: &mut State, above_db: f64, listener: &mut dyn FnMut(Event) -> Flow) {
    let point = state.point(above_db);
    if state
        .curve
        .last()
        .is_none_or(|last| last.step != point.step)
    {
        state.curve.push(point);
        listener(Event::Evaluated(point));
    }
    listener(Event::Checkpoint(state));
}

/// The share of the budget at the last point of the curve that a run in `state` would have passed.
fn last_point(budget: &Budget, state: &State) -> f64 {
    (budget.progress(state.step, state.seconds) * CURVE_POINTS).floor() / CURVE_POINTS
}

/// The clock of a run: when to tell what.
struct Pace {
    start: Instant,
    /// Seconds of training before this start, when a run is resumed.
    before: f64,
    first_step: u64,
    next_point: f64,
    next_checkpoint: f64,
    /// See [`State::point`].
    above_db: f64,
}

impl Pace {
    fn new(budget: &Budget, state: &State, above_db: f64) -> Self {
        Self {
            start: Instant::now(),
            before: state.seconds,
            first_step: state.step,
            next_point: last_point(budget, state),
            next_checkpoint: state.seconds + SECONDS_BETWEEN_CHECKPOINTS,
            above_db,
        }
    }

    /// Follows the run back to an earlier state.
    fn go_back(&mut self, budget: &Budget, state: &State) {
        self.next_point = last_point(budget, state);
    }

    fn seconds(&self) -> f64 {
        self.before + self.start.elapsed().as_secs_f64()
    }

    fn tell(
        &mut self,
        budget: &Budget,
        batch_size: usize,
        state: &mut State,
        listener: &mut dyn FnMut(Event) -> Flow,
    ) -> Flow {
        let point = state.point(self.above_db);
        let fraction = budget.progress(state.step, state.seconds);
        if fraction >= self.next_point + 1.0 / CURVE_POINTS {
            self.next_point = last_point(budget, state);
            state.curve.push(point);
            if listener(Event::Evaluated(point)) == Flow::Stop {
                return Flow::Stop;
            }
        }
        if state.seconds >= self.next_checkpoint {
            self.next_checkpoint = state.seconds + SECONDS_BETWEEN_CHECKPOINTS;
            if listener(Event::Checkpoint(state)) == Flow::Stop {
                return Flow::Stop;
            }
        }
        let elapsed = (state.seconds - self.before).max(1e-9);
        listener(Event::Step(Progress {
            point,
            fraction,
            samples_per_second: (state.step.saturating_sub(self.first_step) as f64)
                * batch_size as f64
                / elapsed,
            seconds_left: state.seconds * (1.0 - fraction) / fraction.max(1e-9),
        }))
    }
}

/// Judges the target PSNR without measuring the whole signal at every step.
struct Target {
    psnr_db: f64,
    /// The running PSNR at which a measurement is worth its time.
    worth_measuring_db: f64,
    next_step: u64,
}

impl Target {
    /// Steps between two measurements, so that a large signal is not measured again and again.
    const STEPS_BETWEEN: u64 = 20;
    /// How far the PSNR of means over cells may be above the running one, which is of values within the cells.
    const AREA_ABOVE_DB: f64 = 6.0;

    fn new(psnr_db: f64, footprint: Footprint) -> Self {
        let above_db = match footprint {
            Footprint::Point => 0.0,
            Footprint::Area => Self::AREA_ABOVE_DB,
        };
        Self {
            psnr_db,
            worth_measuring_db: psnr_db - above_db,
            next_step: 0,
        }
    }

    fn may_be_reached(&self, running: &CurvePoint) -> bool {
        running.step >= self.next_step && running.running_psnr_db >= self.worth_measuring_db
    }

    fn is_reached(&mut self, running: &CurvePoint, measured_db: f64) -> bool {
        self.next_step = running.step + Self::STEPS_BETWEEN;
        self.worth_measuring_db =
            running.running_psnr_db + 0.5 * (self.psnr_db - measured_db).max(0.0);
        measured_db >= self.psnr_db
    }
}
