//! The surface of a field f: [x, y, z] → value, negative inside: as a mesh, as a file, as a picture.

mod blocks;
mod camera;
mod cell;
mod drawing;
mod exhibit;
mod field;
mod lattice;
pub mod mesh_file;
mod picture_file;
mod places;
mod preview;
mod raster;
mod rendering;
mod slice;
mod surface;
#[cfg(test)]
mod tests;
mod trace;
mod vector;

pub use blocks::{Blocks, Search};
pub use camera::Camera;
pub use drawing::{Drawing, Scene};
pub use field::{Evaluate, gradients};
pub use lattice::{Lattice, LatticeError};
pub use mesh_file::{MeshEncodeError, MeshFormat};
pub use picture_file::{encode_gif, encode_png};
pub use preview::{Colouring, View, orbit, preview};
pub(super) use rendering::FILES;
pub use rendering::ShapeRendering;
pub use slice::{Slice, SliceError, SlicePicture, slice_picture};
pub use surface::extract;
