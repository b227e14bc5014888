//! A picture of triangles, shaded as [`preview`](super::preview) does it but for the darker hollows; quicker than tracing rays to a mesh.

use image::RgbImage;

use super::camera::Camera;
use super::preview::{background, clay, to_byte};
use super::vector::{Vec3, add, cross, scale, sub, unit};

/// Samples along each axis of a pixel.
const SUBPIXELS: usize = 2;

/// What is seen at a sample: how far away, and the normal of the face.
type Sample = (f32, Vec3);

/// A picture of `triangles`, in the coordinates of the camera, `size` pixels a side. Both sides of a face are seen.
pub(super) fn raster(triangles: &[[Vec3; 3]], camera: &Camera, size: u32) -> RgbImage {
    let side = size as usize * SUBPIXELS;
    let mut samples: Vec<Sample> = vec![(f32::INFINITY, [0.0; 3]); side * side];
    for triangle in triangles {
        draw(triangle, camera, &mut samples, side);
    }
    let up = camera.direction([0.0, 1.0, 0.0]);
    let place = |i: usize| 2.0 * (i as f32 + 0.5) / side as f32 - 1.0;
    let colour = |x: usize, y: usize| {
        let (distance, normal) = samples[y * side + x];
        match distance.is_finite() {
            true => clay(
                camera,
                camera.ray([place(x), place(y)]).direction,
                normal,
                up,
                1.0,
            ),
            false => background(place(y)),
        }
    };
    RgbImage::from_fn(size, size, |x, y| {
        let (x, y) = (x as usize * SUBPIXELS, y as usize * SUBPIXELS);
        let all = (0..SUBPIXELS * SUBPIXELS)
            .map(|i| colour(x + i % SUBPIXELS, y + i / SUBPIXELS))
            .fold([0.0; 3], add);
        image::Rgb(scale(all, 1.0 / (SUBPIXELS * SUBPIXELS) as f32).map(to_byte))
    })
}

fn draw(triangle: &[Vec3; 3], camera: &Camera, samples: &mut [Sample], side: usize) {
    let corners = triangle.map(|point| camera.project(point));
    let Some(normal) = unit(cross(
        sub(triangle[1], triangle[0]),
        sub(triangle[2], triangle[0]),
    )) else {
        return;
    };
    // In samples, whose centres lie at whole numbers and a half.
    let at = corners.map(|[x, y, _]| [x, y].map(|v| (v + 1.0) / 2.0 * side as f32));
    let edge = |a: [f32; 2], b: [f32; 2], p: [f32; 2]| {
        (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0])
    };
    let area = edge(at[0], at[1], at[2]);
    if area == 0.0 || corners.iter().any(|corner| corner[2] <= 0.0) {
        return;
    }
    // Seen from behind, it is shaded as if it looked here.
    let normal = match area > 0.0 {
        true => scale(normal, -1.0),
        false => normal,
    };
    let range = |axis: usize| {
        let values = at.map(|p| p[axis]);
        let low = values.iter().fold(f32::INFINITY, |low, v| low.min(*v));
        let high = values
            .iter()
            .fold(f32::NEG_INFINITY, |high, v| high.max(*v));
        let clamped = |v: f32| v.clamp(0.0, side as f32) as usize;
        clamped((low - 0.5).ceil())..clamped((high + 0.5).floor())
    };
    for y in range(1) {
        for x in range(0) {
            let p = [x as f32 + 0.5, y as f32 + 0.5];
            let shares = [0, 1, 2].map(|i| edge(at[(i + 1) % 3], at[(i + 2) % 3], p) / area);
            if shares.iter().any(|share| *share < 0.0) {
                continue;
            }
            // The inverse of the depth is linear over the picture.
            let inverse: f32 = (0..3).map(|i| shares[i] / corners[i][2]).sum();
            let sample = &mut samples[y * side + x];
            if 1.0 / inverse < sample.0 {
                *sample = (1.0 / inverse, normal);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::shape::UpAxis;

    /// A square of side 2 in the plane z = `at`, seen from above.
    fn square(half: f32, at: f32) -> [[Vec3; 3]; 2] {
        let corner = |x: f32, y: f32| [x * half, y * half, at];
        let [a, b, c, d] = [
            corner(-1., -1.),
            corner(1., -1.),
            corner(1., 1.),
            corner(-1., 1.),
        ];
        [[a, b, c], [a, c, d]]
    }

    #[test]
    fn the_nearer_face_is_seen_and_the_background_beside_it() {
        let big = square(1.0, 0.0);
        let camera = Camera::new(big.as_flattened(), UpAxis::Z, 0.0, 90.0);
        let near = raster(&big, &camera, 64);
        // The square fills 94 % of the picture, from pixel 1.9 to 62.1; the background is the same along a row.
        for (inside, outside) in [((3, 32), (0, 32)), ((60, 32), (63, 32)), ((32, 3), (0, 3))] {
            let [inside, outside] = [inside, outside].map(|(x, y)| near.get_pixel(x, y));
            assert_ne!(inside, outside);
        }
        assert_eq!(near.get_pixel(0, 32), near.get_pixel(63, 32));
        assert_eq!(near.get_pixel(32, 0), near.get_pixel(0, 0));
        // What lies below it changes nothing, what lies above it does, and from behind a face has the same shade.
        let below: Vec<_> = big.into_iter().chain(square(0.3, -0.5)).collect();
        assert_eq!(raster(&below, &camera, 64), near);
        let tilted = square(0.3, 0.2).map(|t| t.map(|[x, y, z]| [x, y, z + x]));
        let above: Vec<_> = big.into_iter().chain(tilted).collect();
        assert_ne!(raster(&above, &camera, 64), near);
        let behind = big.map(|[a, b, c]| [a, c, b]);
        assert_eq!(raster(&behind, &camera, 64), near);
    }
}
