//! Who takes part in a comparison: models, each by a recipe, resolved for a signal.

use std::collections::{BTreeMap, BTreeSet};

use super::super::CliError;
use super::super::session::model;
use super::{Compare, SizeMatch};
use crate::config::{
    DEFAULT_PURPOSE, DEFAULT_RECIPE, PRESETS, Preset, Request, Resolved, SignalFacts, check,
    is_end, nearest, resolve,
};
use crate::signal::Signal;

/// Parameters of every model of a comparison without `--params`, or as many as the signal has samples if that is less.
const DEFAULT_PARAMETERS: usize = 200_000;

/// Optimizer steps of every model of a comparison without `--steps` and `--time`.
const DEFAULT_STEPS: i64 = 1000;

/// A model, and whose recipe trains it where it was named with one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Contender {
    model: String,
    /// What stands behind a colon.
    recipe: Option<String>,
}

/// Everybody that `--models` names.
pub(super) struct Contenders {
    pub all: Vec<Contender>,
    /// The members of groups that have not the recipe asked for, and are left out.
    pub left_out: Vec<Contender>,
}

/// One fit to come.
pub(super) struct Entry {
    pub contender: Contender,
    pub seed: u64,
    pub resolved: Resolved,
}

impl Contender {
    fn new(name: &str) -> Self {
        let (model, recipe) = match name.trim().split_once(':') {
            Some((model, DEFAULT_RECIPE)) => (model, None),
            Some((model, recipe)) => (model, Some(recipe.to_string())),
            None => (name.trim(), None),
        };
        Self {
            model: model.to_string(),
            recipe,
        }
    }

    /// How it was named: `siren`, or `siren:paper`.
    pub fn name(&self) -> String {
        self.joined(':')
    }

    /// The folder of its run.
    pub fn folder(&self) -> String {
        self.joined('-')
    }

    fn joined(&self, mark: char) -> String {
        match &self.recipe {
            Some(recipe) => format!("{}{mark}{recipe}", self.model),
            None => self.model.clone(),
        }
    }
}

impl Compare {
    /// Models and groups as they were named.
    ///
    /// # Errors
    /// [`CliError::Usage`] when recipes are named twice over, or a model is, or there is no such model or, for a group, no such recipe.
    pub(super) fn named(&self) -> Result<Vec<Contender>, CliError> {
        let with_recipe = self.models.iter().find(|name| name.contains(':'));
        if let (Some(name), Some(recipe)) = (with_recipe, &self.flags.recipe) {
            return Err(CliError::Usage(format!(
                "--models {name} and --recipe {recipe} both name a recipe; give one of them"
            )));
        }
        let named: Vec<Contender> = self
            .models
            .iter()
            .map(|name| Contender::new(name))
            .collect();
        let presets = PRESETS.iter().map(|preset| preset.name);
        let names: Vec<&str> = Preset::groups().chain(presets).collect();
        for contender in &named {
            check_known("model or group", &contender.model, &names)?;
            let recipe = contender.recipe.as_ref().or(self.flags.recipe.as_ref());
            if let (Some(recipe), Some(_)) = (recipe, Preset::group(&contender.model)) {
                check_recipe_of_group(recipe)?;
            }
        }
        let is_model = |contender: &&Contender| Preset::group(&contender.model).is_none();
        let models: Vec<&Contender> = named.iter().filter(is_model).collect();
        match twice(&models) {
            Some(contender) => Err(CliError::Usage(format!(
                "--models names {} twice",
                contender.name()
            ))),
            None => Ok(named),
        }
    }

    /// The models asked for, with every group replaced by those of it that are not named themselves and have the recipe asked for, on a kind of signals.
    ///
    /// # Errors
    /// Those of [`Compare::named`], and [`CliError::Usage`] when none is left.
    pub(super) fn contenders(&self, kind: &str) -> Result<Contenders, CliError> {
        let named = self.named()?;
        let (mut all, mut left_out): (Vec<Contender>, Vec<Contender>) = Default::default();
        for contender in &named {
            let Some(group) = Preset::group(&contender.model) else {
                all.push(contender.clone());
                continue;
            };
            let recipe = contender.recipe.as_ref().or(self.flags.recipe.as_ref());
            for preset in group {
                let member = Contender {
                    model: preset.name.to_string(),
                    recipe: contender.recipe.clone(),
                };
                if named
                    .iter()
                    .chain(&all)
                    .chain(&left_out)
                    .any(|known| *known == member)
                {
                    continue;
                }
                match recipe.is_none_or(|recipe| preset.has_recipe(recipe, kind)) {
                    true => all.push(member),
                    false => left_out.push(member),
                }
            }
        }
        if all.is_empty() {
            return Err(CliError::Usage(format!(
                "no model of --models {} has the recipe asked for on {kind}s",
                self.models.join(",")
            )));
        }
        Ok(Contenders { all, left_out })
    }

    /// What a contender is asked for, but its seed.
    fn request(&self, contender: &Contender) -> Result<Request, CliError> {
        let request = self.flags.request()?;
        Ok(Request {
            model: Some(contender.model.clone()),
            recipe: contender.recipe.clone().or(request.recipe.clone()),
            ..request
        })
    }

    /// The size that the models have in common, and the budget, where no flag gives them.
    fn share(&self, request: &mut Request, samples: usize) -> Result<(), CliError> {
        let gives = |request: &Request, wanted: &dyn Fn(&str) -> bool| {
            request.settings.iter().any(|(path, _)| wanted(path))
        };
        let has_size = gives(request, &|path| path == "model.parameters");
        match self.size_match.unwrap_or(SizeMatch::Params) {
            SizeMatch::None if has_size => {
                return Err(CliError::Usage(
                    "--match none leaves every model its own size; leave --params out, or --match"
                        .into(),
                ));
            }
            SizeMatch::Params | SizeMatch::Bytes if !has_size => {
                let parameters = DEFAULT_PARAMETERS.min(samples.max(1));
                request.set("model.parameters", parameters as i64);
            }
            _ => (),
        }
        if !gives(request, &is_end) {
            request.set("training.steps", DEFAULT_STEPS);
        }
        Ok(())
    }

    /// Every contender with every seed.
    pub(super) fn resolve(
        &self,
        signal: &dyn Signal,
        seeds: &[u32],
    ) -> Result<Vec<Entry>, CliError> {
        let contenders = self.contenders(signal.layout().kind())?.all;
        if let Some(seed) = twice(seeds) {
            return Err(CliError::Usage(format!("--seeds names {seed} twice")));
        }
        let mut requests = Vec::new();
        for contender in &contenders {
            requests.push(self.request(contender)?);
        }
        let wants_match = matches!(self.size_match, Some(SizeMatch::Params | SizeMatch::Bytes));
        if wants_match && requests.iter().all(has_own_size) {
            return Err(CliError::Usage(
                "--match params and bytes do not go with --for or --recipe, or a recipe behind a colon, which give every model the size that it needs; leave --match out"
                    .into(),
            ));
        }
        for request in &mut requests {
            if !has_own_size(request) {
                self.share(request, signal.samples())?;
            }
            check(request, signal.layout().kind())?;
        }
        let facts = SignalFacts::of(signal);
        let seeds: Vec<Option<u32>> = match seeds {
            [] => vec![None],
            seeds => seeds.iter().copied().map(Some).collect(),
        };
        let mut entries = Vec::new();
        for (contender, request) in contenders.iter().zip(&requests) {
            for seed in &seeds {
                let mut request = request.clone();
                if let Some(seed) = *seed {
                    request.set("training.seed", i64::from(seed));
                }
                let mut resolved = resolve(&request, &facts)?;
                if self.size_match == Some(SizeMatch::Bytes)
                    && let Some(asked) = resolved.asked
                {
                    let beside = beside_weights(&resolved, signal);
                    let parameters = asked.saturating_sub(beside / size_of::<f32>());
                    request.set("model.parameters", parameters.max(1) as i64);
                    resolved = resolve(&request, &facts)?;
                }
                entries.push(Entry {
                    contender: contender.clone(),
                    seed: resolved.recipe.training.seed,
                    resolved,
                });
            }
        }
        Ok(entries)
    }
}

/// Checks that some model has a recipe of this name.
fn check_recipe_of_group(recipe: &str) -> Result<(), CliError> {
    let recipes = PRESETS.iter().map(Preset::recipes);
    let recipes: BTreeSet<String> = recipes.flat_map(BTreeMap::into_keys).collect();
    let known = std::iter::once(DEFAULT_RECIPE).chain(recipes.iter().map(String::as_str));
    check_known("recipe", recipe, &known.collect::<Vec<_>>())
}

/// Checks that a name in --models is one of those that there are.
fn check_known(noun: &str, name: &str, known: &[&str]) -> Result<(), CliError> {
    if known.contains(&name) {
        return Ok(());
    }
    let suggestion = nearest(name, known.iter().copied());
    Err(CliError::Usage(format!(
        "--models: there is no {noun} called {name:?}; there are {}{}",
        known.join(", "),
        suggestion.map_or_else(String::new, |s| format!("; did you mean {s:?}?"))
    )))
}

/// Models for a purpose, or with the recipes of their authors, have the sizes and budgets that these need.
fn has_own_size(request: &Request) -> bool {
    let is_default =
        |choice: &Option<String>, default: &str| choice.as_deref().unwrap_or(default) == default;
    !is_default(&request.purpose, DEFAULT_PURPOSE) || !is_default(&request.recipe, DEFAULT_RECIPE)
}

/// The bytes of a model file beside the weights.
fn beside_weights(resolved: &Resolved, signal: &dyn Signal) -> usize {
    let network = &resolved.network;
    let weights = network.initialize(resolved.recipe.training.seed);
    let bytes = model(resolved, &signal.layout(), weights).to_bytes().len();
    bytes - network.parameter_count() * size_of::<f32>()
}

/// A value that is there twice, whose results would overwrite each other.
fn twice<T: PartialEq>(values: &[T]) -> Option<&T> {
    let (_, value) = values
        .iter()
        .enumerate()
        .find(|(index, value)| values[..*index].contains(value))?;
    Some(value)
}
