//! Scaling a list of layers to a parameter budget.

use super::layer::{Hints, LayerConfig};
use super::network::{Network, NetworkError};

/// Scales the widths of all layers but the last, in proportion, until the network has about `budget` parameters; then widens or
/// narrows single layers to come as near as possible.
///
/// # Errors
/// [`NetworkError`] when the list is not a network at any size.
pub fn size_to_budget(
    layers: &[LayerConfig],
    d_in: usize,
    d_out: usize,
    hints: &Hints,
    budget: usize,
) -> Result<Network, NetworkError> {
    // Scaling would hide a width of 0.
    let unscaled = Network::new(layers.to_vec(), d_in, d_out, hints)?;
    let count = |network: &Network| network.parameter_count();
    let build = |widths: &[usize]| -> Result<Network, NetworkError> {
        let mut layers = layers.to_vec();
        for (config, &width) in layers.iter_mut().zip(widths) {
            config.layer_mut().set_d_out(width);
        }
        Network::new(layers, d_in, d_out, hints)
    };
    let hidden = layers.len().saturating_sub(1);
    let base: Vec<f64> = unscaled
        .layers_with_d_in()
        .take(hidden)
        .map(|(config, d_in)| config.layer().d_out(d_in) as f64)
        .collect();
    let scaled = |scale: f64| -> Vec<usize> {
        base.iter()
            .map(|w| ((w * scale).round() as usize).max(2))
            .collect()
    };

    // The count grows with the scale, so bisection finds the last scale within the budget; the bounds span one unit to 65,536.
    let (mut low, mut high) = (
        1e-4_f64,
        65_536.0 / base.iter().copied().fold(1.0, f64::max),
    );
    for _ in 0..60 {
        let middle = (low * high).sqrt();
        if count(&build(&scaled(middle))?) <= budget {
            low = middle;
        } else {
            high = middle;
        }
    }

    let mut widths = scaled(low);
    let mut best = build(&widths)?;
    loop {
        let distance = count(&best).abs_diff(budget);
        let mut improved = None;
        for layer in 0..hidden {
            // Layers of pairs change by two outputs.
            for change in [-2_isize, -1, 1, 2] {
                let width = widths[layer].saturating_add_signed(change).max(2);
                let mut candidate = widths.clone();
                candidate[layer] = width;
                let network = build(&candidate)?;
                let nearer = improved
                    .as_ref()
                    .map_or(distance, |(_, n): &(_, Network)| count(n).abs_diff(budget));
                if count(&network).abs_diff(budget) < nearer {
                    improved = Some((candidate, network));
                }
            }
        }
        match improved {
            Some((candidate, network)) => (widths, best) = (candidate, network),
            None => return Ok(best),
        }
    }
}
