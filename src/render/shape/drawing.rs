//! What `inr render` draws of a shape.

use super::{Colouring, Slice};

/// A picture of a shape.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drawing {
    /// What it shows.
    pub scene: Scene,
    /// Pixels along the longer side.
    pub size: u32,
}

/// What a picture shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scene {
    /// The surface from outside.
    Surface {
        /// What its colours show.
        colouring: Colouring,
        /// Degrees around the upright axis.
        azimuth: f32,
        /// Degrees above the horizon.
        elevation: f32,
    },
    /// The values of the field in a plane.
    Slice(Slice),
}

impl Scene {
    /// From where a surface is seen when nothing else is said: azimuth and elevation.
    pub const VIEWPOINT: [f32; 2] = [30.0, 18.0];
}
