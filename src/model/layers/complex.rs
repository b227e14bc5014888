//! Products of complex matrices kept as pairs of reals, by three real products instead of four (Gauss's trick).
//!
//! With x = a + i b, W = C + i D and s = a − b:
//!
//! Re (x W) = s D + a (C − D), Im (x W) = s D + b (C + D).
//!
//! Backward, for the gradient g = p + i q of x W, with f = q + p and e = q − p:
//!
//! Re grad_x = f Cᵀ − q (C − D)ᵀ, Im grad_x = f Cᵀ − p (C + D)ᵀ; Re grad_W = sᵀ p + bᵀ f, Im grad_W = sᵀ p + aᵀ e.
//!
//! Rows of pairs hold first all real parts, then all imaginary parts.

use crate::kernels::elementwise::{subtract, sum_and_difference};
use crate::kernels::matmul::{MatrixMut, MatrixRef, Right, Start, matmul, pack, packed_len};

/// A complex weight `[2, m, width]` (real part, imaginary part) in the order in which the products of a tile read it.
#[derive(Debug, Clone, Copy)]
pub(super) struct PreparedComplexWeight<'a> {
    m: usize,
    width: usize,
    /// D, C − D, C + D.
    forward: [&'a [f32]; 3],
    /// Cᵀ, (D − C)ᵀ, −(C + D)ᵀ.
    backward: [&'a [f32]; 3],
}

impl<'a> PreparedComplexWeight<'a> {
    /// How many numbers [`Self::prepare`] writes.
    pub fn len(m: usize, width: usize) -> usize {
        3 * (packed_len(m, width) + packed_len(width, m)) + m * width
    }

    /// Writes `weight` `[2, m, width]` to `prepared`, which [`Self::new`] reads.
    pub fn prepare(m: usize, width: usize, weight: &[f32], prepared: &mut [f32]) {
        let (re, im) = weight.split_at(m * width);
        let (packed, sum) = prepared.split_at_mut(prepared.len() - m * width);
        let (forward, backward) = packed.split_at_mut(3 * packed_len(m, width));
        let mut forward = forward.chunks_exact_mut(packed_len(m, width));
        let mut backward = backward.chunks_exact_mut(packed_len(width, m));
        let mut pack_sum = |is_forward: bool, c: f32, d: f32| {
            for ((sum, re), im) in sum.iter_mut().zip(re).zip(im) {
                *sum = c * re + d * im;
            }
            let sum = MatrixRef::new(sum, width);
            if is_forward {
                let packed = forward.next().expect("there are three places");
                pack(m, width, sum, packed);
            } else {
                let packed = backward.next().expect("there are three places");
                pack(width, m, sum.transposed(), packed);
            }
        };
        for (is_forward, c, d) in [
            (true, 0.0, 1.0),
            (true, 1.0, -1.0),
            (true, 1.0, 1.0),
            (false, 1.0, 0.0),
            (false, -1.0, 1.0),
            (false, -1.0, -1.0),
        ] {
            pack_sum(is_forward, c, d);
        }
    }

    /// What [`Self::prepare`] wrote for a weight of this shape.
    pub fn new(m: usize, width: usize, prepared: &'a [f32]) -> Self {
        let (forward, rest) = prepared.split_at(3 * packed_len(m, width));
        let thirds = |slice: &'a [f32], len: usize| [0, 1, 2].map(|i| &slice[i * len..][..len]);
        Self {
            m,
            width,
            forward: thirds(forward, packed_len(m, width)),
            backward: thirds(rest, packed_len(width, m)),
        }
    }

    /// z = x W; `x`: pairs `[rows, 2m]`, `z`: pairs `[rows, 2·width]`; `s`: `[rows, m]`, to be written.
    pub fn forward(&self, x: &[f32], s: &mut [f32], z: &mut [f32]) {
        let Self { m, width, .. } = *self;
        let [d, difference, sum] = self.forward.map(Right::Packed);
        let shape = [x.len() / (2 * m), m, width];
        for (x, s) in x.chunks_exact(2 * m).zip(s.chunks_exact_mut(m)) {
            subtract(&x[..m], &x[m..], s);
        }
        let [re, im] = halves(x, m);
        let both = MatrixMut::new(z, 2 * width).with_twin(width);
        matmul(shape, MatrixRef::new(s, m), d, both, Start::Zero);
        let out = MatrixMut::new(z, 2 * width);
        matmul(shape, re, difference, out, Start::Result);
        let out = MatrixMut::with_row_stride(&mut z[width..], 2 * width);
        matmul(shape, im, sum, out, Start::Result);
    }

    /// Adds to `grad_weight` `[2, m, width]` and writes `grad_x` `[rows, 2m]` for the gradient `grad_z` `[rows, 2·width]`; `x` and `s` as
    /// in [`Self::forward`]; `scratch`: `[rows, 2·width]`.
    pub fn backward(
        &self,
        x: &[f32],
        s: &[f32],
        grad_z: &[f32],
        scratch: &mut [f32],
        grad_weight: &mut [f32],
        grad_x: Option<&mut [f32]>,
    ) {
        let Self { m, width, .. } = *self;
        let rows = x.len() / (2 * m);
        for (grad, scratch) in grad_z
            .chunks_exact(2 * width)
            .zip(scratch.chunks_exact_mut(2 * width))
        {
            let (f, e) = scratch.split_at_mut(width);
            sum_and_difference(&grad[width..], &grad[..width], f, e);
        }
        let [re, im] = halves(x, m);
        let (p, f, e) = (grad_z, &*scratch, &scratch[width..]);
        let [p, f, e] = [p, f, e].map(|g| Right::Rows(g, 2 * width));
        let shape = [m, rows, width];
        let both = MatrixMut::new(grad_weight, width).with_twin(m * width);
        let s = MatrixRef::new(s, m).transposed();
        matmul(shape, s, p, both, Start::Result);
        let (grad_re, grad_im) = grad_weight.split_at_mut(m * width);
        let out = MatrixMut::new(grad_re, width);
        matmul(shape, im.transposed(), f, out, Start::Result);
        let out = MatrixMut::new(grad_im, width);
        matmul(shape, re.transposed(), e, out, Start::Result);
        let Some(grad_x) = grad_x else {
            return;
        };
        let [c, difference, sum] = self.backward.map(Right::Packed);
        let [p, q] = halves(grad_z, width);
        let shape = [rows, width, m];
        let f = MatrixRef::with_strides(scratch, 2 * width, 1);
        let both = MatrixMut::new(grad_x, 2 * m).with_twin(m);
        matmul(shape, f, c, both, Start::Zero);
        let out = MatrixMut::new(grad_x, 2 * m);
        matmul(shape, q, difference, out, Start::Result);
        let out = MatrixMut::with_row_stride(&mut grad_x[m..], 2 * m);
        matmul(shape, p, sum, out, Start::Result);
    }
}

/// The real and the imaginary parts of rows of `count` pairs.
fn halves(pairs: &[f32], count: usize) -> [MatrixRef<'_>; 2] {
    [pairs, &pairs[count..]].map(|half| MatrixRef::with_strides(half, 2 * count, 1))
}
