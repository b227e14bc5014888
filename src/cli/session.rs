//! One fit from a resolved recipe to a folder full of results.

use std::path::Path;

use serde_json::{Value, json};

use super::CliError;
use super::folder::{self, Folder, FolderError};
use super::interrupt::{self, AtOnce};
use super::talk::{Talk, format_duration, format_times};
use crate::config::{Recipe, Resolved};
use crate::device::{Chosen, is_same_arithmetic};
use crate::model::Parameters;
use crate::model::file::{FORMAT, Header, Model};
use crate::render::{self, Field, Metrics, Rendering};
use crate::report::{
    InputReport, ModelReport, RunReport, TrainingReport, VERSION, format_metric, metrics_line,
    to_json,
};
use crate::signal::{Layout, Signal};
use crate::train::{
    self, CheckpointError, CurvePoint, Event, Flow, Run, State, StoppedBy, Training,
};

/// What is fitted, how, where to, and who is told.
pub(super) struct Session<'a> {
    pub talk: &'a Talk,
    pub device: &'a Chosen,
    /// The file as named on the command line.
    pub input: &'a Path,
    pub signal: &'a dyn Signal,
    pub resolved: &'a Resolved,
    pub folder: &'a Folder,
    /// Go on from the checkpoint in the folder, if there is one.
    pub resume: bool,
}

impl Session<'_> {
    /// Trains, renders, measures and writes everything. A fresh run that fails before its first checkpoint leaves nothing behind.
    pub fn fit(&self) -> Result<RunReport, CliError> {
        let result = self.run();
        if result.is_err() && !self.folder.file(folder::CHECKPOINT).exists() {
            for file in [folder::RECIPE, folder::METRICS] {
                // The first failure is the one to report.
                let _ = self.folder.remove(file);
            }
        }
        result
    }

    fn run(&self) -> Result<RunReport, CliError> {
        self.aimed(|session| session.run_aimed())
    }

    /// What `run` makes of this session with the targets that the recipe wants.
    fn aimed<T>(&self, run: impl FnOnce(&Session) -> Result<T, CliError>) -> Result<T, CliError> {
        let target = self.resolved.recipe.training.target;
        let aimed = self.signal.with_target(target)?;
        run(&Session {
            signal: aimed.as_deref().unwrap_or(self.signal),
            ..*self
        })
    }

    fn run_aimed(&self) -> Result<RunReport, CliError> {
        let recipe = &self.resolved.recipe;
        let name = recipe.model.preset.as_str();
        let training = recipe.training.training(self.signal.samples());
        let layout = self.signal.layout().with_footprint(training.footprint);
        let mut state = self.start(&training)?;
        let text = toml::to_string_pretty(recipe).expect("a recipe is plain data");
        self.folder.write(folder::RECIPE, text.as_bytes())?;

        let stopped_by = self.train(name, &training, &layout, &mut state)?;
        // Of a run that was finished before nothing was told, and the file may be lost.
        self.write_curve(&state.curve)?;
        if stopped_by == StoppedBy::Interrupt {
            self.talk.say(&format!(
                "{name}: interrupted after step {}; what was learnt is kept and is now drawn; press Ctrl-C again to leave the drawing to --resume",
                state.step
            ));
        }
        let restorations = state.restorations();
        if restorations > 0 {
            let often = format_times(restorations);
            self.talk
                .say(&format!("{name}: taken back to an earlier state {often}"));
        }

        // Before anything is drawn, which may take longer than somebody waits.
        let model = model(self.resolved, &layout, state.parameters);
        let bytes = model.to_bytes();
        self.folder.write(folder::MODEL, &bytes)?;
        let at_once = AtOnce::new(format!(
            "interrupted while it was drawn; {} holds what was learnt, and --resume draws it",
            self.folder.file(folder::MODEL).display()
        ));
        let rendering = self.reconstruct(&model.parameters, &layout)?;
        self.talk.clear();
        if let Some(remark) = rendering.remark() {
            self.talk.say(&format!("{name}: {remark}"));
        }
        let metrics = render::measure(self.signal, &rendering)?;
        let stopped_by = match (stopped_by, training.budget.target_psnr_db) {
            // The last steps may have reached it unseen.
            (StoppedBy::Steps | StoppedBy::Time, Some(target)) => {
                let psnr_db = match metrics.get("psnr_db") {
                    Some(psnr_db) => psnr_db,
                    None => render::measure_psnr_db(self.signal, &rendering)?,
                };
                match psnr_db >= target {
                    true => StoppedBy::Target,
                    false => stopped_by,
                }
            }
            _ => stopped_by,
        };
        let reconstruction = format!(
            "{}.{}",
            folder::RECONSTRUCTION,
            recipe.reconstruction.ending(&rendering)
        );
        let encoded = rendering.encode(Path::new(&reconstruction))?;
        let companions = rendering.companions(self.signal)?;
        drop(at_once);
        self.folder.write(&reconstruction, &encoded)?;
        for (name, bytes) in &companions {
            self.folder.write(name, bytes)?;
        }
        let drawn = companions.iter().map(|(name, _)| *name);
        let drawn: Vec<&str> = drawn.chain([reconstruction.as_str()]).collect();
        let earlier = self.folder.read(folder::REPORT)?;
        let earlier = earlier.and_then(|bytes| serde_json::from_slice::<RunReport>(&bytes).ok());
        if let Some(earlier) = earlier {
            self.folder.remove_drawn(&earlier.files, &drawn)?;
        }
        let mut files = vec![folder::MODEL, reconstruction.as_str()];
        files.extend(companions.iter().map(|(name, _)| *name));
        files.extend([
            folder::REPORT,
            folder::METRICS,
            folder::RECIPE,
            folder::CHECKPOINT,
        ]);
        let report = RunReport {
            version: VERSION.into(),
            input: InputReport::new(self.input, &self.signal.layout()),
            checksum: Some(self.signal.checksum()),
            model: ModelReport::new(name, &self.resolved.network, bytes.len()),
            device: self.device.name.clone(),
            seed: training.seed,
            training: TrainingReport {
                recipe: recipe.training.recipe.clone(),
                recipe_changes: self.resolved.recipe_changes.clone(),
                deviations: self.resolved.deviations.clone(),
                steps: state.step,
                batch_size: training.batch_size,
                samples_seen: state.step * training.batch_size as u64,
                seconds: state.seconds,
                optimizer: json!(training.optimizer.kind),
                stopped_by,
                restorations,
                curve: state.curve,
            },
            metrics,
            files: files.into_iter().map(String::from).collect(),
        };
        self.folder
            .write(folder::REPORT, to_json(&report).as_bytes())?;
        Ok(report)
    }

    /// The report of the run in the folder, if there is one that is finished.
    ///
    /// # Errors
    /// [`FolderError::OtherRun`] when what is there, finished or not, is not a run of this input and recipe: then there is nothing
    /// to go on with.
    pub fn read_back(&self) -> Result<Option<RunReport>, CliError> {
        self.aimed(|session| session.read_back_aimed())
    }

    fn read_back_aimed(&self) -> Result<Option<RunReport>, CliError> {
        let Some(recipe) = self.folder.read(folder::RECIPE)? else {
            return match self.folder.holds_results() {
                true => Err(self.other_run(format!("it has no {}", folder::RECIPE))),
                false => Ok(None),
            };
        };
        let damaged = |name, reason| FolderError::Damaged {
            path: self.folder.file(name),
            reason,
        };
        let report = self.folder.read(folder::REPORT)?;
        let report: Option<RunReport> = report
            .map(|bytes| serde_json::from_slice(&bytes))
            .transpose()
            .map_err(|e| FolderError::DamagedReport {
                path: self.folder.file(folder::REPORT),
                reason: e.to_string(),
            })?;
        let input = InputReport::new(self.input, &self.signal.layout());
        let was_another = || self.other_run(format!("{} was another then", input.path));
        if let Some(report) = &report {
            let is_same_content = match report.checksum {
                Some(checksum) => checksum == self.signal.checksum(),
                None => report.input.path == input.path,
            };
            // The same file may be named from elsewhere.
            if report.input.layout != input.layout || !is_same_content {
                return Err(match report.input.path == input.path {
                    true => was_another(),
                    false => self.other_run(format!(
                        "it is of {}, not of {}",
                        report.input.path, input.path
                    )),
                });
            }
            if report.version != VERSION {
                return Err(FolderError::OtherVersion {
                    folder: self.folder.path().to_owned(),
                    version: report.version.clone(),
                }
                .into());
            }
            // The number of threads changes no bit, but how far a run comes in its seconds.
            let has_clock = self.resolved.recipe.training.seconds.is_some();
            let is_same_device = match has_clock {
                true => report.device == self.device.name,
                false => is_same_arithmetic(&report.device, &self.device.name),
            };
            if !is_same_device {
                return Err(self.other_run(format!(
                    "it ran on {}, not on {}",
                    report.device, self.device.name
                )));
            }
        }
        let recipe: Recipe = std::str::from_utf8(&recipe)
            .map_err(|e| e.to_string())
            .and_then(|text| toml::from_str(text).map_err(|e| e.message().to_string()))
            .map_err(|reason| damaged(folder::RECIPE, reason))?;
        let mut wanted = self.resolved.recipe.clone();
        if recipe.training.recipe.is_none() {
            // Runs of before it was kept have the same settings without the name.
            wanted.training.recipe = None;
        }
        if let Some(difference) = train::first_difference(&json!(recipe), &json!(wanted)) {
            return Err(self.other_run(difference));
        }
        let checkpoint = self.folder.read(folder::CHECKPOINT)?;
        let is_finished = report.as_ref().is_some_and(|report| {
            report.training.stopped_by != StoppedBy::Interrupt && self.is_whole(report)
        });
        if let Some(bytes) = &checkpoint {
            let training = self
                .resolved
                .recipe
                .training
                .training(self.signal.samples());
            match self.resumed(&training, bytes) {
                Ok(_) => (),
                // Nothing is left to do that it would be needed for.
                Err(CheckpointError::Damaged(_)) if is_finished => (),
                Err(CheckpointError::Damaged(reason)) => {
                    return Err(damaged(folder::CHECKPOINT, reason).into());
                }
                Err(CheckpointError::OtherRecipe(difference)) => {
                    return Err(self.other_run(difference));
                }
                Err(CheckpointError::OtherContent) => return Err(was_another()),
            }
        }
        match report {
            Some(report) if is_finished => Ok(Some(report)),
            Some(_) if checkpoint.is_none() => {
                Err(FolderError::NoCheckpoint(self.folder.path().to_owned()).into())
            }
            _ => Ok(None),
        }
    }

    /// Whether the results of a run are all still there; what is lost is made again of the checkpoint.
    fn is_whole(&self, report: &RunReport) -> bool {
        let mut files = report.files.iter();
        files.all(|name| name == folder::CHECKPOINT || self.folder.file(name).exists())
    }

    fn other_run(&self, difference: String) -> CliError {
        let folder = self.folder.path().to_owned();
        FolderError::OtherRun { folder, difference }.into()
    }

    /// The state in a checkpoint of this run.
    fn resumed(&self, training: &Training, checkpoint: &[u8]) -> Result<State, CheckpointError> {
        let parameters = self.resolved.network.initialize(training.seed);
        let identity = self.identity(training);
        train::from_bytes(checkpoint, training, parameters, &identity)
    }

    /// The state to begin with: fresh, or that of the checkpoint.
    fn start(&self, training: &Training) -> Result<State, CliError> {
        if self.resume
            && let Some(bytes) = self.folder.read(folder::CHECKPOINT)?
        {
            let state = self
                .resumed(training, &bytes)
                .map_err(|error| match error {
                    CheckpointError::Damaged(reason) => CliError::from(FolderError::Damaged {
                        path: self.folder.file(folder::CHECKPOINT),
                        reason,
                    }),
                    other => other.into(),
                })?;
            if let Some(steps) = training.budget.steps.filter(|&steps| steps < state.step) {
                return Err(CliError::Usage(format!(
                    "the run in {} has made {} steps, and is to end after {steps}; give a later end, or start again with --force",
                    self.folder.path().display(),
                    state.step
                )));
            }
            let name = &self.resolved.recipe.model.preset;
            let device = match self.earlier_device()? {
                Some(earlier) if earlier != self.device.name => {
                    format!(" on {}; it ran on {earlier} before", self.device.name)
                }
                _ => String::new(),
            };
            self.talk
                .say(&format!("{name}: resuming at step {}{device}", state.step));
            return Ok(state);
        }
        self.folder.clear()?;
        let parameters = self.resolved.network.initialize(training.seed);
        Ok(State::new(training, parameters))
    }

    /// What the run in the folder ran on, if that was told.
    fn earlier_device(&self) -> Result<Option<String>, FolderError> {
        let report = self.folder.read(folder::REPORT)?;
        let report = report.and_then(|bytes| serde_json::from_slice::<RunReport>(&bytes).ok());
        Ok(report.map(|report| report.device))
    }

    /// What a checkpoint must have in common with the run that goes on from it: all that changes the steps already made.
    fn identity(&self, training: &Training) -> Value {
        json!({
            train::SIGNAL: self.signal.layout(),
            "footprint": training.footprint,
            train::CONTENT: self.signal.checksum(),
            "layers": self.resolved.network.layers(),
            "segments": self.resolved.network.segments(),
            "optimizer": training.optimizer,
            "loss": training.loss,
            "batch_size": training.batch_size,
            "candidates": (training.candidates != 1).then_some(training.candidates),
            "spectral_weight": (training.spectral_weight != 0.0).then_some(training.spectral_weight),
            "slack": training.slack,
            "seed": training.seed,
        })
    }

    fn write_curve(&self, points: &[CurvePoint]) -> Result<(), FolderError> {
        let lines: String = points.iter().map(metrics_line).collect();
        self.folder.write(folder::METRICS, lines.as_bytes())
    }

    fn train(
        &self,
        name: &str,
        training: &Training,
        layout: &Layout,
        state: &mut State,
    ) -> Result<StoppedBy, CliError> {
        let identity = self.identity(training);
        let mut points = state.curve.clone();
        let mut failure: Option<FolderError> = None;
        let mut listener = |event: Event| {
            let written = match event {
                Event::Step(progress) => {
                    self.talk.training(name, &progress);
                    Ok(())
                }
                Event::Evaluated(point) => {
                    self.talk.detail(&format!(
                        "{name}: step {} {} loss {:.3e} {:.2} dB running",
                        point.step,
                        format_duration(point.seconds),
                        point.loss,
                        point.running_psnr_db
                    ));
                    points.push(point);
                    self.write_curve(&points)
                }
                Event::Restored {
                    step,
                    back_to,
                    learning_rate_factor,
                } => {
                    self.talk.say(&format!(
                        "{name}: the loss exploded at step {step}; back to step {back_to} with learning rates × {learning_rate_factor}"
                    ));
                    points.retain(|point| point.step <= back_to);
                    Ok(())
                }
                Event::Checkpoint(state) => self
                    .folder
                    .write(folder::CHECKPOINT, &train::to_bytes(state, &identity)),
            };
            match written {
                Err(error) => {
                    failure.get_or_insert(error);
                    Flow::Stop
                }
                Ok(()) if interrupt::requested() => Flow::Stop,
                Ok(()) => Flow::Continue,
            }
        };
        let mut engine = self.device.engine();
        let run = Run {
            training,
            network: &self.resolved.network,
            signal: self.signal,
        };
        let stopped = run.train(
            engine.as_mut(),
            state,
            &mut listener,
            &mut |engine, parameters| {
                let field = Field {
                    network: &self.resolved.network,
                    parameters,
                    layout,
                };
                // As the reconstruction, without the pictures that go with it.
                let rendering = render::render_like(field, layout, engine, &mut |_| ())
                    .map_err(|e| crate::engine::EngineError(e.to_string()))?;
                render::measure_psnr_db(self.signal, &rendering)
                    .map_err(|e| crate::engine::EngineError(e.to_string()))
            },
        );
        if stopped.is_err() && state.step > 0 {
            // What was learnt before the failure is kept if it can be; the first failure is the one to report.
            let _ = self
                .folder
                .write(folder::CHECKPOINT, &train::to_bytes(state, &identity));
        }
        let stopped = stopped?;
        match failure {
            Some(error) => Err(error.into()),
            None => Ok(stopped),
        }
    }

    fn reconstruct(&self, parameters: &Parameters, layout: &Layout) -> Result<Rendering, CliError> {
        let field = Field {
            network: &self.resolved.network,
            parameters,
            layout,
        };
        let mut engine = self.device.engine();
        Ok(render::reconstruct(
            field,
            &self.resolved.recipe.reconstruction,
            engine.as_mut(),
            &mut |fraction| {
                self.talk.working("rendering", fraction);
            },
        )?)
    }
}

/// The model file of a run on a signal of `layout`, with these weights.
pub(super) fn model(resolved: &Resolved, layout: &Layout, parameters: Parameters) -> Model {
    let (recipe, network) = (&resolved.recipe, &resolved.network);
    Model {
        header: Header {
            format: FORMAT,
            name: recipe.model.preset.clone(),
            d_in: layout.d_in(),
            d_out: layout.d_out(),
            layers: network.layers().to_vec(),
            segments: network.segments(),
            signal: json!(layout),
            recipe: json!(recipe),
            seed: recipe.training.seed,
        },
        network: network.clone(),
        parameters,
    }
}

/// Metrics in one line, for people.
pub(super) fn metrics_sentence(metrics: &Metrics) -> String {
    metrics
        .0
        .iter()
        .map(|(name, value)| format!("{name} {}", format_metric(name, *value)))
        .collect::<Vec<_>>()
        .join(", ")
}
