//! Batches that are chosen by their errors, or drawn for a loss on spectra.

use inr::engine::{Batch, Engine, EngineError, Loss, Measured, TiledEngine};
use inr::model::{Network, Parameters};
use inr::train::{Event, Flow, OptimizerKind, State, Training};

use super::training::{mixed_network, result_of, train, training};

/// An engine that compares every batch with what was evaluated right before it.
#[derive(Default)]
struct Watching {
    engine: TiledEngine,
    coordinates: Vec<f32>,
    /// The mean squared errors of the batches.
    learnt: Vec<f64>,
}

/// The squared error of every row.
fn errors(values: &[f32], targets: &[f32], d_out: usize) -> Vec<f64> {
    let rows = values.chunks(d_out).zip(targets.chunks(d_out));
    let square = |(v, t): (&f32, &f32)| f64::from(v - t).powi(2);
    rows.map(|(v, t)| v.iter().zip(t).map(square).sum())
        .collect()
}

impl Engine for Watching {
    fn loss_and_gradients(
        &mut self,
        network: &Network,
        parameters: &Parameters,
        batch: &Batch,
        loss: Loss,
        gradients: &mut Parameters,
    ) -> Result<Measured, EngineError> {
        let d_in = network.d_in();
        let rows = batch.coordinates.len() / d_in;
        let mut drawn = self.coordinates.chunks(d_in);
        for chosen in batch.coordinates.chunks(d_in) {
            assert!(
                drawn.any(|drawn| drawn == chosen),
                "it was not drawn, or not in this order"
            );
        }
        let mut values = vec![0.0; batch.targets.len()];
        self.engine
            .evaluate(network, parameters, &batch.coordinates, &mut values)?;
        let learnt = errors(&values, &batch.targets, network.d_out());
        self.learnt
            .push(learnt.iter().sum::<f64>() / (rows * network.d_out()) as f64);
        self.engine
            .loss_and_gradients(network, parameters, batch, loss, gradients)
    }

    fn evaluate(
        &mut self,
        network: &Network,
        parameters: &Parameters,
        coordinates: &[f32],
        values: &mut [f32],
    ) -> Result<(), EngineError> {
        self.coordinates = coordinates.to_vec();
        self.engine
            .evaluate(network, parameters, coordinates, values)
    }
}

fn chosen(candidates: usize) -> Training {
    Training {
        batch_size: 100,
        candidates,
        ..training(OptimizerKind::Adam, 8)
    }
}

#[test]
fn the_larger_errors_of_what_was_drawn_are_learnt() {
    let network = mixed_network();
    let training = chosen(3);
    let mut state = State::new(&training, network.initialize(1));
    let mut engine = Watching::default();
    let mut running = Vec::new();
    train(&training, &network, &mut engine, &mut state, &mut |event| {
        if let Event::Step(progress) = event {
            running.push(progress.point.running_psnr_db);
        }
        Flow::Continue
    })
    .unwrap();
    assert_eq!(
        (engine.learnt.len(), engine.coordinates.len()),
        (8, 2 * 300)
    );
    // The running figure is that of all that were drawn, whose errors are smaller; targets span [-1, 1], hence 4.
    let of_batch = 10.0 * (4.0 / engine.learnt[0]).log10();
    assert!(running[0] > of_batch + 0.5, "{} and {of_batch}", running[0]);
}

#[test]
fn a_choice_is_the_same_on_any_number_of_threads() {
    let network = mixed_network();
    let expected = result_of(&chosen(2), &network);
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let found = pool.install(|| result_of(&chosen(2), &network));
        assert_eq!(found, expected, "{threads} threads");
    }
    assert_ne!(
        result_of(&chosen(1), &network).parameters,
        expected.parameters
    );
}
