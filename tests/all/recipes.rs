//! `--recipe paper`: the networks and the settings of the authors.

use inr::config::{
    ConfigError, DEFAULT_RECIPE, PRESETS, Preset, Request, Resolved, SignalFacts, resolve,
};
use inr::model::{Hints, LayerConfig};
use inr::train::OptimizerKind;

use super::program::{Place, TINY, repository};

/// A picture of 512 x 512 samples, or a signal with other axes and values.
pub fn facts(d_in: usize, d_out: usize) -> SignalFacts {
    SignalFacts {
        kind: "image",
        has_normals: false,
        d_in,
        d_out,
        samples: 512 * 512,
        seconds: None,
        hints: Hints {
            nyquist: vec![256.0; d_in],
            rms_frequency: vec![20.0; d_in],
            ..Hints::default()
        },
    }
}

fn paper(name: &str, facts: &SignalFacts) -> Resolved {
    let request = Request {
        model: Some(name.into()),
        recipe: Some("paper".into()),
        ..Request::default()
    };
    resolve(&request, facts).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// A sound of one channel, of as many samples as the clip of Bach that several authors fit.
fn sound() -> SignalFacts {
    SignalFacts {
        kind: "sound",
        samples: 308_207,
        seconds: Some(7.0),
        ..facts(1, 1)
    }
}

/// The models whose file has the table for pictures.
fn with_recipe() -> impl Iterator<Item = &'static Preset> {
    let all = PRESETS.iter();
    all.filter(|preset| preset.toml.contains("\n[recipe.image]\n"))
}

#[test]
fn the_networks_of_the_papers_have_as_many_parameters_as_published() {
    for (name, d_in, d_out, count) in [
        // 2·256 + 256, 3 (256² + 256), 256·3 + 3.
        ("siren", 2, 3, 198_915),
        ("finer", 2, 3, 198_915),
        ("gauss", 2, 3, 198_915),
        // 2·256 + 256, 2 (256² + 256), 256·3 + 3.
        ("relu", 2, 3, 133_123),
        // x and ten octaves of two waves of each coordinate, 42·256 + 256, 3 (256² + 256), 256·3 + 3.
        ("pe", 2, 3, 209_155),
        // The phases of five filters, 5·256, 4 (256² + 256), 256·3 + 3.
        ("bacon", 2, 3, 265_219),
        // The SIREN and 15 numbers for each of the four activations.
        ("staf", 2, 3, 198_915 + 4 * 15),
        // 436,367 in the paper, of which no output depends on 12.
        ("fkan", 2, 3, 436_367 - 12),
        // 257·2·256, layer norm 2·256, 3 (256·128 + 128·256 + 256), 256·3 + 3.
        ("sl2a", 2, 3, 330_243),
        // 91.6 K in the table of SL²A, which counts a complex weight as one: 2·212 + 212, 2 (212² + 212) = 90,312 and 212·3 + 3. Two numbers a complex
        // weight, and of the last layer those that its real part needs.
        ("wire", 2, 3, (91_587 - 90_312) + 2 * 90_312 + 212 * 3),
        // Counted on the authors' code, on a video with one channel.
        ("gkan", 3, 1, 407_941),
    ] {
        let network = paper(name, &facts(d_in, d_out)).network;
        assert_eq!(network.parameter_count(), count, "{name}");
    }
}

/// 512 cell centres from −511/512 to 511/512, stretched to ±1.
#[test]
fn the_coordinates_of_the_papers_reach_the_ends_of_the_axes() {
    for name in [
        "siren", "wire", "finer", "gauss", "staf", "pe", "fkan", "sl2a",
    ] {
        let network = paper(name, &facts(2, 3)).network;
        let LayerConfig::Rescale(ends) = &network.layers()[0] else {
            panic!("{name} has another first layer");
        };
        assert_eq!(ends.scale, [512.0 / 511.0; 2], "{name}");
        assert_eq!(ends.shift, 0.0, "{name}");
    }
}

/// The layer before a last one without a width takes that of the signal, and leaves it open in the recipe.
#[test]
fn values_in_0_1_have_as_many_channels_as_the_signal() {
    for name in ["fkan", "pe", "sl2a", "staf", "wire"] {
        for d_out in [1, 3] {
            let resolved = paper(name, &facts(2, d_out));
            let [.., values, LayerConfig::Rescale(last)] = resolved.network.layers() else {
                panic!("{name} has another last layer");
            };
            assert_eq!((last.scale.as_slice(), last.shift), (&[2.0][..], -1.0));
            assert_eq!(values.layer().d_out(256), d_out, "{name}");
            let layers = &resolved.recipe.model.layers;
            assert_eq!(layers[layers.len() - 2].layer().d_out(256), 0, "{name}");
        }
    }
}

/// WIRE's authors multiply 5e-3 by the share of the picture that is in a batch of 256², at most all of it.
#[test]
fn the_rate_of_wire_follows_the_share_of_a_batch() {
    for (samples, rate) in [
        (768 * 512, 5e-3 / 6.0),
        (512 * 512, 5e-3 / 4.0),
        (256 * 256, 5e-3),
        (64 * 64, 5e-3),
    ] {
        let mut facts = facts(2, 3);
        facts.samples = samples;
        let training = paper("wire", &facts).recipe.training.training(samples);
        let found = training.optimizer.learning_rate;
        assert!((found - rate).abs() < 1e-9, "{samples}: {found}");
        let ours = resolve(&Request::default(), &facts)
            .unwrap()
            .recipe
            .training;
        let adam = ours.training(samples).optimizer;
        assert_eq!(adam.learning_rate, ours.optimizer.learning_rate);
    }
}

/// What is said of a recipe is said of one that is there.
#[test]
fn deviations_are_those_of_recipes() {
    let mut said = 0;
    for preset in PRESETS {
        let recipes = preset.recipes();
        for (kind, deviations) in preset.about().deviations {
            for recipe in deviations.keys() {
                assert!(recipes[recipe].contains(&kind), "{}", preset.name);
                assert_eq!(
                    preset.deviations(recipe, &kind).as_ref(),
                    deviations.get(recipe)
                );
                said += 1;
            }
        }
    }
    assert!(said >= 10);
    let place = Place::new();
    let line = format!("fit icon.png --model gkan --recipe paper {TINY} --out g");
    let told = place.run(&line).done().stderr;
    assert!(
        told.contains("gkan: not as theirs: they give it the indices"),
        "{told}"
    );
    let ours = place.run(&format!("fit icon.png --model gkan {TINY} --out h"));
    assert!(!ours.done().stderr.contains("theirs"));
    let models = place.run("models").done().stdout;
    assert!(models.contains("Not as theirs in paper (image): they give it the indices"));
    assert!(models.contains("Recipes: ours, paper (image, sound), staf (sound)."));
}

#[test]
fn a_recipe_of_the_authors_is_that_of_one_optimizer_and_can_be_changed() {
    assert!(with_recipe().count() >= 7);
    let facts = facts(2, 3);
    for preset in with_recipe() {
        let name = preset.name;
        let training = paper(name, &facts).recipe.training;
        assert_eq!(training.optimizer.kind, OptimizerKind::Adam, "{name}");
        // No loss of theirs forgives what lies beyond the range of the values.
        assert!(!training.slack, "{name}");
        let mut request = Request {
            model: Some(name.into()),
            recipe: Some(DEFAULT_RECIPE.into()),
            ..Request::default()
        };
        let ours = resolve(&request, &facts).unwrap().recipe;
        request.recipe = None;
        assert_eq!(resolve(&request, &facts).unwrap().recipe, ours, "{name}");
        assert_ne!(ours.training, training, "{name}");
        request.recipe = Some("paper".into());
        request.set("training.steps", 7);
        request.set("model.parameters", 20_000);
        let changed = resolve(&request, &facts).unwrap();
        assert_eq!(changed.recipe_changes, ["size", "length"], "{name}");
        assert_eq!(paper(name, &facts).recipe_changes, [""; 0], "{name}");
        request.set("training.loss", "l1");
        let other = resolve(&request, &facts).unwrap();
        assert_eq!(other.recipe_changes, ["size", "length", "settings"]);
        assert_eq!(changed.recipe.training.steps, Some(7), "{name}");
        assert_eq!(changed.asked, Some(20_000), "{name}");
        let error = changed.network.parameter_count() as f64 / 20_000.0 - 1.0;
        assert!(error.abs() < 0.03, "{name}: {error}");
    }
}

#[test]
fn a_purpose_and_a_field_of_a_layer_change_a_recipe_too() {
    let facts = facts(2, 3);
    let changed = |purpose: Option<&str>, settings: &[&str]| {
        let mut request = Request {
            model: Some("siren".into()),
            purpose: purpose.map(String::from),
            recipe: Some("paper".into()),
            ..Request::default()
        };
        for pair in settings {
            request.set_pair(pair).unwrap();
        }
        resolve(&request, &facts).unwrap().recipe_changes
    };
    assert_eq!(changed(Some("upsampling"), &[]), ["settings"]);
    let omega = "model.layers.2.omega_0=5";
    assert_eq!(changed(None, &[omega]), ["settings"]);
    let size = "model.parameters=20000";
    assert_eq!(changed(None, &[size]), ["size"]);
    assert_eq!(changed(None, &[size, omega]), ["size", "settings"]);
    assert_eq!(changed(None, &["training.seed=3"]), [""; 0]);
}

/// Those who learn values in [0, 1] stretch a picture to them: values from 51 to 204 of 255 are −0.6 to 0.6, which 1.2 v − 0.6 has at 0 and 1.
#[test]
fn recipes_stretch_values_as_their_authors_do() {
    let mut facts = facts(2, 3);
    facts.hints.values = [-0.6, 0.6];
    let stretched = |name| match paper(name, &facts).network.layers().last() {
        Some(LayerConfig::Rescale(last)) => last.scale == [1.2] && last.shift == -0.6,
        _ => false,
    };
    let names = with_recipe().map(|preset| preset.name);
    let mut names: Vec<_> = names.filter(|name| stretched(name)).collect();
    names.sort_unstable();
    assert_eq!(names, ["fkan", "sl2a", "staf", "wire"]);
}

/// Whatever a recipe is called, it is one, for the kinds that it names and as that of pictures for the others.
#[test]
fn every_recipe_is_one_on_every_kind_of_signals() {
    let shape = SignalFacts {
        kind: "shape",
        ..facts(3, 1)
    };
    for preset in PRESETS {
        for (recipe, kinds) in preset.recipes() {
            for facts in [facts(2, 3), sound(), shape.clone()] {
                let request = Request {
                    model: Some(preset.name.into()),
                    recipe: Some(recipe.clone()),
                    ..Request::default()
                };
                let is_own = kinds.iter().any(|kind| kind == facts.kind);
                let for_pictures = kinds.iter().any(|kind| kind == "image");
                let name = format!("{}, {recipe}, {}", preset.name, facts.kind);
                match resolve(&request, &facts) {
                    Ok(resolved) => {
                        assert_eq!(resolved.is_foreign, !is_own, "{name}");
                        let whose = resolved.recipe.training.recipe;
                        assert_eq!(whose.as_ref(), Some(&recipe), "{name}");
                    }
                    // That of a picture may be too large with three coordinates.
                    Err(ConfigError::Network(_)) if for_pictures && !is_own => (),
                    Err(e) => {
                        assert!(!is_own && !for_pictures, "{name}: {e}");
                        assert!(e.to_string().contains("has no such recipe"), "{name}: {e}");
                    }
                }
            }
        }
    }
}

/// The networks and rates of runs on sounds: 1·256 + 256, 3 (256² + 256), 256 + 1, and with STAF 15 numbers for each of four activations.
#[test]
fn recipes_for_sounds_are_not_those_for_pictures() {
    let facts = sound();
    let siren = 512 + 3 * (256 * 256 + 256) + 257;
    for (name, recipe, parameters, steps, rate) in [
        ("siren", "paper", siren, 9001, 1e-4),
        ("siren", "staf", siren, 1001, 2.5e-4),
        ("finer", "staf", siren, 1001, 2.5e-4),
        ("staf", "paper", siren + 60, 1001, 2.5e-4),
    ] {
        let request = Request {
            model: Some(name.into()),
            recipe: Some(recipe.into()),
            ..Request::default()
        };
        let resolved = resolve(&request, &facts).unwrap();
        let training = resolved.recipe.training;
        let found = (
            resolved.network.parameter_count(),
            training.steps,
            training.optimizer.learning_rate,
        );
        assert_eq!(found, (parameters, Some(steps), rate), "{name}, {recipe}");
        assert_eq!(training.optimizer.kind, OptimizerKind::Adam);
        assert_eq!(training.batch_size, facts.samples);
        // However long a sound is, one network holds all of it.
        let long = SignalFacts {
            samples: 100 * facts.samples,
            seconds: Some(700.0),
            ..facts.clone()
        };
        let segments = |facts| resolve(&request, facts).unwrap().network.segments();
        assert_eq!([segments(&facts), segments(&long)], [1, 1]);
    }
}

/// Authors count passes, and a picture of another size takes other steps for as many: 500 of 96, and of 64, steps of 4,096 samples.
#[test]
fn a_recipe_makes_as_many_passes_as_its_authors() {
    for (samples, steps) in [(768 * 512, 48_000), (512 * 512, 32_000), (1000, 500)] {
        let mut facts = facts(2, 3);
        facts.samples = samples;
        let training = paper("fkan", &facts).recipe.training;
        assert_eq!(training.steps, Some(steps));
        assert_eq!(training.passes, None);
        // With an end of one's own they are left out.
        let with = |path: &str, value: toml::Value| {
            let mut request = Request {
                model: Some("fkan".into()),
                recipe: Some("paper".into()),
                ..Request::default()
            };
            request.set(path, value);
            let training = resolve(&request, &facts).unwrap().recipe.training;
            (training.steps, training.seconds)
        };
        let batch = samples.min(4096) as i64;
        assert_eq!(with("training.seconds", 10.0.into()), (None, Some(10.0)));
        assert_eq!(with("training.steps", 7.into()), (Some(7), None));
        let of_samples = with("training.samples", (3 * batch).into());
        assert_eq!(of_samples, (Some(3), None));
        assert_eq!(with("training.passes", 1.into()), (Some(steps / 500), None));
    }
}

#[test]
fn a_fit_follows_the_recipe_that_it_is_asked_for() {
    let place = Place::new();
    let tiny = format!("{TINY} --recipe paper");
    place
        .run(&format!("fit icon.png --model siren {tiny} --out run"))
        .done();
    let recipe = place.text("run/recipe.toml");
    assert!(recipe.contains("kind = \"adam\""), "{recipe}");
    assert!(recipe.contains("learning_rate = 0.0001"), "{recipe}");
    // Its running PSNR is told beside the final one: by the command, in the report, and on the page.
    let run = "fit icon.png --model siren --out run --resume";
    let said = place.run(&format!("{run} {tiny}")).done().stderr;
    assert!(said.contains("running PSNR, the figure that"), "{said}");
    assert_eq!(place.json("run/report.json")["training"]["recipe"], "paper");
    place.run("report run -o page.html").done();
    assert!(place.text("page.html").contains("running PSNR"));
    // Given back as a config file it is the same recipe.
    place
        .run("fit icon.png --config run/recipe.toml --device cpu --out again")
        .done();
    assert_eq!(place.text("again/recipe.toml"), recipe);
    // However it goes on or is repeated, it is not what the authors ran.
    for folder in ["run", "again"] {
        let report = place.json(&format!("{folder}/report.json"));
        let changes = &report["training"]["recipe_changes"];
        assert_eq!(changes, &serde_json::json!(["size", "length", "settings"]));
    }
    // What else a whole recipe is asked for is not dropped without a word.
    place.fit("icon.png --model siren --out ours");
    for line in [
        "--config ours/recipe.toml --recipe paper --out new",
        "--config ours/recipe.toml --for upsampling --out new",
        "--config run/recipe.toml --for upsampling --out new",
        "--resume --out ours --recipe paper",
        "--config run/recipe.toml --recipe ours --out new",
    ] {
        let ended = place.run(&format!("fit icon.png --device cpu {line}"));
        ended.failed(2, &["a whole recipe, ", "leave --"]);
    }
    // A run with a setting of its own goes on by the flags of the recipe, and another model is nobody's.
    let own = "fit icon.png --model siren --recipe paper --out own";
    let rate = "--set training.optimizer.learning_rate=5e-4";
    place.run(&format!("{own} {TINY} {rate}")).done();
    place.run(&format!("{own} --resume --device cpu")).done();
    let line =
        "fit icon.png --config run/recipe.toml --model relu --params 2k --out relu --device cpu";
    place.run(line).done();
    assert_eq!(
        place.json("relu/report.json")["training"].get("recipe"),
        None
    );
    // A comparison makes as many passes as it is asked for.
    let line = "compare icon.png --models siren --params 1k --batch 2048 --set training.passes=600 --out passes --device cpu";
    place.run(line).done();
    assert_eq!(
        place.json("passes/siren/report.json")["training"]["steps"],
        1200
    );

    // What authors ran on pictures alone is said to be so on anything else.
    let remark = "wire: by a recipe for pictures, with frequencies and rates for them; on a sound";
    let chime = repository().join("assets/chime.wav");
    std::fs::copy(chime, place.path("chime.wav")).unwrap();
    for line in [
        "fit icon.png --model wire --out said",
        "fit chime.wav --model siren --out said-2",
    ] {
        let said = place.run(&format!("{line} {tiny}")).done().stderr;
        assert!(!said.contains("by a recipe for pictures"), "{said}");
    }
    for line in [
        "fit chime.wav --model wire",
        "compare chime.wav --models siren,wire --out c",
    ] {
        let said = place.run(&format!("{line} {tiny}")).done().stderr;
        assert!(said.contains(remark), "{said}");
    }

    let wrong = place.run(&format!("fit icon.png --model siren {TINY} --recipe papr"));
    wrong.refused(2, &["--recipe papr", "siren", "paper", "ours, paper"]);
    let none = place.run(&format!(
        "fit icon.png --model hash-kan {TINY} --recipe paper"
    ));
    none.refused(
        2,
        &["--recipe paper", "hash-kan has no such recipe", "ours"],
    );
}
