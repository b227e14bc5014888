//! `report.json` and `metrics.jsonl` of one run.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::model::{LayerSummary, Network};
use crate::render::Metrics;
use crate::signal::Layout;
use crate::train::{CurvePoint, StoppedBy};

/// What was fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InputReport {
    /// The file as it was named on the command line.
    pub path: String,
    /// `kind`, and the fields of that kind: `width`, `height`, `channels` (how many), `colour`, `bit_depth`, `range`.
    #[serde(flatten)]
    pub layout: Value,
}

impl InputReport {
    /// The report of the file at `path`.
    pub fn new(path: &Path, layout: &Layout) -> Self {
        let mut value = serde_json::to_value(layout).expect("a layout is plain data");
        // Channels that have names are told as colours and counted, as those without names are.
        if let Some(colour) = value
            .get("channels")
            .filter(|channels| channels.is_string())
        {
            value["colour"] = colour.clone();
            value["channels"] = json!(layout.d_out());
        }
        // One file has one name.
        let path = path.strip_prefix(".").unwrap_or(path);
        Self {
            path: path.display().to_string(),
            layout: value,
        }
    }

    /// The kind of signal, one of [`Layout::KINDS`].
    pub fn kind(&self) -> &str {
        self.layout["kind"].as_str().unwrap_or_default()
    }

    /// The same without what is learnt of it, which may be another thing for every model.
    #[must_use]
    pub fn without_target(mut self) -> Self {
        if let Some(fields) = self.layout.as_object_mut() {
            fields.remove("target");
        }
        self
    }
}

/// The network that was fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelReport {
    /// Name of the preset, or `custom`.
    pub name: String,
    /// Trained real numbers.
    pub parameters: usize,
    /// Size of the model file.
    pub bytes: usize,
    /// The layers.
    pub layers: Vec<LayerSummary>,
}

impl ModelReport {
    /// The report of `network`, whose model file has `bytes` bytes.
    pub fn new(name: &str, network: &Network, bytes: usize) -> Self {
        Self {
            name: name.to_string(),
            parameters: network.parameter_count(),
            bytes,
            layers: network.summary(),
        }
    }
}

/// How it was trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingReport {
    /// Whose recipe it was, if it was not ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
    /// What flags, a purpose or a file changed of that, so that it is no longer what they ran: of `size`, `length` and `settings`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipe_changes: Vec<String>,
    /// What else is not as they have it, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deviations: Option<String>,
    /// Optimizer steps.
    pub steps: u64,
    /// Samples a step.
    pub batch_size: usize,
    /// Steps × batch size.
    pub samples_seen: u64,
    /// Wall seconds of training, without decoding, final rendering and writing.
    pub seconds: f64,
    /// The update rule: `adam`, `adamw`, `muon`.
    pub optimizer: Value,
    /// What ended the run: `steps`, `time`, `target`, `interrupt`.
    pub stopped_by: StoppedBy,
    /// How often a diverging run was taken back to an earlier state.
    pub restorations: u32,
    /// The running loss and PSNR over the run.
    pub curve: Vec<CurvePoint>,
}

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// All of `report.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// The version of the program that made the run; reports of 0.1.0 may lack it.
    #[serde(default = "first_version")]
    pub version: String,
    /// What was fitted.
    pub input: InputReport,
    /// [`Signal::checksum`](crate::signal::Signal::checksum) of what was fitted; none in files of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<u32>,
    /// The network.
    pub model: ModelReport,
    /// What it ran on.
    pub device: String,
    /// The seed of weights and sample order.
    pub seed: u64,
    /// How it was trained.
    pub training: TrainingReport,
    /// Metrics of the final weights on the written signal; an infinite PSNR (no error at all) is `null`.
    pub metrics: Metrics,
    /// The files of the run, relative to its folder.
    pub files: Vec<String>,
}

fn first_version() -> String {
    "0.1.0".into()
}

impl RunReport {
    /// Whether the final weights reach a target PSNR in dB; a kind of signal without a final PSNR reached it if that ended the run.
    pub fn reached(&self, target_psnr_db: f64) -> bool {
        match self.metrics.get("psnr_db") {
            Some(psnr) => psnr >= target_psnr_db,
            None => self.training.stopped_by == StoppedBy::Target,
        }
    }
}

/// One line of `metrics.jsonl`.
pub fn metrics_line(point: &CurvePoint) -> String {
    let mut line = serde_json::to_string(point).expect("a point is plain data");
    line.push('\n');
    line
}
