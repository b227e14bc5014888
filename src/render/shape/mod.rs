//! The surface of a field f: [x, y, z] → value, negative inside: as a mesh, as a file, as a picture.

mod blocks;
mod cell;
mod field;
mod lattice;
pub mod mesh_file;
mod surface;
#[cfg(test)]
mod tests;
mod vector;

pub use blocks::{Blocks, Search};
pub use field::{Evaluate, gradients};
pub use lattice::{Lattice, LatticeError};
pub use mesh_file::{MeshEncodeError, MeshFormat};
pub use surface::extract;
