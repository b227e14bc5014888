//! Where a shape is seen from.

use super::vector::{Vec3, add, cross, dot, scale, sub, unit};
use crate::signal::shape::UpAxis;

/// Degrees between the left and right edge of the picture: nearly parallel rays.
const FIELD_OF_VIEW: f32 = 14.0;
/// The share of the picture that the box fills.
const FILL: f32 = 0.94;

/// A camera that looks at the middle of a box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Camera {
    eye: Vec3,
    right: Vec3,
    up: Vec3,
    forward: Vec3,
    /// Half the picture at distance 1.
    half: f32,
}

impl Camera {
    /// Looks at `points` from `azimuth` degrees around the axis `up` (0 is the front) and `elevation` degrees above the horizon, from so
    /// far that they just fill the picture.
    pub fn new(points: &[[f32; 3]], up: UpAxis, azimuth: f32, elevation: f32) -> Self {
        let [right, front, upwards] = frame(up);
        let (azimuth, elevation) = (azimuth.to_radians(), elevation.to_radians());
        let level = add(scale(front, azimuth.cos()), scale(right, azimuth.sin()));
        let back = add(
            scale(level, elevation.cos()),
            scale(upwards, elevation.sin()),
        );
        let forward = scale(back, -1.0);
        let right = unit(cross(forward, upwards)).unwrap_or(right);
        let up = cross(right, forward);
        let half = (FIELD_OF_VIEW / 2.0).to_radians().tan();
        let middle = middle(points, [right, up, forward]);
        let distance = points.iter().fold(0.0, |distance: f32, &point| {
            let p = sub(point, middle);
            let aside = dot(p, right).abs().max(dot(p, up).abs());
            distance.max(aside / (half * FILL) - dot(p, forward))
        });
        Self {
            eye: sub(middle, scale(forward, distance)),
            right,
            up,
            forward,
            half,
        }
    }

    /// As [`Camera::new`], from so far that the points fit from every azimuth.
    pub fn orbiting(points: &[[f32; 3]], up: UpAxis, azimuth: f32, elevation: f32) -> Self {
        let [right, front, upwards] = frame(up);
        let middle = middle(points, [right, front, upwards]);
        let (mut radius, mut height) = (0.0_f32, 0.0_f32);
        for &point in points {
            let p = sub(point, middle);
            radius = radius.max(dot(p, right).hypot(dot(p, front)));
            height = height.max(dot(p, upwards).abs());
        }
        let ring: Vec<Vec3> = (0..64)
            .map(|i| {
                let angle = (i / 2) as f32 * std::f32::consts::TAU / 32.0;
                let around = add(
                    scale(right, radius * angle.cos()),
                    scale(front, radius * angle.sin()),
                );
                let side = if i % 2 == 0 { height } else { -height };
                add(middle, add(around, scale(upwards, side)))
            })
            .collect();
        Self::new(&ring, up, azimuth, elevation)
    }

    /// Origin and unit direction of the ray through a place of the picture, both axes from −1 to 1, y downwards.
    pub(super) fn ray(&self, [x, y]: [f32; 2]) -> Ray {
        let aside = add(
            scale(self.right, x * self.half),
            scale(self.up, -y * self.half),
        );
        let direction = add(self.forward, aside);
        Ray {
            origin: self.eye,
            direction: unit(direction).unwrap_or(self.forward),
        }
    }

    /// Where a point lies in the picture, both axes from −1 to 1, y downwards, and how far along the view.
    pub(super) fn project(&self, point: Vec3) -> [f32; 3] {
        let p = sub(point, self.eye);
        let depth = dot(p, self.forward);
        let [x, y] = [self.right, self.up].map(|axis| dot(p, axis) / (depth * self.half));
        [x, -y, depth]
    }

    /// A direction given as right, up and towards the eye.
    pub(super) fn direction(&self, [right, up, back]: Vec3) -> Vec3 {
        let aside = add(scale(self.right, right), scale(self.up, up));
        sub(aside, scale(self.forward, back))
    }
}

/// Right, towards the viewer, up, for azimuth 0.
fn frame(up: UpAxis) -> [Vec3; 3] {
    let (x, y, z) = ([1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]);
    match up {
        UpAxis::Y => [x, z, y],
        UpAxis::Z => [x, [0.0, -1.0, 0.0], z],
    }
}

/// The middle of the extents of `points` along three axes, so that they lie in the middle of the picture.
fn middle(points: &[Vec3], axes: [Vec3; 3]) -> Vec3 {
    axes.iter().fold([0.0; 3], |middle, &axis| {
        let (low, high) = points
            .iter()
            .map(|&point| dot(point, axis))
            .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), x| {
                (low.min(x), high.max(x))
            });
        let along = if low <= high {
            f32::midpoint(low, high)
        } else {
            0.0
        };
        add(middle, scale(axis, along))
    })
}

/// A half line; `direction` has length 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ray {
    pub(super) origin: Vec3,
    pub(super) direction: Vec3,
}

impl Ray {
    pub(super) fn at(&self, distance: f32) -> Vec3 {
        add(self.origin, scale(self.direction, distance))
    }

    /// Where the ray enters and leaves a box.
    pub(super) fn through(&self, low: Vec3, high: Vec3) -> Option<[f32; 2]> {
        let (mut enter, mut leave) = (0.0_f32, f32::INFINITY);
        for axis in 0..3 {
            // A ray within a face gives 0/0, which min and max pass over.
            let inverse = 1.0 / self.direction[axis];
            let (a, b) = (
                (low[axis] - self.origin[axis]) * inverse,
                (high[axis] - self.origin[axis]) * inverse,
            );
            enter = enter.max(a.min(b));
            leave = leave.min(a.max(b));
        }
        (enter <= leave).then_some([enter, leave])
    }
}
