//! When a requirement of pyproject.toml is the one that uv.lock keeps.
//!
//! uv writes versions and markers in its own way, so their meaning is compared: where a marker
//! holds, of a sample of Pythons and systems.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifier};
use serde::Deserialize;
use toml::Table;

use super::super::super::error::LockError;
use super::super::super::marker::{self, Environment, TARGETS, normalized};
use super::super::super::requirement::Requirement;
use super::manifest::Manifest;
use super::place::{Place, of_index};
use super::{table, texts};

/// A requirement as uv.lock keeps it.
#[derive(Debug, Deserialize)]
pub(in super::super) struct UvRequirement {
    pub(super) name: String,
    #[serde(default)]
    extras: BTreeSet<String>,
    #[serde(default)]
    specifier: Option<String>,
    #[serde(default)]
    marker: Option<String>,
    pub(super) git: Option<String>,
    pub(super) url: Option<String>,
    pub(super) path: Option<String>,
    pub(super) directory: Option<String>,
    pub(super) editable: Option<String>,
    pub(super) r#virtual: Option<String>,
    /// Of the one that `[tool.uv.sources]` names.
    pub(super) index: Option<String>,
}

/// Where a marker holds with each extra that it names, and without any.
pub(super) type OfExtras = BTreeMap<Option<String>, Vec<bool>>;

/// What a requirement means.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Meant {
    pub(super) name: String,
    /// The project's own extra that asks for it.
    of: Option<String>,
    extras: BTreeSet<String>,
    versions: BTreeSet<String>,
    from: Place,
    /// The address of the index that it is to come from; empty where none is named.
    index: String,
    /// Where its marker holds, of the sample; empty for everywhere.
    holds: Vec<bool>,
}

impl Manifest<'_> {
    /// The requirements of `[project]` and of its extras. `flattened` are those of `app[web]`, in
    /// an extra of app itself, in the place of it, as older versions of uv kept them.
    pub(super) fn requirements(&self, flattened: bool) -> Result<BTreeSet<Meant>, LockError> {
        let main = self.project.get("dependencies").map(texts).unwrap_or_default();
        let mut all = self.read(&main, None)?;
        let optional = table(self.project, "optional-dependencies");
        let of_extra = |extra: &str| -> Vec<String> {
            let named = optional.into_iter().flatten();
            named.filter(|(name, _)| normalized(name) == extra).flat_map(|it| texts(it.1)).collect()
        };
        for extra in optional.into_iter().flat_map(Table::keys).map(|name| normalized(name)) {
            let mut found = BTreeSet::new();
            let mut ahead = vec![extra.clone()];
            let mut seen = BTreeSet::new();
            while let Some(next) = ahead.pop() {
                if !seen.insert(next.clone()) {
                    continue;
                }
                for meant in self.read(&of_extra(&next), Some(&extra))? {
                    if flattened && meant.name == self.name {
                        ahead.extend(meant.extras);
                    } else {
                        found.insert(meant);
                    }
                }
            }
            all.extend(found);
        }
        Ok(all)
    }

    pub(super) fn read(
        &self,
        lines: &[String],
        of: Option<&str>,
    ) -> Result<BTreeSet<Meant>, LockError> {
        let read = |line: &String| {
            let Requirement { name, extras, specifiers, url, marker } = Requirement::parse(line)?;
            // What is said of another member counts before the address.
            let is_member = self.source(&name).is_some_and(|(it, _)| it.get("workspace").is_some());
            let from = match url.filter(|_| !is_member) {
                Some(url) => Place::of_url(&url),
                None => self.place(&name),
            };
            let index = self.index(&name).unwrap_or_default();
            let holds = self.holds(&of_releases(&marker), None, &name)?;
            let (of, versions) = (of.map(str::to_owned), canonical(&specifiers));
            Ok(Meant { name, of, extras, versions, from, index, holds }.plain())
        };
        let asked = lines.iter().map(read);
        asked.filter(|meant| meant.as_ref().map_or(true, Meant::asks_for_something)).collect()
    }

    /// Where each of these markers holds, without those that hold everywhere, which uv.lock lacks.
    pub(super) fn environments(
        &self,
        markers: &[String],
    ) -> Result<BTreeSet<Vec<bool>>, LockError> {
        let holds = markers.iter().map(|marker| self.holds(&of_releases(marker), None, ""));
        holds.filter(|holds| holds.as_ref().map_or(true, |it| !it.is_empty())).collect()
    }

    /// Where a marker holds, with each of the extras that it names, and without any.
    pub(super) fn holds_with_extras(
        &self,
        marker: &str,
        package: &str,
    ) -> Result<OfExtras, LockError> {
        let marker = of_releases(marker).replace("extra==", "extra ==");
        let extras = of_extras(&marker).into_iter().chain([None]);
        let holds = |extra: Option<String>| {
            let holds = self.holds(&marker, extra.as_deref(), package)?;
            Ok((extra, holds))
        };
        extras.map(holds).collect()
    }

    /// Where a marker holds, of the sample and three systems, with one extra; empty for everywhere.
    fn holds(
        &self,
        marker: &str,
        extra: Option<&str>,
        package: &str,
    ) -> Result<Vec<bool>, LockError> {
        let is_that_extra = |quote: char| {
            extra.is_some_and(|extra| marker == format!("extra == {quote}{extra}{quote}"))
        };
        if marker.is_empty() || is_that_extra('\'') || is_that_extra('"') {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for python in &self.pythons {
            let environment = Environment {
                python: python.clone(),
                machine: "x86_64".to_owned(),
                release: "6.1.0".to_owned(),
                system_version: "#1".to_owned(),
                extras: extra.into_iter().map(str::to_owned).collect(),
                groups: BTreeSet::new(),
            };
            for target in &TARGETS {
                let holds = marker::holds_on(marker, &environment, target);
                found.push(
                    holds.map_err(|error| LockError::Marker {
                        package: package.to_owned(),
                        error,
                    })?,
                );
            }
        }
        if found.iter().all(|it| *it) {
            found.clear();
        }
        Ok(found)
    }
}

impl Meant {
    /// Whether its marker holds anywhere: not if it is for Pythons that the project is not for, nor
    /// without the extra that it names.
    fn asks_for_something(&self) -> bool {
        self.holds.is_empty() || self.holds.iter().any(|it| *it)
    }

    /// Without what is not compared.
    fn plain(mut self) -> Meant {
        if self.from != Place::Index {
            self.versions.clear();
        }
        if self.from == Place::Any {
            self.holds.clear();
        }
        self
    }
}

/// The requirements of a lock, where they are compared with `now`.
pub(super) fn of_lock<'a>(
    locked: impl IntoIterator<Item = &'a UvRequirement>,
    manifest: &Manifest<'_>,
    now: &BTreeSet<Meant>,
) -> Result<BTreeSet<Meant>, LockError> {
    let mut all = BTreeSet::new();
    for requirement in locked {
        let UvRequirement { name, extras, specifier, marker, index, .. } = requirement;
        let wanted = now.iter().find(|meant| meant.name == *name);
        let wanted = wanted.map_or_else(|| manifest.place(name), |meant| meant.from.clone());
        let from = Place::of_lock(requirement).compared_with(&wanted);
        let index = manifest.index(name).map(|_| index.as_deref().map_or(String::new(), of_index));
        let index = index.unwrap_or_default();
        let marker = marker.as_deref().unwrap_or_default();
        let extras_: BTreeSet<String> = extras.iter().map(|extra| normalized(extra)).collect();
        for of in of_extras(marker) {
            let holds = manifest.holds(marker, of.as_deref(), name)?;
            let versions = canonical(specifier.as_deref().unwrap_or_default());
            let (name, extras, from) = (name.clone(), extras_.clone(), from.clone());
            let index = index.clone();
            all.insert(Meant { name, of, extras, versions, from, index, holds }.plain());
        }
    }
    all.retain(Meant::asks_for_something);
    Ok(all)
}

/// What a person is told of the first difference.
pub(super) fn differences(now: &BTreeSet<Meant>, then: &BTreeSet<Meant>) -> Result<(), String> {
    let told = |meant: &Meant, others: &BTreeSet<Meant>, verb: &str| {
        let Meant { name, versions, of, .. } = meant;
        let versions: Vec<_> = versions.iter().map(String::as_str).collect();
        let is_other = others.iter().any(|other| other.name == *name && other.of == *of);
        let verb = if is_other { "is not what the lock was made for" } else { verb };
        format!("{name}{} {verb}", versions.join(","))
    };
    if let Some(new) = now.difference(then).next() {
        return Err(told(new, then, "is new there"));
    }
    match then.difference(now).next() {
        Some(gone) => Err(told(gone, now, "is no longer there")),
        None => Ok(()),
    }
}

/// The parts of specifiers; `>=2` and `>= 2.0` are the same.
pub(super) fn canonical(specifiers: &str) -> BTreeSet<String> {
    let plain = |part: &str| {
        let part: String = part.chars().filter(|c| !c.is_whitespace()).collect();
        let Ok(specifier) = VersionSpecifier::from_str(&part) else { return part };
        let text = specifier.to_string();
        let is_plain = !text.starts_with("~=") && !text.contains(['*', '+', '!']);
        match text.strip_suffix(".0") {
            Some(mut shorter) if is_plain && shorter.ends_with(|c: char| c.is_ascii_digit()) => {
                while let Some(rest) = shorter.strip_suffix(".0") {
                    shorter = rest;
                }
                shorter.to_owned()
            }
            _ => text,
        }
    };
    specifiers.split(',').filter(|part| !part.trim().is_empty()).map(plain).collect()
}

/// A marker as uv keeps it, which takes `3.11.0a6` for `3.11`.
fn of_releases(marker: &str) -> String {
    let release = |part: &str| match Version::from_str(part) {
        Ok(version) if version.any_prerelease() => version.only_release().to_string(),
        _ => part.to_owned(),
    };
    marker.split(['\'', '"']).map(release).collect::<Vec<_>>().join("'")
}

/// The extras that a marker names, each alone, or none where it names none.
fn of_extras(marker: &str) -> BTreeSet<Option<String>> {
    let mut extras = BTreeSet::new();
    for after in marker.split("extra ==").skip(1) {
        let name = after.trim_start().trim_start_matches(['\'', '"']);
        extras.insert(Some(normalized(name.split(['\'', '"']).next().unwrap_or_default())));
    }
    if extras.is_empty() {
        extras.insert(None);
    }
    extras
}
