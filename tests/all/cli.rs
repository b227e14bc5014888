//! Every command but `fit`, end to end, and every example of the help.

use image::{ColorType, DynamicImage, GenericImageView};
use serde_json::{Value, json};

use super::cli_fit::presets;
use super::program::{Place, repository};

/// A place with a fitted RGB picture in `run`.
fn fitted() -> Place {
    let place = Place::new();
    place.fit("icon.png --model siren --out run");
    place
}

/// Every picture with one model, and every model with one picture.
fn pictures_and_models(place: &Place) -> Vec<(&'static str, String)> {
    let of_siren = ["leaf.png", "gradient16.png"].map(|name| (name, "siren".to_string()));
    let of_icon = presets(place).into_iter().map(|model| ("icon.png", model));
    of_icon.chain(of_siren).collect()
}

/// Renders `run` with the flags; the answer is the picture.
fn upsampled(place: &Place, flags: &str) -> DynamicImage {
    let line = format!("upsample run --device cpu {flags} -o render.png --force");
    assert_eq!(place.run(&line).done().stdout, "render.png\n");
    place.picture("render.png")
}

#[test]
fn a_model_is_rendered_at_every_size() {
    let place = fitted();
    for (flags, size) in [
        ("", (256, 256)),
        ("--scale 1", (64, 64)),
        ("--scale 0.5", (32, 32)),
        ("--scale 2x3", (128, 192)),
        ("--scale 0.001", (1, 1)),
        ("--size 100x37", (100, 37)),
        ("--crop 8,16,20,12 --scale 2", (40, 24)),
        ("--crop 8,16,20,12 --size 7x9", (7, 9)),
        ("--crop 0.5,0.25,1.5,3 --scale 4", (6, 12)),
    ] {
        let picture = upsampled(&place, flags);
        assert_eq!(picture.dimensions(), size, "{flags}");
        assert_eq!(picture.color(), ColorType::Rgb8, "{flags}");
    }
}

#[test]
fn scale_1_is_the_reconstruction_and_a_crop_is_cut_from_the_whole() {
    let place = Place::new();
    for (name, model) in pictures_and_models(&place) {
        place.fit(&format!("{name} --model {model} --out run --force"));
        let reconstruction = place.picture("run/reconstruction.png");
        assert!(
            upsampled(&place, "--scale 1") == reconstruction,
            "{name} {model}"
        );
        let whole = upsampled(&place, "--scale 4");
        let part = upsampled(&place, "--crop 8,16,20,12 --scale 4");
        assert!(whole.crop_imm(32, 64, 80, 48) == part, "{name} {model}");
    }
}

#[test]
fn a_smaller_picture_is_the_average_of_a_larger_one() {
    let place = fitted();
    let (large, small) = (
        upsampled(&place, "--scale 1"),
        upsampled(&place, "--scale 0.5"),
    );
    // Half the size takes 2 × 2 points a pixel, the pixels of the whole size; all that differs is that those were rounded first.
    for (x, y, pixel) in small.pixels() {
        for channel in 0..3 {
            let of = |dx, dy| f64::from(large.get_pixel(2 * x + dx, 2 * y + dy)[channel]);
            let mean = (of(0, 0) + of(1, 0) + of(0, 1) + of(1, 1)) / 4.0;
            assert!((mean - f64::from(pixel[channel])).abs() <= 1.0, "{x},{y}");
        }
    }
}

#[test]
fn sixteen_bits_refine_eight() {
    let place = fitted();
    let eight = upsampled(&place, "--scale 2").to_rgb8();
    let sixteen = upsampled(&place, "--scale 2 --bit-depth 16");
    assert_eq!(sixteen.color(), ColorType::Rgb16);
    let sixteen = sixteen.to_rgb16();
    // 65535 = 257 × 255, so both stand for the same value up to half a step of the coarser one (and half of the finer one).
    for (a, b) in eight.as_raw().iter().zip(sixteen.as_raw()) {
        assert!((257 * i32::from(*a) - i32::from(*b)).abs() <= 129);
    }
    assert!(sixteen.as_raw().iter().any(|v| v % 257 != 0));

    let place = Place::new();
    place.fit("gradient16.png --model siren --out run");
    assert_eq!(upsampled(&place, "--scale 1").color(), ColorType::L16);
    assert_eq!(upsampled(&place, "--bit-depth 8").color(), ColorType::L8);
}

#[test]
fn the_ending_of_the_output_chooses_the_format() {
    let place = fitted();
    let expected = upsampled(&place, "--scale 2");
    for ending in ["png", "tif", "webp", "bmp", "qoi", "ppm", "jpg"] {
        let line = format!("upsample run --device cpu --scale 2 -o x.{ending}");
        place.run(&line).done();
        let bytes = place.bytes(&format!("x.{ending}"));
        let format = image::guess_format(&bytes).unwrap();
        assert!(
            format.extensions_str().contains(&ending),
            "{ending}: {format:?}"
        );
        let picture = place.picture(&format!("x.{ending}"));
        if ending == "jpg" {
            assert_eq!(picture.dimensions(), expected.dimensions());
        } else {
            assert!(picture.to_rgb8() == expected.to_rgb8(), "{ending}");
        }
    }
    // Without -o the file goes beside the model, under a name that says its size.
    let ended = place
        .run("upsample run/model.safetensors --scale 2 --device cpu -q")
        .done();
    assert_eq!(ended.stderr, "");
    let name = ended.stdout.trim_end();
    assert_eq!(name, "run/upsampled-128x128.png");
    assert!(place.picture(name) == expected);
    let ended = place
        .run("upsample run --scale 3 --device cpu --json")
        .done()
        .json();
    assert_eq!(ended["file"], "run/upsampled-192x192.png");
    assert_eq!(
        (&ended["layout"]["width"], &ended["layout"]["bit_depth"]),
        (&json!(192), &json!(8))
    );
}

#[test]
fn an_existing_picture_is_replaced_only_by_force() {
    let place = fitted();
    place.write("x.png", "kept");
    let line = "upsample run --device cpu --scale 1 -o x.png";
    place
        .run(line)
        .failed(1, &["x.png already exists", "--force"]);
    assert_eq!(place.bytes("x.png"), b"kept");
    place.run(&format!("{line} --force")).done();
    assert_eq!(place.picture("x.png").dimensions(), (64, 64));
}

#[test]
fn a_model_and_its_reconstruction_measure_as_the_report_says() {
    let place = Place::new();
    for (name, model) in pictures_and_models(&place) {
        place.fit(&format!("{name} --model {model} --out run --force"));
        let metrics = place.json("run/report.json")["metrics"].clone();
        for subject in ["run", "run/model.safetensors", "run/reconstruction.png"] {
            let line = format!("eval {subject} {name} --device cpu");
            assert_eq!(
                place.run(&format!("{line} --json")).done().json(),
                metrics,
                "{line}"
            );
            let text = place.run(&line).done().stdout;
            let psnr = metrics["psnr_db"].as_f64().unwrap();
            let ssim = metrics["ssim"].as_f64().unwrap();
            assert_eq!(text, format!("psnr_db {psnr:.2}\nssim {ssim:.4}\n"));
        }
    }
    // No error at all: an infinite PSNR, for which JSON has no number.
    assert_eq!(
        place.run("eval icon.png icon.png").done().stdout,
        "psnr_db inf\nssim 1.0000\n"
    );
    let same = place.run("eval icon.png icon.png --json").done().json();
    assert_eq!(same, json!({ "psnr_db": null, "ssim": 1.0 }));
}

/// Of float 0 is black and 1 white, however far the values of a picture go.
#[test]
fn pictures_of_other_bit_depths_are_compared_value_by_value() {
    let place = Place::new();
    let grey = |x: u32, y: u32| ((x + 16 * y) % 128) as u8;
    let dark = image::RgbImage::from_fn(16, 16, |x, y| image::Rgb([grey(x, y); 3]));
    dark.save(place.path("r.png")).unwrap();
    let float = |x: u32, y: u32| image::Rgb([f32::from(grey(x, y)) / 255.0; 3]);
    let float = image::Rgb32FImage::from_fn(16, 16, float);
    float.save(place.path("r.exr")).unwrap();
    let deep = |x: u32, y: u32| image::Rgb([u16::from(grey(x, y)) * 257; 3]);
    let deep = image::ImageBuffer::<image::Rgb<u16>, _>::from_fn(16, 16, deep);
    deep.save(place.path("d.png")).unwrap();
    for pair in ["r.exr r.png", "r.png d.png", "d.png r.png", "r.exr d.png"] {
        let found = place.run(&format!("eval {pair}")).done().stdout;
        assert_eq!(found, "psnr_db inf\nssim 1.0000\n", "{pair}");
    }
}

/// What a network of an 8-bit picture has between its levels counts beside 16 bits.
#[test]
fn a_model_is_measured_with_the_bit_depth_of_the_reference() {
    let place = fitted();
    place
        .run("upsample run --device cpu --scale 1 --bit-depth 16 -o deep.png")
        .done();
    let same = place.run("eval run deep.png --device cpu --json").done();
    assert_eq!(same.json()["psnr_db"], Value::Null);
}

#[test]
fn a_model_is_measured_at_the_size_of_the_reference() {
    let place = fitted();
    upsampled(&place, "--scale 2");
    let same = place
        .run("eval run render.png --device cpu --json")
        .done()
        .json();
    assert_eq!(same["psnr_db"], Value::Null);
}

#[test]
fn info_shows_what_the_report_has_and_a_recipe_that_can_be_used() {
    let place = fitted();
    let report = place.json("run/report.json");
    let info = place.run("info run --json").done().json();
    assert_eq!(info["name"], "siren");
    for field in ["bytes", "parameters", "layers"] {
        assert_eq!(info[field], report["model"][field], "{field}");
    }
    assert_eq!(info["seed"], report["seed"]);
    assert_eq!(info["signal"]["width"], 64);

    let text = place.run("info run/model.safetensors").done().stdout;
    assert!(text.contains("64 x 64, RGB, 8 bit"), "{text}");
    for layer in report["model"]["layers"].as_array().unwrap() {
        assert!(text.contains(layer["kind"].as_str().unwrap()), "{text}");
    }
    let (_, recipe) = text.split_once("\nrecipe\n\n").unwrap();
    assert_eq!(recipe, place.text("run/recipe.toml"));
}

#[test]
fn models_and_layer_kinds_are_listed_in_a_line_each() {
    let place = Place::new();
    let text = place.run("models").done().stdout;
    let list = place.run("models --json").done().json();
    for (list, name) in [(&list["models"], "name"), (&list["layers"], "kind")] {
        for entry in list.as_array().unwrap() {
            let name = entry[name].as_str().unwrap();
            let lines = text.lines().filter(|line| line.starts_with(name));
            assert!(lines.count() >= 1, "{name} is not in {text}");
        }
    }
    for model in list["models"].as_array().unwrap() {
        for part in ["summary", "when", "paper"] {
            let part = model["about"][part].as_str().unwrap();
            assert!(!part.is_empty() && text.contains(part), "{part}");
        }
        // Under the heading of its family, which is the last one before it.
        let family = model["about"]["family"].as_str().unwrap();
        let name = model["name"].as_str().unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let starts = |line: &&str, name: &str, rest: &[&str]| {
            let end = line.strip_prefix(name);
            end.is_some_and(|end| rest.iter().any(|rest| end.starts_with(rest)))
        };
        let place = lines
            .iter()
            .position(|line| starts(line, name, &[": ", " (default): "]));
        let before = &lines[..place.unwrap()];
        let heading = |family: &&str| {
            before
                .iter()
                .rposition(|line| starts(line, family, &[", "]))
        };
        let last = ["kan", "classical", "local"]
            .into_iter()
            .max_by_key(heading);
        assert_eq!(last, Some(family));
    }
}

#[test]
fn the_devices_have_a_cpu_and_say_what_auto_takes() {
    let place = Place::new();
    let text = place.run("devices").done().stdout;
    assert!(
        text.starts_with("cpu ") && text.contains("\nauto "),
        "{text}"
    );
    let list = place.run("devices --json").done().json();
    assert!(list["cpu"].is_string() && list["auto"].is_string() && list["reason"].is_string());
    assert!(list["adapters"].is_array());
}

#[test]
fn completions_exist_for_every_shell() {
    let place = Place::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let text = place.run(&format!("completions {shell}")).done().stdout;
        for word in ["fit", "upsample", "bench", "target-psnr"] {
            assert!(text.contains(word), "{shell}: {word}");
        }
    }
    place.run("completions tcsh").refused(2, &["tcsh", "bash"]);
}

/// The names under "Commands:" of the help.
fn commands(place: &Place) -> Vec<String> {
    let help = place.run("--help").done().stdout;
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        // A longer indent continues the line above.
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_string)
        .collect()
}

/// As printed, but for a budget that a test can wait for and a device that every machine has.
#[cfg(unix)]
#[test]
fn every_example_of_the_help_runs() {
    let place = Place::new();
    for folder in ["assets", "configs"] {
        std::fs::create_dir(place.path(folder)).unwrap();
        for entry in std::fs::read_dir(repository().join(folder)).unwrap() {
            let from = entry.unwrap().path();
            std::fs::copy(&from, place.path(folder).join(from.file_name().unwrap())).unwrap();
        }
    }
    const SHORT: &str = "--device cpu --set model.parameters=1000 --set training.steps=3 --set training.batch_size=256";
    // Enough for a surface, which later examples draw.
    const SHAPE: &str = "--device cpu --set model.parameters=5000 --set training.steps=150 --set training.batch_size=2048";
    let commands = commands(&place);
    assert_eq!(commands.len(), 11, "{commands:?}");
    let mut count = 0;
    for command in commands {
        let help = place.run(&format!("{command} --help")).done().stdout;
        let examples = help
            .lines()
            .skip_while(|line| *line != "Examples:")
            .skip(1)
            .take_while(|line| !line.is_empty());
        for example in examples {
            // A line that was wrapped would not run when it is copied.
            assert!(
                example.starts_with(&format!("  inr {command}")),
                "{example}"
            );
            let short = match command.as_str() {
                "fit" if example.contains("knot") => SHAPE,
                "fit" | "compare" | "bench" => SHORT,
                "upsample" | "render" | "eval" => "--device cpu",
                _ => "",
            };
            let ended = place.shell(&format!("{example} {short}"));
            let expected = if example.contains("--target-psnr") {
                3
            } else {
                0
            };
            ended.coded(expected);
            count += 1;
        }
    }
    assert!(count >= 15, "only {count} examples were found");
}
