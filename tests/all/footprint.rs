//! Samples that are means over their cells: what lies within the cells, how it is rendered, what it does to upsampling, and `--for`.

use inr::config::{DEFAULT_PURPOSE, PRESETS, Request, SignalFacts, resolve};
use inr::engine::{Engine, TiledEngine};
use inr::render::{self, Field, RenderRequest, Rendering};
use inr::signal::{
    BitDepth, Channels, Footprint, HeldOut, Image, ImageLayout, Layout, ReducedBy, Reduction,
    Samples, Signal,
};
use inr::train::Run;
use serde_json::json;

use super::cli_errors::fails;
use super::numbers::{assert_close, uniform};
use super::program::{Place, TINY};
use super::training::{network, trained};

/// A picture of noise.
fn noise(width: u32, height: u32, channels: Channels, depth: BitDepth) -> Image {
    let mut layout = ImageLayout::new(width, height, channels, depth);
    layout.range = match depth {
        BitDepth::F32 => [-0.5, 2.0],
        _ => layout.range,
    };
    let mut samples = Samples::with_capacity(depth, layout.values());
    let [low, high] = layout.range.map(f64::from);
    samples.extend(uniform(3, layout.values(), low, high).into_iter());
    Image::new(layout, samples).unwrap()
}

fn gathered(image: &Image, offset: Option<[f64; 2]>) -> [Vec<f32>; 2] {
    let indices: Vec<u32> = (0..image.samples() as u32).rev().collect();
    let mut coordinates = vec![f64::NAN; 2 * indices.len()];
    let mut targets = vec![f32::NAN; image.layout.channels.count() * indices.len()];
    match offset {
        None => image.gather(&indices, &mut coordinates, &mut targets),
        Some(offset) => image.gather_within(&offset, &indices, &mut coordinates, &mut targets),
    }
    [coordinates.into_iter().map(|x| x as f32).collect(), targets]
}

#[test]
fn the_means_over_the_cells_are_the_samples() {
    let sizes = [(9, 7), (1, 6), (2, 1)];
    for (width, height) in sizes {
        for channels in [
            Channels::Grey,
            Channels::GreyAlpha,
            Channels::Rgb,
            Channels::Rgba,
        ] {
            for depth in [BitDepth::U8, BitDepth::U16, BitDepth::F32] {
                let image = noise(width, height, channels, depth);
                let mut means = gathered(&image, None).map(|values| vec![0.0; values.len()]);
                for x in Footprint::Area.nodes() {
                    for y in Footprint::Area.nodes() {
                        for (mean, part) in means.iter_mut().zip(gathered(&image, Some([*x, *y]))) {
                            for (mean, value) in mean.iter_mut().zip(part) {
                                *mean += value / 4.0;
                            }
                        }
                    }
                }
                let context = format!("{width}x{height}, {channels:?}, {depth:?}");
                for (mean, expected) in means.iter().zip(gathered(&image, None)) {
                    assert_close(mean, &expected, 1e-6, &context);
                }
            }
        }
    }
}

#[test]
fn offsets_are_in_cells() {
    let image = noise(8, 5, Channels::Grey, BitDepth::U8);
    let ([centre, _], [moved, _]) = (gathered(&image, None), gathered(&image, Some([0.25, -0.5])));
    for (centre, moved) in centre.chunks(2).zip(moved.chunks(2)) {
        // A cell is 2/8 wide and 2/5 high.
        assert!((moved[0] - centre[0] - 0.25 * 0.25).abs() < 1e-6);
        assert!((moved[1] - centre[1] + 0.5 * 0.4).abs() < 1e-6);
    }
}

/// Against means over 8 x 8 points of each pixel.
#[test]
fn models_of_means_are_rendered_as_means() {
    let layers = json!([
        {"kind": "sine", "width": 16, "omega_0": 12.0, "first": true},
        {"kind": "sine", "width": 16, "omega_0": 12.0},
        {"kind": "linear", "omega_0": 12.0},
    ]);
    let network = network(layers, 2, 1);
    let parameters = network.initialize(5);
    let fitted = ImageLayout::new(10, 8, Channels::Grey, BitDepth::F32);
    let mut engine = TiledEngine::default();
    for scale in [1.0, 2.0, 0.5] {
        let request = RenderRequest {
            scale: Some([scale; 2]),
            size: None,
            crop: None,
            bit_depth: None,
            rate: None,
            resolution: None,
        };
        let mut rendered = |footprint| -> Vec<f32> {
            let layout = Layout::Image(fitted.clone()).with_footprint(footprint);
            let field = Field {
                network: &network,
                parameters: &parameters,
                layout: &layout,
            };
            let target = request.resolve(&layout).unwrap();
            let rendering = render::render(field, &target, &mut engine, &mut |_| ()).unwrap();
            let Rendering::Image(image) = rendering else {
                panic!("a picture")
            };
            let Samples::F32(values) = image.samples else {
                panic!("not float");
            };
            values
        };
        let (points, means) = (rendered(Footprint::Point), rendered(Footprint::Area));
        let [width, height] = [10.0, 8.0].map(|side: f64| (side * scale) as usize);
        let mut coordinates = Vec::new();
        for pixel in 0..width * height {
            for point in 0..64 {
                let x = pixel % width * 8 + point % 8;
                let y = pixel / width * 8 + point / 8;
                let at = |i: usize, n: usize| ((2 * i + 1) as f64 / (8 * n) as f64 - 1.0) as f32;
                coordinates.extend([at(x, width), at(y, height)]);
            }
        }
        let mut values = vec![f32::NAN; coordinates.len() / 2];
        engine
            .evaluate(&network, &parameters, &coordinates, &mut values)
            .unwrap();
        // The range [0, 1] of the file is [-1, 1] of the network.
        let expected: Vec<f32> = values
            .chunks(64)
            .map(|points| 0.5 + points.iter().sum::<f32>() / 128.0)
            .collect();
        let error = |values: &[f32]| -> f64 {
            let errors = values
                .iter()
                .zip(&expected)
                .map(|(v, e)| f64::from(v - e).powi(2));
            (errors.sum::<f64>() / expected.len() as f64).sqrt()
        };
        let (of_points, of_means) = (error(&points), error(&means));
        assert!(of_means < 5e-3, "scale {scale}: {of_means}");
        assert!(
            of_points > 4.0 * of_means,
            "scale {scale}: {of_points} {of_means}"
        );
    }
}

/// A sum of waves of up to 0.18 cycles a pixel in all directions.
fn waves(width: u32, height: u32) -> Image {
    let layout = ImageLayout::new(width, height, Channels::Grey, BitDepth::U16);
    let numbers = uniform(8, 3 * 24, 0.0, 1.0);
    let tau = 2.0 * std::f64::consts::PI;
    let value = |pixel: usize| -> f64 {
        let (x, y) = (pixel % width as usize, pixel / width as usize);
        let waves = numbers.chunks(3).map(|n| {
            let (frequency, direction) = (0.18 * n[0], tau * n[1]);
            let along = direction.cos() * x as f64 + direction.sin() * y as f64;
            (tau * (frequency * along + n[2])).cos()
        });
        32_767.5 + 2_700.0 * waves.sum::<f64>().clamp(-12.0, 12.0)
    };
    let mut samples = Samples::with_capacity(BitDepth::U16, layout.values());
    samples.extend((0..layout.values()).map(value));
    Image::new(layout, samples).unwrap()
}

/// A picture reduced to half its size, fitted, and rendered at its size again: the same network is nearer to the full picture when it is
/// fitted to means.
#[test]
fn fitting_means_is_better_between_the_pixels() {
    let reduction = Reduction::new(2, ReducedBy::Area).unwrap();
    let HeldOut { reduced, reference } = Box::new(waves(160, 120)).hold_out(reduction).unwrap();
    let mut request = Request {
        model: Some("hash-kan".to_string()),
        ..Request::default()
    };
    request.set("model.parameters", 20_000);
    request.set("training.steps", 200);
    request.set("training.batch_size", 2400);
    let resolved = resolve(&request, &SignalFacts::of(reduced.as_ref())).unwrap();
    let measure = |footprint| -> f64 {
        let mut training = resolved.recipe.training.training(reduced.samples());
        training.footprint = footprint;
        let network = &resolved.network;
        let state = trained(&Run {
            training: &training,
            network,
            signal: reduced.as_ref(),
        });
        let layout = reduced.layout().with_footprint(footprint);
        let field = Field {
            network,
            parameters: &state.parameters,
            layout: &layout,
        };
        let mut engine = TiledEngine::default();
        let full = render::upsample(field, reduction, &mut engine, &mut |_| ()).unwrap();
        render::measure_psnr_db(reference.as_ref(), &full).unwrap()
    };
    let (point, area) = (measure(Footprint::Point), measure(Footprint::Area));
    println!("point {point:.2} dB, area {area:.2} dB");
    assert!(area > point + 3.0, "point {point:.2} dB, area {area:.2} dB");
}

#[test]
fn every_preset_can_be_fitted_for_upsampling() {
    let image = noise(200, 100, Channels::Rgb, BitDepth::U8);
    let facts = SignalFacts::of(&image);
    for preset in PRESETS {
        let resolved = |purpose: Option<&str>| {
            let request = Request {
                model: Some(preset.name.to_string()),
                purpose: purpose.map(String::from),
                ..Request::default()
            };
            resolve(&request, &facts).unwrap()
        };
        let plain = resolved(None);
        assert_eq!(resolved(Some(DEFAULT_PURPOSE)), plain, "{}", preset.name);
        assert_eq!(plain.recipe.training.footprint, Footprint::Point);
        let upsampling = resolved(Some("upsampling"));
        assert_eq!(upsampling.recipe.training.footprint, Footprint::Area);
        // A parameter for each sample, and up to four; grids of features take no more than they have vertices.
        let [plain, upsampling] = [plain, upsampling]
            .map(|resolved| resolved.network.parameter_count() as f64 / image.samples() as f64);
        assert!((plain - 1.0).abs() < 0.03, "{}: {plain}", preset.name);
        assert!(
            (2.5..4.1).contains(&upsampling),
            "{}: {upsampling}",
            preset.name
        );
    }
}

#[test]
fn a_purpose_lies_between_preset_and_file_and_stays_with_the_run() {
    let place = Place::new();
    let tiny = format!("{TINY} --for upsampling");
    place.run(&format!("fit icon.png {tiny}")).done();
    let run = "out/icon-hash-kan";
    let recipe = place.text(&format!("{run}/recipe.toml"));
    assert!(recipe.contains("footprint = \"area\""), "{recipe}");
    let info = place.run(&format!("info {run} --json")).done().json();
    assert_eq!(info["signal"]["footprint"], "area");
    // What is reported of the file is of the file alone.
    let report = place.json(&format!("{run}/report.json"));
    assert_eq!(report["input"]["footprint"], json!(null));
    // The model alone is rendered as what it is.
    let eval = place
        .run(&format!("eval {run} icon.png --json --device cpu"))
        .done()
        .json();
    assert_eq!(eval["psnr_db"], report["metrics"]["psnr_db"]);
    // The recipe repeats the run, and --resume needs no --for.
    place
        .run(&format!(
            "fit icon.png --config {run}/recipe.toml --device cpu --out again"
        ))
        .done();
    assert!(
        place.bytes("again/model.safetensors") == place.bytes(&format!("{run}/model.safetensors"))
    );
    place
        .run(&format!(
            "fit icon.png --resume --out {run} --steps 25 --device cpu"
        ))
        .done();
    assert_eq!(
        place.json(&format!("{run}/report.json"))["training"]["steps"],
        25
    );
    fails(
        &place,
        &format!(
            "fit icon.png --resume --out {run} --steps 30 --device cpu -q --set training.footprint=point"
        ),
        2,
        &["another recipe", "footprint"],
    );
    // A file has purposes of its own, and its other settings go before the preset's purposes.
    place.write(
        "own.toml",
        "[model]\npreset = \"siren\"\n[training]\nfootprint = \"point\"\n[for]\nprinting = [\"training.loss=l1\"]\n",
    );
    place
        .run(&format!("fit icon.png --config own.toml --out own {tiny}"))
        .done();
    assert!(
        place
            .text("own/recipe.toml")
            .contains("footprint = \"point\"")
    );
    place
        .run(&format!(
            "fit icon.png --config own.toml --out printed {TINY} --for printing"
        ))
        .done();
    assert!(place.text("printed/recipe.toml").contains("loss = \"l1\""));
}

#[test]
fn purposes_and_footprints_that_do_not_exist_are_named() {
    let place = Place::new();
    for command in [
        "fit icon.png --model siren",
        "compare icon.png --models siren",
    ] {
        fails(
            &place,
            &format!("{command} --for upscaling {TINY}"),
            2,
            &[
                "--for upscaling",
                "siren",
                "fidelity, upsampling",
                "did you mean",
            ],
        );
    }
    fails(
        &place,
        &format!("fit icon.png --model siren {TINY} --set training.footprint=disc"),
        2,
        &["disc", "point", "area"],
    );
    fails(
        &place,
        &format!("fit icon.png --model siren {TINY} --set model.parameters_per_sample=-1"),
        2,
        &["model.parameters_per_sample is -1"],
    );
    let files = [
        ("[for]\nupsampling = 3\n", "lists of settings"),
        (
            "[for]\nupsampling = [\"training.steps\"]\n",
            "for.upsampling",
        ),
    ];
    for (text, words) in files {
        place.write("own.toml", text);
        let line = format!("fit icon.png --config own.toml {TINY} --for upsampling");
        fails(&place, &line, 2, &[words]);
    }
}
