//! `staf`: y = Σ_t c_t sin(ω_t z + φ_t), t = 1..τ, z = x W + b, with c, ω and φ trained and shared by the units of the layer (STAF, Morsali et al.
//! 2025, eq. 4), and with `skip` y = z + Σ_t ..., as the authors have it on pictures behind the first layer.
//!
//! Shapes: x `[n, d_in]`, W `[d_in, d_out]`, b `[d_out]`, c, ω, φ `[τ]`, y `[n, d_out]`.
//! Init: ω in ω₀ U(0, 1), φ in U(±π), c = ±√|l| with l of a Laplace distribution of the scale 1/(2τ) (authors' code; §4 of the paper), W as in SIREN
//! or, as in the authors' code, as b in U(±1/√d_in).
//! Derivative: dy = (Σ_t c_t ω_t cos(ω_t z + φ_t) + 1 with `skip`) (dx W).

use std::f32::consts::PI;

use burn::tensor::Tensor;
use rand::{Rng, rngs::StdRng};
use serde::{Deserialize, Serialize};

use super::super::init;
use super::super::layer::{Layer, TileBackward, TileForward, TileMemory};
use super::super::parameters::{Parameter, ParameterSpec};
use super::affine::{self, PreparedWeight};
use super::trigonometry::reduce_phase;
use super::{has_width, is_open, positive};
use crate::kernels::elementwise::{axpy, multiply_in_place};
use crate::kernels::sinusoids::{Terms, sinusoids, sinusoids_backward};

/// A matrix, a bias and a trained sum of sinusoids.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Staf {
    /// Number of outputs; the last layer of a network may leave it out.
    #[serde(default, skip_serializing_if = "is_open")]
    pub width: usize,
    /// τ, the number of sinusoids.
    #[serde(default = "default_terms")]
    pub terms: usize,
    /// ω₀: the frequencies start within (0, ω₀).
    #[serde(default = "default_omega_0")]
    pub omega_0: f32,
    /// Whether the layer reads coordinates, which selects SIREN's first-layer init, unless `init` is another.
    #[serde(default)]
    pub first: bool,
    /// Whether z itself is added to the sum.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skip: bool,
    /// How W starts.
    #[serde(default, skip_serializing_if = "is_siren")]
    pub init: StafInit,
}

/// How the matrix of a `staf` layer starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StafInit {
    /// As in a sine layer with the same ω₀ (Sitzmann et al. 2020, §3.2).
    #[default]
    Siren,
    /// The default of PyTorch, with which the authors start.
    Pytorch,
}

// Serde hands out a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_siren(init: &StafInit) -> bool {
    *init == StafInit::Siren
}

/// τ = 5 (authors' code).
fn default_terms() -> usize {
    5
}

fn default_omega_0() -> f32 {
    30.0
}

impl Staf {
    pub(in super::super) const SUMMARY: &'static str =
        "sum_t c_t sin(omega_t z + phi_t), z = x W + b, trained and shared by a layer, STAF";

    pub(in super::super) fn examples() -> Vec<Self> {
        let staf = |terms, omega_0, first, skip, init| Self {
            width: 5,
            terms,
            omega_0,
            first,
            skip,
            init,
        };
        vec![
            staf(5, 30.0, true, false, StafInit::Siren),
            staf(2, 10.0, false, false, StafInit::Siren),
            staf(3, 10.0, false, true, StafInit::Pytorch),
        ]
    }

    /// Value and derivative at z, by element.
    fn activation(&self, parameters: &[Tensor<2>], z: Tensor<2>) -> [Tensor<2>; 2] {
        let [amplitudes, frequencies, phases] = [2, 3, 4].map(|at: usize| parameters[at].clone());
        let (mut value, mut slope) = (z.zeros_like(), z.zeros_like());
        for term in 0..self.terms {
            let [c, omega, phi] =
                [&amplitudes, &frequencies, &phases].map(|t| t.clone().narrow(1, term, 1));
            let phase = reduce_phase(z.clone() * omega.clone() + phi);
            value = value + phase.clone().sin() * c.clone();
            slope = slope + phase.cos() * (c * omega);
        }
        match self.skip {
            true => [value + z, slope.add_scalar(1.0)],
            false => [value, slope],
        }
    }
}

/// c, ω and φ.
fn terms(parameters: &[Parameter]) -> Terms<'_> {
    [2, 3, 4].map(|at: usize| &parameters[at].values[..])
}

impl Layer for Staf {
    fn d_out(&self, _d_in: usize) -> usize {
        self.width
    }

    fn set_d_out(&mut self, d_out: usize) {
        self.width = d_out;
    }

    fn check(&self, _d_in: usize) -> Result<(), String> {
        has_width(self.width)?;
        positive("omega_0", self.omega_0)?;
        match (1..=64).contains(&self.terms) {
            true => Ok(()),
            false => Err(format!("terms is {}; it must be from 1 to 64", self.terms)),
        }
    }

    fn parameters(&self, d_in: usize) -> Vec<ParameterSpec> {
        let mut specs = affine::parameters(d_in, self.width);
        let own = ["amplitudes", "frequencies", "phases"];
        specs.extend(own.map(|name| ParameterSpec::new(name, &[self.terms])));
        specs
    }

    fn initialize(&self, d_in: usize, rng: &mut StdRng) -> Vec<Vec<f32>> {
        let count = d_in * self.width;
        let weight = match (self.init, self.first) {
            (StafInit::Pytorch, _) => init::torch_default(rng, count, d_in),
            (StafInit::Siren, true) => init::uniform(rng, count, 1.0 / d_in as f32),
            (StafInit::Siren, false) => {
                init::uniform(rng, count, (6.0 / d_in as f32).sqrt() / self.omega_0)
            }
        };
        let bias = init::torch_default(rng, self.width, d_in);
        let laplace = 1.0 / (2.0 * self.terms as f32);
        let amplitudes = (0..self.terms).map(|_| {
            // |l| is exponentially distributed; 1 − u lies in (0, 1].
            let size = (-laplace * (1.0 - rng.random::<f32>()).ln()).sqrt();
            if rng.random::<bool>() { size } else { -size }
        });
        let amplitudes = amplitudes.collect();
        let frequencies = (0..self.terms).map(|_| self.omega_0 * rng.random::<f32>());
        let frequencies = frequencies.collect();
        let phases = init::uniform(rng, self.terms, PI);
        vec![weight, bias, amplitudes, frequencies, phases]
    }

    fn forward(&self, parameters: &[Tensor<2>], input: Tensor<2>) -> Tensor<2> {
        let z = input.matmul(parameters[0].clone()) + parameters[1].clone();
        let [value, _] = self.activation(parameters, z);
        value
    }

    fn forward_with_tangents(
        &self,
        parameters: &[Tensor<2>],
        input: Tensor<2>,
        tangents: Vec<Tensor<2>>,
    ) -> (Tensor<2>, Vec<Tensor<2>>) {
        let z = input.matmul(parameters[0].clone()) + parameters[1].clone();
        let [value, slope] = self.activation(parameters, z);
        let tangents = tangents
            .into_iter()
            .map(|t| slope.clone() * t.matmul(parameters[0].clone()));
        (value, tangents.collect())
    }

    fn multiply_adds(&self, d_in: usize) -> usize {
        d_in * self.width
    }

    /// The tape holds z, then dy/dz.
    fn tile_memory(&self, d_in: usize) -> TileMemory {
        TileMemory {
            tape: 2 * self.width,
            scratch: 0,
            prepared: PreparedWeight::len(d_in, self.width),
        }
    }

    fn prepare(&self, d_in: usize, parameters: &[Parameter], prepared: &mut [f32]) {
        PreparedWeight::prepare(d_in, self.width, &parameters[0].values, prepared);
    }

    fn forward_tile(&self, d_in: usize, mut tile: TileForward) {
        affine::forward_tile(d_in, self.width, &mut tile);
        let (z, slope) = tile.tape.split_at_mut(tile.output.len());
        z.copy_from_slice(tile.output);
        sinusoids(z, terms(tile.parameters), tile.output, slope);
        if self.skip {
            axpy(1.0, z, tile.output);
            slope.iter_mut().for_each(|slope| *slope += 1.0);
        }
    }

    fn backward_tile(&self, d_in: usize, tile: TileBackward) {
        let (z, slope) = tile.tape.split_at(tile.grad_output.len());
        let (of_affine, of_terms) = tile.gradients.split_at_mut(2);
        let [amplitudes, frequencies, phases] = of_terms else {
            unreachable!("the layer has amplitudes, frequencies and phases")
        };
        let own = [amplitudes, frequencies, phases].map(|gradient| &mut gradient[..]);
        sinusoids_backward(z, terms(tile.parameters), tile.grad_output, own);
        multiply_in_place(tile.grad_output, slope);
        let tile = TileBackward {
            gradients: of_affine,
            ..tile
        };
        affine::backward_tile(d_in, self.width, tile);
    }
}
