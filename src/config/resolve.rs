//! From preset, purpose, recipe, file and flags to a checked recipe and network.

use std::path::PathBuf;

use toml::Value;

use super::ConfigError;
use super::draft::{Draft, draft};
use super::preset::Preset;
use super::recipe::{MOST_COUNTED, ModelRecipe, Recipe, TrainingRecipe};
use super::table::parse_pair;
use crate::engine::Loss;
use crate::model::{Hints, LayerConfig, Network, SizeBudget, size_to_budget, value_layer};
use crate::signal::{DistanceTarget, Signal};
use crate::train::spectral;

/// Most parameters for each sample: a small signal is not worth more numbers than it has samples, unless its recipe says so.
const DEFAULT_PARAMETERS_PER_SAMPLE: f64 = 1.0;

/// The longest sound that one network holds by default, in seconds: its first layer has the frequencies for it. Below 4.4 kHz it is longer, in
/// samples.
const DEFAULT_SEGMENT: f64 = 15.0;
const DEFAULT_SEGMENT_SAMPLES: f64 = 65_536.0;

/// Most times that the steps and the parameters of a preset are given to one sound by default, so that time and memory stay bounded.
const MOST_BUDGETS: usize = 4;

/// Most segments; each of them is run by itself in every step.
const MOST_SEGMENTS: usize = 4096;

/// Fewest parameters that a default budget goes down to, for very small signals.
const SMALLEST_DEFAULT_BUDGET: usize = 2_000;

/// What the user asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Request {
    /// `--model`.
    pub model: Option<String>,
    /// `--for`.
    pub purpose: Option<String>,
    /// `--recipe`.
    pub recipe: Option<String>,
    /// `--config`.
    pub file: Option<PathBuf>,
    /// Flags and `--set`, as path and value, in order.
    pub settings: Vec<(String, Value)>,
}

impl Request {
    /// Adds a flag.
    pub fn set(&mut self, path: &str, value: impl Into<Value>) {
        self.settings.push((path.to_string(), value.into()));
    }

    /// Adds a `--set path=value` pair.
    ///
    /// # Errors
    /// [`ConfigError::Field`] when there is no `=`.
    pub fn set_pair(&mut self, pair: &str) -> Result<(), ConfigError> {
        let setting = parse_pair(pair).map_err(|e| ConfigError::Field(format!("--set {e}")))?;
        self.settings.push(setting);
        Ok(())
    }
}

/// What the recipe must know of the signal.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalFacts {
    /// The name of its kind, for instance `image`: what a preset's table `[on]` goes by.
    pub kind: &'static str,
    /// Whether its samples have normals, which the loss `oriented` needs.
    pub has_normals: bool,
    /// Coordinates of a sample.
    pub d_in: usize,
    /// Values of a sample.
    pub d_out: usize,
    /// How many samples there are.
    pub samples: usize,
    /// How long it lasts, in seconds; none without a time axis.
    pub seconds: Option<f64>,
    /// Its frequencies and the ends of its values.
    pub hints: Hints,
}

impl SignalFacts {
    /// Those of `signal`.
    pub fn of(signal: &dyn Signal) -> Self {
        let (layout, spectrum) = (signal.layout(), signal.spectrum());
        Self {
            kind: layout.kind(),
            has_normals: signal.has_normals(),
            d_in: layout.d_in(),
            d_out: layout.d_out(),
            samples: signal.samples(),
            seconds: layout.seconds(),
            hints: Hints {
                nyquist: spectrum.nyquist,
                rms_frequency: spectrum.rms_frequency,
                values: signal.values(),
            },
        }
    }
}

/// A recipe without open ends, and its network.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// Every field filled; given as a config file it resolves to itself.
    pub recipe: Recipe,
    /// The checked layers.
    pub network: Network,
    /// The parameters that were asked for by a flag.
    pub asked: Option<usize>,
    /// What is not as others have it, when it is their recipe for a preset.
    pub deviations: Option<String>,
    /// Whether it is a recipe of others for another kind of signals, which has its frequencies and rates for that.
    pub is_foreign: bool,
    /// What is not as in the recipe of others that it follows, by flags or a file: of `size`, `length` and `settings`.
    pub recipe_changes: Vec<String>,
    /// The settings of sizes of layers that were scaled to a number of parameters, as `model.layers.0.width=8 became 35`.
    pub scaled: Vec<String>,
}

/// Networks count as equally large when they differ by no more than this share: so near do layers come to the size that is asked for.
pub const SAME_SIZE: f64 = 0.03;

impl Resolved {
    /// The parameters asked for and those that the network has, when they differ noticeably.
    pub fn off_size(&self) -> Option<[usize; 2]> {
        let asked = self.asked?;
        let parameters = self.network.parameter_count();
        let off = parameters.abs_diff(asked) as f64 > SAME_SIZE * asked as f64;
        off.then_some([asked, parameters])
    }
}

/// Checks what can be checked before a signal is measured, which takes long: names, fields and the numbers of the training. Returns the
/// name of the preset.
///
/// # Errors
/// See [`resolve`].
pub fn check(request: &Request, kind: &str) -> Result<String, ConfigError> {
    draft(request, kind).map(|draft| draft.recipe.model.preset)
}

/// Lays preset, purpose, recipe, file and settings over each other, sizes the layers and checks everything.
///
/// # Errors
/// [`ConfigError`], one sentence with the field, file or name.
pub fn resolve(request: &Request, signal: &SignalFacts) -> Result<Resolved, ConfigError> {
    let mut resolved = resolve_alone(request, signal)?;
    resolved.recipe_changes = changes(&resolved, signal);
    Ok(resolved)
}

/// The same without a look at what others have.
fn resolve_alone(request: &Request, signal: &SignalFacts) -> Result<Resolved, ConfigError> {
    let Draft {
        mut recipe,
        names_an_end,
    } = draft(request, signal.kind)?;
    check_loss(&recipe.training, signal).map_err(ConfigError::Field)?;
    let per_sample = recipe.model.parameters_per_sample;
    let per_sample = per_sample.unwrap_or(DEFAULT_PARAMETERS_PER_SAMPLE);
    if !(per_sample.is_finite() && per_sample > 0.0) {
        return Err(ConfigError::Field(format!(
            "model.parameters_per_sample is {per_sample}; it must be a finite number above 0"
        )));
    }
    let segments = segments(&recipe.model, signal).map_err(ConfigError::Field)?;
    let budgets = segments.min(MOST_BUDGETS);
    if !names_an_end {
        // As many steps for each segment as the preset has for one signal.
        recipe.training.steps = recipe
            .training
            .steps
            .map(|steps| steps.saturating_mul(budgets as u64));
    }
    let parameters = recipe.model.parameters.filter(|&parameters| parameters > 0);
    let is_asked = |(path, _): &(String, _)| path == "model.parameters";
    let asked = match request.settings.iter().any(is_asked) {
        true => parameters,
        false => None,
    };
    let budget = parameters.map(|parameters| match asked {
        Some(asked) => SizeBudget::About(asked / segments),
        None => {
            let most = per_sample * signal.samples as f64 / segments as f64;
            let most = (most as usize).min(parameters.saturating_mul(budgets) / segments);
            SizeBudget::UpTo(parameters.min(most.max(SMALLEST_DEFAULT_BUDGET)))
        }
    });
    let layers = recipe.model.layers.clone();
    let hints = within_segment(&signal.hints, segments);
    let (d_in, d_out) = (signal.d_in, signal.d_out);
    let network = match budget {
        Some(budget) => size_to_budget(&layers, d_in, d_out, &hints, budget)?,
        None => Network::new(layers, d_in, d_out, &hints)?,
    };
    let network = network.with_segments(segments);
    network.check_size()?;
    recipe.model.layers = network.layers().to_vec();
    let scaled = match budget {
        Some(_) => scaled(&request.settings, network.layers()),
        None => Vec::new(),
    };
    if let Some(values) = value_layer(&recipe.model.layers) {
        // Left to the signal, so that the recipe also fits a picture with other channels.
        recipe.model.layers[values].layer_mut().set_d_out(0);
    }
    // The widths are resolved now; a budget beside them would size them again.
    recipe.model.parameters = None;
    recipe.model.parameters_per_sample = None;
    recipe.model.segment_seconds = None;
    recipe.model.segments = signal.seconds.map(|_| segments);
    let batch_size = &mut recipe.training.batch_size;
    *batch_size = (*batch_size).min(signal.samples);
    if recipe.training.spectral_weight > 0.0 {
        // Whole spans.
        *batch_size -= *batch_size % spectral::span(signal.samples, *batch_size);
    }
    let batch_size = recipe.training.batch_size as u64;
    let of_samples = recipe.training.samples.take();
    let of_samples = of_samples.map(|samples| samples.div_ceil(batch_size));
    let of_passes = recipe.training.passes.take();
    let in_a_pass = (signal.samples as u64).div_ceil(batch_size);
    let of_passes = of_passes.map(|passes| passes.saturating_mul(in_a_pass));
    let ends = [recipe.training.steps, of_samples, of_passes];
    let steps = ends.into_iter().flatten().min();
    // As many as the recipe that is written may say.
    recipe.training.steps = steps.map(|steps| steps.min(MOST_COUNTED));
    let mut deviations = None;
    let mut is_foreign = false;
    if let Some(whose) = &recipe.training.recipe
        && let Ok(preset) = Preset::find(&recipe.model.preset)
    {
        let for_kind = |kinds: &Vec<String>| kinds.iter().any(|kind| kind == signal.kind);
        let known = preset.recipes().get(whose).map(for_kind);
        // A file may have recipes of its own.
        is_foreign = known == Some(false) && request.file.is_none();
        deviations = preset.deviations(whose, signal.kind);
    }
    Ok(Resolved {
        recipe,
        network,
        asked,
        deviations,
        is_foreign,
        recipe_changes: Vec::new(),
        scaled,
    })
}

/// The settings of layers whose sizes were scaled afterwards; 0 leaves a value open and is no size.
fn scaled(settings: &[(String, Value)], layers: &[LayerConfig]) -> Vec<String> {
    let Ok(layers) = Value::try_from(layers) else {
        return Vec::new();
    };
    let became = |(path, value): &(String, Value)| {
        let mut keys = path.strip_prefix("model.layers.")?.split('.');
        let now = keys.try_fold(&layers, |place, key| match place {
            Value::Array(list) => list.get(key.parse::<usize>().ok()?),
            place => place.get(key),
        })?;
        let (wanted, now) = (value.as_integer()?, now.as_integer()?);
        (wanted > 0 && wanted != now).then(|| format!("{path}={wanted} became {now}"))
    };
    settings.iter().filter_map(became).collect()
}

/// What is not as in the recipe of others that is followed, by flags, a purpose or a file.
fn changes(resolved: &Resolved, signal: &SignalFacts) -> Vec<String> {
    let Resolved {
        recipe, network, ..
    } = resolved;
    let Some(whose) = &recipe.training.recipe else {
        return Vec::new();
    };
    let mut theirs = Request {
        model: Some(recipe.model.preset.clone()),
        recipe: Some(whose.clone()),
        ..Request::default()
    };
    // Of a recipe that a file alone has, nothing else is known.
    let preset = Preset::find(&recipe.model.preset);
    if !preset.is_ok_and(|preset| preset.recipes().contains_key(whose)) {
        return Vec::new();
    }
    let Ok(other) = resolve_alone(&theirs, signal) else {
        // A network of theirs that is too large is of another size than any.
        return vec!["size".into()];
    };
    let parameters = network.parameter_count();
    let same_size = other.network.parameter_count() == parameters;
    theirs.set("model.parameters", parameters as i64);
    let layers = match same_size {
        true => Ok(other.recipe.model.layers),
        // Layers of that size.
        false => resolve_alone(&theirs, signal).map(|scaled| scaled.recipe.model.layers),
    };
    let same_layers = layers.is_ok_and(|layers| layers == recipe.model.layers);
    let ends = |training: &TrainingRecipe| {
        let TrainingRecipe {
            steps,
            seconds,
            target_psnr_db,
            ..
        } = *training;
        (steps, seconds, target_psnr_db)
    };
    let without_ends = |training: &TrainingRecipe| TrainingRecipe {
        steps: None,
        seconds: None,
        target_psnr_db: None,
        seed: 0,
        ..training.clone()
    };
    let [own, other] = [&recipe.training, &other.recipe.training];
    let same_settings = same_layers && without_ends(own) == without_ends(other);
    let is_kept = [
        ("size", same_size),
        ("length", ends(own) == ends(other)),
        ("settings", same_settings),
    ];
    let changed = is_kept.into_iter().filter(|(_, is_kept)| !is_kept);
    changed.map(|(what, _)| what.to_string()).collect()
}

/// How many parts of the first axis have weights of their own.
fn segments(model: &ModelRecipe, signal: &SignalFacts) -> Result<usize, String> {
    let Some(seconds) = signal.seconds else {
        return match (model.segments, model.segment_seconds) {
            (None | Some(1), None) => Ok(1),
            _ => Err("model.segments and --segment are for sounds; leave them out".into()),
        };
    };
    let of_samples = DEFAULT_SEGMENT_SAMPLES * seconds / signal.samples as f64;
    let by_default = DEFAULT_SEGMENT.max(of_samples);
    let longest = model.segment_seconds.unwrap_or(by_default);
    if !(longest.is_finite() && longest > 0.0) {
        return Err(format!(
            "model.segment_seconds is {longest}; it must be a finite number above 0"
        ));
    }
    let needed = (seconds / longest).ceil() as usize;
    let segments = match (model.segments, model.segment_seconds) {
        (Some(segments), None) => segments,
        (None, None) => needed.min(MOST_SEGMENTS),
        (_, Some(_)) => needed,
    };
    match segments {
        0 => Err("model.segments is 0; it must be at least 1".into()),
        1..=MOST_SEGMENTS if segments <= signal.samples => Ok(segments),
        _ => Err(format!(
            "{segments} segments are too many; at most {} are supported here, so let --segment be longer",
            MOST_SEGMENTS.min(signal.samples)
        )),
    }
}

/// The frequencies across one of `segments` parts of the first axis.
fn within_segment(hints: &Hints, segments: usize) -> Hints {
    let mut hints = hints.clone();
    for frequencies in [&mut hints.nyquist, &mut hints.rms_frequency] {
        if let Some(first) = frequencies.first_mut() {
            *first /= segments as f32;
        }
    }
    hints
}

/// Whether the samples of the signal have what the loss is made of, and the network learns what the loss is of.
fn check_loss(training: &TrainingRecipe, signal: &SignalFacts) -> Result<(), String> {
    if training.spectral_weight != 0.0 {
        check_spectral(training, signal)?;
    }
    if !training.loss.needs_normals() {
        return Ok(());
    }
    if !signal.has_normals {
        return Err(
            "training.loss is oriented, which needs the normals of a shape; use mse or l1".into(),
        );
    }
    match training.target {
        Some(DistanceTarget::Sdf) => Ok(()),
        _ => Err(
            "training.loss is oriented, which makes a network the distance itself; give --set training.target=sdf too".into(),
        ),
    }
}

/// Whether there are spectra to learn from.
fn check_spectral(training: &TrainingRecipe, signal: &SignalFacts) -> Result<(), String> {
    let weight = training.spectral_weight;
    if !(weight.is_finite() && weight > 0.0) {
        return Err(format!(
            "training.spectral_weight is {weight}; it must be a finite number of at least 0"
        ));
    }
    if signal.seconds.is_none() {
        return Err("training.spectral_weight is for sounds; leave it out".into());
    }
    if training.loss != Loss::Mse || training.candidates > 1 {
        return Err(
            "training.spectral_weight goes with training.loss=mse and training.candidates=1 only"
                .into(),
        );
    }
    let fewest = training.batch_size.min(signal.samples);
    if fewest < spectral::SHORTEST_SPAN {
        return Err(format!(
            "training.spectral_weight needs batches and sounds of at least {} samples, and there are {fewest}",
            spectral::SHORTEST_SPAN
        ));
    }
    Ok(())
}
