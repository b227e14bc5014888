//! `wavelet-kan`: y_j = b_j + Σ_i w_ij ψ((x_i − t_ij)/s_ij), a wavelet of its own scale and place on every edge (Wav-KAN, Bozorgasl and Chen 2024, §3).
//!
//! Trained is r = 1/s, not s, which could pass through 0. A wavelet is nothing far from its place, so that inputs must stay where wavelets are: coordinates
//! do, and in a body a `layer-norm` before the layer keeps them there (the authors have a batch norm behind it).
//! Shapes: x `[n, d_in]`, w, r, t `[d_in, d_out]`, b `[d_out]`, y `[n, d_out]`.
//! Init: w in N(0, gain²/d_in), r = 1/`scale`, t in U(±`range`), b = 0 (the authors: Kaiming, 1 and 0, which gives all edges of a coordinate one function).
//! Derivative: dy_j = Σ_i w_ij r_ij ψ'(r_ij (x_i − t_ij)) dx_i.

use burn::tensor::Tensor;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::super::init;
use super::super::layer::{Layer, TileBackward, TileForward, TileMemory};
use super::super::parameters::{Parameter, ParameterSpec};
use super::{affine, has_width, is_open, positive};
pub use crate::kernels::wavelet::Wavelet;
use crate::kernels::wavelet::{Edges, MEXICAN_HAT_NORM, MORLET_OMEGA, wavelets, wavelets_backward};

/// A wavelet on every edge and a bias.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaveletKan {
    /// Number of outputs; the last layer of a network may leave it out.
    #[serde(default, skip_serializing_if = "is_open")]
    pub width: usize,
    /// ψ: `mexican-hat`, `dog` or `morlet`.
    #[serde(default)]
    pub wavelet: Wavelet,
    /// R: the wavelets start at places in [-R, R].
    #[serde(default = "default_range")]
    pub range: f32,
    /// s of all edges at the start.
    #[serde(default = "default_scale")]
    pub scale: f32,
    /// Standard deviation of the outputs at the start where ψ is about 1.
    #[serde(default = "default_gain")]
    pub gain: f32,
}

fn default_range() -> f32 {
    1.0
}

/// s = 1 (Wav-KAN).
fn default_scale() -> f32 {
    1.0
}

fn default_gain() -> f32 {
    1.0
}

impl WaveletKan {
    pub(in super::super) const SUMMARY: &'static str = "b + w psi((x - t)/s) on every edge (Mexican hat, derivative of a Gaussian, Morlet), Wav-KAN";

    pub(in super::super) fn examples() -> Vec<Self> {
        [
            (Wavelet::MexicanHat, 0.5),
            (Wavelet::Dog, 1.0),
            (Wavelet::Morlet, 2.0),
        ]
        .map(|(wavelet, scale)| Self {
            width: 5,
            wavelet,
            range: 1.0,
            scale,
            gain: 1.0,
        })
        .into()
    }

    /// ψ and ψ' by element.
    fn plain_wavelet(&self, u: Tensor<2>) -> [Tensor<2>; 2] {
        let square = u.clone() * u.clone();
        let bell = square.clone().mul_scalar(-0.5).exp();
        match self.wavelet {
            Wavelet::MexicanHat => {
                let bell = bell.mul_scalar(MEXICAN_HAT_NORM);
                let value = square.clone().neg().add_scalar(1.0) * bell.clone();
                [value, u * square.sub_scalar(3.0) * bell]
            }
            Wavelet::Dog => [u.neg() * bell.clone(), square.sub_scalar(1.0) * bell],
            Wavelet::Morlet => {
                let phase = u.clone().mul_scalar(MORLET_OMEGA);
                let (sin, cos) = (phase.clone().sin(), phase.cos());
                let slope = sin.mul_scalar(MORLET_OMEGA) + u * cos.clone();
                [cos * bell.clone(), slope.neg() * bell]
            }
        }
    }

    /// b + Σ_i of what `term` makes of w, r, t (each `[1, d_out]`) and x `[n, 1]` of input i.
    fn sum(
        parameters: &[Tensor<2>],
        input: &Tensor<2>,
        start: Tensor<2>,
        term: impl Fn(usize, [Tensor<2>; 3], Tensor<2>) -> Tensor<2>,
    ) -> Tensor<2> {
        (0..input.dims()[1]).fold(start, |sum, i| {
            let edges = [0, 1, 2].map(|at: usize| parameters[at].clone().narrow(0, i, 1));
            sum + term(i, edges, input.clone().narrow(1, i, 1))
        })
    }
}

fn edges(parameters: &[Parameter]) -> Edges<'_> {
    Edges {
        weights: &parameters[0].values,
        inverse_scales: &parameters[1].values,
        translations: &parameters[2].values,
    }
}

impl Layer for WaveletKan {
    fn d_out(&self, _d_in: usize) -> usize {
        self.width
    }

    fn set_d_out(&mut self, d_out: usize) {
        self.width = d_out;
    }

    fn check(&self, _d_in: usize) -> Result<(), String> {
        has_width(self.width)?;
        positive("range", self.range)?;
        positive("scale", self.scale)?;
        positive("gain", self.gain)
    }

    fn parameters(&self, d_in: usize) -> Vec<ParameterSpec> {
        let of_edges = [d_in, self.width];
        vec![
            ParameterSpec::new("weight", &of_edges),
            ParameterSpec::list("inverse_scales", &of_edges),
            ParameterSpec::list("translations", &of_edges),
            ParameterSpec::new("bias", &[self.width]),
        ]
    }

    fn initialize(&self, d_in: usize, rng: &mut StdRng) -> Vec<Vec<f32>> {
        let edges = d_in * self.width;
        let deviation = self.gain / (d_in as f32).sqrt();
        let weight = (0..edges).map(|_| init::normal(rng) * deviation);
        let weight = weight.collect();
        let translations = init::uniform(rng, edges, self.range);
        vec![
            weight,
            vec![1.0 / self.scale; edges],
            translations,
            vec![0.0; self.width],
        ]
    }

    fn forward(&self, parameters: &[Tensor<2>], input: Tensor<2>) -> Tensor<2> {
        let [rows, _] = input.dims();
        let bias = parameters[3].clone().repeat_dim(0, rows);
        Self::sum(parameters, &input, bias, |_, [w, r, t], x| {
            let [value, _] = self.plain_wavelet((x - t) * r);
            value * w
        })
    }

    fn forward_with_tangents(
        &self,
        parameters: &[Tensor<2>],
        input: Tensor<2>,
        tangents: Vec<Tensor<2>>,
    ) -> (Tensor<2>, Vec<Tensor<2>>) {
        let output = self.forward(parameters, input.clone());
        let tangents = tangents.into_iter().map(|tangent| {
            let zero = output.zeros_like();
            Self::sum(parameters, &input, zero, |i, [w, r, t], x| {
                let [_, slope] = self.plain_wavelet((x - t) * r.clone());
                slope * (w * r) * tangent.clone().narrow(1, i, 1)
            })
        });
        let tangents = tangents.collect();
        (output, tangents)
    }

    fn multiply_adds(&self, d_in: usize) -> usize {
        d_in * self.width
    }

    fn is_separable(&self) -> bool {
        true
    }

    /// The wavelets are evaluated again on the way back: an edge's value takes more room than time.
    fn tile_memory(&self, _d_in: usize) -> TileMemory {
        TileMemory::default()
    }

    fn forward_tile(&self, d_in: usize, tile: TileForward) {
        for row in tile.output.chunks_exact_mut(self.width) {
            row.copy_from_slice(&tile.parameters[3].values);
        }
        let edges = edges(tile.parameters);
        wavelets(self.wavelet, tile.input, d_in, edges, tile.output);
    }

    fn backward_tile(&self, d_in: usize, tile: TileBackward) {
        let [weight, inverse_scales, translations, bias] = tile.gradients else {
            unreachable!("the layer has three numbers an edge and a bias")
        };
        affine::backward_bias(tile.grad_output, bias);
        wavelets_backward(
            self.wavelet,
            tile.input,
            d_in,
            edges(tile.parameters),
            tile.grad_output,
            [weight, inverse_scales, translations],
            tile.grad_input,
        );
    }
}
