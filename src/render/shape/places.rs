//! The places at which volumes and distances are compared: a grid in a box, and random ones.

use super::vector::{dot, sub};
use crate::signal::shape::{Frame, random_places};
use crate::signal::{Shape, cell_centre};

/// Cells along each side of the grid on which volumes are compared.
pub(super) const GRID: usize = 128;
/// Random places at which volumes and distances are compared.
pub(super) const RANDOM: usize = 1 << 17;

/// The cells of the grid, x fastest, and the random places in [-1, 1]³.
fn places() -> Vec<[f32; 3]> {
    let centre = |i: usize| cell_centre(i % GRID, GRID) as f32;
    let cells = (0..GRID.pow(3)).map(|i| [centre(i), centre(i / GRID), centre(i / GRID / GRID)]);
    cells.chain(random_places(RANDOM)).collect()
}

/// The same places of the box of `frame`, in the coordinates of `own`.
pub(super) fn places_within(frame: &Frame, own: &Frame) -> Vec<[f32; 3]> {
    let mut places = places();
    if frame != own {
        let moved = |place: &mut [f32; 3]| *place = own.coordinate(frame.place(*place));
        places.iter_mut().for_each(moved);
    }
    places
}

/// The place in the box [-1, 1]³ that is nearest to `place`, and how far away it is.
pub(super) fn nearest_in_box(place: [f32; 3]) -> ([f32; 3], f32) {
    let nearest = place.map(|x| x.clamp(-1.0, 1.0));
    let way = sub(place, nearest);
    (nearest, dot(way, way).sqrt())
}

/// The distances of a shape at all places of the box of `frame`, in its coordinates.
pub(super) fn distances_within(frame: &Frame, shape: &Shape) -> Vec<f32> {
    let own = shape.as_distances().frame;
    let places = places_within(frame, &own);
    let mut distances = vec![0.0; places.len()];
    shape.distances(places.as_flattened(), &mut distances);
    let scale = (own.scale / frame.scale) as f32;
    distances.iter_mut().for_each(|d| *d *= scale);
    distances
}
