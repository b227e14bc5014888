//! Runs that lie in several folders and comparisons, as one comparison.

use std::path::{Path, PathBuf};

use super::super::CliError;
use super::super::folder;
#[cfg(doc)]
use super::super::folder::FolderError;
use super::gather::{parse, place_of, read};
use crate::report::{
    CompareReport, ComparedFailure, ComparedFit, ComparedInput, ComparedModel, InputReport,
    OffSize, RunReport, distinct,
};

/// Runs that lie in several places.
#[derive(Default)]
pub(super) struct Found {
    runs: Vec<FoundRun>,
    /// The fits of comparisons that failed, and what was to be fitted.
    failures: Vec<(InputReport, ComparedFailure)>,
}

struct FoundRun {
    folder: PathBuf,
    /// The same, however it is named.
    place: PathBuf,
    /// What tells it from runs of the same model that lie elsewhere: its folder, or that of its comparison.
    label: String,
    /// How a comparison marked its size.
    off_size: Option<OffSize>,
    recipe: Option<toml::Table>,
    report: RunReport,
    /// What was fitted, as the comparison names it.
    input: InputReport,
}

impl FoundRun {
    /// Whether it is another fit of the same model to the same input, and not one with another seed alone.
    fn is_other(&self, other: &Self) -> bool {
        self.label != other.label
            && self.has_input_of(other)
            && self.report.model.name == other.report.model.name
            && self.report.training.recipe == other.report.training.recipe
            && (self.report.seed == other.report.seed || self.recipe != other.recipe)
    }

    /// Whether it is of the same signal: by its content, however it is named, and by its name where the content is not known.
    fn has_input_of(&self, other: &Self) -> bool {
        let layout = |run: &Self| run.input.clone().without_target().layout;
        layout(self) == layout(other)
            && match (self.report.checksum, other.report.checksum) {
                (Some(one), Some(other)) => one == other,
                _ => self.input.path == other.input.path,
            }
    }

    /// Whether it is of the same model by the same recipe and in the same place, on another input or with another seed.
    fn is_beside(&self, other: &Self) -> bool {
        let training = |run: &Self| run.report.training.recipe.clone();
        self.label == other.label
            && self.report.model.name == other.report.model.name
            && training(self) == training(other)
    }

    /// The model, with its recipe where not all follow the same.
    fn name(&self, same_recipe: bool) -> String {
        let model = &self.report.model.name;
        match &self.report.training.recipe {
            Some(recipe) if !same_recipe => format!("{model}:{recipe}"),
            _ => model.clone(),
        }
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
            return self.add(folder, None);
        };
        let name = folder.display();
        let report: CompareReport = parse(&path, &bytes)?;
        if report.holdout.is_some() {
            return Err(CliError::Usage(format!(
                "{name} is a comparison with --holdout, whose figures are not those of its runs; give it alone"
            )));
        }
        let mut is_empty = true;
        for input in report.inputs {
            for fit in input.models.iter().filter_map(|model| model.fit.as_ref()) {
                self.add(&folder.join(&fit.folder), Some((folder, fit, &input.input)))?;
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

    fn add(
        &mut self,
        folder: &Path,
        comparison: Option<(&Path, &ComparedFit, &InputReport)>,
    ) -> Result<(), CliError> {
        let path = folder.join(folder::REPORT);
        let Some(bytes) = read(&path)? else {
            return Err(CliError::Usage(match comparison {
                Some((comparison, _, _)) => format!(
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
        let label = comparison.map_or(folder, |(comparison, _, _)| comparison);
        let input = comparison.map_or(&report.input, |(_, _, input)| input);
        self.runs.push(FoundRun {
            folder: folder.into(),
            place,
            label: label.display().to_string(),
            off_size: comparison.and_then(|(_, fit, _)| fit.caveats.off_size),
            recipe: recipe_but_seed(folder),
            input: input.clone(),
            report,
        });
        Ok(())
    }

    /// All of them as one comparison; models that several places fitted differently to an input have these behind their names.
    pub fn as_comparison(&self) -> CompareReport {
        let reports = self.runs.iter().map(|run| &run.report);
        let mut seeds = Vec::new();
        for report in reports.clone() {
            if !seeds.contains(&report.seed) {
                seeds.push(report.seed);
            }
        }
        let mut recipes = reports
            .clone()
            .map(|report| report.training.recipe.as_ref());
        let recipe = recipes.next().flatten();
        let same_recipe = recipes.all(|other| other == recipe);
        let mut report = CompareReport {
            command: String::new(),
            device: distinct(reports.map(|report| &*report.device)).join("; "),
            recipe: recipe.filter(|_| same_recipe).cloned(),
            holdout: None,
            seeds,
            inputs: Vec::new(),
            means: Vec::new(),
            ranks: Vec::new(),
        };
        let clashes = |run: &FoundRun| {
            let mut runs = self.runs.iter();
            runs.any(|one| one.is_beside(run) && self.runs.iter().any(|other| one.is_other(other)))
        };
        // The first run of every input of the comparison.
        let mut first: Vec<&FoundRun> = Vec::new();
        for run in &self.runs {
            let name = run.name(same_recipe);
            let model = match clashes(run) {
                false => name,
                true => format!("{name} ({})", run.label),
            };
            let mut fit = ComparedFit::new(&run.report, run.folder.display().to_string());
            fit.caveats.off_size = run.off_size;
            let input = first.iter().position(|known| known.has_input_of(run));
            let input = input.unwrap_or_else(|| {
                first.push(run);
                let mut input = run.input.clone();
                let is_named = |known: &ComparedInput| known.input.path == input.path;
                if report.inputs.iter().any(is_named) {
                    // Another file that was called the same from where it was fitted.
                    let checksum = run.report.checksum;
                    let place = place_of(&input.path, &run.folder, checksum);
                    input.path = place.display().to_string();
                }
                begin(&mut report, input)
            });
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
            let mut known = report.inputs.iter();
            let known = known.position(|known| known.input.path == input.path);
            let input = known.unwrap_or_else(|| begin(&mut report, input.clone()));
            let mut failure = failure.clone();
            if let Some(recipe) = failure.recipe.as_ref().filter(|_| !same_recipe)
                && !failure.model.contains(':')
            {
                failure.model = format!("{}:{recipe}", failure.model);
            }
            report.inputs[input].failures.push(failure);
        }
        report
    }
}

/// Adds an input to a comparison; its index.
fn begin(report: &mut CompareReport, input: InputReport) -> usize {
    report.inputs.push(ComparedInput {
        input,
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
