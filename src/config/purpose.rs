//! What a model is for, what it is fitted to and whose recipe it follows: settings that a config file keeps in its tables `[for]`, `[on]` and
//! `[recipe]`, the last with a table for each kind of signals, as lists of `path=value` pairs.
//!
//! ```toml
//! [on]
//! sound = ["model.layers.0.frequencies=1024"]
//!
//! [for]
//! upsampling = ["training.footprint=area", "training.steps=800"]
//!
//! [recipe.image]
//! paper = ["training.optimizer.kind=adam", "training.optimizer.learning_rate=1e-4"]
//! ```

use std::collections::BTreeMap;
use std::path::Path;

use toml::{Table, Value};

use super::ConfigError;
use super::recipe::{ENDS, is_end};
use super::table::{nearest, parse_pair, set};
use crate::signal::Layout;

/// The purpose that every model has and that changes nothing.
pub const DEFAULT_PURPOSE: &str = "fidelity";

/// The recipe that every model has and that changes nothing.
pub const DEFAULT_RECIPE: &str = "ours";

/// The kind of signals whose recipes are followed on those that authors say nothing of.
pub(super) const USUAL_KIND: &str = "image";

/// The settings of one config file for every purpose, kind of signal or recipe that it names.
#[derive(Debug, Clone)]
pub(super) struct Purposes {
    /// The name of the table.
    table: &'static str,
    settings: Settings,
}

/// Lists of settings by name.
type Settings = BTreeMap<String, Vec<String>>;

impl Purposes {
    /// The table of purposes.
    pub const FOR: &'static str = "for";
    /// The table of kinds of signals.
    pub const ON: &'static str = "on";
    /// The table of recipes of others.
    pub const RECIPE: &'static str = "recipe";

    /// Takes the table called `name` out of that of a config file.
    ///
    /// # Errors
    /// [`ConfigError::Field`] when it is anything but lists of texts.
    pub fn take(name: &'static str, table: &mut Table) -> Result<Self, ConfigError> {
        let settings = match table.remove(name) {
            None => Settings::new(),
            Some(value) => value.try_into().map_err(|_| {
                ConfigError::Field(format!(
                    "[{name}] must hold lists of settings, for instance upsampling = [\"training.footprint=area\"]"
                ))
            })?,
        };
        if name == Self::ON {
            check_kinds(name, settings.keys())?;
        }
        Ok(Self {
            table: name,
            settings,
        })
    }

    /// Takes the recipes of others on a kind of signals out of the table of a config file: those for it, and those for pictures that have no
    /// counterpart there.
    ///
    /// # Errors
    /// [`ConfigError::Field`] when they are anything but lists of texts for each kind.
    pub fn take_recipes(kind: &str, table: &mut Table) -> Result<Self, ConfigError> {
        let name = Self::RECIPE;
        let mut kinds: BTreeMap<String, Settings> = match table.remove(name) {
            None => BTreeMap::new(),
            Some(value) => value.try_into().map_err(|_| {
                ConfigError::Field(format!(
                    "[{name}] must hold tables for kinds of signals, for instance [{name}.{USUAL_KIND}] with paper = [\"training.steps=5000\"]"
                ))
            })?,
        };
        check_kinds(name, kinds.keys())?;
        let own = kinds.remove(kind).unwrap_or_default();
        let mut settings = kinds.remove(USUAL_KIND).unwrap_or_default();
        settings.extend(own);
        Ok(Self {
            table: name,
            settings,
        })
    }

    /// Sets in `table` what there is for a purpose, on a kind of signals, or in a recipe.
    ///
    /// # Errors
    /// [`ConfigError::Field`] with the setting that is at fault.
    pub fn apply(&self, purpose: &str, table: &mut Table) -> Result<(), ConfigError> {
        let settings = || self.settings.get(purpose).into_iter().flatten();
        let names_an_end = settings().any(|setting| {
            let (path, _) = setting.split_once('=').unwrap_or_default();
            is_end(path.trim())
        });
        if let Some(Value::Table(training)) = table.get_mut("training")
            && names_an_end
        {
            ENDS.iter().for_each(|end| drop(training.remove(*end)));
        }
        for setting in settings() {
            let field = |e| ConfigError::Field(format!("{}.{purpose}: {e}", self.table));
            let (path, value) = parse_pair(setting).map_err(field)?;
            set(table, &path, value).map_err(field)?;
        }
        Ok(())
    }

    /// Checks that `recipe`, a whole one that is laid over them, trains as they have it for a purpose, but for the length of the training and for
    /// what `flags` set. `source`: the file with the recipe.
    ///
    /// # Errors
    /// [`ConfigError::Field`] with the first setting that it has otherwise.
    pub fn check_kept(
        &self,
        purpose: &str,
        recipe: &Table,
        source: &Path,
        flags: &[(String, Value)],
    ) -> Result<(), ConfigError> {
        for setting in self.settings.get(purpose).into_iter().flatten() {
            let (path, value) = parse_pair(setting).map_err(ConfigError::Field)?;
            let is_set = flags.iter().any(|(flag, _)| {
                let rest = path.strip_prefix(flag.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            });
            let Some(field) = path.strip_prefix("training.") else {
                continue;
            };
            // That of a signal of few samples is smaller.
            let is_length = is_end(&path) || field == "batch_size";
            let mut fields = field.split('.');
            let training = recipe.get("training");
            let own = training.and_then(|t| fields.try_fold(t, |value, field| value.get(field)));
            if let Some(own) = own
                && !is_length
                && !is_set
                && !is_same(own, &value)
            {
                let (flag, source) = (self.table, source.display());
                return Err(ConfigError::Field(format!(
                    "--{flag} {purpose} sets {path} to {value}, and {source}, a whole recipe, has {own}; leave --{flag} out, or start another run without that recipe"
                )));
            }
        }
        Ok(())
    }

    /// Whether there is something under `purpose`.
    pub fn has(&self, purpose: &str) -> bool {
        self.settings.contains_key(purpose)
    }

    /// Whether one of the config files has something under `wanted`, or it is the `default`, which needs nothing.
    ///
    /// # Errors
    /// [`ConfigError::Field`] that says what there is for the model called `name`.
    pub fn check(
        all: [&Self; 2],
        wanted: &str,
        default: &str,
        name: &str,
    ) -> Result<(), ConfigError> {
        let named = all
            .into_iter()
            .flat_map(|purposes| purposes.settings.keys());
        let mut known = vec![default];
        for name in named {
            if !known.contains(&name.as_str()) {
                known.push(name);
            }
        }
        if known.contains(&wanted) {
            return Ok(());
        }
        let flag = all[0].table;
        let noun = if flag == Self::FOR { "purpose" } else { flag };
        let suggestion = nearest(wanted, known.iter().copied());
        Err(ConfigError::Field(format!(
            "--{flag} {wanted}: {name} has no such {noun}; it has: {}{}",
            known.join(", "),
            suggestion.map_or_else(String::new, |s| format!("; did you mean {s:?}?"))
        )))
    }
}

/// Checks that what the table called `table` has is for kinds that there are.
fn check_kinds<'a>(
    table: &str,
    kinds: impl Iterator<Item = &'a String>,
) -> Result<(), ConfigError> {
    for kind in kinds {
        if !Layout::KINDS.contains(&kind.as_str()) {
            return Err(ConfigError::Field(format!(
                "[{table}] has {kind:?}, which is no kind of signals; the kinds are {}",
                Layout::KINDS.join(", ")
            )));
        }
    }
    Ok(())
}

/// Whether two values are equal, or equal numbers of which one is whole.
fn is_same(one: &Value, other: &Value) -> bool {
    let number = |value: &Value| {
        let whole = value.as_integer().map(|integer| integer as f64);
        value.as_float().or(whole)
    };
    match (number(one), number(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}
