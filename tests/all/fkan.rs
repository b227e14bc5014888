//! The image network of FKAN (Mehrabian et al. 2025) as a list of layers, against PyTorch; `reference/make_fkan.py` made the numbers.

use burn::tensor::{Device, Tensor};
use inr::engine::{Batch, Engine, Loss, TiledEngine};
use inr::model::{Hints, LayerConfig, Network};
use serde::Deserialize;
use serde_json::{Value, json};

use super::numbers::{assert_close, matrix, numbers};

fn network(layers: Value) -> Network {
    let layers: Vec<LayerConfig> = serde_json::from_value(layers).unwrap();
    Network::new(layers, 2, 3, &Hints::default()).unwrap()
}

/// Fourier series 2·270·2·128 + 128, layer norm 2·128, gated 128·256 + 256, twice 256·256 + 256, 256·512 + 512, linear 512·3 + 3:
/// 138,368 + 256 + 33,024 + 2·65,792 + 131,584 + 1,539. The paper's 436,367 counts 12 more, which its outputs do not depend on.
#[test]
fn the_image_network_has_its_parameters_and_initial_bounds() {
    let network = network(json!([
        {
            "kind": "fourier-kan", "width": 128, "frequencies": 270,
            "input_scale": 1.0, "smoothness": 0.0, "cap_at_nyquist": false,
        },
        {"kind": "layer-norm"},
        {"kind": "gated-tanh", "width": 256},
        {"kind": "gated-tanh", "width": 256},
        {"kind": "gated-tanh", "width": 256},
        {"kind": "gated-tanh", "width": 512},
        {"kind": "linear", "omega_0": 15.0},
    ]));
    assert_eq!(network.parameter_count(), 436_355);
    let parameters = network.initialize(0);
    assert_eq!(parameters.count(), 436_355);
    // Of the authors' code: √(6/d_in)/30, and √(6/128)/30 for the last weights, though they have 512 inputs.
    for (tensor, d_in) in [(4, 128.0), (6, 256.0), (8, 256.0), (10, 256.0), (12, 128.0)] {
        let values = &parameters.tensors[tensor].values;
        let largest = values.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
        let bound = (6.0_f64 / d_in).sqrt() / 30.0;
        // The largest of n uniform numbers is below the bound by a part 1/n on average; n is 1,536 or more.
        assert_close(&[f64::from(largest)], &[bound], 0.01, "largest weight");
    }
}

#[derive(Deserialize)]
struct Reference {
    loss: f64,
    values: Vec<f64>,
    gradients: Vec<Vec<f64>>,
}

/// offset + scale u with u in [-1, 1) by the hash of the script.
fn hashed(seed: u32, count: usize, scale: f32, offset: f32) -> Vec<f32> {
    let noise = |i: u32| {
        let i = i.wrapping_mul(2_654_435_761).wrapping_add(12_345);
        let i = (i ^ (i >> 15)).wrapping_mul(2_246_822_519);
        i ^ (i >> 13)
    };
    (0..count as u32)
        .map(|i| offset + scale * ((noise(1000 * seed + i) >> 16) as f32 / 32_768.0 - 1.0))
        .collect()
}

#[test]
fn a_small_network_of_that_kind_agrees_with_pytorch() {
    let json = include_str!("../reference/fkan.json");
    let reference: Reference = serde_json::from_str(json).unwrap();
    let network = network(json!([
        {
            "kind": "fourier-kan", "width": 4, "frequencies": 3,
            "input_scale": 1.0, "smoothness": 0.0, "cap_at_nyquist": false,
        },
        {"kind": "layer-norm"},
        {"kind": "gated-tanh", "width": 5},
        {"kind": "gated-tanh", "width": 6},
        {"kind": "linear"},
    ]));
    let mut parameters = network.initialize(0);
    for (index, tensor) in parameters.tensors.iter_mut().enumerate() {
        let (scale, offset) = match index {
            0 => (0.5, 0.0),
            2 => (0.25, 1.0),
            8 | 9 => (1.0, 0.0),
            _ => (0.125, 0.0),
        };
        tensor.values = hashed(index as u32 + 1, tensor.values.len(), scale, offset);
    }
    let rows = 40;
    let batch = Batch {
        coordinates: hashed(11, 2 * rows, 1.0, 0.0),
        targets: hashed(12, 3 * rows, 1.0, 0.0),
        ..Batch::default()
    };

    // The plain form in f64.
    let device = Device::flex().autodiff();
    let wide = |values: &[f32], shape| {
        let values: Vec<f64> = values.iter().map(|&v| v.into()).collect();
        matrix(&values, shape, &device)
    };
    let leaves: Vec<Tensor<2>> = parameters
        .tensors
        .iter()
        .map(|p| wide(&p.values, p.matrix_shape()).require_grad())
        .collect();
    let mut rest = &leaves[..];
    let mut output = wide(&batch.coordinates, [rows, 2]);
    for (config, count) in network.layers().iter().zip(network.tensors_per_layer()) {
        let (own, others) = rest.split_at(count);
        output = config.layer().forward(own, output);
        rest = others;
    }
    let difference = output.clone() - wide(&batch.targets, [rows, 3]);
    let loss = (difference.clone() * difference).mean();
    assert_close(&numbers(output), &reference.values, 1e-6, "values, plain");
    assert_close(
        &numbers(loss.clone()),
        &[reference.loss],
        1e-6,
        "loss, plain",
    );
    let tape = loss.backward();
    for ((leaf, expected), parameter) in leaves
        .iter()
        .zip(&reference.gradients)
        .zip(&parameters.tensors)
    {
        let found = numbers(leaf.grad(&tape).unwrap());
        assert_close(
            &found,
            expected,
            2e-6,
            &format!("{}, plain", parameter.name),
        );
    }

    // The tile form in f32.
    let mut engine = TiledEngine::default();
    let mut values = vec![f32::NAN; 3 * rows];
    engine
        .evaluate(&network, &parameters, &batch.coordinates, &mut values)
        .unwrap();
    let values: Vec<f64> = values.iter().map(|&v| v.into()).collect();
    assert_close(&values, &reference.values, 1e-5, "values, tiles");
    let mut gradients = parameters.zeros_like();
    let measured = engine
        .loss_and_gradients(&network, &parameters, &batch, Loss::Mse, &mut gradients)
        .unwrap();
    assert_close(&[measured.loss], &[reference.loss], 1e-5, "loss, tiles");
    assert_eq!(gradients.tensors.len(), reference.gradients.len());
    for (found, expected) in gradients.tensors.iter().zip(&reference.gradients) {
        let values: Vec<f64> = found.values.iter().map(|&v| v.into()).collect();
        assert_close(&values, expected, 2e-5, &format!("{}, tiles", found.name));
    }
}
