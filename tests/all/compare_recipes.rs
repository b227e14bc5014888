//! `inr compare` with models by several recipes, inputs of one name, and runs that other calls left; names and files that are odd.

use serde_json::Value;

use super::compare::list;
use super::program::{Place, TINY, repository};

/// The names of the models on the first input.
fn models(report: &Value) -> Vec<&str> {
    let rows = list(&report["inputs"][0]["models"]).iter();
    rows.map(|row| row["model"].as_str().unwrap()).collect()
}

#[test]
fn models_by_the_recipes_of_their_authors_stand_beside_ours() {
    let place = Place::new();
    let line = "compare icon.png --models siren,siren:paper,local:paper --steps 2 --batch 64 --device cpu --out c --json";
    let done = place.run(line).done();
    let left_out = "left out, for they have no such recipe for images: grid:paper\n";
    assert!(done.stderr.contains(left_out), "{done:?}");
    let report = done.json();
    assert_eq!(models(&report), ["siren", "siren:paper", "hash-grid:paper"]);
    assert_eq!(report["recipe"], Value::Null);
    let rows = list(&report["inputs"][0]["models"]);
    let recipes: Vec<&Value> = rows.iter().map(|row| &row["recipe"]).collect();
    assert_eq!(recipes, [&Value::Null, &"paper".into(), &"paper".into()]);
    // 2·256 + 256 and three times 256² + 256 in four sine layers, 3·256 + 3 in the last one; ours has as many as the icon has pixels.
    let sizes: Vec<u64> = rows
        .iter()
        .map(|row| row["parameters"].as_u64().unwrap())
        .collect();
    assert_eq!(sizes[1], 768 + 3 * (256 * 256 + 256) + 771);
    assert!((4014..=4178).contains(&sizes[0]), "{sizes:?}");
    assert!(place.path("c/siren-paper/report.json").exists());
    assert!(place.text("c/compare.csv").contains(",siren:paper,paper,"));
    assert!(place.text("c/compare.md").contains("running_psnr_db"));
    // Flags made them other runs than those of the authors, which is said wherever they stand.
    let changes: Vec<&Value> = rows.iter().map(|row| &row["recipe_changes"]).collect();
    let changed = serde_json::json!(["length", "settings"]);
    assert_eq!(changes, [&Value::Null, &changed, &changed]);
    let remark = "| siren:paper (other length and settings) ";
    assert!(place.text("c/compare.md").contains(remark));
    assert!(place.text("c/compare.csv").contains(",length settings,0,"));
    let page = place.text("c/report.html");
    assert!(page.contains("running PSNR, dB</th>") && page.contains("siren:paper"));
    assert!(
        page.contains("<p class=\"note\">Not as theirs in paper: changed: length, settings.</p>")
    );
    assert!(page.contains("changed: length, settings; their finest grid has half"));
    // Another model joins them, and nothing is done again.
    let more = line.replace("local:paper", "local:paper,wire:paper");
    let again = place.run(&more).done();
    assert_eq!(again.stderr.matches("(read back)").count(), 3, "{again:?}");
    assert!(models(&again.json()).contains(&"wire:paper"));
}

/// STAF's authors tell of FINER and SIREN on sounds alone.
#[test]
fn groups_leave_out_models_whose_recipe_is_for_another_kind() {
    let place = Place::new();
    let chime = repository().join("assets/chime.wav");
    std::fs::copy(chime, place.path("chime.wav")).unwrap();
    let sizes = "--set training.steps=1 --batch 64 --params 2k --device cpu --json";
    let line = format!("compare icon.png chime.wav --models all:staf,relu,gauss --out s {sizes}");
    let done = place.run(&line).done();
    let report = done.json();
    let names = |input: usize| -> Vec<&str> {
        let rows = list(&report["inputs"][input]["models"]).iter();
        rows.map(|row| row["model"].as_str().unwrap()).collect()
    };
    assert_eq!(names(0), ["relu", "gauss"]);
    assert!(names(1).contains(&"finer:staf") && names(1).contains(&"siren:staf"));
    let missing = "without siren:staf, finer:staf, whose fits are not all there";
    assert!(
        place.text("s/compare.md").contains(missing),
        "{}",
        place.text("s/compare.md")
    );
    place
        .run(&format!(
            "compare icon.png --models all:staf --out i {sizes}"
        ))
        .refused(
            2,
            &["no model of --models all:staf has the recipe asked for on images"],
        );
}

/// Whose rates were halved on the way was not trained as asked, and is not told apart by its steps.
#[test]
fn fits_that_exploded_say_so_wherever_they_stand() {
    let place = Place::new();
    let line = "compare icon.png --models grid,relu --params 2k --steps 60 --batch 1024 --set training.optimizer.kind=adam --set training.optimizer.learning_rate=300 --device cpu --json --out c";
    let report = place.run(line).done().json();
    let [grid, relu] = list(&report["inputs"][0]["models"]) else {
        panic!("{report}");
    };
    for row in [grid, relu] {
        let folder = row["folder"].as_str().unwrap();
        let own = place.json(&format!("c/{folder}/report.json"));
        let times = own["training"]["restorations"].as_u64().unwrap();
        assert!(times > 1, "{own}");
        assert_eq!(row["restorations"], times);
        let model = row["model"].as_str().unwrap();
        let remark = format!("rates halved {times} times");
        assert!(
            place
                .text("c/compare.md")
                .contains(&format!("| {model} ({remark})"))
        );
        assert!(
            place
                .text("c/report.html")
                .contains(&format!("{model} <span class=\"remark\">{remark}</span>"))
        );
    }
}

/// The file that was compared is found from the folder of a run upwards.
#[test]
fn a_page_that_is_made_from_another_folder_has_the_original() {
    let place = Place::new();
    std::fs::create_dir(place.path("elsewhere")).unwrap();
    place
        .run(&format!("compare icon.png --models siren {TINY} --out c"))
        .done();
    let line = "report ../c -o page.html";
    let mut command = place.command(line);
    place
        .end(line, command.current_dir(place.path("elsewhere")))
        .done();
    let page = place.text("elsewhere/page.html");
    assert!(!page.contains("Neither the original"), "{page}");
    let icon = place.path("icon.png").canonicalize().unwrap();
    assert!(page.contains(&format!("inr fit {} --config", icon.display())));
}

#[test]
fn recipes_behind_a_colon_are_checked() {
    let place = Place::new();
    for (models, words) in [
        ("siren,siren:ours", "--models names siren twice"),
        ("siren:paper --recipe paper", "both name a recipe"),
        ("siren:ours,wire --recipe paper", "both name a recipe"),
        ("siren:papre", "--recipe papre: siren has no such recipe"),
        ("grid:paper", "--recipe paper: grid has no such recipe"),
        (
            "siren:paper --match params",
            "--match params and bytes do not go",
        ),
    ] {
        let line = format!("compare icon.png --models {models} --steps 1 --device cpu");
        place.run(&line).refused(2, &[words]);
    }
    // Ours are matched, whoever stands beside them.
    let line = "compare icon.png --models siren,wire,siren:paper --match params --params 2k --steps 1 --batch 32 --device cpu --json";
    let report = place.run(line).done().json();
    let rows = list(&report["inputs"][0]["models"]);
    let near = |row: &Value| (1900..=2100).contains(&row["parameters"].as_u64().unwrap());
    assert!(near(&rows[0]) && near(&rows[1]), "{report}");
    // Of a size that is asked for, bytes are matched whoever's recipe it is.
    let line = "compare icon.png --models siren,siren:paper,wire:paper --match bytes --params 3k --steps 1 --batch 32 --device cpu --json --out b";
    let report = place.run(line).done().json();
    for row in list(&report["inputs"][0]["models"]) {
        let bytes = row["bytes"].as_f64().unwrap();
        assert!((bytes / 12_000.0 - 1.0).abs() < 0.05, "{report}");
    }
    // Said of sounds once, and of pictures not at all.
    let chime = super::program::repository().join("assets/chime.wav");
    std::fs::copy(chime, place.path("chime.wav")).unwrap();
    for recipe in ["wire:paper", "wire --recipe paper"] {
        let line = format!(
            "compare icon.png chime.wav --models {recipe} --steps 1 --batch 32 --device cpu --out d --force"
        );
        let told = place.run(&line).done().stderr;
        let remark = "by a recipe for pictures, with frequencies and rates for them; on a sound";
        assert_eq!(told.matches(remark).count(), 1, "{told}");
    }
}

#[test]
fn inputs_of_one_name_are_told_apart_by_their_folders() {
    let place = Place::new();
    for (folder, from) in [("a", "icon.png"), ("b", "leaf.png")] {
        std::fs::create_dir(place.path(folder)).unwrap();
        std::fs::copy(place.path(from), place.path(&format!("{folder}/x.png"))).unwrap();
    }
    let line = format!("compare a/x.png b/x.png --models siren {TINY} --out c");
    let tables = place.run(&line).done().stdout;
    assert!(
        tables.contains("## a-x\n") && tables.contains("## b-x\n"),
        "{tables}"
    );
    for name in ["a-x", "b-x"] {
        assert!(place.path(&format!("c/{name}/siren/report.json")).exists());
    }
    let page = place.text("c/report.html");
    assert!(page.contains("<h2>a-x</h2>") && page.contains(">b-x</option>"));
    let again = place.run(&line).done();
    assert_eq!(again.stderr.matches("(read back)").count(), 2, "{again:?}");
    // A page of two comparisons tells them apart as well.
    for folder in ["a", "b"] {
        let line = format!("compare {folder}/x.png --models siren {TINY} --out only-{folder}");
        place.run(&line).done();
    }
    place.run("report only-a only-b -o d.html").done();
    let page = place.text("d.html");
    assert!(page.contains("<h2>a-x</h2>") && page.contains("<h2>b-x</h2>"));
    place
        .run(&format!(
            "compare a/x.png a/../a/x.png --models siren {TINY}"
        ))
        .refused(2, &["a/x.png and a/../a/x.png are the same"]);
}

/// What changes no bit of a run is no reason to make it again.
#[test]
fn runs_are_read_back_with_other_threads_and_from_another_path() {
    let place = Place::new();
    let line = format!("compare icon.png --models siren --seed 3 {TINY} --out c");
    let with = |line: &str, threads: &str| {
        let mut command = place.command(line);
        place
            .end(line, command.env("RAYON_NUM_THREADS", threads))
            .done()
    };
    with(&line, "1");
    let is_read_back =
        |line: &str, threads: &str| with(line, threads).stderr.contains("(read back)");
    assert!(is_read_back(&line, "2"));
    assert!(is_read_back(&line.replace("icon.png", "./icon.png"), "1"));
    // On a page the comparison's name of the file goes.
    let place_of = place.path("icon.png").display().to_string();
    let elsewhere = line
        .replace("icon.png", &place_of)
        .replace("siren", "siren,pe");
    assert!(is_read_back(&elsewhere, "1"));
    place.run("report c c/siren-seed3 -o p.html").done();
    assert_eq!(place.text("p.html").matches("<h2>").count(), 1);
    let line = line.replace("siren", "siren,pe");
    // The run has the folder of its seed, and other seeds join it.
    assert!(is_read_back(&line.replace("--seed 3", "--seeds 3,4"), "1"));
    // Under a clock other threads make other steps.
    let timed = line
        .replace("--steps 20", "--time 0.05s")
        .replace("--out c", "--out t");
    with(&timed, "1");
    let refused = {
        let mut command = place.command(&timed);
        place.end(&timed, command.env("RAYON_NUM_THREADS", "2"))
    };
    refused.refused(2, &["it ran on cpu (1 thread", "not on cpu (2 threads"]);
}

#[test]
fn damaged_tables_and_reports_say_how_to_go_on() {
    let place = Place::new();
    let line = format!("compare icon.png --models siren,wire {TINY} --out c");
    place.run(&line).done();
    for file in ["c/compare.json", "c/siren/report.json"] {
        place.write(file, b"{");
        place
            .run(&line)
            .refused(1, &[file, "is damaged", "delete it and give --resume"]);
        std::fs::remove_file(place.path(file)).unwrap();
        let again = place.run(&format!("{line} --resume")).done();
        let told = match file {
            "c/compare.json" => "siren: psnr_db",
            _ => "siren: resuming at step 20",
        };
        assert!(again.stderr.contains(told), "{again:?}");
        assert!(again.stderr.contains("wire: psnr_db") && again.stderr.contains("(read back)"));
        assert!(place.path(file).exists());
    }
}

#[test]
fn a_folder_is_compared_without_what_cannot_be_read_of_it() {
    let place = Place::new();
    std::fs::create_dir(place.path("all")).unwrap();
    std::fs::copy(place.path("icon.png"), place.path("all/icon.png")).unwrap();
    place.write("all/moving.gif", b"GIF89a\x01\x00\x01\x00\x00\x00\x00;");
    let done = place
        .run(&format!("compare all --models siren {TINY} --out c"))
        .done();
    assert!(
        done.stderr.contains("left out: all/moving.gif is a GIF"),
        "{done:?}"
    );
}

/// A link or a device is not what a page or a picture is written to.
#[cfg(unix)]
#[test]
fn by_force_only_files_are_replaced() {
    let place = Place::new();
    let run = place.fit("icon.png --model siren --out run");
    place.shell("mkfifo pipe.png && mkfifo pipe.html").done();
    for line in [
        format!("report {run} -o pipe.html --force"),
        format!("upsample {run} -o pipe.png --force --device cpu"),
    ] {
        place
            .run(&line)
            .refused(1, &["pipe.", "is not a regular file"]);
    }
    place.write("real.png", b"old");
    std::os::unix::fs::symlink("real.png", place.path("link.png")).unwrap();
    let line = format!("upsample {run} -o link.png --force --device cpu");
    place.run(&line).done();
    assert!(place.path("link.png").is_symlink());
    assert_eq!(place.picture("real.png"), place.picture("link.png"));
}

/// What is printed to go on with can be typed.
#[cfg(unix)]
#[test]
fn names_that_begin_with_a_dash_are_printed_as_paths() {
    let place = Place::new();
    std::fs::copy(place.path("icon.png"), place.path("-x.png")).unwrap();
    let line = "fit --params 2k --batch 64 --steps 1000000 --device cpu --out run -- -x.png";
    let ended = place.interrupt(line, "run/recipe.toml");
    assert!(
        ended.stderr.contains("inr fit ./-x.png --resume"),
        "{ended:?}"
    );
}
