//! Numbers as people write them: `200k`, `1.5M`, `90s`, `2m`.

/// A count with an optional suffix k (thousand) or M (million), for instance `200k`.
///
/// # Errors
/// A sentence that says what would work.
pub fn parse_count(text: &str) -> Result<usize, String> {
    let (number, factor) = match text.trim().char_indices().last() {
        Some((end, 'k' | 'K')) => (&text.trim()[..end], 1e3),
        Some((end, 'm' | 'M')) => (&text.trim()[..end], 1e6),
        _ => (text.trim(), 1.0),
    };
    let wrong = || {
        format!(
            "{text:?} is not a count; write a whole number above 0, for instance 5000, 200k or 1.5M"
        )
    };
    let value = number.parse::<f64>().map_err(|_| wrong())? * factor;
    if (1.0..=1e12).contains(&value) && (value - value.round()).abs() < 1e-6 {
        Ok(value.round() as usize)
    } else {
        Err(wrong())
    }
}

/// A duration in seconds with an optional suffix s, m or h, for instance `90s` or `2m`.
///
/// # Errors
/// A sentence that says what would work.
pub fn parse_seconds(text: &str) -> Result<f64, String> {
    let (number, factor) = match text.trim().char_indices().last() {
        Some((end, 's')) => (&text.trim()[..end], 1.0),
        Some((end, 'm')) => (&text.trim()[..end], 60.0),
        Some((end, 'h')) => (&text.trim()[..end], 3600.0),
        _ => (text.trim(), 1.0),
    };
    match number.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value * factor),
        _ => Err(format!(
            "{text:?} is not a duration; write a number above 0 with s, m or h, for instance 60s, 2m or 1.5h"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        for (text, expected) in [
            ("1", 1),
            ("200k", 200_000),
            ("1.5M", 1_500_000),
            (" 16384 ", 16_384),
            ("0.5k", 500),
        ] {
            assert_eq!(parse_count(text), Ok(expected), "{text}");
        }
        for text in ["", "k", "-3", "0", "1.5", "nan", "inf", "200kk", "1e400"] {
            assert!(parse_count(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations() {
        for (text, expected) in [
            ("60s", 60.0),
            ("2m", 120.0),
            ("1.5h", 5400.0),
            ("45", 45.0),
            ("0.5s", 0.5),
        ] {
            assert_eq!(parse_seconds(text), Ok(expected), "{text}");
        }
        for text in ["", "s", "-1s", "0", "NaN", "inf", "3x"] {
            assert!(parse_seconds(text).is_err(), "{text}");
        }
    }
}
