//! The Secret with the app settings. Its name has the digest of its content, so that a change rolls
//! out, and an earlier release gets back the settings it had.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::error;
use super::kubectl::Kubectl;
use super::manifests::{self, DEPLOYMENT};
use super::names::{digest, joined};
use super::record::Rollout;
use crate::site::{AppSettings, Site};

/// The most that a Secret takes, in bytes.
const LARGEST: usize = 1 << 20;

/// What the image knows better.
const OF_THE_IMAGE: [&str; 3] = ["HOME", "PATH", "PORT"];

/// The name and the Secret; `None` where there are no app settings.
pub(super) fn secret(
    name: &str,
    namespace: Option<&str>,
    site: &str,
    app_settings: &AppSettings,
) -> Result<Option<(String, Value)>> {
    let values = app_settings.iter().filter(|(key, _)| !OF_THE_IMAGE.contains(key));
    let values: BTreeMap<&str, String> =
        values.map(|(key, value)| (key, STANDARD.encode(value))).collect();
    if values.is_empty() {
        return Ok(None);
    }
    let total: usize = app_settings.iter().map(|(key, value)| key.len() + value.len()).sum();
    if total > LARGEST {
        bail!(error::settings_too_large(total));
    }
    let content = serde_json::to_vec(&values).context("cannot write the app settings")?;
    let secret_name = joined(name, &digest(&content)[..10]);
    let mut secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": secret_name },
        "type": "Opaque",
        "immutable": true,
        "data": values,
    });
    manifests::mark(&mut secret, name, site, "");
    // Several deployments may share it.
    if let Some(labels) = secret["metadata"]["labels"].as_object_mut() {
        labels.remove(DEPLOYMENT);
    }
    if let Some(namespace) = namespace {
        secret["metadata"]["namespace"] = json!(namespace);
    }
    Ok(Some((secret_name, secret)))
}

/// Whether the app settings of a release are still in the cluster.
pub(super) fn is_there(kubectl: &Kubectl, name: &str) -> Result<bool> {
    let found = kubectl.run(&["get", "secret", name, "--ignore-not-found", "-o", "name"])?;
    Ok(!found.trim().is_empty())
}

/// Removes the Secrets of a site that no kept release needs.
pub fn forget(site: &Site) -> Result<()> {
    let Some(live) = site.live()?.map(|live| Rollout::read(site, live)).transpose()?.flatten()
    else {
        return Ok(());
    };
    let mut kept = Vec::new();
    for id in site.release_ids()? {
        let rollout = Rollout::read(site, id)?;
        kept.extend(rollout.and_then(|it| it.secret).map(|name| format!("secret/{name}")));
    }
    let kubectl = Kubectl::new(&live.place);
    let selector = manifests::selector(&live.place.name);
    let found = kubectl.run(&["get", "secrets", "-l", &selector, "-o", "name"])?;
    let old = found.lines().filter(|name| !kept.iter().any(|kept| kept == name));
    let old: Vec<&str> = old.collect();
    if !old.is_empty() {
        kubectl.run(&[&["delete", "--ignore-not-found"], &old[..]].concat())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(text: &str) -> Option<(String, Value)> {
        let settings = AppSettings::parse(text).unwrap();
        secret("shop", Some("web"), "host:/srv/shop", &settings).unwrap()
    }

    #[test]
    fn its_name_is_that_of_its_content() {
        let (name, secret) = made("A=1\nPATH=/x\nPORT=9\n").unwrap();
        assert_eq!(secret["data"], json!({ "A": "MQ==" }));
        assert_eq!(made("A=1").unwrap().0, name);
        assert_ne!(made("A=2").unwrap().0, name);
        assert!(name.starts_with("shop-") && name.len() == "shop-".len() + 10);
        assert_eq!(made("PATH=/x"), None);
    }

    #[test]
    fn too_much_is_refused() {
        let text = format!("A={}", "x".repeat(LARGEST));
        let settings = AppSettings::parse(&text).unwrap();
        insta::assert_snapshot!(secret("shop", None, "", &settings).unwrap_err(), @"
        the app settings do not fit into a Secret, which takes 1 MiB
        found: 1.0 MB
        Put what is large into a file or a volume, and name that in a setting
        ");
    }
}
