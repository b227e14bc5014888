//! Inputs of which most samples are held out: what is fitted is reduced, and what is rendered is measured at full size.

use std::path::Path;

use clap::Args;

use super::super::CliError;
use super::super::folder::{self, Folder, FolderError};
use super::super::load::load_model;
use super::super::talk::Talk;
use super::plan::{PlannedRun, Source};
use crate::device::Chosen;
use crate::render::{self, Field, Filter, Metrics, Rendering};
use crate::report::{ComparedModel, RunReport};
use crate::signal::{HeldOut, Layout, ReducedBy, Reduction, Signal};

#[derive(Debug, Clone, Args)]
pub(super) struct HoldoutFlags {
    /// Fit to the pictures reduced by this whole factor, and measure what is rendered at their full size
    #[arg(long, value_name = "FACTOR", allow_negative_numbers = true, value_parser = parse_factor, help_heading = "Holdout")]
    holdout: Option<u32>,
    /// How a block of pixels becomes one: area (its mean, the default) or decimation (its first pixel)
    #[arg(
        long,
        value_name = "WAY",
        requires = "holdout",
        help_heading = "Holdout"
    )]
    holdout_by: Option<ReducedBy>,
}

impl HoldoutFlags {
    pub fn reduction(&self) -> Result<Option<Reduction>, CliError> {
        let by = self.holdout_by.unwrap_or_default();
        let reduction = self.holdout.map(|factor| Reduction::new(factor, by));
        Ok(reduction.transpose()?)
    }
}

fn parse_factor(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(factor) if factor >= 2 => Ok(factor),
        _ => Err(format!(
            "{text:?} is not a factor; write a whole number of at least 2"
        )),
    }
}

/// What stands beside a reduced input.
pub(super) struct HeldOutInput {
    reduction: Reduction,
    /// The full input.
    reference: Box<dyn Signal>,
    /// The reduced one, as it is written beside the runs.
    reduced: Rendering,
    /// The name of its file.
    file: String,
}

impl HeldOutInput {
    /// What there is to fit: `signal` reduced, under the name of the file that it gets in `folder`.
    pub fn source(
        input: &Path,
        signal: Box<dyn Signal>,
        reduction: Reduction,
        folder: &Folder,
    ) -> Result<Source, CliError> {
        let HeldOut { reduced, reference } = signal.hold_out(reduction).map_err(|error| {
            CliError::Usage(format!("--holdout with {}: {error}", input.display()))
        })?;
        let rendering = render::from_signal(reduced.as_ref(), reduced.as_ref())?;
        let file = file_name(folder::REDUCED, &rendering);
        Ok(Source {
            path: folder.file(&file),
            signal: reduced,
            held_out: Some(Self {
                reduction,
                reference,
                reduced: rendering,
                file,
            }),
        })
    }

    /// What is fitted, and measured when that is not all of an input of `layout`, for people.
    pub fn describe(&self, layout: &Layout) -> String {
        let (fitted, measured) = (self.reduced.layout(), self.reference.layout());
        let mut text = format!("fitted to {}", fitted.describe());
        if measured != *layout {
            text += &format!(
                "; cut to {}, for {} does not divide all of it",
                measured.describe(),
                self.reduction.factor()
            );
        }
        text
    }

    /// Checks that the files beside the runs are not there yet, or are those of this very comparison.
    pub fn check_files(&self, folder: &Folder) -> Result<(), CliError> {
        let place = || folder.path().to_owned();
        let expected = self.reduced.encode(Path::new(&self.file))?;
        match folder.read(&self.file)? {
            Some(bytes) if bytes == expected => Ok(()),
            Some(_) => Err(FolderError::OtherRun {
                folder: place(),
                difference: format!("its {} is not what the input is reduced to now", self.file),
            }
            .into()),
            None => {
                let mut filters = self.reduced.filters().iter();
                let exists = |filter: &Filter| {
                    folder
                        .file(&file_name(filter.name(), &self.reduced))
                        .exists()
                };
                match filters.any(exists) {
                    true => Err(FolderError::Occupied(place()).into()),
                    false => Ok(()),
                }
            }
        }
    }

    /// Writes the reduced input and what every filter makes of it, and measures the latter.
    pub fn interpolate(&self, folder: &Folder) -> Result<Vec<ComparedModel>, CliError> {
        write(folder, folder::REDUCED, &self.reduced)?;
        let mut rows = Vec::new();
        for &filter in self.reduced.filters() {
            let rendering = render::interpolate(&self.reduced, self.reduction, filter)?;
            write(folder, filter.name(), &rendering)?;
            rows.push(ComparedModel {
                model: filter.name().to_string(),
                fit: None,
                metrics: render::measure(self.reference.as_ref(), &rendering)?,
            });
        }
        Ok(rows)
    }

    /// Renders the model of a finished run at full size, writes that into the run's folder, and measures it. The leading metric on
    /// the reduced input comes last, with `fitted_` before its name.
    pub fn measure(
        &self,
        report: &RunReport,
        run: &PlannedRun,
        device: &Chosen,
        talk: &Talk,
    ) -> Result<Metrics, CliError> {
        let (model, layout) = load_model(run.folder.path())?;
        let field = Field {
            network: &model.network,
            parameters: &model.parameters,
            layout: &layout,
        };
        let mut engine = device.engine();
        let rendering =
            render::upsample(field, self.reduction, engine.as_mut(), &mut |fraction| {
                talk.working(&run.model, fraction);
            })?;
        talk.clear();
        write(&run.folder, folder::UPSAMPLED, &rendering)?;
        let mut metrics = render::measure(self.reference.as_ref(), &rendering)?;
        if let Some((name, value)) = report.metrics.0.first() {
            metrics.0.push((format!("fitted_{name}").into(), *value));
        }
        Ok(metrics)
    }
}

/// What the files beside the runs are called, without their endings.
pub(super) fn names_beside() -> Vec<&'static str> {
    let filters = Filter::PICTURES.iter().chain(&Filter::SOUNDS);
    let names = filters.map(|filter| filter.name());
    std::iter::once(folder::REDUCED).chain(names).collect()
}

/// The name of a file called `stem`, with the ending that keeps all of it.
fn file_name(stem: &str, rendering: &Rendering) -> String {
    format!("{stem}.{}", rendering.lossless_extension())
}

fn write(folder: &Folder, stem: &str, rendering: &Rendering) -> Result<(), CliError> {
    let name = file_name(stem, rendering);
    folder.write(&name, &rendering.encode(Path::new(&name))?)?;
    Ok(())
}
