//! `inr bench`.

use std::path::PathBuf;

use clap::Args;

use super::flags::StepFlags;
use super::talk::Talk;
use super::{CliError, Outcome, print};
use crate::config::{CUSTOM, PRESETS, Request, Resolved, SignalFacts, resolve};
use crate::device::{self, Chosen, PeakMemory};
use crate::model::Hints;
use crate::report::{BenchReport, BenchedModel, to_json};
use crate::train::bench::{self, Places};

/// Parameters of every preset without `--params`, so that all of them are of one size.
const DEFAULT_PARAMETERS: i64 = 200_000;

/// Samples a step of every preset without `--batch`.
const DEFAULT_BATCH: i64 = 16_384;

/// Columns and rows of the imagined picture whose samples are the batch.
const PICTURE: [usize; 2] = [768, 512];

/// Time a training step and the evaluation of every model on this machine
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  inr bench --models siren --params 2k --batch 1024
  inr bench --models fourier-kan --profile
  inr bench --config configs/wire.toml --json

Without flags every model is timed with 200,000 parameters on batches of 16,384 samples, a few
seconds each. The batch is random samples of a detailed picture of 768x512 RGB pixels, so it has
at most as many, and the networks are sized for it. A Markdown table is printed: times are
medians, GFLOP/s count the matrix products of the formulas alone, and the peak is what the
processor reaches in matrix products that stay in its cache.")]
pub(super) struct Bench {
    /// The networks, separated by commas: names of inr models; all of them if not given
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    models: Vec<String>,
    /// A recipe in TOML instead: one of configs/, or the recipe.toml of a run on a picture
    #[arg(long, value_name = "FILE", conflicts_with = "models")]
    config: Option<PathBuf>,
    /// Take samples anywhere instead of at the pixels of a picture, where some layers are faster
    #[arg(long)]
    anywhere: bool,
    /// Say where the time of a step goes, layer by layer
    #[arg(long, help_heading = "Device and output")]
    profile: bool,
    #[command(flatten)]
    flags: StepFlags,
}

impl Bench {
    pub fn run(self) -> Result<Outcome, CliError> {
        let talk = Talk::new(self.flags.talk);
        // Every model is resolved before the first one is timed, so that a misspelt name costs no time.
        let runs = self.runs()?;
        let device = device::choose(self.flags.device)?;
        talk.say(&format!("on {} ({})", device.name, device.reason));
        let mut peak: Option<f64> = None;
        let mut models = Vec::new();
        for (name, resolved) in &runs {
            // Beside every model, for a machine is not equally fast at all times; the best counts.
            peak = device
                .matrix_product_gflops()
                .map(|gflops| gflops.max(peak.unwrap_or(0.0)));
            models.push(self.time(&talk, &device, name, resolved)?);
        }
        talk.clear();
        let report = BenchReport::new(&device.name, peak, models);
        if self.profile && report.models.iter().any(|m| m.profile.is_none()) {
            talk.say(&format!(
                "{} does not tell where the time of a step goes",
                device.name
            ));
        }
        if self.flags.talk.json {
            print(&to_json(&report))?;
        } else {
            print(&report.text())?;
        }
        Ok(Outcome::Done)
    }

    /// The models with the names that they are reported under.
    fn runs(&self) -> Result<Vec<(String, Resolved)>, CliError> {
        let mut flags = Request::default();
        self.flags.add_to(&mut flags)?;
        let own_layers = flags
            .settings
            .iter()
            .any(|(path, _)| path == "model.layers");
        let mut request = Request::default();
        // A recipe must have an end, and any will do: steps are timed until there are enough of them.
        request.set("training.steps", 1);
        if self.config.is_none() {
            request.set("training.batch_size", DEFAULT_BATCH);
            if !own_layers {
                request.set("model.parameters", DEFAULT_PARAMETERS);
            }
        }
        request.settings.append(&mut flags.settings);
        let facts = picture();
        if let Some(path) = &self.config {
            request.file = Some(path.clone());
            let resolved = resolve(&request, &facts)?;
            let name = match resolved.recipe.model.preset.as_str() {
                CUSTOM => path
                    .file_stem()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into(),
                preset => preset.to_string(),
            };
            return Ok(vec![(name, resolved)]);
        }
        let names = match self.models.as_slice() {
            [] => PRESETS
                .iter()
                .map(|preset| preset.name.to_string())
                .collect(),
            names => names.to_vec(),
        };
        names
            .into_iter()
            .map(|name| {
                request.model = Some(name.clone());
                Ok((name, resolve(&request, &facts)?))
            })
            .collect()
    }

    fn time(
        &self,
        talk: &Talk,
        device: &Chosen,
        name: &str,
        resolved: &Resolved,
    ) -> Result<BenchedModel, CliError> {
        talk.recipe(resolved);
        let training = resolved.recipe.training.training(picture().samples);
        let memory = PeakMemory::watch();
        let timing = bench::time(
            device.engine().as_mut(),
            &resolved.network,
            &training,
            if self.anywhere {
                Places::Anywhere
            } else {
                Places::Grid(&PICTURE)
            },
            &mut |fraction| talk.working(name, fraction),
        )?;
        let mut model = BenchedModel::new(name, &resolved.network, training.batch_size, &timing);
        model.peak_memory_bytes = memory.bytes();
        if !self.profile {
            model.profile = None;
        }
        talk.detail(&format!(
            "{name}: {} steps timed, {:.1} ms the median",
            timing.steps, model.ms_per_step
        ));
        Ok(model)
    }
}

/// What a recipe is told of an RGB picture with fine detail: at most half as many cycles as pixels along an axis, and 32
/// in root mean square, from which Fourier-KAN derives as many frequencies as it ever does.
fn picture() -> SignalFacts {
    SignalFacts {
        kind: "image",
        has_normals: false,
        d_in: 2,
        d_out: 3,
        samples: PICTURE.iter().product(),
        seconds: None,
        hints: Hints {
            nyquist: PICTURE.map(|pixels| pixels as f32 / 2.0).to_vec(),
            rms_frequency: vec![32.0, 32.0],
            ..Hints::default()
        },
    }
}
