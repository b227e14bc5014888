//! The layer kinds, one file each.

mod affine;
mod chebyshev_kan;
mod complex;
mod factored_kan;
mod finer;
mod form;
mod fourier_features;
mod fourier_kan;
mod gabor;
mod gated_tanh;
mod gauss;
mod grid;
mod harmonic_kan;
mod hash_grid;
mod layer_norm;
mod linear;
mod positional_encoding;
mod product;
mod rbf_kan;
mod relu;
mod relu_kan;
mod sine;
mod spline_kan;
mod staf;
mod trigonometry;
mod wavelet_kan;
mod waves;

pub use chebyshev_kan::ChebyshevKan;
pub use factored_kan::FactoredKan;
pub use finer::Finer;
pub use fourier_features::FourierFeatures;
pub use fourier_kan::FourierKan;
pub use gabor::Gabor;
pub use gated_tanh::GatedTanh;
pub use gauss::Gauss;
pub use grid::Grid;
pub use harmonic_kan::HarmonicKan;
pub use hash_grid::HashGrid;
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use positional_encoding::PositionalEncoding;
pub use product::Product;
pub use rbf_kan::RbfKan;
pub use relu::Relu;
pub use relu_kan::ReluKan;
pub use sine::Sine;
pub use spline_kan::{Residual, SplineKan};
pub use staf::Staf;
pub use wavelet_kan::{Wavelet, WaveletKan};

use super::layer::MOST_OUTPUTS;

/// An error text when `value` is not a finite number above zero.
fn positive(field: &str, value: f32) -> Result<(), String> {
    if value.is_finite() && value > 0.0 {
        Ok(())
    } else {
        Err(format!(
            "{field} is {value}; it must be a finite number above 0"
        ))
    }
}

/// Whether a width is left to the signal; such a width is not written to files.
fn is_open(width: &usize) -> bool {
    *width == 0
}

/// An error text when the layer would have no outputs.
fn has_width(width: usize) -> Result<(), String> {
    match width {
        0 => Err("width is missing; only the last layer may leave it to the signal".into()),
        1..=MOST_OUTPUTS => Ok(()),
        _ => Err(format!(
            "width is {width}; at most {MOST_OUTPUTS} is supported"
        )),
    }
}
