//! Runs that lie in several folders and comparisons, as one comparison.

use std::path::{Path, PathBuf};

use super::super::CliError;
use super::super::folder;
#[cfg(doc)]
use super::super::folder::FolderError;
use super::gather::{parse, read};
use crate::report::{
    CompareReport, ComparedFailure, ComparedFit, ComparedInput, ComparedModel, InputReport,
    RunReport, distinct,
};

/// Runs that lie in several places.
#[derive(Default)]
pub(super) struct Found {
    runs: Vec<FoundRun>,
    /// The fits of comparisons that failed, and what was to be fitted.
    failures: Vec<(InputReport, ComparedFailure)>,
    /// Whose recipe each folder followed.
    recipes: Vec<Option<String>>,
}

struct FoundRun {
    folder: PathBuf,
    /// The same, however it is named.
    place: PathBuf,
    /// What tells it from runs of the same model that lie elsewhere: its folder, or that of its comparison and the model.
    label: String,
    recipe: Option<toml::Table>,
    report: RunReport,
}

impl FoundRun {
    /// Whether it is another fit of the same model to the same input, and not one with another seed alone.
    fn is_other(&self, other: &Self) -> bool {
        self.label != other.label
            && self.report.input.path == other.report.input.path
            && self.report.model.name == other.report.model.name
            && (self.report.seed == other.report.seed || self.recipe != other.recipe)
    }
}

impl Found {
    /// All runs in the folders, and in the comparisons among them.
    ///
    /// # Errors
    /// [`CliError::Usage`] when one has none, or is a comparison that measured other than its runs did; [`FolderError::Damaged`].
    pub fn in_folders(folders: &[PathBuf]) -> Result<Self, CliError> {
        let mut found = Self::default();
        for folder in folders {
            found.look_into(folder)?;
        }
        Ok(found)
    }

    /// Adds the run in a folder, or those of the comparison there; each once.
    fn look_into(&mut self, folder: &Path) -> Result<(), CliError> {
        let path = folder.join(folder::COMPARE);
        let Some(bytes) = read(&path)? else {
            let known = self.runs.len();
            self.add(folder, None)?;
            let new = self.runs[known..].iter();
            let recipes = new.map(|run| run.report.training.recipe.clone());
            self.recipes.extend(recipes);
            return Ok(());
        };
        let name = folder.display();
        let report: CompareReport = parse(&path, &bytes)?;
        if report.holdout.is_some() {
            return Err(CliError::Usage(format!(
                "{name} is a comparison with --holdout, whose figures are not those of its runs; give it alone"
            )));
        }
        self.recipes.push(report.recipe);
        let mut is_empty = true;
        for input in report.inputs {
            for fit in input.models.iter().filter_map(|model| model.fit.as_ref()) {
                self.add(&folder.join(&fit.folder), Some(folder))?;
                is_empty = false;
            }
            for mut failure in input.failures {
                failure.folder = folder.join(failure.folder).display().to_string();
                let is_same = |(_, known): &(_, ComparedFailure)| known.folder == failure.folder;
                if !self.failures.iter().any(is_same) {
                    self.failures.push((input.input.clone(), failure));
                }
            }
        }
        match is_empty {
            true => Err(CliError::Usage(format!(
                "{name} is a comparison without a finished run"
            ))),
            false => Ok(()),
        }
    }

    fn add(&mut self, folder: &Path, comparison: Option<&Path>) -> Result<(), CliError> {
        let path = folder.join(folder::REPORT);
        let Some(bytes) = read(&path)? else {
            return Err(CliError::Usage(match comparison {
                Some(comparison) => format!(
                    "{} lists a run in {}, which is not there; make the comparison again, or give the folders of its other runs",
                    comparison.display(),
                    folder.display()
                ),
                None => nothing(folder),
            }));
        };
        let place = folder.canonicalize().unwrap_or_else(|_| folder.into());
        if self.runs.iter().any(|run| run.place == place) {
            return Ok(());
        }
        let report: RunReport = parse(&path, &bytes)?;
        let label = match comparison {
            Some(comparison) => comparison.join(&report.model.name),
            None => folder.into(),
        };
        self.runs.push(FoundRun {
            folder: folder.into(),
            place,
            label: label.display().to_string(),
            recipe: recipe_but_seed(folder),
            report,
        });
        Ok(())
    }

    /// All of them as one comparison; models that several places fitted differently to an input go by their labels.
    pub fn as_comparison(&self) -> CompareReport {
        let reports = self.runs.iter().map(|run| &run.report);
        let mut seeds = Vec::new();
        for report in reports.clone() {
            if !seeds.contains(&report.seed) {
                seeds.push(report.seed);
            }
        }
        let mut report = CompareReport {
            command: String::new(),
            device: distinct(reports.map(|report| &*report.device)).join("; "),
            recipe: match &self.recipes[..] {
                [first, others @ ..] if others.iter().all(|other| other == first) => first.clone(),
                _ => None,
            },
            holdout: None,
            seeds,
            inputs: Vec::new(),
            means: Vec::new(),
            ranks: Vec::new(),
        };
        let mut clashing: Vec<&str> = Vec::new();
        for run in &self.runs {
            if self.runs.iter().any(|other| run.is_other(other)) {
                clashing.push(&run.label);
            }
        }
        for run in &self.runs {
            let model = match clashing.contains(&&*run.label) {
                false => run.report.model.name.clone(),
                true => run.label.clone(),
            };
            let fit = ComparedFit::new(&run.report, run.folder.display().to_string());
            let input = index_of(&mut report, &run.report.input);
            report.add(
                input,
                ComparedModel {
                    model,
                    fit: Some(fit),
                    metrics: run.report.metrics.clone(),
                },
            );
        }
        for (input, failure) in &self.failures {
            let input = index_of(&mut report, input);
            report.inputs[input].failures.push(failure.clone());
        }
        report
    }
}

/// The index of an input in a comparison, to which it is added if it is new.
fn index_of(report: &mut CompareReport, input: &InputReport) -> usize {
    let mut known = report.inputs.iter();
    if let Some(index) = known.position(|known| known.input.path == input.path) {
        return index;
    }
    report.inputs.push(ComparedInput {
        input: input.clone(),
        models: Vec::new(),
        means: Vec::new(),
        failures: Vec::new(),
    });
    report.inputs.len() - 1
}

/// The recipe in the folder of a run without its seed; none when it is lost.
fn recipe_but_seed(folder: &Path) -> Option<toml::Table> {
    let text = std::fs::read_to_string(folder.join(folder::RECIPE)).ok()?;
    let mut recipe: toml::Table = text.parse().ok()?;
    if let Some(toml::Value::Table(training)) = recipe.get_mut("training") {
        training.remove("seed");
    }
    Some(recipe)
}

/// Why a folder has no page.
fn nothing(folder: &Path) -> String {
    let name = folder.display();
    if folder.is_file() {
        return format!("{name} is a file; give the folder of a run or of a comparison");
    }
    if !folder.exists() {
        return format!("there is no folder {name}; give the folder of a run or of a comparison");
    }
    format!(
        "{name} holds neither the {} of a finished run nor the {} of a comparison",
        folder::REPORT,
        folder::COMPARE
    )
}
