//! What a model reaches over several inputs and seeds.

use serde::{Deserialize, Serialize};

use super::{Caveats, ComparedFit, ComparedInput, ComparedModel};
use crate::metrics::smaller_is_better;
use crate::render::Metrics;
use crate::train::StoppedBy;

/// One model over all inputs of a kind for which every model is finished, so that all means are over the same ones; where these are too few,
/// of the models with the most finished inputs alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparedMean {
    /// The model, as in [`ComparedModel::model`].
    pub model: String,
    /// The kind of the inputs: kinds have other metrics.
    #[serde(default)]
    pub kind: String,
    /// How many inputs the mean is over.
    pub inputs: usize,
    /// Mean of the trained real numbers, which for some models depend a little on the input.
    pub parameters: Option<usize>,
    /// What to know of one of the fits at least; of restorations the most.
    #[serde(flatten)]
    pub caveats: Caveats,
    /// Mean size of the model files, where all are known.
    #[serde(default)]
    pub bytes: Option<usize>,
    /// Mean of the optimizer steps, which depend on the input under a budget of seconds.
    pub steps: Option<u64>,
    /// Mean wall seconds of training.
    pub seconds: Option<f64>,
    /// Mean of [`ComparedFit::running_psnr_db`], where all fits have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_psnr_db: Option<f64>,
    /// Mean of every metric over inputs and seeds.
    pub metrics: Metrics,
    /// Sample standard deviation over the seeds of the means over the inputs, where there are several seeds.
    pub standard_deviation: Option<Metrics>,
    /// Mean over the inputs of the place by the leading metric, 1 for the best; where there are several inputs and models.
    pub rank: Option<f64>,
    /// On how many inputs no other model is better; where there are several inputs and models.
    pub wins: Option<usize>,
}

/// The places of one model among inputs of several kinds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparedRank {
    /// The model, as in [`ComparedModel::model`].
    pub model: String,
    /// How many inputs it has been fitted to, and all models beside it.
    pub inputs: usize,
    /// Mean over the inputs of the place by the leading metric, 1 for the best.
    pub rank: f64,
    /// On how many inputs no other model is better.
    pub wins: usize,
}

/// The means of every model over the inputs of each kind; none for a kind with one input when there is one seed.
pub(super) fn means(inputs: &[ComparedInput], seeds: &[u64]) -> Vec<ComparedMean> {
    let kinds = distinct(inputs.iter().map(|input| input.input.kind()));
    let of_kinds = kinds.into_iter().map(|kind| {
        let inputs = inputs.iter().filter(|input| input.input.kind() == kind);
        means_of_kind(kind, &inputs.collect::<Vec<_>>(), seeds)
    });
    of_kinds.flatten().collect()
}

/// The means over the seeds on one input of every model that has been fitted with all of them; none of a single seed.
pub(super) fn over_seeds(input: &ComparedInput, seeds: &[u64]) -> Vec<ComparedMean> {
    means_of_kind(input.input.kind(), &[input], seeds)
}

/// The places of every model over all inputs; none of inputs of one kind, whose means have them, or of a single model.
pub(super) fn ranks(inputs: &[ComparedInput], seeds: &[u64]) -> Vec<ComparedRank> {
    let has_kinds = |inputs: &[&ComparedInput]| {
        let kinds = distinct(inputs.iter().map(|input| input.input.kind()));
        kinds.len() > 1
    };
    // Filters are of one kind or another.
    let rows = inputs.iter().flat_map(|input| &input.models);
    let fitted = distinct(rows.filter(|row| row.fit.is_some()).map(|row| &*row.model));
    let inputs: Vec<&ComparedInput> = inputs.iter().collect();
    let (names, finished) = comparable(&inputs, fitted, seeds, &has_kinds);
    if names.len() < 2 || !has_kinds(&finished) {
        return Vec::new();
    }
    let of = |model: &&str| {
        let (rank, wins) = rank_and_wins(model, &names, &finished);
        ComparedRank {
            model: (*model).to_string(),
            inputs: finished.len(),
            rank,
            wins,
        }
    };
    names.iter().map(of).collect()
}

/// The mean place of `model` among the models of these `names`, and how many first places it has.
fn rank_and_wins(model: &str, names: &[&str], inputs: &[&ComparedInput]) -> (f64, usize) {
    let places = inputs.iter().map(|input| place(model, names, input));
    let places: Vec<usize> = places.collect();
    let rank = average(places.iter().map(|&place| place as f64));
    (rank, places.iter().filter(|&&place| place == 1).count())
}

/// The models of these `names` that can be compared, and the inputs on which each of them is finished: all models, where these inputs are enough, and
/// otherwise those with the most finished inputs.
fn comparable<'a>(
    inputs: &[&'a ComparedInput],
    mut names: Vec<&'a str>,
    seeds: &[u64],
    is_enough: &dyn Fn(&[&ComparedInput]) -> bool,
) -> (Vec<&'a str>, Vec<&'a ComparedInput>) {
    let with_all = |names: &[&str]| -> Vec<&'a ComparedInput> {
        let inputs = inputs.iter().copied();
        inputs
            .filter(|input| names.iter().all(|name| is_finished(input, name, seeds)))
            .collect()
    };
    let mut finished = with_all(&names);
    if !is_enough(&finished) {
        // A model that lacks a fit does not take the means of the others with it; filters lack none, and are nothing by themselves.
        let is_fitted = |name: &&&str| {
            let mut rows = inputs.iter().flat_map(|input| &input.models);
            rows.any(|row| row.model == **name && row.fit.is_some())
        };
        let fitted = names.iter().filter(is_fitted);
        let most = fitted.map(|name| with_all(&[name]).len()).max();
        names.retain(|name| Some(with_all(&[name]).len()) >= most);
        finished = with_all(&names);
    }
    (names, finished)
}

fn means_of_kind(kind: &str, inputs: &[&ComparedInput], seeds: &[u64]) -> Vec<ComparedMean> {
    let all_rows = inputs.iter().flat_map(|input| &input.models);
    let all_names = distinct(all_rows.map(|row| &*row.model));
    let count = all_names.len();
    let is_enough =
        |inputs: &[&ComparedInput]| !inputs.is_empty() && inputs.len() * seeds.len() > 1;
    let (names, finished) = comparable(inputs, all_names, seeds, &is_enough);
    let rows = || finished.iter().flat_map(|input| &input.models);
    let has_fits = rows().any(|row| row.fit.is_some() && names.contains(&&*row.model));
    // The mean of the one model that several inputs have is compared with nothing.
    let is_alone = names.len() < count && names.len() == 1 && seeds.len() == 1;
    if !is_enough(&finished) || !has_fits || is_alone {
        return Vec::new();
    }
    let mut means: Vec<ComparedMean> = names
        .iter()
        .map(|name| mean(name, kind, &finished))
        .collect();
    if finished.len() > 1 && names.len() > 1 {
        for mean in &mut means {
            let (rank, wins) = rank_and_wins(&mean.model, &names, &finished);
            (mean.rank, mean.wins) = (Some(rank), Some(wins));
        }
    }
    means
}

/// The place of `model` among the models of these `names` on one input: 1 more than the number of those that are better by the mean of the leading metric over
/// the seeds. Who has no value of that metric, as an IoU of nothing, is behind all who have one.
fn place(model: &str, names: &[&str], input: &ComparedInput) -> usize {
    let fullest = input.models.iter().max_by_key(|row| row.metrics.0.len());
    let Some((leading, _)) = fullest.and_then(|row| row.metrics.0.first()) else {
        return 1;
    };
    let value = |name: &str| {
        let rows = input.models.iter().filter(|row| row.model == name);
        average(rows.map(|row| match row.metrics.get(leading) {
            Some(value) if smaller_is_better(leading) => -value,
            Some(value) => value,
            None => f64::NEG_INFINITY,
        }))
    };
    let own = value(model);
    1 + names.iter().filter(|name| value(name) > own).count()
}

/// Every value once, in the order in which they first appear.
pub(crate) fn distinct<'a>(values: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut found = Vec::new();
    for value in values {
        if !found.contains(&value) {
            found.push(value);
        }
    }
    found
}

/// Whether `model` has been fitted to `input` with every seed.
fn is_finished(input: &ComparedInput, model: &str, seeds: &[u64]) -> bool {
    let rows = || input.models.iter().filter(|row| row.model == model);
    let of = |seed| {
        rows().any(|row| match &row.fit {
            None => true,
            Some(fit) => fit.seed == seed && fit.stopped_by != StoppedBy::Interrupt,
        })
    };
    seeds.iter().all(|&seed| of(seed))
}

fn mean(model: &str, kind: &str, inputs: &[&ComparedInput]) -> ComparedMean {
    let rows: Vec<&ComparedModel> = inputs
        .iter()
        .flat_map(|input| input.models.iter().filter(|row| row.model == model))
        .collect();
    let fits = || rows.iter().filter_map(|row| row.fit.as_ref());
    let mut seeds: Vec<u64> = fits().map(|fit| fit.seed).collect();
    seeds.sort_unstable();
    seeds.dedup();
    // Of a filter there is nothing, and nothing of what one fit does not tell.
    let over_fits = |of: &dyn Fn(&ComparedFit) -> Option<f64>| {
        let values: Vec<f64> = fits().map(of).collect::<Option<_>>()?;
        (!values.is_empty()).then(|| average(values.into_iter()))
    };
    let over = |metric: &str, seed: Option<u64>| {
        let rows = rows.iter();
        let rows =
            rows.filter(|row| seed.is_none() || row.fit.as_ref().map(|fit| fit.seed) == seed);
        average(rows.filter_map(|row| row.metrics.get(metric)))
    };
    // Of what all rows have, as a mean over fewer would be of other inputs.
    let in_all = |name: &str| rows.iter().all(|row| row.metrics.get(name).is_some());
    let metrics = |of: &dyn Fn(&str) -> f64| {
        let names = rows[0].metrics.0.iter().filter(|(name, _)| in_all(name));
        Metrics(names.map(|(name, _)| (name.clone(), of(name))).collect())
    };
    ComparedMean {
        model: model.to_string(),
        kind: kind.to_string(),
        inputs: inputs.len(),
        parameters: over_fits(&|fit| Some(fit.parameters as f64)).map(|mean| mean.round() as usize),
        caveats: Caveats {
            off_size: fits().find_map(|fit| fit.caveats.off_size),
            recipe_changes: {
                let changes = fits().flat_map(|fit| &fit.caveats.recipe_changes);
                let changes = distinct(changes.map(String::as_str)).into_iter();
                changes.map(String::from).collect()
            },
            restorations: fits()
                .map(|fit| fit.caveats.restorations)
                .max()
                .unwrap_or_default(),
        },
        bytes: over_fits(&|fit| Some(fit.known_bytes()? as f64)).map(|mean| mean.round() as usize),
        steps: over_fits(&|fit| Some(fit.steps as f64)).map(|mean| mean.round() as u64),
        seconds: over_fits(&|fit| Some(fit.seconds)),
        running_psnr_db: over_fits(&|fit| fit.running_psnr_db),
        metrics: metrics(&|name| over(name, None)),
        standard_deviation: (seeds.len() > 1).then(|| {
            let mut deviations = metrics(&|name| {
                let of_seeds: Vec<f64> = seeds.iter().map(|&seed| over(name, Some(seed))).collect();
                deviation(&of_seeds)
            });
            // Of infinite values there is none.
            deviations.0.retain(|(_, value)| value.is_finite());
            deviations
        }),
        rank: None,
        wins: None,
    }
}

fn average(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    sum / f64::from(count)
}

/// √(Σ (x − mean)² / (n − 1)).
fn deviation(values: &[f64]) -> f64 {
    let mean = average(values.iter().copied());
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (values.len() - 1) as f64).sqrt()
}
