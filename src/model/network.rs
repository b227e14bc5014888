//! A list of layers between coordinates and values.

use rand::{SeedableRng, rngs::StdRng};
use serde::{Deserialize, Serialize};

use super::layer::{Hints, Layer, Source};
use super::layers::LayerConfig;
use super::parameters::{Parameter, Parameters};

/// Most parameters of a network that is trained: 0.4 GB of weights, and a few times that in gradients and moments.
const MOST_PARAMETERS: usize = 100_000_000;

/// Why a list of layers is not a network.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum NetworkError {
    /// There is nothing to evaluate.
    #[error("model.layers is empty; give at least one layer")]
    Empty,
    /// There is nothing to map, or nothing to map it to.
    #[error(
        "a network needs at least one coordinate and one value, and this one has {d_in} and {d_out}"
    )]
    NoAxes {
        /// Coordinates a row.
        d_in: usize,
        /// Values a row.
        d_out: usize,
    },
    /// The network would not fit in memory with its gradients and moments.
    #[error(
        "the network would have {found} parameters; at most {MOST_PARAMETERS} are supported, so give narrower layers or fewer --params"
    )]
    TooLarge {
        /// Trained real numbers.
        found: usize,
    },
    /// Nothing would change in training.
    #[error(
        "no layer of the network has anything to train; add one with weights, for instance linear"
    )]
    Untrained,
    /// A field of one layer is out of range.
    #[error("model.layers.{index} ({kind}): {message}")]
    Layer {
        /// Position in the list, from 0.
        index: usize,
        /// The layer's kind.
        kind: &'static str,
        /// What is wrong and what would work.
        message: String,
    },
    /// The last layer has another width than the signal has channels.
    #[error(
        "the last layer gives {found} values, but the signal has {expected} channels; leave its width out or put a linear layer after it"
    )]
    Output {
        /// Width of the last layer.
        found: usize,
        /// Channels of the signal.
        expected: usize,
    },
}

/// One line of `inr info`: what a layer is and how many parameters it has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerSummary {
    /// The layer's kind.
    pub kind: String,
    /// Inputs a row.
    pub d_in: usize,
    /// Outputs a row.
    pub d_out: usize,
    /// Trained real numbers.
    pub parameters: usize,
    /// Name and shape of each tensor.
    pub shapes: Vec<(String, Vec<usize>)>,
}

/// A checked list of layers, f: `[n, d_in]` → `[n, d_out]`.
///
/// With several segments the first axis is cut into as many equal parts, each of which has weights of its own and is stretched to
/// [-1, 1]: as many small networks of the same layers in one.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    layers: Vec<LayerConfig>,
    d_in: usize,
    d_out: usize,
    segments: usize,
}

impl Network {
    /// Connects `layers` between `d_in` coordinates and `d_out` values: fields left open are derived from `hints`, the last layer
    /// that has a width takes the width `d_out`, and every field is checked.
    ///
    /// # Errors
    /// [`NetworkError`] names the layer and the field.
    pub fn new(
        mut layers: Vec<LayerConfig>,
        d_in: usize,
        d_out: usize,
        hints: &Hints,
    ) -> Result<Self, NetworkError> {
        if d_in == 0 || d_out == 0 {
            return Err(NetworkError::NoAxes { d_in, d_out });
        }
        let value_layer = value_layer(&layers).ok_or(NetworkError::Empty)?;
        let mut widths = Vec::with_capacity(layers.len());
        for (index, config) in layers.iter_mut().enumerate() {
            let kind = config.kind();
            let layer = config.layer_mut();
            let named = |message| NetworkError::Layer {
                index,
                kind,
                message,
            };
            if let Source::Layer(source) = layer.source() {
                check_earlier(source, widths.len()).map_err(named)?;
            }
            let d_in = input_width(layer, d_in, &widths);
            if index == value_layer && layer.d_out(d_in) == 0 {
                layer.set_d_out(d_out);
            }
            layer.derive(d_in, hints);
            layer.check(d_in).map_err(named)?;
            let width = layer.d_out(d_in);
            if let Some(factor) = layer.factor() {
                check_factor(factor, width, &widths).map_err(named)?;
            }
            widths.push(width);
        }
        let network = Self {
            layers,
            d_in,
            d_out,
            segments: 1,
        };
        network.check_all_are_read()?;
        match widths.last() {
            Some(&found) if found != d_out => Err(NetworkError::Output {
                found,
                expected: d_out,
            }),
            _ => Ok(network),
        }
    }

    /// Checks that the output of every layer is read, by the next one or by a later one.
    fn check_all_are_read(&self) -> Result<(), NetworkError> {
        let read_later = self.is_read_later();
        for (index, pair) in self.layers.windows(2).enumerate() {
            if pair[1].layer().source() != Source::Before && !read_later[index] {
                return Err(NetworkError::Layer {
                    index,
                    kind: pair[0].kind(),
                    message: format!(
                        "no layer reads its output, for the next one, {}, reads another; name layer {index} in a later skip or product, or take it out",
                        pair[1].kind()
                    ),
                });
            }
        }
        Ok(())
    }

    /// The same layers with weights of their own in each of `segments` (at least 1) parts of the first axis.
    #[must_use]
    pub fn with_segments(self, segments: usize) -> Self {
        Self { segments, ..self }
    }

    /// The parts of the first axis that have weights of their own.
    pub fn segments(&self) -> usize {
        self.segments
    }

    /// Numbers of a row as engines take it, see [`Network::locate`].
    pub fn row_width(&self) -> usize {
        self.d_in + usize::from(self.segments > 1)
    }

    /// Writes the coordinates `[n, d_in]` as rows for an engine, `[n, row_width]`: as they are, but where there are several segments, the
    /// number of the segment and then the first coordinate within it.
    ///
    /// Rounded within their segment, samples of any length of sound keep their places; on the axis as a whole neighbours at 44.1 kHz
    /// come out the same in f32 after twelve minutes.
    pub fn locate(&self, coordinates: &[f64], rows: &mut [f32]) {
        if self.segments == 1 {
            for (row, coordinate) in rows.iter_mut().zip(coordinates) {
                *row = *coordinate as f32;
            }
            return;
        }
        let places = coordinates.chunks_exact(self.d_in);
        for (row, place) in rows.chunks_exact_mut(self.row_width()).zip(places) {
            let position = (place[0] + 1.0) / 2.0 * self.segments as f64;
            // A cast of a float saturates; what lies outside belongs to the outermost segments.
            let segment = (position as usize).min(self.segments - 1);
            row[0] = segment as f32;
            row[1] = (2.0 * (position - segment as f64) - 1.0) as f32;
            for (number, coordinate) in row[2..].iter_mut().zip(&place[1..]) {
                *number = *coordinate as f32;
            }
        }
    }

    /// The layers, from coordinates to values.
    pub fn layers(&self) -> &[LayerConfig] {
        &self.layers
    }

    /// Coordinates a row.
    pub fn d_in(&self) -> usize {
        self.d_in
    }

    /// Values a row.
    pub fn d_out(&self) -> usize {
        self.d_out
    }

    /// Each layer with its number of inputs.
    pub fn layers_with_d_in(&self) -> impl Iterator<Item = (&LayerConfig, usize)> {
        let mut widths = Vec::with_capacity(self.layers.len());
        self.layers.iter().map(move |config| {
            let d_in = input_width(config.layer(), self.d_in, &widths);
            widths.push(config.layer().d_out(d_in));
            (config, d_in)
        })
    }

    /// Whether the output of a layer is read by a later one than the next, as a factor ([`Layer::factor`]) or as its input ([`Layer::source`]); for each layer.
    pub fn is_read_later(&self) -> Vec<bool> {
        let mut all = vec![false; self.layers.len()];
        for layer in self.layers.iter().map(LayerConfig::layer) {
            if let Some(factor) = layer.factor() {
                all[factor] = true;
            }
            if let Source::Layer(source) = layer.source() {
                all[source] = true;
            }
        }
        all
    }

    /// How many parameter tensors each layer has in a segment.
    pub fn tensors_per_layer(&self) -> Vec<usize> {
        self.layers_with_d_in()
            .map(|(config, d_in)| config.layer().parameters(d_in).len())
            .collect()
    }

    /// How many real numbers are trained.
    pub fn parameter_count(&self) -> usize {
        let layers = self.summary().into_iter().map(|layer| layer.parameters);
        let of_segment = layers.fold(0, usize::saturating_add);
        // A damaged file may claim any number.
        self.segments.saturating_mul(of_segment)
    }

    /// Multiply-adds of the matrix products that the formulas of the layers need for one row, forward.
    pub fn multiply_adds(&self) -> usize {
        self.multiply_adds_per_layer().sum()
    }

    /// The same for one row of a training step: as many again for the gradients of the weights, and as many again for the
    /// gradients of the inputs, which the first layer does not need.
    pub fn training_multiply_adds(&self) -> usize {
        let first = self.multiply_adds_per_layer().next().unwrap_or(0);
        3 * self.multiply_adds() - first
    }

    fn multiply_adds_per_layer(&self) -> impl Iterator<Item = usize> {
        self.layers_with_d_in()
            .map(|(config, d_in)| config.layer().multiply_adds(d_in))
    }

    /// Checks, before memory is taken, that the network has something to train and is small enough for it.
    ///
    /// # Errors
    /// [`NetworkError::Untrained`], [`NetworkError::TooLarge`].
    pub fn check_size(&self) -> Result<(), NetworkError> {
        let layers = self.layers_with_d_in();
        // What layers derive for their fast form takes memory as well.
        let prepared = layers
            .map(|(config, d_in)| config.layer().tile_memory(d_in).prepared)
            .fold(0, usize::saturating_add);
        match self.parameter_count() {
            1..=MOST_PARAMETERS if prepared > MOST_PARAMETERS => {
                Err(NetworkError::TooLarge { found: prepared })
            }
            0 => Err(NetworkError::Untrained),
            1..=MOST_PARAMETERS => Ok(()),
            found => Err(NetworkError::TooLarge { found }),
        }
    }

    /// The widest row between two layers, inputs and outputs included.
    pub fn widest(&self) -> usize {
        self.layers_with_d_in()
            .map(|(config, d_in)| config.layer().d_out(d_in).max(d_in))
            .max()
            .unwrap_or(0)
    }

    /// What the layers of a segment are.
    pub fn summary(&self) -> Vec<LayerSummary> {
        self.layers_with_d_in()
            .map(|(config, d_in)| {
                let specs = config.layer().parameters(d_in);
                LayerSummary {
                    kind: config.kind().to_string(),
                    d_in,
                    d_out: config.layer().d_out(d_in),
                    parameters: specs
                        .iter()
                        .map(|s| s.count())
                        .fold(0, usize::saturating_add),
                    shapes: specs
                        .into_iter()
                        .map(|s| (s.name.to_string(), s.shape))
                        .collect(),
                }
            })
            .collect()
    }

    /// Draws initial parameters; the same `seed` gives the same bits on every machine.
    pub fn initialize(&self, seed: u64) -> Parameters {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut tensors = Vec::new();
        for segment in 0..self.segments {
            let prefix = match self.segments {
                1 => String::new(),
                _ => format!("segments.{segment}."),
            };
            for (layer, (config, d_in)) in self.layers_with_d_in().enumerate() {
                let specs = config.layer().parameters(d_in);
                let values = config.layer().initialize(d_in, &mut rng);
                tensors.extend(
                    specs
                        .into_iter()
                        .zip(values)
                        .map(|(spec, values)| Parameter {
                            name: format!("{prefix}layers.{layer}.{}", spec.name),
                            layer,
                            shape: spec.shape,
                            is_list: spec.is_list,
                            values,
                        }),
                );
            }
        }
        Parameters { tensors }
    }
}

/// The place of the layer whose width is that of the values: the last but for those that have as many outputs as inputs, whatever these are.
pub(crate) fn value_layer(layers: &[LayerConfig]) -> Option<usize> {
    let keeps_width = |layer: &dyn Layer| layer.d_out(1) == 1 && layer.d_out(2) == 2;
    let last = layers.len().checked_sub(1)?;
    let place = layers
        .iter()
        .rposition(|config| !keeps_width(config.layer()));
    Some(place.unwrap_or(last))
}

/// The inputs of a layer behind layers with these `widths`, in a network with `d_in` coordinates.
fn input_width(layer: &dyn Layer, d_in: usize, widths: &[usize]) -> usize {
    match layer.source() {
        Source::Before => widths.last().copied().unwrap_or(d_in),
        Source::Coordinates => d_in,
        Source::Layer(source) => widths[source],
    }
}

/// Checks that the layer at `of` is one of the `earlier` ones.
fn check_earlier(of: usize, earlier: usize) -> Result<(), String> {
    match earlier {
        0 => Err("of needs an earlier layer, and this is the first".into()),
        _ if of >= earlier => Err(format!(
            "of is {of}; it must name an earlier layer, from 0 to {}",
            earlier - 1
        )),
        _ => Ok(()),
    }
}

/// Checks that the layer at `factor` is one of the earlier ones, which have these `widths`, and as wide as the product.
fn check_factor(factor: usize, width: usize, widths: &[usize]) -> Result<(), String> {
    check_earlier(factor, widths.len())?;
    match widths[factor] {
        other if other == width => Ok(()),
        other => Err(format!(
            "of names layer {factor}, which gives {other} values, but this one has {width}; give both the same width"
        )),
    }
}
