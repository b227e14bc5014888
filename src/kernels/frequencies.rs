//! Which frequencies a Fourier series has when it cannot have all.

/// K = `count` ascending integers from 1 to `highest`. When that is more than K they are dense at the low end and grow sparse: those next to
/// (qʲ − 1)/(q − 1), j = 1..K, whose gaps begin with 1 and grow by q. Else they are 1..K.
pub fn frequencies(count: usize, highest: usize) -> Vec<f32> {
    let growth = growth(count, highest);
    (1..=count)
        .map(|j| geometric_sum(growth, j as f64).round() as f32)
        .collect()
}

/// (qʲ − 1)/(q − 1) for ln q = `growth`: 1 + q + q² + ... of j terms.
fn geometric_sum(growth: f64, j: f64) -> f64 {
    match growth {
        0.0 => j,
        _ => (growth * j).exp_m1() / growth.exp_m1(),
    }
}

/// ln q with which `count` terms sum to `highest`; 0 when they do so without growing, or cannot.
fn growth(count: usize, highest: usize) -> f64 {
    if count < 2 || highest <= count {
        return 0.0;
    }
    // The last term alone is below q^(count − 1), which `highest` exceeds at the upper end.
    let (mut low, mut high) = (0.0, (highest as f64).ln() / (count - 1) as f64);
    for _ in 0..64 {
        let middle = 0.5 * (low + high);
        if geometric_sum(middle, count as f64) < highest as f64 {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sparse_frequencies_begin_with_one_and_end_with_the_highest() {
        for (count, highest) in [(2, 5), (16, 17), (64, 400), (256, 8192), (8192, 32_768)] {
            let values = frequencies(count, highest);
            assert_eq!(values.len(), count);
            let ends = [values[0], values[count - 1]];
            assert_eq!(ends, [1.0, highest as f32]);
            let gaps: Vec<f32> = values.windows(2).map(|pair| pair[1] - pair[0]).collect();
            assert!(gaps.iter().all(|gap| *gap >= 1.0), "{count} {highest}");
            // A rounding to either side, while gaps of the real numbers only grow.
            assert!(gaps.windows(2).all(|pair| pair[1] >= pair[0] - 1.0));
        }
        // 1 + q = 5 for two; nothing to spread for one, or for as many as there are integers.
        assert_eq!(frequencies(2, 5), [1.0, 5.0]);
        assert_eq!(frequencies(1, 9), [1.0]);
        assert_eq!(frequencies(3, 2), [1.0, 2.0, 3.0]);
        // q = 2: 1, 3, 7, 15.
        assert_eq!(frequencies(4, 15), [1.0, 3.0, 7.0, 15.0]);
    }
}
