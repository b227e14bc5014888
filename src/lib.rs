//! Fits implicit neural representations, small networks f: coordinate → value, to signals, keeps the network as the signal, and
//! renders it at any resolution.
//!
//! The way of the data: [`signal`] decodes a file into samples with coordinates in [-1, 1]; [`config`] resolves a recipe and builds a
//! [`model`], a list of layers; [`train`] draws batches, asks an [`engine`] for loss and gradients, and steps an optimizer;
//! [`render`] evaluates the finished network on any grid and measures it with [`metrics`]; [`report`] turns results into bytes.
//! [`device`] chooses what computes, [`kernels`] holds the arithmetic of the CPU, and [`cli`] puts the commands on top.
//!
//! ```
//! use inr::engine::{Engine, TiledEngine};
//! use inr::model::{Hints, LayerConfig, Network};
//!
//! // A SIREN from (x, y) to grey: one sine layer and a linear one, written as in a config file.
//! let layers: Vec<LayerConfig> = serde_json::from_str(
//!     r#"[{"kind": "sine", "width": 16, "first": true}, {"kind": "linear", "omega_0": 30.0}]"#,
//! )?;
//! let network = Network::new(layers, 2, 1, &Hints::default())?;
//! let parameters = network.initialize(0);
//! assert_eq!(parameters.count(), (2 * 16 + 16) + (16 + 1));
//!
//! // Its value at the centre of the picture and at a corner.
//! let mut values = [0.0; 2];
//! TiledEngine::default().evaluate(&network, &parameters, &[0.0, 0.0, -1.0, -1.0], &mut values)?;
//! assert!(values.iter().all(|v| v.is_finite()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// burn's tensor types nest deeply.
#![recursion_limit = "256"]
#![deny(unsafe_code)]

pub mod cli;
pub mod config;
pub mod device;
pub mod engine;
#[allow(unsafe_code)]
pub mod kernels;
pub mod metrics;
pub mod model;
pub mod render;
pub mod report;
pub mod signal;
pub mod train;
