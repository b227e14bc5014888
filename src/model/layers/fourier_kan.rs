//! `fourier-kan`: a learned Fourier series on every edge (FourierKAN, GistNoesis 2024; first layer of FKAN, Mehrabian et al. 2025).
//!
//! y_j = b_j + Σ_i Σ_k A_{kij} cos(k s x_i) + B_{kij} sin(k s x_i)
//!
//! Shapes: x `[n, d_in]`; coefficients `[2K, d_in, d_out]`, first the K cosine slices, then the K sine slices; b `[d_out]`;
//! y `[n, d_out]`. The frequencies k are K integers: 1..K, or, where a signal has more cycles than a layer can have coefficients, dense from 1 on and
//! ever sparser up to `highest` (a deviation from both papers); s is `input_scale`. With s = π the series has the period of the axis [-1, 1] and the
//! opposite borders of a picture would be tied together, so s stays below π (a deviation from FKAN, which has s = 1 and
//! reaches K/π cycles only).
//! Init: A, B in N(0, 1) · gain / (√d_in · k^p · √(Σ_k k^-2p)), p = `smoothness`; as cos² + sin² = 1 the output then has the standard
//! deviation `gain` at every x. p = 0 is the white init of FourierKAN, which does not unscramble on pictures.
//! Derivative: dy_j = Σ_i s dx_i Σ_k k (B cos − A sin).

use burn::tensor::{Tensor, TensorData};
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::super::init;
use super::super::layer::{Hints, Layer, TileBackward, TileForward, TileMemory};
use super::super::parameters::{Parameter, ParameterSpec};
use super::super::tangents::{Pointwise, TangentForm};
use super::affine::{self, PreparedWeight};
use super::trigonometry::product_phases;
use super::{has_width, is_open, positive};
use crate::kernels::fourier::{HIGHEST_FREQUENCY, features, features_backward};
use crate::kernels::frequencies::frequencies;
use crate::kernels::matmul::Start;

/// A Fourier series on every edge and a bias.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FourierKan {
    /// Number of outputs.
    #[serde(default, skip_serializing_if = "is_open")]
    pub width: usize,
    /// K, the number of frequencies; 0 derives it from the spectrum of the signal, within the Nyquist limit of its longest axis.
    #[serde(default)]
    pub frequencies: usize,
    /// The highest frequency, when it is not K; the gaps between the K frequencies then grow with them. 0 is K.
    #[serde(default, skip_serializing_if = "is_open")]
    pub highest: usize,
    /// Derives `highest`: so many times the root-mean-square frequency of the signal, within the Nyquist limit of its longest axis; 0 once that is done.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reach: f32,
    /// s, the factor on the input, at most π.
    #[serde(default = "default_input_scale")]
    pub input_scale: f32,
    /// p, how fast the initial coefficients fall with the frequency.
    #[serde(default = "default_smoothness")]
    pub smoothness: f32,
    /// Standard deviation of the outputs at the start.
    #[serde(default = "default_gain")]
    pub gain: f32,
    /// Whether frequencies above the Nyquist limit of the signal's longest axis are left out.
    #[serde(default = "default_cap")]
    pub cap_at_nyquist: bool,
}

fn is_zero(value: &f32) -> bool {
    *value == 0.0
}

/// 0.9 π: nine tenths of the period lie on the signal, so that the borders are free of each other.
fn default_input_scale() -> f32 {
    0.9 * std::f32::consts::PI
}

fn default_smoothness() -> f32 {
    1.0
}

fn default_gain() -> f32 {
    1.0
}

fn default_cap() -> bool {
    true
}

/// A derived K reaches this many times the root-mean-square frequency of the signal; what lies above is left to the body.
const RMS_FREQUENCIES_COVERED: f32 = 4.0;
/// A derived K is at least this, for smooth signals with a few sharp places ...
const FEWEST_DERIVED: usize = 16;
/// ... and at most this: beyond it the parameters are better spent in the body.
const MOST_DERIVED: usize = 128;

impl FourierKan {
    pub(in super::super) const SUMMARY: &'static str =
        "b + sum_k A_k cos(k s x) + B_k sin(k s x) on every edge, Fourier-KAN";

    pub(in super::super) fn examples() -> Vec<Self> {
        let fourier = |frequencies, highest, input_scale, smoothness| Self {
            width: 5,
            frequencies,
            highest,
            reach: 0.0,
            input_scale,
            smoothness,
            gain: 2.0,
            cap_at_nyquist: false,
        };
        vec![
            fourier(4, 0, default_input_scale(), 1.0),
            fourier(37, 0, 1.0, 0.0),
            fourier(6, 63, 1.0, 0.5),
        ]
    }

    /// The frequencies k.
    fn k(&self) -> Vec<f32> {
        frequencies(self.frequencies, self.highest)
    }

    /// The prepared weight and the frequencies k behind it.
    fn prepared<'a>(&self, d_in: usize, prepared: &'a [f32]) -> (&'a [f32], &'a [f32]) {
        prepared.split_at(PreparedWeight::len(2 * self.frequencies * d_in, self.width))
    }

    /// The factors k s, `[K·d_in]`, column j·d_in + i for the j-th k.
    fn factors(&self, d_in: usize) -> Vec<f64> {
        self.k()
            .into_iter()
            .flat_map(|k| std::iter::repeat_n(f64::from(k) * f64::from(self.input_scale), d_in))
            .collect()
    }

    /// The phases k s x_i but for whole turns, `[n, K·d_in]`.
    fn phases(&self, input: Tensor<2>) -> Tensor<2> {
        let factors = self.factors(input.dims()[1]);
        product_phases(input.repeat_dim(1, self.frequencies), &factors)
    }
}

/// A row `[1, values.len()]` on the device and in the precision of `like`.
pub(super) fn constant_row(like: &Tensor<2>, values: Vec<f64>) -> Tensor<2> {
    let columns = values.len();
    let data = TensorData::new(values, [1, columns]).convert_dtype(like.dtype());
    Tensor::from_data(data, (&like.device(), like.dtype()))
}

impl Layer for FourierKan {
    fn d_out(&self, _d_in: usize) -> usize {
        self.width
    }

    fn set_d_out(&mut self, d_out: usize) {
        self.width = d_out;
    }

    fn derive(&mut self, _d_in: usize, hints: &Hints) {
        // k s x on [-1, 1] makes k s / π cycles.
        let to_k = |cycles: f32| cycles * std::f32::consts::PI / self.input_scale;
        let Some(nyquist) = hints.nyquist.iter().copied().reduce(f32::max) else {
            return;
        };
        let limit = (to_k(nyquist).floor() as usize).max(1);
        if self.frequencies == 0 {
            let rms = hints.rms_frequency.iter().copied().fold(0.0, f32::max);
            let wanted = to_k(RMS_FREQUENCIES_COVERED * rms).round() as usize;
            self.frequencies = wanted.clamp(FEWEST_DERIVED, MOST_DERIVED).min(limit);
        } else if self.cap_at_nyquist {
            self.frequencies = self.frequencies.min(limit);
        }
        if self.reach > 0.0 && self.highest == 0 {
            let rms = hints.rms_frequency.iter().copied().fold(0.0, f32::max);
            self.highest = to_k(self.reach * rms).round() as usize;
            self.highest = self.highest.min(limit).min(HIGHEST_FREQUENCY);
            self.highest = self.highest.max(self.frequencies);
            // It stands in `highest` from now on.
            self.reach = 0.0;
        } else if self.cap_at_nyquist {
            self.highest = self.highest.min(limit);
        }
    }

    fn check(&self, _d_in: usize) -> Result<(), String> {
        has_width(self.width)?;
        if !(1..=4096).contains(&self.frequencies) {
            return Err(format!(
                "frequencies is {}; it must be from 1 to 4096",
                self.frequencies
            ));
        }
        if self.highest != 0 && !(self.frequencies..=HIGHEST_FREQUENCY).contains(&self.highest) {
            return Err(format!(
                "highest is {}; it must be 0 or from frequencies, {}, to {HIGHEST_FREQUENCY}",
                self.highest, self.frequencies
            ));
        }
        if self.highest != 0 && self.reach > 0.0 {
            return Err(format!(
                "highest is {} and reach is {}; set one of them to 0, for either says how far the frequencies go",
                self.highest, self.reach
            ));
        }
        if !(self.reach.is_finite() && self.reach >= 0.0) {
            return Err(format!("reach is {}; it must be 0 or more", self.reach));
        }
        positive("input_scale", self.input_scale)?;
        if self.input_scale > std::f32::consts::PI {
            return Err(format!(
                "input_scale is {}; it must be at most π, the whole period; at π itself opposite borders are tied together",
                self.input_scale
            ));
        }
        positive("gain", self.gain)?;
        if !(self.smoothness.is_finite() && self.smoothness >= 0.0) {
            return Err(format!(
                "smoothness is {}; it must be 0 or more",
                self.smoothness
            ));
        }
        Ok(())
    }

    fn parameters(&self, d_in: usize) -> Vec<ParameterSpec> {
        vec![
            ParameterSpec::new("coefficients", &[2 * self.frequencies, d_in, self.width]),
            ParameterSpec::new("bias", &[self.width]),
        ]
    }

    fn initialize(&self, d_in: usize, rng: &mut StdRng) -> Vec<Vec<f32>> {
        let amplitudes: Vec<f32> = self
            .k()
            .into_iter()
            .map(|k| k.powf(-self.smoothness))
            .collect();
        let energy: f32 = amplitudes.iter().map(|amplitude| amplitude.powi(2)).sum();
        let scale = self.gain / (d_in as f32 * energy).sqrt();
        let slice = d_in * self.width;
        let coefficients = (0..2 * self.frequencies * slice)
            .map(|index| init::normal(rng) * scale * amplitudes[(index / slice) % self.frequencies])
            .collect();
        vec![coefficients, vec![0.0; self.width]]
    }

    fn forward(&self, parameters: &[Tensor<2>], input: Tensor<2>) -> Tensor<2> {
        let phase = self.phases(input);
        let features = Tensor::cat(vec![phase.clone().cos(), phase.sin()], 1);
        features.matmul(parameters[0].clone()) + parameters[1].clone()
    }

    fn forward_with_tangents(
        &self,
        parameters: &[Tensor<2>],
        input: Tensor<2>,
        tangents: Vec<Tensor<2>>,
    ) -> (Tensor<2>, Vec<Tensor<2>>) {
        let phase = self.phases(input.clone());
        let slopes = Tensor::cat(vec![phase.clone().sin().neg(), phase.cos()], 1);
        let factors = constant_row(&input, self.factors(input.dims()[1]));
        let tangents = tangents
            .into_iter()
            .map(|t| {
                let dphase = t.repeat_dim(1, self.frequencies) * factors.clone();
                let dphase = dphase.repeat_dim(1, 2);
                (slopes.clone() * dphase).matmul(parameters[0].clone())
            })
            .collect();
        (self.forward(parameters, input), tangents)
    }

    fn tangent_form(&self) -> Option<TangentForm<'_>> {
        Some(TangentForm {
            before: Some(self),
            ..TangentForm::AFFINE
        })
    }

    fn multiply_adds(&self, d_in: usize) -> usize {
        2 * self.frequencies * d_in * self.width
    }

    fn is_separable(&self) -> bool {
        true
    }

    /// The tape holds the cosines and sines; the scratch their gradients.
    fn tile_memory(&self, d_in: usize) -> TileMemory {
        let features = 2 * self.frequencies * d_in;
        TileMemory {
            tape: features,
            scratch: features,
            prepared: PreparedWeight::len(features, self.width) + self.frequencies,
        }
    }

    fn prepare(&self, d_in: usize, parameters: &[Parameter], prepared: &mut [f32]) {
        let features = 2 * self.frequencies * d_in;
        let (weight, k) = prepared.split_at_mut(PreparedWeight::len(features, self.width));
        k.copy_from_slice(&self.k());
        PreparedWeight::prepare(features, self.width, &parameters[0].values, weight);
    }

    fn forward_tile(&self, d_in: usize, tile: TileForward) {
        let (weight, k) = self.prepared(d_in, tile.prepared);
        features(tile.input, d_in, self.input_scale, k, tile.tape);
        let bias = Start::Bias(&tile.parameters[1].values);
        let features = 2 * self.frequencies * d_in;
        PreparedWeight::new(features, self.width, weight).forward(tile.tape, bias, tile.output);
    }

    fn backward_tile(&self, d_in: usize, tile: TileBackward) {
        affine::backward_bias(tile.grad_output, &mut tile.gradients[1]);
        affine::backward_weight(
            tile.tape,
            tile.grad_output,
            self.width,
            &mut tile.gradients[0],
        );
        if let Some(grad_input) = tile.grad_input {
            let (weight, k) = self.prepared(d_in, tile.prepared);
            let features = 2 * self.frequencies * d_in;
            PreparedWeight::new(features, self.width, weight).backward(
                tile.grad_output,
                Start::Zero,
                tile.scratch,
            );
            features_backward(
                tile.tape,
                tile.scratch,
                d_in,
                self.input_scale,
                k,
                grad_input,
            );
        }
    }
}

impl Pointwise for FourierKan {
    fn functions(&self) -> usize {
        2 * self.frequencies
    }

    fn jet(
        &self,
        _parameters: &[Parameter],
        x: &[f32],
        d: usize,
        [value, slope, curvature]: [&mut [f32]; 3],
    ) {
        let k = self.k();
        features(x, d, self.input_scale, &k, value);
        let half = self.frequencies * d;
        let rows = value
            .chunks_exact(2 * half)
            .zip(slope.chunks_exact_mut(2 * half));
        for ((value, slope), curvature) in rows.zip(curvature.chunks_exact_mut(2 * half)) {
            let (cosines, sines) = value.split_at(half);
            for column in 0..half {
                let factor = k[column / d] * self.input_scale;
                slope[column] = -factor * sines[column];
                slope[half + column] = factor * cosines[column];
                curvature[column] = -factor * factor * cosines[column];
                curvature[half + column] = -factor * factor * sines[column];
            }
        }
    }
}
