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

    /// The frame itself when its box [-1, 1]³ holds all `places`, which are in the units of the file; else one whose box holds them and that box.
    pub fn holding(&self, places: &[[f32; 3]]) -> Self {
        let is_inside = |place: &[f32; 3]| self.coordinate(*place).iter().all(|x| x.abs() <= 1.0);
        if places.iter().all(is_inside) {
            return *self;
        }
        let corners = [[-1.0; 3], [1.0; 3]].map(|corner| self.place(corner));
        let all = || places.iter().chain(&corners);
        let bound = |pick: fn(f32, f32) -> f32, from: f32| {
            [0, 1, 2].map(|axis| all().map(|place| place[axis]).fold(from, pick))
        };
        let (low, high) = (
            bound(f32::min, f32::INFINITY),
            bound(f32::max, f32::NEG_INFINITY),
        );
        Self::around([low, high]).unwrap_or(*self)
    }

    /// Opposite corners of a cube that holds the shape, in the units of the file.
    pub fn hull(&self) -> [[f32; 3]; 2] {
        // What a formula describes may fill its box.
        let reach = match *self == Self::IDENTITY {
            true => 1.0,
            false => SPAN as f32 / 2.0,
        };
        [[-reach; 3], [reach; 3]].map(|corner| self.place(corner))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_grows_only_for_what_it_does_not_hold() {
        let frame = Frame::around([[0.0; 3], [2.0, 1.0, 1.0]]).unwrap();
        assert_eq!(frame.holding(&[[0.0; 3], [2.1, 0.0, 0.0]]), frame);
        assert_eq!(frame.holding(&frame.hull()), frame);
        // A formula may fill its box.
        assert_eq!(Frame::IDENTITY.hull(), [[-1.0; 3], [1.0; 3]]);
        // Its box reaches from 1 − 2 / 1.8 to 1 + 2 / 1.8 along x, and is as wide along the others about 0.5.
        let half = 2.0 / 1.8;
        let wider = frame.holding(&[[9.0, 0.0, 0.0]]);
        let low = 1.0 - half;
        assert!((wider.centre[0] - 0.5 * (9.0 + low)).abs() < 1e-6);
        assert!((wider.centre[1] - 0.5).abs() < 1e-6);
        assert!((wider.scale - (9.0 - low) / 1.8).abs() < 1e-6);
    }
}
