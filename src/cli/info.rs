//! `inr info`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::load::{load_model, model_path};
use super::{CliError, Outcome, print};
use crate::report::{format_count, markdown_table, to_json};

/// Show what a model file holds: layers, shapes, parameters, recipe
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  inr info out/harbour-hash-kan
  inr info out/harbour-hash-kan/model.safetensors --json")]
pub(super) struct Info {
    /// The folder of a run, or a model file
    model: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Info {
    pub fn run(self) -> Result<Outcome, CliError> {
        let (model, layout) = load_model(&self.model)?;
        let path = model_path(&self.model);
        let bytes = std::fs::metadata(&path).map_or(0, |m| m.len());
        let network = &model.network;
        let samples = layout.stored_samples();
        let bits = samples.map(|samples| bytes as f64 * 8.0 / samples as f64);
        if self.json {
            let value = json!({
                "file": path.display().to_string(),
                "bytes": bytes,
                "bits_per_sample": bits,
                "name": model.header.name,
                "parameters": network.parameter_count(),
                "segments": network.segments(),
                "layers": network.summary(),
                "signal": layout,
                "seed": model.header.seed,
                "recipe": model.header.recipe,
            });
            print(&to_json(&value))?;
            return Ok(Outcome::Done);
        }
        let rows: Vec<Vec<String>> = network
            .summary()
            .into_iter()
            .enumerate()
            .map(|(index, layer)| {
                let shapes: Vec<String> = layer
                    .shapes
                    .iter()
                    .map(|(name, shape)| {
                        let shape: Vec<String> = shape.iter().map(usize::to_string).collect();
                        format!("{name} [{}]", shape.join(", "))
                    })
                    .collect();
                vec![
                    format!("{index} {}", layer.kind),
                    layer.d_in.to_string(),
                    layer.d_out.to_string(),
                    format_count(layer.parameters as u64),
                    shapes.join(", "),
                ]
            })
            .collect();
        let segments = match network.segments() {
            1 => String::new(),
            n => format!(" in {n} segments, each with the layers below"),
        };
        let bits = bits.map_or_else(String::new, |bits| format!(" ({bits:.2} bits a sample)"));
        let recipe = recipe_text(&model.header.recipe);
        print(&format!(
            "model       {}\nsignal      {}, {}\nparameters  {}{segments}\nbytes       {}{bits}\nseed        {}\n\n{}\nrecipe\n\n{recipe}",
            model.header.name,
            layout.kind(),
            layout.describe(),
            format_count(network.parameter_count() as u64),
            format_count(bytes),
            model.header.seed,
            markdown_table(&["layer", "in", "out", "parameters", "tensors"], &rows, 1),
        ))?;
        Ok(Outcome::Done)
    }
}

/// The recipe as TOML, as `--config` takes it.
fn recipe_text(recipe: &serde_json::Value) -> String {
    serde_json::from_value::<crate::config::Recipe>(recipe.clone())
        .ok()
        .and_then(|recipe| toml::to_string_pretty(&recipe).ok())
        .unwrap_or_else(|| to_json(recipe))
}
