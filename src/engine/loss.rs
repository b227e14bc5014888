//! The distance between prediction and target that training makes small.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// A loss, averaged over all numbers of a batch, or over its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Loss {
    /// Mean squared error: what PSNR measures.
    #[default]
    Mse,
    /// Mean absolute error: less led by outliers.
    L1,
    /// That of SIREN for points with normals (Sitzmann et al. 2020, eq. 6): the value of a network with one output, and the direction and length of its
    /// gradient, averaged over the rows; needs [`Batch::normals`](super::Batch::normals).
    Oriented,
}

/// prediction − target, and less by up to `slack` beyond a target of −1 or 1, all `[n, d_out]`: the plain form of
/// [`difference`](crate::kernels::loss::difference).
pub(super) fn difference(prediction: Tensor<2>, target: Tensor<2>, slack: f32) -> Tensor<2> {
    let difference = prediction - target.clone();
    if slack == 0.0 {
        return difference;
    }
    let is_above = difference.clone().greater_elem(0.0);
    let is_above = is_above.bool_and(target.clone().greater_equal_elem(1.0));
    let is_below = difference.clone().lower_elem(0.0);
    let is_below = is_below.bool_and(target.lower_equal_elem(-1.0));
    let less = difference.clone().sub_scalar(slack).clamp_min(0.0);
    let more = difference.clone().add_scalar(slack).clamp_max(0.0);
    difference
        .mask_where(is_above, less)
        .mask_where(is_below, more)
}

impl Loss {
    /// Whether it needs [`Batch::normals`](super::Batch::normals) and the gradient of a network with one output.
    pub fn needs_normals(self) -> bool {
        self == Self::Oriented
    }

    /// Sum over all numbers of a [`difference`], `[n, d_out]`.
    pub(super) fn sum(self, difference: Tensor<2>) -> Tensor<1> {
        match self {
            Self::Mse => (difference.clone() * difference).sum(),
            Self::L1 => difference.abs().sum(),
            Self::Oriented => {
                unreachable!("the loss of points with normals is not one of differences")
            }
        }
    }
}
