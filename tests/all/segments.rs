//! Networks with weights of their own in each part of the first axis, and long sounds.

use inr::config::{Request, Resolved, SignalFacts, resolve};
use inr::engine::{Batch, BurnEngine, Engine, Loss, Segmented, TiledEngine};
use inr::model::{Hints, LayerConfig, Network, Parameters};
use inr::signal::{Footprint, SampleFormat, Signal, Sound, SoundLayout};
use serde_json::{Value, json};

use super::numbers::{uniform, uniform_f32};
use super::sounds::place;

const SEGMENTS: usize = 3;

fn network() -> Network {
    let layers: Vec<LayerConfig> = serde_json::from_value(json!([
        { "kind": "sine", "width": 5, "omega_0": 3.0, "first": true },
        { "kind": "linear", "omega_0": 3.0 },
    ]))
    .unwrap();
    Network::new(layers, 2, 1, &Hints::default()).unwrap()
}

fn engines() -> [Box<dyn Engine>; 2] {
    let plain = BurnEngine::new(burn::tensor::Device::flex());
    let engines: [Box<dyn Engine>; 2] = [Box::new(TiledEngine::default()), Box::new(plain)];
    engines.map(|engine| Box::new(Segmented::new(engine)) as Box<dyn Engine>)
}

/// Coordinates in every segment, and on the borders of the axis.
fn coordinates() -> Vec<f64> {
    let mut coordinates = uniform(7, 2 * 40, -1.0, 1.0);
    (coordinates[0], coordinates[2]) = (-1.0, 1.0);
    coordinates
}

fn rows(network: &Network, coordinates: &[f64]) -> Vec<f32> {
    let mut rows = vec![f32::NAN; coordinates.len() / network.d_in() * network.row_width()];
    network.locate(coordinates, &mut rows);
    rows
}

#[test]
fn every_segment_is_a_network_of_its_own() {
    let network = network().with_segments(SEGMENTS);
    let parameters = network.initialize(1);
    assert_eq!(parameters.count(), network.parameter_count());
    let (coordinates, one) = (coordinates(), network.clone().with_segments(1));
    let tensors = parameters.tensors.len() / SEGMENTS;
    assert_eq!(
        parameters.tensors[tensors].name,
        "segments.1.layers.0.weight"
    );
    for mut engine in engines() {
        let mut values = vec![f32::NAN; 40];
        engine
            .evaluate(
                &network,
                &parameters,
                &rows(&network, &coordinates),
                &mut values,
            )
            .unwrap();
        for (row, value) in coordinates.chunks_exact(2).zip(&values) {
            let segment = (((row[0] + 1.0) * 1.5) as usize).min(SEGMENTS - 1);
            let own = Parameters {
                tensors: parameters.tensors[segment * tensors..][..tensors].to_vec(),
            };
            // x S + S - 1 - 2 s, as the model file says.
            let within = row[0] * 3.0 + 2.0 - 2.0 * segment as f64;
            let row = [within as f32, row[1] as f32];
            let mut alone = [f32::NAN];
            engine.evaluate(&one, &own, &row, &mut alone).unwrap();
            assert!(
                (value - alone[0]).abs() < 1e-5,
                "{row:?}: {value} {alone:?}"
            );
        }
    }
}

#[test]
fn gradients_of_segments_are_those_of_the_mean_loss() {
    let network = network().with_segments(SEGMENTS);
    let mut parameters = network.initialize(1);
    let mut coordinates = coordinates();
    // No row lies in the last segment, whose gradient is zero.
    for row in coordinates.chunks_exact_mut(2) {
        row[0] = (row[0] + 1.0) * 0.6 - 1.0;
    }
    let batch = Batch {
        coordinates: rows(&network, &coordinates),
        targets: uniform_f32(8, 40, -1.0, 1.0),
        ..Batch::default()
    };
    for mut engine in engines() {
        let mut gradients = parameters.zeros_like();
        gradients.fill(f32::NAN);
        let mut loss = |parameters: &Parameters, gradients: &mut Parameters| {
            engine
                .loss_and_gradients(&network, parameters, &batch, Loss::Mse, gradients)
                .unwrap()
                .loss
        };
        loss(&parameters, &mut gradients);
        let step = 1e-2;
        for tensor in 0..parameters.tensors.len() {
            let found = gradients.tensors[tensor].values[0];
            let value = parameters.tensors[tensor].values[0];
            let mut at = |value: f32| {
                parameters.tensors[tensor].values[0] = value;
                loss(&parameters, &mut parameters.zeros_like())
            };
            let expected = (at(value + step) - at(value - step)) / (2.0 * f64::from(step));
            parameters.tensors[tensor].values[0] = value;
            assert!(
                (f64::from(found) - expected).abs() < 2e-3 * (1.0 + expected.abs()),
                "tensor {tensor}: {found} {expected}"
            );
        }
        let last = gradients.tensors.last().unwrap();
        assert!(last.values.iter().all(|&g| g == 0.0));
    }
}

#[test]
fn segments_forgive_what_lies_beyond_the_range() {
    let network = network().with_segments(SEGMENTS);
    let mut parameters = network.initialize(1);
    // Predictions about 2, where 1 is asked for.
    for tensor in &mut parameters.tensors {
        if tensor.name.ends_with("layers.1.bias") {
            tensor.values.fill(2.0);
        }
    }
    let batch = Batch {
        coordinates: rows(&network, &coordinates()),
        targets: vec![1.0; 40],
        slack: 0.3,
        ..Batch::default()
    };
    for mut engine in engines() {
        let mut values = vec![f32::NAN; 40];
        engine
            .evaluate(&network, &parameters, &batch.coordinates, &mut values)
            .unwrap();
        let squares = values
            .iter()
            .map(|&v| f64::from(v - 1.3).max(0.0).powi(2) / 40.0);
        let expected: f64 = squares.sum();
        let mut gradients = parameters.zeros_like();
        let measured = engine
            .loss_and_gradients(&network, &parameters, &batch, Loss::Mse, &mut gradients)
            .unwrap();
        assert!(
            (measured.loss - expected).abs() < 1e-5,
            "{measured:?} {expected}"
        );
    }
}

/// A sample of an hour at 44.1 kHz lies where it would lie in a sound as short as its segment.
#[test]
fn samples_of_long_sounds_keep_their_places() {
    let (segments, frames) = (240, 661_500);
    let all = segments * frames;
    let layout = SoundLayout {
        sample_rate: 44_100,
        channels: 1,
        frames: all as u32,
        format: SampleFormat::Pcm16,
        peak: 1.0,
        footprint: Footprint::Point,
    };
    let sound = Sound::new(layout, vec![0.0; all]);
    let layers = serde_json::from_value(json!([{ "kind": "linear" }])).unwrap();
    let network = Network::new(layers, 1, 1, &Hints::default()).unwrap();
    let network = network.with_segments(segments);
    for segment in [0, 1, 7, 121, 239] {
        for frame in [0, 1, 2, 330_749, 661_499] {
            let index = (segment * frames + frame) as u32;
            let mut coordinate = [f64::NAN];
            sound.gather(&[index], &mut coordinate, &mut [f32::NAN]);
            let [found_segment, within] = rows(&network, &coordinate)[..] else {
                panic!("a segment and a coordinate")
            };
            assert_eq!(found_segment, segment as f32);
            let expected = (2 * frame + 1) as f64 / frames as f64 - 1.0;
            // Neighbours are 3e-6 apart; f32 has a step of 6e-8 near 1, and f64 has one of 1e-16, here times 240.
            assert!((f64::from(within) - expected).abs() < 4e-8, "{index}");
        }
    }
}

/// What is resolved for a sound of `seconds` at 8,000 Hz.
fn resolved(seconds: f64, settings: &[(&str, f64)]) -> Result<Resolved, String> {
    resolved_at(8000.0, seconds, settings)
}

fn resolved_at(rate: f64, seconds: f64, settings: &[(&str, f64)]) -> Result<Resolved, String> {
    let samples = (rate * seconds) as usize;
    let facts = SignalFacts {
        kind: "sound",
        has_normals: false,
        d_in: 1,
        d_out: 1,
        samples,
        seconds: Some(seconds),
        hints: Hints {
            nyquist: vec![samples as f32 / 2.0],
            rms_frequency: vec![1000.0],
            ..Hints::default()
        },
    };
    let mut request = Request {
        model: Some("siren".into()),
        ..Request::default()
    };
    for (path, value) in settings {
        match value.fract() == 0.0 && !path.ends_with("seconds") {
            true => request.set(path, *value as i64),
            false => request.set(path, *value),
        }
    }
    resolve(&request, &facts).map_err(|e| e.to_string())
}

#[test]
fn long_sounds_get_segments_and_steps_for_them() {
    let short = resolved(15.0, &[]).unwrap();
    assert_eq!(short.network.segments(), 1);
    let long = resolved(40.0, &[]).unwrap();
    assert_eq!(long.network.segments(), 3);
    assert_eq!(long.recipe.model.segments, Some(3));
    let steps = |resolved: &Resolved| resolved.recipe.training.steps.unwrap();
    assert_eq!(steps(&long), 3 * steps(&short));
    let parameters = |resolved: &Resolved| resolved.network.parameter_count();
    // Three times the budget of the preset, or 40 s of samples: 3 * 106,666.
    let expected = 3 * 106_666;
    assert!(parameters(&long) <= expected && parameters(&long) > expected * 95 / 100);
    // However long it is, it gets no more than four times what a preset has.
    let longer = resolved(600.0, &[]).unwrap();
    assert_eq!(longer.network.segments(), 40);
    assert_eq!(steps(&longer), 4 * steps(&short));
    assert!(parameters(&longer) <= 800_000 && parameters(&longer) > 600_000);
    // A day at 1 Hz is 86,400 samples, more than 65,536.
    let slow = resolved_at(1.0, 86_400.0, &[]).unwrap();
    assert_eq!(slow.network.segments(), 2);
    // What is asked for is asked for all segments together.
    let asked = [("model.parameters", 30_000.0), ("training.steps", 70.0)];
    let asked = resolved(40.0, &asked).unwrap();
    assert_eq!(steps(&asked), 70);
    assert!(parameters(&asked).abs_diff(30_000) < 1_500);
    let finer = resolved(40.0, &[("model.segment_seconds", 4.0)]).unwrap();
    assert_eq!(finer.network.segments(), 10);
    for (setting, words) in [
        (("model.segments", 0.0), "must be at least 1"),
        (("model.segment_seconds", 1e-4), "segments are too many"),
        (("model.segment_seconds", -1.0), "above 0"),
    ] {
        let error = resolved(40.0, &[setting]).unwrap_err();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn a_sound_in_segments_goes_through_every_command() {
    let place = place();
    let line = "fit chime.wav --model siren --params 6k --batch 512 --device cpu --segment 1s";
    let ended = place.run(&format!("{line} --steps 30")).done();
    let folder = ended.stdout.trim_end().to_string();
    assert!(
        ended.stderr.contains("3 segments of 0.8 s"),
        "{}",
        ended.stderr
    );
    let report = |folder: &str| -> Value {
        serde_json::from_slice(&place.bytes(&format!("{folder}/report.json"))).unwrap()
    };
    let first = report(&folder);
    let info = place.run(&format!("info {folder}")).done().stdout;
    assert!(info.contains("in 3 segments"), "{info}");
    let eval = place
        .run(&format!("eval {folder} chime.wav --json --device cpu"))
        .done();
    let eval: Value = serde_json::from_str(&eval.stdout).unwrap();
    assert!(
        eval.to_string()
            .contains(&first["metrics"]["snr_db"].to_string())
    );
    place
        .run(&format!("upsample {folder} --rate 32000 --device cpu"))
        .done();
    // The recipe repeats the run, and a run can go on.
    place
        .run(&format!(
            "fit chime.wav --config {folder}/recipe.toml --device cpu --out again"
        ))
        .done();
    assert_eq!(report("again")["metrics"], first["metrics"]);
    place
        .run(&format!(
            "fit chime.wav --resume --steps 40 --device cpu --out {folder}"
        ))
        .done();
    let longer = report(&folder);
    assert_eq!(longer["training"]["steps"], 40);
    assert_eq!(longer["model"], first["model"]);
    let ended = place.run("fit icon.png --model siren --segment 1s --steps 3 --device cpu");
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("are for sounds"), "{}", ended.stderr);
}
