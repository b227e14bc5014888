//! What ends a run: steps, seconds, and the PSNR that is asked for.

use serde_json::Value;

use super::program::Place;

#[test]
fn the_first_limit_that_is_reached_ends_the_run() {
    let place = Place::new();
    let stopped = |flags: &str, code: i32| {
        let line = format!(
            "fit icon.png --model siren --params 1k --batch 256 --device cpu --force --json {flags}"
        );
        let report = place.run(&line).coded(code).json();
        assert_eq!(report, place.json("out/icon-siren/report.json"));
        report
    };
    let by_time = stopped("--time 0.3s", 0);
    assert_eq!(by_time["training"]["stopped_by"], "time");
    assert!(by_time["training"]["seconds"].as_f64().unwrap() >= 0.3);
    assert_eq!(stopped("--time 1h --steps 7", 0)["training"]["steps"], 7);

    let reached = stopped("--steps 3000 --target-psnr 14", 0);
    assert_eq!(reached["training"]["stopped_by"], "target");
    assert!(reached["metrics"]["psnr_db"].as_f64().unwrap() >= 14.0);
    assert!(reached["training"]["steps"].as_u64().unwrap() < 3000);

    let missed = stopped("--steps 5 --target-psnr 90", 3);
    assert_eq!(missed["training"]["stopped_by"], "steps");
    assert_eq!(missed["training"]["steps"], 5);
}

/// The last running PSNR of a report and its final one, in dB.
fn last_and_final(report: &Value) -> [f64; 2] {
    let curve = report["training"]["curve"].as_array().unwrap();
    let running = &curve.last().unwrap()["running_psnr_db"];
    [running, &report["metrics"]["psnr_db"]].map(|db| db.as_f64().unwrap())
}

/// PSNR of a sound is that of full scale, which a quiet one reaches with larger errors of what is learnt.
#[test]
fn a_quiet_sound_reaches_its_target_when_a_loud_one_does() {
    let place = Place::new();
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    // A 64th of the loudness is 36.12 dB.
    let runs = [(0.5_f32, "15"), (0.5 / 64.0, "51.12")].map(|(peak, target)| {
        let path = place.path("sound.wav");
        let mut writer = hound::WavWriter::create(path, spec).unwrap();
        for frame in 0..512 {
            let value = peak * (0.05 * frame as f32).sin();
            writer.write_sample(value).unwrap();
        }
        writer.finalize().unwrap();
        let line = format!("fit sound.wav --model siren --params 1k --steps 3000 --batch 256 --device cpu --force --json --target-psnr {target}");
        let report = place.run(&line).done().json();
        let training = &report["training"];
        assert_eq!(training["stopped_by"], "target", "{training}");
        // The mean of the last 20 batches, of a fit that grows by less than 3 dB in them.
        let [last, psnr_db] = last_and_final(&report);
        assert!((psnr_db - last).abs() < 3.0, "{last} for {psnr_db}");
        (training["steps"].as_u64().unwrap(), last)
    });
    assert_eq!(runs[0].0, runs[1].0);
    let louder_db = 20.0 * 64.0_f64.log10();
    assert!((runs[1].1 - runs[0].1 - louder_db).abs() < 0.01, "{runs:?}");
}

/// The running PSNR, over the last 20 batches, lags behind in a run of 15; what counts is measured at the end.
#[test]
fn a_target_that_the_last_steps_reach_is_reached() {
    let place = Place::new();
    let run = |flags: &str| {
        let line = format!(
            "fit icon.png --model siren --params 2k --steps 15 --device cpu --force --json {flags}"
        );
        place.run(&line).done().json()
    };
    let free = run("");
    let [running, measured] = last_and_final(&free);
    assert!(measured > running + 0.2, "{measured} and {running}");
    let aimed = run(&format!("--target-psnr {}", measured - 0.1));
    assert_eq!(aimed["training"]["steps"], 15);
    assert_eq!(aimed["training"]["stopped_by"], "target");
    assert_eq!(aimed["metrics"], free["metrics"]);
}

/// There the running PSNR is that of values within the cells, which stays below that of the pixels.
#[test]
fn a_target_ends_a_run_for_upsampling() {
    let place = Place::new();
    let run = |flags: &str| {
        let line = format!(
            "fit icon.png --for upsampling --params 8k --steps 200 --device cpu --force --json {flags}"
        );
        place.run(&line).done().json()
    };
    let free = run("");
    let [running, measured] = last_and_final(&free);
    assert!(measured > running + 0.5, "{measured} and {running}");
    let aimed = run(&format!("--target-psnr {}", 0.5 * (measured + running)));
    assert_eq!(aimed["training"]["stopped_by"], "target");
    let steps = aimed["training"]["steps"].as_u64().unwrap();
    assert!(steps < 200, "{steps}");
}

/// A picture of one grey but for four pixels: the first batches have next to no error, and the first with the rest is no explosion.
#[test]
fn a_flat_picture_with_a_rare_detail_is_no_explosion() {
    let place = Place::new();
    let mut picture = image::GrayImage::from_pixel(256, 256, image::Luma([128]));
    for (x, y) in [(100, 60), (101, 60), (100, 61), (101, 61)] {
        picture.put_pixel(x, y, image::Luma([255]));
    }
    picture.save(place.path("dot.png")).unwrap();
    let line = "fit dot.png --params 2k --batch 1024 --steps 150 --device cpu --json";
    let report = place.run(line).done().json();
    assert_eq!(report["training"]["restorations"], 0);
}

/// What is lost of a run that ended at its target is made again of the same weights, and going on with it changes nothing.
#[test]
fn a_run_that_reached_its_target_is_not_trained_further() {
    let place = Place::new();
    let line = "icon.png --params 1k --batch 256 --steps 3000 --target-psnr 12 --device cpu";
    let fit = format!("fit {line} --model siren --out run");
    place.run(&fit).done();
    let compare = format!("compare {line} --models siren --out c");
    place.run(&compare).done();
    for (folder, again) in [
        ("run", format!("{fit} --resume")),
        ("c/siren", compare.clone()),
    ] {
        let file = |name: &str| format!("{folder}/{name}");
        let model = place.bytes(&file("model.safetensors"));
        let steps = place.json(&file("report.json"))["training"]["steps"].clone();
        std::fs::remove_file(place.path(&file("reconstruction.png"))).unwrap();
        place.run(&again).done();
        assert!(place.path(&file("reconstruction.png")).exists());
        assert!(place.bytes(&file("model.safetensors")) == model, "{folder}");
        let report = place.json(&file("report.json"));
        assert_eq!(report["training"]["steps"], steps, "{folder}");
        assert_eq!(report["training"]["stopped_by"], "target", "{folder}");
    }
    // Which models missed it is said.
    let missed = "compare icon.png --models grid,siren --params 1k --steps 2 --target-psnr 90 --device cpu --out d";
    let ended = place.run(missed).coded(3);
    let told = "the target was not reached by grid, siren; give more --steps";
    assert!(ended.stderr.contains(told), "{ended:?}");
}
