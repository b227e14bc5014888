//! Every preset as a network and as a model file, and what is said of lists and files that are wrong.

use std::collections::HashMap;
use std::path::Path;

use burn::tensor::Device;
use inr::config::{PRESETS, Request, Resolved, SignalFacts, resolve};
use inr::engine::{Batch, BurnEngine, Engine, Loss, TiledEngine};
use inr::model::file::{FORMAT, Header, Model, ModelFileError};
use inr::model::{
    Hints, LAYER_KINDS, LayerConfig, Network, NetworkError, SizeBudget, size_to_budget,
};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::{Value, json};

use super::numbers::{assert_close, is_link, uniform_f32};

/// A picture of 512 x 512 samples with `d_out` channels.
fn facts(d_out: usize) -> SignalFacts {
    SignalFacts {
        kind: "image",
        has_normals: false,
        d_in: 2,
        d_out,
        samples: 512 * 512,
        seconds: None,
        hints: Hints {
            nyquist: vec![256.0, 256.0],
            rms_frequency: vec![20.0, 20.0],
            ..Hints::default()
        },
    }
}

/// A preset scaled to `parameters`.
fn preset(name: &str, d_out: usize, parameters: i64) -> Resolved {
    let mut request = Request {
        model: Some(name.to_string()),
        ..Request::default()
    };
    request.set("model.parameters", parameters);
    resolve(&request, &facts(d_out)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn model(name: &str, d_out: usize, parameters: i64) -> Model {
    let Resolved {
        recipe, network, ..
    } = preset(name, d_out, parameters);
    Model {
        header: Header {
            format: FORMAT,
            name: name.to_string(),
            d_in: network.d_in(),
            d_out: network.d_out(),
            layers: network.layers().to_vec(),
            segments: 1,
            signal: json!({"kind": "image", "width": 512, "height": 512}),
            recipe: json!(recipe),
            seed: 5,
        },
        parameters: network.initialize(5),
        network,
    }
}

fn values(model: &Model) -> Vec<f32> {
    let coordinates = uniform_f32(30, 2 * 100, -1.0, 1.0);
    let mut values = vec![f32::NAN; 100 * model.network.d_out()];
    TiledEngine::default()
        .evaluate(&model.network, &model.parameters, &coordinates, &mut values)
        .unwrap();
    values
}

#[test]
fn presets_fit_every_budget_and_number_of_channels() {
    for known in PRESETS {
        let about = known.about();
        for text in [about.summary, about.when, about.paper] {
            assert!(!text.is_empty(), "{}", known.name);
        }
        for d_out in 1..=4 {
            for budget in [5_000, 50_000, 200_000, 430_000] {
                let network = preset(known.name, d_out, budget).network;
                let found = network.parameter_count();
                let context = format!("{} for {d_out} channels", known.name);
                assert_eq!((network.d_in(), network.d_out()), (2, d_out), "{context}");
                let error = (found as f64 / budget as f64 - 1.0).abs();
                assert!(error < 0.03, "{context}: {found} instead of {budget}");
                let parameters = network.initialize(0);
                assert_eq!(parameters.count(), found, "{context}");
                assert!(parameters.is_finite(), "{context}");
            }
        }
    }
}

/// Two layers of each example of each kind under a linear layer, at any budget; a kind without a width of its own over a linear
/// layer too; a kind that reads few inputs only, once.
#[test]
fn every_layer_kind_can_be_sized() {
    for kind in LAYER_KINDS {
        for config in (kind.examples)() {
            let has_no_size =
                config.layer().d_out(2) == 2 && config.layer().parameters(2).is_empty();
            if is_link(&config) || has_no_size {
                // It has the width of another layer.
                continue;
            }
            // Layers on pairs take the width of a layer of their own kind only.
            let first = (kind.examples)()
                .into_iter()
                .find(|first| first.layer().check(2).is_ok() && first.layer().check(3).is_ok());
            let Some(first) = first else {
                panic!("no example of {} reads coordinates", kind.name);
            };
            let linear = serde_json::from_value(json!({"kind": "linear"})).unwrap();
            let hidden = || serde_json::from_value(json!({"kind": "linear", "width": 8})).unwrap();
            let layers = if first.layer().d_out(2) == 2 {
                vec![hidden(), first, config, linear]
            } else if first
                .layer()
                .parameters(2)
                .iter()
                .all(|p| p.shape.len() < 2)
            {
                vec![first, config, hidden(), hidden(), linear]
            } else if config.layer().check(64).is_err() {
                vec![config, hidden(), linear]
            } else {
                vec![first, config, linear]
            };
            for budget in [5_000, 50_000, 430_000] {
                let budget_of = SizeBudget::About(budget);
                let network = size_to_budget(&layers, 2, 3, &Hints::default(), budget_of).unwrap();
                let found = network.parameter_count();
                let error = (found as f64 / budget as f64 - 1.0).abs();
                assert!(error < 0.03, "{}: {found} instead of {budget}", kind.name);
            }
        }
    }
}

/// A step of every preset on a picture, a sound and a shape, on the CPU tile by tile and by burn's automatic differentiation.
#[test]
fn both_engines_agree_on_the_gradient_of_every_preset() {
    for (kind, d_in, d_out, seconds) in [
        ("image", 2, 3, None),
        ("sound", 1, 1, Some(2.0)),
        ("shape", 3, 1, None),
    ] {
        let facts = SignalFacts {
            kind,
            seconds,
            ..super::recipes::facts(d_in, d_out)
        };
        for known in PRESETS {
            let mut request = Request {
                model: Some(known.name.to_string()),
                ..Request::default()
            };
            request.set("model.parameters", 3_000);
            let network = resolve(&request, &facts).unwrap().network;
            let parameters = network.initialize(6);
            let rows = 40;
            let batch = Batch {
                coordinates: uniform_f32(33, rows * d_in, -1.0, 1.0),
                targets: uniform_f32(34, rows * d_out, -1.0, 1.0),
                ..Batch::default()
            };
            let run = |engine: &mut dyn Engine| {
                let mut gradients = parameters.zeros_like();
                let measured = engine
                    .loss_and_gradients(&network, &parameters, &batch, Loss::Mse, &mut gradients)
                    .unwrap();
                (measured.loss, gradients)
            };
            let (found, gradients) = run(&mut TiledEngine::default());
            let (expected, plain) = run(&mut BurnEngine::new(Device::flex()));
            let context = format!("{} on a {kind}", known.name);
            assert_close(&[found], &[expected], 1e-3, &context);
            for (found, expected) in gradients.tensors.iter().zip(&plain.tensors) {
                let context = format!("{context}, by {}", found.name);
                // Phases of thousands of radians keep few digits in f32.
                let tolerance = if kind == "sound" { 2e-2 } else { 2e-3 };
                assert_close(&found.values, &expected.values, tolerance, &context);
            }
        }
    }
}

#[test]
fn a_model_file_gives_back_what_was_saved() {
    let folder = tempfile::tempdir().unwrap();
    for preset in PRESETS {
        for d_out in [1, 3] {
            let saved = model(preset.name, d_out, 5_000);
            let bytes = saved.to_bytes();
            let path = folder.path().join("model.safetensors");
            std::fs::write(&path, &bytes).unwrap();
            let loaded = Model::read(&path).unwrap();
            assert_eq!(loaded, saved, "{}", preset.name);
            assert_eq!(loaded.to_bytes(), bytes, "{}", preset.name);
            assert_eq!(values(&loaded), values(&saved), "{}", preset.name);

            // As any other program reads it.
            let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
            let text = &metadata.metadata().as_ref().unwrap()["inr"];
            let header: Value = serde_json::from_str(text).unwrap();
            assert_eq!(header["format"], 1);
            assert_eq!(header["name"], preset.name);
            assert_eq!(header["d_out"], d_out);
            assert_eq!(header["seed"], 5);
            let layers: Vec<LayerConfig> =
                serde_json::from_value(header["layers"].clone()).unwrap();
            assert_eq!(layers, saved.network.layers());
            let file = SafeTensors::deserialize(&bytes).unwrap();
            assert_eq!(file.len(), saved.parameters.tensors.len());
            for parameter in &saved.parameters.tensors {
                let view = file.tensor(&parameter.name).unwrap();
                assert_eq!(view.dtype(), Dtype::F32);
                assert_eq!(view.shape(), parameter.shape);
                let bytes: Vec<u8> = (parameter.values.iter())
                    .flat_map(|v| v.to_le_bytes())
                    .collect();
                assert_eq!(view.data(), bytes);
            }
        }
    }
}

/// A safetensors file of one tensor `layers.0.bias` `[2]`, with `text` under the key `inr` if there is one.
fn small_file(dtype: Dtype, text: Option<String>) -> Vec<u8> {
    let data = vec![0; if dtype == Dtype::F32 { 8 } else { 4 }];
    let view = TensorView::new(dtype, vec![2], &data).unwrap();
    let metadata = text.map(|text| HashMap::from([("inr".to_string(), text)]));
    safetensors::serialize([("layers.0.bias", view)], metadata).unwrap()
}

#[test]
fn a_wrong_model_file_is_told_from_the_others() {
    let path = Path::new("folder/some.safetensors");
    let error = |bytes: &[u8]| {
        let error = Model::from_bytes(bytes, path).expect_err("a wrong file was read");
        let text = error.to_string();
        assert!(text.contains("folder/some.safetensors"), "{text}");
        assert!(!text.contains('\n') && !text.ends_with('.'), "{text}");
        error
    };
    let damaged = |bytes: &[u8]| matches!(error(bytes), ModelFileError::Damaged { .. });

    let good = model("siren", 3, 5_000);
    let bytes = good.to_bytes();
    assert!(matches!(error(&[]), ModelFileError::Empty(_)));
    for length in [1, 7, 8, 9, 100, bytes.len() / 2, bytes.len() - 1] {
        assert!(damaged(&bytes[..length]), "cut to {length}");
    }
    assert!(damaged(b"\x89PNG\r\n\x1a\n and so on, but not a model"));
    assert!(damaged(&vec![0; 1000]));
    assert!(damaged(&vec![255; 1000]));

    let foreign = small_file(Dtype::F32, None);
    assert!(matches!(error(&foreign), ModelFileError::Foreign(_)));
    for text in ["", "{", "[]", "{\"format\": 1}"] {
        let bytes = small_file(Dtype::F32, Some(text.to_string()));
        let error = error(&bytes);
        let expected = match text {
            "[]" => matches!(error, ModelFileError::Version { found: 0, .. }),
            _ => matches!(error, ModelFileError::Damaged { .. }),
        };
        assert!(expected, "{text:?}: {error}");
    }

    // A later version is known by its number, whatever else it holds.
    let later = json!({"format": FORMAT + 1, "layers": "in another form"}).to_string();
    let later = error(&small_file(Dtype::F32, Some(later)));
    let found = u64::from(FORMAT) + 1;
    assert!(matches!(later, ModelFileError::Version { found: f, .. } if f == found));

    let header = |change: &dyn Fn(&mut Value)| {
        let mut header = json!(good.header);
        change(&mut header);
        header.to_string()
    };
    // Layers of the header, but fewer numbers, or of another type.
    assert!(damaged(&small_file(Dtype::F32, Some(header(&|_| ())))));
    assert!(damaged(&small_file(Dtype::F16, Some(header(&|_| ())))));
    // Counts that wrap around to few.
    for sides in [u64::MAX, u64::MAX / 2 + 1] {
        let text = header(&|header| header["d_in"] = json!(sides));
        assert!(damaged(&small_file(Dtype::F32, Some(text))), "{sides}");
    }
    // Layers that are no network.
    for (change, word) in [
        (json!([]), "model.layers"),
        (json!([{"kind": "linear", "width": 7}]), "channels"),
        (
            json!([{"kind": "sine", "width": 3, "omega_0": -1.0}]),
            "omega_0",
        ),
    ] {
        let text = header(&|header| header["layers"] = change.clone());
        let error = error(&small_file(Dtype::F32, Some(text)));
        assert!(matches!(error, ModelFileError::Network { .. }), "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }

    let nowhere = Model::read(Path::new("no/such/model.safetensors")).unwrap_err();
    assert!(matches!(nowhere, ModelFileError::Read { .. }));
    assert!(nowhere.to_string().contains("no/such/model.safetensors"));
}

/// Layers without parameters take memory for what they derive: here 32,768 times 65,536 numbers.
#[test]
fn layers_without_parameters_are_not_without_a_size() {
    let layers = json!([
        {"kind": "fourier-features", "frequencies": 32768, "sigma": 1.0},
        {"kind": "fourier-features", "frequencies": 32768, "sigma": 1.0},
        {"kind": "linear"},
    ]);
    let layers: Vec<LayerConfig> = serde_json::from_value(layers).unwrap();
    let network = Network::new(layers, 2, 3, &Hints::default()).unwrap();
    assert_eq!(network.parameter_count(), 65_536 * 3 + 3);
    let error = network.check_size().unwrap_err().to_string();
    assert!(error.contains("at most 100000000"), "{error}");
}

/// A header that asks for far more numbers than the file holds is refused before they are made.
#[test]
fn a_model_file_cannot_ask_for_more_memory_than_it_has_tensors() {
    let mut header = json!(model("siren", 3, 5_000).header);
    header["layers"] = json!([
        {"kind": "sine", "width": 65536, "omega_0": 30.0, "first": true},
        {"kind": "spline-kan", "width": 65536, "grid_size": 1024},
        {"kind": "linear", "width": 3},
    ]);
    let bytes = small_file(Dtype::F32, Some(header.to_string()));
    let error = Model::from_bytes(&bytes, Path::new("huge")).unwrap_err();
    assert!(matches!(error, ModelFileError::Damaged { .. }), "{error}");
}

#[test]
fn a_wrong_list_of_layers_is_named_with_place_and_field() {
    let error = |layers: Value, d_out: usize| {
        let layers: Vec<LayerConfig> = serde_json::from_value(layers).unwrap();
        Network::new(layers, 2, d_out, &Hints::default()).unwrap_err()
    };
    assert_eq!(error(json!([]), 3), NetworkError::Empty);
    let output = error(json!([{"kind": "linear", "width": 4}]), 3);
    let expected = NetworkError::Output {
        found: 4,
        expected: 3,
    };
    assert_eq!(output, expected);
    // A layer without a width of its own cannot take that of the signal.
    let layers = || json!([{"kind": "sine", "width": 4, "first": true}, {"kind": "layer-norm"}]);
    assert_eq!(error(layers(), 3), output);
    let layers = serde_json::from_value(layers()).unwrap();
    assert!(Network::new(layers, 2, 4, &Hints::default()).is_ok());
    // The field that is wrong, in the second of three layers.
    for (kind, field, value) in [
        ("linear", "width", json!(0)),
        ("linear", "width", json!(65_537)),
        ("linear", "omega_0", json!(0.0)),
        ("sine", "width", json!(0)),
        ("sine", "omega_0", json!(-3.0)),
        ("gabor", "width", json!(0)),
        ("gabor", "first", json!(false)),
        ("gabor", "omega_0", json!(0.0)),
        ("gabor", "s_0", json!(-1.0)),
        ("gabor", "weight_scale", json!(0.0)),
        ("factored-kan", "weight_scale", json!(-0.5)),
        ("factored-kan", "harmonics", json!(0)),
        ("factored-kan", "harmonics", json!(2)),
        ("fourier-kan", "frequencies", json!(5_000)),
        ("fourier-kan", "input_scale", json!(0.0)),
        ("fourier-kan", "gain", json!(0.0)),
        ("fourier-kan", "smoothness", json!(-1.0)),
        ("spline-kan", "grid_size", json!(0)),
        ("spline-kan", "range", json!(0.0)),
        ("spline-kan", "omega_0", json!(0.0)),
        ("spline-kan", "noise_scale", json!(-0.1)),
        ("gated-tanh", "width", json!(0)),
        ("gated-tanh", "omega_0", json!(0.0)),
        ("layer-norm", "epsilon", json!(0.0)),
        ("relu", "width", json!(0)),
        ("hash-grid", "levels", json!(0)),
        ("hash-grid", "levels", json!(33)),
        ("hash-grid", "features", json!(5)),
        ("hash-grid", "table_size", json!(0)),
        ("hash-grid", "coarsest", json!(0)),
        ("hash-grid", "finest", json!(0)),
        ("hash-grid", "finest", json!(8)),
        ("hash-grid", "aspect", json!([1.0, 0.5])),
        ("hash-grid", "aspect", json!([1.0, 0.5, -0.5])),
        ("grid", "width", json!(5)),
        ("grid", "vertices", json!(0)),
        ("grid", "aspect", json!([1.0, 0.5])),
        ("fourier-features", "frequencies", json!(0)),
        ("fourier-features", "sigma", json!(-1.0)),
        ("positional-encoding", "octaves", json!(0)),
        ("positional-encoding", "octaves", json!(25)),
        ("staf", "width", json!(0)),
        ("staf", "terms", json!(0)),
        ("staf", "omega_0", json!(0.0)),
        ("wavelet-kan", "width", json!(0)),
        ("wavelet-kan", "scale", json!(0.0)),
        ("wavelet-kan", "range", json!(-1.0)),
        ("wavelet-kan", "gain", json!(0.0)),
        // A grid has at most 4 axes, and the layer before it 5 outputs.
        ("hash-grid", "levels", json!(4)),
    ] {
        let mut layer = json!({"kind": kind, "width": 4});
        if kind == "gabor" {
            layer["first"] = json!(true);
        }
        if kind == "fourier-kan" {
            layer["frequencies"] = json!(3);
        }
        if kind == "layer-norm" {
            layer = json!({"kind": kind});
        }
        if kind == "hash-grid" {
            layer = json!({"kind": kind, "finest": 32});
        }
        if ["fourier-features", "positional-encoding"].contains(&kind) {
            layer = json!({"kind": kind});
        }
        if kind == "fourier-features" && field != "sigma" {
            layer["sigma"] = json!(1.0);
        }
        layer[field] = value;
        let first = json!({"kind": "sine", "width": 5, "first": true});
        match error(json!([first, layer, {"kind": "linear"}]), 3) {
            NetworkError::Layer {
                index: 1,
                kind: found,
                message,
            } => {
                assert_eq!(found, kind);
                assert!(message.starts_with(field), "{kind}.{field}: {message}");
            }
            other => panic!("{kind}.{field}: {other}"),
        }
    }
}

#[test]
fn a_file_that_claims_more_segments_than_it_holds_is_damaged() {
    for segments in [2, 1 << 60, usize::MAX] {
        let mut model = model("siren", 3, 2000);
        model.header.segments = segments;
        let error = Model::from_bytes(&model.to_bytes(), Path::new("m.safetensors")).unwrap_err();
        assert!(matches!(error, ModelFileError::Damaged { .. }), "{error}");
    }
}
