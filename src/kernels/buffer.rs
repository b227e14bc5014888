//! Memory for the other kernels.

use std::ops::{Deref, DerefMut};

use super::{Block, LANES};

/// Numbers that start at a cache line, so that no whole vector among them lies across two lines.
#[derive(Debug, Clone, Default)]
pub struct Buffer {
    lines: Vec<Line>,
    length: usize,
}

#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line(Block);

impl Buffer {
    /// `length` zeros.
    pub fn zeros(length: usize) -> Self {
        Self {
            lines: vec![Line([0.0; LANES]); length.div_ceil(LANES)],
            length,
        }
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: a line is 16 numbers and, being as large as its alignment, nothing else; so the lines hold `length` numbers and more.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.length) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.length) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_zeros_at_cache_lines() {
        for length in [0, 1, 16, 1000] {
            let mut buffer = Buffer::zeros(length);
            assert_eq!(buffer.len(), length);
            assert!(buffer.iter().all(|x| *x == 0.0));
            assert_eq!(buffer.as_ptr() as usize % 64, 0);
            if let Some(last) = buffer.last_mut() {
                *last = 1.0;
            }
            assert_eq!(
                buffer.iter().sum::<f32>(),
                if length > 0 { 1.0 } else { 0.0 }
            );
        }
    }
}
