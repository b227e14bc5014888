//! The stored values of a picture and their type.

use serde::{Deserialize, Serialize};

/// The type of one sample; stored as its number of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum BitDepth {
    /// Whole numbers 0 to 255.
    U8,
    /// Whole numbers 0 to 65535.
    U16,
    /// 32-bit floating point.
    F32,
}

impl BitDepth {
    /// 8, 16 or 32.
    pub fn bits(self) -> u8 {
        match self {
            BitDepth::U8 => 8,
            BitDepth::U16 => 16,
            BitDepth::F32 => 32,
        }
    }

    /// The range [0, 2^bits − 1] of whole numbers; [0, 1] for float samples, whose own range only the samples can tell.
    pub fn range(self) -> [f32; 2] {
        match self {
            BitDepth::U8 => [0.0, 255.0],
            BitDepth::U16 => [0.0, 65535.0],
            BitDepth::F32 => [0.0, 1.0],
        }
    }

    /// The name in words, such as `8 bit`.
    pub fn name(self) -> &'static str {
        match self {
            BitDepth::U8 => "8 bit",
            BitDepth::U16 => "16 bit",
            BitDepth::F32 => "32 bit float",
        }
    }
}

impl From<BitDepth> for u8 {
    fn from(depth: BitDepth) -> u8 {
        depth.bits()
    }
}

impl TryFrom<u8> for BitDepth {
    type Error = String;

    fn try_from(bits: u8) -> Result<BitDepth, String> {
        match bits {
            8 => Ok(BitDepth::U8),
            16 => Ok(BitDepth::U16),
            32 => Ok(BitDepth::F32),
            _ => Err(format!("bit_depth is {bits}; it can be 8, 16 or 32")),
        }
    }
}

/// The stored values of a picture, interleaved and row-major, `[height, width, channels]`, in the type of the file.
///
/// An 8-bit picture of 40 megapixels stays at 120 MB; a float copy would take four times that.
#[derive(Debug, Clone, PartialEq)]
pub enum Samples {
    /// 8 bit.
    U8(Vec<u8>),
    /// 16 bit.
    U16(Vec<u16>),
    /// 32 bit float.
    F32(Vec<f32>),
}

impl Samples {
    /// No values yet, with room for `capacity` of them.
    pub fn with_capacity(depth: BitDepth, capacity: usize) -> Samples {
        match depth {
            BitDepth::U8 => Samples::U8(Vec::with_capacity(capacity)),
            BitDepth::U16 => Samples::U16(Vec::with_capacity(capacity)),
            BitDepth::F32 => Samples::F32(Vec::with_capacity(capacity)),
        }
    }

    /// Appends values of the file's range.
    ///
    /// Whole numbers are rounded to the nearest (halves away from zero) and clamped to the type; NaN becomes 0. Float samples are
    /// neither rounded nor clamped, since a float file holds any value.
    pub fn extend(&mut self, values: impl Iterator<Item = f64>) {
        // The conversion of a float to a whole number saturates, which is the clamp.
        match self {
            Samples::U8(out) => out.extend(values.map(|v| v.round() as u8)),
            Samples::U16(out) => out.extend(values.map(|v| v.round() as u16)),
            Samples::F32(out) => out.extend(values.map(|v| v as f32)),
        }
    }

    /// Copies the values from position `start` on, as stored.
    ///
    /// # Panics
    /// If there are not as many as `out` takes.
    pub fn read(&self, start: usize, out: &mut [f64]) {
        fn copy<T: Copy + Into<f64>>(values: &[T], out: &mut [f64]) {
            for (out, &value) in out.iter_mut().zip(values) {
                *out = value.into();
            }
        }
        let range = start..start + out.len();
        match self {
            Samples::U8(values) => copy(&values[range], out),
            Samples::U16(values) => copy(&values[range], out),
            Samples::F32(values) => copy(&values[range], out),
        }
    }

    /// The range of the layout of these samples: that of their bit depth, or [min(0, smallest), largest] of finite float samples,
    /// widened to a span of 1 if every one is the same non-positive number.
    pub(super) fn range(&self) -> [f32; 2] {
        let Samples::F32(values) = self else {
            return self.bit_depth().range();
        };
        let smallest = values.iter().copied().fold(0.0, f32::min);
        let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        match largest <= smallest {
            // One more is the same number beyond 2^24.
            true => [smallest, (smallest + 1.0).max(smallest.next_up())],
            false => [smallest, largest],
        }
    }

    /// The smallest and the largest value.
    pub(super) fn ends(&self) -> [f64; 2] {
        fn ends<T: Copy + Into<f64>>(values: &[T]) -> [f64; 2] {
            let none = [f64::INFINITY, f64::NEG_INFINITY];
            values.iter().fold(none, |[least, most], &value| {
                let value = value.into();
                [least.min(value), most.max(value)]
            })
        }
        match self {
            Samples::U8(values) => ends(values),
            Samples::U16(values) => ends(values),
            Samples::F32(values) => ends(values),
        }
    }

    /// The type of a value.
    pub fn bit_depth(&self) -> BitDepth {
        match self {
            Samples::U8(_) => BitDepth::U8,
            Samples::U16(_) => BitDepth::U16,
            Samples::F32(_) => BitDepth::F32,
        }
    }

    /// The number of values (pixels × channels).
    pub fn len(&self) -> usize {
        match self {
            Samples::U8(values) => values.len(),
            Samples::U16(values) => values.len(),
            Samples::F32(values) => values.len(),
        }
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
