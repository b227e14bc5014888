//! `inr fit` from the command line to the files that it leaves.

use image::ColorType;
use safetensors::SafeTensors;
use serde_json::{Value, json};

use super::program::{Place, TINY};

const FILES: [&str; 7] = [
    "checkpoint.safetensors",
    "error.png",
    "metrics.jsonl",
    "model.safetensors",
    "recipe.toml",
    "reconstruction.png",
    "report.json",
];

/// The names of all presets, as the program lists them.
pub fn presets(place: &Place) -> Vec<String> {
    let list = place.run("models --json").done().json();
    let models = list["models"].as_array().unwrap();
    assert!(models.len() >= 4);
    models
        .iter()
        .map(|model| model["name"].as_str().unwrap().to_string())
        .collect()
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(|k| &**k).collect();
    keys.sort_unstable();
    keys
}

/// 10 log10(255² / MSE) over all values of two 8-bit pictures.
fn psnr_db(place: &Place, one: &str, other: &str) -> f64 {
    let (one, other) = (place.picture(one), place.picture(other));
    let (one, other) = (one.as_bytes(), other.as_bytes());
    assert_eq!(one.len(), other.len());
    let square = |(a, b): (&u8, &u8)| (f64::from(*a) - f64::from(*b)).powi(2);
    let mse = one.iter().zip(other).map(square).sum::<f64>() / one.len() as f64;
    10.0 * (255.0 * 255.0 / mse).log10()
}

#[test]
fn the_folder_is_named_after_picture_and_model_and_holds_every_file() {
    let place = Place::new();
    let default = place.run("models --json").done().json()["default"].clone();
    let default = default.as_str().unwrap();
    assert_eq!(place.fit("icon.png"), format!("out/icon-{default}"));
    assert_eq!(place.fit("icon.png --model siren"), "out/icon-siren");
    assert_eq!(place.fit("icon.png --out some/where"), "some/where");
    for folder in [
        &format!("out/icon-{default}"),
        "out/icon-siren",
        "some/where",
    ] {
        assert_eq!(place.names(folder), FILES, "{folder}");
    }
}

#[test]
fn the_report_keeps_its_contract() {
    let place = Place::new();
    let folder = place.fit("./icon.png --model siren --seed 3");
    let report = place.json(&format!("{folder}/report.json"));

    let input = &report["input"];
    // One file has one name, however it is given.
    assert_eq!(input["path"], "icon.png");
    assert_eq!(input["kind"], "image");
    assert_eq!(
        (&input["width"], &input["height"]),
        (&json!(64), &json!(64))
    );
    assert_eq!(
        (&input["channels"], &input["bit_depth"]),
        (&json!(3), &json!(8))
    );

    let model = &report["model"];
    let bytes = place.bytes(&format!("{folder}/model.safetensors"));
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let numbers: usize = tensors
        .iter()
        .map(|(_, view)| view.shape().iter().product::<usize>())
        .sum();
    assert_eq!(model["name"], "siren");
    assert_eq!(model["bytes"], bytes.len());
    assert_eq!(model["parameters"], numbers);
    let layers = model["layers"].as_array().unwrap();
    let of_layers: u64 = layers
        .iter()
        .map(|layer| layer["parameters"].as_u64().unwrap())
        .sum();
    assert_eq!(of_layers, numbers as u64);
    assert_eq!(
        (&layers[0]["kind"], &layers[0]["d_in"]),
        (&json!("sine"), &json!(2))
    );
    assert_eq!(layers.last().unwrap()["d_out"], 3);

    assert!(report["device"].as_str().unwrap().starts_with("cpu"));
    assert_eq!(report["seed"], 3);

    let training = &report["training"];
    assert_eq!(training["steps"], 20);
    assert_eq!(training["batch_size"], 512);
    assert_eq!(training["samples_seen"], 20 * 512);
    assert!(training["seconds"].as_f64().unwrap() > 0.0);
    assert!(["adam", "adamw", "muon"].contains(&training["optimizer"].as_str().unwrap()));
    assert_eq!(training["stopped_by"], "steps");
    let curve = training["curve"].as_array().unwrap();
    assert_eq!(curve.last().unwrap()["step"], 20);

    let metrics = &report["metrics"];
    assert_eq!(keys(metrics), ["psnr_db", "ssim"]);
    let expected = psnr_db(&place, &format!("{folder}/reconstruction.png"), "icon.png");
    assert!((metrics["psnr_db"].as_f64().unwrap() - expected).abs() < 1e-9);
    assert!((-1.0..1.0).contains(&metrics["ssim"].as_f64().unwrap()));

    let mut files: Vec<&str> = report["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f.as_str().unwrap())
        .collect();
    files.sort_unstable();
    assert_eq!(files, FILES);
}

#[test]
fn every_line_of_the_metrics_file_is_a_point_of_the_curve() {
    let place = Place::new();
    let folder = place.fit("icon.png --model siren");
    let text = place.text(&format!("{folder}/metrics.jsonl"));
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    // 20 steps are fewer than the points that a curve has at most, so every step is one.
    let steps: Vec<u64> = lines
        .iter()
        .map(|line| line["step"].as_u64().unwrap())
        .collect();
    assert_eq!(steps, (1..=20).collect::<Vec<u64>>());
    assert_eq!(
        keys(&lines[0]),
        ["loss", "running_psnr_db", "seconds", "step"]
    );
    let report = place.json(&format!("{folder}/report.json"));
    assert_eq!(report["training"]["curve"], json!(lines));
}

#[test]
fn data_and_talk_go_their_own_ways() {
    let place = Place::new();
    let run = |flags: &str| {
        place
            .run(&format!(
                "fit icon.png --model siren --force {TINY} {flags}"
            ))
            .done()
    };
    let talk = run("");
    assert_eq!(talk.stdout, "out/icon-siren\n");
    assert!(talk.stderr.contains("siren with") && talk.stderr.contains("psnr_db"));
    assert!(run("-v").stderr.lines().count() > talk.stderr.lines().count() + 4);

    let quiet = run("-q");
    assert_eq!((&*quiet.stdout, &*quiet.stderr), ("out/icon-siren\n", ""));
    let quiet = run("-q --json");
    assert_eq!(quiet.stdout, place.text("out/icon-siren/report.json"));
    assert_eq!(quiet.stderr, "");
    run("-q -v --json".trim_start_matches("-q ")).json();
}

#[test]
fn the_recipe_of_a_run_is_a_config_that_gives_the_same_model() {
    let place = Place::new();
    for preset in presets(&place) {
        let first = place.fit(&format!(
            "icon.png --model {preset} --seed 5 --set training.loss=l1"
        ));
        let line =
            format!("fit icon.png --config {first}/recipe.toml --out again-{preset} --device cpu");
        place.run(&line).done();
        for file in [
            "model.safetensors",
            "recipe.toml",
            "reconstruction.png",
            "error.png",
        ] {
            let (one, two) = (format!("{first}/{file}"), format!("again-{preset}/{file}"));
            assert!(place.bytes(&one) == place.bytes(&two), "{preset}: {file}");
        }
    }
}

#[test]
fn channels_and_bit_depth_of_the_picture_are_kept() {
    let place = Place::new();
    for (name, width, height, colour) in [
        ("icon.png", 64, 64, ColorType::Rgb8),
        ("leaf.png", 160, 160, ColorType::Rgba8),
        ("gradient16.png", 128, 96, ColorType::L16),
    ] {
        let folder = place.fit(&format!("{name} --model siren"));
        let picture = place.picture(&format!("{folder}/reconstruction.png"));
        assert_eq!(
            (picture.width(), picture.height()),
            (width, height),
            "{name}"
        );
        assert_eq!(picture.color(), colour, "{name}");
        let report = place.json(&format!("{folder}/report.json"));
        assert_eq!(
            report["input"]["channels"],
            colour.channel_count(),
            "{name}"
        );
        let bits = colour.bits_per_pixel() / u16::from(colour.channel_count());
        assert_eq!(report["input"]["bit_depth"], bits, "{name}");
        let error = place.picture(&format!("{folder}/error.png"));
        assert_eq!((error.width(), error.height()), (width, height), "{name}");
    }
}

#[test]
fn a_model_file_is_plain_safetensors_with_one_key() {
    let place = Place::new();
    let folder = place.fit("leaf.png --model siren");
    let bytes = place.bytes(&format!("{folder}/model.safetensors"));
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    let metadata = metadata.metadata().as_ref().unwrap();
    assert_eq!(metadata.keys().collect::<Vec<_>>(), ["inr"]);
    let header: Value = serde_json::from_str(&metadata["inr"]).unwrap();
    assert_eq!(
        (&header["format"], &header["name"]),
        (&json!(1), &json!("siren"))
    );
    assert_eq!((&header["d_in"], &header["d_out"]), (&json!(2), &json!(4)));
    assert_eq!(header["signal"]["width"], 160);
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    assert!(
        tensors
            .iter()
            .all(|(_, view)| view.dtype() == safetensors::Dtype::F32)
    );
}

#[test]
fn every_preset_fits_within_its_budget_of_parameters() {
    let place = Place::new();
    for preset in presets(&place) {
        for budget in [5_000, 20_000] {
            let line = format!(
                "fit icon.png --model {preset} --params {budget} --steps 2 --batch 64 --device cpu --out {preset}-{budget} --json"
            );
            let report = place.run(&line).done().json();
            let parameters = report["model"]["parameters"].as_f64().unwrap();
            let off = (parameters / f64::from(budget) - 1.0).abs();
            assert!(
                off <= 0.03,
                "{preset} has {parameters} parameters instead of {budget}"
            );
            assert!(report["metrics"]["psnr_db"].is_f64(), "{preset}");
        }
    }
}

#[test]
fn a_seed_decides_every_byte_and_the_number_of_threads_none() {
    let place = Place::new();
    for preset in presets(&place) {
        let model = |name: &str, seed: u32, threads: &str| {
            let out = format!("{preset}-{name}");
            // Batches of more rows than a thread takes at once.
            let line = format!(
                "fit icon.png --model {preset} --params 2k --steps 8 --batch 4096 --device cpu --seed {seed} --out {out}"
            );
            let mut command = place.command(&line);
            place
                .end(&line, command.env("RAYON_NUM_THREADS", threads))
                .done();
            place.bytes(&format!("{out}/model.safetensors"))
        };
        let one = model("one", 7, "1");
        assert!(
            one == model("two", 7, "2"),
            "{preset} depends on the threads"
        );
        assert!(one == model("again", 7, "2"), "{preset} depends on the run");
        assert!(
            one != model("other", 8, "2"),
            "{preset} does not depend on the seed"
        );
    }
}

#[test]
fn flags_and_settings_reach_the_recipe() {
    let place = Place::new();
    let folder = place.fit("icon.png --model siren --seed 9 --set model.layers.0.omega_0=11.5 --set training.loss=l1 --set training.optimizer.kind=adam --set training.optimizer.learning_rate=2e-3");
    let recipe: toml::Table = place
        .text(&format!("{folder}/recipe.toml"))
        .parse()
        .unwrap();
    let (model, training) = (&recipe["model"], &recipe["training"]);
    assert_eq!(model["layers"][0]["omega_0"].as_float(), Some(11.5));
    assert_eq!(training["steps"].as_integer(), Some(20));
    assert_eq!(training["batch_size"].as_integer(), Some(512));
    assert_eq!(training["seed"].as_integer(), Some(9));
    assert_eq!(training["loss"].as_str(), Some("l1"));
    assert_eq!(
        training["optimizer"]["learning_rate"].as_float(),
        Some(2e-3)
    );
    let report = place.json(&format!("{folder}/report.json"));
    assert_eq!(report["training"]["optimizer"], "adam");
    // Of a flag and a setting of the same field, the setting is the more precise one.
    let line = format!("fit icon.png --model siren --out set {TINY} --set training.steps=3");
    place.run(&line).done();
    assert_eq!(place.json("set/report.json")["training"]["steps"], 3);
}

#[test]
fn a_list_of_layers_of_ones_own_is_a_model() {
    let place = Place::new();
    place.write(
        "own.toml",
        "[[model.layers]]\nkind = \"sine\"\nwidth = 8\nfirst = true\n[[model.layers]]\nkind = \"linear\"\n[training]\nsteps = 2\n",
    );
    let line = "fit icon.png --config own.toml --device cpu --json";
    let report = place.run(line).done().json();
    assert_eq!(report["model"]["name"], "custom");
    // (2 + 1) × 8 and (8 + 1) × 3.
    assert_eq!(report["model"]["parameters"], 24 + 27);
    assert!(place.path("out/icon-custom/report.json").exists());
}

#[test]
fn an_earlier_run_is_replaced_only_by_force() {
    let place = Place::new();
    place.fit("icon.png --model siren --out run");
    let before = place.files("");
    let line = format!("fit icon.png --model siren --seed 1 --out run {TINY}");
    place
        .run(&line)
        .failed(1, &["run already holds results", "--force", "--resume"]);
    assert!(place.files("") == before);

    place.run(&format!("{line} --force")).done();
    assert_eq!(place.names("run"), FILES);
    assert!(place.json("run/report.json")["seed"] == 1);
    place.fit("icon.png --model siren --seed 1 --out fresh");
    assert!(place.bytes("run/model.safetensors") == place.bytes("fresh/model.safetensors"));
}

#[test]
fn a_finished_run_goes_on_when_it_may_take_more_steps() {
    let place = Place::new();
    place.fit("icon.png --model siren --out run");
    let ended = place
        .run("fit icon.png --resume --out run --steps 30 --device cpu")
        .done();
    assert!(ended.stderr.contains("resuming at step 20"), "{ended:?}");
    let report = place.json("run/report.json");
    assert_eq!(
        (&report["training"]["steps"], &report["model"]["name"]),
        (&json!(30), &json!("siren"))
    );
    let lines = place.text("run/metrics.jsonl");
    let steps: Vec<u64> = lines
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["step"]
                .as_u64()
                .unwrap()
        })
        .collect();
    assert!(steps.is_sorted_by(|a, b| a < b), "{steps:?}");
    assert_eq!(steps.last(), Some(&30));
    // Nothing is left to do, and the results stay as they are.
    let before = place.bytes("run/model.safetensors");
    place
        .run("fit icon.png --resume --out run --device cpu")
        .done();
    assert!(place.bytes("run/model.safetensors") == before);
}

/// Ctrl-C after the first point of the curve; the run goes on with the very command that it names, whatever its folder is called.
#[cfg(unix)]
#[test]
fn an_interrupted_run_keeps_its_state_and_ends_like_one_that_was_not() {
    let place = Place::new();
    let budget = "--model siren --params 1k --steps 5000 --batch 256 --device cpu";
    let line = format!("fit icon.png --out cut(1) {budget}");
    let ended = place.interrupt(&line, "cut(1)/metrics.jsonl");
    assert_eq!(ended.stdout, "cut(1)\n");
    assert_eq!(place.names("cut(1)"), FILES);
    let report = place.json("cut(1)/report.json");
    assert_eq!(report["training"]["stopped_by"], "interrupt");
    let steps = report["training"]["steps"].as_u64().unwrap();
    assert!((1..5000).contains(&steps), "{steps}");

    let advice = ended.stderr.lines().last().unwrap();
    let (_, command) = advice.split_once("go on with: ").unwrap();
    let resumed = place.shell(command).done();
    assert!(
        resumed
            .stderr
            .contains(&format!("resuming at step {steps}"))
    );
    let report = place.json("cut(1)/report.json");
    assert_eq!(report["training"]["stopped_by"], "steps");
    assert_eq!(report["training"]["steps"], 5000);

    place
        .run(&format!("fit icon.png --out whole {budget}"))
        .done();
    for file in ["model.safetensors", "reconstruction.png", "recipe.toml"] {
        let (cut, whole) = (format!("cut(1)/{file}"), format!("whole/{file}"));
        assert!(place.bytes(&cut) == place.bytes(&whole), "{file}");
    }
}

#[test]
fn every_preset_fits_a_sound() {
    let place = super::sounds::place();
    for model in presets(&place) {
        place.fit(&format!("chime.wav --model {model}"));
    }
}
