//! Every registered layer kind: derivatives, and the tile form against the plain form.

use burn::tensor::{Device, Tensor};
use inr::engine::{Batch, BurnEngine, Engine, Loss, TiledEngine};
use inr::model::layers::Linear;
use inr::model::{Hints, Layer, LayerConfig, Network};
use rand::{SeedableRng, rngs::StdRng};

use super::numbers::{
    assert_close, layer_examples, matrix, matrix_shape, numbers, uniform, uniform_f32,
};

/// A layer at a point in the space of its parameters and inputs, in f64 on the CPU.
struct Point<'a> {
    layer: &'a dyn Layer,
    /// Shape and values of every parameter tensor, and of the input as the last.
    tensors: Vec<([usize; 2], Vec<f64>)>,
    /// Two directions of the input.
    directions: [Vec<f64>; 2],
}

/// Rows of the inputs of a [`Point`].
const ROWS: usize = 12;

impl<'a> Point<'a> {
    fn new(layer: &'a dyn Layer, d_in: usize) -> Self {
        let initial = layer.initialize(d_in, &mut StdRng::seed_from_u64(1));
        let mut tensors: Vec<_> = layer
            .parameters(d_in)
            .iter()
            .zip(initial)
            .map(|(spec, values)| {
                // Moved, so that nothing is zero.
                let moves = uniform(2, values.len(), -0.02, 0.02);
                let values = values.iter().zip(moves).map(|(&v, m)| f64::from(v) + m);
                (matrix_shape(spec), values.collect())
            })
            .collect();
        // Within the knots of splines and without.
        tensors.push(([ROWS, d_in], uniform(3, ROWS * d_in, -1.7, 1.7)));
        Self {
            layer,
            tensors,
            directions: [4, 5].map(|seed| uniform(seed, ROWS * d_in, -1.0, 1.0)),
        }
    }

    fn leaves(&self, device: &Device) -> Vec<Tensor<2>> {
        self.tensors
            .iter()
            .map(|(shape, values)| matrix(values, *shape, device))
            .collect()
    }

    /// Value and both tangents.
    fn evaluate(&self, leaves: &[Tensor<2>]) -> [Tensor<2>; 3] {
        let (input, parameters) = leaves.split_last().unwrap();
        let tangents = self
            .directions
            .each_ref()
            .map(|d| matrix(d, input.dims(), &input.device()));
        let (with_tangents, tangents) =
            self.layer
                .forward_with_tangents(parameters, input.clone(), tangents.to_vec());
        let value = self.layer.forward(parameters, input.clone());
        assert_eq!(tangents.len(), 2);
        assert_eq!(numbers(with_tangents), numbers(value.clone()));
        let [first, second] = tangents.try_into().unwrap();
        [value, first, second]
    }

    /// Σ w y, Σ w dy_1 or Σ w dy_2 with fixed random w; `which` selects.
    fn objective(&self, leaves: &[Tensor<2>], which: usize) -> Tensor<1> {
        let result = self.evaluate(leaves)[which].clone();
        let [rows, columns] = result.dims();
        let [_, d_in] = leaves[leaves.len() - 1].dims();
        assert_eq!([rows, columns], [ROWS, self.layer.d_out(d_in)]);
        let weights = uniform(6, rows * columns, -1.0, 1.0);
        (matrix(&weights, [rows, columns], &result.device()) * result).sum()
    }

    /// Derivatives of the objective by reverse mode, one vector a tensor.
    fn reverse(&self, which: usize) -> Vec<Vec<f64>> {
        let device = Device::flex().autodiff();
        let leaves: Vec<_> = self
            .leaves(&device)
            .into_iter()
            .map(Tensor::require_grad)
            .collect();
        // A tangent may depend on nothing, where a layer only rescales; reverse mode wants a way to a leaf.
        let ways = leaves.iter().map(|leaf| leaf.clone().sum() * 0.0);
        let tape = ways
            .fold(self.objective(&leaves, which), |sum, zero| sum + zero)
            .backward();
        leaves
            .iter()
            .zip(&self.tensors)
            .map(|(leaf, (_, values))| match leaf.grad(&tape) {
                Some(gradient) => numbers(gradient),
                None => vec![0.0; values.len()],
            })
            .collect()
    }

    /// The same by central differences (f(p + h) − f(p − h)) / 2h.
    fn differences(&mut self, which: usize) -> Vec<Vec<f64>> {
        let device = Device::flex();
        let mut gradients = Vec::new();
        for tensor in 0..self.tensors.len() {
            let mut gradient = Vec::new();
            for place in 0..self.tensors[tensor].1.len() {
                let before = self.tensors[tensor].1[place];
                let [up, down] = [STEP, -STEP].map(|step| {
                    self.tensors[tensor].1[place] = before + step;
                    numbers(self.objective(&self.leaves(&device), which))[0]
                });
                self.tensors[tensor].1[place] = before;
                gradient.push((up - down) / (2.0 * STEP));
            }
            gradients.push(gradient);
        }
        gradients
    }
}

/// Of central differences: the error is h² f'''/6, and 1e-16 / h from rounding.
const STEP: f64 = 1e-6;

#[test]
fn reverse_mode_agrees_with_central_differences() {
    for (config, d_in, name) in layer_examples() {
        let mut point = Point::new(config.layer(), d_in);
        // A loss on a tangent is differentiated in reverse mode too.
        for (which, what) in ["value", "tangent"].into_iter().enumerate() {
            let (reverse, differences) = (point.reverse(which), point.differences(which));
            for (tensor, (found, expected)) in reverse.iter().zip(&differences).enumerate() {
                let context = format!("{name}, gradient of the {what}, tensor {tensor}");
                assert_close(found, expected, 2e-6, &context);
            }
        }
    }
}

/// dy = (y(x + h dx) − y(x − h dx)) / 2h, and Σ w dy = ∇ₓ(Σ w y) · dx.
#[test]
fn tangents_agree_with_differences_and_with_reverse_mode() {
    let device = Device::flex();
    for (config, d_in, name) in layer_examples() {
        let mut point = Point::new(config.layer(), d_in);
        let tangents = point.evaluate(&point.leaves(&device));
        let gradient = point.reverse(0).pop().unwrap();
        for which in [1, 2] {
            let direction = point.directions[which - 1].clone();
            let input = point.tensors.last().unwrap().1.clone();
            let [up, down] = [STEP, -STEP].map(|step| {
                let moved = input.iter().zip(&direction).map(|(x, d)| x + step * d);
                point.tensors.last_mut().unwrap().1 = moved.collect();
                numbers(point.evaluate(&point.leaves(&device))[0].clone())
            });
            point.tensors.last_mut().unwrap().1 = input;
            let expected: Vec<f64> = up
                .iter()
                .zip(&down)
                .map(|(u, d)| (u - d) / (2.0 * STEP))
                .collect();
            assert_close(&numbers(tangents[which].clone()), &expected, 2e-6, &name);

            let found = numbers(point.objective(&point.leaves(&device), which))[0];
            let terms: Vec<f64> = gradient
                .iter()
                .zip(&direction)
                .map(|(g, d)| g * d)
                .collect();
            let scale: f64 = terms.iter().map(|t| t.abs()).sum();
            let expected: f64 = terms.iter().sum();
            // burn's sigmoid has the precision of f32 in f64 too.
            assert!(
                (found - expected).abs() <= 1e-7 * scale,
                "{name}: {found} instead of {expected}"
            );
        }
    }
}

/// The layer alone if it is trained, before a linear layer, and between two layers, so that the gradient of its input is needed.
fn networks_around(config: &LayerConfig, d_in: usize) -> Vec<Network> {
    let linear = |width| {
        LayerConfig::Linear(Linear {
            width,
            omega_0: None,
            bias: true,
        })
    };
    let lists = [
        vec![config.clone()],
        vec![config.clone(), linear(2)],
        vec![linear(d_in), config.clone(), linear(3)],
    ];
    lists
        .into_iter()
        .map(|layers| {
            let d_out = layers.last().unwrap().layer().d_out(d_in);
            Network::new(layers, d_in, d_out, &Hints::default()).unwrap()
        })
        // An encoding alone has no gradient.
        .filter(|network| network.check_size().is_ok())
        .collect()
}

/// A batch of random coordinates and targets.
pub fn random_batch(network: &Network, rows: usize) -> Batch {
    Batch {
        coordinates: uniform_f32(21, rows * network.d_in(), -1.0, 1.0),
        targets: uniform_f32(22, rows * network.d_out(), -1.0, 1.0),
        ..Batch::default()
    }
}

#[test]
fn the_tile_form_agrees_with_the_plain_form() {
    let mut plain = BurnEngine::new(Device::flex());
    for (config, d_in, name) in layer_examples() {
        for network in networks_around(&config, d_in) {
            let mut tiled = TiledEngine::default();
            let parameters = network.initialize(3);
            let mut gradients = [parameters.zeros_like(), parameters.zeros_like()];
            // None is a multiple of a tile; 5000 rows are more than one part. Falling, then rising: buffers are used again.
            for rows in [1000, 7, 1, 5000] {
                let batch = random_batch(&network, rows);
                let context = format!("{name} in {} layers, {rows} rows", network.layers().len());
                let mut values = [(); 2].map(|()| vec![f32::NAN; batch.targets.len()]);
                let [found, expected] = &mut values;
                tiled
                    .evaluate(&network, &parameters, &batch.coordinates, found)
                    .unwrap();
                plain
                    .evaluate(&network, &parameters, &batch.coordinates, expected)
                    .unwrap();
                assert_close(found, expected, 1e-4, &context);
                for loss in [Loss::Mse, Loss::L1] {
                    let [found, expected] = &mut gradients;
                    let a = tiled
                        .loss_and_gradients(&network, &parameters, &batch, loss, found)
                        .unwrap();
                    let b = plain
                        .loss_and_gradients(&network, &parameters, &batch, loss, expected)
                        .unwrap();
                    assert_close(&[a.loss], &[b.loss], 1e-4, &context);
                    let [a, b] = [a, b].map(|m| [m.mean_squared_error]);
                    assert_close(&a, &b, 1e-4, &context);
                    for (found, expected) in found.tensors.iter().zip(&expected.tensors) {
                        let context = format!("{context}, {loss:?} by {}", found.name);
                        assert_close(&found.values, &expected.values, 1e-4, &context);
                    }
                }
            }
        }
    }
}
