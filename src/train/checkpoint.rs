//! The state of a run as a file.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::event::CurvePoint;
use super::guard::Guard;
use super::trainer::{State, Training};
use crate::model::Parameters;
use crate::model::file::{CHECKPOINT_KEY, fill, tensors_from_bytes, tensors_to_bytes};

/// The field of an identity that tells signals of one size apart.
pub const CONTENT: &str = "signal_checksum";
/// The key of an identity under which the layout of what is fitted stands.
pub const SIGNAL: &str = "signal";

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum CheckpointError {
    /// The bytes are not a checkpoint of this version.
    #[error("the checkpoint is damaged or of another version ({0}); start again with --force")]
    Damaged(String),
    /// The recipe has changed since.
    #[error(
        "the checkpoint belongs to another recipe ({0}); start again with --force, or give the flags of the first run"
    )]
    OtherRecipe(String),
    /// The recipe is the same, but not what was fitted.
    #[error("the checkpoint belongs to a file of other content; start again with --force")]
    OtherContent,
}

#[derive(Serialize, Deserialize)]
struct Rest {
    step: u64,
    seconds: f64,
    curve: Vec<CurvePoint>,
    guard: Guard,
    optimizer_steps: u64,
    identity: Value,
}

/// The bytes of a checkpoint; `identity` says which run it belongs to (input, layers, optimizer ...).
pub fn to_bytes(state: &State, identity: &Value) -> Vec<u8> {
    let rest = Rest {
        step: state.step,
        seconds: state.seconds,
        curve: state.curve.clone(),
        guard: state.guard.clone(),
        optimizer_steps: state.optimizer.steps(),
        identity: identity.clone(),
    };
    let moments = state.optimizer.tensors(&state.parameters);
    let shapes: Vec<[usize; 1]> = moments.iter().map(|(_, v)| [v.len()]).collect();
    let mut tensors: Vec<(&str, &[usize], &[f32])> = state
        .parameters
        .tensors
        .iter()
        .map(|p| (p.name.as_str(), p.shape.as_slice(), p.values.as_slice()))
        .collect();
    for ((name, values), shape) in moments.iter().zip(&shapes) {
        tensors.push((name, shape, values));
    }
    let text = serde_json::to_string(&rest).expect("the rest is plain data");
    tensors_to_bytes(&tensors, CHECKPOINT_KEY, text)
}

/// The state in `bytes`, for a network whose fresh parameters are `parameters`.
///
/// # Errors
/// [`CheckpointError`] when the bytes are damaged or `identity` differs from the one it was saved with.
pub fn from_bytes(
    bytes: &[u8],
    training: &Training,
    parameters: Parameters,
    identity: &Value,
) -> Result<State, CheckpointError> {
    let (tensors, text) =
        tensors_from_bytes(bytes, CHECKPOINT_KEY).map_err(CheckpointError::Damaged)?;
    let text = text.ok_or_else(|| CheckpointError::Damaged("its metadata is missing".into()))?;
    let rest: Rest =
        serde_json::from_str(&text).map_err(|e| CheckpointError::Damaged(e.to_string()))?;
    if let Some(difference) = first_difference(&rest.identity, identity) {
        // Another signal has other layers and batches too, which no flag would mend; what is learnt of it is a setting.
        let of = |identity: &Value| identity.get(SIGNAL).cloned().unwrap_or_default();
        let of_signal = first_difference(&of(&rest.identity), &of(identity));
        let is_other = of_signal.is_some_and(|difference| !difference.starts_with("target"));
        if is_other || difference.starts_with(CONTENT) {
            return Err(CheckpointError::OtherContent);
        }
        return Err(CheckpointError::OtherRecipe(difference));
    }
    let mut state = State::new(training, parameters);
    fill(&mut state.parameters, &tensors).map_err(CheckpointError::Damaged)?;
    state
        .optimizer
        .restore(&state.parameters, rest.optimizer_steps, |name, values| {
            let saved = tensors
                .get(name)
                .filter(|saved| saved.values.len() == values.len())
                .ok_or_else(|| format!("tensor {name} is missing"))?;
            values.copy_from_slice(&saved.values);
            Ok(())
        })
        .map_err(CheckpointError::Damaged)?;
    state.step = rest.step;
    state.seconds = rest.seconds;
    state.curve = rest.curve;
    state.guard = rest.guard;
    Ok(state)
}

/// The path of the first field in which two JSON values differ, with both values where they are short.
pub fn first_difference(saved: &Value, now: &Value) -> Option<String> {
    let within = |key: &str, saved: &Value, now: &Value| {
        first_difference(saved, now).map(|rest| match rest.strip_prefix(' ') {
            Some(rest) => format!("{key} {rest}"),
            None => format!("{key}.{rest}"),
        })
    };
    match (saved, now) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
            let field = |object: &serde_json::Map<_, _>, key: &String| {
                object.get(key).cloned().unwrap_or(Value::Null)
            };
            keys.into_iter()
                .find_map(|key| within(key, &field(a, key), &field(b, key)))
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => a
            .iter()
            .zip(b)
            .enumerate()
            .find_map(|(index, (a, b))| within(&index.to_string(), a, b)),
        _ if saved == now => None,
        _ => {
            let (saved, now) = (saved.to_string(), now.to_string());
            // A list of layers is no sentence.
            let short = saved.len().max(now.len()) <= 40;
            Some(if short {
                format!(" was {saved} and is now {now}")
            } else {
                " differs".into()
            })
        }
    }
}
