//! The trained numbers of a network, in host memory.

use rayon::prelude::*;

/// The name and shape of one parameter tensor.
///
/// Of a matrix the last axis is the output and the axis before it the input. A rank-3 tensor `[s, d_in, d_out]` is a stack of `s` matrices
/// (one for each basis function, or the real and imaginary part); an optimizer for matrices treats each slice by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterSpec {
    /// Name within the layer, for instance `weight`.
    pub name: &'static str,
    /// Rank 1 (bias), 2 (matrix) or 3 (stack of matrices).
    pub shape: Vec<usize>,
    /// Whether it is a list of independent rows, functions, waves or biases and never multiplied as a matrix, whatever its shape.
    pub is_list: bool,
}

impl ParameterSpec {
    /// A parameter tensor called `name` of the given `shape`.
    pub fn new(name: &'static str, shape: &[usize]) -> Self {
        Self {
            name,
            shape: shape.to_vec(),
            is_list: shape.len() < 2,
        }
    }

    /// A tensor called `name` that is no matrix, see [`Self::is_list`].
    pub fn list(name: &'static str, shape: &[usize]) -> Self {
        Self {
            is_list: true,
            ..Self::new(name, shape)
        }
    }

    /// How many numbers it holds; of a damaged file, which may claim any, at most what a `usize` holds.
    pub fn count(&self) -> usize {
        let sides = self.shape.iter().copied();
        sides.fold(1, usize::saturating_mul)
    }
}

/// One parameter tensor with its values.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parameter {
    /// Unique name in the network, for instance `layers.1.weight`, or `segments.0.layers.1.weight` where there are several segments.
    pub name: String,
    /// Index of the layer that owns it.
    pub layer: usize,
    /// See [`ParameterSpec::shape`].
    pub shape: Vec<usize>,
    /// See [`ParameterSpec::is_list`].
    pub is_list: bool,
    /// Row-major values.
    pub values: Vec<f32>,
}

impl Parameter {
    /// Rows and columns of the tensor seen as one matrix `[product of the leading axes, d_out]`; a vector is `[1, d_out]`.
    pub fn matrix_shape(&self) -> [usize; 2] {
        let columns = *self
            .shape
            .last()
            .expect("a parameter has at least one axis");
        [self.values.len() / columns.max(1), columns]
    }
}

/// All parameter tensors of a network, in the order of its layers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parameters {
    /// The tensors, segment by segment and layer by layer.
    pub tensors: Vec<Parameter>,
}

impl Parameters {
    /// How many real numbers are trained; a complex weight counts two.
    pub fn count(&self) -> usize {
        self.tensors.iter().map(|p| p.values.len()).sum()
    }

    /// The same tensors filled with zeros: a buffer for gradients.
    pub fn zeros_like(&self) -> Self {
        let mut zeros = self.clone();
        zeros.fill(0.0);
        zeros
    }

    /// Sets every number to `value`.
    pub fn fill(&mut self, value: f32) {
        for parameter in &mut self.tensors {
            parameter.values.fill(value);
        }
    }

    /// Whether every number is finite.
    pub fn is_finite(&self) -> bool {
        /// Numbers that one thread looks at before it may stop, in a loop that vectorises.
        const AT_ONCE: usize = 1 << 14;
        let is_finite = |values: &[f32]| values.iter().fold(true, |all, v| all & v.is_finite());
        self.tensors
            .iter()
            .all(|p| p.values.par_chunks(AT_ONCE).all(is_finite))
    }
}
