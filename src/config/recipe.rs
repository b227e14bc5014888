//! The record that a config file holds.

use serde::{Deserialize, Serialize};

use crate::engine::Loss;
use crate::model::LayerConfig;
use crate::render::Reconstruction;
use crate::signal::{DistanceTarget, Footprint};
use crate::train::{Budget, OptimizerConfig, Schedule, Training};

/// Everything that decides a fit but the signal: what is fitted and how, and what is made of it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The network.
    #[serde(default)]
    pub model: ModelRecipe,
    /// The training.
    #[serde(default)]
    pub training: TrainingRecipe,
    /// What is made of the network.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub reconstruction: Reconstruction,
}

fn is_usual(reconstruction: &Reconstruction) -> bool {
    *reconstruction == Reconstruction::default()
}

/// The network of a recipe.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelRecipe {
    /// Name of the preset that the recipe started from; `custom` for a list of layers of one's own.
    pub preset: String,
    /// Parameters to size the layers to; without it, or with 0, their widths stay as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters: Option<usize>,
    /// Most parameters for each sample of the signal, unless a number is asked for; 1 when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters_per_sample: Option<f64>,
    /// Parts of a sound with weights of their own; by default as many as `segment_seconds` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segments: Option<usize>,
    /// The longest part of a sound that has weights of its own, in seconds; 15 when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment_seconds: Option<f64>,
    /// The layers, from coordinates to values.
    pub layers: Vec<LayerConfig>,
}

/// The fields of a training that end a run.
pub(super) const ENDS: [&str; 4] = ["steps", "samples", "passes", "seconds"];

/// Whether a field of a recipe, given with its path, ends a run.
pub fn is_end(path: &str) -> bool {
    let field = path.strip_prefix("training.");
    field.is_some_and(|field| ENDS.contains(&field))
}

/// The most steps, samples or passes, as many as their flags take.
pub(super) const MOST_COUNTED: u64 = 1_000_000_000_000;

/// The most samples that are drawn for a step.
const MOST_DRAWN: usize = 1 << 24;

/// The training of a recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainingRecipe {
    /// Whose recipe it is, as `--recipe` names it; none is ours. Most authors quote a running PSNR, which is then told beside the final one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
    /// Stop after this many optimizer steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// Stop after this many samples: turned into steps, which are all that a resolved recipe has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<u64>,
    /// Stop after as many steps as this many passes over all samples take, the smaller last batch of each being one: turned into steps too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passes: Option<u64>,
    /// Stop after this many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Stop at this PSNR in dB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_psnr_db: Option<f64>,
    /// Samples a step; at most as many as the signal has.
    pub batch_size: usize,
    /// Samples drawn for each of a step, of which those with the largest errors are learnt; 1 learns all that are drawn.
    #[serde(skip_serializing_if = "is_one")]
    pub candidates: usize,
    /// Weight of a multi-resolution STFT loss beside the mean squared error, for sounds; 0 leaves it out.
    #[serde(skip_serializing_if = "is_zero")]
    pub spectral_weight: f64,
    /// Seed of the initial weights and of the order of the samples.
    pub seed: u64,
    /// What the samples say of their cells: `point` or `area`.
    pub footprint: Footprint,
    /// What is learnt of the distances of a shape: `sdf`, `truncated-sdf`, `occupancy` or `unsigned`; `truncated-sdf` when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<DistanceTarget>,
    /// What is made small: `mse` or `l1`.
    pub loss: Loss,
    /// Whether what a network says beyond the range of the values is no error at samples that are at its end: white pixels of 8 or 16 bits, by up to
    /// 0.05, or the inside of an occupancy. Other signals, and footprints of an area, have no slack.
    pub slack: bool,
    /// Whether the learning rates are those of a batch of all samples, and smaller batches have them times their share, as WIRE's authors do.
    pub rate_by_share: bool,
    /// How it is made small.
    pub optimizer: OptimizerConfig,
    /// How the learning rates fall.
    pub schedule: Schedule,
}

// Serde hands out a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(weight: &f64) -> bool {
    *weight == 0.0
}

// Serde hands out a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_one(candidates: &usize) -> bool {
    *candidates == 1
}

impl Default for TrainingRecipe {
    fn default() -> Self {
        Self {
            recipe: None,
            steps: None,
            samples: None,
            passes: None,
            seconds: None,
            target_psnr_db: None,
            batch_size: 16_384,
            candidates: 1,
            spectral_weight: 0.0,
            seed: 0,
            footprint: Footprint::default(),
            target: None,
            loss: Loss::Mse,
            slack: true,
            rate_by_share: false,
            optimizer: OptimizerConfig::default(),
            schedule: Schedule::default(),
        }
    }
}

impl TrainingRecipe {
    /// The trainer's record, for a signal of `samples` samples.
    pub fn training(&self, samples: usize) -> Training {
        let batch_size = self.batch_size.min(samples);
        let mut optimizer = self.optimizer.clone();
        if self.rate_by_share {
            let share = batch_size as f64 / samples as f64;
            optimizer.learning_rate *= share;
            optimizer.muon_learning_rate *= share;
        }
        Training {
            budget: Budget {
                steps: self.steps,
                seconds: self.seconds,
                target_psnr_db: self.target_psnr_db,
            },
            batch_size,
            candidates: self.candidates,
            spectral_weight: self.spectral_weight,
            seed: self.seed,
            footprint: self.footprint,
            loss: self.loss,
            slack: self.slack,
            optimizer,
            schedule: self.schedule.clone(),
        }
    }

    /// Checks the fields; the error is a sentence that starts with the field's path.
    pub(super) fn check(&self) -> Result<(), String> {
        let counts = [
            ("steps", self.steps),
            ("samples", self.samples),
            ("passes", self.passes),
        ];
        for (field, count) in counts {
            if let Some(count) = count
                && !(1..=MOST_COUNTED).contains(&count)
            {
                return Err(format!(
                    "training.{field} is {count}; it must be from 1 to {MOST_COUNTED}"
                ));
            }
        }
        for (field, value) in [
            ("seconds", self.seconds),
            ("target_psnr_db", self.target_psnr_db),
        ] {
            if let Some(value) = value
                && !(value.is_finite() && value > 0.0)
            {
                return Err(format!(
                    "training.{field} is {value}; it must be a finite number above 0"
                ));
            }
        }
        let is_endless = counts.iter().all(|(_, count)| count.is_none());
        if is_endless && self.seconds.is_none() {
            return Err(
                "training has no end; give training.steps (--steps), training.samples (--samples), training.passes or training.seconds (--time)"
                    .into(),
            );
        }
        if !(1..=MOST_DRAWN).contains(&self.batch_size) {
            return Err(format!(
                "training.batch_size is {}; it must be from 1 to {MOST_DRAWN}",
                self.batch_size
            ));
        }
        let drawn = self.batch_size.saturating_mul(self.candidates);
        if self.candidates == 0 || drawn > MOST_DRAWN {
            return Err(format!(
                "training.candidates is {} for each of {} samples; it must be at least 1, and all together at most {MOST_DRAWN}",
                self.candidates, self.batch_size
            ));
        }
        self.optimizer
            .check()
            .map_err(|e| format!("training.optimizer.{e}"))?;
        self.schedule
            .check()
            .map_err(|e| format!("training.schedule.{e}"))
    }
}
