//! The samples of a step: drawn and gathered; if that is asked for, chosen by their errors, or drawn in spans for a loss on spectra.

use super::sampler::Sampler;
use super::spectral::{self, Spectral};
use super::trainer::Run;
use crate::engine::{Batch, Engine, EngineError, Measured};
use crate::kernels::loss::difference;
use crate::model::Parameters;
use crate::signal::Footprint;

/// What is known of a batch before its step, where the engine measures another thing.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Known {
    loss: Option<f64>,
    mean_squared_error: Option<f64>,
}

impl Known {
    /// It instead of what was measured.
    pub fn over(self, measured: Measured) -> Measured {
        Measured {
            loss: self.loss.unwrap_or(measured.loss),
            mean_squared_error: self
                .mean_squared_error
                .unwrap_or(measured.mean_squared_error),
        }
    }
}

/// Fills the batch of every step of a run.
pub(super) struct Feed<'a> {
    run: &'a Run<'a>,
    sampler: Sampler,
    epoch: Option<u64>,
    indices: Vec<u32>,
    offset: Vec<f64>,
    /// `[candidates, d_in]`
    coordinates: Vec<f64>,
    /// What was drawn for the batch, when there is more than that.
    candidates: Batch,
    spectral: Option<Spectral>,
    /// What the network says of what was drawn, `[candidates, d_out]`, where that matters.
    values: Vec<f32>,
    /// The samples to be learnt.
    pub batch: Batch,
}

impl<'a> Feed<'a> {
    /// Batches for a run.
    pub fn new(run: &'a Run<'a>) -> Self {
        let (training, network) = (run.training, run.network);
        let batch = |rows: usize| Batch {
            coordinates: vec![0.0; rows * network.row_width()],
            targets: vec![0.0; rows * network.d_out()],
            slack: match training.slack {
                true => run.signal.slack(training.footprint),
                false => 0.0,
            },
            normals: match training.loss.needs_normals() {
                true => vec![0.0; rows * network.d_in()],
                false => Vec::new(),
            },
        };
        let drawn = training.batch_size * training.candidates;
        let samples = run.signal.samples();
        let spectral = (training.spectral_weight > 0.0).then(|| {
            let span = spectral::span(samples, training.batch_size);
            (
                Spectral::new(training.spectral_weight, span, network.d_out()),
                span,
            )
        });
        let sampler = match &spectral {
            Some((spectral, span)) => {
                Sampler::new(training.seed, spectral.places(samples), drawn / span)
            }
            None => Sampler::new(training.seed, samples, drawn),
        };
        let spare = if training.candidates > 1 { drawn } else { 0 };
        let evaluated = if spectral.is_some() { drawn } else { spare };
        Self {
            run,
            sampler,
            spectral: spectral.map(|(spectral, _)| spectral),
            epoch: None,
            indices: Vec::with_capacity(drawn),
            offset: vec![0.0; network.d_in()],
            coordinates: vec![0.0; drawn * network.d_in()],
            candidates: batch(spare),
            values: vec![0.0; evaluated * network.d_out()],
            batch: batch(training.batch_size),
        }
    }

    /// Has the signal draw the samples of step number `step`, which may take seconds that are not those of a step.
    pub fn prepare(&mut self, step: u64) {
        let of_step = self.sampler.epoch(step);
        if self.epoch.replace(of_step) != Some(of_step) {
            self.run.signal.refresh(of_step);
        }
    }

    /// Makes the batch that of step number `step`.
    ///
    /// # Errors
    /// [`EngineError`] when the device fails.
    pub fn fill(
        &mut self,
        step: u64,
        engine: &mut dyn Engine,
        parameters: &Parameters,
    ) -> Result<Known, EngineError> {
        self.prepare(step);
        self.sampler.batch(step, &mut self.indices);
        if let Some(spectral) = &self.spectral {
            spectral.spread(self.run.signal.samples(), &mut self.indices);
            self.gather(step, false);
            return self.add_spectra(engine, parameters);
        }
        if self.values.is_empty() {
            self.gather(step, false);
            return Ok(Known::default());
        }
        self.gather(step, true);
        self.choose(engine, parameters)
    }

    /// Moves the targets by the loss on spectra.
    fn add_spectra(
        &mut self,
        engine: &mut dyn Engine,
        parameters: &Parameters,
    ) -> Result<Known, EngineError> {
        let Batch {
            coordinates,
            targets,
            ..
        } = &mut self.batch;
        engine.evaluate(self.run.network, parameters, coordinates, &mut self.values)?;
        let squares = self.values.iter().zip(&*targets);
        let sum: f64 = squares.map(|(v, t)| f64::from(v - t).powi(2)).sum();
        let mean_squared_error = sum / targets.len() as f64;
        let spectral = self.spectral.as_ref();
        let added = spectral.map_or(0.0, |spectral| spectral.pull(&self.values, targets));
        Ok(Known {
            loss: Some(mean_squared_error + added),
            mean_squared_error: Some(mean_squared_error),
        })
    }

    /// Makes the candidates with the largest errors the batch; the error of all is known then, and that of the batch says too much.
    fn choose(
        &mut self,
        engine: &mut dyn Engine,
        parameters: &Parameters,
    ) -> Result<Known, EngineError> {
        let network = self.run.network;
        let candidates = &self.candidates;
        engine.evaluate(
            network,
            parameters,
            &candidates.coordinates,
            &mut self.values,
        )?;
        let d_out = network.d_out();
        let errors: Vec<f32> = self
            .values
            .chunks_exact(d_out)
            .zip(candidates.targets.chunks_exact(d_out))
            .map(|(values, targets)| {
                let differences = values.iter().zip(targets);
                differences
                    .map(|(v, t)| difference(*v, *t, candidates.slack).powi(2))
                    .sum()
            })
            .collect();
        let chosen = largest(&errors, self.run.training.batch_size);
        for (to, from, width) in [
            (
                &mut self.batch.coordinates,
                &candidates.coordinates,
                network.row_width(),
            ),
            (&mut self.batch.targets, &candidates.targets, d_out),
            (&mut self.batch.normals, &candidates.normals, network.d_in()),
        ] {
            for (to, &row) in to.chunks_exact_mut(width).zip(&chosen) {
                to.copy_from_slice(&from[row as usize * width..][..width]);
            }
        }
        let sum: f64 = errors.iter().copied().map(f64::from).sum();
        Ok(Known {
            loss: None,
            mean_squared_error: Some(sum / self.values.len() as f64),
        })
    }

    /// Gathers what was drawn into the candidates, or right into the batch.
    fn gather(&mut self, step: u64, as_candidates: bool) {
        let (signal, network) = (self.run.signal, self.run.network);
        let batch = match as_candidates {
            true => &mut self.candidates,
            false => &mut self.batch,
        };
        match self.run.training.footprint {
            Footprint::Point => {
                signal.gather(&self.indices, &mut self.coordinates, &mut batch.targets);
            }
            Footprint::Area => {
                self.sampler.offset(step, &mut self.offset);
                signal.gather_within(
                    &self.offset,
                    &self.indices,
                    &mut self.coordinates,
                    &mut batch.targets,
                );
            }
        }
        network.locate(&self.coordinates, &mut batch.coordinates);
        if self.run.training.loss.needs_normals() {
            signal.gather_normals(&self.indices, &mut batch.normals);
        }
    }
}

/// The places of the `count` largest errors, in their order; of equal ones the first.
fn largest(errors: &[f32], count: usize) -> Vec<u32> {
    let mut places: Vec<u32> = (0..errors.len() as u32).collect();
    if count < places.len() {
        places.select_nth_unstable_by(count, |&a, &b| {
            let by_error = errors[b as usize].total_cmp(&errors[a as usize]);
            by_error.then(a.cmp(&b))
        });
        places.truncate(count);
        places.sort_unstable();
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_errors_are_chosen_in_their_order() {
        assert_eq!(largest(&[0.1, 0.9, 0.3, 0.9, 0.9], 2), [1, 3]);
        assert_eq!(largest(&[0.1, 0.9, 0.3], 3), [0, 1, 2]);
        assert_eq!(largest(&[f32::NAN, 0.9, 0.3], 1), [0]);
    }
}
