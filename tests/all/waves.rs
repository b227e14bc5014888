//! Encodings, sums of sinusoids, wavelets and dense grids against their formulas in f64, and what is derived of them from a signal.

use std::f64::consts::PI;

use burn::tensor::{Device, Tensor};
use inr::config::{Request, resolve};
use inr::engine::{Engine, TiledEngine};
use inr::model::{Hints, Layer, LayerConfig, Network};
use serde_json::{Value, json};

use super::numbers::{assert_close, matrix, matrix_shape, numbers, uniform};
use super::recipes::facts;

fn layer(config: Value) -> LayerConfig {
    serde_json::from_value(config).unwrap()
}

/// The layer at `input` `[n, d_in]` in f64, with `parameters` for its tensors.
fn values(layer: &dyn Layer, d_in: usize, parameters: &[Vec<f64>], input: &[f64]) -> Vec<f64> {
    let device = Device::flex();
    let specs = layer.parameters(d_in);
    let tensors: Vec<Tensor<2>> = specs
        .iter()
        .zip(parameters)
        .map(|(spec, values)| matrix(values, matrix_shape(spec), &device))
        .collect();
    let input = matrix(input, [input.len() / d_in, d_in], &device);
    numbers(layer.forward(&tensors, input))
}

/// The numbers that SplitMix64 and Box and Muller's formula give for seed 5, by another program (Python); its first number for seed 1234567 is
/// 6457827717110365317, as in the author's tables.
const NORMAL_5: [f64; 6] = [
    0.019_979_106_634_037_066,
    1.385_639_525_282_07,
    -1.337_626_069_705_529_6,
    -0.170_123_830_613_321_37,
    -1.039_393_857_848_173_4,
    0.824_987_676_399_776_1,
];

#[test]
fn fourier_features_are_waves_along_random_directions_that_the_seed_fixes() {
    let features =
        layer(json!({"kind": "fourier-features", "frequencies": 3, "sigma": 4.0, "seed": 5}));
    let input = uniform(1, 20, -1.0, 1.0);
    let expected: Vec<f64> = input
        .chunks(2)
        .flat_map(|x| {
            let phase = |m: usize| PI * 4.0 * (x[0] * NORMAL_5[m] + x[1] * NORMAL_5[m + 3]);
            [f64::cos, f64::sin].map(|wave| (0..3).map(move |m| wave(phase(m))).collect::<Vec<_>>())
        })
        .flatten()
        .collect();
    // The matrix is kept in f32.
    let found = values(features.layer(), 2, &[], &input);
    assert_close(&found, &expected, 1e-5, "features");
}

#[test]
fn positional_encoding_has_an_octave_for_each_power_of_two() {
    for with_input in [true, false] {
        let encoding =
            layer(json!({"kind": "positional-encoding", "octaves": 4, "with_input": with_input}));
        let input = uniform(2, 20, -1.0, 1.0);
        let mut expected = Vec::new();
        for x in input.chunks(2) {
            if with_input {
                expected.extend(x);
            }
            for wave in [f64::cos, f64::sin] {
                for octave in 0..4 {
                    expected.extend(x.iter().map(|x| wave(2_f64.powi(octave) * PI * x)));
                }
            }
        }
        let found = values(encoding.layer(), 2, &[], &input);
        assert_close(&found, &expected, 1e-5, "octaves");
    }
}

/// σ is half the largest root-mean-square frequency, a series reaches a multiple of it, and the last octave is the largest power of two within the
/// Nyquist limit.
#[test]
fn encodings_follow_the_signal_where_they_are_left_open() {
    let hints = Hints {
        nyquist: vec![384.0, 256.0],
        rms_frequency: vec![12.0, 30.0],
        ..Hints::default()
    };
    let derived = |config: Value| {
        let layers = vec![layer(config), layer(json!({"kind": "linear"}))];
        Network::new(layers, 2, 3, &hints).unwrap().layers()[0].clone()
    };
    match derived(json!({"kind": "fourier-features"})) {
        LayerConfig::FourierFeatures(features) => assert_eq!(features.sigma, 15.0),
        other => panic!("{other:?}"),
    }
    // k s / π cycles: 2 · 30 of them at k = 60 for s = π, and no more than 384.
    for (reach, highest) in [(2.0, 60), (0.1, 16), (100.0, 384), (0.0, 0)] {
        let scale = std::f32::consts::PI;
        let series = json!({"kind": "fourier-kan", "width": 5, "frequencies": 16, "input_scale": scale, "reach": reach});
        match derived(series) {
            // What it was derived from says no more, so that the recipe resolves to itself.
            LayerConfig::FourierKan(series) => {
                assert_eq!((series.highest, series.reach), (highest, 0.0), "{reach}");
            }
            other => panic!("{other:?}"),
        }
    }
    let both =
        json!({"kind": "fourier-kan", "width": 5, "frequencies": 16, "highest": 90, "reach": 2.0});
    let layers = vec![layer(both), layer(json!({"kind": "linear"}))];
    let error = Network::new(layers, 2, 3, &hints).unwrap_err().to_string();
    assert!(error.contains("highest is 90 and reach is 2"), "{error}");
    // A given one is capped as K is.
    for (cap, highest) in [(true, 384), (false, 9000)] {
        let scale = std::f32::consts::PI;
        let series = json!({"kind": "fourier-kan", "width": 5, "frequencies": 16, "input_scale": scale, "highest": 9000, "cap_at_nyquist": cap});
        match derived(series) {
            LayerConfig::FourierKan(series) => assert_eq!(series.highest, highest),
            other => panic!("{other:?}"),
        }
    }
    match derived(json!({"kind": "positional-encoding"})) {
        LayerConfig::PositionalEncoding(encoding) => assert_eq!(encoding.octaves, 9),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_encoding_alone_has_nothing_to_train() {
    let mut request = Request::default();
    let layers = "[{kind=\"fourier-features\",frequencies=2,sigma=1.0}]";
    request.set_pair(&format!("model.layers={layers}")).unwrap();
    let error = resolve(&request, &facts(2, 4)).unwrap_err().to_string();
    assert!(error.contains("anything to train"), "{error}");
}

#[test]
fn sums_of_sinusoids_and_wavelets_follow_their_formulas() {
    let (d_in, width) = (2, 3);
    let input = uniform(3, 10 * d_in, -1.0, 1.0);
    let random = |layer: &dyn Layer| -> Vec<Vec<f64>> {
        let specs = layer.parameters(d_in);
        let specs = specs.iter().enumerate();
        specs
            .map(|(i, spec)| uniform(50 + i as u64, spec.count(), -1.0, 1.0))
            .collect()
    };
    let staf = layer(json!({"kind": "staf", "width": width, "terms": 4}));
    let p = random(staf.layer());
    let expected: Vec<f64> = input
        .chunks(d_in)
        .flat_map(|x| (0..width).map(move |j| (x, j)))
        .map(|(x, j)| {
            let z = x[0] * p[0][j] + x[1] * p[0][width + j] + p[1][j];
            (0..4)
                .map(|t| p[2][t] * (p[3][t] * z + p[4][t]).sin())
                .sum()
        })
        .collect();
    let found = values(staf.layer(), d_in, &p, &input);
    assert_close(&found, &expected, 1e-12, "staf");

    // ψ by its definition; the Mexican hat has the norm ∫ ψ² = 1.
    let hat = 2.0 / (3.0_f64.sqrt() * PI.powf(0.25));
    let wavelets: [(&str, &dyn Fn(f64) -> f64); 3] = [
        ("mexican-hat", &|u| {
            hat * (1.0 - u * u) * (-0.5 * u * u).exp()
        }),
        ("dog", &|u| -u * (-0.5 * u * u).exp()),
        ("morlet", &|u| (5.0 * u).cos() * (-0.5 * u * u).exp()),
    ];
    for (name, psi) in wavelets {
        let kan = layer(json!({"kind": "wavelet-kan", "width": width, "wavelet": name}));
        let p = random(kan.layer());
        let expected: Vec<f64> = input
            .chunks(d_in)
            .flat_map(|x| (0..width).map(move |j| (x, j)))
            .map(|(x, j)| {
                let edge = |i: usize| {
                    let at = i * width + j;
                    p[0][at] * psi(p[1][at] * (x[i] - p[2][at]))
                };
                p[3][j] + edge(0) + edge(1)
            })
            .collect();
        let found = values(kan.layer(), d_in, &p, &input);
        assert_close(&found, &expected, 1e-6, name);
    }
}

/// A grid that holds a function which is linear in each coordinate is that function.
#[test]
fn a_grid_holds_what_lies_at_its_vertices() {
    // 5 by 3 vertices: the longest axis has 4 cells, the other half as many.
    let grid = layer(json!({"kind": "grid", "width": 1, "vertices": 15, "aspect": [1.0, 0.5]}));
    assert_eq!(grid.layer().parameters(2)[0].shape, [15, 1]);
    let f = |x: f64, y: f64| 0.3 - 0.5 * x + 0.25 * y + 0.7 * x * y;
    // The first axis runs fastest.
    let table: Vec<f64> = (0..15)
        .map(|v| f(f64::from(v % 5) / 2.0 - 1.0, f64::from(v / 5) - 1.0))
        .collect();
    let input = uniform(4, 40, -1.0, 1.0);
    let expected: Vec<f64> = input.chunks(2).map(|x| f(x[0], x[1])).collect();
    let found = values(grid.layer(), 2, &[table], &input);
    assert_close(&found, &expected, 1e-6, "grid");
}

#[test]
fn a_budget_buys_vertices_and_nothing_else() {
    for budget in [3_000, 50_000, 400_000] {
        let mut request = Request {
            model: Some("grid".into()),
            ..Request::default()
        };
        request.set("model.parameters", budget);
        let network = resolve(&request, &facts(2, 3)).unwrap().network;
        assert_eq!(network.layers().len(), 1);
        let found = network.parameter_count() as f64 / budget as f64;
        assert!((0.97..=1.0).contains(&found), "{budget}: {found}");
    }
}

/// The whole numbers from -3 to 3 of seed 5, by the program that made [`NORMAL_5`].
const WHOLE_5: [f64; 12] = [
    -1.0, 2.0, -2.0, -3.0, -2.0, -1.0, 3.0, 0.0, -1.0, 1.0, 0.0, -3.0,
];

#[test]
fn integer_sines_have_the_whole_frequencies_of_their_seed() {
    let waves = layer(json!({"kind": "integer-sine", "width": 6, "band": 3, "seed": 5}));
    let phases = uniform(6, 6, -PI, PI);
    let input = uniform(7, 20, -1.0, 1.0);
    let expected: Vec<f64> = input
        .chunks(2)
        .flat_map(|x| {
            let wave = |j: usize| x[0] * WHOLE_5[j] + x[1] * WHOLE_5[j + 6];
            let phases = phases.iter().enumerate();
            phases
                .map(|(j, phase)| (PI * wave(j) + phase).sin())
                .collect::<Vec<_>>()
        })
        .collect();
    // π k is kept in f32.
    let found = values(waves.layer(), 2, &[phases], &input);
    assert_close(&found, &expected, 2e-6, "integer sines");
}

/// The values of a network of three filters with 2, 3 and 4 cycles on a grid of 32 points of the axis: no frequency above 9 is in them, by the discrete Fourier
/// transform, and 9 is.
#[test]
fn products_of_integer_sines_are_band_limited() {
    let filter =
        |band, seed| json!({"kind": "integer-sine", "width": 200, "band": band, "seed": seed});
    let layers = json!([
        filter(2, 0),
        {"kind": "skip"},
        filter(3, 1),
        {"kind": "product", "of": 0},
        {"kind": "skip"},
        filter(4, 2),
        {"kind": "product", "of": 3},
        {"kind": "linear"},
    ]);
    let layers: Vec<LayerConfig> = serde_json::from_value(layers).unwrap();
    let network = Network::new(layers, 1, 1, &Hints::default()).unwrap();
    let parameters = network.initialize(3);
    let n = 32;
    let points: Vec<f32> = (0..n).map(|i| 2.0 * i as f32 / n as f32 - 1.0).collect();
    let mut found = vec![f32::NAN; n];
    TiledEngine::default()
        .evaluate(&network, &parameters, &points, &mut found)
        .unwrap();
    let amplitude = |k: usize| {
        let sum = |wave: fn(f64) -> f64| -> f64 {
            let terms = found.iter().enumerate();
            terms
                .map(|(i, y)| f64::from(*y) * wave(2.0 * PI * (k * i) as f64 / n as f64))
                .sum()
        };
        sum(f64::cos).hypot(sum(f64::sin)) / n as f64
    };
    assert!(amplitude(9) > 1e-4, "{}", amplitude(9));
    for k in 10..=n / 2 {
        assert!(amplitude(k) < 1e-6, "{k}: {}", amplitude(k));
    }
}
