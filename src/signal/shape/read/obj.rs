//! Wavefront OBJ: the vertices and faces; groups, materials, lines and texture coordinates are passed over.

use super::super::mesh::Mesh;
use super::{Fault, polygon, text};

pub(super) fn read(bytes: &[u8]) -> Result<Mesh, Fault> {
    let mut mesh = Mesh::default();
    let mut face: Vec<u32> = Vec::new();
    let mut continued: Option<(usize, String)> = None;
    for (number, line) in text::lines(bytes) {
        let (number, joined) = match continued.take() {
            None => (number, None),
            Some((first, start)) => (first, Some(format!("{start} {line}"))),
        };
        let line = joined.as_deref().unwrap_or(line);
        if let Some(start) = line.strip_suffix('\\') {
            continued = Some((number, start.into()));
            continue;
        }
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some("v") => mesh
                .vertices
                .push(text::vector(&mut words, number, "a coordinate")?),
            Some("f") => {
                face.clear();
                for word in words {
                    face.push(index(word, mesh.vertices.len(), number)?);
                }
                if face.len() < 3 {
                    return Fault::damaged(format!(
                        "line {number}: a face has {} vertices and needs 3",
                        face.len()
                    ));
                }
                if let Err(index) = polygon::push(&mut mesh, &face) {
                    return Fault::damaged(format!(
                        "line {number}: a face names vertex {}, and there are {} before it",
                        u64::from(index) + 1,
                        mesh.vertices.len()
                    ));
                }
            }
            _ => {}
        }
    }
    match mesh.vertices.is_empty() {
        true => Fault::damaged("no line of it begins with v, as the vertices of an OBJ file do"),
        false => Ok(mesh),
    }
}

/// The vertex of `7`, `7/1`, `7//3` or `-1` (the last one so far), from 0.
fn index(word: &str, count: usize, line: usize) -> Result<u32, Fault> {
    let first = word.split('/').next();
    let given: i64 = text::number(first, line, "a vertex of a face")?;
    let index = match given {
        1.. => given - 1,
        _ => count as i64 + given,
    };
    match u32::try_from(index) {
        Ok(index) if given != 0 => Ok(index),
        _ => Fault::damaged(format!(
            "line {line}: a face names vertex {given}, and there are {count} before it"
        )),
    }
}
