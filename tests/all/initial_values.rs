//! Every registered layer kind at the start: counts, costs and how the initial numbers are spread.

use burn::tensor::{Device, Tensor};
use inr::model::layers::{FourierKan, ReluInit, Residual, SplineKan, StafInit};
use inr::model::{Layer, LayerConfig};
use rand::{SeedableRng, rngs::StdRng};
use serde_json::json;

use super::numbers::{layer_examples, matrix, matrix_shape, numbers};

/// The number of trained numbers by the formula of the kind, the multiply-adds that it needs for a row, and how its initial values are
/// spread: one law a tensor. None of a kind whose formulas nobody has written down here yet; the rest of the test holds for it all the same.
fn expectation(config: &LayerConfig, d_in: usize) -> Option<Expectation> {
    let torch = 1.0 / (d_in as f64).sqrt();
    // Sitzmann et al. 2020, section 3.2.
    let siren = |omega_0: f32| (6.0 / d_in as f64).sqrt() / f64::from(omega_0);
    let expected = match config {
        LayerConfig::Linear(l) => {
            let mut laws = vec![Law::Uniform(l.omega_0.map_or(torch, siren))];
            if l.bias {
                laws.push(Law::Uniform(torch));
            }
            let biases = if l.bias { l.width } else { 0 };
            (d_in * l.width + biases, d_in * l.width, laws)
        }
        LayerConfig::Relu(l) => (
            d_in * l.width + l.width,
            d_in * l.width,
            match l.init {
                // He et al. 2015, eq. 10.
                ReluInit::He => vec![
                    Law::Normal(vec![(2.0 / d_in as f64).sqrt()]),
                    Law::Constant(0.0),
                ],
                ReluInit::Pytorch => vec![Law::Uniform(torch), Law::Uniform(torch)],
            },
        ),
        LayerConfig::HashGrid(l) => {
            let growth =
                (l.finest as f64 / l.coarsest as f64).powf(1.0 / (l.levels as f64 - 1.0).max(1.0));
            let rows = |level| {
                let cells = (l.coarsest as f64 * growth.powi(level)).round() as usize;
                (cells + 1).pow(d_in as u32).min(l.table_size)
            };
            (
                (0..l.levels as i32).map(rows).sum::<usize>() * l.features,
                2_usize.pow(d_in as u32) * l.levels * l.features,
                vec![Law::Uniform(1e-4)],
            )
        }
        LayerConfig::Grid(l) => {
            // The side of the largest cube of vertices, then one more on each axis in turn.
            let mut sides = vec![(l.vertices as f64).powf(1.0 / d_in as f64) as usize; d_in];
            for axis in 0..d_in {
                sides[axis] += 1;
                if sides.iter().product::<usize>() > l.vertices {
                    sides[axis] -= 1;
                }
            }
            (
                sides.iter().product::<usize>() * l.width,
                2_usize.pow(d_in as u32) * l.width,
                vec![Law::Uniform(1e-4)],
            )
        }
        LayerConfig::FourierFeatures(l) => (0, d_in * l.frequencies, vec![]),
        LayerConfig::PositionalEncoding(_)
        | LayerConfig::Product(_)
        | LayerConfig::Skip(_)
        | LayerConfig::Rescale(_) => (0, 0, vec![]),
        LayerConfig::IntegerSine(l) => (
            l.width,
            d_in * l.width,
            vec![Law::Uniform(std::f64::consts::PI)],
        ),
        LayerConfig::GaborFilter(l) => {
            let alpha = f64::from(l.alpha);
            let bound = f64::from(l.scale) * torch;
            (
                2 * d_in * l.width + 2 * l.width,
                d_in * l.width,
                vec![
                    Law::UniformByRootGamma { bound, alpha, d_in },
                    Law::Uniform(std::f64::consts::PI),
                    Law::Uniform(1.0),
                    Law::Gamma(alpha),
                ],
            )
        }
        LayerConfig::Staf(l) => {
            let bound = match (l.init, l.first) {
                (StafInit::Pytorch, _) => torch,
                (StafInit::Siren, true) => 1.0 / d_in as f64,
                (StafInit::Siren, false) => siren(l.omega_0),
            };
            (
                d_in * l.width + l.width + 3 * l.terms,
                d_in * l.width,
                vec![
                    Law::Uniform(bound),
                    Law::Uniform(torch),
                    Law::RootOfLaplace(1.0 / (2.0 * l.terms as f64)),
                    Law::Positive(f64::from(l.omega_0)),
                    Law::Uniform(std::f64::consts::PI),
                ],
            )
        }
        LayerConfig::WaveletKan(l) => {
            let deviation = f64::from(l.gain) / (d_in as f64).sqrt();
            (
                3 * d_in * l.width + l.width,
                d_in * l.width,
                vec![
                    Law::Normal(vec![deviation]),
                    Law::Constant(1.0 / f64::from(l.scale)),
                    Law::Uniform(f64::from(l.range)),
                    Law::Constant(0.0),
                ],
            )
        }
        LayerConfig::GatedTanh(l) => (
            d_in * l.width + l.width,
            d_in * l.width,
            vec![Law::Uniform(siren(l.omega_0)), Law::Uniform(torch)],
        ),
        LayerConfig::LayerNorm(_) => (2 * d_in, 0, vec![Law::Constant(1.0), Law::Constant(0.0)]),
        LayerConfig::Sine(l) => {
            let bound = if l.first {
                1.0 / d_in as f64
            } else {
                siren(l.omega_0)
            } * f64::from(l.weight_scale);
            (
                d_in * l.width + l.width,
                d_in * l.width,
                vec![Law::Uniform(bound), Law::Uniform(torch)],
            )
        }
        LayerConfig::Gabor(l) if l.first => (
            d_in * l.width + l.width,
            d_in * l.width,
            vec![Law::Uniform(torch * f64::from(l.weight_scale)); 2],
        ),
        // Complex: 2 numbers a weight, half as many inputs; (a + ib)(c + id) = ac − bd + i(ad + bc).
        LayerConfig::Gabor(l) => (
            2 * (d_in / 2 * l.width + l.width),
            4 * (d_in / 2 * l.width),
            vec![Law::Uniform((2.0 / d_in as f64).sqrt() * f64::from(l.weight_scale)); 2],
        ),
        LayerConfig::FourierKan(l) => {
            // gain k^-p / √(d_in Σ k^-2p), for the cosines, then for the sines. The k are 1..K, or of six up to 63 those whose gaps double.
            assert!(matches!((l.frequencies, l.highest), (_, 0) | (6, 63)));
            let powers: Vec<f64> = (1..=l.frequencies as i32)
                .map(|j| match l.highest {
                    0 => f64::from(j),
                    _ => 2_f64.powi(j) - 1.0,
                })
                .map(|k| k.powf(-f64::from(l.smoothness)))
                .collect();
            let energy: f64 = powers.iter().map(|p| p * p).sum();
            let scale = f64::from(l.gain) / (d_in as f64 * energy).sqrt();
            let deviations: Vec<f64> = powers.iter().map(|p| p * scale).collect();
            (
                2 * l.frequencies * d_in * l.width + l.width,
                // A cosine and a sine of each frequency on every edge.
                2 * l.frequencies * d_in * l.width,
                vec![Law::Normal(deviations.repeat(2)), Law::Constant(0.0)],
            )
        }
        LayerConfig::Finer(l) => {
            let bound = match l.first {
                true => 1.0 / d_in as f64,
                false => siren(l.omega_0),
            };
            let bias = match l.bias_range > 0.0 {
                true => f64::from(l.bias_range),
                false => torch,
            };
            (
                d_in * l.width + l.width,
                d_in * l.width,
                vec![Law::Uniform(bound), Law::Uniform(bias)],
            )
        }
        LayerConfig::Gauss(l) => (
            d_in * l.width + l.width,
            d_in * l.width,
            vec![Law::Uniform(torch); 2],
        ),
        LayerConfig::HarmonicKan(l) => {
            let features = l.harmonics * d_in;
            let bound = (6.0 / features as f64).sqrt() / f64::from(l.omega_0);
            (
                features * l.width + l.width,
                features * l.width,
                vec![Law::Uniform(bound), Law::Uniform(torch)],
            )
        }
        LayerConfig::ChebyshevKan(l) if l.edge_constants => {
            let count = (l.degree + 1) * d_in * l.width;
            let deviation = f64::from(l.gain) / (((l.degree + 1) * d_in) as f64).sqrt();
            (count, count, vec![Law::Normal(vec![deviation])])
        }
        LayerConfig::ChebyshevKan(l) => normal_features(l.degree * d_in, l.width, l.gain),
        LayerConfig::RbfKan(l) => {
            let functions = l.centres + usize::from(l.residual);
            normal_features(functions * d_in, l.width, l.gain)
        }
        LayerConfig::ReluKan(l) => {
            normal_features((l.grid_size + l.overlap) * d_in, l.width, l.gain)
        }
        LayerConfig::FactoredKan(l) => {
            let bound = match l.residual {
                Residual::Sine => siren(l.omega_0) / (l.harmonics as f64).sqrt(),
                _ => torch,
            } * f64::from(l.weight_scale);
            let deviation = f64::from(l.noise_scale) / (151.0 / 315.0_f64).sqrt();
            (
                l.harmonics * d_in * l.width + l.width + (l.grid_size + 3) * d_in,
                l.harmonics * d_in * l.width,
                vec![
                    Law::Uniform(bound),
                    Law::Uniform(torch),
                    Law::Normal(vec![deviation]),
                ],
            )
        }
        LayerConfig::SplineKan(l) => {
            // The mean of Σ B_m² over an interval is ∫ B² = 151/315.
            let deviation = f64::from(l.noise_scale) / (d_in as f64 * 151.0 / 315.0).sqrt();
            let bases = l.grid_size + 3;
            let mut count = bases * d_in * l.width + l.width;
            let mut laws = vec![Law::Normal(vec![deviation; bases]), Law::Constant(0.0)];
            // Cubic B-splines span four intervals, so that four are not zero at a point.
            let multiply_adds = 4 * d_in * l.width;
            match l.residual {
                Residual::None => return Some((count, multiply_adds, laws)),
                Residual::Sine => {
                    laws[1] = Law::Uniform(torch);
                    laws.push(Law::Uniform(siren(l.omega_0)));
                }
                Residual::Silu | Residual::Identity => laws.push(Law::Uniform(torch)),
            }
            count += d_in * l.width;
            (count, multiply_adds + d_in * l.width, laws)
        }
        // All kinds so far are above.
        #[allow(unreachable_patterns)]
        _ => return None,
    };
    Some(expected)
}

/// Trained numbers, multiply-adds of a row, and a law for each tensor.
type Expectation = (usize, usize, Vec<Law>);

/// Count, multiply-adds and spread of F(x) W + b with coefficients in N(0, gain² / features) and no bias.
fn normal_features(features: usize, width: usize, gain: f32) -> Expectation {
    let deviation = f64::from(gain) / (features as f64).sqrt();
    (
        features * width + width,
        features * width,
        vec![Law::Normal(vec![deviation]), Law::Constant(0.0)],
    )
}

/// How the numbers of a tensor are spread at the start.
#[derive(Debug, Clone)]
enum Law {
    /// The same number everywhere.
    Constant(f64),
    /// U(-bound, bound)
    Uniform(f64),
    /// U(0, bound)
    Positive(f64),
    /// ±√|l|, l of a Laplace distribution of this scale.
    RootOfLaplace(f64),
    /// The gamma distribution of this shape and scale 1.
    Gamma(f64),
    /// U(-bound, bound) √γ, with one γ of [`Self::Gamma`] for each column of `d_in` numbers.
    UniformByRootGamma { bound: f64, alpha: f64, d_in: usize },
    /// N(0, deviation²), one deviation for each slice along the first axis.
    Normal(Vec<f64>),
}

impl Law {
    /// Holds mean, variance and fourth moment to their values, within five standard errors.
    fn check(&self, values: &[f32], context: &str) {
        let n = values.len() as f64;
        let independent = match self {
            // Numbers of a column share their γ.
            Self::UniformByRootGamma { d_in, .. } => n / *d_in as f64,
            _ => n,
        };
        // Scaled to variance 1; fourth and eighth moment of that.
        let (scaled, fourth, eighth): (Vec<f64>, f64, f64) = match self {
            Self::Constant(number) => {
                let all = values.iter().all(|&v| f64::from(v) == *number);
                return assert!(all, "{context}");
            }
            Self::Uniform(bound) => {
                let most = values.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
                assert!(f64::from(most) <= bound * (1.0 + 1e-6), "{context}: {most}");
                let scale = 3.0_f64.sqrt() / bound;
                (
                    values.iter().map(|&v| f64::from(v) * scale).collect(),
                    9.0 / 5.0,
                    81.0 / 9.0,
                )
            }
            Self::Positive(bound) => {
                let half = (0.5 * bound) as f32;
                let centred: Vec<f32> = values.iter().map(|v| v - half).collect();
                return Self::Uniform(0.5 * bound).check(&centred, context);
            }
            // E l^m = m! scale^m for the exponential |l|.
            Self::RootOfLaplace(scale) => (
                values
                    .iter()
                    .map(|&v| f64::from(v) / scale.sqrt())
                    .collect(),
                2.0,
                24.0,
            ),
            // From the cumulants κ_n = α (n − 1)!.
            Self::Gamma(a) => (
                values
                    .iter()
                    .map(|&v| (f64::from(v) - a) / a.sqrt())
                    .collect(),
                3.0 + 6.0 / a,
                (5040.0 / a + 28.0 * 120.0 + 56.0 * 24.0 * 2.0 + 35.0 * 36.0) / (a * a)
                    + (210.0 * 6.0 + 280.0 * 4.0) / a
                    + 105.0,
            ),
            // E γ = α, E γ² = α (α + 1) and so on.
            Self::UniformByRootGamma {
                bound, alpha: a, ..
            } => (
                values
                    .iter()
                    .map(|&v| f64::from(v) / (bound * (a / 3.0).sqrt()))
                    .collect(),
                9.0 / 5.0 * (a + 1.0) / a,
                9.0 * (a + 1.0) * (a + 2.0) * (a + 3.0) / a.powi(3),
            ),
            Self::Normal(deviations) => {
                let slice = values.len() / deviations.len();
                let scaled = values
                    .iter()
                    .enumerate()
                    .map(|(i, &v)| f64::from(v) / deviations[i / slice])
                    .collect();
                (scaled, 3.0, 105.0)
            }
        };
        let moment = |power: i32| scaled.iter().map(|v| v.powi(power)).sum::<f64>() / n;
        for (power, expected, variance) in [
            (1, 0.0, 1.0),
            (2, 1.0, fourth - 1.0),
            (4, fourth, eighth - fourth * fourth),
        ] {
            let (found, error) = (moment(power), (variance / independent).sqrt());
            assert!(
                (found - expected).abs() < 5.0 * error,
                "{context}: moment {power} is {found} instead of {expected} ± {error}"
            );
        }
    }
}

#[test]
fn counts_and_initial_values_follow_their_formulas() {
    let mut examples = layer_examples();
    for scaled in [
        json!({"kind": "gabor", "width": 1, "first": true, "weight_scale": 0.15}),
        json!({"kind": "sine", "width": 1, "first": true, "weight_scale": 0.15}),
        json!({"kind": "factored-kan", "width": 1, "residual": "sine", "noise_scale": 0.3, "weight_scale": 0.15}),
    ] {
        let name = format!("scaled {}", scaled["kind"]);
        examples.push((serde_json::from_value(scaled).unwrap(), 2, name));
    }
    for (mut config, d_in, name) in examples {
        // Wide, so that the statistics are sharp.
        config.layer_mut().set_d_out(2000);
        let layer = config.layer();
        let specs = layer.parameters(d_in);
        let count: usize = specs.iter().map(|s| s.count()).sum();
        if let Some(scattered) = layer.scattered() {
            assert_eq!(specs.len(), 1, "{name}: the table alone");
            let pieces = scattered.pieces(d_in);
            assert_eq!(pieces.iter().sum::<usize>(), count, "{name}");
        }
        let values = layer.initialize(d_in, &mut StdRng::seed_from_u64(5));
        assert_eq!(values.len(), specs.len(), "{name}");
        for (spec, values) in specs.iter().zip(&values) {
            assert_eq!(values.len(), spec.count(), "{name} {}", spec.name);
            let finite = values.iter().all(|value| value.is_finite());
            assert!(finite, "{name} {}", spec.name);
        }
        let again = layer.initialize(d_in, &mut StdRng::seed_from_u64(5));
        assert_eq!(values, again, "{name}: the same seed gives the same bits");
        let other = layer.initialize(d_in, &mut StdRng::seed_from_u64(6));
        let Some((expected, multiply_adds, laws)) = expectation(&config, d_in) else {
            println!("{name}: no formulas here yet");
            continue;
        };
        let random = laws.iter().any(|law| !matches!(law, Law::Constant(_)));
        let context = "another seed gives other numbers where any are random";
        assert_eq!(values != other, random, "{name}: {context}");
        assert_eq!(count, expected, "{name}");
        assert_eq!(layer.multiply_adds(d_in), multiply_adds, "{name}");
        assert_eq!(specs.len(), laws.len(), "{name}");
        for ((spec, values), law) in specs.iter().zip(&values).zip(&laws) {
            law.check(values, &format!("{name} {}", spec.name));
        }
    }
}

/// Mean square of all outputs of a fresh layer at `[n, d_in]` inputs.
fn mean_square_at_start(layer: &dyn Layer, d_in: usize, input: &[f64]) -> f64 {
    let device = Device::flex();
    let parameters: Vec<Tensor<2>> = layer
        .initialize(d_in, &mut StdRng::seed_from_u64(9))
        .iter()
        .zip(layer.parameters(d_in))
        .map(|(values, spec)| {
            let values: Vec<f64> = values.iter().map(|&v| v.into()).collect();
            matrix(&values, matrix_shape(&spec), &device)
        })
        .collect();
    let input = matrix(input, [input.len() / d_in, d_in], &device);
    let output = numbers(layer.forward(&parameters, input));
    output.iter().map(|y| y * y).sum::<f64>() / output.len() as f64
}

/// cos² + sin² = 1 makes the variance of a Fourier layer gain² at every single x. Σ B_m(x)² of a spline depends on x and has the
/// mean 151/315, so its variance is noise_scale² on average. The relative error of a variance from n normal numbers is √(2/n).
#[test]
fn outputs_start_with_the_promised_deviation() {
    let width = 4000;
    let fourier = FourierKan {
        width,
        frequencies: 20,
        input_scale: 2.5,
        smoothness: 0.7,
        gain: 0.3,
        highest: 0,
        reach: 0.0,
        cap_at_nyquist: false,
    };
    let error = (2.0 / width as f64).sqrt();
    for x in [-1.0, -0.31, 0.0, 0.5, 1.0] {
        let ratio = mean_square_at_start(&fourier, 2, &[x, 0.4 * x]) / 0.09;
        assert!((ratio - 1.0).abs() < 5.0 * error, "at {x}: {ratio}");
    }
    let spline = SplineKan {
        width,
        grid_size: 6,
        range: 0.7,
        residual: Residual::None,
        omega_0: 30.0,
        noise_scale: 0.2,
    };
    // 16 midpoints in each of the 6 intervals.
    let grid: Vec<f64> = (0..96)
        .map(|i| 0.7 * ((2 * i + 1) as f64 / 96.0 - 1.0))
        .collect();
    let ratio = mean_square_at_start(&spline, 1, &grid) / 0.04;
    assert!((ratio - 1.0).abs() < 5.0 * error, "spline: {ratio}");
}
