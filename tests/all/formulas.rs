//! The layers against their formulas written out in f64: B-splines, Fourier series, complex wavelets.

use burn::tensor::{Device, Tensor};
use inr::engine::{BurnEngine, Engine, TiledEngine};
use inr::model::layers::{FourierKan, Gabor, Linear, Residual, Sine, SplineKan};
use inr::model::{Hints, Layer, LayerConfig, Network, Parameters};

use super::numbers::{assert_close, matrix, matrix_shape, numbers, uniform, uniform_f32};

/// `layer` with the given parameters at `input` `[n, d_in]`, in f64.
fn values(layer: &dyn Layer, d_in: usize, parameters: &[Vec<f64>], input: &[f64]) -> Vec<f64> {
    let device = Device::flex();
    let tensors = tensors(layer, d_in, parameters, &device);
    let input = matrix(input, [input.len() / d_in, d_in], &device);
    numbers(layer.forward(&tensors, input))
}

fn tensors(
    layer: &dyn Layer,
    d_in: usize,
    parameters: &[Vec<f64>],
    device: &Device,
) -> Vec<Tensor<2>> {
    let specs = layer.parameters(d_in);
    assert_eq!(specs.len(), parameters.len());
    specs
        .iter()
        .zip(parameters)
        .map(|(spec, values)| matrix(values, matrix_shape(spec), device))
        .collect()
}

/// Random parameters of `layer` in U(-1, 1).
fn random_parameters(layer: &dyn Layer, d_in: usize) -> Vec<Vec<f64>> {
    let specs = layer.parameters(d_in);
    specs
        .iter()
        .enumerate()
        .map(|(i, spec)| uniform(40 + i as u64, spec.count(), -1.0, 1.0))
        .collect()
}

/// Splines of one input and one output, without residual.
fn spline(grid_size: usize, range: f32) -> SplineKan {
    SplineKan {
        width: 1,
        grid_size,
        range,
        residual: Residual::None,
        omega_0: 30.0,
        noise_scale: 0.1,
    }
}

const SPLINES: [(usize, f32); 4] = [(1, 1.0), (4, 0.5), (5, 1.0), (8, 1.5)];

/// B_{m,p}(x) on the knots t_i = −R + (i − 3) h by the recursion of Cox and de Boor:
/// B_{m,p} = (x − t_m)/(t_{m+p} − t_m) B_{m,p−1} + (t_{m+p+1} − x)/(t_{m+p+1} − t_{m+1}) B_{m+1,p−1}.
fn cox_de_boor(m: usize, degree: usize, x: f64, range: f64, h: f64) -> f64 {
    let knot = |i: usize| -range + (i as f64 - 3.0) * h;
    if degree == 0 {
        return f64::from(u8::from(knot(m) <= x && x < knot(m + 1)));
    }
    let rising = (x - knot(m)) / (knot(m + degree) - knot(m));
    let falling = (knot(m + degree + 1) - x) / (knot(m + degree + 1) - knot(m + 1));
    rising * cox_de_boor(m, degree - 1, x, range, h)
        + falling * cox_de_boor(m + 1, degree - 1, x, range, h)
}

#[test]
fn splines_are_those_of_cox_and_de_boor_and_sum_to_one() {
    for (grid_size, range) in SPLINES {
        let layer = spline(grid_size, range);
        let (r, h) = (f64::from(range), 2.0 * f64::from(range) / grid_size as f64);
        let x = uniform(7, 500, -r, r);
        let parameters = random_parameters(&layer, 1);
        let expected: Vec<f64> = x
            .iter()
            .map(|&x| {
                let basis = |m| cox_de_boor(m, 3, x, r, h);
                let sum = (parameters[0].iter().enumerate()).map(|(m, c)| c * basis(m));
                parameters[1][0] + sum.sum::<f64>()
            })
            .collect();
        let context = format!("G = {grid_size}, R = {range}");
        assert_close(
            &values(&layer, 1, &parameters, &x),
            &expected,
            1e-12,
            &context,
        );

        let ones = [vec![1.0; grid_size + 3], vec![0.0]];
        let x = [x, vec![-r, 0.0, r]].concat();
        let sums = values(&layer, 1, &ones, &x);
        assert_close(&sums, &vec![1.0; x.len()], 1e-13, &context);
    }
}

/// A second difference of a cubic is its second derivative at the middle, and that is linear; two of them from one side give
/// the value at the knot: 2 f''(x ∓ e) − f''(x ∓ 2e).
#[test]
fn splines_have_two_continuous_derivatives_at_their_knots() {
    for (grid_size, range) in SPLINES {
        let layer = spline(grid_size, range);
        let (r, h) = (f64::from(range), 2.0 * f64::from(range) / grid_size as f64);
        let parameters = random_parameters(&layer, 1);
        let e = 0.02 * h;
        for knot in 1..grid_size {
            let x = -r + knot as f64 * h;
            let [left, right] = [-e, e].map(|e| {
                let f = values(
                    &layer,
                    1,
                    &parameters,
                    &[x, x + e, x + 2.0 * e, x + 3.0 * e],
                );
                let second = |i: usize| (f[i] - 2.0 * f[i + 1] + f[i + 2]) / (e * e);
                2.0 * second(0) - second(1)
            });
            // Coefficients in [-1, 1] make second derivatives of the order 1/h².
            let difference = (left - right).abs() * h * h;
            assert!(
                difference < 1e-9,
                "G = {grid_size}, knot {knot}: {difference}"
            );
        }
    }
}

/// f(±(R + d)) = f(±R) ± d f'(±R), with f' = Σ c_m (B_{m,2} − B_{m+1,2}) / h.
#[test]
fn splines_go_on_as_lines_outside_their_knots() {
    let device = Device::flex();
    for (grid_size, range) in SPLINES {
        let layer = spline(grid_size, range);
        let (r, h) = (f64::from(range), 2.0 * f64::from(range) / grid_size as f64);
        let parameters = random_parameters(&layer, 1);
        for side in [-1.0, 1.0] {
            // The recursion is 0 at the very last knot; its polynomials go on, so a step of 1e-13 inside is exact enough.
            let border = side * (r - 1e-13);
            let slope: f64 = (parameters[0].iter().enumerate())
                .map(|(m, c)| {
                    let quadratic = |m| cox_de_boor(m, 2, border, r, h);
                    c * (quadratic(m) - quadratic(m + 1)) / h
                })
                .sum();
            assert!(slope.abs() > 1e-2);
            let value = values(&layer, 1, &parameters, &[side * r])[0];
            for distance in [0.0, 1e-3, 0.1, 1.0, 100.0] {
                let x = side * (r + distance);
                let expected = value + side * distance * slope;
                let context = format!("G = {grid_size}, R = {range} at {x}");
                let found = values(&layer, 1, &parameters, &[x]);
                assert_close(&found, &[expected], 1e-9, &context);
                // The slope, and with it the gradient, is the same however far out.
                let (_, tangent) = layer.forward_with_tangents(
                    &tensors(&layer, 1, &parameters, &device),
                    matrix(&[x], [1, 1], &device),
                    vec![matrix(&[1.0], [1, 1], &device)],
                );
                assert_close(&numbers(tangent[0].clone()), &[slope], 1e-9, &context);
            }
        }
    }
}

/// y_j = b_j + Σ_i Σ_k A_kij cos(k s x_i) + B_kij sin(k s x_i).
#[test]
fn a_fourier_layer_is_its_double_sum() {
    // 1, 3, 7, ... 2^j − 1: the gaps double.
    for (frequencies, highest, k) in [(11, 0, |j: usize| j), (6, 63, |j: usize| (1 << j) - 1)]
        as [(usize, usize, fn(usize) -> usize); 2]
    {
        follows_its_double_sum(frequencies, highest, k);
    }
}

fn follows_its_double_sum(frequencies: usize, highest: usize, k: fn(usize) -> usize) {
    let (d_in, width) = (3, 4);
    let layer = FourierKan {
        width,
        frequencies,
        input_scale: 2.3,
        smoothness: 1.0,
        gain: 1.0,
        highest,
        reach: 0.0,
        cap_at_nyquist: false,
    };
    let parameters = random_parameters(&layer, d_in);
    let input = uniform(8, 50 * d_in, -1.0, 1.0);
    let mut expected = Vec::new();
    for x in input.chunks(d_in) {
        for j in 0..width {
            let mut y = parameters[1][j];
            for (i, x) in x.iter().enumerate() {
                for term in 0..frequencies {
                    let at = |slice: usize| parameters[0][(slice * d_in + i) * width + j];
                    let phase = k(term + 1) as f64 * f64::from(layer.input_scale) * x;
                    y += at(term) * phase.cos() + at(frequencies + term) * phase.sin();
                }
            }
            expected.push(y);
        }
    }
    let found = values(&layer, d_in, &parameters, &input);
    assert_close(&found, &expected, 1e-12, "Fourier layer");
}

/// s = π has the period 2, which ties the borders -1 and 1 together; the default must not.
#[test]
fn opposite_borders_of_a_fourier_layer_are_free_of_each_other() {
    let json = r#"{"kind": "fourier-kan", "width": 6, "frequencies": 9}"#;
    let LayerConfig::FourierKan(free) = serde_json::from_str(json).unwrap() else {
        panic!("another kind");
    };
    assert!(f64::from(free.input_scale) < std::f64::consts::PI);
    let tied = FourierKan {
        input_scale: std::f32::consts::PI,
        ..free.clone()
    };
    let parameters = random_parameters(&free, 1);
    let gap = |layer: &FourierKan| {
        let y = values(layer, 1, &parameters, &[-1.0, 1.0]);
        let differences = (0..6).map(|j| (y[j] - y[6 + j]).abs());
        differences.fold(f64::INFINITY, f64::min)
    };
    assert!(gap(&free) > 0.05, "{}", gap(&free));
    assert!(gap(&tied) < 1e-4, "{}", gap(&tied));
}

/// A complex number.
#[derive(Clone, Copy)]
struct Complex(f64, f64);

impl Complex {
    fn plus(self, other: Self) -> Self {
        Self(self.0 + other.0, self.1 + other.1)
    }

    fn times(self, other: Self) -> Self {
        Self(
            self.0 * other.0 - self.1 * other.1,
            self.0 * other.1 + self.1 * other.0,
        )
    }

    fn exp(self) -> Self {
        let size = self.0.exp();
        Self(size * self.1.cos(), size * self.1.sin())
    }

    /// Saragadam et al. 2023, eq. 4: exp(i ω₀ z) exp(−|s₀ z|²).
    fn gabor(self, omega_0: f64, s_0: f64) -> Self {
        let wave = Self(0.0, omega_0).times(self).exp();
        let window = Self(-s_0 * s_0 * (self.0 * self.0 + self.1 * self.1), 0.0).exp();
        wave.times(window)
    }
}

/// WIRE in complex numbers: a first layer with real weights, a hidden one with complex weights, and the real part of a complex
/// output layer z V + c, which a real linear layer on pairs is with the weights [Re V; −Im V].
#[test]
fn wire_on_pairs_is_wire_on_complex_numbers() {
    let (d_in, m, width, rows) = (2, 3, 4, 40);
    let (omega_0, s_0) = (7.0, 1.5);
    let gabor = |width, first| Gabor {
        width,
        omega_0: omega_0 as f32,
        s_0: s_0 as f32,
        first,
        weight_scale: 1.0,
    };
    let (first, hidden) = (gabor(m, true), gabor(width, false));
    let input = uniform(9, rows * d_in, -1.0, 1.0);
    let p1: Vec<Vec<f64>> = random_parameters(&first, d_in);
    let p2: Vec<Vec<f64>> = random_parameters(&hidden, 2 * m)
        .into_iter()
        .map(|p| p.into_iter().map(|v| 0.4 * v).collect())
        .collect();
    let output = Linear {
        width: 2,
        omega_0: None,
        bias: true,
    };
    let p3 = random_parameters(&output, 2 * width);

    let (mut y1, mut y2, mut y3) = (Vec::new(), Vec::new(), Vec::new());
    for x in input.chunks(d_in) {
        let a: Vec<Complex> = (0..m)
            .map(|j| {
                let z = (0..d_in).fold(Complex(p1[1][j], 0.0), |z, i| {
                    z.plus(Complex(x[i] * p1[0][i * m + j], 0.0))
                });
                z.gabor(omega_0, s_0)
            })
            .collect();
        let b: Vec<Complex> = (0..width)
            .map(|j| {
                let bias = Complex(p2[1][j], p2[1][width + j]);
                let weight = |i: usize| Complex(p2[0][i * width + j], p2[0][(m + i) * width + j]);
                let z = (0..m).fold(bias, |z, i| z.plus(a[i].times(weight(i))));
                z.gabor(omega_0, s_0)
            })
            .collect();
        let c = (0..2).map(|j| {
            let weight = |i: usize| Complex(p3[0][i * 2 + j], -p3[0][(width + i) * 2 + j]);
            let bias = Complex(p3[1][j], 0.5);
            let y = (0..width).fold(bias, |y, i| y.plus(b[i].times(weight(i))));
            y.0
        });
        y3.extend(c);
        y1.extend(a.iter().map(|z| z.0).chain(a.iter().map(|z| z.1)));
        y2.extend(b.iter().map(|z| z.0).chain(b.iter().map(|z| z.1)));
    }
    let found = values(&first, d_in, &p1, &input);
    assert_close(&found, &y1, 1e-12, "first layer");
    let found = values(&hidden, 2 * m, &p2, &found);
    assert_close(&found, &y2, 1e-12, "hidden layer");
    let found = values(&output, 2 * width, &p3, &found);
    assert_close(&found, &y3, 1e-12, "output layer");
}

/// Evaluates a network of one layer in f32 with both engines.
fn with_both_engines(
    config: LayerConfig,
    set: impl Fn(&mut Parameters),
    input: &[f32],
) -> [Vec<f32>; 2] {
    let d_out = config.layer().d_out(1);
    let network = Network::new(vec![config], 1, d_out, &Hints::default()).unwrap();
    let mut parameters = network.initialize(0);
    set(&mut parameters);
    let engines: [Box<dyn Engine>; 2] = [
        Box::new(BurnEngine::new(Device::flex())),
        Box::new(TiledEngine::default()),
    ];
    engines.map(|mut engine| {
        let mut values = vec![f32::NAN; input.len() * d_out];
        engine
            .evaluate(&network, &parameters, input, &mut values)
            .unwrap();
        values
    })
}

/// Of the inputs of the sine, multiples of 2^-12, the phases 3000 x are exact in f32 and only the sine itself can err; a series is exact in its
/// phases k x at any place.
#[test]
fn large_phases_are_accurate() {
    let places = uniform_f32(10, 2000, -1.0, 1.0);
    let input: Vec<f32> = places
        .iter()
        .map(|x| (x * 4096.0).round() / 4096.0)
        .collect();
    let sine = LayerConfig::Sine(Sine {
        width: 1,
        omega_0: 3000.0,
        first: true,
        weight_scale: 1.0,
    });
    let expected: Vec<f32> = input
        .iter()
        .map(|&x| (3000.0 * f64::from(x)).sin() as f32)
        .collect();
    let identity = |parameters: &mut Parameters| {
        parameters.tensors[0].values[0] = 1.0;
        parameters.tensors[1].values[0] = 0.0;
    };
    for found in with_both_engines(sine, identity, &input) {
        assert_close(&found, &expected, 1e-5, "sin 3000 x");
    }

    for (frequencies, highest) in [(1000, 1000), (50, 30_000)] {
        let fourier = LayerConfig::FourierKan(FourierKan {
            width: 2,
            frequencies,
            input_scale: 1.0,
            smoothness: 0.0,
            gain: 1.0,
            highest,
            reach: 0.0,
            cap_at_nyquist: false,
        });
        let expected: Vec<f32> = places
            .iter()
            .map(|&x| highest as f64 * f64::from(x))
            .flat_map(|phase| [phase.cos() as f32, phase.sin() as f32])
            .collect();
        // Slices of [1, 2]: the last cosine goes to output 0, the last sine to output 1.
        let last_pair = |parameters: &mut Parameters| {
            parameters.fill(0.0);
            parameters.tensors[0].values[2 * (frequencies - 1)] = 1.0;
            parameters.tensors[0].values[2 * (2 * frequencies - 1) + 1] = 1.0;
        };
        for found in with_both_engines(fourier, last_pair, &places) {
            assert_close(&found, &expected, 1e-5, "cosine and sine of the last phase");
        }
    }
}
