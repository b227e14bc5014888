//! What a comparison will fit, where the results go, and what of it is there already: all checked before the first fit.

use std::path::{Path, PathBuf};

use super::super::folder::{self, Folder, FolderError};
use super::super::load::load_signal;
use super::super::session::Session;
use super::super::talk::Talk;
use super::contenders::{Contender, Entry};
use super::holdout::{self, HeldOutInput};
use super::{CliError, Compare, InputRows, inputs};
use crate::config::{DEFAULT_RECIPE, Resolved};
use crate::device::Chosen;
use crate::report::{
    CompareReport, ComparedFit, ComparedInput, ComparedModel, InputReport, RunReport,
};
use crate::signal::{self, Layout, Reduction, Signal};

/// Most seeds by their number.
const MOST_SEEDS: u32 = 1000;

/// A whole comparison.
pub(super) struct Plan {
    // Before the folder, which is taken away when it is empty in the end, and so are those within it.
    pub inputs: Vec<PlannedInput>,
    pub folder: Folder,
    pub seeds: Vec<u64>,
    /// Whose recipe is asked for, where it is not ours.
    pub recipe: Option<String>,
    pub holdout: Option<Reduction>,
    /// Whether runs that are there already are kept and gone on with, and not replaced.
    pub goes_on: bool,
    /// The table of an earlier comparison in the folder.
    earlier: Vec<ComparedInput>,
}

/// One input and its fits.
pub(super) struct PlannedInput {
    pub runs: Vec<PlannedRun>,
    pub folder: Folder,
    /// The file as named on the command line.
    pub path: PathBuf,
    pub layout: Layout,
    /// What a reduction makes of it, for people.
    pub reduced: Option<String>,
}

/// One fit.
pub(super) struct PlannedRun {
    /// The model as it was named.
    pub model: String,
    pub seed: u64,
    pub resolved: Resolved,
    pub folder: Folder,
    /// Its folder, relative to that of the comparison.
    pub place: String,
    /// The report of an earlier call, when there is nothing left to do.
    pub finished: Option<RunReport>,
}

/// Whether the file that a comparison would go on from is one of another program.
fn is_of_others(folder: &Path) -> bool {
    let bytes = std::fs::read(folder.join(folder::COMPARE)).unwrap_or_default();
    let value = serde_json::from_slice::<serde_json::Value>(&bytes);
    let is_ours = |input: &serde_json::Value| {
        input["input"]["path"].is_string() && input["models"].is_array()
    };
    value.is_ok_and(|value| {
        let inputs = value["inputs"].as_array();
        !inputs.is_some_and(|inputs| inputs.iter().all(is_ours))
    })
}

/// What is fitted, decoded.
pub(super) struct Source {
    /// The file with it.
    pub path: PathBuf,
    pub signal: Box<dyn Signal>,
    /// What the fits are measured against, if it is not the signal itself.
    pub held_out: Option<HeldOutInput>,
}

impl Compare {
    /// Resolves every model for every input, so that a misspelt name costs no time, and makes the folders.
    pub(super) fn plan(&self, talk: &Talk, device: &Chosen) -> Result<Plan, CliError> {
        let holdout = self.holdout.reduction()?;
        let files = inputs::expand(&self.inputs, talk)?;
        let names = inputs::names(&files)?;
        let path = self.out.clone().unwrap_or_else(|| match &*names {
            [name] => PathBuf::from("out").join(format!("{name}-compare")),
            _ => PathBuf::from("out/compare"),
        });
        let goes_on = !self.flags.force;
        if goes_on && is_of_others(&path) {
            return Err(FolderError::OfOthers(path.join(folder::COMPARE)).into());
        }
        self.named()?;
        let seeds = self.seeds()?;
        let mut plan = Plan {
            inputs: Vec::new(),
            folder: Folder::open(
                &path,
                self.flags.force,
                self.resume || path.join(folder::COMPARE).exists(),
            )?,
            seeds: seeds.iter().copied().map(u64::from).collect(),
            recipe: self
                .flags
                .recipe
                .clone()
                .filter(|recipe| recipe != DEFAULT_RECIPE),
            holdout,
            goes_on,
            earlier: Vec::new(),
        };
        let mut kinds_told = Vec::new();
        for (input, name) in files.iter().zip(&names) {
            let place = match names.len() {
                1 => Path::new(""),
                _ => Path::new(name),
            };
            let planned = self.plan_input(input, place, &plan, &seeds, talk, device)?;
            let kind = planned.layout.kind();
            let left_out = self.contenders(kind)?.left_out;
            if !left_out.is_empty() && !kinds_told.contains(&kind) {
                let names: Vec<String> = left_out.iter().map(Contender::name).collect();
                let recipe = match &self.flags.recipe {
                    Some(recipe) => format!("recipe called {recipe}"),
                    None => "such recipe".into(),
                };
                talk.say(&format!(
                    "left out, for they have no {recipe} for {kind}s: {}",
                    names.join(", ")
                ));
            }
            kinds_told.push(kind);
            plan.inputs.push(planned);
        }
        // One input may lie where the results of another go.
        let beside = match holdout {
            Some(_) => holdout::names_beside(),
            None => Vec::new(),
        };
        let spare = |folder: &Folder, names: &[&str]| {
            let mut files = files.iter();
            files.try_for_each(|file| folder.spare(file, names))
        };
        for input in &plan.inputs {
            spare(&input.folder, &beside)?;
            let mut runs = input.runs.iter();
            runs.try_for_each(|run| spare(&run.folder, &[]))?;
        }
        if plan.seeds.is_empty() {
            plan.seeds = plan.inputs[0]
                .runs
                .iter()
                .map(|run| run.seed)
                .take(1)
                .collect();
        }
        if goes_on {
            plan.read_rows()?;
        }
        let begun = |run: &PlannedRun| run.folder.file(folder::RECIPE).exists();
        if self.resume
            && !path.join(folder::COMPARE).exists()
            && !plan.inputs.iter().flat_map(|input| &input.runs).any(begun)
        {
            return Err(FolderError::NoComparison(path).into());
        }
        Ok(plan)
    }

    /// The seeds asked for: a single number says how many.
    fn seeds(&self) -> Result<Vec<u32>, CliError> {
        let settings = self.flags.request()?.settings;
        if !self.seeds.is_empty() && settings.iter().any(|(path, _)| path == "training.seed") {
            return Err(CliError::Usage(
                "--seeds and --set training.seed both name seeds; give one of them".into(),
            ));
        }
        match *self.seeds {
            [count @ 1..=MOST_SEEDS] => Ok((0..count).collect()),
            [count] => Err(CliError::Usage(format!(
                "--seeds {count} asks for {count} seeds; give from 1 to {MOST_SEEDS}, or --seed {count} for that one"
            ))),
            _ => Ok(self.seeds.clone()),
        }
    }

    fn plan_input(
        &self,
        input: &Path,
        place: &Path,
        plan: &Plan,
        seeds: &[u32],
        talk: &Talk,
        device: &Chosen,
    ) -> Result<PlannedInput, CliError> {
        let signal = load_signal(input, talk)?;
        let layout = signal.layout();
        let root = plan.folder.path();
        let path = match place.as_os_str().is_empty() {
            true => root.to_owned(),
            false => root.join(place),
        };
        // The folder of a single input is that of the comparison, which has been looked at; by force nothing is read.
        let is_checked = path == root || self.resume || self.flags.force;
        let has_begun = is_checked || plan.has_rows_in(place)?;
        let folder = Folder::open(&path, self.flags.force, has_begun)?;
        let source = Source::new(input, signal, plan.holdout, &folder)?;
        let mut reduced = None;
        if let Some(held_out) = &source.held_out {
            if plan.goes_on {
                held_out.check_files(&folder)?;
            }
            reduced = Some(held_out.describe(&layout));
        }
        let mut runs = Vec::new();
        for entry in self.resolve(source.signal.as_ref(), seeds)? {
            let Entry {
                contender,
                seed,
                resolved,
            } = entry;
            let name = match seed {
                0 => contender.folder(),
                _ => format!("{}-seed{seed}", contender.folder()),
            };
            let place = place.join(name);
            let wanted = &resolved.recipe.reconstruction;
            wanted.check(&source.signal.layout())?;
            let folder = Folder::open(&root.join(&place), self.flags.force, plan.goes_on)?;
            let session = Session {
                talk,
                device,
                input: &source.path,
                signal: source.signal.as_ref(),
                resolved: &resolved,
                folder: &folder,
                resume: plan.goes_on,
            };
            let finished = match plan.goes_on {
                true => session.read_back()?,
                false => None,
            };
            runs.push(PlannedRun {
                model: contender.name(),
                seed,
                resolved,
                folder,
                place: place.display().to_string(),
                finished,
            });
        }
        Ok(PlannedInput {
            runs,
            folder,
            path: input.to_owned(),
            layout,
            reduced,
        })
    }
}

impl Plan {
    /// Whether the table of an earlier comparison in the folder has fits in the folder `place` of it.
    fn has_rows_in(&self, place: &Path) -> Result<bool, CliError> {
        let folders = self.earlier_folders()?;
        Ok(folders.iter().any(|run| Path::new(run).starts_with(place)))
    }

    /// The folders of all fits in the table of an earlier comparison in the folder.
    fn earlier_folders(&self) -> Result<Vec<String>, CliError> {
        let bytes = self.folder.read(folder::COMPARE)?;
        let folders = bytes.map_or_else(|| Ok(Vec::new()), |bytes| ComparedFit::folders(&bytes));
        let damaged = |reason| FolderError::DamagedReport {
            path: self.folder.file(folder::COMPARE),
            reason,
        };
        Ok(folders.map_err(damaged)?)
    }

    /// Reads the table of an earlier comparison in the folder, and checks that it has no row that the new one would lose.
    fn read_rows(&mut self) -> Result<(), CliError> {
        let Some(bytes) = self.folder.read(folder::COMPARE)? else {
            return Ok(());
        };
        let folders = self.earlier_folders()?;
        let planned = || self.inputs.iter().flat_map(|input| &input.runs);
        let lost = |place: &&String| planned().all(|run| run.place != **place);
        if let Some(place) = folders.iter().find(lost) {
            return Err(FolderError::OtherRun {
                folder: self.folder.path().to_owned(),
                difference: format!("its table has {place}, which is not asked for now"),
            }
            .into());
        }
        // Rows of an earlier version may lack something; then they are made again of the reports.
        let earlier: Option<CompareReport> = serde_json::from_slice(&bytes).ok();
        self.earlier = earlier.map_or_else(Vec::new, |report| report.inputs);
        Ok(())
    }

    /// The rows of an input in the table of an earlier comparison, those of finished fits.
    pub fn rows_of(&self, input: &PlannedInput) -> InputRows {
        let path = InputReport::new(&input.path, &input.layout).path;
        let is_same = |other: &&ComparedInput| other.input.path == path;
        let rows = || self.earlier.iter().flat_map(|input| &input.models);
        let of_input = self.earlier.iter().filter(is_same);
        let of_input = of_input.flat_map(|input| &input.models);
        let filters = of_input.filter(|row| row.fit.is_none());
        // The file may have been named otherwise.
        let fit = |run: &PlannedRun| {
            run.finished.as_ref()?;
            let is_of_run =
                |row: &&ComparedModel| row.fit.as_ref().is_some_and(|fit| fit.folder == run.place);
            rows().find(is_of_run).cloned()
        };
        InputRows {
            filters: filters.cloned().collect(),
            fits: input.runs.iter().map(fit).collect(),
        }
    }
}

impl PlannedInput {
    /// Decodes it again.
    pub fn load(&self, holdout: Option<Reduction>) -> Result<Source, CliError> {
        Source::new(&self.path, signal::load(&self.path)?, holdout, &self.folder)
    }
}

impl Source {
    /// The decoded `signal` of the file `input`, or with a holdout what it is reduced to in `folder`.
    fn new(
        input: &Path,
        signal: Box<dyn Signal>,
        holdout: Option<Reduction>,
        folder: &Folder,
    ) -> Result<Self, CliError> {
        match holdout {
            None => Ok(Self {
                path: input.to_owned(),
                signal,
                held_out: None,
            }),
            Some(reduction) => HeldOutInput::source(input, signal, reduction, folder),
        }
    }
}
