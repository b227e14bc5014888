//! `product` and `skip`: layers that read the output of an earlier layer and have nothing to train.
//!
//! `product`: y = x ⊙ o, where o is the output of an earlier layer: the modulation of SL²A (Heidari et al. 2025, eq. 8), and the multiplication of a
//! multiplicative filter network (Fathony et al. 2021). Derivative: dy = dx ⊙ o + x ⊙ do.
//! `skip`: y = o, or the coordinates once more; what the layer before it gives is left to others. Derivative: dy = do.
//!
//! Shapes: x, o, y `[n, d_in]`. They name the other layer alone ([`Layer::factor`], [`Layer::source`]); whoever runs the network has that layer's output, and
//! multiplies or passes it on, so that by itself such a layer gives what it reads.

use burn::tensor::Tensor;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::super::layer::{Layer, Source, TileBackward, TileForward, TileMemory};
use super::super::parameters::ParameterSpec;

/// The product with the output of an earlier layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// The place of the other layer in the list, from 0; it must come before and have as many outputs as this one has inputs.
    pub of: usize,
}

/// The output of an earlier layer, or the coordinates, once more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skip {
    /// The place of the other layer in the list, from 0, which must come before; none are the coordinates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<usize>,
}

impl Product {
    pub(in super::super) const SUMMARY: &'static str = "x times the output of an earlier layer";

    pub(in super::super) fn examples() -> Vec<Self> {
        vec![Self { of: 0 }]
    }
}

impl Skip {
    pub(in super::super) const SUMMARY: &'static str =
        "the output of an earlier layer, or the coordinates, once more";

    pub(in super::super) fn examples() -> Vec<Self> {
        vec![Self { of: Some(0) }, Self { of: None }]
    }
}

/// Makes a kind a layer that passes on what it reads; `$names` says what else the network has to do.
macro_rules! link {
    ($kind:ident, $names:item) => {
        impl Layer for $kind {
            $names

            fn d_out(&self, d_in: usize) -> usize {
                d_in
            }

            fn set_d_out(&mut self, _d_out: usize) {}

            fn check(&self, _d_in: usize) -> Result<(), String> {
                Ok(())
            }

            fn parameters(&self, _d_in: usize) -> Vec<ParameterSpec> {
                vec![]
            }

            fn initialize(&self, _d_in: usize, _rng: &mut StdRng) -> Vec<Vec<f32>> {
                vec![]
            }

            fn forward(&self, _parameters: &[Tensor<2>], input: Tensor<2>) -> Tensor<2> {
                input
            }

            fn forward_with_tangents(
                &self,
                _parameters: &[Tensor<2>],
                input: Tensor<2>,
                tangents: Vec<Tensor<2>>,
            ) -> (Tensor<2>, Vec<Tensor<2>>) {
                (input, tangents)
            }

            /// There is no matrix product.
            fn multiply_adds(&self, _d_in: usize) -> usize {
                0
            }

            fn tile_memory(&self, _d_in: usize) -> TileMemory {
                TileMemory::default()
            }

            fn forward_tile(&self, _d_in: usize, tile: TileForward) {
                tile.output.copy_from_slice(tile.input);
            }

            fn backward_tile(&self, _d_in: usize, tile: TileBackward) {
                if let Some(grad_input) = tile.grad_input {
                    grad_input.copy_from_slice(tile.grad_output);
                }
            }
        }
    };
}

link!(
    Product,
    fn factor(&self) -> Option<usize> {
        Some(self.of)
    }
);

link!(
    Skip,
    fn source(&self) -> Source {
        self.of.map_or(Source::Coordinates, Source::Layer)
    }
);
