//! The output folder of a run: made before any work, never losing what is there, written atomically.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::render::KIND_FILES;

/// Names of the files of a run.
pub(super) const MODEL: &str = "model.safetensors";
pub(super) const REPORT: &str = "report.json";
pub(super) const RECIPE: &str = "recipe.toml";
pub(super) const METRICS: &str = "metrics.jsonl";
pub(super) const CHECKPOINT: &str = "checkpoint.safetensors";
pub(super) const RECONSTRUCTION: &str = "reconstruction";
pub(super) const COMPARE: &str = "compare.json";
pub(super) const COMPARE_DATA: &str = "compare.csv";
pub(super) const COMPARE_TABLE: &str = "compare.md";
pub(super) const COMPARE_LATEX: &str = "compare.tex";
pub(super) const CURVES: &str = "curves.svg";
pub(super) const REPORT_PAGE: &str = "report.html";
pub(super) const REDUCED: &str = "reduced";
pub(super) const UPSAMPLED: &str = "upsampled";

/// Every name that a run writes to; an existing file of such a name is never replaced unasked.
fn names() -> Vec<String> {
    let mut names: Vec<String> = [
        MODEL,
        REPORT,
        RECIPE,
        METRICS,
        CHECKPOINT,
        COMPARE,
        COMPARE_DATA,
        COMPARE_TABLE,
        COMPARE_LATEX,
        CURVES,
        REPORT_PAGE,
    ]
    .map(String::from)
    .into();
    names.extend(drawn_names(&[RECONSTRUCTION, UPSAMPLED]));
    names
}

/// The names of what is drawn of a network of any kind: files called `stems`, and those that go with them.
fn drawn_names(stems: &[&str]) -> Vec<String> {
    let mut names = Vec::new();
    for kind in KIND_FILES {
        names.extend(kind.companions.iter().map(|name| (*name).to_string()));
        for ending in kind.lossless_extensions {
            names.extend(stems.iter().map(|stem| format!("{stem}.{ending}")));
        }
    }
    names
}

/// Why a folder or file cannot be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum FolderError {
    #[error(
        "{0} already holds results; give --resume to go on with it, --force to replace it, or --out DIR to write elsewhere"
    )]
    Occupied(PathBuf),
    #[error(
        "{0} is no comparison of inr; give --out DIR to write elsewhere, or --force to replace it and what lies beside it"
    )]
    OfOthers(PathBuf),
    #[error(
        "{0} is what is to be fitted, and results of that name would replace it; give --out DIR to write elsewhere"
    )]
    Input(PathBuf),
    #[error("{0} already exists; give --force to replace it, or -o FILE to write elsewhere")]
    Exists(PathBuf),
    #[error("cannot write {0}: it is a folder, or lies in one that does not exist")]
    NoPlace(PathBuf),
    #[error("{0} is not a regular file, and is not replaced; give another FILE")]
    NotAFile(PathBuf),
    #[error("cannot write {path}: {source}")]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(
        "there is nothing to resume in {0}: it has no {CHECKPOINT}; give the folder of a run with --out, or leave --resume out, with --force if it holds what an early end left"
    )]
    NoCheckpoint(PathBuf),
    #[error(
        "there is nothing to resume in {0}: it has neither {COMPARE} nor the {RECIPE} of a run; give the folder of a comparison with --out, or leave --resume out"
    )]
    NoComparison(PathBuf),
    #[error(
        "{folder} holds another run ({difference}); give the flags of the first run, --force to start again, or --out DIR to write elsewhere"
    )]
    OtherRun { folder: PathBuf, difference: String },
    #[error(
        "{folder} holds a run of inr {version}, which may train otherwise than this one; give --force to start again, or --out DIR to write elsewhere"
    )]
    OtherVersion { folder: PathBuf, version: String },
    #[error("{path} is damaged ({reason}); give --force to start again")]
    Damaged { path: PathBuf, reason: String },
    #[error(
        "{path} is damaged ({reason}); delete it and give --resume, and it is made again of what lies beside it, or give --force to start again"
    )]
    DamagedReport { path: PathBuf, reason: String },
    #[error("cannot read {path}: {source}")]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
}

/// The folder of one run.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// The topmost folder that was made for this run, if any; taken away again when the run leaves nothing behind.
    made: Option<PathBuf>,
}

impl Folder {
    /// Makes the folder and checks that files can be written into it. With neither `force` nor `resume` it must hold no run.
    pub fn open(path: &Path, force: bool, resume: bool) -> Result<Self, FolderError> {
        if !force && !resume && holds_results(path) {
            return Err(FolderError::Occupied(path.to_owned()));
        }
        let made = path
            .ancestors()
            .filter(|p| !p.as_os_str().is_empty())
            .take_while(|p| !p.exists())
            .last()
            .map(Path::to_owned);
        let folder = Self {
            path: path.to_owned(),
            made,
        };
        let failed = |source| FolderError::Write {
            path: path.to_owned(),
            source,
        };
        std::fs::create_dir_all(path).map_err(failed)?;
        tempfile::Builder::new()
            .prefix(".inr-")
            .make_in(path, |file| std::fs::File::create_new(file))
            .map_err(failed)?;
        Ok(folder)
    }

    /// Checks that no result, and no file called one of `others`, takes the place of an input.
    pub fn spare(&self, input: &Path, others: &[&str]) -> Result<(), FolderError> {
        let (Ok(input_place), Ok(folder)) = (input.canonicalize(), self.path.canonicalize()) else {
            return Ok(());
        };
        let is_here = input_place.parent() == Some(&folder);
        let results = || names().into_iter().chain(drawn_names(others));
        let is_result = |name: &str| results().any(|result| result == name);
        match input_place.file_name().and_then(OsStr::to_str) {
            Some(name) if is_here && is_result(name) => Err(FolderError::Input(input.to_owned())),
            _ => Ok(()),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file in one go: it is there as a whole or not at all.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), FolderError> {
        write_atomically(&self.file(name), bytes)
    }

    /// The contents of a file, or `None` when it is not there.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, FolderError> {
        let path = self.file(name);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(FolderError::Read { path, source }),
        }
    }

    /// Whether there are files of an earlier run.
    pub fn holds_results(&self) -> bool {
        holds_results(&self.path)
    }

    /// Removes all files of an earlier run.
    pub fn clear(&self) -> Result<(), FolderError> {
        names().iter().try_for_each(|name| self.remove(name))
    }

    /// Removes what an earlier part of the run drew, by its report among `earlier`, but for the files that are `kept`.
    pub fn remove_drawn(&self, earlier: &[String], kept: &[&str]) -> Result<(), FolderError> {
        drawn_names(&[RECONSTRUCTION])
            .iter()
            .filter(|name| earlier.contains(name) && !kept.contains(&name.as_str()))
            .try_for_each(|name| self.remove(name))
    }

    /// Removes a file of an earlier run, if it is there.
    pub fn remove(&self, name: &str) -> Result<(), FolderError> {
        let path = self.file(name);
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(FolderError::Write { path, source: e })
            }
            _ => Ok(()),
        }
    }
}

fn holds_results(path: &Path) -> bool {
    names().iter().any(|name| is_taken(&path.join(name)))
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Only empty folders go away, so a run that wrote anything keeps its place.
        if let Some(made) = &self.made {
            for folder in self.path.ancestors() {
                if std::fs::remove_dir(folder).is_err() || folder == made {
                    break;
                }
            }
        }
    }
}

/// Finds out, before the work that its content takes, that a single file could not be written: it exists and `force` is not given,
/// there is no folder for it, or that folder cannot be written to.
pub(super) fn check_file(path: &Path, force: bool) -> Result<(), FolderError> {
    if !force && is_taken(path) {
        return Err(FolderError::Exists(path.to_owned()));
    }
    if path.is_dir() || !parent(path).is_dir() {
        return Err(FolderError::NoPlace(path.to_owned()));
    }
    if is_taken(path) && !path.is_file() {
        return Err(FolderError::NotAFile(path.to_owned()));
    }
    let probe = tempfile::Builder::new()
        .prefix(".inr-")
        .make_in(parent(&place(path)), |file| std::fs::File::create_new(file));
    probe.map(drop).map_err(|source| FolderError::Write {
        path: path.to_owned(),
        source,
    })
}

/// Whether something has that name, be it a link that leads nowhere.
fn is_taken(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Writes a single file in one go, unless it exists and `force` is not given.
pub(super) fn write_file(path: &Path, bytes: &[u8], force: bool) -> Result<(), FolderError> {
    check_file(path, force)?;
    write_atomically(&place(path), bytes)
}

/// Where a file is written: of a link, what it leads to is replaced.
fn place(path: &Path) -> PathBuf {
    match path.canonicalize() {
        Ok(file) if path.is_symlink() => file,
        _ => path.to_owned(),
    }
}

/// The folder that a file lies in.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), FolderError> {
    let failed = |source| FolderError::Write {
        path: path.to_owned(),
        source,
    };
    // Opened here and not by tempfile, whose files are private and whose errors name the temporary file.
    let mut file = tempfile::Builder::new()
        .prefix(".inr-")
        .make_in(parent(path), |path| std::fs::File::create_new(path))
        .map_err(failed)?;
    file.as_file_mut().write_all(bytes).map_err(failed)?;
    // Some file systems report a full disk only here.
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|e| failed(e.error))?;
    Ok(())
}
