//! Activations with their first two derivatives, element by element.
//!
//! Every function here writes `[value, slope, curvature]`, each as long as its input, or M times as long for M functions.

use super::activation::bell_lane;
use super::trigonometry::{harmonics_forward, is_beyond_limit, sin_cos_lane};
use super::{dispatch, for_each};

/// sin and cos of every number, `sin` holding the numbers before.
pub(super) fn sin_cos(sin: &mut [f32], cos: &mut [f32]) {
    if is_beyond_limit(sin, 1.0) {
        for_each([], [sin, cos], |[], [x, _]| x.sin_cos().into());
    } else {
        dispatch!(sin_cos_body(sin: &mut [f32], cos: &mut [f32]));
    }
}

#[inline(always)]
fn sin_cos_body<const FMA: bool>(sin: &mut [f32], cos: &mut [f32]) {
    for_each(
        [],
        [sin, cos],
        #[inline(always)]
        |[], [x, _]| sin_cos_lane::<FMA>(x),
    );
}

/// sin(ω₀ (|z| + 1) z), the activation of FINER (Liu et al. 2024, eq. 5).
///
/// With the phase p: p' = ω₀ (2 |z| + 1) and p'' = 2 ω₀ sign(z).
pub fn finer_jet(z: &[f32], omega_0: f32, [value, slope, curvature]: [&mut [f32]; 3]) {
    for (phase, z) in value.iter_mut().zip(z) {
        *phase = omega_0 * (z.abs() + 1.0) * z;
    }
    sin_cos(value, slope);
    dispatch!(finer_jet_body(z: &[f32], omega_0: f32, value: &[f32], slope: &mut [f32], curvature: &mut [f32]));
}

#[inline(always)]
fn finer_jet_body<const FMA: bool>(
    z: &[f32],
    omega_0: f32,
    sin: &[f32],
    slope: &mut [f32],
    curvature: &mut [f32],
) {
    for_each(
        [z, sin],
        [slope, curvature],
        #[inline(always)]
        |[z, sin], [cos, _]| {
            let rate = omega_0 * (2.0 * z.abs() + 1.0);
            let bend = 2.0 * omega_0.copysign(z);
            [rate * cos, bend * cos - rate * rate * sin]
        },
    );
}

/// exp(−(s z)²), a Gaussian, and 0 where that is below 1e-10.
pub fn gauss_jet(z: &[f32], scale: f32, [value, slope, curvature]: [&mut [f32]; 3]) {
    dispatch!(gauss_jet_body(z: &[f32], scale: f32, value: &mut [f32], slope: &mut [f32], curvature: &mut [f32]));
}

#[inline(always)]
fn gauss_jet_body<const FMA: bool>(
    z: &[f32],
    scale: f32,
    value: &mut [f32],
    slope: &mut [f32],
    curvature: &mut [f32],
) {
    let square = scale * scale;
    for_each(
        [z],
        [value, slope, curvature],
        #[inline(always)]
        |[z], _| {
            let value = bell_lane::<FMA>(-square * z * z);
            let slope = -2.0 * square * z * value;
            [value, slope, -2.0 * square * (value + z * slope)]
        },
    );
}

/// sin(m ω₀ x) for m = 1..M; `x`: `[rows, d]`, each result `[rows, M·d]` with harmonic m of column i in column (m−1)·d + i.
pub fn harmonics_jet(
    x: &[f32],
    d: usize,
    omega_0: f32,
    [value, slope, curvature]: [&mut [f32]; 3],
) {
    harmonics_forward(x, d, omega_0, value, slope);
    let harmonics = value.len() / x.len().max(1);
    let blocks = value.chunks_exact(d).zip(curvature.chunks_exact_mut(d));
    for (block, (sin, curvature)) in blocks.enumerate() {
        let omega = (block % harmonics + 1) as f32 * omega_0;
        for (curvature, sin) in curvature.iter_mut().zip(sin) {
            *curvature = -omega * omega * sin;
        }
    }
}

/// x σ(x) with σ(x) = 1/(1 + e^−x), and its first two derivatives, of one number.
pub fn silu_jet(x: f32) -> [f32; 3] {
    let gate = 1.0 / (1.0 + (-x).exp());
    let gate_slope = gate * (1.0 - gate);
    [
        x * gate,
        gate + x * gate_slope,
        gate_slope * (2.0 + x * (1.0 - 2.0 * gate)),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::{for_every_instruction_set, scattered};
    use super::*;

    /// Subnormal numbers, which take some processors ten times as long, do not come of a Gaussian's foot.
    #[test]
    fn a_gaussian_is_0_far_from_its_middle() {
        for_every_instruction_set(|set| {
            let z = scattered(4001, -1.0, 1.0);
            let mut jet = [(); 3].map(|()| vec![f32::NAN; z.len()]);
            gauss_jet(&z, 30.0, jet.each_mut().map(Vec::as_mut_slice));
            let [value, slope, _] = &jet;
            for ((z, value), slope) in z.iter().zip(value).zip(slope) {
                let exact = (-(30.0 * f64::from(*z)).powi(2)).exp();
                let bound = 2e-5 * exact + 1.03e-10;
                assert!((f64::from(*value) - exact).abs() < bound, "{set}: {z}");
                assert!(*value == 0.0 || *value > 0.99e-10, "{set}: {value}");
                assert_eq!(*value == 0.0, *slope == 0.0, "{set}: {z}");
            }
            assert!(value.iter().filter(|value| **value == 0.0).count() > 3000);
        });
    }

    /// Central differences of value and slope, at inputs of both signs and beyond the limit of the fast sine.
    #[test]
    fn slopes_and_curvatures_are_derivatives() {
        type Jet<'a> = &'a dyn Fn(&[f32], [&mut [f32]; 3]);
        let jets: [(&str, f32, Jet); 3] = [
            ("finer", 2.0, &|z, jet| finer_jet(z, 3.0, jet)),
            ("gauss", 2.0, &|z, jet| gauss_jet(z, 1.5, jet)),
            ("harmonic", 2.0, &|z, jet| harmonics_jet(z, 1, 4.0, jet)),
        ];
        let step = 1e-3;
        for_every_instruction_set(|set| {
            for (name, range, jet) in &jets {
                let at = |shift: f32| {
                    let z: Vec<f32> = scattered(101, -range, *range)
                        .iter()
                        .map(|z| z + shift)
                        .collect();
                    let mut out = [(); 3].map(|()| vec![f32::NAN; z.len()]);
                    jet(&z, out.each_mut().map(Vec::as_mut_slice));
                    out
                };
                let [up, here, down] = [step, 0.0, -step].map(at);
                for order in 0..2 {
                    for place in 0..here[0].len() {
                        let expected = (up[order][place] - down[order][place]) / (2.0 * step);
                        let found = here[order + 1][place];
                        let size = 1.0 + expected.abs();
                        assert!(
                            (found - expected).abs() < 2e-2 * size,
                            "{set} {name} order {order}: {found} instead of {expected}"
                        );
                    }
                }
            }
        });
        for x in scattered(50, -6.0, 6.0) {
            let [up, here, down] = [step, 0.0, -step].map(|shift| silu_jet(x + shift));
            for order in 0..2 {
                let expected = (up[order] - down[order]) / (2.0 * step);
                assert!((here[order + 1] - expected).abs() < 1e-3, "silu at {x}");
            }
        }
    }

    #[test]
    fn large_phases_go_through_the_library() {
        let z = [1.0e4_f32, -3.0];
        let mut out = [(); 3].map(|()| vec![0.0; 2]);
        harmonics_jet(&z, 2, 30.0, out.each_mut().map(Vec::as_mut_slice));
        assert_eq!(out[0][0], (30.0 * 1.0e4_f32).sin());
    }
}
