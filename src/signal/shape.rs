//! Shapes: surfaces as the zero set of a signed distance.

pub mod mesh;

mod analytic;
mod bvh;
mod distance;
mod frame;
mod grid;
mod read;
mod topology;
mod vector;
mod winding;

#[cfg(test)]
mod tests;
