//! Seeded numbers, comparisons and f64 tensors for the tests.

use burn::tensor::{DType, Device, Tensor, TensorData};
use inr::model::{LAYER_KINDS, LayerConfig, ParameterSpec, Source};
use rand::{Rng, SeedableRng, rngs::StdRng};

/// `count` draws from U(low, high).
pub fn uniform(seed: u64, count: usize, low: f64, high: f64) -> Vec<f64> {
    let mut rng = StdRng::seed_from_u64(seed);
    (0..count).map(|_| rng.random_range(low..high)).collect()
}

/// `count` draws from U(low, high) in f32.
pub fn uniform_f32(seed: u64, count: usize, low: f32, high: f32) -> Vec<f32> {
    let mut rng = StdRng::seed_from_u64(seed);
    (0..count).map(|_| rng.random_range(low..high)).collect()
}

/// Holds every entry to `tolerance` times the largest expected entry (or times 1 if `expected` is zero everywhere).
pub fn assert_close<T: Copy + Into<f64>>(
    found: &[T],
    expected: &[T],
    tolerance: f64,
    context: &str,
) {
    assert_eq!(found.len(), expected.len(), "{context}");
    let largest = expected
        .iter()
        .fold(0.0_f64, |most, &e| most.max(e.into().abs()));
    let scale = if largest == 0.0 { 1.0 } else { largest };
    for (place, (&f, &e)) in found.iter().zip(expected).enumerate() {
        let (f, e): (f64, f64) = (f.into(), e.into());
        // Written so that NaN fails.
        assert!(
            (f - e).abs() <= tolerance * scale,
            "{context}: entry {place} is {f} instead of {e}, largest {largest}"
        );
    }
}

/// A matrix of f64 on the CPU.
pub fn matrix(values: &[f64], shape: [usize; 2], device: &Device) -> Tensor<2> {
    Tensor::from_data(
        TensorData::new(values.to_vec(), shape),
        (device, DType::F64),
    )
}

/// The numbers of a tensor.
pub fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.try_into_vec_as::<f64>().unwrap()
}

/// The shape of a parameter tensor as a matrix: leading axes merged.
pub fn matrix_shape(spec: &ParameterSpec) -> [usize; 2] {
    let columns = *spec.shape.last().unwrap();
    [spec.count() / columns, columns]
}

/// Whether a layer names another one.
pub fn is_link(config: &LayerConfig) -> bool {
    config.layer().factor().is_some() || config.layer().source() != Source::Before
}

/// Every example of every registered layer kind that stands by itself (a link to an earlier layer does not), with a number of inputs that it accepts and its name for messages.
pub fn layer_examples() -> Vec<(LayerConfig, usize, String)> {
    let mut examples = Vec::new();
    for kind in LAYER_KINDS {
        let configs = (kind.examples)();
        assert!(!configs.is_empty(), "{} has no examples", kind.name);
        for (number, config) in configs.into_iter().enumerate() {
            assert_eq!(config.kind(), kind.name);
            if is_link(&config) {
                continue;
            }
            // Layers that read pairs refuse 3 inputs.
            let d_in = [3, 4]
                .into_iter()
                .find(|&d_in| config.layer().check(d_in).is_ok());
            let d_in = d_in.unwrap_or_else(|| panic!("{} takes neither 3 nor 4", kind.name));
            examples.push((config, d_in, format!("{} example {number}", kind.name)));
        }
    }
    examples
}
