//! Points with normals, six numbers a line: x y z nx ny nz.

use super::{Fault, Points, text};

pub(super) fn read(bytes: &[u8]) -> Result<Points, Fault> {
    let mut points = Points::default();
    for (line, text) in text::lines(bytes) {
        let mut words = text
            .split(|c: char| c.is_ascii_whitespace() || c == ',')
            .filter(|word| !word.is_empty());
        let position = text::vector(&mut words, line, "a coordinate")?;
        let normal = text::vector(&mut words, line, "a component of the normal")?;
        points.positions.push(position);
        points.normals.push(normal);
    }
    Ok(points)
}
