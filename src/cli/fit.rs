//! `inr fit`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::command_line::quoted_path;
use super::flags::RunFlags;
use super::folder::{self, Folder, FolderError};
use super::load::load_signal;
use super::report::write_page;
use super::session::{Session, metrics_sentence};
use super::talk::{Talk, format_duration};
use super::{CliError, Outcome, interrupt, print};
use crate::config::{Resolved, SignalFacts, check, resolve};
use crate::device::{self, DeviceChoice};
use crate::report::{RunReport, format_count, to_json};
use crate::signal::{self, Footprint, Signal};
use crate::train::StoppedBy;

/// Fit a network to a picture, a sound or a shape; keeps the model, the reconstruction and a report
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  inr fit assets/harbour.png
  inr fit assets/harbour.png --model siren --params 50k --time 20s
  inr fit assets/harbour.png --target-psnr 30 --out out/harbour-30db
  inr fit assets/harbour.png --config configs/wire.toml --set training.batch_size=4096 --steps 100
  inr fit assets/harbour.png --for upsampling --out out/harbour-between
  inr fit assets/harbour.png --model siren --html --out out/harbour-page
  inr fit assets/chime.wav
  inr fit assets/knot.ply
  inr fit assets/knot.ply --resolution 128 --reconstruction obj --out out/knot-obj

The folder out/<name>-<model> gets model.safetensors, report.json, metrics.jsonl, recipe.toml
and checkpoint.safetensors; for a picture reconstruction.png and error.png (white is an error of
1/8 of the range), for a sound reconstruction.wav and spectrograms of original, reconstruction
and error; for a shape reconstruction.ply (or the format of --reconstruction), preview.png and
orbit.gif. Its path is printed.")]
pub(super) struct Fit {
    /// A picture (PNG, JPEG, TIFF, WebP, BMP, PNM, QOI, HDR or EXR), a sound (WAV), a shape (OBJ,
    /// PLY, STL, OFF, GLB, XYZ or NPY), or a formula such as sdf:torus(0.5,0.2); an unknown name in it
    /// tells all
    input: PathBuf,
    /// Which network: one of inr models
    #[arg(long, value_name = "NAME", help_heading = "Recipe")]
    model: Option<String>,
    /// A recipe in TOML: one of configs/, or the recipe.toml of an earlier run
    #[arg(long, value_name = "FILE", help_heading = "Recipe")]
    config: Option<PathBuf>,
    /// Where the results go
    #[arg(short, long, value_name = "DIR", help_heading = "Device and output")]
    out: Option<PathBuf>,
    /// Go on with the run in the output folder; flags that are not given again are those of its recipe
    #[arg(long, conflicts_with = "force", help_heading = "Device and output")]
    resume: bool,
    /// Points along the longest side of the box around a shape, of which its mesh is made; 256 unless given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32), help_heading = "Device and output")]
    resolution: Option<u32>,
    /// Ending of the file that the reconstruction goes into: ply (the default), obj, stl or glb of a shape
    #[arg(long, value_name = "ENDING", help_heading = "Device and output")]
    reconstruction: Option<String>,
    /// Leave report.html as well, a page that shows all of it in any browser
    #[arg(long, help_heading = "Device and output")]
    html: bool,
    #[command(flatten)]
    flags: RunFlags,
}

impl Fit {
    pub fn run(self) -> Result<Outcome, CliError> {
        let talk = Talk::new(self.flags.step.talk);
        let signal = load_signal(&self.input, &talk)?;
        let (resolved, folder) = self.prepare(signal.as_ref())?;
        let device = device::choose(self.flags.step.device)?;
        let aimed = signal.with_target(resolved.recipe.training.target)?;
        let layout = aimed.as_deref().unwrap_or(signal.as_ref()).layout();
        talk.say(&format!(
            "{}: {}; {} with {} parameters; on {} ({})",
            self.input.display(),
            layout.describe(),
            resolved.recipe.model.preset,
            format_count(resolved.network.parameter_count() as u64),
            device.name,
            device.reason
        ));
        talk.recipes_of_others(&[(&resolved.recipe.model.preset, &resolved)], layout.kind());
        talk.size(&resolved.recipe.model.preset, &resolved);
        let segments = resolved.network.segments();
        if let Some(seconds) = layout.seconds().filter(|_| segments > 1) {
            let seconds = seconds / segments as f64;
            let digits = if seconds < 0.1 { 3 } else { 1 };
            talk.say(&format!(
                "fitted in {segments} segments of {seconds:.digits$} s with weights of their own; --segment sets their length"
            ));
        }
        talk.recipe(&resolved);
        interrupt::listen();
        let session = Session {
            talk: &talk,
            device: &device,
            input: &self.input,
            signal: signal.as_ref(),
            resolved: &resolved,
            folder: &folder,
            resume: self.resume,
        };
        let mut report = session.fit()?;
        // A page of an earlier part of the run would be out of date.
        if self.html || folder.file(folder::REPORT_PAGE).exists() {
            report.files.push(folder::REPORT_PAGE.into());
            folder.write(folder::REPORT, to_json(&report).as_bytes())?;
            write_page(&folder, &talk)?;
        }

        talk.say(&format!(
            "{} after {} step{} in {}; {} is {:.1} kB",
            metrics_sentence(&report.metrics),
            format_count(report.training.steps),
            if report.training.steps == 1 { "" } else { "s" },
            format_duration(report.training.seconds),
            folder::MODEL,
            report.model.bytes as f64 / 1e3
        ));
        // That of an area is of other values than the final one.
        if resolved.recipe.training.footprint == Footprint::Point
            && let Some(running) = running_sentence(&report)
        {
            talk.say(&running);
        }
        let place = quoted_path(&folder.path().to_string_lossy());
        if self.flags.step.talk.json {
            print(&to_json(&report))?;
        } else {
            print(&format!("{}\n", folder.path().display()))?;
        }
        if report.training.stopped_by == StoppedBy::Interrupt {
            talk.say(&format!(
                "interrupted; go on with: inr fit {} --resume --out {place}{}",
                quoted_path(&self.input.to_string_lossy()),
                match self.flags.step.device {
                    DeviceChoice::Auto => String::new(),
                    device => format!(" --device {device}"),
                }
            ));
            return Ok(Outcome::Interrupted);
        }
        let target = resolved.recipe.training.target_psnr_db;
        match target {
            Some(target) if !report.reached(target) => {
                talk.say(&format!("the target of {target} dB was not reached; give more --steps or --time, or more --params"));
                Ok(Outcome::TargetNotReached)
            }
            _ => Ok(Outcome::Done),
        }
    }

    /// Resolves the recipe and makes the folder, whose default name holds the model's.
    fn prepare(&self, signal: &dyn Signal) -> Result<(Resolved, Folder), CliError> {
        let mut request = self.flags.request()?;
        request.model.clone_from(&self.model);
        request.file.clone_from(&self.config);
        // Before --set, which goes over flags.
        let mut set =
            |path: &str, value: toml::Value| request.settings.insert(0, (path.into(), value));
        if let Some(resolution) = self.resolution {
            set("reconstruction.resolution", i64::from(resolution).into());
        }
        if let Some(ending) = &self.reconstruction {
            set("reconstruction.ending", ending.to_ascii_lowercase().into());
        }
        let kind = signal.layout().kind();
        let path = match &self.out {
            Some(path) => path.clone(),
            None => {
                let model = check(&request, kind)?;
                let stem = signal::name(&self.input);
                PathBuf::from("out").join(format!("{stem}-{model}"))
            }
        };
        if self.resume {
            if !path.join(folder::CHECKPOINT).is_file() {
                return Err(FolderError::NoCheckpoint(path).into());
            }
            let recipe = path.join(folder::RECIPE);
            if request.file.is_none() && recipe.exists() {
                // Flags are laid over the recipe of the run and not over a preset, which may have other layers.
                request.file = Some(recipe);
            }
        }
        check(&request, kind)?;
        let resolved = resolve(&request, &SignalFacts::of(signal))?;
        resolved.recipe.reconstruction.check(&signal.layout())?;
        let folder = Folder::open(&path, self.flags.force, self.resume)?;
        folder.spare(&self.input, &[])?;
        if let Some(config) = self.config.as_ref().filter(|_| !self.resume)
            && is_same_file(config, &folder.file(folder::RECIPE))
        {
            return Err(CliError::Usage(format!(
                "--config {} lies where the run writes its own recipe; give --out DIR to write elsewhere",
                config.display()
            )));
        }
        Ok((resolved, folder))
    }
}

/// Whether both are there and one file.
fn is_same_file(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// The running PSNR of a run by the recipe of others, which most of them quote.
fn running_sentence(report: &RunReport) -> Option<String> {
    report.training.recipe.as_ref()?;
    report.metrics.get("psnr_db")?;
    let curve = &report.training.curve;
    let running = curve.iter().map(|point| point.running_psnr_db);
    let highest = running.reduce(f64::max)?;
    let last = curve.last()?.running_psnr_db;
    Some(format!(
        "running PSNR, the figure that most papers quote: {last:.2} dB at the end, {highest:.2} dB at the highest point of the curve"
    ))
}
