//! The distance between prediction and target that training makes small.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// A loss, averaged over all numbers of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Loss {
    /// Mean squared error: what PSNR measures.
    #[default]
    Mse,
    /// Mean absolute error: less led by outliers.
    L1,
    /// Points with normals, the gradient of the network among them: see [`Batch::normals`](super::Batch::normals).
    Oriented,
}

/// `prediction` moved back by `slack` where it lies beyond a `target` of −1 or 1, but not past it, all `[n, d_out]`: the plain form of
/// [`forgive`](crate::kernels::loss::forgive).
pub(super) fn forgiven(prediction: Tensor<2>, target: &Tensor<2>, slack: f32) -> Tensor<2> {
    let above = prediction.clone().greater(target.clone());
    let below = prediction.clone().lower(target.clone());
    let above = above.bool_and(target.clone().greater_equal_elem(1.0));
    let below = below.bool_and(target.clone().lower_equal_elem(-1.0));
    let from_above = prediction
        .clone()
        .sub_scalar(slack)
        .max_pair(target.clone());
    let from_below = prediction
        .clone()
        .add_scalar(slack)
        .min_pair(target.clone());
    let prediction = prediction.mask_where(above, from_above);
    prediction.mask_where(below, from_below)
}

impl Loss {
    /// Whether it needs [`Batch::normals`](super::Batch::normals) and the gradient of a network with one output.
    pub fn needs_normals(self) -> bool {
        self == Self::Oriented
    }

    /// Sum over all numbers of `difference` = prediction − target, `[n, d_out]`.
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
