//! The network: a list of layers, sized and initialised for one signal.
//!
//! A layer kind is one file in [`layers`] that reads from top to bottom: the formula with its source, the config record, the
//! init, the plain form on burn tensors, the derivative rule, and the tile form on slices. A preset is
//! a config file with a list of layers (`configs/`). Parameters live outside the layers, in [`Parameters`], as plain host
//! memory: every engine and every optimizer works on the same numbers.

pub mod file;
mod init;
mod layer;
pub mod layers;
mod network;
mod parameters;
mod sizing;
mod tangents;

pub use layer::{Hints, Layer, Scattered, Size, Source, TileBackward, TileForward, TileMemory};
pub use layers::{LAYER_KINDS, LayerConfig, LayerKind};
pub(crate) use network::value_layer;
pub use network::{LayerSummary, Network, NetworkError};
pub use parameters::{Parameter, ParameterSpec, Parameters};
pub use sizing::{SizeBudget, size_to_budget};
pub use tangents::{Pointwise, TangentForm};
