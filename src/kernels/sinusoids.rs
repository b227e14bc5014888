//! Sums of sinusoids Σ_t c_t sin(ω_t z + φ_t), the activation of STAF (Morsali et al. 2025).

use super::jets::sin_cos;
use super::{check_lengths, dispatch, mul_add};

/// Numbers that are worked on together, few enough to stay in the L1 cache.
const CHUNK: usize = 256;

/// Partial sums, kept apart so that the loop vectorises.
const LANES: usize = 16;

/// c, ω and φ, each of the same length.
pub type Terms<'a> = [&'a [f32]; 3];

/// Calls `work` for every chunk of z and every term with the place of the chunk, the term, and sin and cos of ω z + φ there.
fn for_terms(
    z: &[f32],
    [_, frequencies, phases]: Terms,
    mut work: impl FnMut(std::ops::Range<usize>, usize, [&[f32]; 2]),
) {
    let (mut sin, mut cos) = ([0.0; CHUNK], [0.0; CHUNK]);
    for (chunk, z) in z.chunks(CHUNK).enumerate() {
        let place = chunk * CHUNK..chunk * CHUNK + z.len();
        let (sin, cos) = (&mut sin[..z.len()], &mut cos[..z.len()]);
        for (term, (omega, phi)) in frequencies.iter().zip(phases).enumerate() {
            for (phase, z) in sin.iter_mut().zip(z) {
                *phase = omega * z + phi;
            }
            sin_cos(sin, cos);
            work(place.clone(), term, [sin, cos]);
        }
    }
}

/// Writes the sum and its derivative Σ c_t ω_t cos(ω_t z + φ_t).
pub fn sinusoids(z: &[f32], terms: Terms, value: &mut [f32], slope: &mut [f32]) {
    check_lengths(&[z], &[&mut *value, &mut *slope], z.len());
    value.fill(0.0);
    slope.fill(0.0);
    let [amplitudes, frequencies, _] = terms;
    for_terms(z, terms, |place, term, [sin, cos]| {
        let c = amplitudes[term];
        super::elementwise::axpy(c, sin, &mut value[place.clone()]);
        super::elementwise::axpy(c * frequencies[term], cos, &mut slope[place]);
    });
}

/// Adds the gradients of c, ω and φ, given that of the sum: Σ g sin, Σ g c z cos and Σ g c cos over all numbers.
pub fn sinusoids_backward(z: &[f32], terms: Terms, grad: &[f32], gradients: [&mut [f32]; 3]) {
    assert_eq!(z.len(), grad.len(), "the length of the gradient");
    let [of_amplitudes, of_frequencies, of_phases] = gradients;
    for_terms(z, terms, |place, term, [sin, cos]| {
        let [g_sin, g_cos, g_z_cos] = weighted_sums(&grad[place.clone()], sin, cos, &z[place]);
        let c = terms[0][term];
        of_amplitudes[term] += g_sin;
        of_phases[term] += c * g_cos;
        of_frequencies[term] += c * g_z_cos;
    });
}

/// Σ g a, Σ g b and Σ g z b.
fn weighted_sums(g: &[f32], a: &[f32], b: &[f32], z: &[f32]) -> [f32; 3] {
    dispatch!(weighted_sums_body(g: &[f32], a: &[f32], b: &[f32], z: &[f32]) -> [f32; 3])
}

#[inline(always)]
fn weighted_sums_body<const FMA: bool>(g: &[f32], a: &[f32], b: &[f32], z: &[f32]) -> [f32; 3] {
    let mut sums = [[0.0; LANES]; 3];
    let mut add = |lane: usize, g: f32, a: f32, b: f32, z: f32| {
        sums[0][lane] = mul_add::<FMA>(g, a, sums[0][lane]);
        sums[1][lane] = mul_add::<FMA>(g, b, sums[1][lane]);
        sums[2][lane] = mul_add::<FMA>(g * z, b, sums[2][lane]);
    };
    let ([g, a, b, z], rests) = {
        let split = [g, a, b, z].map(|x| x.as_chunks::<LANES>());
        (split.map(|s| s.0), split.map(|s| s.1))
    };
    for (((g, a), b), z) in g.iter().zip(a).zip(b).zip(z) {
        for lane in 0..LANES {
            add(lane, g[lane], a[lane], b[lane], z[lane]);
        }
    }
    let [g, a, b, z] = rests;
    for lane in 0..g.len() {
        add(lane, g[lane], a[lane], b[lane], z[lane]);
    }
    sums.map(|sums| sums.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::super::{for_every_instruction_set, scattered};
    use super::*;

    /// The formulas in f64; more numbers than a chunk, and not a multiple of it.
    #[test]
    fn sums_and_gradients_follow_their_formulas() {
        let z = scattered(601, -2.0, 2.0);
        let grad = scattered(601, -1.0, 1.0);
        let (c, omega, phi) = ([0.5, -1.5], [3.0, 20.0], [0.3, -2.0]);
        let terms: Terms = [&c, &omega, &phi];
        for_every_instruction_set(|set| {
            let (mut value, mut slope) = (vec![f32::NAN; 601], vec![f32::NAN; 601]);
            sinusoids(&z, terms, &mut value, &mut slope);
            let mut gradients = [[1.0_f32; 2]; 3];
            let [a, b, d] = &mut gradients;
            sinusoids_backward(&z, terms, &grad, [a, b, d]);
            let mut expected = [[1.0_f64; 2]; 3];
            for (at, (z, g)) in z.iter().zip(&grad).enumerate() {
                let (z, g) = (f64::from(*z), f64::from(*g));
                let (mut v, mut s) = (0.0, 0.0);
                for term in 0..2 {
                    let [c, omega, phi] = terms.map(|t| f64::from(t[term]));
                    let (sin, cos) = (omega * z + phi).sin_cos();
                    v += c * sin;
                    s += c * omega * cos;
                    expected[0][term] += g * sin;
                    expected[1][term] += g * c * z * cos;
                    expected[2][term] += g * c * cos;
                }
                assert!((f64::from(value[at]) - v).abs() < 1e-5, "{set}");
                assert!((f64::from(slope[at]) - s).abs() < 2e-4, "{set}");
            }
            for (found, expected) in gradients.iter().flatten().zip(expected.iter().flatten()) {
                assert!((f64::from(*found) - expected).abs() < 1e-3, "{set}");
            }
        });
    }
}
