//! Comparisons that go on where an earlier one ended.

use serde_json::{Value, json};

use super::compare::{list, results, titled};
use super::program::{Place, TINY};

#[test]
fn a_comparison_reads_back_what_is_finished_and_does_the_rest() {
    let place = Place::new();
    let line = format!("compare icon.png leaf.png --models siren,wire {TINY}");
    let (table, summary) = results(&place, place.run(&line), "out/compare");
    let before = place.files("out/compare");
    let resumed = place.run(&line).done();
    assert_eq!(resumed.stdout, table);
    assert_eq!(
        resumed.stderr.matches("read back").count(),
        4,
        "{resumed:?}"
    );
    assert!(place.files("out/compare") == before);

    // One run is missing, and one was ended before it was measured.
    std::fs::remove_dir_all(place.path("out/compare/icon/wire")).unwrap();
    for file in ["report.json", "model.safetensors"] {
        std::fs::remove_file(place.path("out/compare/leaf/siren").join(file)).unwrap();
    }
    let resumed = place.run(&format!("{line} --resume")).done();
    assert_eq!(
        resumed.stderr.matches("read back").count(),
        2,
        "{resumed:?}"
    );
    assert!(
        resumed.stderr.contains("resuming at step 20"),
        "{resumed:?}"
    );
    let after = place.files("out/compare");
    for (path, bytes) in &before {
        if path.ends_with("model.safetensors") || path.ends_with("reconstruction.png") {
            assert!(&after[path] == bytes, "{}", path.display());
        }
    }
    let again = place.json("out/compare/compare.json");
    let metrics = |summary: &Value| {
        let rows = list(&summary["inputs"]).iter();
        let rows = rows.flat_map(|input| list(&input["models"]).to_vec());
        rows.map(|row| row["metrics"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(metrics(&again), metrics(&summary));

    // More models and pictures join those that are there.
    let more = line
        .replace("siren,wire", "siren,wire,hash-grid")
        .replace("leaf.png", "leaf.png gradient16.png");
    let resumed = place.run(&format!("{more} --resume")).done();
    assert_eq!(
        resumed.stderr.matches("read back").count(),
        4,
        "{resumed:?}"
    );
    let tables = titled(&resumed.stdout);
    let lengths: Vec<usize> = tables.iter().map(|(_, rows)| rows.len()).collect();
    assert_eq!(lengths, [1 + 3; 3 + 1]);

    // With fewer of them the table would lose what it has.
    let before = place.files("");
    place
        .run(&line)
        .failed(2, &["its table has icon/hash-grid", "--force"]);
    // Nor is anything taken for granted that another version made.
    let report = place.text("out/compare/icon/siren/report.json");
    let version = format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION"));
    assert!(report.contains(&version), "{report}");
    place.write(
        "out/compare/icon/siren/report.json",
        report
            .replace(&version, "\"version\": \"0.0.9\"")
            .as_bytes(),
    );
    place.run(&more).failed(2, &["holds a run of inr 0.0.9"]);
    place.write("out/compare/icon/siren/report.json", report.as_bytes());
    assert!(place.files("") == before);
}

#[test]
fn a_comparison_is_resumed_only_with_what_it_began_with() {
    let place = Place::new();
    let line = format!("compare icon.png --models siren --out there {TINY}");
    let empty = place.run(&format!("{line} --resume"));
    empty.failed(2, &["nothing to resume in there", "--out"]);
    assert!(!place.path("there").exists());
    place.run(&line).done();
    place.fit("icon.png --model siren --out fitted");
    let before = place.files("");
    let refused = |line: &str, words: &[&str]| {
        place.run(&format!("{line} --resume")).failed(2, words);
        assert!(place.files("") == before, "{line}");
    };
    refused(
        &line.replace("--steps 20", "--steps 30"),
        &[
            "there/siren holds another run",
            "training.steps was 20 and is now 30",
            "--force",
        ],
    );
    refused(
        &format!("{line} --seed 1"),
        &["its table has siren, which is not asked for now"],
    );
    refused(
        &format!("{line} --holdout 2"),
        &["it is of icon.png, not of there/reduced.png"],
    );
    let changed = || place.run(&format!("{line} --resume"));
    place.negate("icon.png");
    changed().failed(2, &["icon.png was another then"]);
    // Its report tells as much.
    std::fs::remove_file(place.path("there/siren/checkpoint.safetensors")).unwrap();
    changed().failed(2, &["icon.png was another then"]);
    std::fs::copy(place.path("leaf.png"), place.path("icon.png")).unwrap();
    changed().failed(2, &["icon.png was another then"]);
    place
        .run(&format!("{line} --resume --force"))
        .refused(2, &["--resume", "--force"]);
}

#[test]
fn what_is_lost_of_a_finished_run_is_made_again_and_what_is_damaged_is_said() {
    let place = Place::new();
    let line = format!("compare icon.png --models siren --out c {TINY}");
    place.run(&line).done();
    let before = place.files("c");
    let lost = ["reconstruction.png", "model.safetensors", "metrics.jsonl"];
    for file in lost {
        std::fs::remove_file(place.path("c/siren").join(file)).unwrap();
    }
    let again = place.run(&line).done();
    assert!(again.stderr.contains("resuming at step 20"), "{again:?}");
    for file in lost {
        let path = std::path::Path::new("siren").join(file);
        let found = place.files("c");
        let own = |files: &std::collections::BTreeMap<_, Vec<u8>>| {
            let mut paths = files
                .iter()
                .filter(|(p, _): &(&std::path::PathBuf, _)| p.ends_with(&path));
            paths.next().map(|(_, bytes)| bytes.clone())
        };
        assert!(
            own(&found).is_some() && own(&found) == own(&before),
            "{file}"
        );
    }

    let picture = place.bytes("c/siren/reconstruction.png");
    place.write("c/siren/reconstruction.png", &picture[..100]);
    place.run(&line).done();
    let page = place.text("c/report.html");
    assert!(page.contains("What siren made of it is not shown: c/siren/reconstruction.png"));
    assert!(page.contains("is cut off"), "{page}");

    // A run that is finished is not gone on with.
    let checkpoint = place.bytes("c/siren/checkpoint.safetensors");
    place.write("c/siren/checkpoint.safetensors", &checkpoint[..100]);
    let again = place.run(&line).done();
    assert!(again.stderr.contains("read back"), "{again:?}");

    let mut report = place.json("c/siren/report.json");
    let here = report["device"].as_str().unwrap().to_string();
    report["device"] = json!("another");
    place.write("c/siren/report.json", report.to_string());
    let difference = format!("it ran on another, not on {here}");
    place
        .run(&line)
        .failed(2, &["c/siren holds another run", &difference]);
}

#[test]
fn files_that_lie_where_the_results_of_an_input_go_are_kept() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("out/compare/leaf")).unwrap();
    place.write("out/compare/leaf/curves.svg", "<svg>mine</svg>");
    let before = place.files("");
    let line = format!("compare icon.png leaf.png --models grid {TINY}");
    place
        .run(&line)
        .failed(1, &["leaf already holds results", "--force"]);
    assert!(place.files("") == before);
    place.run(&format!("{line} --force")).done();
    assert!(place.text("out/compare/leaf/curves.svg") != "<svg>mine</svg>");

    // So when the input joins a comparison that is there.
    std::fs::create_dir_all(place.path("out/compare/gradient16")).unwrap();
    place.write("out/compare/gradient16/curves.svg", "<svg>mine</svg>");
    place
        .run(&line.replace("leaf.png", "leaf.png gradient16.png"))
        .failed(1, &["gradient16 already holds results", "--force"]);
    let kept = place.text("out/compare/gradient16/curves.svg");
    assert_eq!(kept, "<svg>mine</svg>");

    // By force a damaged table is replaced.
    place.write("out/compare/compare.json", "{");
    place
        .run(&line)
        .failed(1, &["compare.json is damaged", "--force"]);
    place.run(&format!("{line} --force")).done();
    assert!(place.json("out/compare/compare.json")["inputs"].is_array());

    // A table of another program is not gone on from.
    let theirs = r#"{ "inputs": ["a.txt"] }"#;
    place.write("out/compare/compare.json", theirs);
    place.run(&line).failed(1, &["compare.json", "--force"]);
    assert_eq!(place.text("out/compare/compare.json"), theirs);
}

/// Read back is what has the same bits; where it was made is said.
#[test]
fn a_comparison_names_every_device_that_it_ran_on() {
    let place = Place::new();
    let line = format!("compare icon.png --models siren --out c {TINY}");
    let run = |line: &str, threads: &str| {
        let mut command = place.command(line);
        command.env("RAYON_NUM_THREADS", threads);
        place.end(line, &mut command).done()
    };
    run(&line, "1");
    let again = run(&line.replace("siren", "siren,relu"), "2");
    assert!(again.stderr.contains("read back"), "{again:?}");
    let device = place.json("c/compare.json")["device"].clone();
    let devices: Vec<&str> = device.as_str().unwrap().split("; ").collect();
    let [one, two] = devices[..] else {
        panic!("{device}");
    };
    assert!(
        one.contains("1 thread") && two.contains("2 threads"),
        "{device}"
    );
}

#[test]
fn names_that_are_misspelt_are_told_with_the_nearest() {
    let place = Place::new();
    for (flags, words) in [
        (
            "--models clasical",
            ["\"clasical\"", "did you mean \"classical\""],
        ),
        (
            "--models siren,all:papr",
            ["\"papr\"", "did you mean \"paper\""],
        ),
        (
            "--models siren --seeds 2 --set training.seed=7",
            ["--seeds", "training.seed"],
        ),
    ] {
        place
            .run(&format!("compare icon.png {flags} --out c {TINY}"))
            .refused(2, &words);
    }
}

#[test]
fn one_seed_is_joined_by_others() {
    let place = Place::new();
    let line = format!("compare icon.png --models siren --out s {TINY}");
    // A comparison without --seeds has seed 0.
    place.run(&line).done();
    for (seeds, finished) in [(1, 1), (2, 1), (3, 2)] {
        let more = place.run(&format!("{line} --seeds {seeds}")).done();
        assert_eq!(
            more.stderr.matches("read back").count(),
            finished,
            "{more:?}"
        );
    }
}

#[test]
fn a_group_stands_for_those_of_it_that_have_the_recipe() {
    let place = Place::new();
    let line = format!("compare icon.png --models kan,siren --recipe paper --json --out p {TINY}");
    let done = place.run(&line).done();
    let left_out =
        "left out, for they have no recipe called paper for images: fourier-kan, spline-kan, ";
    assert_eq!(done.stderr.matches(left_out).count(), 1, "{done:?}");
    let found = done.json();
    let rows = list(&found["inputs"][0]["models"]).iter();
    let names: Vec<&str> = rows.map(|row| row["model"].as_str().unwrap()).collect();
    assert_eq!(names, ["fkan", "sl2a", "gkan", "siren"]);
    place
        .run(&format!(
            "compare icon.png --models local --recipe sl2a --out q {TINY}"
        ))
        .refused(2, &["no model of --models local has the recipe"]);
    for (choice, size) in [("--recipe paper", "bytes"), ("--for upsampling", "params")] {
        place
            .run(&format!(
                "compare icon.png --models siren {choice} --match {size} --out q {TINY}"
            ))
            .refused(
                2,
                &["--match params and bytes do not go with --for or --recipe"],
            );
    }
}

/// A model whose training fails has a row of its own, and is tried again.
#[test]
fn a_model_that_fails_stands_in_the_tables_and_the_others_go_on() {
    let place = Place::new();
    let line = format!(
        "compare icon.png --models siren,grid --set training.optimizer.muon_learning_rate=1e30 {TINY}"
    );
    for _ in 0..2 {
        let ended = place.run(&line);
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert!(ended.stderr.contains("siren: training diverged"));
        assert!(
            ended.stdout.contains("| siren (failed) |"),
            "{}",
            ended.stdout
        );
        assert!(ended.stdout.contains("| grid "), "{}", ended.stdout);
    }
    let found = place.json("out/icon-compare/compare.json");
    let [input] = list(&found["inputs"]) else {
        panic!("{found}");
    };
    assert_eq!(list(&input["models"]).len(), 1);
    assert_eq!(list(&input["failures"])[0]["model"], "siren");
    let html = place.text("out/icon-compare/report.html");
    assert!(html.contains("<dt>Failed</dt>"));
    assert!(html.contains("siren <span class=\"remark\">failed</span></th>"));
}

/// Ctrl-C during the second fit.
#[cfg(unix)]
#[test]
fn a_comparison_that_is_cut_short_keeps_what_it_found() {
    let place = Place::new();
    let budget = "--models siren,wire --params 1k --steps 3000 --batch 256 --device cpu --out cut";
    let line = format!("compare icon.png leaf.png {budget}");
    let ended = place.interrupt(&line, "cut/icon/wire/metrics.jsonl");
    assert!(ended.stderr.contains("the same command"), "{ended:?}");
    let summary = place.json("cut/compare.json");
    let rows = list(&summary["inputs"][0]["models"]);
    assert_eq!(rows[0]["stopped_by"], "steps");
    assert_eq!(rows[1]["stopped_by"], "interrupt");
    assert_eq!(summary["inputs"][1]["models"], json!([]));
    // Of one finished picture a mean says nothing, and its second model is not finished.
    assert_eq!(summary["means"], json!([]));
    // Nothing is left of what was not begun.
    assert_eq!(
        place.names("cut"),
        [
            "compare.csv",
            "compare.json",
            "compare.md",
            "compare.tex",
            "icon",
            "report.html"
        ]
    );

    let resumed = place.run(&format!("{line} --resume")).done();
    assert_eq!(
        resumed.stderr.matches("read back").count(),
        1,
        "{resumed:?}"
    );
    let steps = rows[1]["steps"].as_u64().unwrap();
    let word = format!("resuming at step {steps}");
    assert!(resumed.stderr.contains(&word), "{resumed:?}");
    place.run(&line.replace("cut", "whole")).done();
    for run in ["icon/siren", "icon/wire", "leaf/siren", "leaf/wire"] {
        let [cut, whole] = ["cut", "whole"].map(|out| format!("{out}/{run}/model.safetensors"));
        assert!(place.bytes(&cut) == place.bytes(&whole), "{run}");
    }

    // Rows of finished runs stay while a model before them is fitted.
    let more = line.replace("siren,wire", "finer,siren,wire");
    place.interrupt(&more, "cut/icon/finer/metrics.jsonl");
    let summary = place.json("cut/compare.json");
    for (input, models) in [
        (0, &["finer", "siren", "wire"][..]),
        (1, &["siren", "wire"]),
    ] {
        let rows = list(&summary["inputs"][input]["models"]).iter();
        let names: Vec<&str> = rows.map(|row| row["model"].as_str().unwrap()).collect();
        assert_eq!(names, models);
    }
    let table = place.text("cut/compare.md");
    assert!(table.contains("finer (interrupted)"), "{table}");
    let html = place.text("cut/report.html");
    assert!(html.contains("finer <span class=\"remark\">interrupted</span></th>"));
}
