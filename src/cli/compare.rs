//! `inr compare`.

use std::path::PathBuf;

use clap::Args;

use super::flags::RunFlags;
use super::folder::{self, Folder};
use super::load::{facts, load_signal};
use super::session::{Session, metrics_sentence};
use super::talk::Talk;
use super::{CliError, Outcome, interrupt, print};
use crate::config::{Request, Resolved, resolve};
use crate::device;
use crate::report::{CompareReport, ComparedModel, InputReport, format_count, to_json};
use crate::train::StoppedBy;

/// Parameters of every model of a comparison without `--params`, or as many as the signal has samples if that is less.
const DEFAULT_PARAMETERS: usize = 200_000;

/// Networks count as equally large when they differ by no more than this share.
const SAME_SIZE: f64 = 0.03;

/// Fit several networks to one picture with the same budget and the same number of parameters
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  inr compare assets/harbour.png --models fourier-kan,siren,wire
  inr compare assets/harbour.png --models fourier-kan,siren --params 50k --time 30s --out out/30s
  inr compare assets/harbour.png --models siren,wire --steps 200 --json --out out/siren-wire

A Markdown table is printed. The folder out/<name>-compare gets compare.json and a folder for each
model with its reconstruction, error picture, report and model file.")]
pub(super) struct Compare {
    /// The picture
    input: PathBuf,
    /// The networks, separated by commas: names of inr models
    #[arg(long, value_name = "NAMES", value_delimiter = ',', required = true)]
    models: Vec<String>,
    /// Where the results go
    #[arg(long, value_name = "DIR", help_heading = "Device and output")]
    out: Option<PathBuf>,
    #[command(flatten)]
    flags: RunFlags,
}

impl Compare {
    pub fn run(self) -> Result<Outcome, CliError> {
        let talk = Talk::new(self.flags.step.talk);
        let signal = load_signal(&self.input, &talk)?;
        let facts = facts(signal.as_ref());
        let mut request = self.flags.request()?;
        if request_parameters(&request).is_none() {
            let parameters = DEFAULT_PARAMETERS.min(facts.samples.max(1));
            request.set("model.parameters", parameters as i64);
        }
        // Every model is resolved before the first one is trained, so that a misspelt name costs no time.
        let runs = self
            .models
            .iter()
            .map(|model| {
                let request = Request {
                    model: Some(model.clone()),
                    ..request.clone()
                };
                Ok(resolve(&request, &facts)?)
            })
            .collect::<Result<Vec<Resolved>, CliError>>()?;
        self.check(&runs)?;

        let stem = self.input.file_stem().unwrap_or_default().to_string_lossy();
        let path = self
            .out
            .clone()
            .unwrap_or_else(|| PathBuf::from("out").join(format!("{stem}-compare")));
        let whole = Folder::open(&path, self.flags.force, false)?;
        let folders = self
            .models
            .iter()
            .map(|model| Folder::open(&path.join(model), self.flags.force, false))
            .collect::<Result<Vec<_>, _>>()?;
        let device = device::choose(self.flags.step.device)?;
        talk.say(&format!(
            "{}: {}; on {} ({})",
            self.input.display(),
            signal.layout().describe(),
            device.name,
            device.reason
        ));
        for resolved in &runs {
            let parameters = resolved.network.parameter_count();
            let asked = request_parameters(&request).unwrap_or(parameters);
            if parameters.abs_diff(asked) as f64 > SAME_SIZE * asked as f64 {
                talk.say(&format!(
                    "{} cannot come nearer to {} parameters than {}",
                    resolved.recipe.model.preset,
                    format_count(asked as u64),
                    format_count(parameters as u64)
                ));
            }
        }

        interrupt::listen();
        let mut report = CompareReport {
            input: InputReport::new(&self.input, &signal.layout()),
            device: device.name.clone(),
            seed: runs.first().map_or(0, |r| r.recipe.training.seed),
            models: Vec::new(),
        };
        let mut failures = Vec::new();
        let mut interrupted = false;
        let mut target_missed = false;
        for ((resolved, folder), model) in runs.iter().zip(&folders).zip(&self.models) {
            let session = Session {
                talk: &talk,
                device: &device,
                input: &self.input,
                signal: signal.as_ref(),
                resolved,
                folder,
                resume: false,
            };
            let run = match session.fit() {
                Ok(run) => run,
                // One model that cannot be trained is no reason to lose the others.
                Err(CliError::Train(error)) => {
                    failures.push(format!("{model}: {error}"));
                    continue;
                }
                Err(error) => return Err(error),
            };
            talk.say(&format!("{model}: {}", metrics_sentence(&run)));
            interrupted = run.training.stopped_by == StoppedBy::Interrupt;
            target_missed |= resolved
                .recipe
                .training
                .target_psnr_db
                .zip(run.metrics.get("psnr_db"))
                .is_some_and(|(target, psnr)| psnr < target);
            report.models.push(ComparedModel {
                model: model.clone(),
                parameters: run.model.parameters,
                steps: run.training.steps,
                samples_seen: run.training.samples_seen,
                seconds: run.training.seconds,
                stopped_by: run.training.stopped_by,
                metrics: run.metrics,
                folder: model.clone(),
            });
            // After every model, so that a long comparison that is cut short keeps what it found.
            whole.write(folder::COMPARE, to_json(&report).as_bytes())?;
            if interrupted {
                break;
            }
        }
        if self.flags.step.talk.json {
            print(&to_json(&report))?;
        } else {
            print(&report.table())?;
        }
        if !failures.is_empty() && !interrupted {
            return Err(CliError::Failed(failures.join("; ")));
        }
        Ok(match (interrupted, target_missed) {
            (true, _) => Outcome::Interrupted,
            (false, true) => Outcome::TargetNotReached,
            (false, false) => Outcome::Done,
        })
    }

    /// Refuses a name given twice, whose results would overwrite each other.
    fn check(&self, runs: &[Resolved]) -> Result<(), CliError> {
        let mut names: Vec<&str> = runs
            .iter()
            .map(|r| r.recipe.model.preset.as_str())
            .collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(CliError::Usage(format!("--models names {} twice", pair[0]))),
            None => Ok(()),
        }
    }
}

/// The number of parameters that was asked for.
fn request_parameters(request: &Request) -> Option<usize> {
    let (_, value) = request
        .settings
        .iter()
        .rev()
        .find(|(path, _)| path == "model.parameters")?;
    usize::try_from(value.as_integer()?).ok()
}
