//! What a network learns of a distance, and what its outputs mean.

use serde::{Deserialize, Serialize};

/// What a network learns of a distance d, in coordinates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DistanceTarget {
    /// d itself.
    Sdf,
    /// d / 0.1, cut to [-1, 1]: only what is near the surface counts.
    TruncatedSdf,
    /// −1 inside and 1 outside; linear within 0.005 of the surface, so that samples beside it say where it lies.
    Occupancy,
    /// |d| / 0.1, cut to 1, for surfaces without an inside.
    Unsigned,
}

impl DistanceTarget {
    /// The distance at which targets are cut, in coordinates.
    const TRUNCATION: f32 = 0.1;
    /// Half the way from inside to outside of an occupancy, in coordinates: less than a cell of a lattice of 256 points.
    const RAMP: f32 = 0.005;
    /// The unsigned distance that is taken for the surface, in coordinates.
    const SHELL: f32 = 0.008;

    /// The target at a distance.
    pub fn target(self, distance: f32) -> f32 {
        match self {
            Self::Sdf => distance,
            Self::TruncatedSdf => (distance / Self::TRUNCATION).clamp(-1.0, 1.0),
            Self::Occupancy => (distance / Self::RAMP).clamp(-1.0, 1.0),
            Self::Unsigned => (distance.abs() / Self::TRUNCATION).min(1.0),
        }
    }

    /// The value of a field that is 0 on the surface and negative inside, by the output of a network; in coordinates for distances.
    pub fn field(self, output: f32) -> f32 {
        match self {
            Self::Sdf => output,
            Self::Occupancy => output.clamp(-1.0, 1.0),
            Self::TruncatedSdf => output * Self::TRUNCATION,
            Self::Unsigned => output * Self::TRUNCATION - Self::SHELL,
        }
    }

    /// The output of a network where its field has this value, within the range of targets.
    pub fn output(self, field: f32) -> f32 {
        match self {
            Self::Sdf => field,
            Self::Occupancy => field.clamp(-1.0, 1.0),
            Self::TruncatedSdf => (field / Self::TRUNCATION).clamp(-1.0, 1.0),
            Self::Unsigned => ((field + Self::SHELL) / Self::TRUNCATION).min(1.0),
        }
    }

    /// How far outputs may go beyond targets of −1 and 1: as far as they like for an occupancy, which asks no more than on which side of them they
    /// are (after Park et al. 2019, eq. 4, who clip outputs everywhere).
    pub fn slack(self) -> f32 {
        match self {
            Self::Occupancy => f32::MAX,
            Self::Sdf | Self::TruncatedSdf | Self::Unsigned => 0.0,
        }
    }

    /// Whether fields are distances near the surface.
    pub fn is_distance(self) -> bool {
        self != Self::Occupancy
    }

    /// Whether there is an inside.
    pub fn is_signed(self) -> bool {
        self != Self::Unsigned
    }

    /// The target in words.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sdf => "signed distance",
            Self::TruncatedSdf => "truncated signed distance",
            Self::Occupancy => "occupancy",
            Self::Unsigned => "unsigned distance",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a perfect network says is its target again, whatever a field makes of it in between.
    #[test]
    fn outputs_of_fields_are_targets() {
        use DistanceTarget::{Occupancy, Sdf, TruncatedSdf, Unsigned};
        for target in [Sdf, TruncatedSdf, Occupancy, Unsigned] {
            for distance in [-0.7, -0.05, -0.004, 0.0, 0.003, 0.09, 0.4] {
                let learnt = target.target(distance);
                let again = target.output(target.field(learnt));
                assert!(
                    (again - learnt).abs() < 1e-6,
                    "{target:?} at {distance}: {again}"
                );
            }
            let slack = if target == Occupancy { f32::MAX } else { 0.0 };
            assert_eq!(target.slack(), slack);
            // Beyond the last target a network may then say anything.
            if slack > 0.0 {
                assert_eq!(target.field(7.0), target.field(1.0));
                assert_eq!(target.output(target.field(7.0)), target.target(9.0));
            }
        }
    }
}
