//! Reading signals and models.

use std::path::{Path, PathBuf};

use super::CliError;
use super::folder::MODEL;
use super::talk::{Talk, format_bytes};
use crate::model::file::Model;
use crate::signal::{self, Layout, Signal};

/// Signals above this many bytes are announced with an estimate of the memory they take.
const LARGE: u64 = 64 << 20;

/// Decodes the file at `path`; a large one is announced first.
pub(super) fn load_signal(path: &Path, talk: &Talk) -> Result<Box<dyn Signal>, CliError> {
    let layout = signal::probe(path)?;
    let bytes = layout.bytes();
    if bytes > LARGE {
        // The decoded samples, a second copy while they are turned upright or while the reconstruction exists, the error
        // picture, and the compressed file being written.
        talk.say(&format!(
            "{}: {}; about {} of memory will be used",
            path.display(),
            layout.describe(),
            format_bytes(bytes * 3 + layout.samples() as u64)
        ));
    }
    let signal = signal::load(path)?;
    for warning in signal.warnings() {
        talk.say(&format!("{}: {warning}", path.display()));
    }
    Ok(signal)
}

/// The model file meant by a path: the file itself, or the one in the folder of a run.
pub(super) fn model_path(path: &Path) -> PathBuf {
    if path.is_dir() {
        path.join(MODEL)
    } else {
        path.to_owned()
    }
}

/// Reads a model and the layout of the signal that it was fitted to.
pub(super) fn load_model(path: &Path) -> Result<(Model, Layout), CliError> {
    let path = model_path(path);
    let model = Model::read(&path)?;
    let layout: Layout = serde_json::from_value(model.header.signal.clone()).map_err(|e| {
        CliError::Failed(format!(
            "{} describes a signal that this inr does not know ({e}); update inr",
            path.display()
        ))
    })?;
    if (layout.d_in(), layout.d_out()) != (model.network.d_in(), model.network.d_out()) {
        return Err(CliError::Failed(format!(
            "{} is damaged: its network does not fit its signal; fit the signal again",
            path.display()
        )));
    }
    let is_endless = |seconds: f64| !(seconds.is_finite() && seconds > 0.0);
    if layout.samples() == 0 || layout.seconds().is_some_and(is_endless) {
        return Err(CliError::Failed(format!(
            "{} is damaged: its signal has no samples, or no end; fit the signal again",
            path.display()
        )));
    }
    Ok((model, layout))
}
