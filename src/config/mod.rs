//! The recipe of a run: preset < purpose < file < flags, checked as a whole before any work.
//!
//! Every source is a TOML table. Flags are short forms of `path = value` pairs, so that `--steps 500` and
//! `--set training.steps=500` are the same thing and there is one place where tables meet.

mod draft;
mod preset;
mod purpose;
mod quantity;
mod recipe;
mod resolve;
mod table;

pub use draft::CUSTOM;
pub use preset::{About, DEFAULT_PRESET, Family, PRESETS, Preset};
pub use purpose::{DEFAULT_PURPOSE, DEFAULT_RECIPE};
pub use quantity::{parse_count, parse_seconds};
pub use recipe::{ModelRecipe, Recipe, TrainingRecipe, is_end};
pub use resolve::{Request, Resolved, SAME_SIZE, SignalFacts, check, resolve};
pub use table::nearest;

use std::path::PathBuf;

use crate::model::NetworkError;

/// Why a recipe cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The config file cannot be read.
    #[error("cannot read the config file {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The config file is not TOML.
    #[error("{path} is not valid TOML: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, column and reason.
        message: String,
    },
    /// There is no preset of that name.
    #[error("there is no model called {name:?}; inr models lists them: {known}{suggestion}")]
    UnknownModel {
        /// What was asked for.
        name: String,
        /// The nearest name, as the end of a sentence, or nothing.
        suggestion: String,
        /// All names.
        known: String,
    },
    /// A field is unknown, of the wrong type or out of range.
    #[error("{0}")]
    Field(String),
    /// The layers do not form a network.
    #[error(transparent)]
    Network(#[from] NetworkError),
}
