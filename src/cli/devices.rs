//! `inr devices`.

use clap::Args;
use serde_json::json;

use super::{CliError, Outcome, print};
use crate::device::{self, DeviceChoice};
use crate::report::to_json;

/// List the devices and say which one auto takes
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  inr devices
  inr devices --json")]
pub(super) struct Devices {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Devices {
    pub fn run(self) -> Result<Outcome, CliError> {
        let adapters = device::adapters();
        let auto = device::choose(DeviceChoice::Auto)?;
        let cpu = device::choose(DeviceChoice::Cpu)?;
        if self.json {
            let adapters: Vec<_> = adapters
                .iter()
                .map(|a| {
                    json!({
                        "device": format!("gpu:{}", a.number),
                        "name": a.name,
                        "kind": a.kind.name(),
                        "interface": a.interface,
                    })
                })
                .collect();
            let value = json!({ "cpu": cpu.name, "adapters": adapters, "auto": auto.name, "reason": auto.reason });
            print(&to_json(&value))?;
            return Ok(Outcome::Done);
        }
        let mut text = format!("cpu    {}\n", cpu.name);
        for adapter in &adapters {
            text += &format!(
                "gpu:{}  {} ({}, {})\n",
                adapter.number,
                adapter.name,
                adapter.kind.name(),
                adapter.interface
            );
        }
        text += &format!("auto   {}: {}\n", auto.name, auto.reason);
        print(&text)?;
        Ok(Outcome::Done)
    }
}
