//! Layers of the form y = a(F(x) W + b): functions F of every input before the matrix, a function a of every sum after it, or none.
//!
//! A kind of this form says what its functions are, in plain form and on slices, and how its numbers start; all that a
//! [`Layer`] needs beyond that follows here.
//!
//! Shapes: x `[n, d_in]`; F(x) `[n, M·d_in]`, function m of input i in column m·d_in + i; W `[M, d_in, d_out]`, a plain matrix `[d_in, d_out]`
//! when there is no F; b `[d_out]`, or zero; y `[n, d_out]`.

use std::fmt::Debug;

use burn::tensor::{Tensor, activation};
use rand::rngs::StdRng;

use super::super::init;
use super::super::layer::{Layer, TileBackward, TileForward, TileMemory};
use super::super::parameters::{Parameter, ParameterSpec};
use super::super::tangents::{Pointwise, TangentForm};
use super::affine::{self, PreparedWeight};
use super::has_width;
use crate::kernels::elementwise::{multiply_in_place, sum_of_products};
use crate::kernels::matmul::Start;

/// Functions of one number each, in both forms.
pub trait Functions: Pointwise {
    /// The plain twin of [`Pointwise::jet`]: values and first derivatives at `x` `[n, d]`, each `[n, M·d]`.
    fn plain(&self, x: Tensor<2>) -> [Tensor<2>; 2];
}

/// A layer kind as y = a(F(x) W + b).
pub trait Form: Debug + Send + Sync {
    /// Number of outputs; 0 when it is left to the signal.
    fn width(&self) -> usize;

    /// Sets the number of outputs.
    fn set_width(&mut self, width: usize);

    /// Checks the other fields; the error is a sentence that starts with the field's name.
    fn check(&self) -> Result<(), String>;

    /// F; none is x itself.
    fn before(&self) -> Option<&dyn Functions> {
        None
    }

    /// a, one function; none leaves the sum as it is.
    fn after(&self) -> Option<&dyn Functions> {
        None
    }

    /// Whether there is a b; an F with a constant among its functions needs none.
    fn has_bias(&self) -> bool {
        true
    }

    /// Initial values of W and of b, which is empty where there is none.
    fn initialize(&self, d_in: usize, rng: &mut StdRng) -> [Vec<f32>; 2];
}

/// How many tensors there are: W, and b.
fn tensors(form: &dyn Form) -> usize {
    1 + usize::from(form.has_bias())
}

/// Columns of F(x).
fn features(form: &dyn Form, d_in: usize) -> usize {
    form.before().map_or(1, |before| before.functions()) * d_in
}

/// z = F(x) W + b, and F'(x) where there is an F.
fn sum(
    form: &dyn Form,
    parameters: &[Tensor<2>],
    input: Tensor<2>,
) -> (Tensor<2>, Option<Tensor<2>>) {
    let (features, slopes) = match form.before() {
        Some(before) => {
            let [value, slope] = before.plain(input);
            (value, Some(slope))
        }
        None => (input, None),
    };
    let product = features.matmul(parameters[0].clone());
    let z = match form.has_bias() {
        true => product + parameters[1].clone(),
        false => product,
    };
    (z, slopes)
}

impl<T: Form> Layer for T {
    fn d_out(&self, _d_in: usize) -> usize {
        self.width()
    }

    fn set_d_out(&mut self, d_out: usize) {
        self.set_width(d_out);
    }

    fn check(&self, _d_in: usize) -> Result<(), String> {
        has_width(self.width())?;
        Form::check(self)
    }

    fn parameters(&self, d_in: usize) -> Vec<ParameterSpec> {
        let mut specs = affine::parameters(d_in, self.width());
        if let Some(before) = self.before() {
            let shape = [before.functions(), d_in, self.width()];
            specs[0] = ParameterSpec::new("coefficients", &shape);
        }
        specs.truncate(tensors(self));
        specs
    }

    fn initialize(&self, d_in: usize, rng: &mut StdRng) -> Vec<Vec<f32>> {
        let mut values = Vec::from(Form::initialize(self, d_in, rng));
        values.truncate(tensors(self));
        values
    }

    fn forward(&self, parameters: &[Tensor<2>], input: Tensor<2>) -> Tensor<2> {
        let (z, _) = sum(self, parameters, input);
        match self.after() {
            Some(after) => {
                let [value, _] = after.plain(z);
                value
            }
            None => z,
        }
    }

    fn forward_with_tangents(
        &self,
        parameters: &[Tensor<2>],
        input: Tensor<2>,
        tangents: Vec<Tensor<2>>,
    ) -> (Tensor<2>, Vec<Tensor<2>>) {
        let (z, slopes) = sum(self, parameters, input);
        let functions = features(self, 1);
        let tangents = tangents.into_iter().map(|t| {
            let features = match &slopes {
                Some(slopes) => slopes.clone() * t.repeat_dim(1, functions),
                None => t,
            };
            features.matmul(parameters[0].clone())
        });
        let Some(after) = self.after() else {
            return (z, tangents.collect());
        };
        let [value, slope] = after.plain(z);
        (value, tangents.map(|t| slope.clone() * t).collect())
    }

    fn tangent_form(&self) -> Option<TangentForm<'_>> {
        Some(TangentForm {
            before: self.before().map(|f| f as &dyn Pointwise),
            bias: self.has_bias().then_some(1),
            after: self.after().map(|f| f as &dyn Pointwise),
            ..TangentForm::AFFINE
        })
    }

    fn multiply_adds(&self, d_in: usize) -> usize {
        features(self, d_in) * self.width()
    }

    fn is_separable(&self) -> bool {
        self.before().is_some() && self.after().is_none()
    }

    /// The tape holds F(x) and its derivatives, then z and the derivatives of a, as far as there are; the scratch the gradient of F(x).
    fn tile_memory(&self, d_in: usize) -> TileMemory {
        let features = features(self, d_in);
        let before = if self.before().is_some() { features } else { 0 };
        let after = if self.after().is_some() {
            self.width()
        } else {
            0
        };
        TileMemory {
            tape: 3 * (before + after),
            scratch: before,
            prepared: PreparedWeight::len(features, self.width()),
        }
    }

    fn prepare(&self, d_in: usize, parameters: &[Parameter], prepared: &mut [f32]) {
        PreparedWeight::prepare(
            features(self, d_in),
            self.width(),
            &parameters[0].values,
            prepared,
        );
    }

    fn forward_tile(&self, d_in: usize, tile: TileForward) {
        let features = features(self, d_in);
        let length = self
            .before()
            .map_or(0, |_| tile.input.len() / d_in * features);
        let (of_before, of_after) = tile.tape.split_at_mut(3 * length);
        let [value, slope, curvature] = thirds(of_before);
        let left = match self.before() {
            Some(before) => {
                before.jet(
                    tile.parameters,
                    tile.input,
                    d_in,
                    [&mut *value, slope, curvature],
                );
                &*value
            }
            None => tile.input,
        };
        let weight = PreparedWeight::new(features, self.width(), tile.prepared);
        let bias = match self.has_bias() {
            true => Start::Bias(&tile.parameters[1].values),
            false => Start::Zero,
        };
        weight.forward(left, bias, tile.output);
        if let Some(after) = self.after() {
            let [z, slope, curvature] = thirds(of_after);
            z.copy_from_slice(tile.output);
            let jet = [&mut *tile.output, slope, curvature];
            after.jet(tile.parameters, z, self.width(), jet);
        }
    }

    fn backward_tile(&self, d_in: usize, tile: TileBackward) {
        let features = features(self, d_in);
        let length = self
            .before()
            .map_or(0, |_| tile.input.len() / d_in * features);
        let (of_before, of_after) = tile.tape.split_at_mut(3 * length);
        if self.after().is_some() {
            let [_, slope, _] = thirds(of_after);
            multiply_in_place(tile.grad_output, slope);
        }
        let [value, slope, _] = thirds(of_before);
        let left = match self.before() {
            Some(_) => &*value,
            None => tile.input,
        };
        if self.has_bias() {
            affine::backward_bias(tile.grad_output, &mut tile.gradients[1]);
        }
        affine::backward_weight(left, tile.grad_output, self.width(), &mut tile.gradients[0]);
        let Some(grad_input) = tile.grad_input else {
            return;
        };
        let weight = PreparedWeight::new(features, self.width(), tile.prepared);
        if self.before().is_none() {
            return weight.backward(tile.grad_output, Start::Zero, grad_input);
        }
        let grad = &mut tile.scratch[..length];
        weight.backward(tile.grad_output, Start::Zero, grad);
        sum_of_products(slope, grad, d_in, grad_input);
    }
}

fn thirds(tape: &mut [f32]) -> [&mut [f32]; 3] {
    let (first, rest) = tape.split_at_mut(tape.len() / 3);
    let (second, third) = rest.split_at_mut(rest.len() / 2);
    [first, second, third]
}

/// Initial values for a KAN of this form: coefficients in N(0, gain² / (M d_in)), which for functions of about unit size gives outputs of
/// the standard deviation `gain`, and no bias.
pub fn normal_coefficients(
    form: &dyn Form,
    d_in: usize,
    gain: f32,
    rng: &mut StdRng,
) -> [Vec<f32>; 2] {
    let features = features(form, d_in);
    let deviation = gain / (features as f32).sqrt();
    let coefficients = (0..features * form.width()).map(|_| init::normal(rng) * deviation);
    [coefficients.collect(), vec![0.0; form.width()]]
}

/// x σ(x) and its derivative.
pub fn silu(x: Tensor<2>) -> [Tensor<2>; 2] {
    let gate = activation::sigmoid(x.clone());
    let value = x * gate.clone();
    let slope = gate.clone() + value.clone() * gate.neg().add_scalar(1.0);
    [value, slope]
}
