//! Sends a deployment's record as JSON over HTTP, signed like GitHub's webhooks.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;
use ureq::Agent;
use ureq::tls::TlsConfig;

use super::error;
use crate::certificates;
use crate::hex::hex;
use crate::site::settings::Webhook;
use crate::site::{AppSettings, DeploymentId, Record, Site};
use crate::text::url::scheme_and_host;

/// Between the first two attempts; each later pause is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Sends the record until it is accepted; returns the status of the response.
///
/// Transient failures are retried: no connection, a timeout, HTTP 429 and 5xx. Redirects are not
/// followed: the signature is meant for the configured receiver only.
pub(super) fn send(
    webhook: &Webhook,
    site: &Site,
    record: &Record,
    app_settings: &AppSettings,
) -> Result<u16> {
    let body = body(record, site.live()?)?;
    let signature = match &webhook.secret {
        Some(name) => {
            let secret = app_settings.get(name).filter(|secret| !secret.is_empty());
            let secret = secret.ok_or_else(|| error::no_secret(name))?;
            Some(signature(secret.as_bytes(), &body)?)
        }
        None => None,
    };
    let agent: Agent = Agent::config_builder()
        .tls_config(
            TlsConfig::builder()
                .root_certs(certificates::roots(app_settings.get(certificates::VARIABLE))?)
                .build(),
        )
        .timeout_global(Some(webhook.timeout))
        .max_redirects(0)
        .http_status_as_error(false)
        .user_agent(concat!("nyala/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    let mut pause = FIRST_PAUSE;
    let mut tries = 0;
    loop {
        tries += 1;
        let mut request = agent
            .post(&webhook.url)
            .content_type("application/json")
            .header("X-Nyala-Event", record.status.name())
            .header("X-Nyala-Delivery", format!("{}-{tries}", record.id));
        if let Some(signature) = &signature {
            request = request.header("X-Nyala-Signature-256", signature);
        }
        let failure = match request.send(&body) {
            Ok(answer) => match answer.status().as_u16() {
                status @ 200..300 => return Ok(status),
                status @ (429 | 500..) => format!("HTTP {status}"),
                status => bail!(error::refused(status)),
            },
            // Its message may contain the URL, whose path may be a secret.
            Err(error) => error.to_string().replace(&webhook.url, &scheme_and_host(&webhook.url)),
        };
        if tries >= webhook.tries {
            bail!(error::gave_up(&failure, tries));
        }
        sleep(pause);
        pause *= 2;
    }
}

/// The record as it will be once the deployment has ended: for the receiver it has.
fn body(record: &Record, live: Option<DeploymentId>) -> Result<Vec<u8>> {
    let ended = Record {
        ended_at: Some(record.ended_at.unwrap_or_else(Timestamp::now)),
        ..record.masked()
    };
    serde_json::to_vec(&ended.view(live)).context("the record cannot be sent")
}

/// `sha256=` and the HMAC-SHA256 of the body, in hex.
fn signature(secret: &[u8], body: &[u8]) -> Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).context("the secret cannot be used")?;
    mac.update(body);
    Ok(format!("sha256={}", hex(&mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_signs_as_github_does() {
        // The example of GitHub's documentation, "Validating webhook deliveries".
        let signed = signature(b"It's a Secret to Everybody", b"Hello, World!").unwrap();
        assert_eq!(
            signed,
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        );
    }
}
