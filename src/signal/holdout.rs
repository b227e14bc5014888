//! Signals reduced by a whole factor, so that it can be measured what is made of the samples that were left out.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Signal, SignalError};

/// How every block of factor samples along each axis becomes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReducedBy {
    /// The mean of the block.
    #[default]
    Area,
    /// The first sample of the block along each axis.
    Decimation,
}

impl FromStr for ReducedBy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "area" => Ok(Self::Area),
            "decimation" => Ok(Self::Decimation),
            _ => Err(format!(
                "{text:?} is not a way to reduce; use area or decimation"
            )),
        }
    }
}

/// A reduction of every axis by the same factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Reduction {
    factor: u32,
    by: ReducedBy,
}

/// A reduction as a file has it, which anybody may have written.
#[derive(Deserialize)]
struct Unchecked {
    factor: u32,
    by: ReducedBy,
}

impl TryFrom<Unchecked> for Reduction {
    type Error = SignalError;

    fn try_from(unchecked: Unchecked) -> Result<Self, SignalError> {
        Self::new(unchecked.factor, unchecked.by)
    }
}

impl Reduction {
    /// A reduction by a factor of at least 2.
    ///
    /// # Errors
    /// [`SignalError::Factor`].
    pub fn new(factor: u32, by: ReducedBy) -> Result<Self, SignalError> {
        match factor {
            0 | 1 => Err(SignalError::Factor { factor }),
            _ => Ok(Self { factor, by }),
        }
    }

    /// Samples along each axis that become one.
    pub fn factor(&self) -> usize {
        self.factor as usize
    }

    /// How they become one.
    pub fn by(&self) -> ReducedBy {
        self.by
    }

    /// How far the full grid lies behind the grid that has factor cells in every reduced cell, in reduced cells.
    ///
    /// A mean belongs to the centre of its block, which is the centre of the reduced cell: nothing is shifted. A first sample lies
    /// at (½ / factor) of the block and becomes the centre of the cell, at ½.
    pub fn shift(&self) -> f64 {
        match self.by {
            ReducedBy::Area => 0.0,
            ReducedBy::Decimation => 0.5 - 0.5 / f64::from(self.factor),
        }
    }

    /// Where full sample `index` of an axis lies among the reduced samples, of which sample i lies at i.
    pub fn position(&self, index: usize) -> f64 {
        (index as f64 + 0.5) / f64::from(self.factor) - 0.5 + self.shift()
    }
}

/// A signal in two resolutions.
pub struct HeldOut {
    /// The reduced signal, with the precision of the file.
    pub reduced: Box<dyn Signal>,
    /// What it was reduced from: the signal, cut at its end to a multiple of the factor.
    pub reference: Box<dyn Signal>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reduction_in_a_file_is_checked_as_any_other() {
        let read = |factor: u32| {
            let text = format!("{{\"factor\":{factor},\"by\":\"area\"}}");
            serde_json::from_str::<Reduction>(&text)
        };
        assert_eq!(read(2).unwrap().factor(), 2);
        for factor in [0, 1] {
            let error = read(factor).unwrap_err().to_string();
            let known = Reduction::new(factor, ReducedBy::Area).unwrap_err();
            assert!(error.starts_with(&known.to_string()), "{error}");
        }
    }

    #[test]
    fn full_samples_lie_where_the_reduced_ones_came_from() {
        for factor in [2, 3, 8] {
            let area = Reduction::new(factor, ReducedBy::Area).unwrap();
            let decimation = Reduction::new(factor, ReducedBy::Decimation).unwrap();
            let n = area.factor();
            for i in 0..5 {
                let block = i * n..(i + 1) * n;
                let mean = block.clone().map(|j| area.position(j)).sum::<f64>() / n as f64;
                assert!((mean - i as f64).abs() < 1e-12);
                for (k, j) in block.enumerate() {
                    let expected = i as f64 + k as f64 / n as f64;
                    assert!((decimation.position(j) - expected).abs() < 1e-12);
                }
            }
        }
        assert!(Reduction::new(1, ReducedBy::Area).is_err());
        assert!(Reduction::new(0, ReducedBy::Area).is_err());
    }
}
