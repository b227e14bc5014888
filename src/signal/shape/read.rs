//! Files of shapes: triangle meshes, oriented points, and grids of distances or occupancies.
//!
//! Each format is one file with a function from bytes to a [`Content`]; what is checked of every mesh is checked here.

mod glb;
mod npy;
mod obj;
mod off;
mod ply;
mod polygon;
mod stl;
mod text;
mod xyz;

use super::grid::Grid;
use super::mesh::Mesh;
use super::vector::{narrow, unit, widen};

/// What a file holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    /// A surface.
    Mesh(Mesh),
    /// Points of a surface with its normals.
    Points(Points),
    /// Values on a grid.
    Grid(Grid),
}

/// Points of a surface.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Points {
    /// Positions `[n, 3]`.
    pub positions: Vec<[f32; 3]>,
    /// Outward directions of length 1, `[n, 3]`.
    pub normals: Vec<[f32; 3]>,
}

/// Why bytes are not what they should be; the text goes on after the name of the file.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Fault {
    /// The bytes end too soon.
    Truncated,
    /// Something is wrong, said in words.
    Damaged(String),
    /// A mesh of nothing, as that of a field without a surface.
    Nothing,
}

impl Fault {
    fn damaged<T>(text: impl Into<String>) -> Result<T, Self> {
        Err(Self::Damaged(text.into()))
    }
}

/// A file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Obj,
    Ply,
    Stl,
    Off,
    Glb,
    Xyz,
    Npy,
}

impl Format {
    /// The format of a file by its first bytes, or by the ending of its name where those say nothing.
    pub fn of(head: &[u8], extension: &str) -> Option<Self> {
        let head = text::without_mark(head);
        let starts = |magic: &[u8]| head.starts_with(magic);
        if starts(b"ply\n") || starts(b"ply\r") {
            Some(Self::Ply)
        } else if starts(b"glTF") {
            Some(Self::Glb)
        } else if starts(b"\x93NUMPY") {
            Some(Self::Npy)
        } else if starts(b"solid ") {
            Some(Self::Stl)
        } else if off::keyword(head).is_some() {
            Some(Self::Off)
        } else {
            match extension.to_ascii_lowercase().as_str() {
                "obj" => Some(Self::Obj),
                "stl" => Some(Self::Stl),
                "xyz" => Some(Self::Xyz),
                // The content is another one, which the reader of the format then says.
                "ply" => Some(Self::Ply),
                "off" => Some(Self::Off),
                "glb" => Some(Self::Glb),
                _ => None,
            }
        }
    }

    /// The name in words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Obj => "OBJ",
            Self::Ply => "PLY",
            Self::Stl => "STL",
            Self::Off => "OFF",
            Self::Glb => "GLB",
            Self::Xyz => "XYZ",
            Self::Npy => "NPY",
        }
    }

    /// Decodes the whole content of a file. What was left out of it is added to `warnings`.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn read(self, bytes: &[u8], warnings: &mut Vec<String>) -> Result<Content, Fault> {
        let content = match self {
            Self::Obj => Content::Mesh(obj::read(bytes)?),
            Self::Ply => ply::read(bytes)?,
            Self::Stl => Content::Mesh(stl::read(bytes)?),
            Self::Off => Content::Mesh(off::read(bytes)?),
            Self::Glb => Content::Mesh(glb::read(bytes)?),
            Self::Xyz => Content::Points(xyz::read(bytes)?),
            Self::Npy => Content::Grid(npy::read(bytes)?),
        };
        Ok(match content {
            Content::Mesh(mesh) => Content::Mesh(checked_mesh(mesh, warnings)?),
            Content::Points(points) => Content::Points(checked_points(points, warnings)?),
            Content::Grid(grid) => Content::Grid(grid),
        })
    }
}

/// The mesh without faces that have no area.
fn checked_mesh(mut mesh: Mesh, warnings: &mut Vec<String>) -> Result<Mesh, Fault> {
    let count = mesh.vertices.len();
    if count == 0 && mesh.faces.is_empty() {
        return Err(Fault::Nothing);
    }
    if mesh.faces.is_empty() {
        return Fault::damaged(format!("it has {count} vertices and no faces"));
    }
    finite("vertex", &mesh.vertices)?;
    let flat: Vec<bool> = (0..mesh.faces.len())
        .map(|face| mesh.area(face) <= 0.0)
        .collect();
    let dropped = flat.iter().filter(|&&flat| flat).count();
    if dropped == flat.len() {
        return Fault::damaged("none of its faces has an area");
    }
    if dropped > 0 {
        warnings.push(format!(
            "{dropped} of {} faces have no area and are left out",
            flat.len()
        ));
        let mut flat = flat.iter();
        mesh.faces.retain(|_| flat.next() == Some(&false));
    }
    Ok(mesh)
}

/// The points with normals of length 1, without those that have none.
fn checked_points(points: Points, warnings: &mut Vec<String>) -> Result<Points, Fault> {
    finite("point", &points.positions)?;
    finite("the normal of point", &points.normals)?;
    let count = points.positions.len();
    let mut kept = Points::default();
    for (position, normal) in points.positions.into_iter().zip(points.normals) {
        let normal = unit(widen(normal));
        if normal != [0.0; 3] {
            kept.positions.push(position);
            kept.normals.push(narrow(normal));
        }
    }
    let dropped = count - kept.positions.len();
    if kept.positions.is_empty() {
        return Fault::damaged("it has no points with a normal; every line needs x y z nx ny nz");
    }
    if dropped > 0 {
        warnings.push(format!(
            "{dropped} of {count} points have a normal of length 0 and are left out"
        ));
    }
    Ok(kept)
}

fn finite(what: &str, values: &[[f32; 3]]) -> Result<(), Fault> {
    match values.iter().position(|v| v.iter().any(|x| !x.is_finite())) {
        None => Ok(()),
        Some(index) => Fault::damaged(format!(
            "{what} {index} (counted from 0) is {:?}; every number must be finite",
            values[index]
        )),
    }
}

#[cfg(test)]
mod tests;
