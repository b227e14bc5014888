//! Meshes as file bytes.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::vector::{cross, sub, unit};
use crate::signal::shape::Mesh;

/// Why a mesh could not be written.
#[derive(Debug, thiserror::Error)]
pub enum MeshEncodeError {
    /// The file name does not say a format.
    #[error("{path} does not name a mesh format; end it in one of ply, obj, stl, glb")]
    UnknownExtension { path: PathBuf },
    /// There is nothing to write.
    #[error(
        "there is no surface to write: the field has one sign at every point that was looked at"
    )]
    Empty,
    /// The format counts its bytes in 32 bits.
    #[error("{format} holds at most 4 GiB, which {faces} faces exceed; PLY and OBJ hold more")]
    TooLarge { format: &'static str, faces: usize },
}

/// The formats that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeshFormat {
    /// Vertices, normals and faces, binary little endian.
    Ply,
    /// The same as text.
    Obj,
    /// Triangles without common vertices, binary, each with its own normal.
    Stl,
    /// Binary glTF 2.0: one buffer with indices, positions and normals.
    Glb,
}

impl MeshFormat {
    /// Every format, the most useful first.
    pub const ALL: [MeshFormat; 4] = [
        MeshFormat::Ply,
        MeshFormat::Obj,
        MeshFormat::Stl,
        MeshFormat::Glb,
    ];

    /// The file name ending.
    pub fn extension(self) -> &'static str {
        match self {
            MeshFormat::Ply => "ply",
            MeshFormat::Obj => "obj",
            MeshFormat::Stl => "stl",
            MeshFormat::Glb => "glb",
        }
    }

    /// The format that the ending of `path` names, in any case of letters.
    ///
    /// # Errors
    /// [`MeshEncodeError::UnknownExtension`], which lists the extensions that work.
    pub fn from_path(path: &Path) -> Result<MeshFormat, MeshEncodeError> {
        let extension = path.extension().and_then(|extension| extension.to_str());
        let extension = extension.unwrap_or_default().to_ascii_lowercase();
        MeshFormat::ALL
            .into_iter()
            .find(|format| format.extension() == extension)
            .ok_or_else(|| MeshEncodeError::UnknownExtension { path: path.into() })
    }
}

/// The bytes of a file of `format` that holds `mesh`; normals are left out where the mesh has none.
///
/// # Errors
/// [`MeshEncodeError::TooLarge`] when STL or GLB cannot count so many.
pub fn encode(mesh: &Mesh, format: MeshFormat) -> Result<Vec<u8>, MeshEncodeError> {
    let too_large = |format| MeshEncodeError::TooLarge {
        format,
        faces: mesh.faces.len(),
    };
    match format {
        MeshFormat::Ply => Ok(ply(mesh)),
        MeshFormat::Obj => Ok(obj(mesh)),
        MeshFormat::Stl => stl(mesh).ok_or_else(|| too_large("STL")),
        MeshFormat::Glb => glb(mesh).ok_or_else(|| too_large("GLB")),
    }
}

fn has_normals(mesh: &Mesh) -> bool {
    mesh.normals.len() == mesh.vertices.len()
}

fn ply(mesh: &Mesh) -> Vec<u8> {
    let property = |name: &&str| format!("property float {name}\n");
    let names: &[&str] = if has_normals(mesh) {
        &["x", "y", "z", "nx", "ny", "nz"]
    } else {
        &["x", "y", "z"]
    };
    let mut file = format!(
        "ply\nformat binary_little_endian 1.0\nelement vertex {}\n{}element face {}\nproperty list uchar int vertex_indices\nend_header\n",
        mesh.vertices.len(),
        names.iter().map(property).collect::<String>(),
        mesh.faces.len(),
    )
    .into_bytes();
    file.reserve(4 * names.len() * mesh.vertices.len() + 13 * mesh.faces.len());
    for (i, vertex) in mesh.vertices.iter().enumerate() {
        put(&mut file, vertex);
        if has_normals(mesh) {
            put(&mut file, &mesh.normals[i]);
        }
    }
    for face in &mesh.faces {
        file.push(3);
        file.extend(face.iter().flat_map(|index| index.to_le_bytes()));
    }
    file
}

fn put(file: &mut Vec<u8>, values: &[f32; 3]) {
    file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

fn obj(mesh: &Mesh) -> Vec<u8> {
    let mut file = String::new();
    // Writing to a string cannot fail.
    for [x, y, z] in &mesh.vertices {
        let _ = writeln!(file, "v {x} {y} {z}");
    }
    let normals = has_normals(mesh);
    if normals {
        for [x, y, z] in &mesh.normals {
            let _ = writeln!(file, "vn {x} {y} {z}");
        }
    }
    for face in &mesh.faces {
        let [a, b, c] = face.map(|index| u64::from(index) + 1);
        let _ = if normals {
            writeln!(file, "f {a}//{a} {b}//{b} {c}//{c}")
        } else {
            writeln!(file, "f {a} {b} {c}")
        };
    }
    file.into_bytes()
}

fn stl(mesh: &Mesh) -> Option<Vec<u8>> {
    let count = u32::try_from(mesh.faces.len()).ok()?;
    // The header must not begin with "solid", by which readers know the text form.
    let mut file = vec![b' '; 80];
    file.extend(count.to_le_bytes());
    file.reserve(50 * mesh.faces.len());
    for face in &mesh.faces {
        let [a, b, c] = face.map(|index| mesh.vertices[index as usize]);
        put(
            &mut file,
            &unit(cross(sub(b, a), sub(c, a))).unwrap_or_default(),
        );
        for vertex in [a, b, c] {
            put(&mut file, &vertex);
        }
        file.extend([0, 0]);
    }
    Some(file)
}

/// glTF 2.0, section 4.4: a header of 12 bytes, a chunk of JSON, a chunk of binary data, both padded to 4 bytes.
fn glb(mesh: &Mesh) -> Option<Vec<u8>> {
    const FLOAT: u32 = 5126;
    const UNSIGNED_INT: u32 = 5125;
    const ARRAY_BUFFER: u32 = 34962;
    const ELEMENT_ARRAY_BUFFER: u32 = 34963;
    let (faces, vertices) = (mesh.faces.len(), mesh.vertices.len());
    let normals = has_normals(mesh);
    let bytes = 12 * (faces + vertices + if normals { vertices } else { 0 });
    let bound = |pick: fn(f32, f32) -> f32, start: f32| {
        mesh.vertices.iter().fold([start; 3], |bound, vertex| {
            [0, 1, 2].map(|axis| pick(bound[axis], vertex[axis]))
        })
    };
    let mut views = vec![
        json!({"buffer": 0, "byteOffset": 0, "byteLength": 12 * faces, "target": ELEMENT_ARRAY_BUFFER}),
        json!({"buffer": 0, "byteOffset": 12 * faces, "byteLength": 12 * vertices, "target": ARRAY_BUFFER}),
    ];
    let mut accessors = vec![
        json!({"bufferView": 0, "componentType": UNSIGNED_INT, "count": 3 * faces, "type": "SCALAR"}),
        json!({
            "bufferView": 1, "componentType": FLOAT, "count": vertices, "type": "VEC3",
            "min": bound(f32::min, f32::INFINITY), "max": bound(f32::max, f32::NEG_INFINITY),
        }),
    ];
    let mut attributes = json!({"POSITION": 1});
    if normals {
        views.push(json!({"buffer": 0, "byteOffset": 12 * (faces + vertices), "byteLength": 12 * vertices, "target": ARRAY_BUFFER}));
        accessors.push(
            json!({"bufferView": 2, "componentType": FLOAT, "count": vertices, "type": "VEC3"}),
        );
        attributes["NORMAL"] = json!(2);
    }
    let asset = json!({"version": "2.0", "generator": "inr"});
    let mut text = json!({
        "asset": asset,
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": attributes, "indices": 0}]}],
        "buffers": [{"byteLength": bytes}],
        "bufferViews": views,
        "accessors": accessors,
    });
    if mesh.faces.is_empty() {
        // An accessor or a buffer of nothing is not allowed, a scene of nothing is.
        text = json!({"asset": asset, "scene": 0, "scenes": [{}]});
    }
    let mut text = text.to_string().into_bytes();
    text.resize(text.len().next_multiple_of(4), b' ');
    let buffer = if bytes > 0 { 8 + bytes } else { 0 };
    let total = 12 + 8 + text.len() + buffer;
    let length = |bytes: usize| u32::try_from(bytes).ok().map(u32::to_le_bytes);
    let mut file = Vec::with_capacity(total);
    file.extend(b"glTF");
    file.extend(2_u32.to_le_bytes());
    file.extend(length(total)?);
    file.extend(length(text.len())?);
    file.extend(b"JSON");
    file.extend(text);
    if bytes == 0 {
        return Some(file);
    }
    file.extend(length(bytes)?);
    file.extend(b"BIN\0");
    file.extend(
        mesh.faces
            .as_flattened()
            .iter()
            .flat_map(|i| i.to_le_bytes()),
    );
    for vector in mesh.vertices.iter().chain(&mesh.normals) {
        put(&mut file, vector);
    }
    Some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tetrahedron; its last vertex needs all digits of an f32.
    fn tetrahedron(normals: bool) -> Mesh {
        let vertices = vec![
            [0.0; 3],
            [1.0, 0.0, 0.0],
            [0.0, 1.0, 0.0],
            [0.1, 1e-7, 1.0 / 3.0],
        ];
        Mesh {
            faces: vec![[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]],
            normals: if normals {
                vertices.iter().map(|v| [v[2], v[0], v[1]]).collect()
            } else {
                vec![]
            },
            vertices,
        }
    }

    fn floats(bytes: &[u8]) -> Vec<f32> {
        bytes
            .as_chunks::<4>()
            .0
            .iter()
            .map(|b| f32::from_le_bytes(*b))
            .collect()
    }

    fn indices(bytes: &[u8]) -> Vec<u32> {
        bytes
            .as_chunks::<4>()
            .0
            .iter()
            .map(|b| u32::from_le_bytes(*b))
            .collect()
    }

    #[test]
    fn ply_holds_all_bits() {
        for normals in [true, false] {
            let mesh = tetrahedron(normals);
            let file = encode(&mesh, MeshFormat::Ply).unwrap();
            let end = b"end_header\n";
            let at = file.windows(end.len()).position(|w| w == end).unwrap() + end.len();
            let header = std::str::from_utf8(&file[..at]).unwrap();
            assert!(header.contains("element vertex 4\n") && header.contains("element face 4\n"));
            assert_eq!(header.contains("property float nx"), normals);
            let width = if normals { 6 } else { 3 };
            let (vertices, faces) = file[at..].split_at(4 * width * 4);
            for (i, row) in floats(vertices).chunks(width).enumerate() {
                assert_eq!(row[..3], mesh.vertices[i]);
                assert!(!normals || row[3..] == mesh.normals[i]);
            }
            assert_eq!(faces.len(), 4 * 13);
            for (row, face) in faces.chunks(13).zip(&mesh.faces) {
                assert_eq!(row[0], 3);
                assert_eq!(indices(&row[1..]), face);
            }
        }
    }

    #[test]
    fn obj_holds_all_bits() {
        for normals in [true, false] {
            let mesh = tetrahedron(normals);
            let text = String::from_utf8(encode(&mesh, MeshFormat::Obj).unwrap()).unwrap();
            let rows = |key: &str| -> Vec<Vec<String>> {
                text.lines()
                    .filter_map(|line| line.strip_prefix(key))
                    .map(|line| line.split(' ').map(str::to_owned).collect())
                    .collect()
            };
            let numbers = |key| -> Vec<Vec<f32>> {
                rows(key)
                    .iter()
                    .map(|row| row.iter().map(|x| x.parse().unwrap()).collect())
                    .collect()
            };
            assert_eq!(numbers("v "), mesh.vertices);
            assert_eq!(numbers("vn "), mesh.normals);
            for (row, face) in rows("f ").iter().zip(&mesh.faces) {
                for (corner, index) in row.iter().zip(face) {
                    let number = (index + 1).to_string();
                    let both = format!("{number}//{number}");
                    assert_eq!(*corner, if normals { both } else { number });
                }
            }
        }
    }

    #[test]
    fn stl_holds_the_triangles() {
        let mesh = tetrahedron(true);
        let file = encode(&mesh, MeshFormat::Stl).unwrap();
        assert_eq!(file.len(), 84 + 50 * 4);
        assert!(!file.starts_with(b"solid"));
        assert_eq!(file[80..84], 4_u32.to_le_bytes());
        for (row, face) in file[84..].chunks(50).zip(&mesh.faces) {
            let values = floats(&row[..48]);
            let corners = face.map(|i| mesh.vertices[i as usize]);
            assert_eq!(values[3..], *corners.as_flattened());
        }
        // The first face lies in z = 0 and looks down.
        assert_eq!(floats(&file[84..96]), [0.0, 0.0, -1.0]);
    }

    #[test]
    fn glb_is_one_buffer_of_what_its_json_says() {
        for normals in [true, false] {
            let mesh = tetrahedron(normals);
            let file = encode(&mesh, MeshFormat::Glb).unwrap();
            let header = indices(&file[..20]);
            assert_eq!(header[..3], [0x4654_6C67, 2, file.len() as u32]);
            let length = header[3] as usize;
            assert_eq!((length % 4, header[4]), (0, 0x4E4F_534A));
            let json: serde_json::Value = serde_json::from_slice(&file[20..20 + length]).unwrap();
            let data = &file[20 + length + 8..];
            assert_eq!(
                indices(&file[20 + length..][..8]),
                [data.len() as u32, 0x004E_4942]
            );
            assert_eq!(json["buffers"][0]["byteLength"], data.len());
            let view = |index: usize| {
                let view = &json["bufferViews"][index];
                let number = |name: &str| view[name].as_u64().unwrap() as usize;
                &data[number("byteOffset")..][..number("byteLength")]
            };
            assert_eq!(indices(view(0)), *mesh.faces.as_flattened());
            assert_eq!(floats(view(1)), *mesh.vertices.as_flattened());
            let primitive = &json["meshes"][0]["primitives"][0];
            assert_eq!(primitive["attributes"]["NORMAL"].is_null(), !normals);
            if normals {
                assert_eq!(floats(view(2)), *mesh.normals.as_flattened());
            }
            assert_eq!(json["accessors"][1]["max"][0], 1.0);
            assert_eq!(json["accessors"][1]["min"], json!([0.0, 0.0, 0.0]));
        }
    }

    #[test]
    fn nothing_can_be_written_and_what_cannot_is_said() {
        for format in MeshFormat::ALL {
            let name = format!("a.b/mesh.{}", format.extension().to_uppercase());
            assert_eq!(MeshFormat::from_path(Path::new(&name)).unwrap(), format);
            let empty = Mesh {
                vertices: vec![],
                faces: vec![],
                normals: vec![],
            };
            assert!(encode(&empty, format).is_ok(), "{format:?}");
            if format == MeshFormat::Glb {
                let file = encode(&empty, format).unwrap();
                let header = indices(&file[..20]);
                assert_eq!(header[2] as usize, file.len());
                assert_eq!(header[3] as usize, file.len() - 20);
            }
        }
        for name in ["mesh", "mesh.png", "ply"] {
            let error = MeshFormat::from_path(Path::new(name))
                .unwrap_err()
                .to_string();
            assert!(error.contains(name) && error.contains("ply, obj, stl, glb"));
        }
    }
}
