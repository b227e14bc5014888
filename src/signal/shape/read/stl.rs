//! STL, binary or text. Its triangles share no vertices; corners at the same place become one vertex.

use super::super::mesh::Mesh;
use super::super::topology::weld;
use super::{Fault, text};

/// The bytes before the number of triangles.
const HEADER: usize = 80;
/// The bytes of a triangle: normal, three corners, and two more bytes.
const TRIANGLE: usize = 50;

pub(super) fn read(bytes: &[u8]) -> Result<Mesh, Fault> {
    let mut corners = Vec::new();
    match binary(bytes) {
        Some(triangles) => corners.extend(triangles),
        None if is_word(text::without_mark(bytes).trim_ascii_start(), b"solid") => {
            let mut closed = false;
            for (line, text) in text::lines(bytes) {
                let mut words = text.split_ascii_whitespace();
                let word = words.next().unwrap_or_default();
                if word.eq_ignore_ascii_case("vertex") {
                    corners.push(text::vector(&mut words, line, "a coordinate")?);
                }
                closed |= word.eq_ignore_ascii_case("endsolid");
            }
            if !closed || !corners.len().is_multiple_of(3) {
                return Err(Fault::Truncated);
            }
        }
        None if is_text(bytes) => {
            return Fault::damaged("it is text that does not begin with solid");
        }
        None if bytes.len() < HEADER + 4 => return Err(Fault::Truncated),
        None => {
            let count = count(bytes).unwrap_or(0);
            let expected = HEADER as u64 + 4 + u64::from(count) * TRIANGLE as u64;
            return match (bytes.len() as u64) < expected {
                true => Err(Fault::Truncated),
                false => Fault::damaged(format!(
                    "its header says {count} triangles, which are {expected} bytes, and it has {}",
                    bytes.len()
                )),
            };
        }
    }
    Ok(weld(&Mesh::of_corners(corners)))
}

/// Whether `bytes` begin with a word, in letters of any size.
fn is_word(bytes: &[u8], word: &[u8]) -> bool {
    let start = bytes.get(..word.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// Whether it is text for longer than a binary header, which the number of triangles ends.
fn is_text(bytes: &[u8]) -> bool {
    let mut start = bytes.iter().take(4 * HEADER);
    start.all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace())
}

fn count(bytes: &[u8]) -> Option<u32> {
    let count = bytes.get(HEADER..)?.first_chunk()?;
    Some(u32::from_le_bytes(*count))
}

/// The corners of a binary file; none if its length does not fit, since binary files may begin with `solid` too.
fn binary(bytes: &[u8]) -> Option<impl Iterator<Item = [f32; 3]>> {
    let triangles = bytes.get(HEADER + 4..)?;
    let expected = (count(bytes)? as usize).checked_mul(TRIANGLE)?;
    (triangles.len() == expected).then(|| {
        triangles.chunks_exact(TRIANGLE).flat_map(|triangle| {
            let (corners, _) = triangle[12..48].as_chunks::<12>();
            corners.iter().map(|corner| {
                let (words, _) = corner.as_chunks::<4>();
                [0, 1, 2].map(|axis| f32::from_le_bytes(words[axis]))
            })
        })
    })
}
