//! Batches that are chosen by their errors or drawn for a loss on spectra, and batches that forgive.

use burn::tensor::Device;
use inr::engine::{Batch, BurnEngine, Engine, EngineError, Loss, Measured, TiledEngine};
use inr::model::{Hints, Network, Parameters};
use inr::signal::Footprint;
use inr::train::{Event, Flow, OptimizerKind, State, Training};
use serde_json::json;

use super::training::{mixed_network, result_of, train, training};

/// An engine that compares every batch with what was evaluated right before it.
#[derive(Default)]
struct Watching {
    engine: TiledEngine,
    coordinates: Vec<f32>,
    /// The mean squared errors of the batches.
    learnt: Vec<f64>,
    /// That of the last batch.
    slack: f32,
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
        self.slack = batch.slack;
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

/// f(x) = 3 x at five places, by hand: three predictions lie beyond their targets, one lies beyond the wrong end.
#[test]
fn what_lies_beyond_the_range_is_forgiven() {
    let layers = serde_json::from_value(json!([{ "kind": "linear" }])).unwrap();
    let network = Network::new(layers, 1, 1, &Hints::default()).unwrap();
    let mut parameters = network.initialize(1);
    parameters.fill(0.0);
    parameters.tensors[0].values[0] = 3.0;
    let mut batch = Batch {
        coordinates: vec![-1.0, -0.5, 0.1, 0.5, 1.0],
        targets: vec![-1.0, -1.0, 0.5, 1.0, -1.0],
        ..Batch::default()
    };
    let plain = BurnEngine::new(Device::flex());
    let engines: [Box<dyn Engine>; 2] = [Box::new(TiledEngine::default()), Box::new(plain)];
    for mut engine in engines {
        let mut gradients = parameters.zeros_like();
        for (slack, differences) in [
            (f32::MAX, [0.0_f32, 0.0, -0.2, 0.0, 4.0]),
            (0.75, [-1.25, 0.0, -0.2, 0.0, 4.0]),
            (0.0, [-2.0, -0.5, -0.2, 0.5, 4.0]),
        ] {
            batch.slack = slack;
            for loss in [Loss::Mse, Loss::L1] {
                let measured = engine
                    .loss_and_gradients(&network, &parameters, &batch, loss, &mut gradients)
                    .unwrap();
                let mean = |of: &dyn Fn(usize) -> f64| (0..5_usize).map(of).sum::<f64>() / 5.0;
                let squares = mean(&|i| f64::from(differences[i]).powi(2));
                let x = |i: usize| f64::from(batch.coordinates[i]);
                let d = |i: usize| f64::from(differences[i]);
                let (value, slope) = match loss {
                    Loss::Mse => (squares, mean(&|i| 2.0 * d(i) * x(i))),
                    _ => {
                        let sign = |i: usize| f64::from(differences[i].total_cmp(&0.0) as i8);
                        (mean(&|i| d(i).abs()), mean(&|i| sign(i) * x(i)))
                    }
                };
                assert!((measured.loss - value).abs() < 1e-6, "{measured:?} {value}");
                assert!((measured.mean_squared_error - squares).abs() < 1e-6);
                let found = f64::from(gradients.tensors[0].values[0]);
                assert!((found - slope).abs() < 1e-6, "{loss:?}: {found} {slope}");
            }
        }
    }
}

/// Means over cells are those of places that may lie beyond the range.
#[test]
fn pictures_of_whole_numbers_have_slack_where_pixels_are_points() {
    let network = mixed_network();
    for (slack, footprint, expected) in [
        (true, Footprint::Point, 0.05),
        (false, Footprint::Point, 0.0),
        (true, Footprint::Area, 0.0),
    ] {
        let training = Training {
            slack,
            footprint,
            ..chosen(2)
        };
        let mut state = State::new(&training, network.initialize(1));
        let mut engine = Watching::default();
        train(&training, &network, &mut engine, &mut state, &mut |_| {
            Flow::Continue
        })
        .unwrap();
        assert_eq!(engine.slack, expected, "{footprint:?}");
    }
}
