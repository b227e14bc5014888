//! Layers that read the outputs of earlier ones, in both engines.

use burn::tensor::Device;
use inr::engine::{Batch, BurnEngine, Engine, Loss, TiledEngine};
use inr::model::{Hints, LayerConfig, Network, NetworkError, Parameters};
use serde_json::{Value, json};

use super::layers::random_batch;
use super::numbers::{assert_close, uniform_f32};

fn network(layers: Value, d_out: usize) -> Result<Network, NetworkError> {
    let layers: Vec<LayerConfig> = serde_json::from_value(layers).unwrap();
    Network::new(layers, 2, d_out, &Hints::default())
}

/// Factors of one product and of several, the layer before and the first, which is separable.
fn products(d_out: usize) -> Network {
    let layers = json!([
        {"kind": "chebyshev-kan", "width": 6, "degree": 4},
        {"kind": "layer-norm"},
        {"kind": "product", "of": 1},
        {"kind": "linear", "width": 3, "bias": false},
        {"kind": "sine", "width": 6, "omega_0": 3.0},
        {"kind": "product", "of": 1},
        {"kind": "product", "of": 0},
        {"kind": "linear"},
    ]);
    network(layers, d_out).unwrap()
}

/// The coordinates once more behind a separable layer, which then has no table; layers that are read once more, one of them by a skip and a product.
fn skips(d_out: usize) -> Network {
    let layers = json!([
        {"kind": "chebyshev-kan", "width": 5, "degree": 3},
        {"kind": "skip"},
        {"kind": "gabor-filter", "width": 4, "scale": 3.0},
        {"kind": "skip", "of": 0},
        {"kind": "linear", "width": 4},
        {"kind": "product", "of": 2},
        {"kind": "skip", "of": 2},
        {"kind": "sine", "width": 4, "omega_0": 3.0},
        {"kind": "product", "of": 5},
        {"kind": "linear"},
    ]);
    network(layers, d_out).unwrap()
}

const EXAMPLES: [fn(usize) -> Network; 2] = [products, skips];

/// `layers`, a linear layer from two coordinates first and one to a single value last, give what `expected` makes of x, of z = x W + b of the first layer, and of
/// the numbers of the last.
fn assert_formula(layers: Value, expected: impl Fn(&[f32], [f32; 2], [&[f32]; 2]) -> f32) {
    let network = network(layers, 1).unwrap();
    let parameters = network.initialize(1);
    let p: Vec<&[f32]> = parameters.tensors.iter().map(|t| &t.values[..]).collect();
    let x = uniform_f32(5, 2 * 50, -1.0, 1.0);
    let expected: Vec<f32> = x
        .chunks(2)
        .map(|x| {
            let z = [0, 1].map(|j: usize| x[0] * p[0][j] + x[1] * p[0][2 + j] + p[1][j]);
            expected(x, z, [p[2], p[3]])
        })
        .collect();
    let engines: [Box<dyn Engine>; 2] = [
        Box::new(BurnEngine::new(Device::flex())),
        Box::new(TiledEngine::default()),
    ];
    for mut engine in engines {
        let mut found = vec![f32::NAN; 50];
        engine
            .evaluate(&network, &parameters, &x, &mut found)
            .unwrap();
        assert_close(&found, &expected, 1e-5, "formula");
    }
}

#[test]
fn a_layer_times_itself_is_its_square() {
    let square = json!([
        {"kind": "linear", "width": 2},
        {"kind": "product", "of": 0},
        {"kind": "linear"},
    ]);
    assert_formula(square, |_, z, [v, c]| {
        v[0] * z[0] * z[0] + v[1] * z[1] * z[1] + c[0]
    });
}

#[test]
fn coordinates_can_be_read_once_more() {
    let times_coordinates = json!([
        {"kind": "linear", "width": 2},
        {"kind": "skip"},
        {"kind": "product", "of": 0},
        {"kind": "linear"},
    ]);
    assert_formula(times_coordinates, |x, z, [v, c]| {
        v[0] * z[0] * x[0] + v[1] * z[1] * x[1] + c[0]
    });
}

#[test]
fn both_engines_agree_on_links() {
    for example in EXAMPLES {
        both_engines_agree(&example(3));
    }
}

fn both_engines_agree(network: &Network) {
    let parameters = network.initialize(2);
    let (mut tiled, mut plain) = (TiledEngine::default(), BurnEngine::new(Device::flex()));
    // On a grid the first layer comes from a table.
    for (rows, on_grid) in [(1000, false), (7, false), (3000, true), (5000, false)] {
        let mut batch = random_batch(network, rows);
        if on_grid {
            for x in &mut batch.coordinates {
                *x = (*x * 10.0).round() / 10.0;
            }
        }
        let context = format!("{rows} rows");
        let mut values = [(); 2].map(|()| vec![f32::NAN; batch.targets.len()]);
        let mut gradients = [parameters.zeros_like(), parameters.zeros_like()];
        let engines: [&mut dyn Engine; 2] = [&mut tiled, &mut plain];
        for ((engine, values), gradients) in
            engines.into_iter().zip(&mut values).zip(&mut gradients)
        {
            engine
                .evaluate(network, &parameters, &batch.coordinates, values)
                .unwrap();
            engine
                .loss_and_gradients(network, &parameters, &batch, Loss::Mse, gradients)
                .unwrap();
        }
        assert_close(&values[0], &values[1], 1e-4, &context);
        for (found, expected) in gradients[0].tensors.iter().zip(&gradients[1].tensors) {
            let context = format!("{context}, by {}", found.name);
            assert_close(&found.values, &expected.values, 1e-4, &context);
        }
    }
}

/// Along the gradient itself the slope of the loss is the gradient's length.
#[test]
fn gradients_through_links_agree_with_central_differences() {
    for (example, loss) in EXAMPLES
        .into_iter()
        .flat_map(|example| [(example, Loss::Mse), (example, Loss::Oriented)])
    {
        let network = example(1);
        let parameters = network.initialize(4);
        let rows = 60;
        let normals = uniform_f32(8, rows, -3.0, 3.0);
        let batch = Batch {
            normals: normals.iter().flat_map(|a| [a.cos(), a.sin()]).collect(),
            ..random_batch(&network, rows)
        };
        let mut engine = TiledEngine::default();
        let mut at = |parameters: &Parameters| {
            let mut gradients = parameters.zeros_like();
            let measured = engine
                .loss_and_gradients(&network, parameters, &batch, loss, &mut gradients)
                .unwrap();
            (measured.loss, gradients)
        };
        let (_, gradients) = at(&parameters);
        let numbers = gradients.tensors.iter().flat_map(|t| &t.values);
        let length = numbers.map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        let step = 1e-3;
        let [up, down] = [step, -step].map(|step| {
            let mut moved = parameters.clone();
            for (tensor, gradient) in moved.tensors.iter_mut().zip(&gradients.tensors) {
                for (value, g) in tensor.values.iter_mut().zip(&gradient.values) {
                    *value += (step / length) as f32 * g;
                }
            }
            at(&moved).0
        });
        let slope = (up - down) / (2.0 * step);
        // The oriented loss has corners.
        let bound = if loss == Loss::Mse { 5e-3 } else { 3e-2 };
        let error = (slope / length - 1.0).abs();
        assert!(error < bound, "{loss:?}: {slope} instead of {length}");
    }
}

#[test]
fn a_link_that_does_not_fit_is_named() {
    let error = |layers: Value| network(layers, 3).unwrap_err().to_string();
    for (layers, words) in [
        (
            json!([{"kind": "product", "of": 0}]),
            ["layers.0", "this is the first"],
        ),
        (
            json!([{"kind": "linear", "width": 4}, {"kind": "product", "of": 1}, {"kind": "linear"}]),
            ["layers.1", "of is 1; it must name an earlier layer"],
        ),
        (
            json!([{"kind": "linear", "width": 4}, {"kind": "linear", "width": 5}, {"kind": "product", "of": 0}, {"kind": "linear"}]),
            ["layers.2", "which gives 4 values, but this one has 5"],
        ),
        (
            json!([{"kind": "linear", "width": 4}, {"kind": "skip", "of": 1}, {"kind": "linear"}]),
            ["layers.1", "of is 1; it must name an earlier layer"],
        ),
        (
            json!([{"kind": "linear", "width": 4}, {"kind": "skip"}, {"kind": "linear"}]),
            ["layers.0 (linear)", "no layer reads its output"],
        ),
    ] {
        let error = error(layers);
        for word in words {
            assert!(error.contains(word), "{word:?} is not in {error}");
        }
    }
}
