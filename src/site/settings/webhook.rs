//! `[[webhook]]` of nyala.toml.

use std::time::Duration;

use anyhow::Result;
use serde::Deserialize;

use super::error;
use super::{Outcome, duration};
use crate::user_error::UserError;

/// Somebody who is notified of a deployment.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// `http://…` or `https://…`. Its path may be a secret, so only its host is ever shown.
    pub url: String,
    #[serde(default = "both")]
    pub on: Vec<Outcome>,
    /// The app setting whose value signs what is sent.
    pub secret: Option<String>,
    /// How long one try may take.
    #[serde(default = "webhook_timeout", deserialize_with = "duration::required")]
    pub timeout: Duration,
    /// How often it is tried, including the first time.
    #[serde(default = "tries")]
    pub tries: u32,
}

/// More tries would only delay the next deployment.
const MOST_TRIES: u32 = 10;
const LONGEST_TRY: Duration = Duration::from_hours(1);

impl Webhook {
    /// Fails when a value cannot be meant.
    pub(super) fn check(&self) -> Result<(), UserError> {
        if !["http://", "https://"].iter().any(|scheme| self.url.starts_with(scheme)) {
            return Err(error::not_http());
        }
        if !(1..=MOST_TRIES).contains(&self.tries) {
            return Err(error::tries_out_of_range(self.tries, MOST_TRIES));
        }
        if self.timeout > LONGEST_TRY {
            return Err(error::timeout_too_long());
        }
        Ok(())
    }
}

fn both() -> Vec<Outcome> {
    vec![Outcome::Success, Outcome::Failure]
}

fn webhook_timeout() -> Duration {
    Duration::from_secs(5)
}

fn tries() -> u32 {
    3
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    #[test]
    fn a_webhook_is_sent_after_every_deployment_unless_it_says_otherwise() {
        let webhook = |text: &str| {
            Settings::parse(&format!("[[webhook]]\n{text}")).map(|mut all| all.webhook.remove(0))
        };
        let plain = webhook("url = 'https://example.org/x'").unwrap();
        assert_eq!((plain.on, plain.tries, plain.timeout), (both(), 3, Duration::from_secs(5)));
        let own = webhook(
            "url = 'http://h/'\non = ['failure']\nsecret = 'KEY'\ntimeout = '1s'\ntries = 1",
        )
        .unwrap();
        assert_eq!((own.on, own.secret.as_deref()), (vec![Outcome::Failure], Some("KEY")));
        for wrong in [
            "",
            "url = 'ftp://h'",
            "url = 'http://h'\ntries = 0",
            "url = 'http://h'\ntimeout = '2h'",
            "url = 'http://h'\nurll = 1",
        ] {
            assert!(webhook(wrong).is_err(), "{wrong}");
        }
        let error = webhook("url = 'hunter2'").unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
