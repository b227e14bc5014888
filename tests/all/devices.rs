//! Graphics adapters against the CPU: every layer kind forward and backward, and a short fit.

use inr::device::{Adapter, AdapterKind, DeviceChoice, adapters, choose};
use inr::engine::{Batch, Engine, Loss, TiledEngine};
use inr::model::layers::Linear;
use inr::model::{Hints, LayerConfig, Network, Parameters};
use inr::train::{Flow, OptimizerKind, State};
use serde_json::json;

use super::layers::random_batch;
use super::numbers::{assert_close, layer_examples};
use super::program::skipped;
use super::training::{network, train, training};

/// The first software adapter, which every machine gives the same results with; none where it is not installed.
fn software_adapter() -> Option<Adapter> {
    let adapter = adapters()
        .into_iter()
        .find(|a| a.kind == AdapterKind::Software);
    if adapter.is_none() {
        skipped("there is no software graphics adapter (for instance lavapipe)");
    }
    adapter
}

fn open(adapter: &Adapter) -> Box<dyn Engine> {
    let chosen = choose(DeviceChoice::GpuNumber(adapter.number)).unwrap();
    assert!(chosen.name.contains(&adapter.name), "{}", chosen.name);
    chosen.engine()
}

/// Values, loss and gradients.
fn results(
    engine: &mut dyn Engine,
    network: &Network,
    parameters: &Parameters,
    batch: &Batch,
) -> (Vec<f32>, f64, Parameters) {
    let mut values = vec![f32::NAN; batch.targets.len()];
    engine
        .evaluate(network, parameters, &batch.coordinates, &mut values)
        .unwrap();
    let mut gradients = parameters.zeros_like();
    gradients.fill(f32::NAN);
    let measured = engine
        .loss_and_gradients(network, parameters, batch, Loss::Mse, &mut gradients)
        .unwrap();
    (values, measured.loss, gradients)
}

/// Alone the layer has no input that is differentiated; under a linear layer with one output its gradient comes from a column.
#[test]
fn every_layer_on_a_graphics_adapter_agrees_with_the_cpu() {
    let Some(adapter) = software_adapter() else {
        return;
    };
    let (mut gpu, mut cpu) = (open(&adapter), TiledEngine::default());
    for (config, d_in, name) in layer_examples() {
        let one_output = LayerConfig::Linear(Linear {
            width: 1,
            omega_0: None,
            bias: true,
        });
        let d_out = config.layer().d_out(d_in);
        for (layers, d_out) in [
            (vec![config.clone()], d_out),
            (vec![config.clone(), one_output], 1),
        ] {
            let network = Network::new(layers, d_in, d_out, &Hints::default()).unwrap();
            if network.check_size().is_err() {
                // An encoding alone has no gradient.
                continue;
            }
            let parameters = network.initialize(2);
            let batch = random_batch(&network, 200);
            let expected = results(&mut cpu, &network, &parameters, &batch);
            let found = results(gpu.as_mut(), &network, &parameters, &batch);
            let context = format!("{name} with {d_out} outputs on {}", adapter.name);
            assert_close(&found.0, &expected.0, 2e-3, &context);
            assert_close(&[found.1], &[expected.1], 2e-3, &context);
            for (found, expected) in found.2.tensors.iter().zip(&expected.2.tensors) {
                let context = format!("{context}: {}", found.name);
                assert_close(&found.values, &expected.values, 2e-3, &context);
            }
        }
    }
}

#[test]
fn a_short_fit_on_a_graphics_adapter_follows_the_cpu() {
    let Some(adapter) = software_adapter() else {
        return;
    };
    let layers = json!([
        {"kind": "sine", "width": 12, "first": true},
        {"kind": "sine", "width": 12},
        {"kind": "linear"},
    ]);
    let network = network(layers, 2, 3);
    let training = training(OptimizerKind::Muon, 20);
    let engines: [Box<dyn Engine>; 2] = [Box::new(TiledEngine::default()), open(&adapter)];
    let [on_cpu, on_gpu] = engines.map(|mut engine| {
        let mut state = State::new(&training, network.initialize(1));
        train(
            &training,
            &network,
            engine.as_mut(),
            &mut state,
            &mut |_| Flow::Continue,
        )
        .unwrap();
        assert_eq!((state.step, state.restorations()), (20, 0));
        state.curve.last().unwrap().loss
    });
    // Rounding differs, and optimizers make signs of it; the loss is what must agree.
    assert!(
        (on_gpu / on_cpu - 1.0).abs() < 0.02,
        "{on_gpu} on the adapter, {on_cpu} on the CPU"
    );
}
