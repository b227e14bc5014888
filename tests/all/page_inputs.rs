//! Pages of runs that were made in several folders: which of them are of one input, and where it lies.

use super::page::rows;
use super::program::{Place, TINY};

/// Fits `file` from within `folder`, into its `out`.
fn fit_in(place: &Place, folder: &str, file: &str, model: &str) {
    let line = format!("fit {file} --model {model} {TINY}");
    let mut command = place.command(&line);
    command.current_dir(place.path(folder));
    place.end(&line, &mut command).done();
}

#[test]
fn inputs_are_told_by_their_content_and_not_by_their_names() {
    let place = Place::new();
    for folder in ["a", "b"] {
        std::fs::create_dir(place.path(folder)).unwrap();
        let copy = place.path(folder).join("x.png");
        std::fs::copy(place.path("icon.png"), copy).unwrap();
    }
    place.negate("b/x.png");
    fit_in(&place, "a", "x.png", "siren");
    fit_in(&place, "b", "x.png", "relu");
    // Pictures of one size and one name are two.
    place
        .run("report a/out/x-siren b/out/x-relu -o two.html")
        .done();
    let html = place.text("two.html");
    assert!(html.contains("<title>siren and relu on 2 inputs</title>"));
    for file in ["a/x.png --config", "b/x.png --config"] {
        assert!(html.contains(file), "{html}");
    }
    assert!(!html.contains("another file now"));

    // One picture under two names is one.
    let whole = place.path("a/x.png").display().to_string();
    place.fit(&format!("{whole} --model relu --out again"));
    place.run("report a/out/x-siren again -o one.html").done();
    let html = place.text("one.html");
    assert!(html.contains("<title>siren and relu on x</title>"));
    assert_eq!(rows(&html).len(), 3);

    // Another file of that name lies where the command is given.
    let line = "report ../a/out/x-siren -o beside.html";
    let mut command = place.command(line);
    command.current_dir(place.path("b"));
    place.end(line, &mut command).done();
    let html = place.text("b/beside.html");
    assert!(!html.contains("another file now"));
    assert!(html.contains("a/x.png --config"), "{html}");
}

#[test]
fn the_commands_of_a_page_name_the_file_as_it_is_called_now() {
    let place = Place::new();
    let line = |file: &str| format!("compare {file} --models siren,relu --out c {TINY}");
    place.run(&line("icon.png")).done();
    std::fs::rename(place.path("icon.png"), place.path("mark.png")).unwrap();
    let again = place.run(&line("mark.png")).done();
    assert_eq!(again.stderr.matches("read back").count(), 2, "{again:?}");
    let html = place.text("c/report.html");
    assert!(html.contains("inr fit mark.png --config"));
    assert!(!html.contains("inr fit icon.png"));
}
