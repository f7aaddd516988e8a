//! Times in nyala.toml: `"90s"`, `"30m"`, `"1h"`, or a number of seconds.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// `"90s"`, `"30m"`, `"1h"`, or a whole number of seconds.
pub(super) fn required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Seconds(u64),
        Text(String),
    }
    let written = Written::deserialize(deserializer).map_err(|_| {
        serde::de::Error::custom(
            "a time is written as \"90s\", \"30m\", \"1h\" or a number of seconds",
        )
    })?;
    let seconds = match &written {
        Written::Seconds(seconds) => Some(*seconds),
        Written::Text(text) => {
            let digits =
                text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic()).trim_end();
            let unit = match text[digits.len()..].trim() {
                "" | "s" => Some(1),
                "m" | "min" => Some(60),
                "h" => Some(3600),
                _ => None,
            };
            digits.parse::<u64>().ok().zip(unit).and_then(|(number, unit)| number.checked_mul(unit))
        }
    };
    match seconds {
        Some(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds)),
        _ => Err(serde::de::Error::custom(
            "a time is written as \"90s\", \"30m\", \"1h\" or a number of seconds",
        )),
    }
}

/// [`required`] where the key may be missing.
pub(super) fn optional<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    required(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    #[test]
    fn times_have_units() {
        let of = |text: &str| {
            Settings::parse(&format!("step_timeout = {text}")).map(|settings| settings.step_timeout)
        };
        assert_eq!(of("\"90s\"").unwrap(), Duration::from_secs(90));
        assert_eq!(of("\"2h\"").unwrap(), Duration::from_hours(2));
        assert_eq!(of("45").unwrap(), Duration::from_secs(45));
        for wrong in ["\"soon\"", "0", "-1", "\"5 d\"", "\"99999999999999999999h\""] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}
