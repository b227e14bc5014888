//! A loss for points with normals: the network becomes the signed distance to the surface they lie on (Sitzmann et al. 2020, eq. 6).
//!
//! With n the normal of a point, and none off the surface, a row costs
//!
//! ```text
//! on the surface:   3000 |f| + 100 (1 − cos(∇f, n)) + 50 | |∇f| − 1 |
//! off the surface:  100 h(100 s f)                  + 50 | |∇f| − 1 |,   h(u) = exp(−u) for u ≥ 0, 1 − u below
//! ```
//!
//! The weights are those of the authors' code; α = 100 keeps values off the surface away from zero. s is the side of the place, the sign of its target;
//! where that is 0, s f is |f| and the loss that of the paper, which never has a side, and leaves surfaces between two wrong ones, which cost it little.
//! That h goes on below 0 as a straight line is ours. The loss is the mean over the rows.

use burn::tensor::Tensor;

use super::Measured;

const SURFACE: f32 = 3000.0;
const NORMAL: f32 = 100.0;
const EIKONAL: f32 = 50.0;
const OFF_SURFACE: f32 = 100.0;
/// α of the paper.
const SHARPNESS: f32 = 100.0;
/// |∇f| below which its direction means nothing.
const SMALLEST_GRADIENT: f32 = 1e-8;

/// −1, 0 or 1: the slope of |x|, which at 0 is 0 in the plain form.
fn sign(x: f32) -> f32 {
    if x == 0.0 { 0.0 } else { x.signum() }
}

/// The loss of a batch, row by row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Oriented {
    /// 1 / rows of the whole batch.
    scale: f32,
}

impl Oriented {
    pub fn new(rows: usize) -> Self {
        Self {
            scale: 1.0 / rows as f32,
        }
    }

    /// Adds the rows of a tile to `measured` and writes the gradients of f and of ∇f.
    ///
    /// `value`: `[rows]`; `tangents`: `[d, rows]`, ∇f axis by axis; `targets`: `[rows]`, whose signs are sides; `normals`: `[rows, d]`, zeros off the
    /// surface. `gradients`: of `value` and of `tangents`.
    pub fn rows(
        self,
        value: &[f32],
        tangents: &[f32],
        [targets, normals]: [&[f32]; 2],
        [grad_value, grad_tangents]: [&mut [f32]; 2],
        measured: &mut Measured,
    ) {
        let rows = value.len();
        let d = normals.len() / rows;
        for (row, normal) in normals.chunks_exact(d).enumerate() {
            let f = value[row];
            let at = |axis: usize| axis * rows + row;
            let norm = (0..d)
                .map(|axis| tangents[at(axis)].powi(2))
                .sum::<f32>()
                .sqrt();
            let length = normal.iter().map(|n| n * n).sum::<f32>().sqrt();
            let safe = norm.max(SMALLEST_GRADIENT);
            let mut loss = EIKONAL * (norm - 1.0).abs();
            let along = EIKONAL * sign(norm - 1.0) / safe;
            let slope;
            if length > 0.0 {
                let dot: f32 = (0..d).map(|axis| tangents[at(axis)] * normal[axis]).sum();
                let cosine = dot / (safe * length);
                loss += SURFACE * f.abs() + NORMAL * (1.0 - cosine);
                slope = SURFACE * sign(f);
                for axis in 0..d {
                    let towards = normal[axis] / (safe * length);
                    let tangent = tangents[at(axis)];
                    grad_tangents[at(axis)] = self.scale
                        * (along * tangent - NORMAL * (towards - cosine * tangent / (safe * safe)));
                }
                measured.mean_squared_error += f64::from(self.scale * f * f);
            } else {
                let side = match targets[row] {
                    0.0 => sign(f),
                    target => target.signum(),
                };
                let within = SHARPNESS * side * f;
                let (height, fall) = match within < 0.0 {
                    true => (1.0 - within, 1.0),
                    false => ((-within).exp(), (-within).exp()),
                };
                loss += OFF_SURFACE * height;
                slope = -OFF_SURFACE * SHARPNESS * fall * side;
                for axis in 0..d {
                    grad_tangents[at(axis)] = self.scale * along * tangents[at(axis)];
                }
            }
            grad_value[row] = self.scale * slope;
            measured.loss += f64::from(self.scale * loss);
        }
    }

    /// The plain twin: the loss of some rows, and their part of the mean squared error on the surface.
    ///
    /// `value` and `targets`: `[n, 1]`; `gradient` and `normals`: `[n, d]`.
    pub fn sum(
        self,
        value: Tensor<2>,
        gradient: Tensor<2>,
        targets: Tensor<2>,
        normals: Tensor<2>,
    ) -> [Tensor<1>; 2] {
        let length = normals.clone().square().sum_dim(1).sqrt();
        let on = length.clone().sign();
        let off = on.clone().neg().add_scalar(1.0);
        // The root has no slope at 0, which would make all gradients NaN; bounded, its slope there is 0 as in `rows`.
        let square = gradient.clone().square().sum_dim(1);
        let norm = square
            .clamp_min(SMALLEST_GRADIENT * SMALLEST_GRADIENT)
            .sqrt();
        // A normal of length 0 has the product 0 with anything.
        let cosine =
            (gradient * normals).sum_dim(1) / (norm.clone() * length.clamp_min(SMALLEST_GRADIENT));
        let absolute = value.clone().abs();
        let on_surface =
            absolute.clone().mul_scalar(SURFACE) + cosine.neg().add_scalar(1.0).mul_scalar(NORMAL);
        let has_no_side = targets.clone().equal_elem(0.0);
        let within = value.clone() * targets.sign();
        let within = within
            .mask_where(has_no_side, absolute)
            .mul_scalar(SHARPNESS);
        let is_wrong = within.clone().lower_elem(0.0);
        // Bounded where it is not taken, for there it has no end.
        let near = within.clone().clamp_min(0.0).neg().exp();
        let off_surface = near
            .mask_where(is_wrong, within.neg().add_scalar(1.0))
            .mul_scalar(OFF_SURFACE);
        let eikonal = norm.sub_scalar(1.0).abs().mul_scalar(EIKONAL);
        let loss = on.clone() * on_surface + off * off_surface + eikonal;
        let on_surface = value.inner().square() * on.inner();
        [loss, on_surface].map(|rows| rows.sum().mul_scalar(self.scale))
    }
}
