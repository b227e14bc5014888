//! `inr models`.

use clap::Args;
use serde_json::json;

use super::{CliError, Outcome, print};
use crate::config::{DEFAULT_PRESET, DEFAULT_RECIPE, Family, PRESETS};
use crate::model::LAYER_KINDS;
use crate::report::to_json;

/// List the networks and the layer kinds
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  inr models
  inr models --json")]
pub(super) struct Models {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Models {
    pub fn run(self) -> Result<Outcome, CliError> {
        if self.json {
            let models: Vec<_> = PRESETS
                .iter()
                .map(|preset| json!({ "name": preset.name, "about": preset.about(), "recipes": preset.recipes() }))
                .collect();
            let layers: Vec<_> = LAYER_KINDS
                .iter()
                .map(|kind| json!({ "kind": kind.name, "summary": kind.summary }))
                .collect();
            print(&to_json(
                &json!({ "default": DEFAULT_PRESET, "models": models, "layers": layers }),
            ))?;
            return Ok(Outcome::Done);
        }
        let mut text = String::from("Models, for --model, in families.\n");
        for family in Family::ALL {
            text += &format!("\n{}, {}:\n\n", family.name(), family.summary());
            let of_family = PRESETS
                .iter()
                .map(|preset| (preset, preset.about()))
                .filter(|(_, about)| about.family == family);
            for (preset, about) in of_family {
                let default = match preset.name == DEFAULT_PRESET {
                    true => " (default)",
                    false => "",
                };
                text += &format!(
                    "{}{default}: {}. {}. {}. Recipes: {DEFAULT_RECIPE}",
                    preset.name, about.summary, about.when, about.paper
                );
                for (recipe, kinds) in preset.recipes() {
                    text += &format!(", {recipe} ({})", kinds.join(", "));
                }
                text.push('.');
                for (kind, deviations) in &about.deviations {
                    for (recipe, deviations) in deviations {
                        text += &format!(" Not as theirs in {recipe} ({kind}): {deviations}.");
                    }
                }
                text.push('\n');
            }
        }
        text += "\nLayer kinds, for the [[model.layers]] of a config file:\n\n";
        for kind in LAYER_KINDS {
            text += &format!("{}: {}\n", kind.name, kind.summary);
        }
        print(&text)?;
        Ok(Outcome::Done)
    }
}
