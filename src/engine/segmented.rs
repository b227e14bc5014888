//! Networks in segments: rows are sorted by the part of the first axis that they lie in, and every part is run by itself.

use super::{Batch, Engine, EngineError, Loss, Measured, Profile};
use crate::model::{Network, Parameters};

/// An engine for networks of any number of segments, by one for a single segment.
pub struct Segmented(Box<dyn Engine>);

impl Segmented {
    /// Runs every segment on `engine`.
    pub fn new(engine: Box<dyn Engine>) -> Self {
        Self(engine)
    }
}

/// The rows of one segment.
#[derive(Debug, Default)]
struct Rows {
    /// Their numbers in the batch.
    indices: Vec<usize>,
    /// Their coordinates within the segment, `[rows, d_in]`.
    coordinates: Vec<f32>,
}

impl Rows {
    /// The rows of `coordinates` `[n, row_width]`, segment by segment.
    fn sorted(network: &Network, coordinates: &[f32]) -> Vec<Self> {
        let mut sorted: Vec<Self> = Vec::new();
        sorted.resize_with(network.segments(), Self::default);
        for (index, row) in coordinates.chunks_exact(network.row_width()).enumerate() {
            let rows = &mut sorted[row[0] as usize];
            rows.indices.push(index);
            rows.coordinates.extend_from_slice(&row[1..]);
        }
        sorted
    }

    /// The same rows of `values` `[n, width]`; empty for no values.
    fn of(&self, values: &[f32], width: usize) -> Vec<f32> {
        let rows = self.indices.iter().filter(|_| !values.is_empty());
        rows.flat_map(|&index| &values[index * width..][..width])
            .copied()
            .collect()
    }
}

impl Engine for Segmented {
    fn loss_and_gradients(
        &mut self,
        network: &Network,
        parameters: &Parameters,
        batch: &Batch,
        loss: Loss,
        gradients: &mut Parameters,
    ) -> Result<Measured, EngineError> {
        if network.segments() == 1 {
            return self
                .0
                .loss_and_gradients(network, parameters, batch, loss, gradients);
        }
        let (d_in, d_out) = (network.d_in(), network.d_out());
        let count = (batch.coordinates.len() / network.row_width()) as f64;
        let one = network.clone().with_segments(1);
        let tensors = parameters.tensors.len() / network.segments();
        let mut mean = Measured {
            loss: 0.0,
            mean_squared_error: 0.0,
        };
        for (segment, rows) in Rows::sorted(network, &batch.coordinates)
            .into_iter()
            .enumerate()
        {
            let own = segment * tensors..(segment + 1) * tensors;
            let gradients = &mut gradients.tensors[own.clone()];
            let share = rows.indices.len() as f64 / count;
            let mut found = Parameters {
                tensors: gradients.iter_mut().map(std::mem::take).collect(),
            };
            if share > 0.0 {
                let part = Batch {
                    targets: rows.of(&batch.targets, d_out),
                    slack: batch.slack,
                    normals: rows.of(&batch.normals, d_in),
                    coordinates: rows.coordinates,
                };
                let parameters = Parameters {
                    tensors: parameters.tensors[own].to_vec(),
                };
                let measured =
                    self.0
                        .loss_and_gradients(&one, &parameters, &part, loss, &mut found)?;
                mean.loss += share * measured.loss;
                mean.mean_squared_error += share * measured.mean_squared_error;
            }
            for (gradient, mut found) in gradients.iter_mut().zip(found.tensors) {
                match share > 0.0 {
                    true => found.values.iter_mut().for_each(|v| *v *= share as f32),
                    false => found.values.fill(0.0),
                }
                *gradient = found;
            }
        }
        Ok(mean)
    }

    fn evaluate(
        &mut self,
        network: &Network,
        parameters: &Parameters,
        coordinates: &[f32],
        values: &mut [f32],
    ) -> Result<(), EngineError> {
        if network.segments() == 1 {
            return self.0.evaluate(network, parameters, coordinates, values);
        }
        let d_out = network.d_out();
        let one = network.clone().with_segments(1);
        let tensors = parameters.tensors.len() / network.segments();
        for (segment, rows) in Rows::sorted(network, coordinates).into_iter().enumerate() {
            if rows.indices.is_empty() {
                continue;
            }
            let parameters = Parameters {
                tensors: parameters.tensors[segment * tensors..][..tensors].to_vec(),
            };
            let mut found = vec![0.0; rows.indices.len() * d_out];
            self.0
                .evaluate(&one, &parameters, &rows.coordinates, &mut found)?;
            for (&index, found) in rows.indices.iter().zip(found.chunks_exact(d_out)) {
                values[index * d_out..][..d_out].copy_from_slice(found);
            }
        }
        Ok(())
    }

    fn take_profile(&mut self) -> Option<Profile> {
        self.0.take_profile()
    }
}
