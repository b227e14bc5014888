//! `rescale`: y_i = scale_i x_i + shift, nothing of it trained: what published code does to coordinates before a network and to values behind it.
//!
//! As a first layer, with the scale left open, it takes cell centres to coordinates that reach the ends of the axes, as of PyTorch's `linspace(-1, 1, n)`: sample 0
//! of n is at −1 + 1/n here and at −1 there, so that the factor is n / (n − 1). As a last layer it lets the network before it learn values in
//! [0, 1]: with the scale 2 and the shift −1 those of the file's type, and with `onto = "values"` those of the signal stretched to the whole range.
//!
//! Shapes: x, y `[n, d_in]`. Derivative: dy_i = scale_i dx_i.

use burn::tensor::Tensor;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::super::layer::{Hints, Layer, TileBackward, TileForward, TileMemory};
use super::super::parameters::ParameterSpec;
use super::fourier_kan::constant_row;
use super::positive;

/// What a scale that is left open takes the inputs to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Onto {
    /// Cell centres to coordinates that reach the ends of the axes.
    #[default]
    Ends,
    /// [0, 1] to the values of the signal, from the smallest to the largest: (v − min) / (max − min) is what the network before it learns.
    Values,
}

fn is_default(onto: &Onto) -> bool {
    *onto == Onto::default()
}

/// A fixed factor on each input and a fixed number added to all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rescale {
    /// One factor for each input, or one for all; none are those of `onto`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scale: Vec<f32>,
    /// What is added, besides the smallest value where an open scale is that of [`Onto::Values`].
    #[serde(default)]
    pub shift: f32,
    /// Where open factors come from.
    #[serde(default, skip_serializing_if = "is_default")]
    pub onto: Onto,
}

impl Rescale {
    pub(in super::super) const SUMMARY: &'static str =
        "scale x + shift, not trained: coordinates to the ends of the axes, [0, 1] to the values";

    pub(in super::super) fn examples() -> Vec<Self> {
        vec![
            Self {
                scale: vec![2.0],
                shift: -1.0,
                onto: Onto::Ends,
            },
            Self {
                scale: vec![1.2],
                shift: -0.6,
                onto: Onto::Values,
            },
        ]
    }

    /// The factor on input `axis`.
    fn factor_of(&self, axis: usize) -> f32 {
        *self.scale.get(axis).unwrap_or(&self.scale[0])
    }

    /// All factors, `[1, d_in]`.
    fn row(&self, like: &Tensor<2>) -> Tensor<2> {
        let factors = (0..like.dims()[1]).map(|axis| f64::from(self.factor_of(axis)));
        constant_row(like, factors.collect())
    }
}

impl Layer for Rescale {
    fn d_out(&self, d_in: usize) -> usize {
        d_in
    }

    fn set_d_out(&mut self, _d_out: usize) {}

    fn derive(&mut self, d_in: usize, hints: &Hints) {
        if !self.scale.is_empty() {
            return;
        }
        match self.onto {
            Onto::Values => {
                let [smallest, largest] = hints.values;
                // Of a signal of one value it is the values of the file's type.
                let is_flat = largest <= smallest;
                let [from, to] = if is_flat { [-1.0, 1.0] } else { hints.values };
                self.scale = vec![to - from];
                self.shift += from;
            }
            Onto::Ends if hints.nyquist.len() == d_in => {
                let ends = |nyquist: &f32| {
                    // n / 2 is the highest frequency of n samples; an axis with one has no ends.
                    let samples = 2.0 * nyquist;
                    samples / (samples - 1.0).max(1.0)
                };
                self.scale = hints.nyquist.iter().map(ends).collect();
            }
            Onto::Ends => {}
        }
    }

    fn check(&self, d_in: usize) -> Result<(), String> {
        let given = self.scale.len();
        if given != 1 && given != d_in {
            return Err(format!(
                "scale has {given} numbers; it must have one, or one for each of the {d_in} inputs, and only a layer that reads coordinates, or has onto = \"values\", may leave it out"
            ));
        }
        for &scale in &self.scale {
            positive("scale", scale)?;
        }
        match self.shift.is_finite() {
            true => Ok(()),
            false => Err(format!("shift is {}; it must be finite", self.shift)),
        }
    }

    fn parameters(&self, _d_in: usize) -> Vec<ParameterSpec> {
        vec![]
    }

    fn initialize(&self, _d_in: usize, _rng: &mut StdRng) -> Vec<Vec<f32>> {
        vec![]
    }

    fn forward(&self, _parameters: &[Tensor<2>], input: Tensor<2>) -> Tensor<2> {
        let row = self.row(&input);
        input * row + self.shift
    }

    fn forward_with_tangents(
        &self,
        parameters: &[Tensor<2>],
        input: Tensor<2>,
        tangents: Vec<Tensor<2>>,
    ) -> (Tensor<2>, Vec<Tensor<2>>) {
        let row = self.row(&input);
        let tangents = tangents.into_iter().map(|t| t * row.clone()).collect();
        (self.forward(parameters, input), tangents)
    }

    /// There is no matrix product.
    fn multiply_adds(&self, _d_in: usize) -> usize {
        0
    }

    fn tile_memory(&self, _d_in: usize) -> TileMemory {
        TileMemory::default()
    }

    fn forward_tile(&self, d_in: usize, tile: TileForward) {
        let rows = tile.input.chunks_exact(d_in);
        for (output, input) in tile.output.chunks_exact_mut(d_in).zip(rows) {
            for (axis, (y, x)) in output.iter_mut().zip(input).enumerate() {
                *y = x * self.factor_of(axis) + self.shift;
            }
        }
    }

    fn backward_tile(&self, d_in: usize, tile: TileBackward) {
        let Some(grad_input) = tile.grad_input else {
            return;
        };
        let rows = tile.grad_output.chunks_exact(d_in);
        for (grad_input, grad_output) in grad_input.chunks_exact_mut(d_in).zip(rows) {
            for (axis, (to, from)) in grad_input.iter_mut().zip(grad_output).enumerate() {
                *to = from * self.factor_of(axis);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::cell_centre;

    /// `linspace(-1, 1, n)` has −1 + 2 i / (n − 1) at i.
    #[test]
    fn an_open_scale_takes_cell_centres_to_the_ends_of_the_axes() {
        let counts = [5, 768, 1];
        let hints = Hints {
            nyquist: counts.map(|n| n as f32 / 2.0).into(),
            ..Hints::default()
        };
        let mut layer = Rescale {
            scale: vec![],
            shift: 0.0,
            onto: Onto::Ends,
        };
        assert!(layer.check(3).is_err());
        layer.derive(3, &hints);
        layer.check(3).unwrap();
        for (axis, n) in counts.into_iter().enumerate() {
            for i in 0..n {
                let found = cell_centre(i, n) * f64::from(layer.factor_of(axis));
                let expected = match n {
                    1 => 0.0,
                    _ => -1.0 + 2.0 * i as f64 / (n - 1) as f64,
                };
                assert!((found - expected).abs() < 1e-6, "{i} of {n}: {found}");
            }
        }
    }

    /// Published code learns (v − min) / (max − min).
    #[test]
    fn an_open_scale_takes_the_whole_range_to_the_values() {
        for (values, expected) in [
            ([-0.5, 0.25], [-0.5, 0.25]),
            ([0.25, 0.25], [-1.0, 1.0]),
            (Hints::default().values, [-1.0, 1.0]),
        ] {
            let mut layer = Rescale {
                scale: vec![],
                shift: 0.0,
                onto: Onto::Values,
            };
            let hints = Hints {
                values,
                ..Hints::default()
            };
            layer.derive(3, &hints);
            layer.check(3).unwrap();
            let ends = [0.0, 1.0].map(|unit| unit * layer.factor_of(2) + layer.shift);
            assert_eq!(ends, expected);
        }
    }
}
