//! `report.html` in a real browser: a headless Chromium opens the page with a script that uses it. Without a browser the tests say so and check
//! nothing; `INR_BROWSER` names one that is not found.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use serde_json::Value;

use super::compare::list;
use super::page::SHAPE;
use super::program::{Place, TINY, repository, skipped};

/// How long a busy machine may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// Collects everything that goes wrong, from the first line on.
const LISTEN: &str = "<script>
const problems = [];
addEventListener('error', (event) => problems.push(String(event.message)));
addEventListener('unhandledrejection', (event) => problems.push(String(event.reason)));
for (const kind of ['error', 'warn']) console[kind] = (...words) => problems.push(words.join(' '));
</script>";

fn browser() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("INR_BROWSER") {
        return Some(path.into());
    }
    let names = ["chromium", "chromium-browser", "google-chrome", "chrome"];
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&folders).collect();
    let mut paths = names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    paths.find(|path| path.is_file())
}

/// What the script of the test finds in a page, `width` pixels wide, in a browser with these `flags`.
fn open(place: &Place, page: &str, width: u32, flags: &[&str]) -> Option<Value> {
    let Some(browser) = browser() else {
        skipped("no Chromium was found, so that the page is not opened in one");
        return None;
    };
    let html = place.text(page);
    let html = html.replacen("<head>", &format!("<head>{LISTEN}"), 1);
    let check = format!("<script>{}</script>", include_str!("browser.js"));
    let at = html.rfind("</body>").unwrap();
    let html = format!("{}{check}{}", &html[..at], &html[at..]);

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let said = place.path("browser-said");
    let mut running = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-dev-shm-usage"])
        .args(["--no-first-run", "--disable-background-networking"])
        .args(["--use-angle=swiftshader", "--enable-unsafe-swiftshader"])
        .args(["--enable-logging=stderr"])
        .args(flags)
        .arg(format!("--window-size={width},900"))
        .arg(format!(
            "--user-data-dir={}",
            place.path("browser").display()
        ))
        .arg(format!("http://{address}/"))
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&said).unwrap())
        .spawn()
        .unwrap();
    let (sender, found) = mpsc::channel();
    serve(listener, html, sender);
    let found = found.recv_timeout(PATIENCE);
    running.kill().unwrap();
    running.wait().unwrap();
    let said = std::fs::read_to_string(said).unwrap();
    let Ok(found) = found else {
        panic!("the page did not come to its end:\n{said}");
    };
    let found: Value = serde_json::from_str(&found).unwrap_or_else(|e| panic!("{e}: {found}"));
    assert_eq!(list(&found["problems"]).len(), 0, "{found}");
    let console = said.lines().find(|line| line.contains("CONSOLE"));
    assert_eq!(console, None);
    assert_eq!(
        (&found["broken"], &found["alt"]),
        (&0.into(), &0.into()),
        "{found}"
    );
    assert_eq!(list(&found["loaded"]).len(), 0, "{found}");
    assert_eq!(
        found["wide"], false,
        "the page is wider than the window: {found}"
    );
    Some(found)
}

/// Gives `html` to whoever asks, and passes on what is sent back. A thread for every connection, for browsers open some that they do not use.
fn serve(listener: TcpListener, html: String, found: mpsc::Sender<String>) {
    let html = Arc::new(html);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (html, found) = (Arc::clone(&html), found.clone());
            std::thread::spawn(move || answer(stream, &html, &found));
        }
    });
}

fn answer(stream: TcpStream, html: &str, found: &mpsc::Sender<String>) {
    let mut stream = BufReader::new(stream);
    let (mut request, mut line, mut length) = (String::new(), String::new(), 0);
    // The head ends with an empty line.
    while stream.read_line(&mut line).is_ok_and(|read| read > 2) {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
        request += &std::mem::take(&mut line);
    }
    let mut body = vec![0; length];
    if request.is_empty() || stream.read_exact(&mut body).is_err() {
        return;
    }
    let sent = request.starts_with("POST");
    let answer = if sent { "" } else { html };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        answer.len()
    );
    // A browser that has gone has nothing to be told.
    let _ = stream
        .get_mut()
        .write_all(format!("{head}{answer}").as_bytes());
    if sent {
        let _ = found.send(String::from_utf8(body).unwrap());
    }
}

/// All pictures have one transform at any time; what they have after each of the steps of the script.
fn transforms(found: &Value) -> Vec<String> {
    let steps = list(&found["transforms"]).iter().map(|step| {
        let [one] = list(step) else {
            panic!("pictures are not zoomed alike: {found}");
        };
        one.as_str().unwrap().to_string()
    });
    steps.collect()
}

#[test]
fn pictures_are_zoomed_and_compared_in_a_browser() {
    let place = Place::new();
    let line = format!("compare icon.png --models siren,wire {TINY} --out c");
    place.run(&line).done();
    for width in [1280, 390] {
        let Some(found) = open(&place, "c/report.html", width, &[]) else {
            return;
        };
        // Three pictures, two errors, two of the slider, crops of three places.
        assert_eq!(found["images"], 3 + 2 + 2 + 3 * 3, "{found}");
        assert_eq!(found["curves"], 2);
        let over = list(&found["over"]);
        assert!(over[0].as_str().unwrap().ends_with("over optimizer steps"));
        assert!(
            over[1]
                .as_str()
                .unwrap()
                .ends_with("over seconds of training")
        );
        // All models have begun, and at the end there are those that are not over yet.
        let [start, end] = list(&found["tips"]) else {
            panic!("{found}");
        };
        let last = |model: &str| {
            let report = place.json(&format!("c/{model}/report.json"));
            let curve = list(&report["training"]["curve"]).last().unwrap().clone();
            curve["seconds"].as_f64().unwrap()
        };
        let most = last("siren").max(last("wire"));
        for model in ["siren", "wire"] {
            // At the beginning, the first point of each.
            let report = place.json(&format!("c/{model}/report.json"));
            let first = &report["training"]["curve"][0]["running_psnr_db"];
            let first = format!("{:.2}", first.as_f64().unwrap());
            let pairs: Vec<&[Value]> = list(start).chunks(2).collect();
            assert!(
                pairs.contains(&&[model.into(), first.into()][..]),
                "{start}"
            );
            let lasts = last(model) > 0.996 * most;
            let is_over = last(model) < 0.994 * most;
            let is_shown = list(end).contains(&model.into());
            assert!(if is_shown { !is_over } else { !lasts }, "{end}");
        }

        let transforms = transforms(&found);
        let [start, zoomed, dragged, reset, key, pinched, place_shown] = &transforms[..] else {
            panic!("{found}");
        };
        assert_eq!(start, "translate(0%, 0%) scale(1)");
        assert!(
            zoomed.contains("scale(16") || zoomed.contains("scale(2"),
            "{zoomed}"
        );
        assert_eq!(found["coarse"], true);
        assert_ne!(zoomed, dragged);
        assert_eq!(start, reset);
        assert_eq!(key, "translate(-25%, -25%) scale(1.5)");
        assert!(pinched.ends_with("scale(2)"), "{pinched}");
        assert_ne!(place_shown, start);

        assert_eq!(found["cut"], "inset(0px 0px 0px 25%)");
        assert_eq!(found["button_is_wide"], true, "{found}");
        assert_eq!(
            (&found["over_is_last"], &found["under_is_first"]),
            (&true.into(), &true.into())
        );
        assert_eq!(
            found["copied"],
            "inr fit icon.png --config c/siren/recipe.toml --out c/siren-again --device cpu"
        );
    }
}

/// What the tables of the page show is what the file beside it says, rounded; on a phone, in the dark, with several inputs and seeds.
#[test]
fn figures_in_a_browser_are_those_of_the_comparison() {
    let place = Place::new();
    let line = format!("compare icon.png leaf.png --models siren,wire --seeds 2 {TINY} --out c");
    place.run(&line).done();
    let light = open(&place, "c/report.html", 1280, &[]);
    let dark = ["--blink-settings=preferredColorScheme=0"];
    let Some((light, dark)) = light.zip(open(&place, "c/report.html", 390, &dark)) else {
        return;
    };
    let summary = place.json("c/compare.json");
    let figure = |value: &Value, digits| format!("{:.digits$}", value.as_f64().unwrap());
    for (found, is_dark) in [(&light, false), (&dark, true)] {
        assert_eq!(found["dark"], is_dark, "{found}");
        assert!(found["contrast"].as_f64().unwrap() > 7.0, "{found}");
        assert_eq!(found["seen"], serde_json::json!([["0", "1"], ["1"], ["0"]]));
        // Of the first input, which is the one that is seen, after the means over both.
        let [means, of_input, fits] = list(&found["tables"]) else {
            panic!("{found}");
        };
        let input = &summary["inputs"][0];
        for (table, rows) in [(means, &summary["means"]), (of_input, &input["means"])] {
            for row in list(rows) {
                let psnr = figure(&row["metrics"]["psnr_db"], 2);
                let deviation = figure(&row["standard_deviation"]["psnr_db"], 3);
                let shown = list(table).iter().map(list);
                let mut of_model = shown.filter(|cells| cells[1] == row["model"]);
                let cells = of_model.next().unwrap();
                assert!(
                    cells.contains(&format!("{psnr} ± {deviation}").into()),
                    "{table}"
                );
            }
        }
        for fit in list(&input["models"]) {
            let model = fit["model"].as_str().unwrap();
            let name: Value = format!("{model} seed {}", fit["seed"]).into();
            let psnr: Value = figure(&fit["metrics"]["psnr_db"], 2).into();
            let ssim: Value = figure(&fit["metrics"]["ssim"], 4).into();
            let row = list(fits).iter().map(list).find(|row| row[1] == name);
            let row = row.unwrap_or_else(|| panic!("{name} has no row: {fits}"));
            assert!(row.contains(&psnr) && row.contains(&ssim), "{fits}");
        }
    }
}

#[test]
fn sounds_play_in_a_browser() {
    let place = Place::new();
    std::fs::copy(
        repository().join("assets/chime.wav"),
        place.path("chime.wav"),
    )
    .unwrap();
    let folder = place.fit("chime.wav --model siren --html");
    let Some(found) = open(&place, &format!("{folder}/report.html"), 1280, &[]) else {
        return;
    };
    let report = place.json(&format!("{folder}/report.json"));
    let layout = &report["input"];
    let seconds = layout["frames"].as_f64().unwrap() / layout["sample_rate"].as_f64().unwrap();
    let played = list(&found["seconds"]);
    assert_eq!(played.len(), 2);
    for player in played {
        assert!((player.as_f64().unwrap() - seconds).abs() < 0.01, "{found}");
    }
    assert!(transforms(&found).len() > 3);

    // Windows of 2048 samples, 512 apart, whose middles the times are; bins of 1/2048 of the rate.
    let (rate, frames) = (
        layout["sample_rate"].as_f64().unwrap(),
        layout["frames"].as_f64().unwrap(),
    );
    let windows = ((frames - 2048.0) / 512.0).ceil() + 1.0;
    let first = (1024.0 - 256.0) / rate;
    let half_bin = 0.5 * rate / 2048.0 / 1000.0;
    let axes = [
        (" s", [first, first + windows * 512.0 / rate]),
        (" kHz", [-half_bin, rate / 2000.0 + half_bin]),
    ];
    // At first, then zoomed and moved away from the middle.
    for marks in list(&found["marks"]) {
        let transform = marks["transform"].as_str().unwrap();
        let numbers: Vec<f64> = transform
            .split(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-'))
            .filter_map(|number| number.parse().ok())
            .collect();
        let [x, y, scale] = numbers[..] else {
            panic!("{transform}");
        };
        let begins = [x / 100.0, 1.0 - y / 100.0 - scale];
        // Original, reconstruction and error, and the slider.
        let views = list(&marks["views"]);
        assert_eq!(views.len(), 4);
        assert!(views[0] == views[1] && views[0] == views[2], "{found}");
        for ((unit, [low, high]), begin) in axes.iter().zip(begins) {
            for view in views {
                let mut count = 0;
                for mark in list(view) {
                    let text = mark[0].as_str().unwrap();
                    let Some(value) = text.strip_suffix(unit) else {
                        continue;
                    };
                    count += 1;
                    let value: f64 = value.parse().unwrap();
                    let place = mark[1].as_str().unwrap().trim_end_matches('%');
                    let expected = 100.0 * (begin + scale * (value - low) / (high - low));
                    let place: f64 = place.parse().unwrap();
                    assert!(
                        (place - expected).abs() < 0.01,
                        "{mark} at {transform}, not {expected}"
                    );
                    assert!((0.0..100.0).contains(&place));
                }
                assert!(count > 0, "no numbers in{unit} at {transform}: {found}");
            }
        }
    }
    let [whole, moved] = list(&found["marks"]) else {
        panic!("{found}");
    };
    assert_ne!(whole["views"], moved["views"]);
}

/// Thirteen curves, of which a pointer over all of them shows twelve, and the twelve lowest below all.
#[test]
fn a_pointer_shows_a_dozen_of_many_curves() {
    let place = Place::new();
    let line = format!("compare icon.png --models siren --seeds 13 {TINY} --out c");
    place.run(&line).done();
    let Some(found) = open(&place, "c/report.html", 1280, &[]) else {
        return;
    };
    assert_eq!(found["curves"], 13);
    let seeds = list(&place.json("c/compare.json")["seeds"]).len();
    let mut first: Vec<f64> = (0..seeds)
        .map(|seed| {
            let folder = match seed {
                0 => "siren".to_string(),
                seed => format!("siren-seed{seed}"),
            };
            let report = place.json(&format!("c/{folder}/report.json"));
            let point = &report["training"]["curve"][0];
            point["running_psnr_db"].as_f64().unwrap()
        })
        .collect();
    first.sort_by(|a, b| b.total_cmp(a));
    let shown = |tip: usize| -> Vec<String> {
        let cells = list(&found["tips_of_many"][tip]["values"]);
        let values = cells.iter().skip(1).step_by(2);
        values.map(|v| v.as_str().unwrap().to_string()).collect()
    };
    let written = |values: &[f64]| -> Vec<String> {
        values.iter().map(|value| format!("{value:.2}")).collect()
    };
    assert_eq!(shown(0), written(&first[..12]));
    assert_eq!(shown(1), written(&first[1..]));
    let rest = |tip: usize| &found["tips_of_many"][tip]["rest"];
    assert_eq!(
        (rest(0), rest(1)),
        (&"and 1 more, 0 above".into(), &"and 1 more, 1 above".into())
    );
}

#[test]
fn meshes_are_turned_in_a_browser() {
    let place = Place::new();
    std::fs::copy(repository().join("assets/knot.ply"), place.path("knot.ply")).unwrap();
    place
        .run(&format!("fit knot.ply {SHAPE} --html --out k"))
        .done();
    let Some(found) = open(&place, "k/report.html", 1280, &[]) else {
        return;
    };
    let turns = list(&found["turns"]);
    assert_eq!(turns.len(), 2, "{found}");
    for (turn, painted) in turns.iter().zip(list(&found["painted"])) {
        // From the viewpoint of the previews, then both 22 degrees further.
        assert_eq!(
            (&turn[0], &turn[1]),
            (&"30.0 18.0 1.00".into(), &"8.0 18.0 1.00".into())
        );
        assert!(painted.as_u64().unwrap() > 20, "{found}");
    }

    // One finger turns it back by 22 degrees, whatever its way up.
    assert_eq!(
        (&found["touched"], &found["touch_action"]),
        (&"30.0 18.0 1.00".into(), &"pan-y".into())
    );

    let Some(found) = open(&place, "k/report.html", 1280, &["--disable-3d-apis"]) else {
        return;
    };
    let hint = found["hint"].as_str().unwrap();
    assert!(hint.contains("has no WebGL"), "{hint}");
    assert_eq!(
        (list(&found["turns"]).len(), &found["in_their_place"]),
        (0, &2.into()),
        "previews stand in for the meshes: {found}"
    );
}
