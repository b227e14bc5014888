//! Flags that several commands share.

use std::path::PathBuf;

use clap::Args;

use super::CliError;
use crate::config::{Request, parse_count, parse_seconds};
use crate::device::DeviceChoice;

/// How long a network is trained, and what else a whole run needs to know.
#[derive(Debug, Clone, Args)]
pub(super) struct RunFlags {
    #[command(flatten)]
    pub step: StepFlags,
    /// What the model is for: fidelity (the default), or upsampling, which fits what lies between the pixels too
    #[arg(long = "for", value_name = "PURPOSE", help_heading = "Recipe")]
    pub purpose: Option<String>,
    /// Whose recipe it follows: ours (the default), paper, as published (inr models says what of it is not), or another that it names
    #[arg(long, value_name = "NAME", help_heading = "Recipe")]
    pub recipe: Option<String>,
    /// Stop after this many optimizer steps
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse_count, help_heading = "Size and budget")]
    pub steps: Option<usize>,
    /// Stop after this many samples, for instance 20M: the steps of the batch size that make as many
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse_count, help_heading = "Size and budget")]
    pub samples: Option<usize>,
    /// Stop after this time, for instance 60s, 2m or 1h
    #[arg(long, value_name = "DURATION", allow_negative_numbers = true, value_parser = parse_seconds, help_heading = "Size and budget")]
    pub time: Option<f64>,
    /// The longest part of a sound that gets weights of its own, for instance 10s; one model file holds all parts
    #[arg(long, value_name = "DURATION", allow_negative_numbers = true, value_parser = parse_seconds, help_heading = "Size and budget")]
    pub segment: Option<f64>,
    /// Stop when the result reaches this PSNR (of a shape that of the targets at random places); exit code 3 if it never does
    #[arg(long, value_name = "DB", allow_negative_numbers = true, value_parser = parse_decibels, help_heading = "Size and budget")]
    pub target_psnr: Option<f64>,
    /// Replace the results of an earlier run in the output folder
    #[arg(long, help_heading = "Device and output")]
    pub force: bool,
}

/// How large the network and its training steps are, what computes them, and how much is said.
#[derive(Debug, Clone, Args)]
pub(super) struct StepFlags {
    /// Parameters of the network, for instance 50k or 1.5M
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true, value_parser = parse_count, help_heading = "Size and budget")]
    pub params: Option<usize>,
    /// Samples a step
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse_count, help_heading = "Size and budget")]
    pub batch: Option<usize>,
    /// Seed of the initial weights and of the order of the samples
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32), help_heading = "Size and budget")]
    pub seed: Option<u32>,
    /// Set any field of the recipe, for instance training.optimizer.learning_rate=1e-3; may be repeated
    #[arg(long, value_name = "PATH=VALUE", help_heading = "Size and budget")]
    pub set: Vec<String>,
    /// Where to compute: auto, cpu, gpu, or gpu:N with N from inr devices
    #[arg(
        long,
        value_name = "DEVICE",
        default_value = "auto",
        help_heading = "Device and output"
    )]
    pub device: DeviceChoice,
    #[command(flatten)]
    pub talk: TalkFlags,
}

/// Where one file goes, what computes it, and how much is said.
#[derive(Debug, Clone, Args)]
pub(super) struct FileFlags {
    /// Where the result goes; the ending chooses the format
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Where to compute: auto, cpu, gpu, or gpu:N with N from inr devices
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: DeviceChoice,
    /// Replace the file if it exists
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub talk: TalkFlags,
}

/// How much is said.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct TalkFlags {
    /// Print the result as JSON on standard output
    #[arg(long, help_heading = "Device and output")]
    pub json: bool,
    /// Say nothing but errors
    #[arg(short, long, help_heading = "Device and output")]
    pub quiet: bool,
    /// Say more, for instance the layers, the recipe and every point of the curve
    #[arg(
        short,
        long,
        conflicts_with = "quiet",
        help_heading = "Device and output"
    )]
    pub verbose: bool,
}

impl RunFlags {
    /// The flags as settings of a recipe.
    pub fn request(&self) -> Result<Request, CliError> {
        let mut request = Request {
            purpose: self.purpose.clone(),
            recipe: self.recipe.clone(),
            ..Request::default()
        };
        if let Some(steps) = self.steps {
            request.set("training.steps", integer(steps));
        }
        if let Some(samples) = self.samples {
            request.set("training.samples", integer(samples));
        }
        if let Some(seconds) = self.time {
            request.set("training.seconds", seconds);
        }
        if let Some(seconds) = self.segment {
            request.set("model.segment_seconds", seconds);
        }
        if let Some(target) = self.target_psnr {
            request.set("training.target_psnr_db", target);
        }
        self.step.add_to(&mut request)?;
        Ok(request)
    }
}

impl StepFlags {
    /// Lays the flags over the settings of `request`.
    pub fn add_to(&self, request: &mut Request) -> Result<(), CliError> {
        if let Some(count) = self.params {
            request.set("model.parameters", integer(count));
        }
        if let Some(batch) = self.batch {
            request.set("training.batch_size", integer(batch));
        }
        if let Some(seed) = self.seed {
            request.set("training.seed", i64::from(seed));
        }
        for pair in &self.set {
            request.set_pair(pair)?;
        }
        Ok(())
    }
}

fn integer(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn parse_decibels(text: &str) -> Result<f64, String> {
    match text.trim().trim_end_matches("dB").trim().parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err(format!(
            "{text:?} is not a PSNR; write a number of dB above 0, for instance 35"
        )),
    }
}
