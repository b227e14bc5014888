//! Losses on the gradient of a network: the tile form of the derivative rule against the plain form, and the loss against its formula.

use burn::tensor::Device;
use inr::engine::{Batch, BurnEngine, Engine, Loss, Measured, TiledEngine};
use inr::model::layers::Linear;
use inr::model::{Hints, LayerConfig, Network, Parameters};

use super::numbers::{assert_close, layer_examples, uniform_f32};

fn linear(width: usize) -> LayerConfig {
    LayerConfig::Linear(Linear {
        width,
        omega_0: None,
        bias: true,
    })
}

/// Points of which every third is on the surface, and the others on one side, the other, or an unknown one.
fn oriented_batch(rows: usize, d_in: usize) -> Batch {
    let mut normals = uniform_f32(32, rows * d_in, -1.0, 1.0);
    for (row, normal) in normals.chunks_mut(d_in).enumerate() {
        let length = normal.iter().map(|n| n * n).sum::<f32>().sqrt();
        let factor = if row % 3 == 0 { 1.0 / length } else { 0.0 };
        normal.iter_mut().for_each(|n| *n *= factor);
    }
    Batch {
        coordinates: uniform_f32(31, rows * d_in, -1.0, 1.0),
        targets: (0..rows)
            .map(|row| [0.4, -0.3, 0.0, 0.2][row % 4])
            .collect(),
        normals,
        ..Batch::default()
    }
}

fn run(
    engine: &mut dyn Engine,
    network: &Network,
    parameters: &Parameters,
    batch: &Batch,
) -> (Measured, Parameters) {
    let mut gradients = parameters.zeros_like();
    let measured = engine
        .loss_and_gradients(network, parameters, batch, Loss::Oriented, &mut gradients)
        .unwrap();
    (measured, gradients)
}

#[test]
fn both_engines_agree_on_the_gradient_of_every_layer() {
    let mut with_tile_form = 0;
    for (config, d_in, name) in layer_examples() {
        with_tile_form += usize::from(config.layer().tangent_form().is_some());
        let lists = [
            vec![config.clone(), linear(1)],
            vec![
                linear(d_in),
                config.clone(),
                linear(7),
                config.clone(),
                linear(1),
            ],
        ];
        for layers in lists {
            // The second time its inputs are 7.
            if layers.len() > 2 && config.layer().check(7).is_err() {
                continue;
            }
            let network = Network::new(layers, d_in, 1, &Hints::default()).unwrap();
            let parameters = network.initialize(3);
            let mut tiled = TiledEngine::default();
            for rows in [1, 700] {
                let batch = oriented_batch(rows, d_in);
                let context = format!("{name} in {} layers, {rows} rows", network.layers().len());
                let (found, gradients) = run(&mut tiled, &network, &parameters, &batch);
                let mut plain = BurnEngine::new(Device::flex());
                let (expected, plain_gradients) = run(&mut plain, &network, &parameters, &batch);
                assert_close(&[found.loss], &[expected.loss], 1e-4, &context);
                let [a, b] = [found, expected].map(|m| m.mean_squared_error);
                // Of values near 1e-4 that are differences of numbers near 1, f32 keeps three digits.
                assert!((a - b).abs() <= 1e-4 * b + 1e-9, "{context}: {a}, {b}");
                for (found, expected) in gradients.tensors.iter().zip(&plain_gradients.tensors) {
                    let context = format!("{context}, by {}", found.name);
                    assert_close(&found.values, &expected.values, 2e-3, &context);
                }
            }
        }
    }
    assert!(with_tile_form > 5, "most kinds have a tile form");
}

#[test]
fn the_gradients_of_the_loss_agree_with_central_differences() {
    for (config, d_in, name) in layer_examples() {
        // What goes through the plain form is checked where the layers are.
        if config.layer().tangent_form().is_none() {
            continue;
        }
        let network = Network::new(vec![config, linear(1)], d_in, 1, &Hints::default()).unwrap();
        let parameters = network.initialize(4);
        let mut engine = TiledEngine::default();
        let batch = oriented_batch(60, d_in);
        let (_, gradients) = run(&mut engine, &network, &parameters, &batch);
        // Along the gradient itself the slope of the loss is its length. In f32 a step of 1e-3 of the parameters' scale balances rounding
        // and curvature; the loss has corners, hence the wide bound.
        let length = gradients
            .tensors
            .iter()
            .flat_map(|t| &t.values)
            .map(|g| g * g)
            .sum::<f32>();
        let length = length.sqrt();
        let step = 2e-5;
        let [up, down] = [step, -step].map(|step| {
            let mut moved = parameters.clone();
            for (moved, gradient) in moved.tensors.iter_mut().zip(&gradients.tensors) {
                for (value, g) in moved.values.iter_mut().zip(&gradient.values) {
                    *value += step * g / length;
                }
            }
            run(&mut engine, &network, &moved, &batch).0.loss
        });
        let slope = (up - down) / (2.0 * f64::from(step));
        assert_close(&[slope], &[f64::from(length)], 0.05, &name);
    }
}

/// A field that is 0 everywhere has no direction; that must not spoil the gradients of its parameters.
#[test]
fn a_flat_field_has_finite_gradients() {
    for (config, d_in, name) in layer_examples() {
        let network = Network::new(vec![config, linear(1)], d_in, 1, &Hints::default()).unwrap();
        let mut parameters = network.initialize(4);
        parameters.fill(0.0);
        let batch = oriented_batch(9, d_in);
        let engines: [Box<dyn Engine>; 2] = [
            Box::<TiledEngine>::default(),
            Box::new(BurnEngine::new(Device::flex())),
        ];
        let [(tiled, a), (plain, b)] =
            engines.map(|mut engine| run(engine.as_mut(), &network, &parameters, &batch));
        assert!(tiled.loss.is_finite() && a.is_finite(), "{name}");
        assert_close(&[tiled.loss], &[plain.loss], 1e-5, &name);
        for (a, b) in a.tensors.iter().zip(&b.tensors) {
            assert_close(
                &a.values,
                &b.values,
                1e-4,
                &format!("{name}, by {}", a.name),
            );
        }
    }
}

/// f = 0.6 x + 0.8 y + 0.1 has |∇f| = 1; the first row is on the surface at f = 0.1 with its normal at right angles to ∇f, the second off it at
/// f = 0.7, where no side is known, where that is the side, and where it is the wrong one.
#[test]
fn the_loss_is_that_of_its_formula() {
    let network = Network::new(vec![linear(1)], 2, 1, &Hints::default()).unwrap();
    let mut parameters = network.initialize(0);
    parameters.tensors[0].values = vec![0.6, 0.8];
    parameters.tensors[1].values = vec![0.1];
    let on = 3000.0 * 0.1 + 100.0 * (1.0 - 0.0);
    let right = 100.0 * (-100.0 * 0.7_f64).exp();
    let wrong = 100.0 * (1.0 + 100.0 * 0.7);
    for (target, off) in [(0.0, right), (0.4, right), (-0.4, wrong)] {
        let batch = Batch {
            coordinates: vec![0.0, 0.0, 1.0, 0.0],
            targets: vec![0.0, target],
            normals: vec![0.8, -0.6, 0.0, 0.0],
            ..Batch::default()
        };
        let engines: [Box<dyn Engine>; 2] = [
            Box::<TiledEngine>::default(),
            Box::new(BurnEngine::new(Device::flex())),
        ];
        for mut engine in engines {
            let (measured, _) = run(engine.as_mut(), &network, &parameters, &batch);
            assert_close(&[measured.loss], &[(on + off) / 2.0], 1e-5, "loss");
            assert_close(
                &[measured.mean_squared_error],
                &[0.01 / 2.0],
                1e-5,
                "f² on the surface",
            );
        }
    }
}

/// f = x has |∇f| = 1 to the bit, where | |∇f| − 1 | has no slope; off the surface at f = 0.5, the rest of the loss has none in y.
#[test]
fn a_slope_of_1_is_not_drawn_away() {
    let network = Network::new(vec![linear(1)], 2, 1, &Hints::default()).unwrap();
    let mut parameters = network.initialize(0);
    parameters.tensors[0].values = vec![1.0, 0.0];
    parameters.tensors[1].values = vec![0.0];
    let batch = Batch {
        coordinates: vec![0.5, 0.25],
        targets: vec![0.4],
        normals: vec![0.0, 0.0],
        ..Batch::default()
    };
    // d/df of 100 exp(−100 f), times x and y.
    let slope = -1e4 * (-100.0 * 0.5_f64).exp();
    let engines: [Box<dyn Engine>; 2] = [
        Box::<TiledEngine>::default(),
        Box::new(BurnEngine::new(Device::flex())),
    ];
    for mut engine in engines {
        let (_, gradients) = run(engine.as_mut(), &network, &parameters, &batch);
        for (found, along) in gradients.tensors[0].values.iter().zip([0.5, 0.25]) {
            let found = f64::from(*found);
            assert!((found - along * slope).abs() < 1e-6, "{found}");
        }
    }
}
