//! Scaling a list of layers to a parameter budget.

use super::layer::{Hints, Size};
use super::layers::LayerConfig;
use super::network::{Network, NetworkError, value_layer};

/// The least that a size is scaled down to.
const SMALLEST: usize = 2;

/// A number of parameters to size layers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SizeBudget {
    /// As near as possible to this many.
    About(usize),
    /// No more than this many, where the smallest sizes allow it: widths beside a table stay as written where the table cannot take them all.
    UpTo(usize),
}

/// Scales the sizes of all layers but the width of the values (see [`Layer::size`](super::Layer::size)), in proportion, until the network has about
/// `budget` parameters; then enlarges or reduces single layers to come as near as possible, and takes a little from those whose size is not
/// a good one. Beside a table no width grows, as long as the table can.
///
/// # Errors
/// [`NetworkError`] when the list is not a network at any size.
pub fn size_to_budget(
    layers: &[LayerConfig],
    d_in: usize,
    d_out: usize,
    hints: &Hints,
    budget: SizeBudget,
) -> Result<Network, NetworkError> {
    let (budget, must_be_near) = match budget {
        SizeBudget::About(budget) => (budget, true),
        SizeBudget::UpTo(budget) => (budget, false),
    };
    // Scaling would hide a size of 0.
    let unscaled = Network::new(layers.to_vec(), d_in, d_out, hints)?;
    let count = |network: &Network| network.parameter_count();
    let distance = |network: &Network| match count(network) {
        count if count > budget && !must_be_near => usize::MAX,
        count => count.abs_diff(budget),
    };
    let build = |sizes: &[usize]| -> Result<Network, NetworkError> {
        let mut layers = layers.to_vec();
        for (config, &size) in layers.iter_mut().zip(sizes) {
            config.layer_mut().set_size(size);
        }
        Network::new(layers, d_in, d_out, hints)
    };
    let mut base: Vec<Size> = unscaled
        .layers_with_d_in()
        .map(|(config, d_in)| config.layer().size(d_in))
        .collect();
    // The width of the values is that of the signal; a table is another matter. No layer behind has a size.
    let values = value_layer(layers).unwrap_or_default();
    let is_table = base[values].is_table();
    base.truncate(values + usize::from(is_table));
    if base.iter().any(Size::is_table) {
        // A wide network over a table learns no better and is slow.
        let within_widths = base.iter().map(|size| match size.is_table() {
            true => *size,
            false => Size {
                most: size.value,
                ..*size
            },
        });
        let within_widths: Vec<Size> = within_widths.collect();
        let largest: Vec<usize> = within_widths.iter().map(|size| size.most).collect();
        if !must_be_near || count(&build(&largest)?) >= budget {
            base = within_widths;
        }
    }
    let scaled = |scale: f64| -> Vec<usize> {
        base.iter()
            .map(|size| {
                let scaled = (size.value as f64 * scale.powi(size.power)).round();
                (scaled as usize).clamp(size.most.min(SMALLEST), size.most)
            })
            .collect()
    };

    // The count grows with the scale, so bisection finds the last scale within the budget; at the upper bound every size is the
    // largest.
    let (mut low, mut high) = (1e-4_f64, 1.0);
    for size in &base {
        high = f64::max(high, size.most as f64 / size.value as f64);
    }
    for _ in 0..60 {
        let middle = (low * high).sqrt();
        if count(&build(&scaled(middle))?) <= budget {
            low = middle;
        } else {
            high = middle;
        }
    }

    let mut sizes = scaled(low);
    let mut best = build(&sizes)?;
    loop {
        let mut improved = None;
        for layer in 0..base.len() {
            // Layers of pairs change by two outputs.
            for change in [-2_isize, -1, 1, 2] {
                let size = sizes[layer]
                    .saturating_add_signed(change)
                    .clamp(base[layer].most.min(SMALLEST), base[layer].most);
                let mut candidate = sizes.clone();
                candidate[layer] = size;
                // A width that is tied to others by a product cannot change alone.
                let Ok(network) = build(&candidate) else {
                    continue;
                };
                let nearest = improved
                    .as_ref()
                    .map_or(&best, |(_, network): &(_, Network)| network);
                if distance(&network) < distance(nearest) {
                    improved = Some((candidate, network));
                }
            }
        }
        match improved {
            Some((candidate, network)) => (sizes, best) = (candidate, network),
            None => break,
        }
    }
    for layer in 0..base.len() {
        while sizes[layer] > 2 && !is_well_sized(&best, layer) {
            sizes[layer] -= 1;
            best = build(&sizes)?;
        }
    }
    Ok(best)
}

/// See [`Layer::is_well_sized`](super::Layer::is_well_sized).
fn is_well_sized(network: &Network, layer: usize) -> bool {
    let mut layers = network.layers_with_d_in();
    layers
        .nth(layer)
        .is_none_or(|(config, d_in)| config.layer().is_well_sized(d_in))
}
