//! How a network is run and differentiated.
//!
//! Every engine offers the same two operations on host memory: the loss of a batch with the gradients of all parameters, and
//! plain evaluation. [`TiledEngine`] runs the tile form of the layers on the cores of the CPU; [`BurnEngine`] runs the plain form on any burn
//! device and differentiates in reverse mode; [`Segmented`] runs networks in segments on either. Which one is used is the business of `device` alone.

mod burn;
mod loss;
mod oriented;
mod profile;
mod segmented;
mod tiled;

pub use burn::BurnEngine;
pub use loss::Loss;
pub use profile::Profile;
pub use segmented::Segmented;
pub use tiled::TiledEngine;

use crate::model::{Network, Parameters};

/// Coordinates and targets of some samples, row-major.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// `[n, row_width]` as [`Network::locate`] writes them: for a network in one segment `[n, d_in]`, each in [-1, 1].
    pub coordinates: Vec<f32>,
    /// `[n, d_out]`, each in [-1, 1].
    pub targets: Vec<f32>,
    /// How far a prediction may lie beyond a target of −1 or less or of 1 or more without being wrong, see [`Signal::slack`](crate::signal::Signal::slack).
    pub slack: f32,
    /// `[n, d_in]` for a loss that needs them, else empty: the unit normal of a point on the surface, zeros elsewhere.
    pub normals: Vec<f32>,
}

/// What a training step measures besides the gradients, averaged as the loss is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// The loss.
    pub loss: f64,
    /// The squared error on targets in [-1, 1] with the slack of the batch, whatever the loss is.
    pub mean_squared_error: f64,
}

/// A device failed.
#[derive(Debug, thiserror::Error, PartialEq)]
#[error("the device failed: {0}; try --device cpu")]
pub struct EngineError(pub String);

/// Runs a network forward and backward.
pub trait Engine: Send {
    /// The mean loss over the batch; `gradients` is overwritten with its derivatives.
    ///
    /// # Errors
    /// [`EngineError`] when the device fails.
    fn loss_and_gradients(
        &mut self,
        network: &Network,
        parameters: &Parameters,
        batch: &Batch,
        loss: Loss,
        gradients: &mut Parameters,
    ) -> Result<Measured, EngineError>;

    /// Values `[n, d_out]` at `coordinates`, as those of a [`Batch`].
    ///
    /// # Errors
    /// [`EngineError`] when the device fails.
    fn evaluate(
        &mut self,
        network: &Network,
        parameters: &Parameters,
        coordinates: &[f32],
        values: &mut [f32],
    ) -> Result<(), EngineError>;

    /// Where the time has gone since the last call; none for an engine that cannot tell.
    fn take_profile(&mut self) -> Option<Profile> {
        None
    }
}
