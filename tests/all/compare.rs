//! `inr compare`: several models, pictures and seeds.

use serde_json::{Value, json};

use super::cli_fit::presets;
use super::program::{Ended, Place, TINY, repository};

/// The cells of a Markdown table, without the marks of the best; the second row is the rule.
pub fn cells(table: &str) -> Vec<Vec<&str>> {
    table
        .lines()
        .map(|row| row.trim_matches('|').split('|'))
        .map(|cells| cells.map(|cell| cell.trim_matches([' ', '*'])).collect())
        .collect()
}

/// The tables of several inputs, by their titles; without the rules under the headers.
pub fn titled(text: &str) -> Vec<(&str, Vec<Vec<&str>>)> {
    let parts = text.strip_prefix("## ").unwrap_or(text).split("\n## ");
    let tables = parts.map(|part| {
        let (title, table) = part.split_once("\n\n").unwrap_or(("", part));
        let mut rows = cells(table.trim_end());
        rows.remove(1);
        (title, rows)
    });
    tables.collect()
}

pub fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

/// The table that a comparison prints is the one that it leaves, beside the same as JSON, CSV and LaTeX.
pub fn results(place: &Place, ended: Ended, folder: &str) -> (String, Value) {
    let table = ended.done().stdout;
    assert_eq!(table, place.text(&format!("{folder}/compare.md")));
    let latex = place.text(&format!("{folder}/compare.tex"));
    let tables = titled(&table);
    let lines: usize = tables.iter().map(|(_, rows)| rows.len()).sum();
    assert_eq!(latex.matches("\\\\").count(), lines);
    let csv = place.text(&format!("{folder}/compare.csv"));
    let of_inputs = tables
        .iter()
        .filter(|(title, _)| !title.starts_with("Means"));
    let rows = of_inputs.flat_map(|(_, rows)| &rows[1..]);
    let fits = rows.filter(|row| row[1] != "mean").count();
    assert_eq!(csv.lines().count(), 1 + fits);
    (table, place.json(&format!("{folder}/compare.json")))
}

#[test]
fn a_comparison_has_a_table_a_summary_and_a_folder_for_each_model() {
    let place = Place::new();
    let models = presets(&place);
    let line = format!(
        "compare icon.png --models {} --params 10k --steps 5 --batch 512 --device cpu --seed 4",
        models.join(",")
    );
    let (table, summary) = results(&place, place.run(&line), "out/icon-compare");
    let rows = cells(&table);
    assert_eq!(
        rows[0].join(" "),
        "model parameters bytes steps seconds psnr_db ssim"
    );
    assert_eq!(rows.len(), models.len() + 2);

    assert_eq!(
        (&summary["seeds"], &summary["holdout"], &summary["means"]),
        (&json!([4]), &Value::Null, &json!([]))
    );
    let [input] = list(&summary["inputs"]) else {
        panic!("{summary}");
    };
    assert_eq!(input["input"]["path"], "icon.png");
    for ((name, row), entry) in models.iter().zip(&rows[2..]).zip(list(&input["models"])) {
        let folder = format!("out/icon-compare/{}", entry["folder"].as_str().unwrap());
        let report = place.json(&format!("{folder}/report.json"));
        assert_eq!((row[0], &entry["model"]), (&**name, &json!(name)));
        assert_eq!(entry["parameters"], report["model"]["parameters"]);
        assert_eq!(entry["metrics"], report["metrics"]);
        assert_eq!(
            (&entry["steps"], &entry["stopped_by"], &entry["seed"]),
            (&json!(5), &json!("steps"), &json!(4))
        );
        assert_eq!(report["seed"], 4);
        let parameters = entry["parameters"].as_f64().unwrap();
        assert!(
            (parameters / 10_000.0 - 1.0).abs() <= 0.03,
            "{name}: {parameters}"
        );
        let bytes = place.bytes(&format!("{folder}/model.safetensors")).len();
        assert_eq!(row[2].replace(',', ""), bytes.to_string());
        assert_eq!(
            row[5],
            format!("{:.2}", entry["metrics"]["psnr_db"].as_f64().unwrap())
        );
        for file in ["reconstruction.png", "error.png"] {
            assert_eq!(
                place.picture(&format!("{folder}/{file}")).width(),
                64,
                "{file}"
            );
        }
    }
    // A model alone gives what it gives in a comparison.
    let line = format!(
        "fit icon.png --model {} --params 10k --steps 5 --batch 512 --device cpu --seed 4 -o alone",
        models[0]
    );
    place.run(&line).done();
    assert!(
        place.bytes("alone/model.safetensors")
            == place.bytes(&format!(
                "out/icon-compare/{}-seed4/model.safetensors",
                models[0]
            ))
    );

    // Other runs of the same names are not replaced unasked.
    let before = place.files("");
    let again = format!(
        "compare icon.png --models {},{} {TINY}",
        models[0], models[1]
    );
    place
        .run(&again)
        .failed(2, &["holds another run", "--force"]);
    assert!(place.files("") == before);
    let ended = place.run(&format!("{again} --force --json -q")).done();
    assert_eq!(ended.stderr, "");
    assert_eq!(ended.json(), place.json("out/icon-compare/compare.json"));
}

#[test]
fn a_comparison_of_a_folder_is_of_all_that_can_be_fitted_in_it() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("signals/deeper")).unwrap();
    for name in ["leaf.png", "icon.png"] {
        std::fs::copy(place.path(name), place.path("signals").join(name)).unwrap();
    }
    std::fs::copy(
        repository().join("assets/knot.ply"),
        place.path("signals/knot.ply"),
    )
    .unwrap();
    place.write("signals/README.md", b"# Two pictures and a shape\n");
    place.write("signals/.hidden.png", b"?");
    let short = "--params 2k --steps 2 --batch 64 --device cpu";
    let ended = place.run(&format!(
        "compare signals --models siren --format csv {short}"
    ));
    let ended = ended.done();
    assert!(
        ended.stderr.contains("signals/README.md: left out"),
        "{ended:?}"
    );
    let inputs: Vec<&str> = ended
        .stdout
        .lines()
        .skip(1)
        .map(|line| line.split(',').next().unwrap())
        .collect();
    assert_eq!(
        inputs,
        ["signals/icon.png", "signals/knot.ply", "signals/leaf.png"]
    );
    assert_eq!(ended.stdout, place.text("out/compare/compare.csv"));
    let summary = place.json("out/compare/compare.json");
    // A mean over the pictures alone, for one shape has none.
    let [mean] = list(&summary["means"]) else {
        panic!("{summary}");
    };
    assert_eq!(
        (&mean["kind"], &mean["inputs"]),
        (&json!("image"), &json!(2))
    );
    assert_eq!(mean["rank"], Value::Null);

    for name in ["icon.png", "leaf.png", "knot.ply"] {
        std::fs::remove_file(place.path("signals").join(name)).unwrap();
    }
    place
        .run(&format!(
            "compare signals --models siren {short} -q --out empty"
        ))
        .failed(1, &["signals holds nothing to fit"]);
    assert!(!place.path("empty").exists());
}

#[test]
fn models_are_named_one_by_one_or_by_their_family() {
    let place = Place::new();
    let of = |models: &str, out: &str| {
        let line = format!(
            "compare icon.png --models {models} --params 2k --steps 1 --batch 32 --device cpu --json --out {out}"
        );
        let summary = place.run(&line).done().json();
        let rows = list(&summary["inputs"][0]["models"]).iter();
        rows.map(|row| row["model"].as_str().unwrap().to_string())
            .collect::<Vec<_>>()
    };
    let all = presets(&place);
    assert_eq!(of("all", "all"), all);
    let kan = of("kan", "kan");
    assert!(
        kan.iter()
            .all(|name| name.ends_with("kan") || name == "sl2a"),
        "{kan:?}"
    );
    let classical = of("siren,classical", "classical");
    assert_eq!(classical[0], "siren");
    assert!(classical.iter().all(|name| !kan.contains(name)));
}

#[test]
fn networks_are_matched_by_parameters_or_bytes_or_not_at_all() {
    let place = Place::new();
    let models = presets(&place).join(",");
    let rows = |flags: &str| {
        let line = format!(
            "compare icon.png --models {models} --steps 1 --batch 32 --device cpu --json --force {flags}"
        );
        let summary = place.run(&line).done().json();
        list(&summary["inputs"][0]["models"]).to_vec()
    };
    let number = |row: &Value, field: &str| row[field].as_f64().unwrap();
    for row in rows("--params 20k") {
        assert_eq!(row["off_size"], Value::Null, "{row}");
        assert!(
            (number(&row, "parameters") / 20e3 - 1.0).abs() <= 0.03,
            "{row}"
        );
    }
    for row in rows("--params 20k --match bytes") {
        assert!((number(&row, "bytes") / 80e3 - 1.0).abs() <= 0.03, "{row}");
        let file = format!(
            "out/icon-compare/{}/model.safetensors",
            row["folder"].as_str().unwrap()
        );
        assert_eq!(number(&row, "bytes"), place.bytes(&file).len() as f64);
    }
    // The own size of a preset, which no more than the samples of the signal limit.
    let own = rows("--match none");
    for row in &own {
        let model = row["model"].as_str().unwrap();
        let line = format!(
            "fit icon.png --model {model} --steps 1 --batch 32 --device cpu --json --out {model}"
        );
        let report = place.run(&line).done().json();
        assert_eq!(row["parameters"], report["model"]["parameters"], "{model}");
    }
    place
        .run("compare icon.png --models siren --match none --params 2k --steps 1 --device cpu --out x")
        .failed(2, &["--match none", "--params"]);
}

#[test]
fn a_budget_of_samples_is_the_steps_that_make_as_many() {
    let place = Place::new();
    let line =
        "compare icon.png --models siren --params 2k --samples 1k --batch 300 --device cpu --json";
    let summary = place.run(line).done().json();
    let row = &summary["inputs"][0]["models"][0];
    assert_eq!(
        (&row["steps"], &row["samples_seen"]),
        (&json!(4), &json!(1200))
    );
    let recipe = place.text("out/icon-compare/siren/recipe.toml");
    assert!(
        recipe.contains("steps = 4") && !recipe.contains("samples"),
        "{recipe}"
    );
    place
        .run("fit icon.png --samples 0 --device cpu")
        .refused(2, &["--samples"]);
}

#[test]
fn a_comparison_takes_settings_and_tells_a_missed_target() {
    let place = Place::new();
    let line = "compare icon.png --models siren,wire --set model.parameters=3000 --steps 2 --batch 64 --device cpu --json --out small";
    let summary = place.run(line).done().json();
    for entry in list(&summary["inputs"][0]["models"]) {
        let parameters = entry["parameters"].as_f64().unwrap();
        assert!((parameters / 3000.0 - 1.0).abs() <= 0.03, "{entry}");
    }
    let line = format!("compare icon.png --models siren --target-psnr 90 {TINY}");
    place.run(&line).coded(3);
}

/// The values of `field` over all rows of `model`, of every input and seed.
fn values(summary: &Value, model: &str, field: impl Fn(&Value) -> f64) -> Vec<f64> {
    list(&summary["inputs"])
        .iter()
        .flat_map(|input| list(&input["models"]))
        .filter(|row| row["model"] == model)
        .map(field)
        .collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn close(value: &Value, expected: f64) -> bool {
    (value.as_f64().unwrap() - expected).abs() <= 1e-9 * expected.abs()
}

#[test]
fn several_pictures_have_a_folder_each_and_means_over_them() {
    let place = Place::new();
    let line = format!("compare icon.png gradient16.png leaf.png --models siren,wire {TINY}");
    let (table, summary) = results(&place, place.run(&line), "out/compare");
    let tables = titled(&table);
    let titles: Vec<&str> = tables.iter().map(|(title, _)| *title).collect();
    let expected = ["icon", "gradient16", "leaf", "Means over 3 inputs"];
    assert_eq!(titles, expected);
    for (title, rows) in &tables {
        let models: Vec<&str> = rows.iter().map(|row| row[0]).collect();
        assert_eq!(models, ["model", "siren", "wire"], "{title}");
    }
    let rows = &tables[3].1;
    assert_eq!(rows[0][5..], ["psnr_db", "ssim", "rank", "wins"]);

    for (index, name) in ["icon", "gradient16", "leaf"].iter().enumerate() {
        for entry in list(&summary["inputs"][index]["models"]) {
            let folder = format!("{name}/{}", entry["model"].as_str().unwrap());
            assert_eq!(entry["folder"], folder);
            let report = place.json(&format!("out/compare/{folder}/report.json"));
            assert_eq!(entry["metrics"], report["metrics"]);
            assert_eq!(report["input"]["path"], format!("{name}.png"));
        }
    }
    for (means, model) in list(&summary["means"]).iter().zip(["siren", "wire"]) {
        assert_eq!(
            (&means["model"], &means["inputs"], &means["steps"]),
            (&json!(model), &json!(3), &json!(20))
        );
        // The pictures differ in channels, and so do the networks in their last layer.
        let of = values(&summary, model, |row| row["parameters"].as_f64().unwrap());
        assert_eq!(means["parameters"], mean(&of).round() as u64);
        assert_eq!(means["standard_deviation"], Value::Null);
        for metric in ["psnr_db", "ssim"] {
            let of = values(&summary, model, |row| {
                row["metrics"][metric].as_f64().unwrap()
            });
            assert_eq!(of.len(), 3);
            assert!(close(&means["metrics"][metric], mean(&of)), "{means}");
        }
        let of = values(&summary, model, |row| row["seconds"].as_f64().unwrap());
        assert!(close(&means["seconds"], mean(&of)), "{means}");
        let of = values(&summary, model, |row| row["bytes"].as_f64().unwrap());
        assert_eq!(means["bytes"], mean(&of).round() as u64);
        let row = rows.iter().find(|row| row[0] == model).unwrap();
        let psnr = means["metrics"]["psnr_db"].as_f64().unwrap();
        assert_eq!(row[1].replace(',', ""), means["parameters"].to_string());
        assert_eq!(row[5], format!("{psnr:.2}"));
        let psnr = |model: &str| {
            values(&summary, model, |row| {
                row["metrics"]["psnr_db"].as_f64().unwrap()
            })
        };
        let pairs: Vec<(f64, f64)> = psnr("siren").into_iter().zip(psnr("wire")).collect();
        let wins = match model {
            "siren" => pairs.iter().filter(|(siren, wire)| siren >= wire).count(),
            _ => pairs.iter().filter(|(siren, wire)| wire >= siren).count(),
        };
        assert_eq!(means["wins"], wins);
        assert!(close(&means["rank"], 2.0 - wins as f64 / 3.0), "{means}");
    }
    // What a picture gives does not depend on the others.
    place.fit("leaf.png --model wire --out alone");
    assert!(
        place.bytes("alone/model.safetensors")
            == place.bytes("out/compare/leaf/wire/model.safetensors")
    );
}

#[test]
fn several_seeds_have_a_folder_each_and_a_deviation() {
    let place = Place::new();
    // A single number says how many.
    let line = format!("compare icon.png --models siren --seeds 2 {TINY} --out two");
    let (_, summary) = results(&place, place.run(&line), "two");
    assert_eq!(summary["seeds"], json!([0, 1]));
    assert!(place.path("two/siren-seed1/report.json").exists());

    let line = format!("compare icon.png leaf.png --models siren,wire --seeds 3,0,7 {TINY}");
    let (table, summary) = results(&place, place.run(&line), "out/compare");
    assert_eq!(summary["seeds"], json!([3, 0, 7]));
    let tables = titled(&table);
    let titles: Vec<&str> = tables.iter().map(|(title, _)| *title).collect();
    assert_eq!(titles, ["icon", "leaf", "Means over 2 inputs and 3 seeds"]);
    // Every picture has a mean over the seeds of its own.
    for (input, (_, rows)) in list(&summary["inputs"]).iter().zip(&tables) {
        assert_eq!(rows[0][..2], ["model", "seed"]);
        assert_eq!(rows[0][6..], ["psnr_db", "psnr_db sd", "ssim"]);
        assert_eq!(rows.len(), 1 + 2 * 3 + 2);
        for (means, model) in list(&input["means"]).iter().zip(["siren", "wire"]) {
            let fits = list(&input["models"]).iter();
            let of = fits.filter(|fit| fit["model"] == *model);
            let of: Vec<f64> = of
                .map(|fit| fit["metrics"]["psnr_db"].as_f64().unwrap())
                .collect();
            assert_eq!((of.len(), &means["inputs"]), (3, &json!(1)));
            let centre = mean(&of);
            assert!(close(&means["metrics"]["psnr_db"], centre), "{means}");
            let squares: f64 = of.iter().map(|value| (value - centre).powi(2)).sum();
            let deviation = format!("{:.3}", (squares / 2.0).sqrt());
            let shown = rows.iter().find(|row| row[..2] == [model, "mean"]);
            let shown = shown.unwrap();
            assert_eq!(shown[6..8], [&*format!("{centre:.2}"), &deviation]);
        }
    }
    for (means, model) in list(&summary["means"]).iter().zip(["siren", "wire"]) {
        let of = values(&summary, model, |row| {
            row["metrics"]["psnr_db"].as_f64().unwrap()
        });
        // Six rows: three seeds of the first picture, and of the second.
        let of_seeds: Vec<f64> = (0..3).map(|seed| (of[seed] + of[seed + 3]) / 2.0).collect();
        let centre = mean(&of_seeds);
        let squares: f64 = of_seeds.iter().map(|value| (value - centre).powi(2)).sum();
        let deviation = (squares / 2.0).sqrt();
        assert!(close(&means["metrics"]["psnr_db"], centre), "{means}");
        assert!(deviation > 0.0);
        let told = &means["standard_deviation"]["psnr_db"];
        assert!((told.as_f64().unwrap() - deviation).abs() < 1e-9, "{means}");
        let rows = &tables[2].1;
        assert_eq!(rows[0][6..], ["psnr_db sd", "ssim", "rank", "wins"]);
        let row = rows.iter().find(|row| row[0] == model).unwrap();
        assert_eq!(row[6], format!("{deviation:.3}"));
    }
    let report = place.json("out/compare/leaf/wire-seed7/report.json");
    assert_eq!(report["seed"], 7);
    place.fit("leaf.png --model wire --seed 7 --out alone");
    assert!(
        place.bytes("alone/model.safetensors")
            == place.bytes("out/compare/leaf/wire-seed7/model.safetensors")
    );
    // One picture, and a single seed, whose folder says which.
    let line = format!("compare icon.png --models siren --seed 5 {TINY}");
    let (table, summary) = results(&place, place.run(&line), "out/icon-compare");
    assert_eq!(cells(&table)[0][0], "model");
    assert_eq!(
        (&summary["seeds"], &summary["means"]),
        (&json!([5]), &json!([]))
    );
    let report = place.json("out/icon-compare/siren-seed5/report.json");
    assert_eq!(report["seed"], 5);
}

#[test]
fn a_comparison_that_cannot_be_is_refused_before_the_first_fit() {
    let place = Place::new();
    place.write("cut.png", &place.bytes("icon.png")[..300]);
    let before = place.files("");
    let refused = |line: &str, code: i32, words: &[&str]| {
        place
            .run(&format!("compare {line} {TINY}"))
            .refused(code, words);
        assert!(place.files("") == before, "{line}");
    };
    refused(
        "icon.png ./icon.png --models siren",
        2,
        &["icon.png and ./icon.png are the same"],
    );
    refused(
        "icon.png cut.png --models siren",
        1,
        &["cut.png is cut off"],
    );
    refused(
        "icon.png missing.png --models siren",
        1,
        &["missing.png does not exist"],
    );
    refused(
        "icon.png leaf.png --models siren,wier",
        2,
        &["did you mean \"wire\"?"],
    );
    refused(
        "icon.png --models siren --seeds 1,2,1",
        2,
        &["--seeds names 1 twice"],
    );
    refused("icon.png --models siren --seeds 1,x", 2, &["--seeds", "x"]);
    for count in ["0", "4294967295"] {
        let line = format!("icon.png --models siren --seeds {count}");
        let instead = format!("--seed {count}");
        refused(&line, 2, &["from 1 to 1000", &instead]);
    }
    refused(
        "icon.png --models siren --seeds 1 --seed 1",
        2,
        &["--seeds", "--seed"],
    );
}
