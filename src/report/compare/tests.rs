use serde_json::json;

use super::*;
use crate::report::RunReport;
use crate::signal::ReducedBy;

fn fit(model: &str, seed: u64, psnr_db: f64, stopped_by: StoppedBy) -> ComparedModel {
    ComparedModel {
        model: model.into(),
        fit: Some(ComparedFit {
            seed,
            recipe: None,
            target: None,
            parameters: 1200,
            caveats: Caveats::default(),
            bytes: 5000,
            steps: 30,
            samples_seen: 300,
            seconds: psnr_db / 10.0,
            running_psnr_db: Some(psnr_db - 0.25),
            stopped_by,
            folder: model.into(),
        }),
        metrics: Metrics(vec![("psnr_db".into(), psnr_db), ("ssim".into(), 0.5)]),
    }
}

fn comparison(inputs: &[&str], seeds: &[u64]) -> CompareReport {
    let inputs = inputs.iter().map(|path| ComparedInput {
        input: serde_json::from_value(json!({ "path": path, "kind": "image" })).unwrap(),
        models: Vec::new(),
        means: Vec::new(),
        failures: Vec::new(),
    });
    CompareReport {
        command: String::new(),
        device: "cpu".into(),
        recipe: None,
        holdout: None,
        seeds: seeds.into(),
        inputs: inputs.collect(),
        means: Vec::new(),
        ranks: Vec::new(),
    }
}

#[test]
fn means_are_over_the_inputs_that_every_model_has() {
    let mut report = comparison(&["x/a.png", "b.png", "c.png"], &[0, 1]);
    report.holdout = Some(Reduction::new(2, ReducedBy::Area).unwrap());
    let filter = ComparedModel {
        fit: None,
        ..fit("bicubic", 0, 25.0, StoppedBy::Steps)
    };
    for (input, psnr_db) in [(0, [20.0, 21.0]), (1, [30.0, 34.0])] {
        report.add(input, filter.clone());
        for (seed, psnr_db) in psnr_db.into_iter().enumerate() {
            report.add(input, fit("siren", seed as u64, psnr_db, StoppedBy::Steps));
        }
    }
    report.add(2, filter);
    report.add(2, fit("siren", 0, 40.0, StoppedBy::Steps));
    report.add(2, fit("siren", 1, 90.0, StoppedBy::Interrupt));
    // Seed 0 has the mean 25 and seed 1 27.5, whose deviation is 2.5 / √2. Bicubic is better on a, siren on b.
    let expected = "\
## a

| model   | seed | parameters | bytes | steps | seconds |   psnr_db | psnr_db sd |       ssim |
| ------- | ---: | ---------: | ----: | ----: | ------: | --------: | ---------: | ---------: |
| bicubic |    - |          - |     - |     - |       - | **25.00** |          - | **0.5000** |
| siren   |    0 |      1,200 | 5,000 |    30 |     2.0 |     20.00 |          - | **0.5000** |
| siren   |    1 |      1,200 | 5,000 |    30 |     2.1 |     21.00 |          - | **0.5000** |
| bicubic | mean |          - |     - |     - |       - | **25.00** |          - | **0.5000** |
| siren   | mean |      1,200 | 5,000 |    30 |     2.0 |     20.50 |      0.707 | **0.5000** |

## b

| model   | seed | parameters | bytes | steps | seconds |   psnr_db | psnr_db sd |       ssim |
| ------- | ---: | ---------: | ----: | ----: | ------: | --------: | ---------: | ---------: |
| bicubic |    - |          - |     - |     - |       - |     25.00 |          - | **0.5000** |
| siren   |    0 |      1,200 | 5,000 |    30 |     3.0 |     30.00 |          - | **0.5000** |
| siren   |    1 |      1,200 | 5,000 |    30 |     3.4 | **34.00** |          - | **0.5000** |
| bicubic | mean |          - |     - |     - |       - |     25.00 |          - | **0.5000** |
| siren   | mean |      1,200 | 5,000 |    30 |     3.2 | **32.00** |      2.828 | **0.5000** |

## c

| model               | seed | parameters | bytes | steps | seconds |   psnr_db |       ssim |
| ------------------- | ---: | ---------: | ----: | ----: | ------: | --------: | ---------: |
| bicubic             |    - |          - |     - |     - |       - |     25.00 | **0.5000** |
| siren               |    0 |      1,200 | 5,000 |    30 |     4.0 |     40.00 | **0.5000** |
| siren (interrupted) |    1 |      1,200 | 5,000 |    30 |     9.0 | **90.00** | **0.5000** |

## Means over 2 of 3 inputs and 2 seeds

| model   | parameters | bytes | steps | seconds |   psnr_db | psnr_db sd |       ssim | rank | wins |
| ------- | ---------: | ----: | ----: | ------: | --------: | ---------: | ---------: | ---: | ---: |
| bicubic |          - |     - |     - |       - |     25.00 |          - | **0.5000** | 1.50 |    1 |
| siren   |      1,200 | 5,000 |    30 |     2.6 | **26.25** |      1.768 | **0.5000** | 1.50 |    1 |
";
    assert_eq!(report.markdown(), expected);
    let mut older = report.clone();
    if let Some(fit) = &mut older.inputs[0].models[1].fit {
        fit.bytes = 0;
    }
    let means = |report: &CompareReport| means::means(&report.inputs[..2], &report.seeds);
    assert_eq!(means(&report)[1].bytes, Some(5000));
    assert_eq!(means(&older)[1].bytes, None);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["holdout"], json!({ "factor": 2, "by": "area" }));
    let row = json!({ "model": "bicubic", "metrics": { "psnr_db": 25.0, "ssim": 0.5 } });
    assert_eq!(json["inputs"][0]["models"][0], row);
}

#[test]
fn a_model_that_lacks_a_fit_takes_no_means_with_it() {
    let psnr_db = |mean: &ComparedMean| mean.metrics.get("psnr_db");
    let models = |means: &[ComparedMean]| {
        let names = means.iter().map(|mean| mean.model.clone());
        names.collect::<Vec<_>>()
    };
    // With both seeds on both pictures, and with one seed on one of them, or on neither with both.
    let mut report = comparison(&["a.png", "b.png"], &[0, 1]);
    for (input, seed) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let psnr_db = 20.0 + 10.0 * input as f64 + seed as f64;
        report.add(input, fit("siren", seed, psnr_db, StoppedBy::Steps));
    }
    report.add(0, fit("wire", 0, 90.0, StoppedBy::Steps));
    report.add(1, fit("wire", 1, 90.0, StoppedBy::Interrupt));
    assert_eq!(models(&report.means), ["siren"]);
    assert_eq!(psnr_db(&report.means[0]), Some(25.5));
    assert_eq!(report.means[0].rank, None);
    assert_eq!(models(&report.inputs[0].means), ["siren"]);
    let title = "## Means over 2 inputs and 2 seeds, without wire, whose fits are not all there\n";
    assert!(report.markdown().contains(title), "{}", report.markdown());
    // Of three models the two that are there have their places among themselves.
    for (input, seed) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        report.add(input, fit("gauss", seed, 25.0, StoppedBy::Steps));
    }
    let ranks: Vec<_> = report
        .means
        .iter()
        .map(|mean| (mean.rank, mean.wins))
        .collect();
    assert_eq!(ranks, [(Some(1.5), Some(1)), (Some(1.5), Some(1))]);
}

#[test]
fn one_input_and_one_seed_have_no_mean() {
    let mut report = comparison(&["a.png"], &[0]);
    assert_eq!(report.markdown(), "");
    report.add(0, fit("siren", 0, 20.0, StoppedBy::Steps));
    assert!(report.means.is_empty());
    let (_, table) = &report.tables()[0];
    assert_eq!(table.header[..3], ["model", "parameters", "bytes"]);
    assert_eq!(table.rows.len(), 1);
}

/// An IoU of nothing is no value; a small Chamfer distance beside it is no place above an IoU of 0.
#[test]
fn who_has_no_value_of_the_leading_metric_is_last() {
    let mut report = comparison(&["a.ply", "b.ply"], &[0]);
    let [iou, chamfer] = ["iou", "chamfer_l1"];
    for input in 0..2 {
        for (model, values) in [
            ("siren", vec![(chamfer, 0.01)]),
            ("wire", vec![(iou, 0.0), (chamfer, 300.0)]),
            ("gauss", vec![(iou, 0.5), (chamfer, 300.0)]),
        ] {
            let values = values.into_iter().map(|(name, value)| (name.into(), value));
            report.add(
                input,
                ComparedModel {
                    metrics: Metrics(values.collect()),
                    ..fit(model, 0, 0.0, StoppedBy::Steps)
                },
            );
        }
    }
    let places: Vec<(&str, Option<f64>)> = report
        .means
        .iter()
        .map(|mean| (&*mean.model, mean.rank))
        .collect();
    assert_eq!(
        places,
        [
            ("siren", Some(3.0)),
            ("wire", Some(2.0)),
            ("gauss", Some(1.0))
        ]
    );
}

/// Of pictures the larger value is the better, of shapes the smaller.
#[test]
fn kinds_have_means_and_places_of_their_own() {
    let mut report = comparison(&["a.png", "b.png", "x.ply", "y.ply"], &[0]);
    for (index, input) in report.inputs.iter_mut().enumerate().skip(2) {
        let text = json!({ "path": index.to_string(), "kind": "shape" });
        input.input = serde_json::from_value(text).unwrap();
    }
    for input in 0..4 {
        for (model, value) in [("siren", 0.3), ("wire", 0.2), ("gauss", 0.3)] {
            let name = if input < 2 { "psnr_db" } else { "chamfer_l1" };
            report.add(
                input,
                ComparedModel {
                    metrics: Metrics(vec![(name.into(), value)]),
                    ..fit(model, 0, 0.0, StoppedBy::Steps)
                },
            );
        }
    }
    let of = |kind: &str, model: &str| {
        let mut means = report.means.iter();
        let found = means.find(|mean| (&*mean.kind, &*mean.model) == (kind, model));
        found
            .map(|mean| (mean.inputs, mean.rank, mean.wins))
            .unwrap()
    };
    assert_eq!(report.means.len(), 6);
    // Two share the first place among pictures, and the second among shapes.
    assert_eq!(of("image", "siren"), (2, Some(1.0), Some(2)));
    assert_eq!(of("image", "gauss"), (2, Some(1.0), Some(2)));
    assert_eq!(of("image", "wire"), (2, Some(3.0), Some(0)));
    assert_eq!(of("shape", "wire"), (2, Some(1.0), Some(2)));
    assert_eq!(of("shape", "siren"), (2, Some(2.0), Some(0)));
    let tables = report.tables();
    let of_tables: Vec<(&str, &str)> = tables
        .iter()
        .map(|(title, table)| (&**title, table.header.get(5).map_or("", |name| name)))
        .collect();
    assert_eq!(
        of_tables,
        [
            ("a", "psnr_db"),
            ("b", "psnr_db"),
            ("2", "chamfer_l1"),
            ("3", "chamfer_l1"),
            ("Means over 2 inputs (image)", "psnr_db"),
            ("Means over 2 inputs (shape)", "chamfer_l1"),
            ("Places among 4 inputs of all kinds", ""),
        ]
    );
    // Among all four wire is third, third, first and first, the others first, first, second and second.
    let ranks = report.ranks.iter();
    let ranks: Vec<_> = ranks
        .map(|rank| (&*rank.model, rank.inputs, rank.rank, rank.wins))
        .collect();
    assert_eq!(
        ranks,
        [
            ("siren", 4, 1.5, 2),
            ("wire", 4, 2.0, 2),
            ("gauss", 4, 1.5, 2)
        ]
    );
    let markdown = report.markdown();
    assert!(
        markdown.starts_with("## a\n\n| model")
            && markdown.contains("\n\n## Means over 2 inputs (shape)\n\n| model")
    );
    let latex = report.latex();
    let caption = "\\end{table}\n\n\\begin{table}\n\\centering\n\\caption{b}\n\\begin{tabular}";
    assert!(latex.contains(caption), "{latex}");
    // Both that share the first place among pictures, and the one among shapes.
    for (best, times) in [("0.30", 6), ("0.2000", 3)] {
        let bold = format!("\\textbf{{{best}}}");
        assert_eq!(latex.matches(&bold).count(), times, "{latex}");
        let bold = format!("**{best}**");
        assert_eq!(markdown.matches(&bold).count(), times, "{markdown}");
    }
    // An input that lacks a fit is left out ...
    report.inputs[3].models.remove(1);
    report.take_means();
    let title = "\n## Places among 3 of 4 inputs of all kinds\n";
    assert!(report.markdown().contains(title), "{}", report.markdown());
    // ... unless those that are left are of one kind; then the model is.
    for input in &mut report.inputs[2..] {
        input.models.truncate(1);
        let gauss = fit("gauss", 0, 30.0, StoppedBy::Steps);
        input.models.push(gauss);
    }
    report.take_means();
    let title =
        "## Places among 4 inputs of all kinds, without wire, whose fits are not all there\n";
    assert!(report.markdown().contains(title), "{}", report.markdown());
}

#[test]
fn programs_get_every_fit_with_unrounded_numbers() {
    let mut report = comparison(&["x/a.png", "b.png"], &[0]);
    report.add(0, fit("siren", 0, 1.0 / 3.0, StoppedBy::Time));
    report.add(
        1,
        ComparedModel {
            fit: None,
            metrics: Metrics(vec![("ssim".into(), 0.25)]),
            model: "bicubic".into(),
        },
    );
    report.inputs[1].failures.push(ComparedFailure {
        model: "wire".into(),
        recipe: Some("paper".into()),
        seed: 0,
        folder: "b/wire".into(),
        reason: "training diverged".into(),
    });
    let expected = "\
input,kind,model,recipe,stopped_by,seed,parameters,off_size,recipe_changes,restorations,bytes,steps,samples_seen,seconds,running_psnr_db,psnr_db,ssim,failure
x/a.png,image,siren,,time,0,1200,,,0,5000,30,300,0.03333333333333333,0.08333333333333331,0.3333333333333333,0.5,
b.png,image,bicubic,,,,,,,,,,,,,,0.25,
b.png,image,wire,paper,failed,0,,,,,,,,,,,,training diverged
";
    assert_eq!(report.data().csv(), expected);
    let folders = ComparedFit::folders(crate::report::to_json(&report).as_bytes());
    assert_eq!(folders.unwrap(), ["siren"]);
    assert!(ComparedFit::folders(b"{").is_err());
    let row = "| wire (failed) |          - |     - |     - |       - |          - |\n";
    let failed = "\nFailed: b/wire: training diverged\n";
    assert!(report.markdown().ends_with(&format!("{row}{failed}")));
    assert!(
        report
            .latex()
            .ends_with("\n% Failed: b/wire: training diverged\n")
    );
    // What authors quote stands beside what is measured where their recipe is followed.
    assert!(!report.markdown().contains("running"));
    report.recipe = Some("paper".into());
    let data = report.data().csv();
    assert!(
        data.contains("siren,paper,") && data.contains("bicubic,,,"),
        "{data}"
    );
    let header = "| seconds | running_psnr_db | psnr_db |";
    assert!(report.markdown().contains(header), "{}", report.markdown());
    // Of a reduced input both are not of the same samples.
    report.holdout = Some(Reduction::new(2, ReducedBy::Area).unwrap());
    assert!(!report.markdown().contains("running"));
    // The mean over two inputs has it too, and a file of an earlier version has none.
    report.holdout = None;
    report.add(1, fit("siren", 0, 31.0, StoppedBy::Steps));
    report.add(0, fit("wire", 0, 31.0, StoppedBy::Steps));
    report.add(1, fit("wire", 0, 32.0, StoppedBy::Steps));
    let running = report.means.iter().find(|mean| mean.model == "wire");
    assert_eq!(running.unwrap().running_psnr_db, Some(31.25));
    let mut json = serde_json::to_value(&report).unwrap();
    let fields = json.as_object_mut().unwrap();
    assert!(fields.remove("recipe").is_some() && !fields.contains_key("ranks"));
    let row = &mut json["inputs"][0]["models"][0];
    assert!(
        row.as_object_mut()
            .unwrap()
            .remove("running_psnr_db")
            .is_some()
    );
    let mut earlier: CompareReport = serde_json::from_value(json).unwrap();
    earlier.recipe = Some("paper".into());
    earlier.take_means();
    let running = earlier.means.iter().find(|mean| mean.model == "siren");
    assert_eq!(running.unwrap().running_psnr_db, None);
    assert_eq!(report.failures(), ["b/wire: training diverged"]);
}

#[test]
fn a_report_is_read_back_as_it_was_written() {
    let curve = json!([{ "step": 3, "seconds": 0.1, "loss": 0.3, "running_psnr_db": 11.1 }]);
    let text = json!({
        "version": "0.1.0",
        "input": { "path": "a.exr", "kind": "image", "range": [0.1_f32, 7.0] },
        "model": { "name": "siren", "parameters": 12, "bytes": 99, "layers": [] },
        "device": "cpu",
        "seed": 3,
        "training": {
            "steps": 3, "batch_size": 4, "samples_seen": 12, "seconds": 0.1, "optimizer": "adam",
            "stopped_by": "time", "restorations": 0, "curve": curve,
        },
        "metrics": { "psnr_db": null, "ssim": 1.0 },
        "files": ["report.json"],
    });
    let report: RunReport = serde_json::from_value(text.clone()).unwrap();
    // JSON has no infinity.
    assert_eq!(report.metrics.get("psnr_db"), Some(f64::INFINITY));
    assert_eq!(serde_json::to_value(&report).unwrap(), text);
    let again = serde_json::from_str(&crate::report::to_json(&report)).unwrap();
    assert_eq!(report, again);
}
