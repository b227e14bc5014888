//! The Object File Format of Geomview, in text, with or without normals and colours behind the coordinates.

use super::super::mesh::Mesh;
use super::{Fault, polygon, text};

/// The keyword that begins the file, such as `OFF` or `COFF`.
pub(super) fn keyword(head: &[u8]) -> Option<&'static str> {
    ["OFF", "COFF", "NOFF", "CNOFF", "STOFF"]
        .into_iter()
        .find(|word| {
            head.strip_prefix(word.as_bytes())
                .is_some_and(|rest| rest.first().is_none_or(u8::is_ascii_whitespace))
        })
}

pub(super) fn read(bytes: &[u8]) -> Result<Mesh, Fault> {
    let bytes = text::without_mark(bytes);
    let Some(keyword) = keyword(bytes) else {
        return Fault::damaged("it does not begin with OFF");
    };
    // Files exist that go on behind the keyword, and others that begin a new line.
    let mut lines = text::lines(&bytes[keyword.len()..]);
    let (line, counts) = lines.next().ok_or(Fault::Truncated)?;
    if counts == "BINARY" {
        return Fault::damaged("it is a binary OFF file; save it as text or as PLY");
    }
    let mut words = counts.split_ascii_whitespace();
    let vertices: usize = text::number(words.next(), line, "the number of vertices")?;
    let faces: usize = text::number(words.next(), line, "the number of faces")?;
    let mut mesh = Mesh::default();
    for _ in 0..vertices {
        let (line, text) = lines.next().ok_or(Fault::Truncated)?;
        let mut words = text.split_ascii_whitespace();
        mesh.vertices
            .push(text::vector(&mut words, line, "a coordinate")?);
    }
    let mut face: Vec<u32> = Vec::new();
    for _ in 0..faces {
        let (line, text) = lines.next().ok_or(Fault::Truncated)?;
        let mut words = text.split_ascii_whitespace();
        let count: usize = text::number(words.next(), line, "the number of vertices of a face")?;
        face.clear();
        for _ in 0..count {
            face.push(text::number(words.next(), line, "a vertex of a face")?);
        }
        if count < 3 {
            return Fault::damaged(format!(
                "line {line}: a face has {count} vertices and needs 3"
            ));
        }
        if let Err(index) = polygon::push(&mut mesh, &face) {
            return Fault::damaged(format!(
                "line {line}: a face names vertex {index}, and they are counted from 0 to {}",
                vertices.saturating_sub(1)
            ));
        }
    }
    Ok(mesh)
}
