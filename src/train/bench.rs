//! Times steps exactly as training makes them, and evaluation.

use std::time::Instant;

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::optimizer::Optimizer;
use super::trainer::Training;
use crate::engine::{Batch, Engine, EngineError, Profile};
use crate::model::Network;

/// Runs before the clock starts: the first ones take memory and compile what a graphics card needs.
const WARM_UPS: usize = 3;
/// A median of fewer would say little.
const FEWEST_RUNS: usize = 7;
/// Training steps are timed at least this long in all.
const SECONDS_OF_TRAINING: f64 = 1.5;
/// Evaluations are timed at least this long in all.
const SECONDS_OF_EVALUATION: f64 = 0.5;
/// The factor on all learning rates: so small that the weights stay as they are, whatever the batch holds.
const LEARNING_RATE_FACTOR: f64 = 1e-6;

/// The time that one training step took.
#[derive(Debug, Clone, PartialEq)]
pub struct StepTime {
    /// Seconds of the whole step.
    pub seconds: f64,
    /// Seconds of the optimizer.
    pub optimizer_seconds: f64,
    /// Where the others went; none for an engine that cannot tell.
    pub profile: Option<Profile>,
}

/// How fast a network is.
#[derive(Debug, Clone, PartialEq)]
pub struct Timing {
    /// How many steps were timed.
    pub steps: usize,
    /// The step with the median time.
    pub step: StepTime,
    /// The optimizer's share of a step, in [0, 1], the median over all steps.
    pub optimizer_share: f64,
    /// Median seconds of evaluating as many samples as a step has.
    pub evaluation_seconds: f64,
}

/// Where the samples of a batch lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Places<'a> {
    /// At random cell centres of a grid with so many cells on each axis, as the samples of a picture do.
    Grid(&'a [usize]),
    /// Anywhere in [-1, 1].
    Anywhere,
}

/// Times training steps of `network` on one batch of random samples, and its evaluation; takes about two seconds, or as long as seven
/// steps. `tell` is told the finished share of the work, in [0, 1].
///
/// # Errors
/// [`EngineError`] when the device fails.
pub fn time(
    engine: &mut dyn Engine,
    network: &Network,
    training: &Training,
    places: Places,
    tell: &mut dyn FnMut(f64),
) -> Result<Timing, EngineError> {
    let batch = random_batch(network, training, places);
    let mut parameters = network.initialize(training.seed);
    let mut gradients = parameters.zeros_like();
    let mut optimizer = Optimizer::new(&training.optimizer, &parameters);
    let training_share = SECONDS_OF_TRAINING / (SECONDS_OF_TRAINING + SECONDS_OF_EVALUATION);
    let mut steps = repeat(
        SECONDS_OF_TRAINING,
        &mut |share| tell(share * training_share),
        || {
            engine.take_profile();
            let start = Instant::now();
            engine.loss_and_gradients(
                network,
                &parameters,
                &batch,
                training.loss,
                &mut gradients,
            )?;
            let before_optimizer = start.elapsed();
            optimizer.step(&mut parameters, &gradients, LEARNING_RATE_FACTOR);
            let whole = start.elapsed();
            Ok(StepTime {
                seconds: whole.as_secs_f64(),
                optimizer_seconds: (whole - before_optimizer).as_secs_f64(),
                profile: engine.take_profile(),
            })
        },
    )?;
    let mut values = vec![0.0; batch.targets.len()];
    let evaluations = repeat(
        SECONDS_OF_EVALUATION,
        &mut |share| tell(training_share + share * (1.0 - training_share)),
        || {
            let start = Instant::now();
            engine.evaluate(network, &parameters, &batch.coordinates, &mut values)?;
            Ok(start.elapsed().as_secs_f64())
        },
    )?;
    let shares = steps.iter().map(|s| s.optimizer_seconds / s.seconds);
    let optimizer_share = median(shares.collect());
    steps.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    Ok(Timing {
        steps: steps.len(),
        optimizer_share,
        evaluation_seconds: median(evaluations),
        step: steps.swap_remove(steps.len() / 2),
    })
}

/// Coordinates at random `places`, and targets that are uniform in [-1, 1].
fn random_batch(network: &Network, training: &Training, places: Places) -> Batch {
    let mut rng = StdRng::seed_from_u64(training.seed);
    let mut uniform = || rng.random_range(-1.0..=1.0_f32);
    let numbers = |width: usize| 0..training.batch_size * width;
    let coordinate = |index: usize, value: f32| match places {
        Places::Anywhere => value,
        Places::Grid(cells) => {
            let cells = cells[index % cells.len()] as f32;
            let cell = (0.5 * (value + 1.0) * cells).floor().min(cells - 1.0);
            (2.0 * cell + 1.0) / cells - 1.0
        }
    };
    Batch {
        coordinates: numbers(network.d_in())
            .map(|index| coordinate(index, uniform()))
            .collect(),
        targets: numbers(network.d_out()).map(|_| uniform()).collect(),
        ..Batch::default()
    }
}

/// What `run` returns, after some runs to warm up, again and again until there is enough of it.
fn repeat<T>(
    seconds: f64,
    tell: &mut dyn FnMut(f64),
    mut run: impl FnMut() -> Result<T, EngineError>,
) -> Result<Vec<T>, EngineError> {
    for _ in 0..WARM_UPS {
        run()?;
    }
    let mut results = Vec::new();
    let start = Instant::now();
    loop {
        let runs = results.len() as f64 / FEWEST_RUNS as f64;
        let share = runs.min(start.elapsed().as_secs_f64() / seconds);
        tell(share.min(1.0));
        if share >= 1.0 {
            return Ok(results);
        }
        results.push(run()?);
    }
}

/// The middle one; of an even number the upper of the two in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
