//! The interpreters of this machine, and what a deployment does about one that is missing.

use std::path::PathBuf;

use anyhow::Result;

use crate::python::cache::Caches;
use crate::python::interpreters::{self, Interpreter, Search};
use crate::python::version::{Origin, Version, Wanted};
use crate::settings::EffectiveSettings;
use crate::site::settings::PythonDownloads;
use crate::site::{Settings, Site};

/// Installs a Python that is not on the machine.
pub(super) type InstallPython<'a> = dyn Fn(&Wanted) -> Result<()> + 'a;

/// What a plan does about a Python that is not on the machine.
#[derive(Clone, Copy)]
pub enum Missing<'a> {
    /// Fails.
    Fail,
    /// Fails, and says that a deployment would install it: a plan alone changes nothing.
    SayInstalled,
    Install(&'a InstallPython<'a>),
}

impl Missing<'_> {
    /// What a plan that changes nothing does.
    pub fn of(settings: &Settings) -> Missing<'static> {
        match settings.python_downloads {
            PythonDownloads::Automatic => Missing::SayInstalled,
            PythonDownloads::Never => Missing::Fail,
        }
    }
}

impl std::fmt::Debug for Missing<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Missing::Fail => "Fail",
            Missing::SayInstalled => "SayInstalled",
            Missing::Install(_) => "Install",
        })
    }
}

pub(super) struct Machine<'a> {
    pub(super) search: Search,
    /// Where it is kept what the interpreters said.
    pub(super) cache: PathBuf,
    pub(super) missing: Missing<'a>,
    /// What the project itself needs, where this place has chosen the Python.
    pub(super) required: &'a dyn Fn(Origin) -> Vec<Wanted>,
}

impl<'a> Machine<'a> {
    pub(super) fn new(
        site: &Site,
        settings: &EffectiveSettings,
        missing: Missing<'a>,
        required: &'a dyn Fn(Origin) -> Vec<Wanted>,
    ) -> Machine<'a> {
        Machine {
            search: Search::from_environment(settings.python_paths.value.clone()),
            cache: Caches::of(site.cache()).interpreters_file(),
            missing,
            required,
        }
    }

    pub(super) fn interpreters(&self) -> Vec<Interpreter> {
        interpreters::discover(&self.search, &self.cache)
    }

    /// The interpreter to make an env with, which is installed if it is missing and the site wants
    /// that.
    ///
    /// `before` is the Python that the site has had.
    pub(super) fn interpreter(
        &self,
        wanted: &Wanted,
        origin: Origin,
        before: Option<Version>,
    ) -> Result<Interpreter> {
        let mut there = self.interpreters();
        let is_there =
            |there: &[Interpreter]| interpreters::choose_like(wanted, before, there).cloned();
        if let (None, Missing::Install(install)) = (is_there(&there), self.missing) {
            install(wanted)?;
            there = self.interpreters();
        }
        is_there(&there).ok_or_else(|| {
            let error = interpreters::not_found(wanted, origin, &there, &(self.required)(origin));
            match self.missing {
                Missing::SayInstalled => error
                    .labelled("note", "a deployment installs it: python_downloads = \"automatic\"")
                    .into(),
                Missing::Fail | Missing::Install(_) => error.into(),
            }
        })
    }
}
