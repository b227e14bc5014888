//! A first layer that is a sum over its inputs, on samples of a grid.

use burn::tensor::Device;
use inr::engine::{Batch, BurnEngine, Engine, Loss, TiledEngine};
use inr::model::layers::Linear;
use inr::model::{Hints, LayerConfig, Network};

use super::layers::random_batch;
use super::numbers::{assert_close, layer_examples};

/// `rows` samples whose coordinates lie on `values` cell centres of each axis, in a scattered order.
fn batch_on_grid(network: &Network, rows: usize, values: usize) -> Batch {
    let d_in = network.d_in();
    let centre = |index: usize| (2 * (index % values) + 1) as f32 / values as f32 - 1.0;
    let coordinates = (0..rows * d_in)
        .map(|place| centre(place / d_in * (7 + 4 * (place % d_in))))
        .collect();
    Batch {
        coordinates,
        ..random_batch(network, rows)
    }
}

/// The layer as the first of a network, and alone.
fn networks(config: &LayerConfig, d_in: usize) -> [Network; 2] {
    let linear = LayerConfig::Linear(Linear {
        width: 3,
        omega_0: None,
        bias: true,
    });
    [vec![config.clone()], vec![config.clone(), linear]].map(|layers| {
        let d_out = layers.iter().fold(d_in, |d, l| l.layer().d_out(d));
        Network::new(layers, d_in, d_out, &Hints::default()).unwrap()
    })
}

/// f(x) = Σ_i f(x_i e_i) − (d_in − 1) f(0) is what [`inr::model::Layer::is_separable`] promises; it holds for such layers and fails for
/// the others.
#[test]
fn separable_layers_are_sums_over_their_inputs() {
    let mut engine = TiledEngine::default();
    for (config, d_in, name) in layer_examples() {
        if d_in < 2 {
            continue;
        }
        let [network, _] = networks(&config, d_in);
        let parameters = network.initialize(5);
        let mut evaluate = |coordinates: &[f32]| {
            let mut values = vec![0.0; network.d_out()];
            engine
                .evaluate(&network, &parameters, coordinates, &mut values)
                .unwrap();
            values
        };
        let point: Vec<f32> = (0..d_in).map(|i| 0.3 - 0.17 * i as f32).collect();
        let whole = evaluate(&point);
        let at_zero = evaluate(&vec![0.0; d_in]);
        let mut sum: Vec<f32> = at_zero.iter().map(|v| -(d_in as f32 - 1.0) * v).collect();
        for i in 0..d_in {
            let mut on_axis = vec![0.0; d_in];
            on_axis[i] = point[i];
            for (sum, value) in sum.iter_mut().zip(evaluate(&on_axis)) {
                *sum += value;
            }
        }
        let error = whole.iter().zip(&sum).map(|(a, b)| (a - b).abs());
        let error = error.fold(0.0, f32::max);
        let size = whole.iter().fold(0.0_f32, |most, v| most.max(v.abs()));
        if config.layer().is_separable() {
            assert!(error <= 1e-5 * (1.0 + size), "{name}: {error:e}");
        } else if !["linear", "rescale"].contains(&config.kind()) {
            assert!(error > 1e-3 * size, "{name} could be separable");
        }
    }
}

#[test]
fn batches_from_a_grid_agree_with_the_plain_form() {
    let mut plain = BurnEngine::new(Device::flex());
    for (config, d_in, name) in layer_examples() {
        if !config.layer().is_separable() {
            continue;
        }
        for network in networks(&config, d_in) {
            if network.check_size().is_err() {
                // An encoding alone has no gradient.
                continue;
            }
            let mut tiled = TiledEngine::default();
            let parameters = network.initialize(3);
            // Few values, so that a table is used; as many values as rows, so that it is not; and back.
            for (rows, values) in [(2500, 31), (300, 300), (1500, 17), (40, 3)] {
                let batch = batch_on_grid(&network, rows, values);
                let context = format!("{name} in {} layers, {rows} rows", network.layers().len());
                let mut results = [(); 2].map(|()| vec![f32::NAN; batch.targets.len()]);
                let [found, expected] = &mut results;
                tiled
                    .evaluate(&network, &parameters, &batch.coordinates, found)
                    .unwrap();
                plain
                    .evaluate(&network, &parameters, &batch.coordinates, expected)
                    .unwrap();
                assert_close(found, expected, 1e-4, &context);
                let mut gradients = [parameters.zeros_like(), parameters.zeros_like()];
                let [found, expected] = &mut gradients;
                let a = tiled
                    .loss_and_gradients(&network, &parameters, &batch, Loss::Mse, found)
                    .unwrap();
                let b = plain
                    .loss_and_gradients(&network, &parameters, &batch, Loss::Mse, expected)
                    .unwrap();
                assert_close(&[a.loss], &[b.loss], 1e-4, &context);
                for (found, expected) in found.tensors.iter().zip(&expected.tensors) {
                    let context = format!("{context}, by {}", found.name);
                    assert_close(&found.values, &expected.values, 1e-4, &context);
                }
            }
        }
    }
}
