//! What a comparison is of: files, formulas, and all that can be fitted of a folder.

use std::path::{Path, PathBuf};

use super::super::talk::Talk;
use super::CliError;
use crate::signal::{self, SignalError};

/// The inputs named on the command line, with every folder replaced by the files in it that can be fitted, by name.
///
/// # Errors
/// When a folder cannot be read or holds nothing to fit, or when a file of it is damaged.
pub(super) fn expand(inputs: &[PathBuf], talk: &Talk) -> Result<Vec<PathBuf>, CliError> {
    let mut files = Vec::new();
    for input in inputs {
        match input.is_dir() {
            true => files.extend(within(input, talk)?),
            false => files.push(input.clone()),
        }
    }
    Ok(files)
}

fn within(folder: &Path, talk: &Talk) -> Result<Vec<PathBuf>, CliError> {
    let failed =
        |e: std::io::Error| CliError::Failed(format!("cannot read {}: {e}", folder.display()));
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if !hidden && entry.path().is_file() {
            paths.push(entry.path());
        }
    }
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        match signal::probe(&path) {
            Ok(_) => files.push(path),
            Err(SignalError::Unknown { .. } | SignalError::Empty { .. }) => talk.say(&format!(
                "{}: left out, for it is neither a picture nor a sound nor a shape",
                path.display()
            )),
            Err(error) => return Err(error.into()),
        }
    }
    match files.is_empty() {
        true => Err(CliError::Failed(format!(
            "{} holds nothing to fit: no file in it is a picture, a sound or a shape",
            folder.display()
        ))),
        false => Ok(files),
    }
}

/// The names of the inputs without folder and ending, which name the folders of their results.
///
/// # Errors
/// When two of them are the same.
pub(super) fn names(inputs: &[PathBuf]) -> Result<Vec<String>, CliError> {
    let mut names: Vec<String> = Vec::new();
    for input in inputs {
        let name = signal::name(input);
        if let Some(other) = names.iter().position(|other| *other == name) {
            return Err(CliError::Usage(format!(
                "{} and {} would both have their results in {name}; rename one of them, or compare them one at a time",
                inputs[other].display(),
                input.display()
            )));
        }
        names.push(name);
    }
    Ok(names)
}
