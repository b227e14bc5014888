//! What `inr bench` prints: JSON and Markdown tables.

use serde::Serialize;

use super::format_count;
use super::table::markdown_table;
use crate::model::Network;
use crate::train::bench::{StepTime, Timing};

/// The speed of some models on one device.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BenchReport {
    /// What they ran on.
    pub device: String,
    /// The most that the device reaches in products of matrices that stay in the cache, in 10⁹ floating-point operations a second.
    pub matrix_product_gflops: Option<f64>,
    /// The models, in the order asked for.
    pub models: Vec<BenchedModel>,
}

/// The speed of one model; times are medians.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BenchedModel {
    /// Name of the preset, or of the config file.
    pub model: String,
    /// Trained real numbers.
    pub parameters: usize,
    /// Samples a step.
    pub batch_size: usize,
    /// How many steps were timed.
    pub steps_timed: usize,
    /// Milliseconds of a training step: loss, gradients and optimizer.
    pub ms_per_step: f64,
    /// Samples a second of training.
    pub train_samples_per_s: f64,
    /// Samples a second of evaluation.
    pub eval_samples_per_s: f64,
    /// 10⁹ floating-point operations a second of training: two for each of [`Network::training_multiply_adds`].
    pub gflops: f64,
    /// `gflops` as a share of the device's most, in [0, 1].
    pub peak_share: Option<f64>,
    /// The optimizer's share of a step, in [0, 1].
    pub optimizer_share: f64,
    /// The most memory that the process had while this model ran.
    pub peak_memory_bytes: Option<u64>,
    /// Where the time of a step went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<StepProfile>,
}

/// Where the milliseconds of one training step, the one with the median time, went; they add up to all of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepProfile {
    /// The layers, from coordinates to values.
    pub layers: Vec<LayerTime>,
    /// The loss and its derivative.
    pub loss_ms: f64,
    /// Preparing the parameters for all tiles.
    pub preparation_ms: f64,
    /// Adding up the gradients of the parts of the batch.
    pub gradient_sum_ms: f64,
    /// The optimizer.
    pub optimizer_ms: f64,
    /// The rest, most of it threads that waited.
    pub other_ms: f64,
}

/// One layer of a [`StepProfile`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerTime {
    /// Position in the list, from 0.
    pub index: usize,
    /// The layer's kind.
    pub kind: &'static str,
    /// The forward pass.
    pub forward_ms: f64,
    /// The backward pass.
    pub backward_ms: f64,
    /// Both, as a share of the step, in [0, 1].
    pub share: f64,
}

impl BenchedModel {
    /// The report of `network` on batches of `batch_size` samples; peak share and memory are not known from its timing.
    pub fn new(name: &str, network: &Network, batch_size: usize, timing: &Timing) -> Self {
        let samples = batch_size as f64;
        let operations = 2.0 * network.training_multiply_adds() as f64 * samples;
        let seconds = timing.step.seconds;
        Self {
            model: name.to_string(),
            parameters: network.parameter_count(),
            batch_size,
            steps_timed: timing.steps,
            ms_per_step: 1e3 * seconds,
            train_samples_per_s: samples / seconds,
            eval_samples_per_s: samples / timing.evaluation_seconds,
            gflops: operations / seconds / 1e9,
            peak_share: None,
            optimizer_share: timing.optimizer_share,
            peak_memory_bytes: None,
            profile: StepProfile::new(network, &timing.step),
        }
    }

    fn row(&self) -> Vec<String> {
        vec![
            self.model.clone(),
            format_count(self.parameters as u64),
            format_count(self.batch_size as u64),
            milliseconds(self.ms_per_step),
            format_count(self.train_samples_per_s.round() as u64),
            format_count(self.eval_samples_per_s.round() as u64),
            format!("{:.1}", self.gflops),
            self.peak_share.map_or("-".into(), percent),
            percent(self.optimizer_share),
            self.peak_memory_bytes
                .map_or("-".into(), |bytes| format!("{:.0} MB", bytes as f64 / 1e6)),
        ]
    }
}

impl StepProfile {
    fn new(network: &Network, step: &StepTime) -> Option<Self> {
        let profile = step.profile.as_ref()?;
        let ms = |time: std::time::Duration| 1e3 * time.as_secs_f64();
        let layers = network
            .layers()
            .iter()
            .zip(profile.forward.iter().zip(&profile.backward))
            .enumerate()
            .map(|(index, (config, (&forward, &backward)))| LayerTime {
                index,
                kind: config.kind(),
                forward_ms: ms(forward),
                backward_ms: ms(backward),
                share: (forward + backward).as_secs_f64() / step.seconds,
            })
            .collect();
        let named = profile.total().as_secs_f64() + step.optimizer_seconds;
        Some(Self {
            layers,
            loss_ms: ms(profile.loss),
            preparation_ms: ms(profile.preparation),
            gradient_sum_ms: ms(profile.gradient_sum),
            optimizer_ms: 1e3 * step.optimizer_seconds,
            other_ms: 1e3 * (step.seconds - named).max(0.0),
        })
    }

    fn table(&self, ms_per_step: f64) -> String {
        let mut rows: Vec<Vec<String>> = self
            .layers
            .iter()
            .map(|layer| {
                vec![
                    format!("{} {}", layer.index, layer.kind),
                    milliseconds(layer.forward_ms),
                    milliseconds(layer.backward_ms),
                    milliseconds(layer.forward_ms + layer.backward_ms),
                    percent(layer.share),
                ]
            })
            .collect();
        for (name, ms) in [
            ("loss", self.loss_ms),
            ("preparation", self.preparation_ms),
            ("gradient sum", self.gradient_sum_ms),
            ("optimizer", self.optimizer_ms),
            ("other", self.other_ms),
        ] {
            rows.push(vec![
                name.into(),
                "-".into(),
                "-".into(),
                milliseconds(ms),
                percent(ms / ms_per_step),
            ]);
        }
        let header = ["layer", "forward ms", "backward ms", "both ms", "share"];
        markdown_table(&header, &rows, 1)
    }
}

impl BenchReport {
    /// The report of `models` on a device that reaches `matrix_product_gflops`, of which their peak shares follow.
    pub fn new(
        device: &str,
        matrix_product_gflops: Option<f64>,
        mut models: Vec<BenchedModel>,
    ) -> Self {
        for model in &mut models {
            model.peak_share = matrix_product_gflops.map(|most| model.gflops / most);
        }
        Self {
            device: device.to_string(),
            matrix_product_gflops,
            models,
        }
    }

    /// All of it as Markdown: a table of the models, the device, and for each model with a profile a table of its layers.
    pub fn text(&self) -> String {
        let header = [
            "model",
            "parameters",
            "batch",
            "ms a step",
            "train samples/s",
            "eval samples/s",
            "GFLOP/s",
            "of peak",
            "optimizer",
            "peak memory",
        ];
        let rows: Vec<_> = self.models.iter().map(BenchedModel::row).collect();
        let mut text = markdown_table(&header, &rows, 1);
        text += &format!("\n{}", self.device);
        if let Some(most) = self.matrix_product_gflops {
            text += &format!("; the peak is {most:.0} GFLOP/s, in matrix products");
        }
        text.push('\n');
        for model in &self.models {
            if let Some(profile) = &model.profile {
                let table = profile.table(model.ms_per_step);
                text += &format!("\n{}, the median step\n\n{table}", model.model);
            }
        }
        text
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn milliseconds(ms: f64) -> String {
    if ms < 10.0 {
        format!("{ms:.2}")
    } else {
        format!("{ms:.1}")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::Profile;
    use crate::model::{Hints, LayerConfig};

    /// Linear layers 2 → 4 → 1, whose training step needs 2 · 2 · 4 + 3 · 4 · 1 = 28 multiply-adds a row.
    fn network() -> Network {
        let layers = r#"[{"kind": "linear", "width": 4}, {"kind": "linear"}]"#;
        let layers: Vec<LayerConfig> = serde_json::from_str(layers).unwrap();
        Network::new(layers, 2, 1, &Hints::default()).unwrap()
    }

    fn timing(profile: Option<Profile>) -> Timing {
        Timing {
            steps: 9,
            step: StepTime {
                seconds: 0.020,
                optimizer_seconds: 0.005,
                profile,
            },
            optimizer_share: 0.25,
            evaluation_seconds: 0.004,
        }
    }

    #[test]
    fn figures_follow_from_the_times() {
        let ms = Duration::from_millis;
        let profile = Profile {
            forward: vec![ms(1), ms(2)],
            backward: vec![ms(3), ms(4)],
            loss: ms(1),
            preparation: ms(1),
            gradient_sum: ms(2),
        };
        let model = BenchedModel::new("two", &network(), 1_000_000, &timing(Some(profile)));
        assert_eq!(model.parameters, (2 * 4 + 4) + (4 + 1));
        assert_eq!(model.ms_per_step, 20.0);
        assert_eq!(model.train_samples_per_s, 50_000_000.0);
        assert_eq!(model.eval_samples_per_s, 250_000_000.0);
        // 2 · 28 · 10⁶ operations in 20 ms.
        assert!((model.gflops - 2.8).abs() < 1e-9);
        let model = BenchedModel {
            peak_memory_bytes: Some(41_400_000),
            ..model
        };
        let report = BenchReport::new("cpu", Some(28.0), vec![model]);
        // 20 ms less 10 of the layers, 1, 1, 2 and 5.
        let expected = "\
| model | parameters |     batch | ms a step | train samples/s | eval samples/s | GFLOP/s | of peak | optimizer | peak memory |
| ----- | ---------: | --------: | --------: | --------------: | -------------: | ------: | ------: | --------: | ----------: |
| two   |         17 | 1,000,000 |      20.0 |      50,000,000 |    250,000,000 |     2.8 |  10.0 % |    25.0 % |       41 MB |

cpu; the peak is 28 GFLOP/s, in matrix products

two, the median step

| layer        | forward ms | backward ms | both ms |  share |
| ------------ | ---------: | ----------: | ------: | -----: |
| 0 linear     |       1.00 |        3.00 |    4.00 | 20.0 % |
| 1 linear     |       2.00 |        4.00 |    6.00 | 30.0 % |
| loss         |          - |           - |    1.00 |  5.0 % |
| preparation  |          - |           - |    1.00 |  5.0 % |
| gradient sum |          - |           - |    2.00 | 10.0 % |
| optimizer    |          - |           - |    5.00 | 25.0 % |
| other        |          - |           - |    1.00 |  5.0 % |
";
        assert_eq!(report.text(), expected);
    }

    #[test]
    fn what_is_not_known_is_a_dash_and_null() {
        let model = BenchedModel::new("two", &network(), 1_000_000, &timing(None));
        let report = BenchReport::new("a card", None, vec![model]);
        let value = serde_json::to_value(&report).unwrap();
        assert!(value["matrix_product_gflops"].is_null());
        let model = value["models"][0].as_object().unwrap();
        assert!(model["peak_share"].is_null() && model["peak_memory_bytes"].is_null());
        assert!(!model.contains_key("profile"));
        let row = report.models[0].row();
        assert_eq!((row[7].as_str(), row[9].as_str()), ("-", "-"));
        assert!(report.text().ends_with("\na card\n"));
    }
}
