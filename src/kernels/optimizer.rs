//! Update rules on flat parameter slices.

use super::{dispatch, for_each, mul_add};

/// The numbers of one step of Adam (Kingma and Ba 2015, algorithm 1) with decoupled weight decay (Loshchilov and Hutter 2019).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamStep {
    /// α, the learning rate of this step.
    pub learning_rate: f32,
    /// β₁, the memory of the mean gradient.
    pub beta_1: f32,
    /// β₂, the memory of the mean squared gradient.
    pub beta_2: f32,
    /// ε, added to the root.
    pub epsilon: f32,
    /// 1 − β₁^t at step t = 1, 2, ...
    pub bias_correction_1: f32,
    /// 1 − β₂^t at step t = 1, 2, ...
    pub bias_correction_2: f32,
    /// λ: the parameters shrink by α λ of themselves before the step; 0 for none.
    pub weight_decay: f32,
}

/// One step of Adam on `parameters`, with the moments `m` and `v` (zeros before the first step); all of one length.
pub fn adam(
    parameters: &mut [f32],
    gradients: &[f32],
    m: &mut [f32],
    v: &mut [f32],
    step: AdamStep,
) {
    dispatch!(adam_body(
        parameters: &mut [f32], gradients: &[f32], m: &mut [f32], v: &mut [f32], step: AdamStep
    ));
}

#[inline(always)]
fn adam_body<const FMA: bool>(
    parameters: &mut [f32],
    gradients: &[f32],
    m: &mut [f32],
    v: &mut [f32],
    step: AdamStep,
) {
    let rate = step.learning_rate / step.bias_correction_1;
    let root_scale = 1.0 / step.bias_correction_2.sqrt();
    let keep = 1.0 - step.learning_rate * step.weight_decay;
    for_each(
        [gradients],
        [parameters, m, v],
        #[inline(always)]
        |[g], [p, m, v]| {
            let m = mul_add::<FMA>(1.0 - step.beta_1, g, step.beta_1 * m);
            let v = mul_add::<FMA>((1.0 - step.beta_2) * g, g, step.beta_2 * v);
            let root = mul_add::<FMA>(v.sqrt(), root_scale, step.epsilon);
            [mul_add::<FMA>(keep, p, -(rate * m / root)), m, v]
        },
    );
}

/// Nesterov's momentum as a running mean: m ← μ m + (1 − μ) g, update = μ m + (1 − μ) g (Jordan et al. 2024); all of one length.
pub fn nesterov(gradients: &[f32], m: &mut [f32], update: &mut [f32], mu: f32) {
    dispatch!(nesterov_body(gradients: &[f32], m: &mut [f32], update: &mut [f32], mu: f32));
}

#[inline(always)]
fn nesterov_body<const FMA: bool>(gradients: &[f32], m: &mut [f32], update: &mut [f32], mu: f32) {
    for_each(
        [gradients],
        [m, update],
        #[inline(always)]
        |[g], [m, _]| {
            let part = (1.0 - mu) * g;
            let m = mul_add::<FMA>(mu, m, part);
            [m, mul_add::<FMA>(mu, m, part)]
        },
    );
}

#[cfg(test)]
mod tests {
    use super::super::{for_every_instruction_set, scattered};
    use super::*;

    // The twin is algorithm 1 of Kingma and Ba in f64, line by line, after the decay p ← p − α λ p.
    #[test]
    fn adam_equals_the_plain_twin() {
        for_every_instruction_set(|set| {
            for weight_decay in [0.0, 0.1] {
                let n = 133;
                let (beta_1, beta_2) = (0.9_f32, 0.99_f32);
                let mut p = scattered(n, -1.0, 1.0);
                let (mut m, mut v) = (vec![0.0; n], vec![0.0; n]);
                let mut twin: Vec<[f64; 3]> = p.iter().map(|p| [f64::from(*p), 0.0, 0.0]).collect();
                for t in 1..=30 {
                    let g = scattered(n + t, -0.3, 0.5).split_off(t);
                    let correction_1 = 1.0 - f64::from(beta_1).powi(t as i32);
                    let correction_2 = 1.0 - f64::from(beta_2).powi(t as i32);
                    let step = AdamStep {
                        learning_rate: 0.01,
                        beta_1,
                        beta_2,
                        epsilon: 1e-8,
                        bias_correction_1: correction_1 as f32,
                        bias_correction_2: correction_2 as f32,
                        weight_decay,
                    };
                    adam(&mut p, &g, &mut m, &mut v, step);
                    let (beta_1, beta_2) = (f64::from(beta_1), f64::from(beta_2));
                    for ([p, m, v], g) in twin.iter_mut().zip(&g) {
                        let g = f64::from(*g);
                        *p -= 0.01 * f64::from(weight_decay) * *p;
                        *m = beta_1 * *m + (1.0 - beta_1) * g;
                        *v = beta_2 * *v + (1.0 - beta_2) * g * g;
                        let (mean, square) = (*m / correction_1, *v / correction_2);
                        *p -= 0.01 * mean / (square.sqrt() + 1e-8);
                    }
                }
                for (p, [twin, ..]) in p.iter().zip(&twin) {
                    assert!((f64::from(*p) - twin).abs() <= 3e-6, "{set}: {p} {twin}");
                }
            }
        });
    }

    #[test]
    fn nesterov_equals_its_formula() {
        for_every_instruction_set(|set| {
            let (n, mu) = (77, 0.9_f32);
            let mut m = scattered(n, -1.0, 1.0);
            let g = scattered(2 * n, -2.0, 2.0).split_off(n);
            let (old, mut update) = (m.clone(), vec![f32::NAN; n]);
            nesterov(&g, &mut m, &mut update, mu);
            for i in 0..n {
                let (g, mu) = (f64::from(g[i]), f64::from(mu));
                let mean = mu * f64::from(old[i]) + (1.0 - mu) * g;
                let ahead = mu * mean + (1.0 - mu) * g;
                assert!((f64::from(m[i]) - mean).abs() <= 3e-7, "{set}");
                assert!((f64::from(update[i]) - ahead).abs() <= 3e-7, "{set}");
            }
        });
    }
}
