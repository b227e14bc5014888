//! The model file: safetensors with everything else as JSON under one metadata key.
//!
//! The weights are ordinary f32 tensors, so that Python opens the file with `safetensors` alone; the key `inr` of the file's
//! metadata holds [`Header`]: the layers, the signal's layout, the recipe and the seed. The data of the signal is never in it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::layer::Hints;
use super::layers::LayerConfig;
use super::network::{Network, NetworkError};
use super::parameters::Parameters;

/// The format written by this version; files of a later format are refused.
pub const FORMAT: u32 = 1;

/// The metadata key under which [`Header`] lies.
const KEY: &str = "inr";

/// The metadata key of checkpoints.
pub(crate) const CHECKPOINT_KEY: &str = "inr-checkpoint";

/// Why a model file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ModelFileError {
    /// The file cannot be read at all.
    #[error("cannot read the model {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is empty.
    #[error("the model {0} is empty (0 bytes); fit the signal again")]
    Empty(PathBuf),
    /// The file is not safetensors, or is cut off.
    #[error(
        "{path} is not a model file or is damaged ({reason}); a model is the model.safetensors of a run of inr fit"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        reason: String,
    },
    /// A safetensors file of another program.
    #[error(
        "{0} has no `inr` metadata, so it was not written by inr; a model is the model.safetensors of a run of inr fit"
    )]
    Foreign(PathBuf),
    /// The state of a training run.
    #[error("{0} is the checkpoint of a run; a model is the model.safetensors beside it")]
    Checkpoint(PathBuf),
    /// A later version of inr wrote the file.
    #[error("{path} has model format {found}, and this inr reads up to {FORMAT}; update inr")]
    Version {
        /// The file.
        path: PathBuf,
        /// The format of the file.
        found: u64,
    },
    /// The layers of the header do not form a network.
    #[error("{path} holds a network that cannot be built: {source}")]
    Network {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: NetworkError,
    },
}

/// All that is stored beside the weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// See [`FORMAT`].
    pub format: u32,
    /// Name of the preset, or `custom`.
    pub name: String,
    /// Coordinates a row.
    pub d_in: usize,
    /// Values a row.
    pub d_out: usize,
    /// The layers, fully resolved.
    pub layers: Vec<LayerConfig>,
    /// Parts of the first axis with weights of their own.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub segments: usize,
    /// The layout of the signal: kind, size, channels, range. Read by the render room.
    pub signal: Value,
    /// The recipe of the fit, fully resolved.
    pub recipe: Value,
    /// The seed of the fit.
    pub seed: u64,
}

fn one() -> usize {
    1
}

// Serde hands out a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_one(segments: &usize) -> bool {
    *segments == 1
}

/// A network with its weights and all that rendering needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// What is known beside the weights.
    pub header: Header,
    /// The checked layers.
    pub network: Network,
    /// The weights.
    pub parameters: Parameters,
}

impl Model {
    /// Bytes of a model file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let header = serde_json::to_string(&self.header).expect("a header is plain data");
        tensors_to_bytes(
            &self
                .parameters
                .tensors
                .iter()
                .map(|p| (p.name.as_str(), p.shape.as_slice(), p.values.as_slice()))
                .collect::<Vec<_>>(),
            KEY,
            header,
        )
    }

    /// Reads the model file at `path`.
    ///
    /// # Errors
    /// [`ModelFileError`], one sentence with the path.
    pub fn read(path: &Path) -> Result<Self, ModelFileError> {
        let bytes = std::fs::read(path).map_err(|source| ModelFileError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::from_bytes(&bytes, path)
    }

    /// Parses the bytes of a model file; `path` is named in errors.
    ///
    /// # Errors
    /// See [`Model::read`].
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self, ModelFileError> {
        let damaged = |reason: String| ModelFileError::Damaged {
            path: path.to_owned(),
            reason,
        };
        if bytes.is_empty() {
            return Err(ModelFileError::Empty(path.to_owned()));
        }
        let (tensors, header) = tensors_from_bytes(bytes, KEY).map_err(damaged)?;
        let header = header.ok_or_else(|| match tensors_from_bytes(bytes, CHECKPOINT_KEY) {
            Ok((_, Some(_))) => ModelFileError::Checkpoint(path.to_owned()),
            _ => ModelFileError::Foreign(path.to_owned()),
        })?;
        let value: Value = serde_json::from_str(&header).map_err(|e| damaged(e.to_string()))?;
        // The format is looked at before the rest, which a later version may have changed.
        let found = value["format"].as_u64().unwrap_or(0);
        if found != u64::from(FORMAT) {
            return Err(ModelFileError::Version {
                path: path.to_owned(),
                found,
            });
        }
        let header: Header = serde_json::from_value(value).map_err(|e| damaged(e.to_string()))?;
        let network = Network::new(
            header.layers.clone(),
            header.d_in,
            header.d_out,
            &Hints::default(),
        )
        .map_err(|source| ModelFileError::Network {
            path: path.to_owned(),
            source,
        })?
        .with_segments(header.segments.max(1));
        let (held, expected) = (
            tensors.values().map(|t| t.values.len()).sum::<usize>(),
            network.parameter_count(),
        );
        if expected == 0 {
            return Err(damaged("its layers have no parameters".into()));
        }
        // Looked at before memory is taken for what the layers claim.
        if held < expected {
            return Err(damaged(format!(
                "its layers have {expected} parameters, but it holds {held}"
            )));
        }
        network
            .check_size()
            .map_err(|source| ModelFileError::Network {
                path: path.to_owned(),
                source,
            })?;
        let mut parameters = network.initialize(header.seed);
        fill(&mut parameters, &tensors).map_err(damaged)?;
        if !parameters.is_finite() {
            return Err(damaged("its weights are not all finite numbers".into()));
        }
        Ok(Self {
            header,
            network,
            parameters,
        })
    }
}

/// A tensor as read from a file.
pub(crate) struct SavedTensor {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

/// The tensors of a file by name.
pub(crate) type Tensors = HashMap<String, SavedTensor>;

/// Copies the named `tensors` into `parameters`.
pub(crate) fn fill(parameters: &mut Parameters, tensors: &Tensors) -> Result<(), String> {
    for parameter in &mut parameters.tensors {
        let saved = tensors
            .get(&parameter.name)
            .ok_or_else(|| format!("tensor {} is missing", parameter.name))?;
        if saved.shape != parameter.shape {
            return Err(format!(
                "tensor {} has the shape {:?} instead of {:?}",
                parameter.name, saved.shape, parameter.shape
            ));
        }
        parameter.values.copy_from_slice(&saved.values);
    }
    Ok(())
}

/// A safetensors file of f32 tensors (name, shape, values) with `text` under the metadata key `key`.
pub(crate) fn tensors_to_bytes(
    tensors: &[(&str, &[usize], &[f32])],
    key: &str,
    text: String,
) -> Vec<u8> {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, _, values)| values.iter().flat_map(|v| v.to_le_bytes()).collect())
        .collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape, _), data)| {
        let view = TensorView::new(Dtype::F32, shape.to_vec(), data)
            .expect("shape and data come from the same tensor");
        (*name, view)
    });
    let metadata = HashMap::from([(key.to_string(), text)]);
    safetensors::serialize(views, Some(metadata)).expect("names are unique and data is in memory")
}

/// The f32 tensors of a safetensors file by name, and the text under `key` if there is one.
pub(crate) fn tensors_from_bytes(
    bytes: &[u8],
    key: &str,
) -> Result<(Tensors, Option<String>), String> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| e.to_string())?;
    let text = metadata
        .metadata()
        .as_ref()
        .and_then(|m| m.get(key))
        .cloned();
    let file = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
    let mut tensors = HashMap::new();
    for (name, view) in file.tensors() {
        if view.dtype() != Dtype::F32 {
            return Err(format!("tensor {name} is {:?}, not f32", view.dtype()));
        }
        let values = view
            .data()
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        let shape = view.shape().to_vec();
        tensors.insert(name, SavedTensor { shape, values });
    }
    Ok((tensors, text))
}
