//! `inr compare`.

mod contenders;
mod holdout;
mod inputs;
mod plan;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::flags::RunFlags;
use super::folder;
use super::report::write_page;
use super::session::{Session, metrics_sentence};
use super::talk::Talk;
use super::{CliError, Outcome, command_line, interrupt, print};
use crate::device::{self, Chosen};
use crate::report::{
    CompareReport, ComparedFailure, ComparedFit, ComparedInput, ComparedModel, InputReport,
    OffSize, RunReport, curves_svg, distinct, to_json,
};
use crate::train::StoppedBy;

use holdout::HoldoutFlags;
use plan::{Plan, PlannedInput, PlannedRun};

/// Fit several networks to pictures, sounds or shapes with the same budget and the same number of parameters
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  inr compare assets/harbour.png --models fourier-kan,siren,wire
  inr compare assets/harbour.png assets/leaf.png --models fourier-kan,siren --seeds 2
  inr compare assets/harbour.png --models classical --match bytes --format csv --out out/classical
  inr compare assets/harbour.png --models siren,wire --holdout 2 --out out/held-out
  inr compare assets/harbour.png --models fourier-kan,siren --params 50k --time 30s --out out/30s
  inr compare assets/harbour.png --models siren,wire --steps 200 --json --out out/siren-wire
  inr compare assets/harbour.png --models all,all:paper --time 60s --out out/authors

Every model gets 1,000 steps and 200,000 parameters, or as many as the input has samples, unless
flags say otherwise; one by another recipe keeps the size, batch and steps of that recipe unless
flags give them, and --samples or --time make them comparable. Markdown tables are printed.

The folder out/<name>-compare (of several inputs out/compare/<name>) gets a folder for each model
with its reconstruction, report, model file and so on; compare.json, compare.csv, compare.md, compare.tex and curves.svg (running PSNR
over time) are written after every fit, and so is report.html, a page that shows all of it; of
several inputs after each of them. Runs of the same recipe that are there already are read back,
unfinished ones go on.

With --holdout each model is fitted to a reduced input, rendered at the full size (upsampled.png
or .wav) and measured against the full input, beside bicubic, Lanczos or windowed-sinc
interpolation.")]
pub(super) struct Compare {
    /// Pictures, sounds, shapes, and folders of them
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// The networks, separated by commas: names of inr models, all, or a family such as kan or classical; with a recipe behind a colon
    /// (siren:paper, all:paper) by that recipe
    #[arg(long, value_name = "NAMES", value_delimiter = ',', required = true)]
    models: Vec<String>,
    /// What the networks have in common: parameters (the default without --recipe and --for), bytes of the model file (4 for each of
    /// --params), or nothing, so that every model has the size of its preset, but at most a parameter a sample
    #[arg(long = "match", value_name = "WHAT", help_heading = "Size and budget")]
    size_match: Option<SizeMatch>,
    /// Fit every model once with each of so many seeds (3 is 0, 1 and 2), or with each of these, separated by commas
    #[arg(long, value_name = "SEEDS", value_delimiter = ',', conflicts_with = "seed", value_parser = clap::value_parser!(u32), help_heading = "Size and budget")]
    seeds: Vec<u32>,
    #[command(flatten)]
    holdout: HoldoutFlags,
    /// Where the results go
    #[arg(short, long, value_name = "DIR", help_heading = "Device and output")]
    out: Option<PathBuf>,
    /// Only go on with a comparison that is in the output folder already
    #[arg(long, conflicts_with = "force", help_heading = "Device and output")]
    resume: bool,
    /// How the tables are printed
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "markdown",
        conflicts_with = "json",
        help_heading = "Device and output"
    )]
    format: Format,
    #[command(flatten)]
    flags: RunFlags,
}

/// What all networks of a comparison have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SizeMatch {
    Params,
    Bytes,
    None,
}

/// A table of a comparison on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Markdown,
    Csv,
    Json,
    Latex,
}

impl Format {
    fn text(self, report: &CompareReport) -> String {
        match self {
            Self::Markdown => report.markdown(),
            Self::Csv => report.data().csv(),
            Self::Json => to_json(report),
            Self::Latex => report.latex(),
        }
    }
}

/// The file of every format.
const FILES: [(&str, Format); 4] = [
    (folder::COMPARE, Format::Json),
    (folder::COMPARE_DATA, Format::Csv),
    (folder::COMPARE_TABLE, Format::Markdown),
    (folder::COMPARE_LATEX, Format::Latex),
];

/// What is known so far of a comparison under way.
struct Comparison<'a> {
    talk: &'a Talk,
    device: &'a Chosen,
    plan: &'a Plan,
    report: CompareReport,
    /// The rows of every input: first those of filters, then one for each run, empty until it is there.
    rows: Vec<InputRows>,
    /// The runs that did not reach the PSNR asked for.
    targets_missed: Vec<String>,
}

/// The rows of an input.
struct InputRows {
    filters: Vec<ComparedModel>,
    fits: Vec<Option<ComparedModel>>,
}

impl Compare {
    pub fn run(self) -> Result<Outcome, CliError> {
        let talk = Talk::new(self.flags.step.talk);
        let device = device::choose(self.flags.step.device)?;
        let plan = self.plan(&talk, &device)?;
        interrupt::listen();
        let mut comparison = Comparison::new(&talk, &device, &plan);
        let mut interrupted = false;
        for index in 0..plan.inputs.len() {
            interrupted = comparison.compare(index)? == Outcome::Interrupted;
            // Not after every fit: all inputs are read again for it.
            if plan.inputs.len() > 1 && plan.folder.file(folder::COMPARE).exists() {
                write_page(&plan.folder, &talk)?;
            }
            if interrupted {
                talk.say(match plan.goes_on {
                    true => "interrupted; the same command goes on with it",
                    false => "interrupted; the same command without --force goes on with it",
                });
                break;
            }
        }
        let Comparison {
            report,
            targets_missed,
            ..
        } = comparison;
        let format = match self.flags.step.talk.json {
            true => Format::Json,
            false => self.format,
        };
        print(&format.text(&report))?;
        let failures = report.failures();
        if !failures.is_empty() && !interrupted {
            return Err(CliError::Failed(failures.join("; ")));
        }
        if interrupted {
            return Ok(Outcome::Interrupted);
        }
        if targets_missed.is_empty() {
            return Ok(Outcome::Done);
        }
        talk.say(&format!(
            "the target was not reached by {}; give more --steps or --time, or more --params",
            targets_missed.join(", ")
        ));
        Ok(Outcome::TargetNotReached)
    }
}

impl<'a> Comparison<'a> {
    fn new(talk: &'a Talk, device: &'a Chosen, plan: &'a Plan) -> Self {
        let inputs = plan.inputs.iter().map(|input| ComparedInput {
            input: InputReport::new(&input.path, &input.layout).without_target(),
            models: Vec::new(),
            means: Vec::new(),
            failures: Vec::new(),
        });
        // Runs of an earlier call may have been made elsewhere.
        let runs = plan.inputs.iter().flat_map(|input| &input.runs);
        let devices = runs.map(|run| match &run.finished {
            Some(report) => &*report.device,
            None => &*device.name,
        });
        Self {
            talk,
            device,
            plan,
            report: CompareReport {
                command: command_line::of_this_process(),
                device: distinct(devices).join("; "),
                recipe: plan.recipe.clone(),
                holdout: plan.holdout,
                seeds: plan.seeds.clone(),
                inputs: inputs.collect(),
                means: Vec::new(),
                ranks: Vec::new(),
            },
            rows: plan
                .inputs
                .iter()
                .map(|input| plan.rows_of(input))
                .collect(),
            targets_missed: Vec::new(),
        }
    }

    /// Writes what is known, after every fit, so that a long comparison that is cut short keeps what it found.
    fn keep(&mut self) -> Result<(), CliError> {
        for (index, rows) in self.rows.iter().enumerate() {
            let fits = rows.fits.iter().flatten();
            let models = rows.filters.iter().chain(fits).cloned().collect();
            self.report.set(index, models);
        }
        for (name, format) in FILES {
            let text = format.text(&self.report);
            self.plan.folder.write(name, text.as_bytes())?;
        }
        if self.plan.inputs.len() == 1 {
            write_page(&self.plan.folder, self.talk)?;
        }
        Ok(())
    }

    /// Fits every model to one input.
    fn compare(&mut self, index: usize) -> Result<Outcome, CliError> {
        let input = &self.plan.inputs[index];
        self.announce(index, input);
        // Decoded again and not kept from the planning, so that only one input is in memory.
        let source = input.load(self.plan.holdout)?;
        if let Some(held_out) = &source.held_out {
            self.rows[index].filters = held_out.interpolate(&input.folder)?;
        }
        let mut curves = Vec::new();
        for (place, run) in input.runs.iter().enumerate() {
            if interrupt::requested() {
                return Ok(Outcome::Interrupted);
            }
            let session = Session {
                talk: self.talk,
                device: self.device,
                input: &source.path,
                signal: source.signal.as_ref(),
                resolved: &run.resolved,
                folder: &run.folder,
                resume: self.plan.goes_on,
            };
            let fitted = match &run.finished {
                Some(report) => Ok(report.clone()),
                None => session.fit(),
            };
            let fitted = match fitted {
                Ok(report) => report,
                // One model that cannot be trained is no reason to lose the others.
                Err(CliError::Train(error)) => {
                    self.rows[index].fits[place] = None;
                    self.report.inputs[index].failures.push(ComparedFailure {
                        model: run.model.clone(),
                        recipe: run.resolved.recipe.training.recipe.clone(),
                        seed: run.seed,
                        folder: run.place.clone(),
                        reason: error.to_string(),
                    });
                    self.keep()?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let metrics = match &source.held_out {
                Some(held_out) => held_out.measure(&fitted, run, self.device, self.talk)?,
                None => fitted.metrics.clone(),
            };
            self.talk.say(&format!(
                "{}: {}{}",
                run.place,
                metrics_sentence(&metrics),
                if run.finished.is_some() {
                    " (read back)"
                } else {
                    ""
                }
            ));
            if misses_target(run, &fitted) {
                self.targets_missed.push(run.place.clone());
            }
            let interrupted = fitted.training.stopped_by == StoppedBy::Interrupt;
            let mut fit = ComparedFit::new(&fitted, run.place.clone());
            fit.caveats.off_size = off_size(run);
            self.rows[index].fits[place] = Some(ComparedModel {
                model: run.model.clone(),
                fit: Some(fit),
                metrics,
            });
            let seed = match self.plan.seeds.len() {
                1 => String::new(),
                _ => format!(" seed {}", run.seed),
            };
            curves.push((run.model.clone() + &seed, fitted.training.curve));
            let svg = curves_svg(&input.path.display().to_string(), &curves);
            input.folder.write(folder::CURVES, svg.as_bytes())?;
            self.keep()?;
            if interrupted {
                return Ok(Outcome::Interrupted);
            }
        }
        Ok(Outcome::Done)
    }

    fn announce(&self, index: usize, input: &PlannedInput) {
        let count = self.plan.inputs.len();
        self.talk.say(&format!(
            "{}: {}; {}on {} ({})",
            input.path.display(),
            input.layout.describe(),
            match count {
                1 => String::new(),
                _ => format!("{} of {count}; ", index + 1),
            },
            self.device.name,
            self.device.reason
        ));
        if let Some(reduced) = &input.reduced {
            self.talk.say(reduced);
        }
        // A model has the same size with every seed, and the same recipe on every input of a kind.
        let seed = self.plan.seeds.first();
        let runs = input.runs.iter().filter(|run| Some(&run.seed) == seed);
        let models: Vec<_> = runs.map(|run| (&run.model[..], &run.resolved)).collect();
        let kind = input.layout.kind();
        let earlier = &self.plan.inputs[..index];
        if earlier.iter().all(|other| other.layout.kind() != kind) {
            self.talk.recipes_of_others(&models, kind);
        }
        for (model, resolved) in models {
            self.talk.size(model, resolved);
        }
    }
}

/// How the model of a run differs from the size asked for, if noticeably.
fn off_size(run: &PlannedRun) -> Option<OffSize> {
    let [asked, parameters] = run.resolved.off_size()?;
    Some(match parameters > asked {
        true => OffSize::Larger,
        false => OffSize::Smaller,
    })
}

/// Whether a run should have reached a PSNR and did not.
fn misses_target(run: &PlannedRun, report: &RunReport) -> bool {
    let target = run.resolved.recipe.training.target_psnr_db;
    target.is_some_and(|target| !report.reached(target))
}
