//! Times in nyala.toml: `"90s"`, `"30m"`, `"1h"`, or a number of seconds.

use std::time::Duration;

use jiff::SignedDuration;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// `"90s"`, `"30m"`, `"1h"`, or a whole number of seconds.
pub(super) fn required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    read(deserializer).filter(is_long).ok_or_else(|| D::Error::custom(FORM))
}

/// The same, and `0` for none.
pub(super) fn or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let read = read(deserializer).filter(|it| it.is_zero() || is_long(it));
    read.ok_or_else(|| D::Error::custom(FORM))
}

const FORM: &str = "a time is written as \"90s\", \"30m\", \"1h\" or a number of seconds";

/// A time on a command line, as in nyala.toml.
pub fn parse_duration(text: &str) -> Result<Duration, &'static str> {
    parse(text).filter(is_long).ok_or(FORM)
}

fn is_long(duration: &Duration) -> bool {
    duration.as_secs() > 0
}

fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Option<Duration> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Seconds(u64),
        Text(String),
    }
    match Written::deserialize(deserializer) {
        Ok(Written::Seconds(seconds)) => Some(Duration::from_secs(seconds)),
        Ok(Written::Text(text)) => parse(&text),
        Err(_) => None,
    }
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
        let watch = |text: &str| {
            Settings::parse(&format!("run.watch = {text}")).map(|settings| settings.run.watch)
        };
        assert_eq!(watch("0").unwrap(), Duration::ZERO);
        assert_eq!(watch("\"0s\"").unwrap(), Duration::ZERO);
        assert_eq!(watch("\"10s\"").unwrap(), Duration::from_secs(10));
        assert!(watch("\"10ms\"").is_err());
        for wrong in
            ["\"soon\"", "0", "-1", "\"5 d\"", "\"-5m\"", "\"5ms\"", "\"99999999999999999999h\""]
        {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}
