//! The map between the units of a file and the coordinates of a network.

use serde::{Deserialize, Serialize};

/// The longest side of the bounding box in coordinates, of the 2 that an axis spans: 5 % of the axis stay free on each side.
const SPAN: f64 = 1.8;

/// Where a shape lies: coordinate = (place − `centre`) / `scale` along each axis.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frame {
    /// The middle of the bounding box, in the units of the file.
    pub centre: [f64; 3],
    /// Units of the file in one unit of the coordinates.
    pub scale: f64,
}

impl Frame {
    /// Coordinates that are the units of the file.
    pub const IDENTITY: Self = Self {
        centre: [0.0; 3],
        scale: 1.0,
    };

    /// The frame in which the box from `low` to `high` lies in the middle, its longest side 1.8 long; none if it has no extent.
    pub fn around([low, high]: [[f32; 3]; 2]) -> Option<Self> {
        let [low, high] = [low, high].map(|corner| corner.map(f64::from));
        let longest = (0..3)
            .map(|axis| high[axis] - low[axis])
            .fold(0.0, f64::max);
        (longest > 0.0).then(|| Self {
            centre: [0, 1, 2].map(|axis| 0.5 * (low[axis] + high[axis])),
            scale: longest / SPAN,
        })
    }

    /// From the units of the file to coordinates.
    pub fn coordinate(&self, place: [f32; 3]) -> [f32; 3] {
        [0, 1, 2].map(|axis| ((f64::from(place[axis]) - self.centre[axis]) / self.scale) as f32)
    }

    /// From coordinates to the units of the file.
    pub fn place(&self, coordinate: [f32; 3]) -> [f32; 3] {
        [0, 1, 2].map(|axis| (f64::from(coordinate[axis]) * self.scale + self.centre[axis]) as f32)
    }
}
