//! What the hash grid takes from the signal and from a budget, and how it is trained and evaluated.

use inr::engine::{Engine, TiledEngine};
use inr::model::{Hints, LayerConfig, Network, SizeBudget, size_to_budget};
use inr::train::optimizer::Optimizer;
use inr::train::{OptimizerKind, Training};
use serde_json::json;

use super::training::{network, result_of, training};

fn layers(hash_grid: serde_json::Value) -> Vec<LayerConfig> {
    let list = json!([hash_grid, {"kind": "relu", "width": 64}, {"kind": "linear"}]);
    serde_json::from_value(list).unwrap()
}

/// A picture of 768 x 512 samples.
fn hints() -> Hints {
    Hints {
        nyquist: vec![384.0, 256.0],
        rms_frequency: vec![40.0, 30.0],
        ..Hints::default()
    }
}

/// 0.8 · 768 = 614.4 cells on the finest level; 384 : 256 = 1 : 2/3.
#[test]
fn the_finest_level_and_the_aspect_follow_the_signal() {
    let network = Network::new(layers(json!({"kind": "hash-grid"})), 2, 3, &hints()).unwrap();
    let LayerConfig::HashGrid(layer) = &network.layers()[0] else {
        panic!("the first layer is a hash grid")
    };
    assert_eq!(layer.finest, 614);
    assert_eq!(layer.aspect, [1.0, 256.0 / 384.0]);
    // round(16 b^l) by round(16 b^l · 2/3) cells, b = (614/16)^(1/9) = 1.49970.
    let longer = [16, 24, 36, 54, 81, 121, 182, 273, 409, 614];
    let shorter = [11, 16, 24, 36, 54, 81, 121, 182, 273, 409];
    let rows = longer.iter().zip(shorter);
    let rows: usize = rows.map(|(a, b)| ((a + 1) * (b + 1)).min(1 << 14)).sum();
    assert_eq!(network.summary()[0].shapes[0].1, [rows, 2]);

    // What is given stays, and a signal with other axes than the layer has inputs says nothing about the aspect.
    let given = json!({"kind": "hash-grid", "finest": 100, "aspect": [0.5, 1.0]});
    let given = Network::new(layers(given), 2, 3, &hints()).unwrap();
    let record = serde_json::to_value(&given.layers()[0]).unwrap();
    assert_eq!(
        (&record["finest"], &record["aspect"]),
        (&json!(100), &json!([0.5, 1.0]))
    );
    let cube = Network::new(layers(json!({"kind": "hash-grid"})), 3, 1, &hints()).unwrap();
    let record = serde_json::to_value(&cube.layers()[0]).unwrap();
    assert_eq!(
        (&record["finest"], record.get("aspect")),
        (&json!(614), None)
    );
}

/// Beside a table widths do not grow, not even one of 1.
#[test]
fn a_width_of_one_beside_a_table_stays() {
    let list = json!([{"kind": "hash-grid"}, {"kind": "relu", "width": 1}, {"kind": "linear"}]);
    let list: Vec<LayerConfig> = serde_json::from_value(list).unwrap();
    for budget in [10, 2_000, 100_000] {
        for budget in [SizeBudget::About(budget), SizeBudget::UpTo(budget)] {
            let network = size_to_budget(&list, 2, 3, &hints(), budget).unwrap();
            let [_, LayerConfig::Relu(relu), _] = network.layers() else {
                panic!("the kinds stay")
            };
            assert_eq!(relu.width, 1, "{budget:?}");
        }
    }
}

/// Below the size as written, rows are multiplied by s² where widths are multiplied by s; above it the table alone grows, and when every
/// vertex has a row of its own, the widths again. The written network has 10 levels of at most 10,000 rows of 2 features.
#[test]
fn a_budget_goes_to_the_table() {
    let layers = layers(json!({"kind": "hash-grid", "table_size": 10_000}));
    let sized = |budget: usize| {
        let near = SizeBudget::About(budget);
        let network = size_to_budget(&layers, 2, 3, &hints(), near).unwrap();
        let found = network.parameter_count();
        assert!(found.abs_diff(budget) < budget / 100, "{budget}: {found}");
        let [LayerConfig::HashGrid(grid), LayerConfig::Relu(relu), _] = network.layers() else {
            panic!("the kinds stay")
        };
        (grid.table_size as f64 / 10_000.0, relu.width as f64 / 64.0)
    };
    for budget in [20_000, 60_000] {
        let (rows, width) = sized(budget);
        // A width is rounded and then moved by a unit or so, and its error counts twice in the square.
        let (ratio, error) = (rows / width.powi(2), 3.0 / (64.0 * width));
        assert!((ratio - 1.0).abs() < error, "{budget}: {ratio} ± {error}");
    }
    let (rows, width) = sized(400_000);
    assert!(rows > 2.0 && width <= 1.0, "{rows} {width}");
    let (_, width) = sized(2_000_000);
    assert!(width > 2.0, "{width}");
    // A limit is no target: there the widths stay.
    let sized = |budget: SizeBudget| {
        let network = size_to_budget(&layers, 2, 3, &hints(), budget).unwrap();
        let [LayerConfig::HashGrid(_), LayerConfig::Relu(relu), _] = network.layers() else {
            panic!("the kinds stay")
        };
        (network.parameter_count(), relu.width)
    };
    let (parameters, width) = sized(SizeBudget::UpTo(2_000_000));
    assert!(
        width == 64 && parameters < 1_500_000,
        "{width} {parameters}"
    );
    for budget in 390_000..390_020 {
        // Two features an entry of the table, on the levels that it bounds.
        let (parameters, _) = sized(SizeBudget::UpTo(budget));
        assert!(
            (budget - 100..=budget).contains(&parameters),
            "{budget}: {parameters}"
        );
    }
}

/// Vertices of the finest level by row, from eq. 4 of the paper: x xor y 2654435761, modulo the number of rows.
fn vertices_of_rows(layer: &LayerConfig) -> Vec<f64> {
    let LayerConfig::HashGrid(layer) = layer else {
        panic!("the first layer is a hash grid")
    };
    let [width, height] = [0, 1].map(|axis: usize| {
        let cells = layer.finest as f32 * layer.aspect[axis];
        cells.round() as u32 + 1
    });
    let mut vertices = vec![0.0; layer.table_size];
    for y in 0..height {
        for x in 0..width {
            let hash = x ^ y.wrapping_mul(2_654_435_761);
            vertices[hash as usize % layer.table_size] += 1.0;
        }
    }
    vertices
}

/// 200,000 parameters would be a table of 19,304 rows if nothing was done, of which a fifth is ever taken.
#[test]
fn no_budget_gives_a_table_with_rows_that_are_never_taken() {
    let of = |layer| {
        let layers = layers(json!({"kind": "hash-grid", "table_size": layer}));
        Network::new(layers, 2, 3, &hints()).unwrap()
    };
    let taken = |layer: &LayerConfig| {
        let vertices = vertices_of_rows(layer);
        vertices.iter().filter(|v| **v > 0.0).count() as f64 / vertices.len() as f64
    };
    for (rows, is_good) in [(19_304, false), (19_303, true), (1 << 14, true)] {
        let network = of(rows);
        let layer = &network.layers()[0];
        assert_eq!(layer.layer().is_well_sized(2), is_good, "{rows}");
        assert_eq!(taken(layer) > 0.95, is_good, "{rows}: {}", taken(layer));
    }
    let list = json!([
        {"kind": "hash-grid"},
        {"kind": "spline-kan", "width": 45},
        {"kind": "spline-kan"},
    ]);
    let list: Vec<LayerConfig> = serde_json::from_value(list).unwrap();
    for budget in (60_000..220_000).step_by(10_000) {
        let network = size_to_budget(&list, 2, 3, &hints(), SizeBudget::About(budget)).unwrap();
        let found = network.parameter_count();
        assert!(
            budget.abs_diff(found) < budget / 1000,
            "{found} for {budget}"
        );
        let vertices = vertices_of_rows(&network.layers()[0]);
        let rows = vertices.len() as f64;
        let mean = vertices.iter().sum::<f64>() / rows;
        let variance = vertices.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / rows;
        assert!(variance < 2.0 * mean, "{budget}: {variance} around {mean}");
    }
}

#[test]
fn outside_counts_as_the_border() {
    let grid = json!([{"kind": "hash-grid", "finest": 50}]);
    let network = network(grid, 2, 20);
    let parameters = network.initialize(4);
    let values = |coordinates: &[f32]| {
        let mut values = vec![f32::NAN; 20];
        TiledEngine::default()
            .evaluate(&network, &parameters, coordinates, &mut values)
            .unwrap();
        values
    };
    assert_eq!(values(&[1.7, 0.3]), values(&[1.0, 0.3]));
    assert_eq!(values(&[-0.2, -1e30]), values(&[-0.2, -1.0]));
    assert_ne!(values(&[0.99, 0.3]), values(&[1.0, 0.3]));
}

/// A table is looked up row by row: no matrix for Muon, wherever the layer is.
#[test]
fn tables_are_left_to_adam() {
    let layers = json!([
        {"kind": "linear", "width": 2},
        {"kind": "hash-grid", "finest": 32},
        {"kind": "relu", "width": 4},
        {"kind": "linear"},
    ]);
    let parameters = network(layers, 2, 3).initialize(1);
    let config = training(OptimizerKind::Muon, 1).optimizer;
    let optimizer = Optimizer::new(&config, &parameters);
    let state = optimizer.tensors(&parameters);
    let has = |name: &str| state.iter().any(|(found, _)| found == name);
    assert!(has("adam.m.layers.1.table"));
    assert!(!has("muon.momentum.layers.1.table"));
    assert!(has("muon.momentum.layers.2.weight"));
}

/// Tables as the first layer and as a later one; batches of several parts of several tiles.
#[test]
fn gradients_of_tables_do_not_depend_on_the_number_of_threads() {
    let grid = json!({"kind": "hash-grid", "levels": 5, "table_size": 700, "finest": 60});
    let linear = json!({"kind": "linear", "width": 2});
    let end = [
        json!({"kind": "relu", "width": 7}),
        json!({"kind": "linear"}),
    ];
    for start in [vec![grid.clone()], vec![linear, grid]] {
        let layers = [&start[..], &end[..]].concat();
        let network = network(layers.into(), 2, 3);
        let training = Training {
            batch_size: 5000,
            ..training(OptimizerKind::Adam, 5)
        };
        let expected = result_of(&training, &network);
        for threads in [1, 2, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let found = pool
                .build()
                .unwrap()
                .install(|| result_of(&training, &network));
            assert_eq!(found, expected, "{threads} threads");
        }
    }
}
