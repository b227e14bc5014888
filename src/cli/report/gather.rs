//! What a page is made of, gathered from the folders of runs and comparisons.

use std::path::{Path, PathBuf};

use super::super::CliError;
use super::super::command_line::{quoted, quoted_path};
use super::super::folder::{self, FolderError};
use super::found::Found;
use crate::device::is_cpu;
use crate::render::{self, Exhibition, KIND_FILES};
use crate::report::{CompareReport, ComparedInput, InputReport, PageInput, PageRun, RunReport};
use crate::signal::{self, Signal};

/// Bytes of everything shown, before it becomes text, which takes a third more: a page of some 20 MB.
const ROOM: usize = 15_000_000;

/// A comparison, and where its files lie.
pub(super) struct Gathered {
    pub report: CompareReport,
    /// The folder that the folders of the runs are relative to.
    root: PathBuf,
}

impl Gathered {
    /// The comparison in one folder, or the runs in all of them, and in the comparisons among them, as a comparison.
    ///
    /// # Errors
    /// [`CliError::Usage`] when there is nothing to show, or a comparison among several measured other than its runs did;
    /// [`FolderError::Damaged`].
    pub fn from_folders(folders: &[PathBuf]) -> Result<Self, CliError> {
        if let [folder] = folders
            && let Some(bytes) = read(&folder.join(folder::COMPARE))?
        {
            let mut report: CompareReport = parse(&folder.join(folder::COMPARE), &bytes)?;
            report.take_means();
            return Ok(Self {
                report,
                root: folder.clone(),
            });
        }
        Ok(Self {
            report: Found::in_folders(folders)?.as_comparison(),
            root: PathBuf::new(),
        })
    }

    /// What is shown of every input. `progress` is told the finished share, in [0, 1].
    pub fn inputs(&self, progress: &mut dyn FnMut(f64)) -> Result<Vec<PageInput>, CliError> {
        let count = self.report.inputs.len();
        let names = self.report.names();
        let named = self.report.inputs.iter().zip(&names);
        let shown = named.clone().map(|(input, name)| self.files(input, name));
        let shown: Vec<Vec<(usize, PathBuf)>> = shown.collect();
        let pieces: usize = shown.iter().map(|files| files.len() + 1).sum();
        let room = ROOM / pieces.max(1);
        let inputs = named.zip(shown).enumerate();
        let inputs = inputs.map(|(index, ((input, name), files))| {
            let gathered = self.input(input, name, files, room);
            progress((index + 1) as f64 / count as f64);
            gathered
        });
        inputs.collect()
    }

    /// The renderings to be shown and the rows that they belong to: the first fit of every model, and every filter.
    fn files(&self, input: &ComparedInput, name: &str) -> Vec<(usize, PathBuf)> {
        let stem = match self.report.holdout {
            Some(_) => folder::UPSAMPLED,
            None => folder::RECONSTRUCTION,
        };
        let mut shown: Vec<&str> = Vec::new();
        let mut files = Vec::new();
        for (row, model) in input.models.iter().enumerate() {
            if shown.contains(&&*model.model) {
                continue;
            }
            let file = match &model.fit {
                Some(fit) => with_ending(&self.root.join(&fit.folder), stem),
                None => with_ending(&self.place(name), &model.model),
            };
            if let Some(file) = file {
                shown.push(&model.model);
                files.push((row, file));
            }
        }
        files
    }

    /// The folder of the input of a comparison that goes by this name.
    fn place(&self, name: &str) -> PathBuf {
        match self.report.inputs.len() {
            1 => self.root.clone(),
            _ => self.root.join(name),
        }
    }

    fn input(
        &self,
        input: &ComparedInput,
        name: &str,
        files: Vec<(usize, PathBuf)>,
        room: usize,
    ) -> Result<PageInput, CliError> {
        if input.models.is_empty() {
            return Ok(PageInput::default());
        }
        let runs = input.models.iter().map(|model| match &model.fit {
            Some(fit) => self.run(&fit.folder, &input.input.path),
            None => Ok(None),
        });
        let runs = runs.collect::<Result<Vec<Option<PageRun>>, CliError>>()?;
        let folder = input.models.iter().find_map(|model| model.fit.as_ref());
        let folder = folder.map_or_else(PathBuf::new, |fit| self.root.join(&fit.folder));
        let original = self.original(&input.input, &folder, &runs);
        let (mut exhibited, mut paths): (Vec<usize>, Vec<PathBuf>) = files.iter().cloned().unzip();
        let exhibit = |paths: &[PathBuf]| render::exhibit(original.as_deref().ok(), paths, room);
        let mut shown = exhibit(&paths);
        let mut damaged: Vec<(&str, String)> = Vec::new();
        if shown.is_err() {
            // One that is damaged is no reason to show none.
            let readable = files.into_iter().filter(|(row, file)| {
                let error = signal::load(file).err();
                let reason = error.map(|error| (&*input.models[*row].model, error.to_string()));
                damaged.extend(reason);
                damaged
                    .iter()
                    .all(|(model, _)| *model != input.models[*row].model)
            });
            (exhibited, paths) = readable.unzip();
            shown = exhibit(&paths);
        }
        let (mut exhibition, exhibited) = match shown {
            Ok(exhibition) => (exhibition, exhibited),
            Err(error) => {
                let mut empty = Exhibition::default();
                empty.notes.push(format!("Nothing is shown: {error}."));
                (empty, Vec::new())
            }
        };
        let mut description = String::new();
        match &original {
            Ok(original) => description = original.layout().describe(),
            Err(why) => exhibition.notes.insert(0, why.clone()),
        }
        let shown: Vec<&str> = exhibited
            .iter()
            .map(|&row| &*input.models[row].model)
            .collect();
        for model in input.models.iter().filter(|model| model.fit.is_some()) {
            let reason = damaged.iter().find(|(name, _)| *name == model.model);
            let reason = reason.map_or_else(String::new, |(_, reason)| format!(": {reason}"));
            let note = format!("What {} made of it is not shown{reason}.", model.model);
            if !shown.contains(&&*model.model) && !exhibition.notes.contains(&note) {
                exhibition.notes.push(note);
            }
        }
        Ok(PageInput {
            description,
            exhibition,
            exhibited,
            commands: self.commands(input, name, &runs),
            runs,
        })
    }

    /// The commands that repeat the runs of an input, and one that makes a page of them; empty unless there are several.
    fn commands(&self, input: &ComparedInput, name: &str, runs: &[Option<PageRun>]) -> String {
        let repeated = input.models.iter().zip(runs).filter_map(|(model, run)| {
            let run = run.as_ref().filter(|run| !run.command.is_empty())?;
            Some((
                &*run.command,
                again(&self.root.join(&model.fit.as_ref()?.folder)),
            ))
        });
        let (mut commands, folders): (Vec<&str>, Vec<String>) = repeated.unzip();
        if commands.len() < 2 {
            return String::new();
        }
        let page = quoted(&format!("{name}-again.html"));
        let report = format!("inr report {} -o {page}", folders.join(" "));
        commands.push(&report);
        commands.join("\n")
    }

    /// What the renderings are compared with, or why there is nothing; `folder` is that of one of the runs.
    fn original(
        &self,
        input: &InputReport,
        folder: &Path,
        runs: &[Option<PageRun>],
    ) -> Result<Box<dyn Signal>, String> {
        let fitted = runs.iter().flatten().filter_map(|run| run.report.checksum);
        let fitted: Vec<u32> = fitted.collect();
        // Of a reduced signal the checksum is not that of the file.
        let checksum = fitted.first().filter(|_| self.report.holdout.is_none());
        let path = &place_of(&input.path, folder, checksum.copied());
        let lost = |why: String| format!("Neither the original nor errors are shown: {why}.");
        let original = signal::load(path).map_err(|error| lost(error.to_string()))?;
        let another = || Err(lost(format!("{} is another file now", input.path)));
        // What is learnt of it is another matter.
        let named = Path::new(&input.path);
        let now = InputReport::new(named, &original.layout()).without_target();
        if now.layout != input.clone().without_target().layout {
            return another();
        }
        let is_fitted = |signal: &dyn Signal| {
            let checksum = signal.checksum();
            fitted.iter().all(|fitted| *fitted == checksum)
        };
        match self.report.holdout {
            None if is_fitted(original.as_ref()) => Ok(original),
            None => another(),
            Some(reduction) => match original.hold_out(reduction) {
                Ok(held_out) if is_fitted(held_out.reduced.as_ref()) => Ok(held_out.reference),
                Ok(_) => another(),
                Err(error) => Err(lost(error.to_string())),
            },
        }
    }

    /// The run in a folder, if it is still there; `input` is what the comparison calls what was fitted or reduced.
    fn run(&self, place: &str, input: &str) -> Result<Option<PageRun>, CliError> {
        let folder = self.root.join(place);
        let path = folder.join(folder::REPORT);
        let Some(bytes) = read(&path)? else {
            return Ok(None);
        };
        let report: RunReport = parse(&path, &bytes)?;
        let recipe_path = folder.join(folder::RECIPE);
        let recipe = read(&recipe_path)?.unwrap_or_default();
        let recipe = String::from_utf8_lossy(&recipe).into_owned();
        let fitted = place_of(&report.input.path, &folder, report.checksum);
        let fitted = match fitted.exists() || self.report.holdout.is_some() {
            true => fitted,
            // The file may have another name since.
            false => place_of(input, &folder, report.checksum),
        };
        let command = match recipe.is_empty() {
            true => String::new(),
            false => format!(
                "inr fit {} --config {} --out {}{}",
                quoted_path(&fitted.display().to_string()),
                quoted_path(&recipe_path.display().to_string()),
                again(&folder),
                // An adapter may have another number elsewhere.
                if is_cpu(&report.device) {
                    " --device cpu"
                } else {
                    ""
                }
            ),
        };
        Ok(Some(PageRun {
            report,
            recipe,
            command,
        }))
    }
}

/// Where the input of a run is that was called `path` when it was made: there, or, called from another folder now, at that path from a folder above
/// that of the run, whose own files are results. Of several files the first is taken that has the content of `checksum`.
pub(super) fn place_of(path: &str, folder: &Path, checksum: Option<u32>) -> PathBuf {
    let named = PathBuf::from(path);
    if named.is_absolute() {
        return named;
    }
    let folder = folder.canonicalize().unwrap_or_default();
    let above = folder.ancestors().skip(1).map(|above| above.join(path));
    let mut places: Vec<PathBuf> = Vec::new();
    for place in std::iter::once(named.clone()).chain(above) {
        let is_same = |known: &PathBuf| known.canonicalize().ok() == place.canonicalize().ok();
        if place.is_file() && !places.iter().any(is_same) {
            places.push(place);
        }
    }
    let has_content = |place: &&PathBuf| {
        let content = signal::load(place).map(|signal| signal.checksum());
        content.ok() == checksum
    };
    let found = match places.len() {
        // Nothing to choose from, which is nearly always so, or nothing to choose by.
        0 | 1 => None,
        _ if checksum.is_none() => None,
        _ => places.iter().find(has_content),
    };
    found.or(places.first()).unwrap_or(&named).clone()
}

/// The file called `stem` in a folder, with whichever ending it has.
fn with_ending(folder: &Path, stem: &str) -> Option<PathBuf> {
    let endings = KIND_FILES.iter().flat_map(|kind| kind.lossless_extensions);
    endings
        .map(|ending| folder.join(format!("{stem}.{ending}")))
        .find(|path| path.is_file())
}

/// The contents of a file, or `None` when it is not there.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, FolderError> {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if matches!(e.kind(), NotFound | NotADirectory) => Ok(None),
        Err(source) => Err(FolderError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

pub(super) fn parse<T: serde::de::DeserializeOwned>(
    path: &Path,
    bytes: &[u8],
) -> Result<T, CliError> {
    serde_json::from_slice(bytes)
        .map_err(|e| CliError::Failed(format!("{} is damaged ({e}); fit again", path.display())))
}

/// Where a run is repeated, as a word of a command line.
fn again(folder: &Path) -> String {
    quoted_path(&format!("{}-again", folder.display()))
}
