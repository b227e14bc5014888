//! `gabor`: y = exp(i ω₀ z) exp(−|s₀ z|²), z = x W + b complex, the layer of WIRE (Saragadam et al. 2023, eq. 4).
//!
//! burn has no complex numbers, so they are pairs of reals. With z = a + i b:
//! m = exp(−ω₀ b − s₀² (a² + b²)), Re y = m cos(ω₀ a), Im y = m sin(ω₀ a).
//!
//! Shapes: y `[n, 2·width]`, first all real parts, then all imaginary parts. The first layer reads real coordinates `[n, d_in]`
//! with real W `[d_in, width]`; the others read pairs `[n, 2·m]` with W `[2, m, width]` (real part, imaginary part) and
//! b `[2, width]`. Init: PyTorch's default, U(±1/√fan_in) for each real number, fan_in counted in complex inputs (authors' code).
//! Derivative: y is holomorphic but for the Gaussian; with (da, db) the change of z, g = da·∂a + db·∂b of both parts.

use burn::tensor::Tensor;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::super::init;
use super::super::layer::{Layer, TileBackward, TileForward, TileMemory};
use super::super::parameters::{Parameter, ParameterSpec};
use super::complex::PreparedComplexWeight;
use super::trigonometry::reduce_phase;
use super::{affine, has_width, is_open, positive};
use crate::kernels::elementwise::{add_bias_rows, sum_rows};
use crate::kernels::gabor::{gabor, gabor_backward};
use crate::kernels::matmul::{MatrixMut, MatrixRef, Right, Start, matmul, pack, packed_len};

/// A complex matrix, a complex bias and the complex Gabor wavelet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gabor {
    /// Number of complex outputs; the layer has twice as many real outputs.
    #[serde(default, skip_serializing_if = "is_open")]
    pub width: usize,
    /// ω₀, the frequency of the wavelet.
    #[serde(default = "default_omega_0")]
    pub omega_0: f32,
    /// s₀, the inverse width of the Gaussian window.
    #[serde(default = "default_s_0")]
    pub s_0: f32,
    /// Whether the layer reads real coordinates instead of complex pairs.
    #[serde(default)]
    pub first: bool,
    /// Factor on the initial weights and biases. The authors' 1 leaves most z far outside the window 1/s₀, where the wavelet is
    /// all but zero and learns slowly.
    #[serde(default = "super::one")]
    pub weight_scale: f32,
}

/// ω₀ = 20 for pictures (authors' code).
fn default_omega_0() -> f32 {
    20.0
}

/// s₀ = 10: of the authors' 10 to 30 for pictures the one that trains most reliably.
fn default_s_0() -> f32 {
    10.0
}

impl Gabor {
    pub(in super::super) const SUMMARY: &'static str =
        "exp(i omega_0 z - |s_0 z|^2), z = x W + b complex, WIRE";

    pub(in super::super) fn examples() -> Vec<Self> {
        let gabor = |omega_0, s_0, first| Self {
            width: 3,
            omega_0,
            s_0,
            first,
            weight_scale: 1.0,
        };
        vec![gabor(20.0, 10.0, true), gabor(5.0, 2.0, false)]
    }

    /// Real and imaginary part of z = x W, each `[n, width]`, without the bias.
    fn product(&self, parameters: &[Tensor<2>], input: Tensor<2>) -> [Tensor<2>; 2] {
        let weight = parameters[0].clone();
        if self.first {
            let real = input.matmul(weight);
            let imaginary = real.zeros_like();
            return [real, imaginary];
        }
        let m = weight.dims()[0] / 2;
        let [w_re, w_im] = [weight.clone().narrow(0, 0, m), weight.narrow(0, m, m)];
        let re = Tensor::cat(vec![w_re.clone(), w_im.clone().neg()], 0);
        let im = Tensor::cat(vec![w_im, w_re], 0);
        [input.clone().matmul(re), input.matmul(im)]
    }

    fn z(&self, parameters: &[Tensor<2>], input: Tensor<2>) -> [Tensor<2>; 2] {
        let [a, b] = self.product(parameters, input);
        let bias = parameters[1].clone();
        if self.first {
            return [a + bias, b];
        }
        [a + bias.clone().narrow(0, 0, 1), b + bias.narrow(0, 1, 1)]
    }

    /// m cos(ω₀ a) and m sin(ω₀ a).
    fn wavelet(&self, a: Tensor<2>, b: Tensor<2>) -> [Tensor<2>; 2] {
        let (omega_0, s_0_squared) = (f64::from(self.omega_0), f64::from(self.s_0).powi(2));
        let square = a.clone() * a.clone() + b.clone() * b.clone();
        let magnitude = (b.mul_scalar(-omega_0) - square.mul_scalar(s_0_squared)).exp();
        let phase = reduce_phase(a.mul_scalar(omega_0));
        [
            magnitude.clone() * phase.clone().cos(),
            magnitude * phase.sin(),
        ]
    }
}

impl Layer for Gabor {
    fn d_out(&self, _d_in: usize) -> usize {
        2 * self.width
    }

    fn set_d_out(&mut self, d_out: usize) {
        self.width = d_out / 2;
    }

    fn check(&self, d_in: usize) -> Result<(), String> {
        has_width(self.width)?;
        if !self.first && !d_in.is_multiple_of(2) {
            return Err(format!(
                "first is false, but the layer before gives {d_in} values, which are not pairs of reals; put another gabor layer before it or set first = true"
            ));
        }
        positive("omega_0", self.omega_0)?;
        positive("s_0", self.s_0)?;
        positive("weight_scale", self.weight_scale)
    }

    fn parameters(&self, d_in: usize) -> Vec<ParameterSpec> {
        let width = self.width;
        if self.first {
            return vec![
                ParameterSpec::new("weight", &[d_in, width]),
                ParameterSpec::new("bias", &[width]),
            ];
        }
        vec![
            ParameterSpec::new("weight", &[2, d_in / 2, width]),
            ParameterSpec::list("bias", &[2, width]),
        ]
    }

    fn initialize(&self, d_in: usize, rng: &mut StdRng) -> Vec<Vec<f32>> {
        let fan_in = if self.first { d_in } else { d_in / 2 };
        self.parameters(d_in)
            .iter()
            .map(|spec| {
                let mut values = init::torch_default(rng, spec.count(), fan_in);
                values.iter_mut().for_each(|v| *v *= self.weight_scale);
                values
            })
            .collect()
    }

    fn forward(&self, parameters: &[Tensor<2>], input: Tensor<2>) -> Tensor<2> {
        let [a, b] = self.z(parameters, input);
        Tensor::cat(self.wavelet(a, b).into(), 1)
    }

    fn forward_with_tangents(
        &self,
        parameters: &[Tensor<2>],
        input: Tensor<2>,
        tangents: Vec<Tensor<2>>,
    ) -> (Tensor<2>, Vec<Tensor<2>>) {
        let (omega_0, s_0_squared) = (f64::from(self.omega_0), f64::from(self.s_0).powi(2));
        let [a, b] = self.z(parameters, input);
        let [re, im] = self.wavelet(a.clone(), b.clone());
        let tangents = tangents
            .into_iter()
            .map(|t| {
                let [da, db] = self.product(parameters, t);
                // d log m = −ω₀ db − 2 s₀² (a da + b db); the phase turns by ω₀ da.
                let stretch = db.clone().mul_scalar(-omega_0)
                    - (a.clone() * da.clone() + b.clone() * db).mul_scalar(2.0 * s_0_squared);
                let turn = da.mul_scalar(omega_0);
                let d_re = re.clone() * stretch.clone() - im.clone() * turn.clone();
                let d_im = im.clone() * stretch + re.clone() * turn;
                Tensor::cat(vec![d_re, d_im], 1)
            })
            .collect();
        (Tensor::cat(vec![re, im], 1), tangents)
    }

    /// A complex product is four real ones, of half as many pairs as there are inputs.
    fn multiply_adds(&self, d_in: usize) -> usize {
        if self.first {
            d_in * self.width
        } else {
            4 * (d_in / 2) * self.width
        }
    }

    /// The tape holds z as pairs, then Re x − Im x; the scratch what the gradient of a complex product needs.
    fn tile_memory(&self, d_in: usize) -> TileMemory {
        let (tape, prepared) = if self.first {
            (0, packed_len(self.width, d_in))
        } else {
            let m = d_in / 2;
            (m, PreparedComplexWeight::len(m, self.width))
        };
        TileMemory {
            tape: 2 * self.width + tape,
            scratch: 2 * self.width,
            prepared,
        }
    }

    fn prepare(&self, d_in: usize, parameters: &[Parameter], prepared: &mut [f32]) {
        let weight = &parameters[0].values;
        if self.first {
            let transposed = MatrixRef::new(weight, self.width).transposed();
            pack(self.width, d_in, transposed, prepared);
        } else {
            PreparedComplexWeight::prepare(d_in / 2, self.width, weight, prepared);
        }
    }

    fn forward_tile(&self, d_in: usize, tile: TileForward) {
        let (width, rows) = (self.width, tile.input.len() / d_in);
        let (z, difference) = tile.tape.split_at_mut(rows * 2 * width);
        let bias = &tile.parameters[1].values;
        if self.first {
            for row in z.chunks_exact_mut(2 * width) {
                row[width..].fill(0.0);
            }
            matmul(
                [rows, d_in, width],
                MatrixRef::new(tile.input, d_in),
                Right::Rows(&tile.parameters[0].values, width),
                MatrixMut::new(z, 2 * width),
                Start::Bias(bias),
            );
        } else {
            PreparedComplexWeight::new(d_in / 2, width, tile.prepared)
                .forward(tile.input, difference, z);
            add_bias_rows(z, bias);
        }
        for (z, y) in z
            .chunks_exact(2 * width)
            .zip(tile.output.chunks_exact_mut(2 * width))
        {
            let ((a, b), (re, im)) = (z.split_at(width), y.split_at_mut(width));
            gabor(a, b, self.omega_0, self.s_0, re, im);
        }
    }

    fn backward_tile(&self, d_in: usize, tile: TileBackward) {
        let (width, rows) = (self.width, tile.input.len() / d_in);
        let (z, difference) = tile.tape.split_at_mut(rows * 2 * width);
        // The gradient of z takes the place of z.
        for ((z, y), grad_y) in z
            .chunks_exact_mut(2 * width)
            .zip(tile.output.chunks_exact(2 * width))
            .zip(tile.grad_output.chunks_exact(2 * width))
        {
            let ((a, b), y, grad_y) = (
                z.split_at_mut(width),
                y.split_at(width),
                grad_y.split_at(width),
            );
            gabor_backward([a, b], y.into(), self.omega_0, self.s_0, grad_y.into());
        }
        let [grad_weight, grad_bias] = tile.gradients else {
            unreachable!("a Gabor layer has a weight and a bias")
        };
        if !self.first {
            affine::backward_bias(z, grad_bias);
            PreparedComplexWeight::new(d_in / 2, width, tile.prepared).backward(
                tile.input,
                difference,
                z,
                tile.scratch,
                grad_weight,
                tile.grad_input,
            );
            return;
        }
        for row in z.chunks_exact(2 * width) {
            sum_rows(&row[..width], grad_bias);
        }
        matmul(
            [d_in, rows, width],
            MatrixRef::new(tile.input, d_in).transposed(),
            Right::Rows(z, 2 * width),
            MatrixMut::new(grad_weight, width),
            Start::Result,
        );
        if let Some(grad_input) = tile.grad_input {
            matmul(
                [rows, width, d_in],
                MatrixRef::with_strides(z, 2 * width, 1),
                Right::Packed(tile.prepared),
                MatrixMut::new(grad_input, d_in),
                Start::Zero,
            );
        }
    }
}
