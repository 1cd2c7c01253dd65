//! Option values with a form of their own.

/// A probability: `0.25` or `25%`.
pub fn chance(text: &str) -> Result<f64, String> {
    let value = match text.strip_suffix('%') {
        Some(percent) => percent.trim_end().parse::<f64>().map(|percent| percent / 100.0),
        None => text.parse::<f64>(),
    };
    match value {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok(value),
        _ => Err("a chance is a number from 0 to 1, or from 0% to 100%".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances() {
        for (text, expected) in [("0", 0.0), ("0.25", 0.25), ("25%", 0.25), ("1", 1.0)] {
            assert_eq!(chance(text), Ok(expected), "{text}");
        }
        for text in ["", "%", "1.1", "-0.1", "101%", "NaN", "often"] {
            assert!(chance(text).is_err(), "{text}");
        }
    }
}
