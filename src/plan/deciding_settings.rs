//! The settings that decide what is installed into an env.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;

use super::observe::FILE_LIMIT;
use crate::git::CommitTree;
use crate::python::env::DecidingSettings;
use crate::python::installers::{Installer, may_lead_a_build};
use crate::settings::EffectiveSettings;
use crate::site::{AppSettings, Site};
use crate::text::url::without_credentials;

/// The installer's own settings, those that `variables` names since requirements or the builds of
/// local projects do, and those that may lead a build to what it finds on the machine.
pub(super) fn deciding_settings(
    site: &Site,
    settings: &EffectiveSettings,
    app_settings: &AppSettings,
    variables: &BTreeSet<String>,
    tree: &CommitTree<'_>,
) -> Result<DecidingSettings> {
    let installer = settings.installer.value;
    let is_read = |name: &str| installer.reads(name) || variables.contains(name);
    let beside = match installer {
        Installer::Uv => tree.file("pyproject.toml", FILE_LIMIT)?.and_then(|it| tool_uv(&it)),
        Installer::Pip => settings.pip.as_ref().map(|pip| pip.value.clone()),
    };
    let named = match installer {
        Installer::Uv => "[tool.uv] in pyproject.toml",
        Installer::Pip => "pip in nyala.toml",
    };
    // Who asks an index decides nothing: tokens are renewed every day.
    let read = app_settings.iter().filter(|(name, _)| is_read(name) && !is_of_index_user(name));
    let read = read.chain(beside.as_deref().map(|value| (named, value)));
    let read: Vec<_> = read.map(|(name, value)| (name, without_credentials(value))).collect();
    let may_be_read = |name: &str, value: &str| {
        !is_read(name)
            && may_lead_a_build(name, value)
            && !Path::new(value).starts_with(site.root())
    };
    let perhaps = app_settings.iter().filter(|(name, value)| may_be_read(name, value));
    Ok(DecidingSettings::new(read.iter().map(|(name, value)| (*name, value.as_str())), perhaps))
}

/// Whether this setting is the user or the password of one of uv's indexes:
/// <https://docs.astral.sh/uv/concepts/indexes/#providing-credentials-directly>.
fn is_of_index_user(setting: &str) -> bool {
    setting.starts_with("UV_INDEX_")
        && (setting.ends_with("_USERNAME") || setting.ends_with("_PASSWORD"))
}

/// `[tool.uv]` of a pyproject.toml, which `uv pip` reads as it does uv.toml.
fn tool_uv(pyproject: &[u8]) -> Option<String> {
    let table = String::from_utf8_lossy(pyproject).parse::<toml::Table>().ok()?;
    Some(table.get("tool")?.get("uv")?.to_string())
}
