//! Arrays of NumPy (format 1 to 3): distances or occupancies `[nx, ny, nz]`.

use super::super::grid::Grid;
use super::Fault;

pub(super) fn read(bytes: &[u8]) -> Result<Grid, Fault> {
    let version = *bytes.get(6).ok_or(Fault::Truncated)?;
    let (start, length): (usize, usize) = match version {
        1 => (10, u16::from_le_bytes(*chunk(bytes, 8)?) as usize),
        2 | 3 => (12, u32::from_le_bytes(*chunk(bytes, 8)?) as usize),
        _ => return Fault::damaged(format!("its version is {version}; 1 to 3 can be read")),
    };
    let header = bytes.get(start..start.saturating_add(length));
    let header = String::from_utf8_lossy(header.ok_or(Fault::Truncated)?);
    let kind = quoted(&header, "descr").unwrap_or_default();
    let fortran = after(&header, "fortran_order").is_some_and(|rest| rest.starts_with("True"));
    let sizes = sizes(&header)?;
    let count: usize = sizes
        .iter()
        .try_fold(1_usize, |product, &n| product.checked_mul(n))
        .filter(|&count| count > 0)
        .ok_or_else(|| Fault::Damaged(format!("its shape {sizes:?} holds no values")))?;
    let data = &bytes[start + length..];
    let values: Vec<f32> = match kind {
        "<f4" => decode(data, count, f32::from_le_bytes)?,
        ">f4" => decode(data, count, f32::from_be_bytes)?,
        "<f8" => decode(data, count, |b| f64::from_le_bytes(b) as f32)?,
        ">f8" => decode(data, count, |b| f64::from_be_bytes(b) as f32)?,
        "|b1" | "|u1" => decode(data, count, |b: [u8; 1]| f32::from(u8::from(b[0] != 0)))?,
        "|i1" => decode(data, count, |b| f32::from(i8::from_le_bytes(b)))?,
        _ => {
            return Fault::damaged(format!(
                "its values are {kind:?}; float32, float64, bool, uint8 and int8 can be read"
            ));
        }
    };
    let values = match fortran {
        false => values,
        true => {
            let [nx, ny, nz] = sizes;
            let places = (0..count).map(|i| (i / (ny * nz), i / nz % ny, i % nz));
            places
                .map(|(x, y, z)| values[x + nx * (y + ny * z)])
                .collect()
        }
    };
    Grid::new(sizes, values).map_err(Fault::Damaged)
}

fn chunk<const N: usize>(bytes: &[u8], start: usize) -> Result<&[u8; N], Fault> {
    let rest = bytes.get(start..).and_then(|rest| rest.first_chunk());
    rest.ok_or(Fault::Truncated)
}

fn decode<const N: usize>(
    data: &[u8],
    count: usize,
    value: impl Fn([u8; N]) -> f32,
) -> Result<Vec<f32>, Fault> {
    let (words, _) = data.as_chunks::<N>();
    let words = words.get(..count).ok_or(Fault::Truncated)?;
    Ok(words.iter().map(|&word| value(word)).collect())
}

/// What follows the key of a Python dictionary.
fn after<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = header.split_once(&format!("'{key}':"))?;
    Some(rest.trim_start())
}

fn quoted<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    after(header, key)?.strip_prefix('\'')?.split('\'').next()
}

fn sizes(header: &str) -> Result<[usize; 3], Fault> {
    let inside = after(header, "shape")
        .and_then(|rest| rest.strip_prefix('(')?.split(')').next())
        .unwrap_or_default();
    let sizes: Vec<usize> = inside
        .split(',')
        .filter_map(|word| word.trim().parse().ok())
        .collect();
    sizes.as_slice().try_into().map_err(|_| {
        Fault::Damaged(format!(
            "its shape is ({inside}); a grid of a shape has three axes"
        ))
    })
}
