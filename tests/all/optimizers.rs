//! The update rules against twins in f64.

use inr::train::OptimizerKind;
use inr::train::optimizer::Optimizer;

use serde_json::json;

use super::numbers::{assert_close, layer_examples, uniform_f32};
use super::training::{KINDS, mixed_network, network, training};

/// a b for row-major `[n, m]` and `[m, p]`.
fn product(a: &[f64], b: &[f64], n: usize, m: usize, p: usize) -> Vec<f64> {
    let entry = |i: usize, j: usize| (0..m).map(|k| a[i * m + k] * b[k * p + j]).sum();
    (0..n * p).map(|at| entry(at / p, at % p)).collect()
}

/// Newton-Schulz of Jordan et al. 2024 on a `[rows, columns]` matrix: X ← 3.4445 X − 4.7750 X XᵀX + 2.0315 X (XᵀX)², five times,
/// from X / |X|; no transposition for tall matrices, as the polynomial is the same from either side.
fn orthogonal(u: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    let norm = u.iter().map(|x| x * x).sum::<f64>().sqrt() + 1e-7;
    let mut x: Vec<f64> = u.iter().map(|x| x / norm).collect();
    for _ in 0..5 {
        let transposed: Vec<f64> = (0..columns * rows)
            .map(|at| x[at % rows * columns + at / rows])
            .collect();
        let gram = product(&transposed, &x, columns, rows, columns);
        let cubic = product(&x, &gram, rows, columns, columns);
        let quintic = product(&cubic, &gram, rows, columns, columns);
        for ((x, cubic), quintic) in x.iter_mut().zip(cubic).zip(quintic) {
            *x = 3.4445 * *x - 4.7750 * cubic + 2.0315 * quintic;
        }
    }
    x
}

/// Adam: m ← β₁ m + (1−β₁) g, v ← β₂ v + (1−β₂) g², p ← p − η (m/(1−β₁ᵗ)) / (√(v/(1−β₂ᵗ)) + ε); AdamW first shrinks p by η λ p.
/// Muon, for each matrix: m ← μ m + (1−μ) g, p ← p − η s orthogonal(μ m + (1−μ) g), s = √max(1, d_out/d_in), where a side is longer
/// than 7 also times √(7 / that side), in step t with a rate 1 + 2 e^(−(t − 1)/100) times as high.
#[test]
fn optimizers_agree_with_their_formulas_in_f64() {
    let network = mixed_network();
    let last = network.layers().len() - 1;
    let with_width = (OptimizerKind::Muon, 7);
    for (kind, width) in KINDS.map(|kind| (kind, 0)).into_iter().chain([with_width]) {
        let mut config = training(kind, 1).optimizer;
        (config.learning_rate, config.muon_learning_rate) = (0.02, 0.03);
        (config.muon_width, config.muon_start) = (width, 3.0);
        config.weight_decay *= 10.0;
        let mut parameters = network.initialize(1);
        let mut optimizer = Optimizer::new(&config, &parameters);
        // Values, first and second moment.
        let mut twins: Vec<[Vec<f64>; 3]> = (parameters.tensors.iter())
            .map(|p| {
                let zeros = vec![0.0; p.values.len()];
                let values = p.values.iter().map(|&v| v.into()).collect();
                [values, zeros.clone(), zeros]
            })
            .collect();
        let mut muon_tensors = 0;
        for t in 1..=4_i32 {
            let factor = 1.0 / f64::from(t);
            let mut gradients = parameters.zeros_like();
            for (i, gradient) in gradients.tensors.iter_mut().enumerate() {
                let seed = 100 * t as u64 + i as u64;
                gradient.values = uniform_f32(seed, gradient.values.len(), -1.0, 1.0);
            }
            optimizer.step(&mut parameters, &gradients, factor);
            for (i, [p, m, v]) in twins.iter_mut().enumerate() {
                let tensor = &parameters.tensors[i];
                let g: Vec<f64> = gradients.tensors[i]
                    .values
                    .iter()
                    .map(|&g| g.into())
                    .collect();
                let hidden = tensor.layer > 0 && tensor.layer < last;
                let matrix = !tensor.name.ends_with("bias") && !tensor.name.ends_with("gain");
                if kind == OptimizerKind::Muon && hidden && matrix {
                    muon_tensors += 1;
                    let mu = config.momentum;
                    let [.., rows, columns] = tensor.shape[..] else {
                        panic!("no matrix")
                    };
                    let (d_in, d_out) = (rows as f64, columns as f64);
                    let longer = d_in.max(d_out);
                    let shape = match width > 0 && longer > 7.0 {
                        true => 7.0 / d_in,
                        false => (d_out / d_in).max(1.0),
                    };
                    let start = 1.0 + 2.0 * (-f64::from(t - 1) / 100.0).exp();
                    let rate = config.muon_learning_rate * factor * shape.sqrt() * start;
                    let slices = p
                        .chunks_mut(rows * columns)
                        .zip(m.chunks_mut(rows * columns))
                        .zip(g.chunks(rows * columns));
                    for ((p, m), g) in slices {
                        for (m, g) in m.iter_mut().zip(g) {
                            *m = mu * *m + (1.0 - mu) * g;
                        }
                        let u: Vec<f64> = m
                            .iter()
                            .zip(g)
                            .map(|(m, g)| mu * m + (1.0 - mu) * g)
                            .collect();
                        for (p, o) in p.iter_mut().zip(orthogonal(&u, rows, columns)) {
                            *p -= rate * o;
                        }
                    }
                } else {
                    let rate = config.learning_rate * factor;
                    let (b1, b2) = (config.beta_1, config.beta_2);
                    for (i, g) in g.iter().enumerate() {
                        m[i] = b1 * m[i] + (1.0 - b1) * g;
                        v[i] = b2 * v[i] + (1.0 - b2) * g * g;
                        let mean = m[i] / (1.0 - b1.powi(t));
                        let root = (v[i] / (1.0 - b2.powi(t))).sqrt();
                        p[i] -= rate * config.weight_decay * p[i];
                        p[i] -= rate * mean / (root + config.epsilon);
                    }
                }
                let found: Vec<f64> = tensor.values.iter().map(|&v| v.into()).collect();
                let context = format!("{kind:?}, width {width}, step {t}, {}", tensor.name);
                assert_close(&found, p, 2e-5, &context);
            }
        }
        // Of the hidden layers: gabor 1, Fourier 1, norm 0, spline 2, gated 1, sine 1; four steps.
        let expected = if kind == OptimizerKind::Muon { 24 } else { 0 };
        assert_eq!(muon_tensors, expected);
    }
}

#[test]
fn steps_are_the_same_bits_on_any_number_of_threads() {
    // Wide enough for tensors and products to be shared out.
    let network = network(
        json!([
            {"kind": "sine", "width": 140, "first": true},
            {"kind": "sine", "width": 135},
            {"kind": "spline-kan", "width": 70},
            {"kind": "linear"},
        ]),
        2,
        3,
    );
    for kind in KINDS {
        let config = training(kind, 1).optimizer;
        let after_steps = |threads: usize| {
            let mut parameters = network.initialize(1);
            let mut optimizer = Optimizer::new(&config, &parameters);
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build().unwrap().install(|| {
                for step in 0..3 {
                    // Any gradients will do: here, weights of another seed.
                    let gradients = network.initialize(2 + step);
                    optimizer.step(&mut parameters, &gradients, 1.0);
                }
            });
            (parameters, optimizer)
        };
        let one = after_steps(1);
        assert!(one == after_steps(2) && one == after_steps(3), "{kind:?}");
    }
}

/// Muon makes the update of a matrix orthogonal, which means nothing for a list of functions or waves: a new kind of layer has to say which of its
/// tensors are lists.
#[test]
fn only_matrices_and_stacks_of_them_are_no_lists() {
    let mut lists = Vec::new();
    for (config, d_in, name) in layer_examples() {
        for spec in config.layer().parameters(d_in) {
            let is_matrix = ["weight", "coefficients", "residual"].contains(&spec.name);
            assert_eq!(spec.is_list, !is_matrix, "{name}: {}", spec.name);
            if spec.is_list && spec.shape.len() > 1 && !lists.contains(&spec.name) {
                lists.push(spec.name);
            }
        }
    }
    lists.sort_unstable();
    let known = [
        "bias",
        "centers",
        "frequencies",
        "inverse_scales",
        "node_coefficients",
        "table",
    ];
    assert_eq!(lists, [&known[..], &["translations"]].concat());
}
