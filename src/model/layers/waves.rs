//! Encodings of coordinates by waves whose frequencies are not trained: y = [x | cos(π x B) | sin(π x B)], with x itself or without it.
//!
//! Shapes: x `[n, d_in]`, B `[d_in, M]`, in cycles over an axis [-1, 1]; y `[n, (d_in +) 2M]`.
//! Derivative: dy = [dx | −sin(π x B) ⊙ π dx B | cos(π x B) ⊙ π dx B].

use std::f32::consts::PI;

use burn::tensor::Tensor;

use super::fourier_kan::constant_row;
use super::trigonometry::reduce_phase;
use crate::kernels::trigonometry::sine_forward;

/// Waves of fixed frequencies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waves<'a> {
    /// B `[d_in, M]`.
    pub frequencies: &'a [f32],
    pub d_in: usize,
    /// Whether x comes first.
    pub with_input: bool,
}

impl Waves<'_> {
    /// M.
    fn count(&self) -> usize {
        self.frequencies.len() / self.d_in
    }

    fn kept(&self) -> usize {
        if self.with_input { self.d_in } else { 0 }
    }

    fn d_out(&self) -> usize {
        self.kept() + 2 * self.count()
    }

    /// π x B, or of a tangent.
    fn phases(&self, x: Tensor<2>) -> Tensor<2> {
        let values = self.frequencies.iter().map(|&b| f64::from(b * PI));
        let matrix = constant_row(&x, values.collect());
        x.matmul(matrix.reshape([self.d_in, self.count()]))
    }

    /// y.
    pub fn plain(&self, x: Tensor<2>) -> Tensor<2> {
        let phases = reduce_phase(self.phases(x.clone()));
        self.join(x, phases.clone().cos(), phases.sin())
    }

    /// y and its tangents.
    pub fn plain_with_tangents(
        &self,
        x: Tensor<2>,
        tangents: Vec<Tensor<2>>,
    ) -> (Tensor<2>, Vec<Tensor<2>>) {
        let phases = reduce_phase(self.phases(x.clone()));
        let (cosines, sines) = (phases.clone().cos(), phases.sin());
        let tangents = tangents.into_iter().map(|t| {
            let moved = self.phases(t.clone());
            let of_cosines = (sines.clone() * moved.clone()).neg();
            self.join(t, of_cosines, cosines.clone() * moved)
        });
        let tangents = tangents.collect();
        (self.join(x, cosines, sines), tangents)
    }

    fn join(&self, x: Tensor<2>, cosines: Tensor<2>, sines: Tensor<2>) -> Tensor<2> {
        match self.with_input {
            true => Tensor::cat(vec![x, cosines, sines], 1),
            false => Tensor::cat(vec![cosines, sines], 1),
        }
    }

    /// Writes y for a tile of x.
    pub fn forward_tile(&self, x: &[f32], y: &mut [f32]) {
        let rows = x.chunks_exact(self.d_in);
        for (x, y) in rows.zip(y.chunks_exact_mut(self.d_out())) {
            let (kept, waves) = y.split_at_mut(self.kept());
            kept.copy_from_slice(&x[..kept.len()]);
            let (cosines, phases) = waves.split_at_mut(self.count());
            phases.fill(0.0);
            for (x, frequencies) in x.iter().zip(self.frequencies.chunks_exact(phases.len())) {
                for (phase, frequency) in phases.iter_mut().zip(frequencies) {
                    *phase += x * (frequency * PI);
                }
            }
            sine_forward(phases, 1.0, cosines);
        }
    }

    /// Writes the gradient of x from y and its gradient.
    pub fn backward_tile(&self, y: &[f32], grad_y: &[f32], grad_x: &mut [f32]) {
        let count = self.count();
        let rows = y.chunks_exact(self.d_out());
        let rows = rows.zip(grad_y.chunks_exact(self.d_out()));
        for ((y, grad), grad_x) in rows.zip(grad_x.chunks_exact_mut(self.d_in)) {
            let (kept, grad) = grad.split_at(self.kept());
            grad_x.fill(0.0);
            grad_x[..kept.len()].copy_from_slice(kept);
            let (cosines, sines) = y[kept.len()..].split_at(count);
            let (of_cosines, of_sines) = grad.split_at(count);
            for (grad_x, frequencies) in grad_x.iter_mut().zip(self.frequencies.chunks(count)) {
                for m in 0..count {
                    let of_phase = of_sines[m] * cosines[m] - of_cosines[m] * sines[m];
                    *grad_x += of_phase * (frequencies[m] * PI);
                }
            }
        }
    }
}
