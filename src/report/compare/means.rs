//! What a model reaches over several inputs and seeds.

use serde::Serialize;

use super::{ComparedInput, ComparedModel};
use crate::render::Metrics;
use crate::train::StoppedBy;

/// One model over all inputs for which every model is finished, so that all means are over the same ones.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparedMean {
    /// Name of the preset, or of a filter.
    pub model: String,
    /// How many inputs the mean is over.
    pub inputs: usize,
    /// Trained real numbers, where they are the same for every input.
    pub parameters: Option<usize>,
    /// Optimizer steps, where they are the same for every input.
    pub steps: Option<u64>,
    /// Mean wall seconds of training.
    pub seconds: Option<f64>,
    /// Mean of every metric over inputs and seeds.
    pub metrics: Metrics,
    /// Sample standard deviation over the seeds of the means over the inputs, where there are several seeds.
    pub standard_deviation: Option<Metrics>,
}

/// The means of every model; none when there is only one input and one seed.
pub(super) fn means(inputs: &[ComparedInput], seeds: &[u64]) -> Vec<ComparedMean> {
    let mut names: Vec<&str> = Vec::new();
    for row in inputs.iter().flat_map(|input| &input.models) {
        if !names.contains(&&*row.model) {
            names.push(&row.model);
        }
    }
    let finished: Vec<&ComparedInput> = inputs
        .iter()
        .filter(|input| names.iter().all(|name| is_finished(input, name, seeds)))
        .collect();
    if finished.is_empty() || finished.len() * seeds.len() < 2 {
        return Vec::new();
    }
    names.iter().map(|name| mean(name, &finished)).collect()
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

fn mean(model: &str, inputs: &[&ComparedInput]) -> ComparedMean {
    let rows: Vec<&ComparedModel> = inputs
        .iter()
        .flat_map(|input| input.models.iter().filter(|row| row.model == model))
        .collect();
    let fits = || rows.iter().filter_map(|row| row.fit.as_ref());
    let mut seeds: Vec<u64> = fits().map(|fit| fit.seed).collect();
    seeds.sort_unstable();
    seeds.dedup();
    let over = |metric: usize, seed: Option<u64>| {
        average(
            rows.iter()
                .filter(|row| seed.is_none() || row.fit.as_ref().map(|fit| fit.seed) == seed)
                .map(|row| row.metrics.0[metric].1),
        )
    };
    let metrics = |of: &dyn Fn(usize) -> f64| {
        let names = rows[0].metrics.0.iter().enumerate();
        Metrics(names.map(|(i, (name, _))| (name.clone(), of(i))).collect())
    };
    ComparedMean {
        model: model.to_string(),
        inputs: inputs.len(),
        parameters: same(fits().map(|fit| fit.parameters)),
        steps: same(fits().map(|fit| fit.steps)),
        seconds: fits()
            .next()
            .map(|_| average(fits().map(|fit| fit.seconds))),
        metrics: metrics(&|i| over(i, None)),
        standard_deviation: (seeds.len() > 1).then(|| {
            metrics(&|i| {
                let of_seeds: Vec<f64> = seeds.iter().map(|&seed| over(i, Some(seed))).collect();
                deviation(&of_seeds)
            })
        }),
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

/// The value that all have in common.
fn same<T: PartialEq>(mut values: impl Iterator<Item = T>) -> Option<T> {
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}
