//! `inr upsample`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::flags::FileFlags;
use super::folder::{check_file, write_file};
use super::load::{load_model, model_path};
use super::talk::{Talk, format_bytes};
use super::{CliError, Outcome, print};
use crate::device;
use crate::render::{self, Field, RenderRequest};
use crate::report::to_json;

/// Pictures above this many bytes are announced with an estimate of the memory they take.
const LARGE: u64 = 256 << 20;

/// Render a fitted model at any size
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  inr upsample out/harbour-hash-kan --scale 4
  inr upsample out/harbour-hash-kan --size 1920x1080 -o wide.png
  inr upsample out/harbour-hash-kan --crop 100,80,64,64 --scale 16 --bit-depth 16 -o detail.png
  inr upsample out/chime-hash-kan --rate 48000
  inr upsample out/knot-hash-kan --resolution 384 -o knot.glb

The file goes into the run's folder unless -o is given; its path is printed. A smaller size is
averaged over each pixel, at up to 16x16 points, and a lower rate is low-passed, against aliases.")]
pub(super) struct Upsample {
    /// The folder of a run, or a model file
    model: PathBuf,
    /// Factor on width and height of a picture (4, 0.5, or 2x3 for both), or on the rate of a sound; 4
    /// unless a size or a rate is given
    #[arg(long, value_name = "FACTOR", allow_negative_numbers = true, value_parser = parse_scale, conflicts_with = "size")]
    scale: Option<[f64; 2]>,
    /// Size of the result in pixels
    #[arg(long, value_name = "WIDTHxHEIGHT", value_parser = parse_size)]
    size: Option<[u32; 2]>,
    /// Samples a second of a sound, for instance 96000
    #[arg(long, value_name = "HZ", conflicts_with_all = ["size", "scale"], value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Points along the longest side of the box around a shape; 512 unless given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32))]
    resolution: Option<u32>,
    /// Only this part: left,top,width,height in pixels of the original
    #[arg(long, value_name = "X,Y,W,H", value_parser = parse_crop, allow_hyphen_values = true)]
    crop: Option<[f64; 4]>,
    /// Bits a channel: 8 or 16; else those of the original
    #[arg(long, value_name = "BITS", value_parser = parse_bit_depth)]
    bit_depth: Option<u8>,
    #[command(flatten)]
    file: FileFlags,
}

impl Upsample {
    pub fn run(self) -> Result<Outcome, CliError> {
        let talk = Talk::new(self.file.talk);
        let (model, layout) = load_model(&self.model)?;
        let request = RenderRequest {
            scale: self.scale,
            size: self.size,
            crop: self.crop,
            bit_depth: self.bit_depth,
            rate: self.rate,
            resolution: self.resolution,
        };
        let target = request.resolve(&layout)?;
        let path = self.file.output.clone().unwrap_or_else(|| {
            let folder = model_path(&self.model);
            let part = self
                .crop
                .map_or(String::new(), |[x, y, ..]| format!("-at-{x},{y}"));
            let name = format!(
                "upsampled-{}{part}.{}",
                target.size_name(),
                target.lossless_extension()
            );
            folder.parent().unwrap_or(Path::new("")).join(name)
        });
        target.check_format(&path)?;
        check_file(&path, self.file.force)?;
        let bytes = target.layout.bytes();
        if bytes > LARGE {
            talk.say(&format!(
                "{}; about {} of memory will be used",
                target.layout.describe(),
                format_bytes(2 * bytes)
            ));
        }
        let device = device::choose(self.file.device)?;
        talk.say(&format!(
            "{} on {} ({})",
            target.layout.describe(),
            device.name,
            device.reason
        ));
        let field = Field {
            network: &model.network,
            parameters: &model.parameters,
            layout: &layout,
        };
        let mut engine = device.engine();
        let rendering = render::render(field, &target, engine.as_mut(), &mut |fraction| {
            talk.working("rendering", fraction);
        })?;
        talk.clear();
        write_file(&path, &rendering.encode(&path)?, self.file.force)?;
        if self.file.talk.json {
            print(&to_json(
                &serde_json::json!({ "file": path.display().to_string(), "layout": rendering.layout() }),
            ))?;
        } else {
            print(&format!("{}\n", path.display()))?;
        }
        Ok(Outcome::Done)
    }
}

fn parse_scale(text: &str) -> Result<[f64; 2], String> {
    let (x, y) = text.split_once('x').unwrap_or((text, text));
    match (x.parse::<f64>(), y.parse::<f64>()) {
        (Ok(x), Ok(y)) if x.is_finite() && y.is_finite() && x > 0.0 && y > 0.0 => Ok([x, y]),
        _ => Err(format!(
            "{text:?} is not a scale; write a factor above 0, for instance 4, 0.5 or 2x3"
        )),
    }
}

fn parse_size(text: &str) -> Result<[u32; 2], String> {
    let size = text
        .split_once('x')
        .and_then(|(w, h)| Some([w.parse().ok()?, h.parse().ok()?]));
    size.filter(|s: &[u32; 2]| !s.contains(&0)).ok_or_else(|| {
        format!("{text:?} is not a size; write width x height in pixels, for instance 3072x2048")
    })
}

fn parse_crop(text: &str) -> Result<[f64; 4], String> {
    let numbers: Vec<f64> = text
        .split(',')
        .filter_map(|n| n.trim().parse().ok())
        .collect();
    <[f64; 4]>::try_from(numbers)
        .ok()
        .filter(|_| text.split(',').count() == 4)
        .ok_or_else(|| {
            format!(
                "{text:?} is not a part; write left,top,width,height, for instance 100,80,64,64"
            )
        })
}

fn parse_bit_depth(text: &str) -> Result<u8, String> {
    match text {
        "8" => Ok(8),
        "16" => Ok(16),
        _ => Err(format!("{text:?} is not a bit depth; use 8 or 16")),
    }
}
