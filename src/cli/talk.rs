//! What is said on standard error while work goes on.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::flags::TalkFlags;
use super::print_error;
use crate::config::Resolved;
use crate::report::format_count;
use crate::train::Progress;

/// Positions of a progress line, whose length is a share of the budget and not a count.
const POSITIONS: u64 = 1000;

/// Talks to the person at the terminal, or to nobody.
#[derive(Debug, Clone)]
pub(super) struct Talk {
    flags: TalkFlags,
    bar: ProgressBar,
}

impl Talk {
    /// Talk as the flags ask for; the progress line shows on a terminal only.
    pub fn new(flags: TalkFlags) -> Self {
        let target = if flags.quiet || !std::io::stderr().is_terminal() {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr_with_hz(8)
        };
        let bar = ProgressBar::with_draw_target(Some(POSITIONS), target);
        let style = ProgressStyle::with_template("{prefix:12} {bar:24} {percent:>3}%  {msg}")
            .expect("the template is valid")
            .progress_chars("=> ");
        bar.set_style(style);
        Self { flags, bar }
    }

    /// A line for people.
    pub fn say(&self, text: &str) {
        if !self.flags.quiet {
            self.bar.suspend(|| print_error(text));
        }
    }

    /// A line for people who asked for more.
    pub fn detail(&self, text: &str) {
        if self.flags.verbose {
            self.say(text);
        }
    }

    /// What of models is not as others have it whose recipes they follow, and which follow those for another kind of signals.
    pub fn recipes_of_others(&self, models: &[(&str, &Resolved)], kind: &str) {
        for (model, resolved) in models {
            if let Some(deviations) = &resolved.deviations {
                self.say(&format!("{model}: not as theirs: {deviations}"));
            }
        }
        let foreign = models.iter().filter(|(_, resolved)| resolved.is_foreign);
        let foreign: Vec<&str> = foreign.map(|(model, _)| *model).collect();
        if !foreign.is_empty() {
            self.say(&format!(
                "{}: by a recipe for pictures, with frequencies and rates for them; on a {kind} it says little of a model",
                foreign.join(", ")
            ));
        }
    }

    /// That a model could not be sized as asked, if it could not, and that sizes of layers were scaled.
    pub fn size(&self, model: &str, resolved: &Resolved) {
        if !resolved.scaled.is_empty() {
            self.say(&format!(
                "{model}: {}, because sizes are scaled to the number of parameters; give --set model.parameters=0 to keep them as set",
                resolved.scaled.join(", ")
            ));
        }
        if let Some([asked, parameters]) = resolved.off_size() {
            self.say(&format!(
                "{model} cannot come nearer to {} parameters than {}",
                format_count(asked as u64),
                format_count(parameters as u64)
            ));
        }
    }

    /// The layers and the recipe, for people who asked for more.
    pub fn recipe(&self, resolved: &Resolved) {
        for layer in resolved.network.summary() {
            self.detail(&format!(
                "  {} {} → {}: {} parameters",
                layer.kind, layer.d_in, layer.d_out, layer.parameters
            ));
        }
        let recipe = toml::to_string_pretty(&resolved.recipe).expect("a recipe is plain data");
        self.detail(&recipe);
    }

    /// Shows where a training run is.
    pub fn training(&self, name: &str, progress: &Progress) {
        let point = &progress.point;
        self.show(name, progress.fraction, || {
            format!(
                "step {}  loss {:.2e}  {:.2} dB running  {}  {} left",
                format_count(point.step),
                point.loss,
                point.running_psnr_db,
                format_rate(progress.samples_per_second),
                format_duration(progress.seconds_left),
            )
        });
    }

    /// Shows the finished share of other work.
    pub fn working(&self, name: &str, fraction: f64) {
        self.show(name, fraction, String::new);
    }

    fn show(&self, name: &str, fraction: f64, message: impl FnOnce() -> String) {
        if self.bar.is_hidden() {
            return;
        }
        if self.bar.is_finished() {
            self.bar.reset();
        }
        self.bar.set_prefix(name.to_string());
        self.bar.set_message(message());
        self.bar.set_position((fraction * POSITIONS as f64) as u64);
    }

    /// Takes the progress line away.
    pub fn clear(&self) {
        // Not reset here, which would draw it again.
        self.bar.finish_and_clear();
    }
}

/// Samples a second, for people.
fn format_rate(samples_per_second: f64) -> String {
    match samples_per_second {
        r if r >= 1e6 => format!("{:.2} M samples/s", r / 1e6),
        r if r >= 1e3 => format!("{:.0} k samples/s", r / 1e3),
        r => format!("{r:.0} samples/s"),
    }
}

/// How often, for people: once, 3 times.
pub(super) fn format_times(count: u32) -> String {
    match count {
        1 => "once".into(),
        count => format!("{count} times"),
    }
}

/// Seconds, for people: 7s, 2m05s, 1h02m.
pub(super) fn format_duration(seconds: f64) -> String {
    let duration = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX);
    match duration.as_secs() {
        s if s < 10 => format!("{seconds:.1}s"),
        s if s < 60 => format!("{s}s"),
        s if s < 3600 => format!("{}m{:02}s", s / 60, s % 60),
        s if s < 360_000 => format!("{}h{:02}m", s / 3600, s / 60 % 60),
        _ => "days".to_string(),
    }
}

/// Bytes, for people.
pub(super) fn format_bytes(bytes: u64) -> String {
    match bytes as f64 {
        b if b >= 1e9 => format!("{:.1} GB", b / 1e9),
        b if b >= 1e6 => format!("{:.0} MB", b / 1e6),
        b => format!("{:.0} kB", (b / 1e3).ceil()),
    }
}
