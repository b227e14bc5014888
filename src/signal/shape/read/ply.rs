//! The Stanford polygon format, in text and in both binary orders: a mesh, or without faces points with normals.

use super::super::mesh::Mesh;
use super::{Content, Fault, Points, polygon};

/// The type of a number.
#[derive(Debug, Clone, Copy)]
enum Scalar {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    F32,
    F64,
}

impl Scalar {
    fn named(word: &str) -> Option<Self> {
        Some(match word {
            "char" | "int8" => Self::I8,
            "uchar" | "uint8" => Self::U8,
            "short" | "int16" => Self::I16,
            "ushort" | "uint16" => Self::U16,
            "int" | "int32" => Self::I32,
            "uint" | "uint32" => Self::U32,
            "float" | "float32" => Self::F32,
            "double" | "float64" => Self::F64,
            _ => return None,
        })
    }
}

/// One property of an element; a list has a type for its length.
struct Property {
    name: String,
    length: Option<Scalar>,
    value: Scalar,
}

struct Element {
    name: String,
    count: usize,
    properties: Vec<Property>,
}

/// How numbers are stored.
enum Encoding {
    Text,
    Little,
    Big,
}

/// The numbers behind the header, one after the other.
struct Numbers<'a> {
    rest: &'a [u8],
    encoding: Encoding,
}

impl Numbers<'_> {
    fn next(&mut self, scalar: Scalar) -> Result<f64, Fault> {
        if let Encoding::Text = self.encoding {
            let start = self.rest.trim_ascii_start();
            let end = start.iter().position(u8::is_ascii_whitespace);
            let (word, rest) = start.split_at(end.unwrap_or(start.len()));
            self.rest = rest;
            let word = str::from_utf8(word).unwrap_or("?");
            return match word.parse() {
                Ok(value) => Ok(value),
                Err(_) if word.is_empty() => Err(Fault::Truncated),
                Err(_) => Fault::damaged(format!("{word:?} stands where a number should be")),
            };
        }
        Ok(match scalar {
            Scalar::I8 => f64::from(i8::from_le_bytes(self.take()?)),
            Scalar::U8 => f64::from(u8::from_le_bytes(self.take()?)),
            Scalar::I16 => f64::from(i16::from_le_bytes(self.take()?)),
            Scalar::U16 => f64::from(u16::from_le_bytes(self.take()?)),
            Scalar::I32 => f64::from(i32::from_le_bytes(self.take()?)),
            Scalar::U32 => f64::from(u32::from_le_bytes(self.take()?)),
            Scalar::F32 => f64::from(f32::from_le_bytes(self.take()?)),
            Scalar::F64 => f64::from_le_bytes(self.take()?),
        })
    }

    /// The next bytes, the least significant first.
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (&(mut bytes), rest) = self.rest.split_first_chunk().ok_or(Fault::Truncated)?;
        self.rest = rest;
        if let Encoding::Big = self.encoding {
            bytes.reverse();
        }
        Ok(bytes)
    }
}

pub(super) fn read(bytes: &[u8]) -> Result<Content, Fault> {
    let (encoding, elements, rest) = header(bytes)?;
    let mut numbers = Numbers { rest, encoding };
    let mut mesh = Mesh::default();
    let mut faces = 0;
    for element in &elements {
        match element.name.as_str() {
            "vertex" => vertices(element, &mut numbers, &mut mesh)?,
            "face" => {
                faces = element.count;
                read_faces(element, &mut numbers, &mut mesh)?;
            }
            _ => skip(element, &mut numbers)?,
        }
    }
    if faces > 0 || mesh.vertices.is_empty() {
        return Ok(Content::Mesh(mesh));
    }
    if mesh.normals.is_empty() {
        return Fault::damaged(format!(
            "it has {} vertices and neither faces nor normals (nx, ny, nz), without which they are no surface",
            mesh.vertices.len()
        ));
    }
    Ok(Content::Points(Points {
        positions: mesh.vertices,
        normals: mesh.normals,
    }))
}

fn vertices(element: &Element, numbers: &mut Numbers, mesh: &mut Mesh) -> Result<(), Fault> {
    let place = |name: &str| element.properties.iter().position(|p| p.name == name);
    let [Some(x), Some(y), Some(z)] = ["x", "y", "z"].map(place) else {
        return Fault::damaged("its vertices have no x, y and z");
    };
    let normal = ["nx", "ny", "nz"].map(place);
    let mut row = vec![0.0; element.properties.len()];
    for _ in 0..element.count {
        for (value, property) in row.iter_mut().zip(&element.properties) {
            *value = one(property, numbers)?;
        }
        mesh.vertices.push([x, y, z].map(|i| row[i] as f32));
        if let [Some(x), Some(y), Some(z)] = normal {
            mesh.normals.push([x, y, z].map(|i| row[i] as f32));
        }
    }
    Ok(())
}

fn read_faces(element: &Element, numbers: &mut Numbers, mesh: &mut Mesh) -> Result<(), Fault> {
    let mut face: Vec<u32> = Vec::new();
    for index in 0..element.count {
        face.clear();
        for property in &element.properties {
            let wanted = matches!(property.name.as_str(), "vertex_indices" | "vertex_index");
            match property.length {
                Some(length) if wanted => {
                    for _ in 0..count(length, numbers)? {
                        let vertex = numbers.next(property.value)?;
                        face.push(whole(vertex).ok_or_else(|| {
                            Fault::Damaged(format!(
                                "face {index} names vertex {vertex}, and they are counted from 0"
                            ))
                        })?);
                    }
                }
                _ => {
                    one(property, numbers)?;
                }
            }
        }
        if face.len() < 3 {
            return Fault::damaged(format!(
                "face {index} (counted from 0) has {} vertices and needs 3",
                face.len()
            ));
        }
        if let Err(vertex) = polygon::push(mesh, &face) {
            return Fault::damaged(format!(
                "face {index} names vertex {vertex}, and they are counted from 0 to {}",
                mesh.vertices.len().saturating_sub(1)
            ));
        }
    }
    Ok(())
}

/// A number that counts something, which types of a fraction or a sign may hold too.
fn whole(value: f64) -> Option<u32> {
    let is_whole = value.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&value);
    is_whole.then_some(value as u32)
}

/// The length of a list.
fn count(length: Scalar, numbers: &mut Numbers) -> Result<u32, Fault> {
    let length = numbers.next(length)?;
    whole(length).ok_or_else(|| Fault::Damaged(format!("a list has {length} values")))
}

/// The value of a property; of a list, its last.
fn one(property: &Property, numbers: &mut Numbers) -> Result<f64, Fault> {
    let count = match property.length {
        None => 1,
        Some(length) => count(length, numbers)?,
    };
    let mut value = 0.0;
    for _ in 0..count {
        value = numbers.next(property.value)?;
    }
    Ok(value)
}

fn skip(element: &Element, numbers: &mut Numbers) -> Result<(), Fault> {
    for _ in 0..element.count {
        for property in &element.properties {
            one(property, numbers)?;
        }
    }
    Ok(())
}

fn header(bytes: &[u8]) -> Result<(Encoding, Vec<Element>, &[u8]), Fault> {
    let mut rest = bytes;
    let mut encoding = None;
    let mut elements: Vec<Element> = Vec::new();
    for number in 1.. {
        let end = rest.iter().position(|&byte| byte == b'\n');
        let (line, behind) = rest.split_at(end.ok_or(Fault::Truncated)? + 1);
        rest = behind;
        let line = String::from_utf8_lossy(line.trim_ascii()).into_owned();
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match *words.as_slice() {
            ["ply"] | ["comment" | "obj_info", ..] | [] => {}
            _ if number == 1 => return Fault::damaged("it does not begin with ply"),
            ["format", name, ..] => {
                encoding = Some(match name {
                    "ascii" => Encoding::Text,
                    "binary_little_endian" => Encoding::Little,
                    "binary_big_endian" => Encoding::Big,
                    _ => return Fault::damaged(format!("line {number}: unknown format {name}")),
                });
            }
            ["element", name, count] => elements.push(Element {
                name: name.into(),
                count: super::text::number(Some(count), number, "a number of elements")?,
                properties: Vec::new(),
            }),
            ["property", ref types @ .., name] => {
                let scalars: Option<Vec<Scalar>> = types
                    .iter()
                    .skip(usize::from(types.first() == Some(&"list")))
                    .map(|word| Scalar::named(word))
                    .collect();
                let (length, value) = match scalars.as_deref() {
                    Some(&[value]) => (None, value),
                    Some(&[length, value]) => (Some(length), value),
                    _ => return Fault::damaged(format!("line {number}: {line:?} is no property")),
                };
                let Some(element) = elements.last_mut() else {
                    return Fault::damaged(format!("line {number}: a property of no element"));
                };
                element.properties.push(Property {
                    name: name.into(),
                    length,
                    value,
                });
            }
            ["end_header"] => {
                let encoding =
                    encoding.ok_or_else(|| Fault::Damaged("its header names no format".into()))?;
                return Ok((encoding, elements, rest));
            }
            _ => return Fault::damaged(format!("line {number}: {line:?} is not understood")),
        }
    }
    Err(Fault::Truncated)
}
