//! The tile form of the derivative rule: what a layer must tell so that its value, its tangents and the gradients of both can be
//! computed on slices.
//!
//! A layer that is y = a(F(x) W + b), with functions F of each input and a of each sum, needs F and a with their first two
//! derivatives and nothing else, for with ẋ a tangent of x, ⊙ the product by element, z = F(x) W + b and ż = (F'(x) ⊙ ẋ) W,
//!
//! ```text
//! ẏ = a'(z) ⊙ ż
//! ```
//!
//! and with g the gradient of y and ġ that of ẏ (Griewank and Walther 2008, §5.4, second order by forward over reverse):
//!
//! ```text
//! of ż:  h' = a'(z) ⊙ ġ                        of z:  h = a'(z) ⊙ g + a''(z) ⊙ ż ⊙ ġ
//! of W:  F(x)ᵀ h + (F'(x) ⊙ ẋ)ᵀ h'             of b:  h summed over the rows
//! of ẋ:  F'(x) ⊙ h' Wᵀ                         of x:  F'(x) ⊙ h Wᵀ + F''(x) ⊙ ẋ ⊙ h' Wᵀ
//! ```

use std::fmt::Debug;

use super::parameters::Parameter;

/// Functions of one number, applied to every number of a tile.
pub trait Pointwise: Debug + Send + Sync {
    /// M, how many functions there are.
    fn functions(&self) -> usize;

    /// Writes the values, the first and the second derivatives of all functions at `x` `[rows, d]`.
    ///
    /// Each of the three is `[rows, M·d]`; function m of input i is in column m·d + i. `parameters`: the tensors of the layer, for functions
    /// that are trained.
    fn jet(&self, parameters: &[Parameter], x: &[f32], d: usize, jet: [&mut [f32]; 3]);

    /// Adds the gradients of the tensors that make up the functions themselves to `gradients`, one for each tensor of the layer.
    ///
    /// `grad`: the gradients of the values and of the first derivatives, both `[rows, M·d]`.
    fn backward(&self, _x: &[f32], _d: usize, _grad: [&[f32]; 2], _gradients: &mut [Vec<f32>]) {}
}

/// A layer as y = a(F(x) W + b).
#[derive(Debug, Clone, Copy)]
pub struct TangentForm<'a> {
    /// F; none is x itself.
    pub before: Option<&'a dyn Pointwise>,
    /// Which of the layer's tensors make up W, one below the other: all rows `[M·d_in, d_out]`.
    pub weights: &'a [usize],
    /// Which tensor is b; without one it is zero.
    pub bias: Option<usize>,
    /// a, one function; none leaves the sum as it is.
    pub after: Option<&'a dyn Pointwise>,
}

impl TangentForm<'static> {
    /// y = x W + b with the weight in tensor 0 and the bias in tensor 1.
    pub const AFFINE: Self = Self {
        before: None,
        weights: &[0],
        bias: Some(1),
        after: None,
    };
}
