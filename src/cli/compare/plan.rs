//! What a comparison will fit, where the results go, and what of it is there already: all checked before the first fit.

use std::path::{Path, PathBuf};

use super::super::folder::{self, Folder, FolderError};
use super::super::load::{facts, load_signal};
use super::super::session::Session;
use super::super::talk::Talk;
use super::holdout::HeldOutInput;
use super::{CliError, Compare};
use crate::config::{DEFAULT_PURPOSE, Request, Resolved, SignalFacts, resolve};
use crate::device::Chosen;
use crate::report::RunReport;
use crate::signal::{self, Layout, Reduction, Signal};

/// Parameters of every model of a comparison without `--params`, or as many as the signal has samples if that is less.
const DEFAULT_PARAMETERS: usize = 200_000;

/// Optimizer steps of every model of a comparison without `--steps` and `--time`.
const DEFAULT_STEPS: i64 = 1000;

/// Networks count as equally large when they differ by no more than this share.
const SAME_SIZE: f64 = 0.03;

/// A whole comparison.
pub(super) struct Plan {
    // Before the folder, which is taken away when it is empty in the end, and so are those within it.
    pub inputs: Vec<PlannedInput>,
    pub folder: Folder,
    pub seeds: Vec<u64>,
    pub holdout: Option<Reduction>,
    pub resume: bool,
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
    pub model: String,
    pub seed: u64,
    pub resolved: Resolved,
    pub folder: Folder,
    /// Its folder, relative to that of the comparison.
    pub place: String,
    /// The report of an earlier call, when there is nothing left to do.
    pub finished: Option<RunReport>,
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
        let names = self.names()?;
        let path = self.out.clone().unwrap_or_else(|| match &*names {
            [name] => PathBuf::from("out").join(format!("{name}-compare")),
            _ => PathBuf::from("out/compare"),
        });
        let mut plan = Plan {
            inputs: Vec::new(),
            folder: Folder::open(&path, self.flags.force, self.resume)?,
            seeds: self.seeds.iter().copied().map(u64::from).collect(),
            holdout,
            resume: self.resume,
        };
        for (input, name) in self.inputs.iter().zip(&names) {
            let place = match names.len() {
                1 => Path::new(""),
                _ => Path::new(name),
            };
            let planned = self.plan_input(input, place, &path, holdout, talk, device)?;
            plan.inputs.push(planned);
        }
        if plan.seeds.is_empty() {
            plan.seeds = plan.inputs[0]
                .runs
                .iter()
                .map(|run| run.seed)
                .take(1)
                .collect();
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

    /// The names of the inputs without folder and ending, which name their folders.
    fn names(&self) -> Result<Vec<String>, CliError> {
        let mut names: Vec<String> = Vec::new();
        for (index, input) in self.inputs.iter().enumerate() {
            let name = input.file_stem().unwrap_or_default().to_string_lossy();
            if let Some(other) = names.iter().position(|other| *other == name) {
                return Err(CliError::Usage(format!(
                    "{} and {} would both have their results in {name}; rename one of them, or compare them one at a time",
                    self.inputs[other].display(),
                    self.inputs[index].display()
                )));
            }
            names.push(name.into_owned());
        }
        Ok(names)
    }

    fn plan_input(
        &self,
        input: &Path,
        place: &Path,
        root: &Path,
        holdout: Option<Reduction>,
        talk: &Talk,
        device: &Chosen,
    ) -> Result<PlannedInput, CliError> {
        let signal = load_signal(input, talk)?;
        let layout = signal.layout();
        let path = match place.as_os_str().is_empty() {
            true => root.to_owned(),
            false => root.join(place),
        };
        let folder = Folder::open(&path, self.flags.force, true)?;
        let source = Source::new(input, signal, holdout, &folder)?;
        let mut reduced = None;
        if let Some(held_out) = &source.held_out {
            held_out.check_files(&folder, self.flags.force, self.resume)?;
            reduced = Some(held_out.describe(&layout));
        }
        let facts = facts(source.signal.as_ref());
        let request = self.request(&facts)?;
        let mut runs = Vec::new();
        for (model, seed, resolved) in self.resolve(&request, &facts)? {
            let name = match self.seeds.len() {
                0 | 1 => model.clone(),
                _ => format!("{model}-seed{seed}"),
            };
            let place = place.join(name);
            let folder = Folder::open(&root.join(&place), self.flags.force, self.resume)?;
            let session = Session {
                talk,
                device,
                input: &source.path,
                signal: source.signal.as_ref(),
                resolved: &resolved,
                folder: &folder,
                resume: self.resume,
            };
            let finished = match self.resume {
                true => session.read_back()?,
                false => None,
            };
            runs.push(PlannedRun {
                model,
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

    /// What every model is asked for, but its name and seed.
    fn request(&self, facts: &SignalFacts) -> Result<Request, CliError> {
        let mut request = self.flags.request()?;
        if request.purpose.as_deref().unwrap_or(DEFAULT_PURPOSE) != DEFAULT_PURPOSE {
            // Models for a purpose have the sizes and budgets that it needs.
            return Ok(request);
        }
        let gives = |paths: &[&str]| {
            let settings = request.settings.iter();
            settings
                .into_iter()
                .any(|(path, _)| paths.contains(&&**path))
        };
        let (has_size, has_end) = (
            gives(&["model.parameters"]),
            gives(&["training.steps", "training.seconds"]),
        );
        if !has_size {
            let parameters = DEFAULT_PARAMETERS.min(facts.samples.max(1));
            request.set("model.parameters", parameters as i64);
        }
        if !has_end {
            request.set("training.steps", DEFAULT_STEPS);
        }
        Ok(request)
    }

    /// Every model with every seed.
    fn resolve(
        &self,
        request: &Request,
        facts: &SignalFacts,
    ) -> Result<Vec<(String, u64, Resolved)>, CliError> {
        let seeds: Vec<Option<u32>> = match &*self.seeds {
            [] => vec![None],
            seeds => seeds.iter().copied().map(Some).collect(),
        };
        let mut runs = Vec::new();
        for model in &self.models {
            for seed in &seeds {
                let mut request = request.clone();
                request.model = Some(model.clone());
                if let Some(seed) = *seed {
                    request.set("training.seed", i64::from(seed));
                }
                let resolved = resolve(&request, facts)?;
                let seed = resolved.recipe.training.seed;
                runs.push((model.clone(), seed, resolved));
            }
        }
        if let Some(model) = twice(&self.models) {
            return Err(CliError::Usage(format!("--models names {model} twice")));
        }
        if let Some(seed) = twice(&self.seeds) {
            return Err(CliError::Usage(format!("--seeds names {seed} twice")));
        }
        Ok(runs)
    }
}

impl PlannedInput {
    /// Decodes it again.
    pub fn load(&self, holdout: Option<Reduction>) -> Result<Source, CliError> {
        Source::new(&self.path, signal::load(&self.path)?, holdout, &self.folder)
    }
}

impl PlannedRun {
    /// The parameters asked for and those that the network has, when they differ noticeably.
    pub fn off_size(&self) -> Option<[usize; 2]> {
        let asked = self.resolved.asked?;
        let parameters = self.resolved.network.parameter_count();
        let off = parameters.abs_diff(asked) as f64 > SAME_SIZE * asked as f64;
        off.then_some([asked, parameters])
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

/// A value that is there twice, whose results would overwrite each other.
fn twice<T: PartialEq>(values: &[T]) -> Option<&T> {
    let (_, value) = values
        .iter()
        .enumerate()
        .find(|(index, value)| values[..*index].contains(value))?;
    Some(value)
}
