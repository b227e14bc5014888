//! Every preset in a short fit to a picture, a sound and a shape.

use std::path::Path;

use inr::config::{PRESETS, Request, SignalFacts, resolve};
use inr::engine::{Engine, TiledEngine};
use inr::signal::{self, Signal};
use inr::train::Run;

use super::training::trained;

/// Optimizer steps of 4,096 samples.
const STEPS: i64 = 60;

/// The PSNR in dB, with a peak of 2, that presets of 25,000 parameters must reach on the harbour, on the chime, where silence has 19.9, and on a torus; about
/// 1 dB below what they do reach.
const FLOORS: &[(&str, [f64; 3])] = &[
    ("fourier-kan", [20.0, 21.7, 32.9]),
    ("spline-kan", [19.0, 20.1, 20.0]),
    ("siren", [22.1, 21.8, 34.3]),
    ("wire", [19.0, 18.0, 26.5]),
    ("hash-grid", [21.5, 29.1, 22.6]),
    ("hash-kan", [20.5, 24.9, 33.4]),
    ("fkan", [17.5, 19.0, 26.0]),
    ("gkan", [20.1, 25.1, 17.0]),
    ("chebyshev-kan", [17.3, 27.1, 13.8]),
    ("rbf-kan", [19.0, 25.7, 20.2]),
    ("relu-kan", [19.0, 19.0, 22.9]),
    ("wav-kan", [17.7, 19.0, 19.9]),
    ("finer", [19.5, 20.1, 34.1]),
    ("gauss", [19.7, 19.0, 23.1]),
    ("staf", [19.0, 20.0, 28.4]),
    ("relu-ff", [20.1, 25.7, 32.6]),
    ("pe", [20.9, 21.2, 27.8]),
    ("relu", [17.0, 19.0, 17.3]),
    ("grid", [23.1, 38.8, 17.9]),
    ("sl2a", [15.7, 21.0, 28.5]),
    ("mfn-gabor", [15.0, 30.2, 35.0]),
    ("bacon", [15.0, 30.2, 23.9]),
];

/// The PSNR in dB, with a peak of 2, of a preset after a short fit.
fn fitted_psnr_db(preset: &str, signal: &dyn Signal) -> f64 {
    let facts = SignalFacts::of(signal);
    let mut request = Request {
        model: Some(preset.to_string()),
        ..Request::default()
    };
    request.set("model.parameters", 25_000);
    request.set("training.steps", STEPS);
    request.set("training.batch_size", 4096);
    let resolved = resolve(&request, &facts).unwrap();
    let training = resolved.recipe.training.training(signal.samples());
    let network = &resolved.network;
    let state = trained(&Run {
        training: &training,
        network,
        signal,
    });
    assert_eq!(
        (state.step, state.restorations()),
        (STEPS as u64, 0),
        "{preset}, {}",
        facts.kind
    );

    // Every third sample is enough to judge by.
    let indices: Vec<u32> = (0..signal.samples() as u32).step_by(3).collect();
    let mut coordinates = vec![0.0; facts.d_in * indices.len()];
    let mut targets = vec![0.0; facts.d_out * indices.len()];
    signal.gather(&indices, &mut coordinates, &mut targets);
    let mut rows = vec![f32::NAN; coordinates.len()];
    network.locate(&coordinates, &mut rows);
    let mut values = vec![f32::NAN; targets.len()];
    TiledEngine::default()
        .evaluate(network, &state.parameters, &rows, &mut values)
        .unwrap();
    let errors = values.iter().zip(&targets).map(|(v, t)| {
        let difference = f64::from(v.clamp(-1.0, 1.0)) - f64::from(*t);
        difference * difference
    });
    10.0 * (4.0 * targets.len() as f64 / errors.sum::<f64>()).log10()
}

#[test]
fn every_preset_learns_every_kind_of_signal() {
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
    let signals = [
        assets.join("harbour.png"),
        assets.join("chime.wav"),
        "sdf:torus(0.5,0.2)".into(),
    ]
    .map(|path| signal::load(&path).unwrap());
    let mut below = Vec::new();
    for preset in PRESETS {
        let floors = FLOORS.iter().find(|(name, _)| *name == preset.name);
        let (_, floors) = floors.unwrap_or_else(|| panic!("{} has no floors here", preset.name));
        let reached = [0, 1, 2].map(|i| fitted_psnr_db(preset.name, signals[i].as_ref()));
        println!("{}: {reached:.2?} dB", preset.name);
        if reached
            .iter()
            .zip(floors)
            .any(|(psnr_db, floor)| psnr_db < floor)
        {
            below.push(format!(
                "{}: {reached:.2?} dB, at least {floors:?}",
                preset.name
            ));
        }
    }
    assert!(below.is_empty(), "{}", below.join("\n"));
}
