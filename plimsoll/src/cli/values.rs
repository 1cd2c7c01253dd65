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

/// How many instances.
pub fn instances(text: &str) -> Result<u32, String> {
    whole(text, 1000)
}

/// How many threads.
pub fn threads(text: &str) -> Result<u16, String> {
    whole(text, 256)
}

/// A whole number from 1 to `most`.
fn whole<T: std::str::FromStr + PartialOrd + From<u8> + std::fmt::Display>(
    text: &str,
    most: T,
) -> Result<T, String> {
    match text.parse() {
        Ok(number) if number >= T::from(1) && number <= most => Ok(number),
        _ => Err(format!("write a whole number from 1 to {most}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        assert_eq!((instances("1"), instances("1000"), threads("256")), (Ok(1), Ok(1000), Ok(256)));
        for text in ["0", "1001", "-1", "", "many", "1.5"] {
            let expected = Err("write a whole number from 1 to 1000".to_owned());
            assert_eq!(instances(text), expected, "{text}");
        }
    }

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
