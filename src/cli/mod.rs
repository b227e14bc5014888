//! The commands, one file each. Data goes to standard output, talk to standard error.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage, 3 target not reached, 130 interrupted with the state saved.

mod bench;
mod command_line;
mod compare;
mod completions;
mod devices;
mod eval;
mod fit;
mod flags;
mod folder;
mod info;
mod interrupt;
mod load;
mod models;
mod render;
mod report;
mod session;
mod talk;
mod upsample;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// How a command ended, when it did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    TargetNotReached,
    Interrupted,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error(transparent)]
    Signal(#[from] crate::signal::SignalError),
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    #[error(transparent)]
    Device(#[from] crate::device::DeviceError),
    #[error(transparent)]
    Engine(#[from] crate::engine::EngineError),
    #[error(transparent)]
    Train(#[from] crate::train::TrainError),
    #[error(transparent)]
    Checkpoint(#[from] crate::train::CheckpointError),
    #[error(transparent)]
    ModelFile(#[from] crate::model::file::ModelFileError),
    #[error(transparent)]
    Render(#[from] crate::render::RenderError),
    #[error(transparent)]
    Folder(#[from] folder::FolderError),
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Failed(String),
}

impl CliError {
    /// 2 when the command line is at fault, 1 otherwise.
    fn exit_code(&self) -> u8 {
        use crate::config::ConfigError;
        use crate::device::DeviceError;
        use crate::render::{EncodeError, MeshEncodeError, RenderError};
        use crate::signal::SignalError;
        use crate::train::CheckpointError;
        use folder::FolderError;
        match self {
            Self::Usage(_)
            | Self::Config(
                ConfigError::UnknownModel { .. } | ConfigError::Field(_) | ConfigError::Network(_),
            )
            | Self::Folder(
                FolderError::NoCheckpoint(_)
                | FolderError::NoComparison(_)
                | FolderError::OtherRun { .. }
                | FolderError::OtherVersion { .. },
            )
            | Self::Signal(SignalError::Formula { .. })
            | Self::Device(DeviceError::NoSuchAdapter { .. })
            | Self::Checkpoint(CheckpointError::OtherRecipe(_) | CheckpointError::OtherContent)
            | Self::Render(
                RenderError::Request(_)
                | RenderError::Encode(
                    EncodeError::UnknownExtension { .. }
                    | EncodeError::CannotHold { .. }
                    | EncodeError::TooLarge { .. },
                )
                | RenderError::EncodeMesh(MeshEncodeError::UnknownExtension { .. }),
            ) => 2,
            _ => 1,
        }
    }
}

/// Fit implicit neural representations to signals and render them at any resolution.
#[derive(Debug, Parser)]
#[command(
    name = "inr",
    version,
    max_term_width = 100,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Fit(fit::Fit),
    Upsample(upsample::Upsample),
    Render(render::Render),
    Compare(compare::Compare),
    Report(report::Report),
    Eval(eval::Eval),
    Info(info::Info),
    Bench(bench::Bench),
    Models(models::Models),
    Devices(devices::Devices),
    Completions(completions::Completions),
}

/// Runs the command line and returns the exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Fit(command) => command.run(),
        Command::Upsample(command) => command.run(),
        Command::Render(command) => command.run(),
        Command::Compare(command) => command.run(),
        Command::Report(command) => command.run(),
        Command::Eval(command) => command.run(),
        Command::Info(command) => command.run(),
        Command::Bench(command) => command.run(),
        Command::Models(command) => command.run(),
        Command::Devices(command) => command.run(),
        Command::Completions(command) => command.run(),
    };
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::TargetNotReached) => ExitCode::from(3),
        Ok(Outcome::Interrupted) => ExitCode::from(130),
        Err(error) => {
            print_error(&format!("error: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}

/// Writes a line to standard error; a reader that went away is no error, and there would be nobody to tell.
fn print_error(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Writes `text` to standard output; a reader that went away is no error.
fn print(text: &str) -> Result<(), CliError> {
    use std::io::Write;
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(CliError::Failed(format!(
            "cannot write to standard output: {e}"
        ))),
        _ => Ok(()),
    }
}
