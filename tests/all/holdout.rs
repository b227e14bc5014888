//! Reduced pictures: that everything made of them lies where the full picture has it, and `inr compare --holdout`.

use std::any::Any;

use image::DynamicImage;
use inr::engine::TiledEngine;
use inr::model::{Hints, LayerConfig, Network};
use inr::render::{self, Field, Filter, Rendering};
use inr::signal::{
    BitDepth, Channels, HeldOut, Image, ImageLayout, Layout, ReducedBy, Reduction, Samples, Signal,
};
use serde_json::{Value, json};

use super::cli_fit::presets;
use super::compare::{cells, list, titled};
use super::program::{Place, TINY};

/// 300 x + 120 y + 1000 at pixel (x, y): its means over blocks of 2 × 2 and of 3 × 3 are whole numbers.
const RAMP: [f64; 3] = [300.0, 120.0, 1000.0];

fn ramp(width: u32, height: u32) -> Box<dyn Signal> {
    let layout = ImageLayout::new(width, height, Channels::Grey, BitDepth::U16);
    let at = |i: u32| 300 * (i % width) + 120 * (i / width) + 1000;
    let samples = (0..width * height).map(|i| at(i) as u16).collect();
    Box::new(Image::new(layout, Samples::U16(samples)).unwrap())
}

fn values(rendering: &Rendering) -> (usize, Vec<f64>) {
    let Rendering::Image(image) = rendering else {
        panic!("a picture")
    };
    let mut values = vec![0.0; image.layout.values()];
    image.samples.read(0, &mut values);
    (image.layout.width as usize, values)
}

fn image(signal: &dyn Signal) -> &Image {
    (signal as &dyn Any).downcast_ref().unwrap()
}

fn reductions() -> Vec<Reduction> {
    [2, 3]
        .iter()
        .flat_map(|&factor| [ReducedBy::Area, ReducedBy::Decimation].map(|by| (factor, by)))
        .map(|(factor, by)| Reduction::new(factor, by).unwrap())
        .collect()
}

/// Were a grid shifted by half a pixel, every value would be off by 150 along x.
#[test]
fn a_ramp_that_was_reduced_comes_back_in_its_place() {
    for reduction in reductions() {
        let HeldOut { reduced, reference } = ramp(90, 60).hold_out(reduction).unwrap();
        let factor = reduction.factor();
        let reduced = render::from_signal(reduced.as_ref(), reduced.as_ref()).unwrap();
        for filter in Filter::PICTURES {
            let full = render::interpolate(&reduced, reduction, filter).unwrap();
            assert_eq!(full.layout(), reference.layout());
            let (width, values) = values(&full);
            // Lanczos reproduces a line only nearly: Σ w(i − p) (i − p) / Σ w(i − p) is up to 0.02 reduced pixels and not 0.
            let tolerance = match filter {
                Filter::Bicubic => 1.0,
                Filter::Lanczos3 | Filter::Sinc32 => {
                    1.0 + 0.02 * factor as f64 * (RAMP[0] + RAMP[1])
                }
            };
            let border = 4 * factor;
            let mut inside = 0;
            for (i, value) in values.iter().enumerate() {
                let (x, y) = (i % width, i / width);
                if !(border..90 - border).contains(&x) || !(border..60 - border).contains(&y) {
                    continue;
                }
                let expected = RAMP[0] * x as f64 + RAMP[1] * y as f64 + RAMP[2];
                assert!(
                    (value - expected).abs() <= tolerance,
                    "{reduction:?} {filter:?} {x} {y}: {value} {expected}"
                );
                inside += 1;
            }
            assert!(inside > 1000);
        }
    }
}

/// A linear layer through three samples of the reduced ramp is that ramp everywhere, if it is asked at the right places.
#[test]
fn a_network_is_asked_where_the_full_pixels_lie() {
    let layers: Vec<LayerConfig> = serde_json::from_str(r#"[{"kind": "linear"}]"#).unwrap();
    let network = Network::new(layers, 2, 1, &Hints::default()).unwrap();
    for reduction in reductions() {
        let HeldOut { reduced, reference } = ramp(90, 60).hold_out(reduction).unwrap();
        let layout = reduced.layout();
        let columns = image(reduced.as_ref()).layout.width;
        let (mut at, mut target) = ([0.0; 6], [0.0; 3]);
        reduced.gather(&[0, columns - 1, columns * 19], &mut at, &mut target);
        let at = at.map(|x: f64| x as f32);
        let slope_x = (target[1] - target[0]) / (at[2] - at[0]);
        let slope_y = (target[2] - target[0]) / (at[5] - at[1]);
        let mut parameters = network.initialize(0);
        for tensor in &mut parameters.tensors {
            match tensor.values.len() {
                2 => tensor.values.copy_from_slice(&[slope_x, slope_y]),
                _ => tensor.values[0] = target[0] - slope_x * at[0] - slope_y * at[1],
            }
        }
        let field = Field {
            network: &network,
            parameters: &parameters,
            layout: &layout,
        };
        let mut engine = TiledEngine::default();
        let full = render::upsample(field, reduction, &mut engine, &mut |_| ()).unwrap();
        assert_eq!(full.layout(), reference.layout());
        let mut expected = vec![0.0; 90 * 60];
        image(reference.as_ref()).samples.read(0, &mut expected);
        for (value, expected) in values(&full).1.iter().zip(&expected) {
            assert!(
                (value - expected).abs() <= 1.0,
                "{reduction:?}: {value} {expected}"
            );
        }
    }
}

#[test]
fn every_sort_of_picture_is_held_out_and_cut_to_a_multiple() {
    for channels in [
        Channels::Grey,
        Channels::GreyAlpha,
        Channels::Rgb,
        Channels::Rgba,
    ] {
        for depth in [BitDepth::U8, BitDepth::U16, BitDepth::F32] {
            let mut layout = ImageLayout::new(8, 5, channels, depth);
            let mut samples = Samples::with_capacity(depth, layout.values());
            samples.extend((0..layout.values()).map(|i| ((i * 37) % 101) as f64));
            layout.range = match depth {
                BitDepth::F32 => [0.0, 100.0],
                depth => depth.range(),
            };
            let picture = Image::new(layout, samples).unwrap();
            for reduction in reductions() {
                let factor = reduction.factor();
                let held_out = Box::new(picture.clone()).hold_out(reduction).unwrap();
                let (reduced, reference) = (
                    image(held_out.reduced.as_ref()),
                    image(held_out.reference.as_ref()),
                );
                reduced.check().unwrap();
                reference.check().unwrap();
                let [width, height] = [8 / factor, 5 / factor];
                let side = |n: usize| (n * factor) as u32;
                assert_eq!(
                    (reference.layout.width, reference.layout.height),
                    (side(width), side(height))
                );
                assert_eq!(
                    (reduced.layout.channels, reduced.layout.bit_depth),
                    (channels, depth)
                );
                let count = channels.count();
                let (mut all, mut small) = (
                    vec![0.0; picture.layout.values()],
                    vec![0.0; width * height * count],
                );
                picture.samples.read(0, &mut all);
                reduced.samples.read(0, &mut small);
                for (i, value) in small.iter().enumerate() {
                    let (x, y) = (i / count % width, i / count / width);
                    let at =
                        |dx, dy| all[((factor * y + dy) * 8 + factor * x + dx) * count + i % count];
                    let expected = match reduction.by() {
                        ReducedBy::Decimation => at(0, 0),
                        ReducedBy::Area => {
                            let block = (0..factor * factor).map(|k| at(k % factor, k / factor));
                            let mean = block.sum::<f64>() / (factor * factor) as f64;
                            match depth {
                                BitDepth::F32 => f64::from(mean as f32),
                                _ => mean.round(),
                            }
                        }
                    };
                    assert_eq!(*value, expected, "{channels:?} {depth:?} {reduction:?} {i}");
                }
                if depth == BitDepth::F32 {
                    let largest = small.iter().copied().fold(0.0, f64::max);
                    assert_eq!(reduced.layout.range, [0.0, largest as f32]);
                }
                assert_eq!(
                    held_out.reduced.layout(),
                    Layout::Image(reduced.layout.clone())
                );
            }
        }
    }
}

/// 10 log10(255² / MSE) over all values of two 8-bit pictures.
fn psnr_db(one: &DynamicImage, other: &DynamicImage) -> f64 {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    assert_eq!(one.len(), other.len());
    let square = |(a, b): (&u8, &u8)| (f64::from(*a) - f64::from(*b)).powi(2);
    let mse = one.iter().zip(other).map(square).sum::<f64>() / one.len() as f64;
    10.0 * (255.0 * 255.0 / mse).log10()
}

/// The row of `model` for the first input.
fn row<'a>(summary: &'a Value, model: &str) -> &'a Value {
    let rows = list(&summary["inputs"][0]["models"]);
    rows.iter().find(|row| row["model"] == model).unwrap()
}

#[test]
fn a_held_out_comparison_measures_the_pictures_that_it_writes() {
    let place = Place::new();
    let models = presets(&place);
    let full = place.picture("icon.png");
    for (way, flags) in [("area", ""), ("decimation", "--holdout-by decimation")] {
        let line = format!(
            "compare icon.png --models {} --holdout 2 {flags} --out {way} {TINY}",
            models.join(",")
        );
        let ended = place.run(&line).done();
        assert!(
            ended.stderr.contains("fitted to 32 x 32, RGB, 8 bit\n"),
            "{ended:?}"
        );
        let rows = cells(&ended.stdout);
        assert_eq!(
            rows[0].join(" "),
            "model parameters bytes steps seconds psnr_db ssim fitted_psnr_db"
        );
        // So small a network some models cannot be, which their names say.
        let plain = |name: &str| name.split(" (").next().unwrap().to_string();
        let names: Vec<String> = rows[2..].iter().map(|row| plain(row[0])).collect();
        let expected: Vec<&str> = ["bicubic", "lanczos3"]
            .into_iter()
            .chain(models.iter().map(|m| &**m))
            .collect();
        assert_eq!(names, expected);
        for row in &rows[2..4] {
            assert_eq!([row[1], row[2], row[3], row[4], row[7]], ["-"; 5]);
        }

        let summary = place.json(&format!("{way}/compare.json"));
        assert_eq!(summary["holdout"], json!({ "factor": 2, "by": way }));
        assert_eq!(summary["inputs"][0]["input"]["width"], 64);
        let measured = |model: &str, file: &str| {
            let file = format!("{way}/{file}");
            let expected = psnr_db(&full, &place.picture(&file));
            let metrics = &row(&summary, model)["metrics"];
            assert!(
                (metrics["psnr_db"].as_f64().unwrap() - expected).abs() < 1e-9,
                "{file}"
            );
            let eval = place
                .run(&format!("eval {file} icon.png --json"))
                .done()
                .json();
            assert_eq!(metrics["ssim"], eval["ssim"], "{file}");
        };
        for filter in Filter::PICTURES {
            measured(filter.name(), &format!("{}.png", filter.name()));
        }
        let reduced = place.picture(&format!("{way}/reduced.png"));
        assert_eq!((reduced.width(), reduced.height()), (32, 32));
        for model in &models {
            measured(model, &format!("{model}/upsampled.png"));
            let report = place.json(&format!("{way}/{model}/report.json"));
            let fitted = &row(&summary, model)["metrics"]["fitted_psnr_db"];
            assert_eq!(fitted, &report["metrics"]["psnr_db"]);
            assert_eq!(report["input"]["path"], format!("{way}/reduced.png"));
            assert_eq!(report["input"]["width"], 32);

            // The network has at every kept pixel the value that it was fitted at, and around a mean what any rendering has.
            let upsampled = place
                .picture(&format!("{way}/{model}/upsampled.png"))
                .to_rgb8();
            if way == "decimation" {
                let kept = place
                    .picture(&format!("{way}/{model}/reconstruction.png"))
                    .to_rgb8();
                for (x, y, pixel) in kept.enumerate_pixels() {
                    let there = upsampled.get_pixel(2 * x, 2 * y);
                    for (a, b) in pixel.0.iter().zip(there.0) {
                        assert!(a.abs_diff(b) <= 1, "{model} {x} {y}");
                    }
                }
            } else {
                place
                    .run(&format!(
                        "upsample {way}/{model} --scale 2 --device cpu -o x.png --force"
                    ))
                    .done();
                assert!(place.picture("x.png").to_rgb8() == upsampled, "{model}");
            }
        }
        if way == "decimation" {
            for filter in Filter::PICTURES {
                let large = place
                    .picture(&format!("{way}/{}.png", filter.name()))
                    .to_rgb8();
                for (x, y, pixel) in reduced.to_rgb8().enumerate_pixels() {
                    assert_eq!(large.get_pixel(2 * x, 2 * y), pixel, "{filter:?} {x} {y}");
                }
            }
        }
        // A fit of the reduced picture alone is the same run.
        place
            .run(&format!(
                "fit {way}/reduced.png --model {} --out alone --force {TINY}",
                models[0]
            ))
            .done();
        assert!(
            place.bytes("alone/model.safetensors")
                == place.bytes(&format!("{way}/{}/model.safetensors", models[0]))
        );
    }
}

#[test]
fn pictures_of_every_depth_and_of_odd_sizes_are_held_out() {
    let place = Place::new();
    let float = image::Rgb32FImage::from_fn(21, 10, |x, y| {
        image::Rgb([x as f32 / 4.0, y as f32 - 3.0, (x * y) as f32 / 50.0])
    });
    DynamicImage::from(float)
        .save(place.path("float.exr"))
        .unwrap();
    let line = format!(
        "compare leaf.png gradient16.png float.exr --models siren --holdout 3 --seeds 0,1 {TINY}"
    );
    let ended = place.run(&line).done();
    for (name, ending, reduced, full) in [
        ("leaf", "png", (53, 53), (159, 159)),
        ("gradient16", "png", (42, 32), (126, 96)),
        ("float", "exr", (7, 3), (21, 9)),
    ] {
        let folder = format!("out/compare/{name}");
        let size = |file: &str| {
            let picture = place.picture(&format!("{folder}/{file}.{ending}"));
            assert_eq!(
                picture.color(),
                place.picture(&format!("{name}.{ending}")).color()
            );
            (picture.width(), picture.height())
        };
        assert_eq!(size("reduced"), reduced);
        for file in [
            "bicubic",
            "lanczos3",
            "siren/upsampled",
            "siren-seed1/upsampled",
        ] {
            assert_eq!(size(file), full, "{folder}/{file}");
        }
        assert!(
            ended
                .stderr
                .contains(&format!("cut to {} x {}", full.0, full.1)),
            "{ended:?}"
        );
    }
    let summary = place.json("out/compare/compare.json");
    let tables = titled(&ended.stdout);
    let lengths: Vec<usize> = tables.iter().map(|(_, rows)| rows.len()).collect();
    assert_eq!(lengths, [1 + 4 + 3, 1 + 4 + 3, 1 + 4 + 3, 1 + 3]);
    assert_eq!(
        tables[3].1[0][5..],
        [
            "psnr_db",
            "psnr_db sd",
            "ssim",
            "fitted_psnr_db",
            "rank",
            "wins"
        ]
    );
    for means in list(&summary["means"]) {
        let is_filter = means["model"] != "siren";
        assert_eq!(means["steps"].is_null(), is_filter);
        assert_eq!(means["standard_deviation"].is_null(), is_filter);
        assert_eq!(means["metrics"]["fitted_psnr_db"].is_null(), is_filter);
    }

    // All of it is read back, unless it was reduced in another way.
    let before = place.files("");
    let resumed = place.run(&line).done();
    assert_eq!(resumed.stdout, ended.stdout);
    assert!(place.files("") == before);
    let other = place.run(&format!("{line} --holdout-by decimation"));
    other.failed(2, &["out/compare/leaf holds another run", "reduced.png"]);
    assert!(place.files("") == before);
}

#[test]
fn a_holdout_that_cannot_be_is_refused_before_the_first_fit() {
    let place = Place::new();
    place.write("bicubic.png", "kept");
    let before = place.files("");
    let refused = |flags: &str, code: i32, words: &[&str]| {
        let line = format!("compare icon.png --models siren {flags} {TINY}");
        place.run(&line).refused(code, words);
        assert!(place.files("") == before, "{line}");
    };
    for factor in ["1", "0", "-2", "1.5", "two"] {
        refused(
            &format!("--holdout {factor}"),
            2,
            &["--holdout", factor, "at least 2"],
        );
    }
    refused("--holdout 65", 2, &["icon.png", "64 x 64", "65"]);
    refused("--holdout 99999999999", 2, &["--holdout"]);
    refused(
        "--holdout 2 --holdout-by mean",
        2,
        &["mean", "area or decimation"],
    );
    refused("--holdout-by area", 2, &["--holdout"]);
    refused(
        "--holdout 2 --out .",
        1,
        &["already holds results", "--force"],
    );
    // One pixel is left, and the network is asked at its border and beyond.
    for way in ["area", "decimation"] {
        let line = format!(
            "compare icon.png --models siren,hash-kan,spline-kan --holdout 64 --holdout-by {way} --out {way} {TINY}"
        );
        place.run(&line).done();
        assert_eq!(
            place
                .picture(&format!("{way}/hash-kan/upsampled.png"))
                .width(),
            64
        );
    }
}
