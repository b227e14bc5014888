//! Columns that only some pages have.

use super::compare::list;
use super::page::rows;
use super::program::Place;

/// What authors quote stands beside what is measured, and places among kinds below the means.
#[test]
fn recipes_of_authors_and_inputs_of_several_kinds_have_their_columns() {
    let place = Place::new();
    let chime = super::program::repository().join("assets/chime.wav");
    std::fs::copy(chime, place.path("chime.wav")).unwrap();
    let line = "compare icon.png chime.wav --models siren,wire --recipe paper --steps 2 --batch 64 --device cpu --out c";
    place.run(line).done();
    let html = place.text("c/report.html");
    let summary = place.json("c/compare.json");
    assert!(html.contains("<dt>Recipe</dt><dd>paper</dd>"));
    assert!(html.contains("<h2>Places among 2 inputs of all kinds</h2>"));
    let rows = rows(&html);
    let ranks = list(&summary["ranks"]);
    assert_eq!(ranks.len(), 2);
    assert_eq!(rows[0], ["#", "model", "rank", "wins"]);
    for row in &rows[1..3] {
        let rank = ranks.iter().find(|rank| rank["model"] == *row[1]).unwrap();
        assert_eq!(row[2], format!("{:.2}", rank["rank"].as_f64().unwrap()));
        assert_eq!(row[3], rank["wins"].to_string());
    }
    assert_eq!(rows[3][2..5], ["PSNR, dB", "SSIM", "running PSNR, dB"]);
    // Two steps are not what they ran.
    let (name, remark) = rows[4][1].split_once(' ').unwrap();
    assert_eq!(remark, "other length and settings");
    let model = list(&summary["inputs"][0]["models"])
        .iter()
        .find(|model| model["model"] == name)
        .unwrap();
    let curve = place.json(&format!("c/icon/{name}/report.json"));
    let curve = list(&curve["training"]["curve"]);
    let last = &curve.last().unwrap()["running_psnr_db"];
    assert_eq!(model["running_psnr_db"], *last);
    assert_eq!(rows[4][4], format!("{:.2}", last.as_f64().unwrap()));
    // Joined with runs of another recipe, those of authors say that they are.
    place.fit("icon.png --model siren --out ours");
    for (folders, is_mixed) in [("c", false), ("c c/icon/siren", false), ("c ours", true)] {
        place
            .run(&format!("report {folders} -o d.html --force"))
            .done();
        let page = place.text("d.html");
        assert!(page.contains("running PSNR, dB</th>"), "{folders}");
        assert_eq!(page.contains("siren:paper"), is_mixed, "{folders}");
        assert_eq!(page.contains("<dt>Recipe</dt>"), !is_mixed, "{folders}");
    }
}

/// A model that is larger than the others is not taken for one of their size.
#[test]
fn a_model_that_cannot_have_the_size_asked_for_says_so() {
    let place = Place::new();
    let line = "compare icon.png --models siren,hash-kan --params 200 --steps 1 --batch 32 --device cpu --out c";
    let table = place.run(line).done().stdout;
    assert!(table.contains("| siren ") && table.contains("| hash-kan (larger than asked) |"));
    let summary = place.json("c/compare.json");
    let models = list(&summary["inputs"][0]["models"]);
    assert_eq!(models[0]["off_size"], serde_json::Value::Null);
    assert_eq!(models[1]["off_size"], "larger");
    assert!(models[1]["parameters"].as_u64().unwrap() > 206);
    assert!(
        place
            .text("c/report.html")
            .contains(">larger than asked</span>")
    );
    let data = place.text("c/compare.csv");
    assert!(data.contains(",larger,") && !data.contains(",smaller,"));
    // So do the mean over inputs and a page of several folders.
    let line = "compare icon.png leaf.png --models siren,hash-kan --params 200 --steps 1 --batch 32 --device cpu --out d";
    let tables = place.run(line).done().stdout;
    let marked = tables.matches("| hash-kan (larger than asked) |");
    assert_eq!(marked.count(), 3, "{tables}");
    place.run("report c d -o e.html").done();
    let page = place.text("e.html");
    assert!(page.contains(">larger than asked</span>"));
}
