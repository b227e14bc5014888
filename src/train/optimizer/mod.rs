//! Optimizers on host memory, shared by all engines.

mod adam;
mod muon;
mod newton_schulz;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::model::Parameters;
use adam::Adam;
use muon::{Memory, Muon};

/// Elements of a tensor that one task passes over.
const PIECE: usize = 1 << 14;

/// Steps in which what [`OptimizerConfig::muon_start`] adds to the rate falls to a part of e.
const START_STEPS: f64 = 100.0;

/// Which update rule is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Adam on everything (Kingma and Ba 2015).
    Adam,
    /// Adam with decoupled weight decay (Loshchilov and Hutter 2019).
    AdamW,
    /// Muon on the matrices between the first and the last layer, Adam on the rest (Jordan et al. 2024; for INRs McGinnis et al. 2026).
    #[default]
    Muon,
}

/// An optimizer and its rates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerConfig {
    /// The update rule.
    pub kind: OptimizerKind,
    /// Learning rate of Adam.
    pub learning_rate: f64,
    /// Learning rate of Muon, for each orthogonalised matrix.
    pub muon_learning_rate: f64,
    /// The widest matrix that [`Self::muon_learning_rate`] is meant for, see [`Self::muon_rate`]; 0 for a rate that holds at any width.
    pub muon_width: usize,
    /// The factor on Muon's rate in the first step, at least 1; with the t-th step after it, it falls as 1 + (factor − 1) e^(−t/100). Small initial
    /// weights grow by steps of Muon, so that short runs want large ones.
    pub muon_start: f64,
    /// Whether Muon also moves the coefficients of a first layer of basis functions, a matrix from features to outputs.
    pub muon_on_first_basis: bool,
    /// Decay of Muon's momentum.
    pub momentum: f64,
    /// Decay of Adam's first moment.
    pub beta_1: f64,
    /// Decay of Adam's second moment.
    pub beta_2: f64,
    /// Adam's ε.
    pub epsilon: f64,
    /// Decoupled weight decay, of AdamW only.
    pub weight_decay: f64,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            kind: OptimizerKind::Muon,
            learning_rate: 1e-3,
            muon_learning_rate: 5e-3,
            muon_width: 0,
            muon_start: 1.0,
            muon_on_first_basis: false,
            momentum: 0.95,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
        }
    }
}

impl OptimizerConfig {
    /// η of a matrix with `d_in` inputs and `d_out` outputs, which Muon multiplies with the orthogonal update.
    ///
    /// The rate times √max(1, d_out/d_in), an update of the same spectral norm at any width (Jordan et al. 2024, whose matrices are
    /// `[d_out, d_in]`). Where a side is longer than [`Self::muon_width`], w, also times √(w / the longer side), a deviation: so the best rate of
    /// SIREN and of `fourier-kan` was found to fall (docs/search-on-pictures.md).
    pub fn muon_rate(&self, d_in: usize, d_out: usize) -> f64 {
        let (d_in, d_out) = (d_in as f64, d_out as f64);
        let width = match self.muon_width {
            0 => f64::INFINITY,
            width => width as f64,
        };
        let ratio = (d_out / d_in).max(1.0) * (width / d_in.max(d_out)).min(1.0);
        self.muon_learning_rate * ratio.sqrt()
    }

    /// The factor of [`Self::muon_start`] on Muon's rate, `steps` steps after the first.
    pub fn start_factor(&self, steps: u64) -> f64 {
        1.0 + (self.muon_start - 1.0) * (-(steps as f64) / START_STEPS).exp()
    }

    /// Checks the fields; the error is a sentence that starts with the field's name.
    pub fn check(&self) -> Result<(), String> {
        for (field, value) in [
            ("learning_rate", self.learning_rate),
            ("muon_learning_rate", self.muon_learning_rate),
            ("epsilon", self.epsilon),
        ] {
            // What the steps are computed with.
            let single = value as f32;
            if !(single.is_finite() && single > 0.0) {
                return Err(format!(
                    "{field} is {value}; it must be a finite number above 0, in single precision"
                ));
            }
        }
        if !(self.muon_start.is_finite() && self.muon_start >= 1.0) {
            return Err(format!(
                "muon_start is {}; it must be a finite number, at least 1",
                self.muon_start
            ));
        }
        for (field, value) in [
            ("momentum", self.momentum),
            ("beta_1", self.beta_1),
            ("beta_2", self.beta_2),
        ] {
            if value < 0.0 || !(0.0..1.0).contains(&(value as f32)) {
                return Err(format!(
                    "{field} is {value}; it must be at least 0 and below 1, in single precision"
                ));
            }
        }
        if !(self.weight_decay.is_finite() && self.weight_decay >= 0.0) {
            return Err(format!(
                "weight_decay is {}; it must be 0 or more",
                self.weight_decay
            ));
        }
        if self.weight_decay > 0.0 && self.kind != OptimizerKind::AdamW {
            return Err(
                "weight_decay is used by adamw only; set kind = \"adamw\" or leave it at 0".into(),
            );
        }
        Ok(())
    }
}

/// The state of one parameter tensor's update rule.
#[derive(Debug, Clone, PartialEq)]
enum Rule {
    Adam(Adam),
    Muon(Muon),
}

/// An optimizer with its state.
#[derive(Debug, Clone, PartialEq)]
pub struct Optimizer {
    config: OptimizerConfig,
    steps: u64,
    rules: Vec<Rule>,
    memory: Memory,
}

impl Optimizer {
    /// A fresh optimizer for `parameters`.
    pub fn new(config: &OptimizerConfig, parameters: &Parameters) -> Self {
        let last_layer = parameters
            .tensors
            .iter()
            .map(|p| p.layer)
            .max()
            .unwrap_or(0);
        let rules = parameters
            .tensors
            .iter()
            .map(|p| {
                // Orthogonal updates suit maps between hidden features; coordinates and channels have axes with a meaning.
                let first_basis = config.muon_on_first_basis && p.shape.len() == 3;
                let hidden = (p.layer > 0 || first_basis) && p.layer < last_layer;
                if config.kind == OptimizerKind::Muon && hidden && !p.is_list {
                    Rule::Muon(Muon::new(p))
                } else {
                    Rule::Adam(Adam::new(p.values.len()))
                }
            })
            .collect();
        Self {
            config: config.clone(),
            steps: 0,
            rules,
            memory: Memory::default(),
        }
    }

    /// Moves `parameters` against `gradients`; `factor` is the schedule's factor on all learning rates.
    pub fn step(&mut self, parameters: &mut Parameters, gradients: &Parameters, factor: f64) {
        self.steps += 1;
        let (config, steps, memory) = (&self.config, self.steps, &self.memory);
        self.rules
            .par_iter_mut()
            .zip(&mut parameters.tensors)
            .zip(&gradients.tensors)
            .for_each(|((rule, parameter), gradient)| match rule {
                Rule::Adam(adam) => adam.step(
                    config,
                    steps,
                    factor,
                    &mut parameter.values,
                    &gradient.values,
                ),
                Rule::Muon(muon) => {
                    let factor = factor * config.start_factor(steps - 1);
                    muon.step(config, factor, parameter, &gradient.values, memory);
                }
            });
    }

    /// How many steps were made.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The state as named vectors, for a checkpoint.
    pub fn tensors<'a>(&'a self, parameters: &'a Parameters) -> Vec<(String, &'a [f32])> {
        let mut tensors = Vec::new();
        for (rule, parameter) in self.rules.iter().zip(&parameters.tensors) {
            for (name, values) in rule.state() {
                tensors.push((format!("{name}.{}", parameter.name), values));
            }
        }
        tensors
    }

    /// Puts back a state saved by [`Optimizer::tensors`] after `steps` steps; `load` fills the vector of the given name.
    ///
    /// # Errors
    /// What `load` says.
    pub fn restore(
        &mut self,
        parameters: &Parameters,
        steps: u64,
        mut load: impl FnMut(&str, &mut [f32]) -> Result<(), String>,
    ) -> Result<(), String> {
        self.steps = steps;
        for (rule, parameter) in self.rules.iter_mut().zip(&parameters.tensors) {
            for (name, values) in rule.state_mut() {
                load(&format!("{name}.{}", parameter.name), values)?;
            }
        }
        Ok(())
    }
}

impl Rule {
    fn state(&self) -> Vec<(&'static str, &[f32])> {
        match self {
            Self::Adam(adam) => vec![("adam.m", &adam.m), ("adam.v", &adam.v)],
            Self::Muon(muon) => vec![("muon.momentum", &muon.momentum)],
        }
    }

    fn state_mut(&mut self) -> Vec<(&'static str, &mut [f32])> {
        match self {
            Self::Adam(adam) => vec![("adam.m", &mut adam.m), ("adam.v", &mut adam.v)],
            Self::Muon(muon) => vec![("muon.momentum", &mut muon.momentum)],
        }
    }
}
