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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report::RunReport;
    use crate::signal::ReducedBy;

    fn fit(model: &str, seed: u64, psnr_db: f64, stopped_by: StoppedBy) -> ComparedModel {
        ComparedModel {
            model: model.into(),
            fit: Some(ComparedFit {
                seed,
                parameters: 1200,
                steps: 30,
                samples_seen: 300,
                seconds: psnr_db / 10.0,
                stopped_by,
                folder: model.into(),
            }),
            metrics: Metrics(vec![("psnr_db".into(), psnr_db), ("ssim".into(), 0.5)]),
        }
    }

    fn comparison(inputs: &[&str], seeds: &[u64]) -> CompareReport {
        let inputs = inputs.iter().map(|path| ComparedInput {
            input: serde_json::from_value(json!({ "path": path })).unwrap(),
            models: Vec::new(),
        });
        CompareReport {
            device: "cpu".into(),
            holdout: None,
            seeds: seeds.into(),
            inputs: inputs.collect(),
            means: Vec::new(),
        }
    }

    #[test]
    fn means_are_over_the_inputs_that_every_model_has() {
        let mut report = comparison(&["x/a.png", "b.png", "c.png"], &[0, 1]);
        report.holdout = Some(Reduction::new(2, ReducedBy::Area).unwrap());
        let filter = ComparedModel {
            fit: None,
            ..fit("bicubic", 0, 25.0, StoppedBy::Steps)
        };
        for (input, psnr_db) in [(0, [20.0, 21.0]), (1, [30.0, 34.0])] {
            report.add(input, filter.clone());
            for (seed, psnr_db) in psnr_db.into_iter().enumerate() {
                report.add(input, fit("siren", seed as u64, psnr_db, StoppedBy::Steps));
            }
        }
        report.add(2, filter);
        report.add(2, fit("siren", 0, 40.0, StoppedBy::Steps));
        report.add(2, fit("siren", 1, 90.0, StoppedBy::Interrupt));
        // Seed 0 has the mean 25 and seed 1 27.5, whose deviation is 2.5 / √2.
        let expected = "\
| input     | model   | seed | parameters | steps | seconds | psnr_db | psnr_db sd |   ssim |
| --------- | ------- | ---: | ---------: | ----: | ------: | ------: | ---------: | -----: |
| a         | bicubic |    - |          - |     - |       - |   25.00 |          - | 0.5000 |
| a         | siren   |    0 |      1,200 |    30 |     2.0 |   20.00 |          - | 0.5000 |
| a         | siren   |    1 |      1,200 |    30 |     2.1 |   21.00 |          - | 0.5000 |
| b         | bicubic |    - |          - |     - |       - |   25.00 |          - | 0.5000 |
| b         | siren   |    0 |      1,200 |    30 |     3.0 |   30.00 |          - | 0.5000 |
| b         | siren   |    1 |      1,200 |    30 |     3.4 |   34.00 |          - | 0.5000 |
| c         | bicubic |    - |          - |     - |       - |   25.00 |          - | 0.5000 |
| c         | siren   |    0 |      1,200 |    30 |     4.0 |   40.00 |          - | 0.5000 |
| c         | siren   |    1 |      1,200 |    30 |     9.0 |   90.00 |          - | 0.5000 |
| mean of 2 | bicubic |    - |          - |     - |       - |   25.00 |          - | 0.5000 |
| mean of 2 | siren   |    - |      1,200 |    30 |     2.6 |   26.25 |      1.768 | 0.5000 |
";
        assert_eq!(report.table(), expected);
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["holdout"], json!({ "factor": 2, "by": "area" }));
        let row = json!({ "model": "bicubic", "metrics": { "psnr_db": 25.0, "ssim": 0.5 } });
        assert_eq!(json["inputs"][0]["models"][0], row);
    }

    #[test]
    fn one_input_and_one_seed_have_no_mean() {
        let mut report = comparison(&["a.png"], &[0]);
        assert_eq!(report.table(), "");
        report.add(0, fit("siren", 0, 20.0, StoppedBy::Steps));
        assert!(report.means.is_empty());
        assert!(report.table().starts_with("| model | parameters |"));
        assert_eq!(report.table().lines().count(), 3);
    }

    #[test]
    fn a_report_is_read_back_as_it_was_written() {
        let curve = json!([{ "step": 3, "seconds": 0.1, "loss": 0.3, "running_psnr_db": 11.1 }]);
        let text = json!({
            "input": { "path": "a.exr", "kind": "image", "range": [0.1_f32, 7.0] },
            "model": { "name": "siren", "parameters": 12, "bytes": 99, "layers": [] },
            "device": "cpu",
            "seed": 3,
            "training": {
                "steps": 3, "batch_size": 4, "samples_seen": 12, "seconds": 0.1, "optimizer": "adam",
                "stopped_by": "time", "restorations": 0, "curve": curve,
            },
            "metrics": { "psnr_db": null, "ssim": 1.0 },
            "files": ["report.json"],
        });
        let report: RunReport = serde_json::from_value(text.clone()).unwrap();
        // JSON has no infinity.
        assert_eq!(report.metrics.get("psnr_db"), Some(f64::INFINITY));
        assert_eq!(serde_json::to_value(&report).unwrap(), text);
        let again = serde_json::from_str(&crate::report::to_json(&report)).unwrap();
        assert_eq!(report, again);
    }
}
