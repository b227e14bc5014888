//! Binary glTF 2.0: the triangles of all meshes of the scene, placed by the transforms of its nodes.

use std::collections::HashSet;

use serde::Deserialize;

use super::super::mesh::Mesh;
use super::super::vector::{Vector, add, cross, dot, narrow, scale, widen};
use super::{Fault, polygon};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    scene: Option<usize>,
    #[serde(default)]
    scenes: Vec<Scene>,
    #[serde(default)]
    nodes: Vec<Node>,
    #[serde(default)]
    meshes: Vec<MeshOf>,
    #[serde(default)]
    accessors: Vec<Accessor>,
    #[serde(default)]
    buffer_views: Vec<View>,
    #[serde(default)]
    extensions_required: Vec<String>,
}

#[derive(Deserialize)]
struct Scene {
    #[serde(default)]
    nodes: Vec<usize>,
}

#[derive(Deserialize)]
struct Node {
    #[serde(default)]
    children: Vec<usize>,
    mesh: Option<usize>,
    matrix: Option<[f64; 16]>,
    translation: Option<Vector>,
    rotation: Option<[f64; 4]>,
    scale: Option<Vector>,
}

#[derive(Deserialize)]
struct MeshOf {
    primitives: Vec<Primitive>,
}

#[derive(Deserialize)]
struct Primitive {
    attributes: Attributes,
    indices: Option<usize>,
    mode: Option<u32>,
}

#[derive(Deserialize)]
struct Attributes {
    #[serde(rename = "POSITION")]
    position: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Accessor {
    buffer_view: Option<usize>,
    #[serde(default)]
    byte_offset: usize,
    component_type: u32,
    count: usize,
    sparse: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct View {
    #[serde(default)]
    buffer: usize,
    #[serde(default)]
    byte_offset: usize,
    byte_length: usize,
    byte_stride: Option<usize>,
}

/// Columns of a linear map, and a shift.
#[derive(Clone, Copy)]
struct Transform {
    columns: [Vector; 3],
    shift: Vector,
}

impl Transform {
    const IDENTITY: Self = Self {
        columns: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        shift: [0.0; 3],
    };

    fn linear(&self, v: Vector) -> Vector {
        let [x, y, z] = [0, 1, 2].map(|i| scale(self.columns[i], v[i]));
        add(x, add(y, z))
    }

    fn apply(&self, v: Vector) -> Vector {
        add(self.linear(v), self.shift)
    }

    /// This map after `inner`.
    fn after(&self, inner: &Self) -> Self {
        Self {
            columns: inner.columns.map(|column| self.linear(column)),
            shift: self.apply(inner.shift),
        }
    }

    fn mirrors(&self) -> bool {
        let [x, y, z] = self.columns;
        dot(x, cross(y, z)) < 0.0
    }
}

impl Node {
    fn transform(&self) -> Transform {
        if let Some(m) = self.matrix {
            let column = |c: usize| [m[4 * c], m[4 * c + 1], m[4 * c + 2]];
            return Transform {
                columns: [0, 1, 2].map(column),
                shift: column(3),
            };
        }
        let [x, y, z, w] = self.rotation.unwrap_or([0.0, 0.0, 0.0, 1.0]);
        let [sx, sy, sz] = self.scale.unwrap_or([1.0; 3]);
        Transform {
            columns: [
                scale(
                    [
                        1.0 - 2.0 * (y * y + z * z),
                        2.0 * (x * y + z * w),
                        2.0 * (x * z - y * w),
                    ],
                    sx,
                ),
                scale(
                    [
                        2.0 * (x * y - z * w),
                        1.0 - 2.0 * (x * x + z * z),
                        2.0 * (y * z + x * w),
                    ],
                    sy,
                ),
                scale(
                    [
                        2.0 * (x * z + y * w),
                        2.0 * (y * z - x * w),
                        1.0 - 2.0 * (x * x + y * y),
                    ],
                    sz,
                ),
            ],
            shift: self.translation.unwrap_or_default(),
        }
    }
}

pub(super) fn read(bytes: &[u8]) -> Result<Mesh, Fault> {
    let (document, data) = chunks(bytes)?;
    let document: Document = serde_json::from_slice(document)
        .map_err(|error| Fault::Damaged(format!("its description is faulty ({error})")))?;
    if !document.extensions_required.is_empty() {
        return Fault::damaged(format!(
            "it needs {}, which cannot be read; export it without compression",
            document.extensions_required.join(", ")
        ));
    }
    let roots = match document.scenes.get(document.scene.unwrap_or(0)) {
        Some(scene) => scene.nodes.clone(),
        None => {
            let children = document.nodes.iter().flat_map(|node| &node.children);
            let children: HashSet<usize> = children.copied().collect();
            let nodes = 0..document.nodes.len();
            nodes.filter(|node| !children.contains(node)).collect()
        }
    };
    let mut mesh = Mesh::default();
    let mut open: Vec<(usize, Transform)> = roots
        .into_iter()
        .map(|node| (node, Transform::IDENTITY))
        .collect();
    let mut seen = HashSet::new();
    while let Some((index, outer)) = open.pop() {
        let node = get(&document.nodes, index, "node")?;
        // They are trees by the format (glTF 2.0, "Node hierarchy").
        if !seen.insert(index) {
            return Fault::damaged(format!("its node {index} stands in two places"));
        }
        let transform = outer.after(&node.transform());
        open.extend(node.children.iter().map(|&n| (n, transform)));
        if let Some(index) = node.mesh {
            for primitive in &get(&document.meshes, index, "mesh")?.primitives {
                append(&document, data, primitive, &transform, &mut mesh)?;
            }
        }
    }
    Ok(mesh)
}

fn get<'a, T>(values: &'a [T], index: usize, what: &str) -> Result<&'a T, Fault> {
    values
        .get(index)
        .ok_or_else(|| Fault::Damaged(format!("it names {what} {index}, which is missing")))
}

/// The description and the binary data.
fn chunks(bytes: &[u8]) -> Result<(&[u8], &[u8]), Fault> {
    let word = |at: usize| -> Result<usize, Fault> {
        let word = bytes.get(at..).and_then(|rest| rest.first_chunk());
        Ok(u32::from_le_bytes(*word.ok_or(Fault::Truncated)?) as usize)
    };
    if !bytes.starts_with(b"glTF") {
        return Fault::damaged("it does not begin with glTF");
    }
    if word(4)? != 2 {
        return Fault::damaged(format!("its version is {}; 2 can be read", word(4)?));
    }
    let first = word(12)?;
    let document = bytes.get(20..20 + first).ok_or(Fault::Truncated)?;
    let data = match 20 + first {
        end if end >= bytes.len() => &[],
        start => {
            let length = word(start)?;
            let data = bytes.get(start + 8..(start + 8).saturating_add(length));
            data.ok_or(Fault::Truncated)?
        }
    };
    Ok((document, data))
}

/// The bytes of each element of an accessor, at least `size` long.
fn elements<'a>(
    document: &Document,
    data: &'a [u8],
    accessor: &Accessor,
    size: usize,
) -> Result<Vec<&'a [u8]>, Fault> {
    let Some(view) = accessor.buffer_view else {
        return Fault::damaged("an accessor has no data");
    };
    let view = get(&document.buffer_views, view, "buffer view")?;
    if accessor.sparse.is_some() || view.buffer != 0 {
        return Fault::damaged("it has sparse data or data in another file, which cannot be read");
    }
    let end = view.byte_offset.saturating_add(view.byte_length);
    let bytes = data.get(view.byte_offset..end).ok_or(Fault::Truncated)?;
    let stride = view.byte_stride.unwrap_or(size);
    if accessor.count > bytes.len() {
        return Err(Fault::Truncated);
    }
    (0..accessor.count)
        .map(|i| {
            let start = accessor
                .byte_offset
                .saturating_add(i.saturating_mul(stride));
            let element = bytes.get(start..start.saturating_add(size));
            element.ok_or(Fault::Truncated)
        })
        .collect()
}

fn append(
    document: &Document,
    data: &[u8],
    primitive: &Primitive,
    transform: &Transform,
    mesh: &mut Mesh,
) -> Result<(), Fault> {
    const FLOAT: u32 = 5126;
    let Some(position) = primitive.attributes.position else {
        return Ok(());
    };
    let position = get(&document.accessors, position, "accessor")?;
    if position.component_type != FLOAT {
        return Fault::damaged("its positions are not 32 bit floats");
    }
    let first = mesh.vertices.len() as u32;
    for element in elements(document, data, position, 12)? {
        let (words, _) = element.as_chunks();
        let vertex = [0, 1, 2].map(|axis| f32::from_le_bytes(words[axis]));
        mesh.vertices.push(narrow(transform.apply(widen(vertex))));
    }
    let indices: Vec<u32> = match primitive.indices {
        None => (0..position.count as u32).collect(),
        Some(index) => {
            let accessor = get(&document.accessors, index, "accessor")?;
            let size = match accessor.component_type {
                5121 => 1,
                5123 => 2,
                5125 => 4,
                other => {
                    return Fault::damaged(format!("indices of type {other} cannot be read"));
                }
            };
            let little = |bytes: &[u8]| {
                let value = |all: u32, &byte: &u8| all << 8 | u32::from(byte);
                bytes.iter().rev().fold(0, value)
            };
            let elements = elements(document, data, accessor, size)?;
            elements.into_iter().map(little).collect()
        }
    };
    let triangles: Vec<[u32; 3]> = match primitive.mode.unwrap_or(4) {
        4 => indices.as_chunks().0.to_vec(),
        5 => (2..indices.len())
            .map(|i| match i % 2 {
                0 => [indices[i - 2], indices[i - 1], indices[i]],
                _ => [indices[i - 1], indices[i - 2], indices[i]],
            })
            .collect(),
        6 => (2..indices.len())
            .map(|i| [indices[0], indices[i - 1], indices[i]])
            .collect(),
        // Points and lines are no surface.
        _ => Vec::new(),
    };
    for mut triangle in triangles {
        if transform.mirrors() {
            triangle.swap(1, 2);
        }
        let shifted = triangle.map(|index| index.saturating_add(first));
        if let Err(index) = polygon::push(mesh, &shifted) {
            return Fault::damaged(format!(
                "a triangle names vertex {}, and there are {}",
                index - first,
                position.count
            ));
        }
    }
    Ok(())
}
