//! What a model is for: settings that a config file keeps in its table `[for]`, as lists of `path=value` pairs.
//!
//! ```toml
//! [for]
//! upsampling = ["training.footprint=area", "training.steps=800"]
//! ```

use std::collections::BTreeMap;

use toml::Table;

use super::ConfigError;
use super::table::{nearest, parse_pair, set};

/// The purpose that every model has and that changes nothing.
pub const DEFAULT_PURPOSE: &str = "fidelity";

/// The settings of one config file for every purpose that it names.
#[derive(Debug, Clone, Default)]
pub(super) struct Purposes(BTreeMap<String, Vec<String>>);

impl Purposes {
    /// Takes `[for]` out of the table of a config file.
    ///
    /// # Errors
    /// [`ConfigError::Field`] when it is anything but lists of texts.
    pub fn take(table: &mut Table) -> Result<Self, ConfigError> {
        let Some(value) = table.remove("for") else {
            return Ok(Self::default());
        };
        value.try_into().map(Self).map_err(|_| {
            ConfigError::Field(
                "[for] must hold lists of settings, for instance upsampling = [\"training.footprint=area\"]".into(),
            )
        })
    }

    /// Sets in `table` what there is for `purpose`.
    ///
    /// # Errors
    /// [`ConfigError::Field`] with the setting that is at fault.
    pub fn apply(&self, purpose: &str, table: &mut Table) -> Result<(), ConfigError> {
        for setting in self.0.get(purpose).into_iter().flatten() {
            let field = |e| ConfigError::Field(format!("for.{purpose}: {e}"));
            let (path, value) = parse_pair(setting).map_err(field)?;
            set(table, &path, value).map_err(field)?;
        }
        Ok(())
    }

    /// Whether one of the config files has something for `purpose`.
    ///
    /// # Errors
    /// [`ConfigError::Field`] that says what there is for the model called `name`.
    pub fn check(all: [&Self; 2], purpose: &str, name: &str) -> Result<(), ConfigError> {
        let named = all.into_iter().flat_map(|purposes| purposes.0.keys());
        let mut known = vec![DEFAULT_PURPOSE];
        known.extend(named.map(String::as_str));
        if known.contains(&purpose) {
            return Ok(());
        }
        known.dedup();
        let suggestion = nearest(purpose, known.iter().copied());
        Err(ConfigError::Field(format!(
            "--for {purpose}: {name} has no such purpose{}; it has: {}",
            suggestion.map_or_else(String::new, |s| format!(", did you mean {s:?}?")),
            known.join(", ")
        )))
    }
}
