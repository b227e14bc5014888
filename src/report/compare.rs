//! `compare.json` and the Markdown table of a comparison.

mod means;

use serde::Serialize;

use super::run::{InputReport, RunReport};
use super::table::markdown_table;
use super::{format_count, format_metric};
use crate::render::{Metric, Metrics};
use crate::signal::Reduction;
use crate::train::StoppedBy;

pub use means::ComparedMean;

/// All of `compare.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CompareReport {
    /// What it ran on.
    pub device: String,
    /// How every input was reduced before it was fitted, if it was.
    pub holdout: Option<Reduction>,
    /// The seeds; every model is fitted once with each.
    pub seeds: Vec<u64>,
    /// What was fitted, in the order asked for.
    pub inputs: Vec<ComparedInput>,
    /// Every model over the inputs and seeds, where there are several.
    pub means: Vec<ComparedMean>,
}

/// One input of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparedInput {
    /// What was fitted.
    pub input: InputReport,
    /// The models, in the order asked for; of reduced inputs first the filters.
    pub models: Vec<ComparedModel>,
}

/// One row of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparedModel {
    /// Name of the preset, or of a filter.
    pub model: String,
    /// What a filter has not.
    #[serde(flatten)]
    pub fit: Option<ComparedFit>,
    /// Metrics of the final weights; with [`CompareReport::holdout`] of the full input, and then `fitted_psnr_db` of the reduced one.
    pub metrics: Metrics,
}

/// One fit of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparedFit {
    /// The seed of weights and sample order.
    pub seed: u64,
    /// Trained real numbers.
    pub parameters: usize,
    /// Optimizer steps.
    pub steps: u64,
    /// Steps × batch size.
    pub samples_seen: u64,
    /// Wall seconds of training.
    pub seconds: f64,
    /// What ended the run.
    pub stopped_by: StoppedBy,
    /// The folder of the run, relative to that of the comparison.
    pub folder: String,
}

impl ComparedFit {
    /// The fit that `run` reports, which lies in `folder`.
    pub fn new(run: &RunReport, folder: String) -> Self {
        Self {
            seed: run.seed,
            parameters: run.model.parameters,
            steps: run.training.steps,
            samples_seen: run.training.samples_seen,
            seconds: run.training.seconds,
            stopped_by: run.training.stopped_by,
            folder,
        }
    }
}

impl CompareReport {
    /// Adds a row to an input.
    ///
    /// # Panics
    /// If there is no such input.
    pub fn add(&mut self, input: usize, model: ComparedModel) {
        self.inputs[input].models.push(model);
        self.means = means::means(&self.inputs, &self.seeds);
    }

    /// The comparison as a Markdown table: the rows of every input, then the means.
    pub fn table(&self) -> String {
        let rows: Vec<Row> = self
            .inputs
            .iter()
            .flat_map(|input| input.models.iter().map(|model| Row::new(input, model)))
            .chain(self.means.iter().map(|mean| self.mean_row(mean)))
            .collect();
        let Some(leading) = rows.first().and_then(|row| row.metrics.first()) else {
            return String::new();
        };
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in rows.iter().flat_map(|row| row.metrics) {
            if !names.contains(&&**name) {
                names.push(name);
            }
        }
        let (many, seeded) = (self.inputs.len() > 1, self.seeds.len() > 1);
        let deviation = format!("{} sd", leading.0);

        let mut header = vec!["model", "parameters", "steps", "seconds"];
        if seeded {
            header.insert(1, "seed");
        }
        if many || seeded {
            header.insert(0, "input");
        }
        for name in &names {
            header.push(name);
            if seeded && *name == leading.0 {
                header.push(&deviation);
            }
        }
        let cells = rows
            .iter()
            .map(|row| {
                let cell = |name: &str| match name {
                    "input" => row.input.clone(),
                    "model" => row.model.to_string(),
                    "seed" => cell(row.seed, |seed| seed.to_string()),
                    "parameters" => cell(row.parameters, |count| format_count(count as u64)),
                    "steps" => cell(row.steps, format_count),
                    "seconds" => cell(row.seconds, |seconds| format!("{seconds:.1}")),
                    name if name == deviation => cell(row.deviation, |value| format!("{value:.3}")),
                    name => cell(find(row.metrics, name), |value| format_metric(name, value)),
                };
                header.iter().map(|name| cell(name)).collect()
            })
            .collect::<Vec<Vec<String>>>();
        let words = if many || seeded { 2 } else { 1 };
        markdown_table(&header, &cells, words)
    }

    fn mean_row<'a>(&self, mean: &'a ComparedMean) -> Row<'a> {
        Row {
            // Of a comparison that was cut short, or in which a run failed.
            input: match mean.inputs == self.inputs.len() {
                true => "mean".into(),
                false => format!("mean of {}", mean.inputs),
            },
            model: &mean.model,
            seed: None,
            parameters: mean.parameters,
            steps: mean.steps,
            seconds: mean.seconds,
            metrics: &mean.metrics.0,
            deviation: mean
                .standard_deviation
                .as_ref()
                .and_then(|metrics| metrics.0.first())
                .map(|(_, value)| *value),
        }
    }
}

/// What one line of the table shows; what is not known is a dash.
struct Row<'a> {
    input: String,
    model: &'a str,
    seed: Option<u64>,
    parameters: Option<usize>,
    steps: Option<u64>,
    seconds: Option<f64>,
    metrics: &'a [Metric],
    /// Of the leading metric, over the seeds.
    deviation: Option<f64>,
}

impl<'a> Row<'a> {
    fn new(input: &ComparedInput, model: &'a ComparedModel) -> Self {
        let fit = model.fit.as_ref();
        Self {
            input: input.input.name(),
            model: &model.model,
            seed: fit.map(|fit| fit.seed),
            parameters: fit.map(|fit| fit.parameters),
            steps: fit.map(|fit| fit.steps),
            seconds: fit.map(|fit| fit.seconds),
            metrics: &model.metrics.0,
            deviation: None,
        }
    }
}

fn find(metrics: &[Metric], name: &str) -> Option<f64> {
    metrics.iter().find(|(n, _)| n == name).map(|(_, v)| *v)
}

fn cell<T>(value: Option<T>, text: impl Fn(T) -> String) -> String {
    value.map_or("-".into(), text)
}
