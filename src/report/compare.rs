//! `compare.json` and the Markdown table of a comparison.

use serde::Serialize;

use super::run::InputReport;
use super::table::markdown_table;
use super::{format_count, format_metric};
use crate::render::Metrics;
use crate::train::StoppedBy;

/// One model of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparedModel {
    /// Name of the preset.
    pub model: String,
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
    /// Metrics of the final weights.
    pub metrics: Metrics,
    /// The folder of the run, relative to that of the comparison.
    pub folder: String,
}

/// All of `compare.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CompareReport {
    /// What was fitted.
    pub input: InputReport,
    /// What it ran on.
    pub device: String,
    /// The seed of every run.
    pub seed: u64,
    /// The models, in the order asked for.
    pub models: Vec<ComparedModel>,
}

impl CompareReport {
    /// The comparison as a Markdown table.
    pub fn table(&self) -> String {
        let Some(first) = self.models.first() else {
            return String::new();
        };
        let mut header = vec!["model", "parameters", "steps", "seconds"];
        header.extend(first.metrics.0.iter().map(|(name, _)| *name));
        let rows = self
            .models
            .iter()
            .map(|m| {
                let mut row = vec![
                    m.model.clone(),
                    format_count(m.parameters as u64),
                    format_count(m.steps),
                    format!("{:.1}", m.seconds),
                ];
                row.extend(
                    m.metrics
                        .0
                        .iter()
                        .map(|(name, value)| format_metric(name, *value)),
                );
                row
            })
            .collect::<Vec<_>>();
        markdown_table(&header, &rows)
    }
}
