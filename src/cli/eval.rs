//! `inr eval`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::flags::TalkFlags;
use super::load::{load_model, load_signal, model_path};
use super::talk::Talk;
use super::{CliError, Outcome, print};
use crate::device::{self, DeviceChoice};
use crate::render::{self, Field, Metrics};
use crate::report::{format_metric, to_json};

/// Measure a model, a picture, a sound or a mesh against a reference
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  inr eval out/harbour-hash-kan assets/harbour.png
  inr eval out/harbour-hash-kan/reconstruction.png assets/harbour.png
  inr eval out/harbour-hash-kan assets/harbour.png --json
  inr eval out/knot-hash-kan assets/knot.ply
  inr eval out/knot-hash-kan/reconstruction.ply assets/knot.ply

A model is rendered at the size of the reference, which may differ from that of what it was
fitted to.")]
pub(super) struct Eval {
    /// The folder of a run, a model file, a picture, a sound or a mesh
    subject: PathBuf,
    /// The picture, sound or shape to compare with
    reference: PathBuf,
    /// Where to compute: auto, cpu, gpu, or gpu:N with N from inr devices
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: DeviceChoice,
    #[command(flatten)]
    talk: TalkFlags,
}

impl Eval {
    pub fn run(self) -> Result<Outcome, CliError> {
        let talk = Talk::new(self.talk);
        let metrics = if is_model(&self.subject) {
            self.measure_model(&talk)?
        } else {
            let subject = load_signal(&self.subject, &talk)?;
            let reference = load_signal(&self.reference, &talk)?;
            let subject = render::from_signal(subject.as_ref(), reference.as_ref())?;
            render::measure(reference.as_ref(), &subject)?
        };
        if self.talk.json {
            print(&to_json(&metrics))?;
        } else {
            let lines: Vec<String> = metrics
                .0
                .iter()
                .map(|(name, value)| format!("{name} {}\n", format_metric(name, *value)))
                .collect();
            print(&lines.concat())?;
        }
        Ok(Outcome::Done)
    }

    fn measure_model(&self, talk: &Talk) -> Result<Metrics, CliError> {
        let (model, layout) = load_model(&self.subject)?;
        let reference = load_signal(&self.reference, talk)?;
        let device = device::choose(self.device)?;
        talk.detail(&format!("on {} ({})", device.name, device.reason));
        let field = Field {
            network: &model.network,
            parameters: &model.parameters,
            layout: &layout,
        };
        let mut engine = device.engine();
        let rendering = render::render_like(
            field,
            &reference.layout(),
            engine.as_mut(),
            &mut |fraction| {
                talk.working("rendering", fraction);
            },
        )?;
        talk.clear();
        Ok(render::measure(reference.as_ref(), &rendering)?)
    }
}

fn is_model(path: &Path) -> bool {
    path.is_dir()
        || model_path(path)
            .extension()
            .is_some_and(|e| e == "safetensors")
}
