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
            Err(
                error @ (SignalError::UnsupportedFormat { .. }
                | SignalError::UnsupportedContent { .. }
                | SignalError::UnsupportedSound { .. }
                | SignalError::EncodedSound { .. }),
            ) => talk.say(&format!("left out: {error}")),
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

/// The names of the folders of the results.
///
/// # Errors
/// When two inputs are the same, or would have the same folder.
pub(super) fn names(inputs: &[PathBuf]) -> Result<Vec<String>, CliError> {
    let names = signal::names(inputs.iter().map(PathBuf::as_path));
    // However it is named; a link is another file.
    let place = |input: &PathBuf| {
        let folder = Path::new(".").join(input.parent()?);
        Some(folder.canonicalize().ok()?.join(input.file_name()?))
    };
    let files: Vec<Option<PathBuf>> = inputs.iter().map(place).collect();
    for index in 1..inputs.len() {
        let is_same = |other: &usize| {
            names[*other] == names[index] || files[index].is_some() && files[*other] == files[index]
        };
        if let Some(other) = (0..index).find(is_same) {
            return Err(CliError::Usage(format!(
                "{} and {} are the same, or would have the same folder for their results; give one of them, or compare them one at a time",
                inputs[other].display(),
                inputs[index].display()
            )));
        }
    }
    Ok(names)
}
