//! `report.html`: what it says is what the reports say, whatever was fitted, and nothing it needs lies elsewhere.

use serde_json::Value;

use super::compare::list;
use super::program::{Place, TINY};

/// A budget that gives the knot a surface.
pub const SHAPE: &str = "--model hash-kan --params 20k --steps 100 --batch 4096 --device cpu";

/// The cells of every row of every table: their text without tags, and the words of entities.
pub fn rows(html: &str) -> Vec<Vec<String>> {
    let rows = html.split("<tr>").skip(1).map(|row| {
        let row = row.split("</tr>").next().unwrap();
        let row = row.replace("</th>", "</td>");
        let cells = row.split("</td>").map(text).filter(|cell| !cell.is_empty());
        cells.collect()
    });
    rows.collect()
}

fn text(html: &str) -> String {
    let mut text = String::new();
    for part in html.split('<') {
        text += part.split_once('>').map_or(part, |(_, text)| text);
    }
    let entities = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ];
    let text = entities
        .iter()
        .fold(text, |text, (entity, c)| text.replace(entity, c));
    text.trim().to_string()
}

/// The JSON that the script draws.
fn data(html: &str) -> Value {
    let (_, rest) = html.split_once("id=\"data\">").unwrap();
    serde_json::from_str(rest.split("</script>").next().unwrap()).unwrap()
}

/// Nothing is loaded from elsewhere.
fn stands_alone(html: &str) {
    for part in html.split("src=\"").skip(1) {
        assert!(part.starts_with("data:"), "{}", &part[..part.len().min(60)]);
    }
    for word in [
        "<link rel=\"stylesheet",
        "@import",
        "url(",
        "//cdn",
        "https:",
    ] {
        assert!(!html.contains(word), "{word}");
    }
    assert!(!html.contains("{{"), "a place was left empty");
}

#[test]
fn the_figures_of_a_comparison_are_those_of_its_reports() {
    let place = Place::new();
    let line = format!("compare icon.png --models siren,wire,hash-kan {TINY} --out c");
    place.run(&line).done();
    let html = place.text("c/report.html");
    stands_alone(&html);
    let summary = place.json("c/compare.json");
    let rows = rows(&html);
    let header = [
        "#",
        "model",
        "PSNR, dB",
        "SSIM",
        "parameters",
        "bytes",
        "steps",
        "seconds",
    ];
    assert_eq!(rows[0], header);
    assert_eq!(rows.len(), 4);
    assert_eq!(summary["command"], format!("inr {line}"));
    assert!(html.contains(&format!("<dt>Command</dt><dd>inr {line}</dd>")));
    let mut last = f64::INFINITY;
    for (index, row) in rows[1..].iter().enumerate() {
        let models = list(&summary["inputs"][0]["models"]);
        let model = models
            .iter()
            .find(|model| model["model"] == *row[1])
            .unwrap();
        let report = place.json(&format!("c/{}/report.json", row[1]));
        let figure = |value: &Value, digits| format!("{:.digits$}", value.as_f64().unwrap());
        let plain = |cell: &str| cell.replace(',', "");
        assert_eq!(row[0], (index + 1).to_string());
        assert_eq!(plain(&row[4]), model["parameters"].to_string());
        assert_eq!(plain(&row[5]), model["bytes"].to_string());
        assert_eq!(report["model"]["bytes"], model["bytes"]);
        assert_eq!(row[6], "20");
        assert_eq!(row[7], figure(&model["seconds"], 1));
        assert_eq!(row[2], figure(&model["metrics"]["psnr_db"], 2));
        assert_eq!(row[3], figure(&model["metrics"]["ssim"], 4));
        // Ranked by the leading metric.
        let psnr = model["metrics"]["psnr_db"].as_f64().unwrap();
        assert!(psnr <= last);
        last = psnr;
        let curves = &data(&html)["inputs"][0]["curves"];
        let curve = list(curves)
            .iter()
            .find(|curve| curve["name"] == *row[1])
            .unwrap();
        let points = list(&report["training"]["curve"]);
        assert_eq!(list(&curve["steps"]).len(), points.len());
        let (drawn, value) = (&curve["values"][0], &points[0]["running_psnr_db"]);
        assert!((drawn.as_f64().unwrap() - value.as_f64().unwrap()).abs() < 1e-3);
        // Its recipe and the command that repeats it.
        let recipe = place.text(&format!("c/{}/recipe.toml", row[1]));
        assert!(html.contains(&format!("<pre>{}</pre>", recipe.replace('"', "&quot;"))));
        assert!(html.contains(&format!(
            "inr fit icon.png --config c/{}/recipe.toml",
            row[1]
        )));
    }
    // Original, reconstruction and error of each; 64 pixels are as they are.
    assert_eq!(html.matches("class=\"view seen\"").count(), 4);
    assert_eq!(html.matches("class=\"view error\"").count(), 3);
    assert_eq!(html.matches("width=\"64\" height=\"64\"").count(), 7);
    assert_eq!(
        list(&data(&html)["inputs"][0]["spectra"]["errors"]).len(),
        3
    );
    assert!(html.contains("Where they differ most"));

    // The commands of the page do what they say.
    #[cfg(unix)]
    {
        let (_, all) = html.split_once("All of them</summary>").unwrap();
        let (_, all) = all.split_once("<code>").unwrap();
        place.shell(all.split("</code>").next().unwrap()).done();
        for model in ["siren", "wire", "hash-kan"] {
            let weights = |end: &str| place.bytes(&format!("c/{model}{end}/model.safetensors"));
            assert!(weights("") == weights("-again"), "{model}");
        }
        let again = self::rows(&place.text("icon-again.html"));
        for (row, other) in rows.iter().zip(&again) {
            assert_eq!((&row[1], &row[2..4]), (&other[1], &other[2..4]));
        }
    }

    // Made again from the folders it is the same page.
    place
        .run("report c")
        .failed(1, &["c/report.html already exists", "--force"]);
    assert_eq!(
        place.run("report c --force").done().stdout,
        "c/report.html\n"
    );
    assert!(place.text("c/report.html") == html);
}

#[cfg(unix)]
#[test]
fn names_of_files_cannot_become_parts_of_the_page() {
    let place = Place::new();
    let name = "a<b>&\"c'<script>alert(1)</script>".replace('/', "\u{2215}");
    std::fs::copy(place.path("icon.png"), place.path(&format!("{name}.png"))).unwrap();
    let line = format!("compare {name}.png --models siren,wire {TINY} --out c");
    place.run(&line).done();
    let html = place.text("c/report.html");
    assert!(html.contains("a&lt;b&gt;&amp;&quot;c&#39;&lt;script&gt;alert(1)"));
    assert!(!html.contains("a<b>") && !html.contains("<script>alert"));
    // As a word of a shell: 'a<b>&"c'\''<script>…'
    assert!(html.contains("&#39;a&lt;b&gt;&amp;&quot;c&#39;\\&#39;&#39;&lt;script"));
    data(&html);
    stands_alone(&html);
}

#[test]
fn one_run_has_a_page_when_asked_for_and_later_too() {
    let place = Place::new();
    let folder = place.fit("icon.png --model siren");
    let page = format!("{folder}/report.html");
    assert!(!place.path(&page).exists());
    assert_eq!(
        place.run(&format!("report {folder}")).done().stdout,
        format!("{page}\n")
    );
    let html = place.text(&page);
    stands_alone(&html);
    assert!(html.contains("<title>siren on icon</title>"));
    // There is nothing to rank.
    assert_eq!(rows(&html)[0][0], "model");
    assert!(!html.contains("<strong>") && html.contains("Where the error is largest"));
    assert!(html.contains("64 x 64, RGB, 8 bit"));

    let asked = place.fit("icon.png --model siren --html --out asked");
    assert_eq!(asked, "asked");
    let asked = place.text("asked/report.html");
    assert_eq!(rows(&asked)[0], rows(&html)[0]);
    assert!(place.text("asked/report.json").contains("\"report.html\""));
    place
        .run("fit icon.png --resume --steps 30 --out asked --device cpu")
        .done();
    assert!(place.text("asked/report.html") != asked);
    let ended = place
        .run(&format!("report {folder} -o p.html --json"))
        .done();
    assert_eq!(ended.json()["file"], "p.html");
    assert!(place.text("p.html") == html);
}

#[test]
fn runs_of_one_input_share_a_page() {
    let place = Place::new();
    place.fit("icon.png --model siren --out a");
    place.fit("icon.png --model wire --out b");
    place.fit("icon.png --model wire --seed 1 --out d");
    place.fit("icon.png --model wire --seed 1 --out e");
    place
        .run("report a b")
        .failed(2, &["several folders", "-o FILE"]);
    place.run("report a b -o p.html").done();
    let html = place.text("p.html");
    assert!(html.contains("<title>siren and wire on icon</title>"));
    assert_eq!(rows(&html).len(), 3);
    assert_eq!(html.matches("class=\"view seen\"").count(), 3);
    // Of one model and one seed the folders tell runs apart.
    place.run("report b d e -o q.html").done();
    let names: Vec<String> = rows(&place.text("q.html"))[1..]
        .iter()
        .map(|row| row[1].clone())
        .collect();
    for name in ["wire seed 0", "wire (d) seed 1", "wire (e) seed 1"] {
        assert!(names.contains(&name.to_string()), "{names:?}");
    }
    // Nor are runs with other recipes one model with several seeds.
    place.fit("icon.png --model wire --seed 2 --set training.schedule.warmup=0.1 --out f");
    place.run("report b f -o r.html").done();
    let html = place.text("r.html");
    assert!(!html.contains("Means over"));
    let mut names = [&rows(&html)[1][1], &rows(&html)[2][1]];
    names.sort_unstable();
    assert_eq!(names, ["wire (b) seed 0", "wire (f) seed 2"]);
}

#[test]
fn the_runs_of_comparisons_share_a_page() {
    let place = Place::new();
    for (line, folder) in [
        ("compare icon.png --models siren,wire", "x"),
        ("compare leaf.png icon.png --models gauss", "y"),
        ("compare icon.png --models siren --holdout 2", "held"),
        ("fit icon.png --model finer", "z"),
    ] {
        let line = format!("{line} {TINY} --out {folder}");
        place.run(&line).done();
    }
    place.run("report x y z -o p.html").done();
    let html = place.text("p.html");
    assert!(html.contains("<title>siren, wire, gauss and finer on 2 inputs</title>"));
    let names: Vec<String> = rows(&html).iter().map(|row| row[1].clone()).collect();
    // A table for each picture, with a header.
    let mut of_icon = names[1..5].to_vec();
    of_icon.sort_unstable();
    assert_eq!(of_icon, ["finer", "gauss", "siren", "wire"]);
    // A single row has no place before its name.
    assert_eq!((rows(&html).len(), &*rows(&html)[6][0]), (7, "gauss"));

    place
        .run("report x held -o q.html")
        .refused(2, &["held is a comparison with --holdout", "alone"]);

    // Models with other recipes are told apart as a whole, and a run that is named twice is there once.
    for (flags, folder) in [
        ("--models siren,wire", "two"),
        ("--models siren --set training.schedule.warmup=0.1", "other"),
    ] {
        let line = format!("compare icon.png --seeds 2 {flags} {TINY} --out {folder}");
        place.run(&line).done();
    }
    place.run("report two other two/siren -o r.html").done();
    let html = place.text("r.html");
    assert!(html.contains("Means over 2 seeds"));
    let rows = rows(&html);
    let mut names: Vec<&str> = rows.iter().map(|row| &*row[1]).collect();
    names.retain(|name| name.contains("siren") || name.contains("wire"));
    names.sort_unstable();
    let both = ["siren (other)", "siren (two)", "wire"];
    let fits = both.map(|name| [0, 1].map(|seed| format!("{name} seed {seed}")));
    let mut expected = [both.map(String::from).to_vec(), fits.concat()].concat();
    expected.sort_unstable();
    assert_eq!(names, expected);
}

#[test]
fn several_inputs_and_seeds_begin_with_their_means() {
    let place = Place::new();
    let line = format!("compare icon.png leaf.png --models siren,wire --seeds 0,1 {TINY} --out c");
    place.run(&line).done();
    let html = place.text("c/report.html");
    stands_alone(&html);
    let (means, sections) = (
        html.find("Means over 2 inputs and 2 seeds"),
        html.find("class=\"input\""),
    );
    assert!(means.unwrap() < sections.unwrap());
    let summary = place.json("c/compare.json");
    let rows = rows(&html);
    for mean in list(&summary["means"]) {
        let row = rows
            .iter()
            .find(|row| row[1] == *mean["model"].as_str().unwrap())
            .unwrap();
        let figure = |value: &Value, digits| format!("{:.digits$}", value.as_f64().unwrap());
        let psnr = figure(&mean["metrics"]["psnr_db"], 2);
        let deviation = figure(&mean["standard_deviation"]["psnr_db"], 3);
        assert!(row.contains(&format!("{psnr} ± {deviation}")), "{row:?}");
    }
    // So does every input.
    for (index, input) in list(&summary["inputs"]).iter().enumerate() {
        for mean in list(&input["means"]) {
            let model = mean["model"].as_str().unwrap();
            let mut shown = rows.iter().filter(|row| row[1] == *model);
            let row = shown.nth(1 + index).unwrap();
            let figure = |value: &Value, digits| format!("{:.digits$}", value.as_f64().unwrap());
            let psnr = figure(&mean["metrics"]["psnr_db"], 2);
            let deviation = figure(&mean["standard_deviation"]["psnr_db"], 3);
            assert!(row.contains(&format!("{psnr} ± {deviation}")), "{row:?}");
        }
    }
    // Every fit has a row, and the first seed of every model has pictures: two inputs, the original and two models.
    assert_eq!(
        rows.iter().filter(|row| row[1].contains(" seed ")).count(),
        8
    );
    assert_eq!(html.matches("class=\"view seen\"").count(), 6);
    // Seeds share the colour of their model, and those after the first are paler.
    let data = data(&html);
    let [first, second, other, _] = list(&data["inputs"][1]["curves"]) else {
        panic!("four curves")
    };
    let style = |curve: &Value, field: &str| curve["style"][field].clone();
    assert_eq!(style(first, "colour"), style(second, "colour"));
    assert_ne!(style(first, "colour"), style(other, "colour"));
    assert_eq!(style(first, "opacity"), 1.0);
    assert!(style(second, "opacity").as_f64().unwrap() < 1.0);
    assert!(html.contains("<select id=\"input\">"));
}

#[test]
fn filters_stand_beside_models_that_were_held_out() {
    let place = Place::new();
    let line = format!("compare icon.png --models siren --holdout 2 {TINY} --out c");
    place.run(&line).done();
    let html = place.text("c/report.html");
    assert!(html.contains("reduced by 2 (area)"));
    let rows = rows(&html);
    let bicubic = rows.iter().find(|row| row[1] == "bicubic").unwrap();
    let parameters = rows[0].iter().position(|name| name == "parameters");
    assert_eq!(bicubic[parameters.unwrap()], "–");
    assert_ne!(bicubic[2], "–");
    let filters = list(&place.json("c/compare.json")["inputs"][0]["models"]).len();
    // All at full size.
    assert_eq!(html.matches("class=\"view seen\"").count(), filters + 1);
    assert_eq!(html.matches("class=\"view error\"").count(), filters);
    assert!(html.contains("inr fit c/reduced.png --config c/siren/recipe.toml"));
}

#[test]
fn sounds_can_be_heard_and_shapes_be_turned() {
    let place = Place::new();
    let assets = super::program::repository().join("assets");
    for name in ["chime.wav", "knot.ply"] {
        std::fs::copy(assets.join(name), place.path(name)).unwrap();
    }
    place
        .run(&format!(
            "compare chime.wav --models siren,wire {TINY} --out s"
        ))
        .done();
    let html = place.text("s/report.html");
    stands_alone(&html);
    assert_eq!(html.matches("<audio controls").count(), 3);
    assert_eq!(html.matches("data:audio/wav;base64,UklGR").count(), 3);
    assert_eq!(html.matches("class=\"view error\"").count(), 2);
    assert_eq!(
        rows(&html)[0][2..6],
        ["SNR, dB", "PSNR, dB", "SI-SDR, dB", "LSD"]
    );
    assert_eq!(
        data(&html)["inputs"][0]["spectra"]["axis"],
        "frequency, kHz"
    );

    place
        .run(&format!("fit knot.ply {SHAPE} --html --out k"))
        .done();
    let html = place.text("k/report.html");
    stands_alone(&html);
    let data = data(&html);
    let input = &data["inputs"][0];
    assert_eq!(list(&input["meshes"]).len(), 2);
    assert!(input["meshes"][0]["faces"].as_str().unwrap().len() > 1000);
    assert_eq!(input["view"]["up"], 2);
    assert!(html.contains("Previews") && html.contains("class=\"mesh\""));
}

#[test]
fn a_network_without_a_surface_has_a_page_too() {
    let place = Place::new();
    std::fs::copy(
        super::program::repository().join("assets/knot.ply"),
        place.path("knot.ply"),
    )
    .unwrap();
    // So early the features say nothing yet.
    let folder = place.fit("knot.ply --model hash-kan --html");
    let html = place.text(&format!("{folder}/report.html"));
    assert!(html.contains("There is no surface in ") && html.contains("class=\"mesh\""));
}

#[test]
fn what_is_lost_is_said_and_the_rest_is_shown() {
    let place = Place::new();
    place
        .run(&format!(
            "compare icon.png --models siren,wire {TINY} --out c"
        ))
        .done();
    std::fs::remove_file(place.path("icon.png")).unwrap();
    std::fs::remove_dir_all(place.path("c/wire")).unwrap();
    place.run("report c --force").done();
    let html = place.text("c/report.html");
    assert!(html.contains("Neither the original nor errors are shown: "));
    assert_eq!(html.matches("class=\"view seen\"").count(), 1);
    assert_eq!(rows(&html).len(), 3);
    // Another file of that name is not taken for the original.
    let is_another = || {
        place.run("report c --force").done();
        let html = place.text("c/report.html");
        html.contains("icon.png is another file now")
    };
    std::fs::copy(place.path("leaf.png"), place.path("icon.png")).unwrap();
    assert!(is_another());
    let icon = super::program::repository().join("assets/icon.png");
    std::fs::copy(icon, place.path("icon.png")).unwrap();
    assert!(!is_another());
    place.negate("icon.png");
    assert!(is_another());
}

#[test]
fn what_has_no_page_is_refused_in_a_sentence() {
    let place = Place::new();
    std::fs::create_dir(place.path("empty")).unwrap();
    place
        .run("report empty")
        .failed(2, &["empty holds neither", "report.json", "compare.json"]);
    place
        .run("report icon.png")
        .failed(2, &["icon.png is a file", "folder"]);
    place
        .run("report nowhere")
        .failed(2, &["no folder nowhere"]);
    let folder = place.fit("icon.png --model siren");
    place
        .run(&format!("report {folder} empty -o p.html"))
        .failed(2, &["empty holds neither"]);
    // Without its reconstruction a run still has figures.
    std::fs::remove_file(place.path(&format!("{folder}/reconstruction.png"))).unwrap();
    place.run(&format!("report {folder}")).done();
    let html = place.text(&format!("{folder}/report.html"));
    assert_eq!(
        (
            rows(&html).len(),
            html.matches("class=\"view error\"").count()
        ),
        (2, 0)
    );
    place.write(&format!("{folder}/report.json"), "{");
    place
        .run(&format!("report {folder} --force"))
        .failed(1, &["report.json is damaged"]);
}
