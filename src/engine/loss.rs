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
