//! Training: the same bits however it is run, the schedule, and survival of divergence.

use inr::engine::{Batch, Engine, EngineError, Loss, Measured, TiledEngine};
use inr::model::{Hints, LayerConfig, Network, Parameters};
use inr::signal::{
    BitDepth, Channels, Footprint, HeldOut, Image, ImageLayout, Layout, Reduction, Samples, Signal,
    SignalError, Spectrum,
};
use inr::train::{
    Budget, Event, Flow, OptimizerConfig, OptimizerKind, Run, Schedule, ScheduleKind, State,
    StoppedBy, TrainError, Training, from_bytes, to_bytes,
};
use serde_json::{Value, json};

use super::numbers::{assert_close, uniform, uniform_f32};

/// A smooth RGB picture of 40 x 30.
fn picture() -> Image {
    let layout = ImageLayout::new(40, 30, Channels::Rgb, BitDepth::U8);
    let samples = (0..layout.values())
        .map(|i| {
            let (c, x, y) = (i % 3, i / 3 % 40, i / 120);
            let phase = 0.2 * x as f64 + 0.13 * y as f64 + c as f64;
            (127.5 + 120.0 * phase.sin()) as u8
        })
        .collect();
    Image::new(layout, Samples::U8(samples)).unwrap()
}

pub fn network(layers: Value, d_in: usize, d_out: usize) -> Network {
    let layers: Vec<LayerConfig> = serde_json::from_value(layers).unwrap();
    Network::new(layers, d_in, d_out, &Hints::default()).unwrap()
}

/// A layer of every kind whose matrices Muon may take.
pub fn mixed_network() -> Network {
    let layers = json!([
        {"kind": "gabor", "width": 6, "omega_0": 4.0, "s_0": 1.0, "first": true},
        {"kind": "gabor", "width": 5, "omega_0": 4.0, "s_0": 1.0},
        {"kind": "fourier-kan", "width": 7, "frequencies": 3, "cap_at_nyquist": false},
        {"kind": "layer-norm"},
        {"kind": "spline-kan", "width": 8},
        {"kind": "gated-tanh", "width": 7},
        {"kind": "sine", "width": 6},
        {"kind": "linear"},
    ]);
    network(layers, 2, 3)
}

pub fn training(kind: OptimizerKind, steps: u64) -> Training {
    Training {
        budget: Budget {
            steps: Some(steps),
            ..Budget::default()
        },
        batch_size: 300,
        candidates: 1,
        spectral_weight: 0.0,
        seed: 4,
        footprint: Footprint::Point,
        loss: Loss::Mse,
        slack: true,
        optimizer: OptimizerConfig {
            kind,
            weight_decay: if kind == OptimizerKind::AdamW {
                0.01
            } else {
                0.0
            },
            ..OptimizerConfig::default()
        },
        schedule: Schedule::default(),
    }
}

/// Trains until the budget or `listener` ends the run.
pub fn train(
    training: &Training,
    network: &Network,
    engine: &mut dyn Engine,
    state: &mut State,
    listener: &mut dyn FnMut(Event) -> Flow,
) -> Result<StoppedBy, TrainError> {
    let signal = picture();
    let run = Run {
        training,
        network,
        signal: &signal,
    };
    run.train(engine, state, listener, &mut |_, _| unreachable!())
}

/// The state at the end of a run that its steps end.
pub fn trained(run: &Run) -> State {
    let (stopped, state) = ended(run);
    assert_eq!(stopped, StoppedBy::Steps);
    state
}

/// What ends a run, and the state then.
fn ended(run: &Run) -> (StoppedBy, State) {
    let mut state = State::new(run.training, run.network.initialize(run.training.seed));
    let stopped = run.train(
        &mut TiledEngine::default(),
        &mut state,
        &mut |_| Flow::Continue,
        &mut |_, _| unreachable!(),
    );
    (stopped.unwrap(), state)
}

/// Trains a network on the picture; the times are taken out of the result.
pub fn result_of(training: &Training, network: &Network) -> State {
    without_times(trained(&Run {
        training,
        network,
        signal: &picture(),
    }))
}

fn without_times(mut state: State) -> State {
    state.seconds = 0.0;
    for point in &mut state.curve {
        point.seconds = 0.0;
    }
    state
}

pub const KINDS: [OptimizerKind; 3] = [
    OptimizerKind::Adam,
    OptimizerKind::AdamW,
    OptimizerKind::Muon,
];

#[test]
fn a_resumed_run_equals_an_uninterrupted_one_to_the_bit() {
    let network = mixed_network();
    let runs = KINDS.map(|kind| training(kind, 40));
    let others = [
        Training {
            footprint: Footprint::Area,
            ..training(KINDS[0], 40)
        },
        Training {
            candidates: 2,
            ..training(KINDS[0], 40)
        },
        Training {
            batch_size: 1024,
            spectral_weight: 0.1,
            ..training(KINDS[0], 40)
        },
    ];
    for training in runs.into_iter().chain(others) {
        let kind = training.optimizer.kind;
        let whole = result_of(&training, &network);

        let identity = json!({"optimizer": training.optimizer});
        let fresh = network.initialize(training.seed);
        let mut state = State::new(&training, fresh.clone());
        for stop in [1, 17, 18] {
            let mut engine = TiledEngine::default();
            let mut listener = |event: Event| match event {
                Event::Step(progress) if progress.point.step == stop => Flow::Stop,
                _ => Flow::Continue,
            };
            let stopped = train(&training, &network, &mut engine, &mut state, &mut listener);
            assert_eq!(stopped.unwrap(), StoppedBy::Interrupt);
            assert_eq!(state.step, stop);
            let bytes = to_bytes(&state, &identity);
            state = from_bytes(&bytes, &training, fresh.clone(), &identity).unwrap();
        }
        let mut engine = TiledEngine::default();
        train(&training, &network, &mut engine, &mut state, &mut |_| {
            Flow::Continue
        })
        .unwrap();
        let resumed = without_times(state);
        assert_eq!(resumed.parameters, whole.parameters, "{kind:?}");
        assert_eq!(resumed.optimizer, whole.optimizer, "{kind:?}");
        assert_eq!((resumed.step, resumed.restorations()), (40, 0), "{kind:?}");
        // The curve goes through decimal text, which may change its last bit.
        let steps = |state: &State| state.curve.iter().map(|p| p.step).collect::<Vec<_>>();
        assert_eq!(steps(&resumed), steps(&whole), "{kind:?}");
        for (found, expected) in resumed.curve.iter().zip(&whole.curve) {
            assert_close(&[found.loss], &[expected.loss], 1e-12, "loss");
            let [found, expected] = [found, expected].map(|p| [p.running_psnr_db]);
            assert_close(&found, &expected, 1e-12, "running PSNR");
        }
    }
}

#[test]
fn a_checkpoint_that_does_not_belong_here_is_refused() {
    let (network, training) = (mixed_network(), training(OptimizerKind::Muon, 2));
    let fresh = network.initialize(0);
    let identity = json!({"a": {"b": 1}});
    let bytes = to_bytes(&State::new(&training, fresh.clone()), &identity);
    let read = |bytes: &[u8], identity: &Value| {
        from_bytes(bytes, &training, fresh.clone(), identity).map_err(|e| e.to_string())
    };
    assert!(read(&bytes, &identity).is_ok());
    // Numbers of any length belong to themselves.
    let numbers = json!({
        "f64": uniform(1, 1000, 0.0, 1e-3),
        "f32": uniform_f32(2, 1000, 0.0, 100.0),
    });
    let same = to_bytes(&State::new(&training, fresh.clone()), &numbers);
    assert!(read(&same, &numbers).is_ok());
    let error = read(&bytes, &json!({"a": {"b": 2}})).unwrap_err();
    assert!(error.contains("a.b was 1 and is now 2"), "{error}");
    for length in [0, 5, 100, bytes.len() - 1] {
        let error = read(&bytes[..length], &identity).unwrap_err();
        assert!(error.contains("damaged"), "{error}");
    }
}

#[test]
fn the_seed_decides_the_result_and_the_number_of_threads_does_not() {
    let network = mixed_network();
    // Batches of more than one part and more samples than the picture has.
    let training = Training {
        batch_size: 5000,
        footprint: Footprint::Area,
        ..training(OptimizerKind::Muon, 6)
    };
    let expected = result_of(&training, &network);
    for threads in [1, 2, 3] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let found = pool.install(|| result_of(&training, &network));
        assert_eq!(found, expected, "{threads} threads");
    }
    let other = Training {
        seed: 5,
        ..training
    };
    assert_ne!(result_of(&other, &network).parameters, expected.parameters);
}

/// Rates from too large to not even a number in f32; also on the very last step, whose loss nobody sees.
#[test]
fn no_learning_rate_leaves_parameters_that_are_not_finite() {
    let layers = json!([{"kind": "sine", "width": 16, "first": true}, {"kind": "sine", "width": 16}, {"kind": "linear"}]);
    let network = network(layers, 2, 3);
    let mut restored = 0;
    for kind in [OptimizerKind::Adam, OptimizerKind::Muon] {
        for rate in [10.0, 1e4, 1e30, 1e300] {
            for steps in [1, 2, 3, 60] {
                let mut training = training(kind, steps);
                training.optimizer.learning_rate = rate;
                training.optimizer.muon_learning_rate = rate;
                let mut state = State::new(&training, network.initialize(0));
                let mut factors = Vec::new();
                let mut engine = TiledEngine::default();
                let result = train(&training, &network, &mut engine, &mut state, &mut |event| {
                    if let Event::Restored {
                        step,
                        back_to,
                        learning_rate_factor,
                    } = event
                    {
                        assert!(back_to <= step);
                        factors.push(learning_rate_factor);
                    }
                    Flow::Continue
                });
                let context = format!("{kind:?}, rate {rate}, {steps} steps: {result:?}");
                assert!(state.parameters.is_finite(), "{context}");
                assert!(
                    matches!(result, Ok(StoppedBy::Steps) | Err(TrainError::Diverged(_))),
                    "{context}"
                );
                // Every restoration halves the rates.
                let halves: Vec<f64> = (1..=factors.len() as i32)
                    .map(|n| 0.5_f64.powi(n))
                    .collect();
                assert_eq!(factors, halves, "{context}");
                restored += factors.len();
            }
        }
    }
    assert!(restored > 0);
}

/// An engine with gradients of 1 everywhere and losses from a list, which keeps the first parameter of every call.
struct Scripted {
    losses: Vec<f64>,
    seen: Vec<f32>,
    pause: std::time::Duration,
}

impl Engine for Scripted {
    fn loss_and_gradients(
        &mut self,
        _network: &Network,
        parameters: &Parameters,
        _batch: &Batch,
        _loss: Loss,
        gradients: &mut Parameters,
    ) -> Result<Measured, EngineError> {
        std::thread::sleep(self.pause);
        let loss = self.losses.get(self.seen.len()).copied().unwrap_or(1.0);
        self.seen.push(parameters.tensors[0].values[0]);
        gradients.fill(1.0);
        Ok(Measured {
            loss,
            mean_squared_error: loss,
        })
    }

    fn evaluate(
        &mut self,
        _network: &Network,
        _parameters: &Parameters,
        _coordinates: &[f32],
        _values: &mut [f32],
    ) -> Result<(), EngineError> {
        unreachable!()
    }
}

/// A picture whose samples take longer to draw than a run may last.
#[derive(Debug)]
struct Slow(Image);

impl Signal for Slow {
    fn layout(&self) -> Layout {
        self.0.layout()
    }

    fn samples(&self) -> usize {
        self.0.samples()
    }

    fn gather(&self, indices: &[u32], coordinates: &mut [f64], targets: &mut [f32]) {
        self.0.gather(indices, coordinates, targets);
    }

    fn gather_within(
        &self,
        offset: &[f64],
        indices: &[u32],
        coordinates: &mut [f64],
        targets: &mut [f32],
    ) {
        self.0.gather_within(offset, indices, coordinates, targets);
    }

    fn refresh(&self, epoch: u64) {
        if epoch == 0 {
            std::thread::sleep(std::time::Duration::from_millis(300));
        }
    }

    fn spectrum(&self) -> Spectrum {
        self.0.spectrum()
    }

    fn hold_out(self: Box<Self>, _reduction: Reduction) -> Result<HeldOut, SignalError> {
        unreachable!()
    }
}

/// What the first samples take to draw is no part of the seconds of training: the first of several models would have none left.
#[test]
fn the_clock_of_a_timed_run_starts_when_its_samples_are_there() {
    let network = network(json!([{"kind": "linear"}]), 2, 3);
    let mut training = training(OptimizerKind::Adam, 1);
    training.budget = Budget {
        seconds: Some(0.25),
        ..Budget::default()
    };
    let run = Run {
        training: &training,
        network: &network,
        signal: &Slow(picture()),
    };
    let (stopped, state) = ended(&run);
    assert_eq!(stopped, StoppedBy::Time);
    assert!(state.step > 1, "{} steps", state.step);
}

/// With gradients of 1, Adam's moments are 1 too and every step is the learning rate itself: rate · factor(progress).
#[test]
fn a_timed_run_follows_its_schedule_to_the_final_factor() {
    let network = network(json!([{"kind": "linear"}]), 2, 3);
    let mut training = training(OptimizerKind::Adam, 1);
    training.budget = Budget {
        seconds: Some(0.3),
        ..Budget::default()
    };
    training.schedule = Schedule {
        kind: ScheduleKind::Cosine,
        final_factor: 0.1,
        warmup: 0.2,
    };
    training.optimizer.learning_rate = 0.01;
    let mut engine = Scripted {
        losses: Vec::new(),
        seen: Vec::new(),
        pause: std::time::Duration::from_millis(5),
    };
    let mut state = State::new(&training, network.initialize(0));
    let mut seconds = vec![0.0];
    let stopped = train(&training, &network, &mut engine, &mut state, &mut |event| {
        if let Event::Step(progress) = event {
            seconds.push(progress.point.seconds);
        }
        Flow::Continue
    });
    assert_eq!(stopped.unwrap(), StoppedBy::Time);
    let path = [engine.seen, vec![state.parameters.tensors[0].values[0]]].concat();
    assert_eq!(path.len(), seconds.len());
    for (pair, seconds) in path.windows(2).zip(&seconds) {
        let factor = training.schedule.factor(seconds / 0.3);
        let step = f64::from(pair[0]) - f64::from(pair[1]);
        assert!(
            (step / 0.01 - factor).abs() < 1e-4,
            "{step} at {seconds} s instead of 0.01 · {factor}"
        );
    }
    let progress = training.budget.progress(state.step, state.seconds);
    assert_eq!(training.schedule.factor(progress), 0.1);
}

#[test]
fn a_loss_that_is_not_finite_takes_the_run_back() {
    let network = network(json!([{"kind": "linear"}]), 2, 3);
    let training = training(OptimizerKind::Adam, 130);
    let mut losses = vec![1.0; 130];
    // After the snapshot at step 100, and once more when the run is there again.
    losses[110] = f64::NAN;
    losses[115] = f64::INFINITY;
    let mut engine = Scripted {
        losses,
        seen: Vec::new(),
        pause: std::time::Duration::ZERO,
    };
    let mut state = State::new(&training, network.initialize(0));
    let mut events = Vec::new();
    train(&training, &network, &mut engine, &mut state, &mut |event| {
        if let Event::Restored {
            step,
            back_to,
            learning_rate_factor,
        } = event
        {
            events.push((step, back_to, learning_rate_factor));
        }
        Flow::Continue
    })
    .unwrap();
    assert_eq!(events, [(110, 100, 0.5), (104, 100, 0.25)]);
    assert_eq!((state.step, state.restorations()), (130, 2));
    // 100 steps, 10 that were lost, the call with NaN, 4 more, the call with the infinity, 30 to the end.
    assert_eq!(engine.seen.len(), 100 + 11 + 5 + 30);
    assert_eq!(engine.seen[111], engine.seen[100]);
    assert_eq!(engine.seen[116], engine.seen[100]);

    // A loss that is never finite ends the run with the parameters of the start.
    let mut engine = Scripted {
        losses: vec![f64::NAN; 1000],
        seen: Vec::new(),
        pause: std::time::Duration::ZERO,
    };
    let mut state = State::new(&training, network.initialize(0));
    let result = train(&training, &network, &mut engine, &mut state, &mut |_| {
        Flow::Continue
    });
    assert!(matches!(result, Err(TrainError::Diverged(_))), "{result:?}");
    assert_eq!(state.parameters, network.initialize(0));
}
