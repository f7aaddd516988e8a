//! The Secret with the app settings. Its name has the digest of its content, so that a change rolls
//! out, and an earlier release gets back the settings it had.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::begun::Begun;
use super::kubectl::Kubectl;
use super::manifests::{self, DEPLOYMENT};
use super::names::{digest, joined};
use super::owner::{Owner, kind_and_name, reference};
use super::reach::{self, SECRET};
use super::record::Rollout;
use super::{error, removal};
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

/// The names of the Secrets that kept releases need, and a rollout that has begun.
pub(super) fn kept(site: &Site) -> Result<BTreeSet<String>> {
    let begun = Begun::read(site)?;
    let ids = site.release_ids()?.into_iter().chain(begun.iter().flat_map(Begun::deployments));
    let rollouts = ids.map(|id| Rollout::read(site, id));
    let names = rollouts.map(|rollout| Ok(rollout?.and_then(|it| it.secret)));
    Ok(names.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

/// Removes the Secrets of a site that no kept release needs. Those of patches have the label of a
/// deployment, and are the project's own.
pub fn forget(site: &Site) -> Result<()> {
    let live = site.live()?.map(|live| Rollout::read(site, live)).transpose()?.flatten();
    let Some(live) = live.filter(|live| live.is_applied) else { return Ok(()) };
    let (kubectl, owner, kept) = (live.kubectl(site), Owner::of(site)?, kept(site)?);
    let selector = format!("{},!{DEPLOYMENT}", manifests::selector(&live.place.name));
    let found = reach::list(&kubectl, &[SECRET], &selector)?;
    let is_kept = |it: &&Value| kept.contains(kind_and_name(it).1);
    let old = found.iter().filter(|it| owner.has(it) && !is_kept(it));
    let old: Vec<String> = old.filter_map(reference).collect();
    if old.is_empty() { Ok(()) } else { removal::delete(&kubectl, &old) }
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
