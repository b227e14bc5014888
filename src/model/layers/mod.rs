//! The layer kinds, one file each.

#[macro_use]
mod registry;

mod affine;
mod chebyshev_kan;
mod complex;
mod factored_kan;
mod finer;
mod form;
mod fourier_features;
mod fourier_kan;
mod gabor;
mod gabor_filter;
mod gated_tanh;
mod gauss;
mod grid;
mod harmonic_kan;
mod hash_grid;
mod integer_sine;
mod layer_norm;
mod linear;
mod links;
mod positional_encoding;
mod rbf_kan;
mod relu;
mod relu_kan;
mod rescale;
mod sine;
mod spline_kan;
mod staf;
mod table;
mod trigonometry;
mod wavelet_kan;
mod waves;

use serde::{Deserialize, Serialize};

pub use registry::LayerKind;
pub use relu::ReluInit;
pub use spline_kan::Residual;
pub use staf::StafInit;
pub use wavelet_kan::Wavelet;

use super::layer::{Layer, MOST_OUTPUTS};

// One line, beside that of its module, makes a layer kind known to config files, commands and tests.
layer_kinds! {
    "linear" => linear::Linear,
    "sine" => sine::Sine,
    "gabor" => gabor::Gabor,
    "gabor-filter" => gabor_filter::GaborFilter,
    "integer-sine" => integer_sine::IntegerSine,
    "fourier-kan" => fourier_kan::FourierKan,
    "spline-kan" => spline_kan::SplineKan,
    "factored-kan" => factored_kan::FactoredKan,
    "chebyshev-kan" => chebyshev_kan::ChebyshevKan,
    "rbf-kan" => rbf_kan::RbfKan,
    "relu-kan" => relu_kan::ReluKan,
    "harmonic-kan" => harmonic_kan::HarmonicKan,
    "finer" => finer::Finer,
    "gauss" => gauss::Gauss,
    "gated-tanh" => gated_tanh::GatedTanh,
    "layer-norm" => layer_norm::LayerNorm,
    "relu" => relu::Relu,
    "hash-grid" => hash_grid::HashGrid,
    "grid" => grid::Grid,
    "fourier-features" => fourier_features::FourierFeatures,
    "positional-encoding" => positional_encoding::PositionalEncoding,
    "staf" => staf::Staf,
    "wavelet-kan" => wavelet_kan::WaveletKan,
    "product" => links::Product,
    "skip" => links::Skip,
    "rescale" => rescale::Rescale,
}

/// A factor that changes nothing, for fields that a file leaves out.
fn one() -> f32 {
    1.0
}

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
