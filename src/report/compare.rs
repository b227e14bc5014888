//! `compare.json`; its tables are made of the same records.

mod means;
mod tables;

pub(in crate::report) use tables::RUNNING;

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::run::{InputReport, RunReport};
use crate::render::Metrics;
use crate::signal::{self, Reduction};
use crate::train::StoppedBy;

pub(crate) use means::distinct;
pub use means::{ComparedMean, ComparedRank};

/// All of `compare.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CompareReport {
    /// The command that made it; empty in files of earlier versions, and for runs that are compared afterwards.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub command: String,
    /// What it ran on.
    pub device: String,
    /// Whose recipe all models were trained by without having it in their names, where it is not ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
    /// How every input was reduced before it was fitted, if it was.
    pub holdout: Option<Reduction>,
    /// The seeds; every model is fitted once with each.
    pub seeds: Vec<u64>,
    /// What was fitted, in the order asked for.
    pub inputs: Vec<ComparedInput>,
    /// Every model over the inputs of each kind and the seeds, where there are several.
    pub means: Vec<ComparedMean>,
    /// The places of every model among inputs of several kinds, which no mean of a metric can have in common.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranks: Vec<ComparedRank>,
}

/// One input of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparedInput {
    /// What was fitted.
    pub input: InputReport,
    /// The models, in the order asked for; of reduced inputs first the filters.
    pub models: Vec<ComparedModel>,
    /// Every model over the seeds, where there are several inputs of the kind and several seeds, with all of which each model has been fitted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub means: Vec<ComparedMean>,
    /// The fits that failed, which have no row among the models.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<ComparedFailure>,
}

/// A fit that failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparedFailure {
    /// The model, as in [`ComparedModel::model`].
    pub model: String,
    /// Whose recipe it was, where it is not ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
    /// The seed of weights and sample order.
    pub seed: u64,
    /// The folder that the run would have, relative to that of the comparison.
    pub folder: String,
    /// Why, in words.
    pub reason: String,
}

/// One row of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparedModel {
    /// The model as it was asked for, `siren` or `siren:paper`, with its folder behind it where runs of several places are told apart; or the name
    /// of a filter.
    pub model: String,
    /// What a filter has not.
    #[serde(flatten)]
    pub fit: Option<ComparedFit>,
    /// Metrics of the final weights; with [`CompareReport::holdout`] of the full input, and then `fitted_psnr_db` of the reduced one.
    pub metrics: Metrics,
}

/// One fit of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparedFit {
    /// The seed of weights and sample order.
    pub seed: u64,
    /// Whose recipe trained it, where it is not ours; None in files of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
    /// What was learnt of the distances of a shape.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Value>,
    /// Trained real numbers.
    pub parameters: usize,
    /// What to know of it before its figures are compared.
    #[serde(flatten)]
    pub caveats: Caveats,
    /// Size of the model file; 0 in files of earlier versions.
    #[serde(default)]
    pub bytes: usize,
    /// Optimizer steps.
    pub steps: u64,
    /// Steps × batch size.
    pub samples_seen: u64,
    /// Wall seconds of training.
    pub seconds: f64,
    /// The PSNR in dB of the last batches of what was fitted, each before its step, which is what most authors quote; of a shape that of its distances. None
    /// in files of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_psnr_db: Option<f64>,
    /// What ended the run.
    pub stopped_by: StoppedBy,
    /// The folder of the run, relative to that of the comparison.
    pub folder: String,
}

/// What makes a fit another one than its name says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Caveats {
    /// That it has noticeably more or fewer parameters than were asked for, which the model cannot have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub off_size: Option<OffSize>,
    /// What was changed of a recipe of others: see [`TrainingReport::recipe_changes`](super::TrainingReport::recipe_changes).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipe_changes: Vec<String>,
    /// How often its training exploded and went on from an earlier state with halved learning rates.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub restorations: u32,
}

// Serde hands out a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Caveats {
    /// Said behind the name of the model.
    fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        remarks.extend(self.off_size.map(|off_size| off_size.remark().to_string()));
        match self.restorations {
            0 => (),
            1 => remarks.push("rates halved".into()),
            times => remarks.push(format!("rates halved {times} times")),
        }
        if !self.recipe_changes.is_empty() {
            remarks.push(format!("other {}", self.recipe_changes.join(" and ")));
        }
        remarks
    }

    /// The same as one text.
    pub fn remark(&self) -> Option<String> {
        Some(self.remarks().join(", ")).filter(|text| !text.is_empty())
    }
}

/// How a model that could not be sized as asked differs from that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OffSize {
    /// It has more parameters.
    Larger,
    /// It has fewer.
    Smaller,
}

impl OffSize {
    /// Its name in the files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Larger => "larger",
            Self::Smaller => "smaller",
        }
    }

    fn remark(self) -> &'static str {
        match self {
            Self::Larger => "larger than asked",
            Self::Smaller => "smaller than asked",
        }
    }
}

impl ComparedFailure {
    /// Said behind the name of the model, and instead of what ended the fit.
    pub const REMARK: &'static str = "failed";
}

impl ComparedFit {
    /// The fit that `run` reports, which lies in `folder`.
    pub fn new(run: &RunReport, folder: String) -> Self {
        Self {
            seed: run.seed,
            recipe: run.training.recipe.clone(),
            target: run.input.layout.get("target").cloned(),
            parameters: run.model.parameters,
            caveats: Caveats {
                off_size: None,
                recipe_changes: run.training.recipe_changes.clone(),
                restorations: run.training.restorations,
            },
            bytes: run.model.bytes,
            steps: run.training.steps,
            samples_seen: run.training.samples_seen,
            seconds: run.training.seconds,
            running_psnr_db: run.training.curve.last().map(|last| last.running_psnr_db),
            stopped_by: run.training.stopped_by,
            folder,
        }
    }

    /// Size of the model file, where the file that told it was not of an earlier version.
    pub fn known_bytes(&self) -> Option<usize> {
        Some(self.bytes).filter(|&bytes| bytes > 0)
    }

    /// Said behind the name of the model: that the fit was interrupted, and what else to know of it.
    pub fn remark(&self) -> Option<String> {
        let interrupted = match self.stopped_by {
            StoppedBy::Interrupt => Some("interrupted".to_string()),
            _ => None,
        };
        let remarks = interrupted.into_iter().chain(self.caveats.remarks());
        Some(remarks.collect::<Vec<_>>().join(", ")).filter(|text| !text.is_empty())
    }

    /// The folders of all fits in the bytes of a `compare.json`.
    ///
    /// # Errors
    /// What is wrong with them, in words.
    pub fn folders(compare_json: &[u8]) -> Result<Vec<String>, String> {
        let value: Value = serde_json::from_slice(compare_json).map_err(|e| e.to_string())?;
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let rows = list(&value["inputs"]).into_iter();
        let rows = rows.flat_map(|input| list(&input["models"]));
        let folders = rows.filter_map(|row| row["folder"].as_str().map(String::from));
        Ok(folders.collect())
    }
}

impl CompareReport {
    /// Makes `models` the rows of an input.
    ///
    /// # Panics
    /// If there is no such input.
    pub fn set(&mut self, input: usize, models: Vec<ComparedModel>) {
        self.inputs[input].models = models;
        self.take_means();
    }

    /// Makes all means of the rows of the models; a file of an earlier version may have none of single inputs.
    pub fn take_means(&mut self) {
        let kinds = self.inputs.iter().map(|input| input.input.kind());
        let kinds: Vec<String> = kinds.map(String::from).collect();
        for (input, kind) in self.inputs.iter_mut().zip(&kinds) {
            // Of a single input they are the means of its kind.
            input.means = match kinds.iter().filter(|other| *other == kind).count() {
                1 => Vec::new(),
                _ => means::over_seeds(input, &self.seeds),
            };
        }
        self.means = means::means(&self.inputs, &self.seeds);
        self.ranks = means::ranks(&self.inputs, &self.seeds);
    }

    /// What to call the inputs: see [`signal::names`].
    pub fn names(&self) -> Vec<String> {
        let paths = self.inputs.iter().map(|input| &input.input.path);
        signal::names(paths.map(Path::new))
    }

    /// A sentence on every fit that failed.
    pub fn failures(&self) -> Vec<String> {
        let failures = self.inputs.iter().flat_map(|input| &input.failures);
        failures
            .map(|failure| format!("{}: {}", failure.folder, failure.reason))
            .collect()
    }

    /// Adds a row to an input.
    ///
    /// # Panics
    /// If there is no such input.
    pub fn add(&mut self, input: usize, model: ComparedModel) {
        self.inputs[input].models.push(model);
        self.take_means();
    }
}

#[cfg(test)]
mod tests;
