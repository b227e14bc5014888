//! `inr bench`: the figures it prints, how they hang together, and what it refuses.

use burn::tensor::Device;
use inr::engine::{BurnEngine, Engine};
use inr::model::{Hints, LayerConfig, Network};
use serde_json::{Value, json};

use super::cli_errors::{fails, misused};
use super::program::Place;

/// A network of its own: sine layers 2 → 16 → 24 and a linear one to the three channels.
const OWN: &str = "\
[[model.layers]]
kind = \"sine\"
width = 16
first = true

[[model.layers]]
kind = \"sine\"
width = 24

[[model.layers]]
kind = \"linear\"
";

/// The cells of the Markdown table whose header starts with `first`, header and rows, without the rule between them.
fn table<'a>(text: &'a str, first: &str) -> Vec<Vec<&'a str>> {
    text.lines()
        .skip_while(|line| !line.starts_with(&format!("| {first} ")))
        .take_while(|line| line.starts_with('|'))
        .filter(|line| !line.starts_with("| --"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

#[track_caller]
fn assert_near(found: f64, expected: f64) {
    assert!(
        (found / expected - 1.0).abs() < 1e-9,
        "{found} instead of {expected}"
    );
}

#[test]
fn a_training_step_needs_two_or_three_times_the_products_of_the_forward_pass() {
    // SIREN 2-256x3-3: 2·256, three times 256², 256·3; the first layer has no gradient of its input.
    let sine = |first| json!({"kind": "sine", "width": 256, "first": first});
    let layers = json!([sine(true), sine(false), sine(false), sine(false), {"kind": "linear"}]);
    let layers: Vec<LayerConfig> = serde_json::from_value(layers).unwrap();
    let network = Network::new(layers, 2, 3, &Hints::default()).unwrap();
    let (first, others) = (2 * 256, 3 * 256 * 256 + 256 * 3);
    assert_eq!(network.multiply_adds(), first + others);
    assert_eq!(network.training_multiply_adds(), 2 * first + 3 * others);
}

#[test]
fn the_json_has_its_keys_and_the_figures_agree() {
    let place = Place::new();
    place.write("own.toml", OWN);
    let line = "bench --config own.toml --batch 500 --device cpu --json --profile -q";
    let ended = place.run(line).done();
    assert_eq!(ended.stderr, "");
    let report = ended.json();
    assert!(report["device"].as_str().unwrap().starts_with("cpu"));
    let peak = report["matrix_product_gflops"].as_f64().unwrap();
    assert!(peak > 0.0);
    let [model] = report["models"].as_array().unwrap().as_slice() else {
        panic!("{report}");
    };
    let number = |key: &str| {
        let value = model[key]
            .as_f64()
            .unwrap_or_else(|| panic!("{key}: {model}"));
        assert!(value > 0.0, "{key}: {model}");
        value
    };
    assert_eq!(model["model"], "own");
    assert_eq!(model["batch_size"], 500);
    assert_eq!(
        model["parameters"],
        (2 * 16 + 16) + (16 * 24 + 24) + (24 * 3 + 3)
    );
    assert!(model["steps_timed"].as_u64().unwrap() >= 7);
    let ms = number("ms_per_step");
    assert_near(number("train_samples_per_s") * ms / 1e3, 500.0);
    number("eval_samples_per_s");
    let multiply_adds = 2 * (2 * 16) + 3 * (16 * 24) + 3 * (24 * 3);
    assert_near(
        number("gflops") * 1e6 * ms,
        f64::from(2 * multiply_adds * 500),
    );
    assert_near(number("peak_share") * peak, number("gflops"));
    assert!(number("optimizer_share") < 1.0);
    assert!(model.as_object().unwrap().contains_key("peak_memory_bytes"));
    match model["peak_memory_bytes"].as_u64() {
        // The program alone is more than a megabyte.
        Some(bytes) => assert!(bytes > 1 << 20, "{bytes}"),
        None => assert_eq!(model["peak_memory_bytes"], Value::Null),
    }

    let profile = &model["profile"];
    let layers = profile["layers"].as_array().unwrap();
    let kinds: Vec<&str> = layers.iter().map(|l| l["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["sine", "sine", "linear"]);
    let mut sum = 0.0;
    for (index, layer) in layers.iter().enumerate() {
        assert_eq!(layer["index"], index);
        let [forward, backward] =
            ["forward_ms", "backward_ms"].map(|key| layer[key].as_f64().unwrap());
        assert!(forward > 0.0 && backward > 0.0, "{layer}");
        assert_near(layer["share"].as_f64().unwrap() * ms, forward + backward);
        sum += forward + backward;
    }
    for key in [
        "loss_ms",
        "preparation_ms",
        "gradient_sum_ms",
        "optimizer_ms",
        "other_ms",
    ] {
        sum += profile[key].as_f64().unwrap();
    }
    assert_near(sum, ms);
}

#[test]
fn the_tables_have_a_row_for_each_model_and_each_layer() {
    let place = Place::new();
    let line = "bench --models wire,siren --params 3k --batch 256 --device cpu";
    let ended = place.run(&format!("{line} --profile")).done();
    let rows = table(&ended.stdout, "model");
    assert_eq!(rows[0][..3], ["model", "parameters", "batch"]);
    assert_eq!([rows[1][0], rows[2][0]], ["wire", "siren"]);
    for row in &rows[1..] {
        let parameters: f64 = row[1].replace(',', "").parse().unwrap();
        assert!((parameters / 3000.0 - 1.0).abs() <= 0.03, "{row:?}");
        assert_eq!(row[2], "256");
    }
    for (model, kinds) in [
        ("wire", ["gabor", "gabor", "gabor", "gabor", "linear"]),
        ("siren", ["sine", "sine", "sine", "sine", "linear"]),
    ] {
        let (_, text) = ended.stdout.split_once(&format!("\n{model}, ")).unwrap();
        let names: Vec<&str> = table(text, "layer").iter().map(|row| row[0]).collect();
        let layers = kinds
            .iter()
            .enumerate()
            .map(|(i, kind)| format!("{i} {kind}"));
        let mut expected = vec!["layer".to_string()];
        expected.extend(layers);
        expected.extend(
            ["loss", "preparation", "gradient sum", "optimizer", "other"].map(String::from),
        );
        assert_eq!(names, expected);
    }
}

#[test]
fn an_engine_that_cannot_tell_has_no_profile() {
    assert_eq!(BurnEngine::new(Device::flex()).take_profile(), None);
}

#[test]
fn what_cannot_be_timed_is_refused() {
    let place = Place::new();
    place.write("own.toml", OWN);
    for (flags, words) in [
        ("--models siern", ["siern", "did you mean \"siren\"?"]),
        ("--models siren,zzz", ["zzz", "fourier-kan, spline-kan"]),
        (
            "--models siren --params 1000000M",
            ["parameters", "at most 100000000"],
        ),
        (
            "--set training.batch_size=0",
            ["training.batch_size", "from 1"],
        ),
        (
            "--config own.toml --set model.layers.9.width=4",
            ["9", "list of"],
        ),
    ] {
        fails(&place, &format!("bench --device cpu {flags}"), 2, &words);
    }
    fails(
        &place,
        "bench --config no.toml",
        1,
        &["cannot read", "no.toml"],
    );
    for flags in [
        "--params 0",
        "--batch 0",
        "--batch x",
        "--seed -1",
        "--device cuda",
        "--steps 5",
        "--time 5s",
        "--target-psnr 30",
        "--force",
        "--config own.toml --models siren",
    ] {
        let flag = flags.split(' ').next().unwrap();
        misused(&place, &format!("bench {flags}"), &[flag]);
    }
}
