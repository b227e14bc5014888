//! The named models: one commented config file each, in `configs/`, built into the program.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ConfigError;
use super::purpose::{DEFAULT_RECIPE, Purposes, USUAL_KIND};
use super::table::nearest;

/// The preset of `inr fit` without `--model`.
pub const DEFAULT_PRESET: &str = "hash-kan";

/// The families of networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Learnable functions of one number on the edges, or on the nodes, of the network.
    Kan,
    /// Matrices between activations that all units of a layer share, with or without an encoding of the coordinates.
    Classical,
    /// Features trained where they lie, on grids, and interpolated; a small network may read them.
    Local,
}

impl Family {
    /// Every family, in the order of listings.
    pub const ALL: [Self; 3] = [Self::Kan, Self::Classical, Self::Local];

    /// Its name in `[about]`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kan => "kan",
            Self::Classical => "classical",
            Self::Local => "local",
        }
    }

    /// What its networks have in common.
    pub fn summary(self) -> &'static str {
        match self {
            Self::Kan => "learnable functions of one number on the edges of the network",
            Self::Classical => "matrices between activations that the units of a layer share",
            Self::Local => "features trained where they lie, on grids, and interpolated",
        }
    }
}

/// What `inr models` says of a preset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// Which kind of network it is.
    pub family: Family,
    /// What it is.
    pub summary: String,
    /// When to use it.
    pub when: String,
    /// Where it comes from.
    pub paper: String,
    /// What is not as others have it, for each kind of signals and each of the recipes for it that are named after them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub deviations: BTreeMap<String, BTreeMap<String, String>>,
}

/// A named model with the recipe that suits it.
#[derive(Debug, Clone, Copy)]
pub struct Preset {
    /// The value of `--model`.
    pub name: &'static str,
    /// The config file.
    pub toml: &'static str,
}

macro_rules! presets {
    ($($name:literal),* $(,)?) => {
        /// Every preset.
        pub const PRESETS: &[Preset] = &[
            $(Preset { name: $name, toml: include_str!(concat!("../../configs/", $name, ".toml")) },)*
        ];
    };
}

// One line and one file in configs/ make a preset known to commands and tests.
presets![
    "fourier-kan",
    "spline-kan",
    "fkan",
    "sl2a",
    "gkan",
    "chebyshev-kan",
    "rbf-kan",
    "relu-kan",
    "wav-kan",
    "siren",
    "wire",
    "finer",
    "gauss",
    "staf",
    "mfn-gabor",
    "bacon",
    "relu-ff",
    "pe",
    "relu",
    "hash-grid",
    "hash-kan",
    "grid",
];

impl Preset {
    /// The group of every preset.
    const ALL: &str = "all";

    /// The preset called `name`.
    ///
    /// # Errors
    /// [`ConfigError::UnknownModel`] with the nearest name.
    pub fn find(name: &str) -> Result<&'static Self, ConfigError> {
        let names = || PRESETS.iter().map(|p| p.name);
        PRESETS
            .iter()
            .find(|p| p.name == name)
            .ok_or_else(|| ConfigError::UnknownModel {
                name: name.to_string(),
                suggestion: nearest(name, names())
                    .map(|n| format!("; did you mean {n:?}?"))
                    .unwrap_or_default(),
                known: names().collect::<Vec<_>>().join(", "),
            })
    }

    /// What [`Self::group`] knows.
    pub fn groups() -> impl Iterator<Item = &'static str> {
        std::iter::once(Self::ALL).chain(Family::ALL.into_iter().map(Family::name))
    }

    /// The presets that a name stands for in a comparison: `all`, or the name of a family; none for any other name.
    pub fn group(name: &str) -> Option<Vec<&'static Self>> {
        let family = Family::ALL.into_iter().find(|family| family.name() == name);
        match (name, family) {
            (Self::ALL, _) => Some(PRESETS.iter().collect()),
            (_, Some(family)) => {
                let presets = PRESETS.iter();
                Some(
                    presets
                        .filter(|preset| preset.about().family == family)
                        .collect(),
                )
            }
            _ => None,
        }
    }

    /// The recipes of others that it has, each with the kinds of signals that it is for.
    pub fn recipes(&self) -> BTreeMap<String, Vec<String>> {
        let mut recipes = BTreeMap::<String, Vec<String>>::new();
        let table = self.table();
        let kinds = table.get(Purposes::RECIPE).and_then(toml::Value::as_table);
        for (kind, named) in kinds.into_iter().flatten() {
            for name in named.as_table().into_iter().flat_map(toml::Table::keys) {
                recipes.entry(name.clone()).or_default().push(kind.clone());
            }
        }
        recipes
    }

    /// Whether it has a recipe of that name that is followed on a kind of signals; all have ours.
    pub fn has_recipe(&self, name: &str, kind: &str) -> bool {
        let is_followed = |kinds: &Vec<String>| kinds.iter().any(|k| k == kind || k == USUAL_KIND);
        name == DEFAULT_RECIPE || self.recipes().get(name).is_some_and(is_followed)
    }

    /// What is not as others have it in their `recipe`, followed on a kind of signals.
    pub fn deviations(&self, recipe: &str, kind: &str) -> Option<String> {
        let deviations = self.about().deviations;
        let on = |kind| deviations.get(kind).and_then(|on| on.get(recipe).cloned());
        let is_own = self.recipes().get(recipe)?.iter().any(|k| k == kind);
        on(if is_own { kind } else { USUAL_KIND })
    }

    /// The config file as a table, without what is said about it.
    pub(super) fn table(&self) -> toml::Table {
        let mut table: toml::Table = self.toml.parse().expect("a built-in preset is valid TOML");
        table.remove("about");
        table
    }

    /// What is said about it.
    pub fn about(&self) -> About {
        let table: toml::Table = self.toml.parse().expect("a built-in preset is valid TOML");
        let about = table
            .get("about")
            .cloned()
            .expect("a built-in preset has [about]");
        about
            .try_into()
            .expect("[about] has family, summary, when and paper")
    }
}
