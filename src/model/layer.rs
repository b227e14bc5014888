//! What every layer kind offers.

use std::fmt::Debug;

use burn::tensor::Tensor;
use rand::rngs::StdRng;

use super::parameters::{Parameter, ParameterSpec};
use super::tangents::TangentForm;
use crate::kernels::Buffer;

/// Most outputs of a layer.
pub(super) const MOST_OUTPUTS: usize = 65_536;

/// What a layer may want to know of the signal when a field was left open.
#[derive(Debug, Clone, PartialEq)]
pub struct Hints {
    /// Highest representable frequency of each axis, in cycles over the whole axis.
    pub nyquist: Vec<f32>,
    /// Root-mean-square frequency of each axis, in cycles over the whole axis.
    pub rms_frequency: Vec<f32>,
    /// The smallest and the largest value, of which −1 and 1 are the ends of the file's range.
    pub values: [f32; 2],
}

impl Default for Hints {
    /// Nothing is known.
    fn default() -> Self {
        Self {
            nyquist: vec![],
            rms_frequency: vec![],
            values: [-1.0, 1.0],
        }
    }
}

/// What sizing to a parameter budget changes of a layer, as [`Layer::size`] says and [`Layer::set_size`] sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Its value; 0 when it is left to the signal.
    pub value: usize,
    /// The largest value that is supported.
    pub most: usize,
    /// A network whose widths are multiplied by s has s² times the parameters; to keep its share of them, the layer
    /// multiplies its size by s to this power: 1 for a width, 2 for a number of table entries.
    pub power: i32,
}

impl Size {
    /// Whether it is a number of table entries and not a width.
    pub(super) fn is_table(&self) -> bool {
        self.power > 1
    }
}

/// What a layer reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The output of the layer before it; in the first layer the coordinates.
    Before,
    /// The coordinates, at any place in the network.
    Coordinates,
    /// The output of the layer at this place, from 0.
    Layer(usize),
}

/// Numbers that a layer needs in tile form, besides its input and output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TileMemory {
    /// A row, kept from forward to backward.
    pub tape: usize,
    /// A row, used within backward only.
    pub scratch: usize,
    /// In all: what [`Layer::prepare`] writes.
    pub prepared: usize,
}

/// A tile of rows on its way forward; all slices are row-major.
pub struct TileForward<'a> {
    /// The layer's tensors, in the order of [`Layer::parameters`].
    pub parameters: &'a [Parameter],
    /// What [`Layer::prepare`] made of them.
    pub prepared: &'a [f32],
    /// `[rows, d_in]`
    pub input: &'a [f32],
    /// `[rows, d_out]`, to be written.
    pub output: &'a mut [f32],
    /// `[rows · tape]`, to be written, in any layout.
    pub tape: &'a mut [f32],
    /// Whether a backward pass follows.
    pub keep: bool,
}

/// A tile of rows on its way backward; all slices are row-major.
pub struct TileBackward<'a> {
    /// The layer's tensors, in the order of [`Layer::parameters`].
    pub parameters: &'a [Parameter],
    /// What [`Layer::prepare`] made of them.
    pub prepared: &'a [f32],
    /// `[rows, d_in]`
    pub input: &'a [f32],
    /// `[rows, d_out]`, as the forward pass wrote it.
    pub output: &'a [f32],
    /// What the forward pass kept.
    pub tape: &'a mut [f32],
    /// The gradient of the output `[rows, d_out]`; may be overwritten.
    pub grad_output: &'a mut [f32],
    /// The gradients of the tensors, to be added to; empty for a layer that is [`Scattered`].
    pub gradients: &'a mut [Buffer],
    /// `[rows · record]`, to be written by a layer that is [`Scattered`], empty for the others.
    pub record: &'a mut [f32],
    /// The gradient of the input `[rows, d_in]`, to be written; none for the first layer.
    pub grad_input: Option<&'a mut [f32]>,
    /// `[rows · scratch]` of any content.
    pub scratch: &'a mut [f32],
}

/// One layer: a config record that knows its parameters, its init, its plain form, its derivative rule and its tile form.
pub trait Layer: Debug + Send + Sync {
    /// How many values a row of `d_in` values has after this layer; 0 when it is left to the signal.
    fn d_out(&self, d_in: usize) -> usize;

    /// Sets the number of outputs, for the last layer that of the channels of the signal. A layer whose outputs follow from its
    /// inputs or from other fields has nothing to set.
    fn set_d_out(&mut self, d_out: usize);

    /// What grows with a parameter budget, for a layer with `d_in` inputs: the width, unless the kind says otherwise.
    fn size(&self, d_in: usize) -> Size {
        Size {
            value: self.d_out(d_in),
            most: MOST_OUTPUTS,
            power: 1,
        }
    }

    /// Sets what [`Layer::size`] tells.
    fn set_size(&mut self, size: usize) {
        self.set_d_out(size);
    }

    /// The place of the layer, before this one, whose output the output of this one is multiplied with, number by number.
    fn factor(&self) -> Option<usize> {
        None
    }

    /// Whether its size is a good one; sizing goes on to the next smaller one that is.
    fn is_well_sized(&self, _d_in: usize) -> bool {
        true
    }

    /// What the layer reads; its input `[n, d_in]` is that.
    fn source(&self) -> Source {
        Source::Before
    }

    /// Fills fields that were left to the signal, in a layer with `d_in` inputs.
    fn derive(&mut self, _d_in: usize, _hints: &Hints) {}

    /// Checks the fields; the error is a sentence that starts with the field's name.
    fn check(&self, d_in: usize) -> Result<(), String>;

    /// Names and shapes of the parameter tensors for `d_in` inputs.
    fn parameters(&self, d_in: usize) -> Vec<ParameterSpec>;

    /// Initial values, one vector for each tensor of [`Layer::parameters`].
    fn initialize(&self, d_in: usize, rng: &mut StdRng) -> Vec<Vec<f32>>;

    /// Plain form. `parameters`: each tensor as a matrix (leading axes merged, vectors as `[1, d_out]`); `input`: `[n, d_in]`.
    /// Returns `[n, d_out]`.
    fn forward(&self, parameters: &[Tensor<2>], input: Tensor<2>) -> Tensor<2>;

    /// Derivative rule: carries the value and any number of tangents through the layer, so that losses on derivatives of the
    /// network need one reverse pass only. `tangents`: each `[n, d_in]`, the derivative of `input` along one direction.
    /// Returns the output `[n, d_out]` and its tangents, each `[n, d_out]`.
    fn forward_with_tangents(
        &self,
        parameters: &[Tensor<2>],
        input: Tensor<2>,
        tangents: Vec<Tensor<2>>,
    ) -> (Tensor<2>, Vec<Tensor<2>>);

    /// The tile form of the derivative rule; a kind without one is left to the plain form by losses on derivatives.
    fn tangent_form(&self) -> Option<TangentForm<'_>> {
        None
    }

    /// Multiply-adds of the matrix products that the formula needs for one row, forward.
    fn multiply_adds(&self, d_in: usize) -> usize;

    /// Whether the layer is a sum of functions of one input each, f(x) = b + Σ_i φ_i(x_i): on a grid such a layer need be evaluated on
    /// the axes only.
    fn is_separable(&self) -> bool {
        false
    }

    /// What the tile form needs for `d_in` inputs.
    fn tile_memory(&self, d_in: usize) -> TileMemory;

    /// Tile form, before the first tile: writes what all tiles need of the parameters, for instance in another order, to `prepared`
    /// (of the length that [`Layer::tile_memory`] says).
    fn prepare(&self, _d_in: usize, _parameters: &[Parameter], _prepared: &mut [f32]) {}

    /// Tile form, forward: the same function as [`Layer::forward`] on slices that stay in the cache.
    fn forward_tile(&self, d_in: usize, tile: TileForward);

    /// Tile form, backward.
    fn backward_tile(&self, d_in: usize, tile: TileBackward);

    /// The rest of the tile form, for a layer whose gradient is summed after the last tile.
    fn scattered(&self) -> Option<&dyn Scattered> {
        None
    }
}

/// A layer with one tensor, a table, of which a row needs few numbers only.
///
/// Copies of the table's gradient, one for each part of a batch, would take longer to clear and to add up than the gradient itself. So
/// [`Layer::backward_tile`] keeps a record of every tile instead, and when all are there, [`Scattered::add`] makes the gradient of
/// them, piece by piece. A piece is the work of one thread, which goes through the rows of the batch in their order: no sum depends on the
/// number of threads.
pub trait Scattered: Send + Sync {
    /// Numbers of a row's record, at least 1, for `d_in` inputs.
    fn record(&self, d_in: usize) -> usize;

    /// The lengths of the pieces that the gradient of the tensor is cut into.
    fn pieces(&self, d_in: usize) -> Vec<usize>;

    /// Adds to a piece of the gradient what follows from `records`, one for each tile of a batch, in their order.
    fn add(&self, d_in: usize, piece: usize, records: &[&[f32]], gradient: &mut [f32]);
}
