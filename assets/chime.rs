//! Three struck bells, as sums of damped oscillators.
//!
//! An oscillator is the recursion y[n] = 2 r c y[n−1] − r² y[n−2], which is r^n times a wave whose angle a sample has the cosine c. The cosines
//! are products and square roots of rational numbers, so that every machine writes the same bytes.

/// Frames a second.
pub const RATE: u32 = 16_000;

/// cos of the angle a sample of a wave of `hertz`, by the Taylor series up to the 12th power; exact to 1e-9 below an eighth of the rate.
fn cosine(hertz: f64) -> f64 {
    let square = (2.0 * std::f64::consts::PI * hertz / f64::from(RATE)).powi(2);
    let mut sum = 0.0;
    for k in (1..=6).rev() {
        let k = f64::from(k);
        sum = (sum + 1.0) * -square / ((2.0 * k - 1.0) * (2.0 * k));
    }
    sum + 1.0
}

/// Partials of a bell (hum, prime, tierce, quint, nominal, deciem): frequency by the prime, loudness, and what is left after a second.
const PARTIALS: [[f64; 3]; 6] = [
    [0.5, 0.5, 0.55],
    [1.0, 1.0, 0.3],
    [1.2, 0.6, 0.2],
    [1.5, 0.3, 0.12],
    [2.0, 0.7, 0.08],
    [2.66, 0.25, 0.02],
];

/// When a bell is struck, in seconds, and its prime in hertz.
const STROKES: [[f64; 2]; 4] = [[0.05, 392.0], [0.55, 523.25], [1.05, 440.0], [1.55, 329.63]];

/// `frames` samples of 16 bits.
pub fn chime(frames: usize) -> Vec<i16> {
    let mut sum = vec![0.0; frames];
    for [start, prime] in STROKES {
        let first = (start * f64::from(RATE)) as usize;
        for [ratio, loudness, after_a_second] in PARTIALS {
            // r = after^(1/RATE): ln by its series about 1 would need more terms than r itself, which is found by bisection.
            let r = root(after_a_second);
            let c = cosine(prime * ratio);
            let (mut before, mut now) = (0.0, loudness * (1.0 - c * c).sqrt());
            for value in sum.iter_mut().skip(first) {
                *value += now;
                (before, now) = (now, 2.0 * r * c * now - r * r * before);
            }
        }
    }
    let peak = sum.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
    sum.iter()
        .map(|v| (v / peak * 26_000.0).round() as i16)
        .collect()
}

/// The number whose RATE-th power is `power`.
fn root(power: f64) -> f64 {
    let (mut low, mut high) = (0.99, 1.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        let mut product = 1.0;
        for _ in 0..RATE {
            product *= middle;
        }
        if product < power {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}
