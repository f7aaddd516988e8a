//! Can the settings be read, and can they be followed on this machine?

use super::error;
use super::{Finding, FindingId};
use crate::process::Environment;
use crate::python::cache::Caches;
use crate::python::installers::{Installer, find_uv};
use crate::python::interpreters::{self, Search};
use crate::python::version::Wanted;
use crate::site::{Settings, Site};
use crate::user_error::UserError;

pub(super) fn check(site: &Site) -> Vec<Finding> {
    let mut findings = Vec::new();
    // Reading the site's settings also reads the app settings, so a mistake in those is reported
    // once, as theirs.
    if let Err(error) = site.app_settings() {
        let fix = format!("edit {}", site.app_settings_file().display());
        findings.push(Finding::from_error(FindingId::AppSettings, &error, fix));
    } else if let Err(error) = site.settings() {
        let fix = format!("edit {}", site.settings_file().display());
        findings.push(Finding::from_error(FindingId::Settings, &error, fix));
    }
    if let Err(error) = site.frozen() {
        let fact = UserError::of(&error).fact;
        let error = error::unreadable_freeze(&fact, &site.frozen_file());
        findings.push(Finding::new(FindingId::Frozen, error));
    }
    findings
}

pub(super) fn check_installer(settings: &Settings) -> Option<Finding> {
    // Without the app settings: if they set a PATH, that was done on purpose.
    let is_missing =
        settings.installer == Installer::Uv && find_uv(&Environment::clean()).is_none();
    is_missing.then(|| Finding::new(FindingId::UvMissing, error::uv_is_missing()))
}

/// Can the Python of the newest deployment make envs? Debian splits off what that needs.
pub(super) fn check_venv(site: &Site, settings: &Settings) -> Option<Finding> {
    if settings.installer != Installer::Pip {
        return None;
    }
    let newest = site.records().ok()?.into_iter().rev().find_map(|record| record.python)?;
    let version = newest.version.parse().ok()?;
    let search = Search::from_environment(settings.python_paths.clone());
    let there =
        interpreters::discover_unsaved(&search, &Caches::of(site.cache()).interpreters_file());
    let interpreter = interpreters::choose(&Wanted::Exact(version), &there)?;
    if interpreter.can_make_envs() {
        return None;
    }
    Some(Finding::new(FindingId::VenvMissing, interpreters::cannot_make_envs(interpreter)))
}
