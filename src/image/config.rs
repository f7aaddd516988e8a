//! The configuration and the manifest of an image.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use jiff::Timestamp;
use oci_spec::image::{
    ANNOTATION_BASE_IMAGE_DIGEST, ANNOTATION_BASE_IMAGE_NAME, ANNOTATION_CREATED,
    ANNOTATION_REVISION, ANNOTATION_SOURCE, ANNOTATION_VERSION, Descriptor, History,
    HistoryBuilder, ImageManifestBuilder, MediaType, RootFs,
};

use super::base::Base;
use super::command::PORT;
use super::layout::to_json;
use super::rules::APP;
use super::source::Source;
use crate::processes::{CONCURRENCY, DEFAULTS};
use crate::registry::digest;

/// What goes into the configuration.
pub(super) struct Facts<'f> {
    pub(super) source: &'f Source,
    pub(super) base: &'f Base,
    pub(super) created: Timestamp,
    pub(super) command: Option<Vec<String>>,
    /// The path of the env in the image, with a slash before it.
    pub(super) env: Option<String>,
    /// Further variables.
    pub(super) variables: Vec<(String, String)>,
    pub(super) user: &'f str,
    pub(super) tag: &'f str,
    pub(super) labels: &'f BTreeMap<String, String>,
    /// The layers over the base: what each is, and its descriptor and diff id.
    pub(super) layers: &'f [(String, Descriptor, String)],
}

/// The bytes that describe an image.
pub(super) struct Described {
    pub(super) config: Vec<u8>,
    pub(super) manifest: Vec<u8>,
}

pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Where programs are looked for when the base does not say.
pub(super) const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

pub(super) fn describe(facts: &Facts<'_>) -> Result<Described> {
    let config = to_json(&configuration(facts)?)?;
    let base = facts.base.layers.iter().map(|layer| layer.descriptor.clone());
    let own = facts.layers.iter().map(|(_, descriptor, _)| descriptor.clone());
    let manifest = ImageManifestBuilder::default()
        .schema_version(2_u32)
        .media_type(MediaType::ImageManifest)
        .config(descriptor(MediaType::ImageConfig, &config)?)
        .layers(base.chain(own).collect::<Vec<_>>())
        .annotations(annotations(facts).into_iter().collect::<std::collections::HashMap<_, _>>())
        .build()
        .context("cannot describe the image")?;
    Ok(Described { config, manifest: to_json(&manifest)? })
}

/// What the manifest says of bytes.
pub(super) fn descriptor(kind: MediaType, bytes: &[u8]) -> Result<Descriptor> {
    let digest: oci_spec::image::Digest = digest(bytes).parse().context("this is not a digest")?;
    Ok(Descriptor::new(kind, bytes.len() as u64, digest))
}

fn configuration(facts: &Facts<'_>) -> Result<oci_spec::image::ImageConfiguration> {
    let mut image = facts.base.config.clone();
    let mut config = facts.base.settings();
    let mut variables = Variables::of(config.env().as_deref().unwrap_or_default());
    if let Some(env) = &facts.env {
        let path = variables.get("PATH").unwrap_or(USUAL_PATH).to_owned();
        variables.set("PATH", format!("{env}/bin:{path}"));
        variables.set("VIRTUAL_ENV", env.clone());
        // They would lead the env's Python to another one's modules.
        variables.unset("PYTHONHOME");
        variables.unset("PYTHONPATH");
    } else if variables.get("PATH").is_none() {
        variables.set("PATH", USUAL_PATH.to_owned());
    }
    variables.set("PORT", PORT.to_string());
    variables.set("PYTHONUNBUFFERED", "1".to_owned());
    // Commands refer to it. A container has as many processors as whoever starts it says.
    for (name, value) in DEFAULTS.into_iter().chain([(CONCURRENCY, "1")]) {
        if variables.get(name).is_none() {
            variables.set(name, value.to_owned());
        }
    }
    // A user without an entry in passwd has / as its home, where only root may write.
    let is_root = facts.user.split(':').next() == Some("0");
    if variables.get("HOME").is_none() && !is_root {
        variables.set("HOME", "/tmp".to_owned());
    }
    // As on the site: without it, older Pythons read and write ASCII.
    if ["LANG", "LC_ALL", "LC_CTYPE"].iter().all(|name| variables.get(name).is_none()) {
        variables.set("LANG", "C.UTF-8".to_owned());
    }
    for (name, value) in &facts.variables {
        variables.set(name, value.clone());
    }
    config.set_env(Some(variables.lines()));
    let mut ports = config.exposed_ports().clone().unwrap_or_default();
    ports.push(format!("{PORT}/tcp"));
    ports.sort();
    ports.dedup();
    config.set_exposed_ports(Some(ports));
    config.set_user(Some(facts.user.to_owned()));
    config.set_entrypoint(None);
    config.set_cmd(facts.command.clone());
    config.set_working_dir(Some(format!("/{APP}")));
    config.set_stop_signal(None);
    let mut labels = config.labels().clone().unwrap_or_default();
    labels.extend(annotations(facts));
    config.set_labels(Some(labels));
    image.set_config(Some(config));
    image.set_created(Some(facts.created.to_string()));
    let mut layers: RootFs = image.rootfs().clone();
    let mut diff_ids = layers.diff_ids().clone();
    diff_ids.extend(facts.layers.iter().map(|(_, _, diff_id)| diff_id.clone()));
    layers.set_diff_ids(diff_ids);
    image.set_rootfs(layers);
    let mut history = image.history().clone().unwrap_or_default();
    complete(&mut history, facts.base.layers.len());
    for (what, _, _) in facts.layers {
        let entry = HistoryBuilder::default()
            .created(facts.created.to_string())
            .created_by(format!("nyala image: {what}"))
            .build();
        history.push(entry.context("cannot describe the image")?);
    }
    image.set_history(Some(history));
    Ok(image)
}

/// Gives a history as many entries as there are layers. Not every base has them, and buildah builds
/// on no image where they differ.
fn complete(history: &mut Vec<History>, layers: usize) {
    let known = history.iter().filter(|entry| entry.empty_layer() != Some(true)).count();
    let missing = layers.saturating_sub(known);
    history.extend(std::iter::repeat_n(History::default(), missing));
}

/// See <https://github.com/opencontainers/image-spec/blob/main/annotations.md>. What a person has
/// set comes last.
fn annotations(facts: &Facts<'_>) -> BTreeMap<String, String> {
    let Facts { source, base, created, tag, labels, .. } = facts;
    let version = source.version.clone().unwrap_or_else(|| (*tag).to_owned());
    let known = [
        (ANNOTATION_REVISION, Some(source.commit.clone())),
        (ANNOTATION_CREATED, Some(created.to_string())),
        (ANNOTATION_VERSION, Some(version)),
        (ANNOTATION_SOURCE, source.url.clone()),
        // A folder is called something else on every machine.
        (ANNOTATION_BASE_IMAGE_NAME, base.repository().and(base.name.clone())),
        (ANNOTATION_BASE_IMAGE_DIGEST, base.digest.clone()),
    ];
    let known = known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    known.chain((*labels).clone()).collect()
}

/// Environment variables, in the order in which they were first set.
struct Variables(Vec<(String, String)>);

impl Variables {
    fn of(lines: &[String]) -> Variables {
        let pairs = lines.iter().filter_map(|line| line.split_once('='));
        Variables(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(its, _)| its == name).map(|(_, value)| value.as_str())
    }

    fn set(&mut self, name: &str, value: String) {
        match self.0.iter_mut().find(|(its, _)| its == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    fn unset(&mut self, name: &str) {
        self.0.retain(|(its, _)| its != name);
    }

    fn lines(&self) -> Vec<String> {
        self.0.iter().map(|(name, value)| format!("{name}={value}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_layer_has_an_entry_in_the_history() {
        let entries = |json: serde_json::Value| -> Vec<History> {
            let mut history = serde_json::from_value(json).unwrap();
            complete(&mut history, 2);
            history
        };
        assert_eq!(entries(serde_json::json!([])).len(), 2);
        let with_empty = serde_json::json!([{ "created_by": "a" }, { "empty_layer": true }]);
        assert_eq!(entries(with_empty).len(), 3);
        let all = serde_json::json!([{ "created_by": "a" }, { "created_by": "b" }]);
        assert_eq!(entries(all).len(), 2);
    }
}
