//! Times in nyala.toml: `"90s"`, `"30m"`, `"1h"`, or a number of seconds.

use std::time::Duration;

use jiff::SignedDuration;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// `"90s"`, `"30m"`, `"1h"`, or a whole number of seconds.
pub(super) fn required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Seconds(u64),
        Text(String),
    }
    let duration = match Written::deserialize(deserializer) {
        Ok(Written::Seconds(seconds)) => Some(Duration::from_secs(seconds)),
        Ok(Written::Text(text)) => parse(&text),
        Err(_) => None,
    };
    duration.filter(|duration| duration.as_secs() > 0).ok_or_else(|| {
        D::Error::custom("a time is written as \"90s\", \"30m\", \"1h\" or a number of seconds")
    })
}

fn parse(text: &str) -> Option<Duration> {
    match text.trim().parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => text.trim().parse::<SignedDuration>().ok()?.try_into().ok(),
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
        assert_eq!(of("\"1h 30 min\"").unwrap(), Duration::from_mins(90));
        assert_eq!(of("45").unwrap(), Duration::from_secs(45));
        assert_eq!(of("\"45\"").unwrap(), Duration::from_secs(45));
        for wrong in
            ["\"soon\"", "0", "-1", "\"5 d\"", "\"-5m\"", "\"5ms\"", "\"99999999999999999999h\""]
        {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}
