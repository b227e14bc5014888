//! What a sample says of the cell around it, and what lies within the cells.
//!
//! Where samples are means, the signal is recovered axis by axis by the piecewise parabolic method (Colella and Woodward 1984) without
//! its limiters. The value at the edge between samples a_0 and a_1 is, to sixth order (Colella and Sekora 2008, eq. 17),
//!
//! ```text
//! e = 37/60 (a_0 + a_1) − 8/60 (a_{−1} + a_2) + 1/60 (a_{−2} + a_3)
//! ```
//!
//! and within a cell stands the parabola through both of its edges e_L and e_R whose mean is the sample a (eqs. 1.4 and 1.5):
//!
//! ```text
//! f(s) = e_L + s (e_R − e_L + 6 (1 − s) (a − (e_L + e_R)/2)),  s in [0, 1]
//! ```
//!
//! f is continuous, linear in seven samples, and reproduces polynomials up to degree 2 from their cell means.

use serde::{Deserialize, Serialize};

/// Samples along an axis that the signal within a cell depends on: the cell's own and three on each side.
pub(super) const TAPS: usize = 7;

/// Samples on each side.
pub(super) const REACH: usize = TAPS / 2;

/// What a sample says of the cell around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Footprint {
    /// The value at the centre of the cell; nothing is said of the rest.
    #[default]
    Point,
    /// The mean over the cell, as with the pixels of a camera or of a reduced picture.
    Area,
}

impl Footprint {
    /// Where a cell is evaluated along an axis, in cells from its centre, so that the mean of the values is what a sample is: the
    /// centre; or the nodes of the Gauss-Legendre rule of two points, ±1/√12, which is exact for cubics.
    pub fn nodes(self) -> &'static [f64] {
        const NODE: f64 = 0.288_675_134_594_812_9;
        match self {
            Self::Point => &[0.0],
            Self::Area => &[-NODE, NODE],
        }
    }

    /// Whether it says nothing of the rest of the cell, as is usual.
    pub(super) fn is_point(&self) -> bool {
        *self == Self::Point
    }
}

/// The weights of the samples around a cell whose weighted sum is the signal at `offset` from the cell's centre, in cells from
/// −1/2 to 1/2.
pub(super) fn weights(offset: f64) -> [f64; TAPS] {
    const EDGE: [f64; TAPS - 1] = [
        1.0 / 60.0,
        -8.0 / 60.0,
        37.0 / 60.0,
        37.0 / 60.0,
        -8.0 / 60.0,
        1.0 / 60.0,
    ];
    let s = offset + 0.5;
    let bump = 3.0 * s * (1.0 - s);
    let (left, right) = (1.0 - s - bump, s - bump);
    let mut weights = [0.0; TAPS];
    weights[REACH] = 2.0 * bump;
    for (tap, edge) in EDGE.into_iter().enumerate() {
        weights[tap] += left * edge;
        weights[tap + 1] += right * edge;
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mean over a cell by a rule that is exact for the parabola.
    fn mean(f: impl Fn(f64) -> f64) -> f64 {
        let nodes = Footprint::Area.nodes();
        nodes.iter().map(|&offset| f(offset)).sum::<f64>() / nodes.len() as f64
    }

    #[test]
    fn the_mean_over_a_cell_is_its_sample() {
        for tap in 0..TAPS {
            let weight = mean(|offset| weights(offset)[tap]);
            let expected = f64::from(u8::from(tap == REACH));
            assert!((weight - expected).abs() < 1e-15, "{tap}: {weight}");
        }
    }

    /// The mean of x^p over the cell around j is ((j + ½)^(p+1) − (j − ½)^(p+1)) / (p + 1).
    #[test]
    fn parabolas_are_recovered_from_their_means() {
        for p in 0..=2 {
            let mean = |j: f64| ((j + 0.5).powi(p + 1) - (j - 0.5).powi(p + 1)) / f64::from(p + 1);
            for offset in [-0.5, -0.3, 0.0, 0.2, 0.5] {
                let found: f64 = weights(offset)
                    .iter()
                    .enumerate()
                    .map(|(tap, weight)| weight * mean(tap as f64 - REACH as f64))
                    .sum();
                let expected = f64::powi(offset, p);
                assert!(
                    (found - expected).abs() < 1e-13,
                    "x^{p} at {offset}: {found}"
                );
            }
        }
    }

    #[test]
    fn cells_meet_at_their_edges() {
        let (end, start) = (weights(0.5), weights(-0.5));
        assert!(end[0].abs() < 1e-15 && start[TAPS - 1].abs() < 1e-15);
        for tap in 1..TAPS {
            assert!((end[tap] - start[tap - 1]).abs() < 1e-15);
        }
    }
}
