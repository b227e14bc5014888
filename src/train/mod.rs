//! Training: sampler → engine → optimizer, until a budget is spent.
//!
//! The trainer prints nothing and writes nothing: it emits [`Event`]s, and progress lines, log files, checkpoints and tests are
//! consumers of that one stream.

pub mod bench;
mod budget;
mod checkpoint;
mod event;
mod feed;
mod guard;
pub mod optimizer;
mod sampler;
mod schedule;
pub mod spectral;
mod trainer;

pub use budget::{Budget, StoppedBy};
pub use checkpoint::{CONTENT, CheckpointError, SIGNAL, first_difference, from_bytes, to_bytes};
pub use event::{CurvePoint, Event, Flow, Progress};
pub use optimizer::{OptimizerConfig, OptimizerKind};
pub use sampler::Sampler;
pub use schedule::{Schedule, ScheduleKind};
pub use trainer::{MeasurePsnr, Run, State, TrainError, Training};
