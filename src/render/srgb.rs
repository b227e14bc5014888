//! The curve of sRGB (IEC 61966-2-1), from 0 to 1 on both sides.

/// Linear light to the curve.
pub(super) fn encode(linear: f32) -> f32 {
    let x = linear.clamp(0.0, 1.0);
    match x <= 0.003_130_8 {
        true => 12.92 * x,
        false => 1.055 * x.powf(1.0 / 2.4) - 0.055,
    }
}

/// The curve to linear light.
pub(super) fn decode(encoded: f32) -> f32 {
    match encoded <= 0.040_45 {
        true => encoded / 12.92,
        false => ((encoded + 0.055) / 1.055).powf(2.4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Middle grey of 18 % is 0.4613561 on the curve: 1.055 · 0.18^(1/2.4) − 0.055.
    #[test]
    fn both_ways_are_inverse() {
        assert!((encode(0.18) - 0.461_356_1).abs() < 1e-6);
        assert_eq!((encode(-1.0), encode(2.0)), (0.0, encode(1.0)));
        assert!((encode(1.0) - 1.0).abs() < 1e-6);
        for level in 0..=255 {
            let level = level as f32 / 255.0;
            assert!((encode(decode(level)) - level).abs() < 1e-5, "{level}");
        }
    }
}
