//! Which source of dependencies counts, and what it declares.

use anyhow::Result;

use super::decide::LiveEnv;
use super::machine::Machine;
use crate::process::Environment;
use crate::python::dependencies::locks::{Chosen, Lock};
use crate::python::dependencies::{Declared, Detected, Reading, Source, Tree};
use crate::python::inputs::Inputs;
use crate::python::installers::Installer;
use crate::python::version::{Origin, Version, Wanted};
use crate::site::settings::Dependencies;
use crate::site::{AppSettings, Site};
use crate::user_error::UserError;

/// What decides, beside the tree, what a source declares.
#[derive(Clone, Copy, Debug)]
pub struct Declaring<'a> {
    pub site: &'a Site,
    pub installer: Installer,
    pub settings: &'a Dependencies,
    pub app_settings: &'a AppSettings,
}

impl Declaring<'_> {
    /// What a source declares, and what the installer reads beside it, with the variables that it
    /// will have; nothing without a source. `python` is the interpreter that a lock is read for.
    pub fn read(
        &self,
        tree: &impl Tree,
        source: Option<&Source>,
        python: Option<Version>,
    ) -> Result<Declared> {
        let Declaring { site, installer, settings, app_settings } = *self;
        let Some(source) = source else { return Ok(Declared::default()) };
        let environment = Environment::clean().with_app_settings(app_settings.iter());
        let variable = |name: &str| environment.get(name)?.to_str().map(str::to_owned);
        let inputs = Inputs::of(installer, &environment, tree, &site.releases())?;
        let mut declared = source.read(
            tree,
            &Reading {
                variable: &variable,
                also: &inputs.also,
                python,
                chosen: Chosen::new(&settings.groups, &settings.extras),
                frozen: settings.frozen,
            },
        )?;
        inputs.add_to(&mut declared);
        if installer == Installer::Uv && !declared.not_utf_8.is_empty() {
            return Err(not_for_uv(&declared.not_utf_8).into());
        }
        Ok(declared)
    }
}

fn not_for_uv(files: &[String]) -> UserError {
    UserError::new("uv reads requirements files in UTF-8 only")
        .found(format!("{} (another encoding, by a coding line)", files.join(", ")))
        .fix("Save it as UTF-8, commit, and push again")
        .fix("Or let pip install: installer = \"pip\" in nyala.toml, or git push -o installer=pip")
}

/// The source that the site names, or the one that was found: a requirements.txt, else the lock.
/// Fails when there are several locks.
pub fn source_of(detected: &Detected, settings: &Dependencies) -> Result<Option<Source>> {
    if let Some(path) = &settings.file {
        return Ok(Some(match Lock::named(path) {
            Some(lock) => Source::Lock(lock),
            None => Source::RequirementsTxt { path: path.clone() },
        }));
    }
    if let Some(source) = &detected.source {
        return Ok(Some(source.clone()));
    }
    let is_ignored = |lock: &Lock| settings.ignore.iter().any(|name| name == lock.file_name());
    let locks: Vec<Lock> = detected.locks.iter().copied().filter(|it| !is_ignored(it)).collect();
    match locks.as_slice() {
        [] => Ok(None),
        [lock] => Ok(Some(Source::Lock(*lock))),
        several => {
            let names: Vec<_> = several.iter().map(|lock| lock.file_name()).collect();
            Err(UserError::new("there are several lock files, and no requirements.txt")
                .found(names.join(", "))
                .fix(format!(
                    "Say which one counts: file = \"{}\" under [dependencies] in nyala.toml",
                    names[0]
                ))
                .fix(format!("Or remove the others: git rm {}", names[1..].join(" ")))
                .into())
        }
    }
}

/// The Python that the env will most likely have: that of the live env, if that can stay. `None`
/// where the source does not depend on it.
pub(super) fn likely_python(
    source: Option<&Source>,
    live: &LiveEnv,
    (wanted, origin, before): (&Wanted, Origin, Option<Version>),
    machine: &Machine<'_>,
) -> Result<Option<Version>> {
    match source {
        Some(Source::Lock(_)) => {}
        Some(Source::RequirementsTxt { .. }) | None => return Ok(None),
    }
    if let LiveEnv::There { inspection, .. } = live
        && let Some(version) = inspection.version.filter(|version| wanted.matches(version))
    {
        return Ok(Some(version));
    }
    Ok(Some(machine.interpreter(wanted, origin, before)?.version))
}
