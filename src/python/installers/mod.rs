//! The tools that create envs and install requirements into them, each in a module of its own.

mod builds;
mod causes;
mod editables;
mod error;
mod excerpt;
mod hashes;
mod indexes;
mod overrule;
mod pip;
pub(super) mod pip_config;
mod uv;
mod uv_config;
mod yanked;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::console;
use crate::disk::Changed;
use crate::process::{Environment, Limits};
use crate::python::cache::Caches;
use crate::python::dependencies::locks::Search;
use crate::python::dependencies::{Recorded, Source};
use crate::python::env::{self, BackgroundCopy, DecidingSettings};
use crate::python::interpreters::Interpreter;
use crate::python::version::Version;
use causes::Asked;
use pip_config::Setting;

pub use builds::{may_lead as may_lead_a_build, read as read_by_builds};
pub use indexes::Credentials;
pub use uv::{find as find_uv, install_python, upgrade as upgrade_uv};

/// The tool that installs the requirements into an env.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Installer {
    #[default]
    Pip,
    Uv,
}

/// What an installer has to know to make an env.
#[derive(Debug)]
pub struct NewEnv<'a> {
    /// Its final path, which must not exist yet.
    pub env: &'a Path,
    pub interpreter: &'a Interpreter,
    /// Which pip the env is to have, such as `<24.1`; by default the newest.
    pub pip: Option<&'a str>,
    /// For what is the same in every env of an interpreter.
    pub caches: &'a Caches,
    pub environment: &'a Environment,
    pub limits: &'a Limits,
}

/// How an installer came to the versions that it installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Of each package it took the first version that it tried.
    First,
    /// It tried others first, or that is not known. With fewer requirements, it might take those.
    Another,
}

/// A requirements file to install from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFile {
    /// Relative to the release, or absolute.
    pub path: PathBuf,
    /// Where its requirements are found, as far as it is known which index each is from. Its
    /// options say the same.
    pub search: Option<Search>,
}

/// What an installer has to know to install.
#[derive(Clone, Debug)]
pub struct Installation<'a> {
    /// The env to install into. It must not be live: an installer that is killed leaves half a
    /// package.
    pub env: &'a Path,
    pub python: &'a Version,
    /// The folder that relative paths in the requirements start from.
    pub release: &'a Path,
    /// The copy of the whole commit that this folder is in, where requirements lead above it.
    pub commit: Option<&'a Path>,
    /// Where the dependencies are declared, relative to the release.
    pub source: &'a Source,
    /// What it declares.
    pub recorded: &'a Recorded,
    pub settings: &'a DecidingSettings,
    /// The requirements files that are installed.
    pub files: &'a [InputFile],
    /// Whether the files name everything to install, dependencies included.
    pub complete: bool,
    /// What to do if an index refuses to answer.
    pub advice: &'a [String],
    pub environment: &'a Environment,
    pub limits: Limits,
}

impl Installation<'_> {
    fn asked(&self, installer: Installer) -> Asked<'_> {
        let Installation { python, source, recorded, .. } = *self;
        Asked { installer, python, source, recorded }
    }

    fn finish(&self, copy: BackgroundCopy) -> Result<Changed> {
        copy.finish(self.python, self.environment, &self.limits)
    }
}

impl Installer {
    pub const ALL: [Installer; 2] = [Installer::Pip, Installer::Uv];

    pub fn name(self) -> &'static str {
        match self {
            Installer::Pip => "pip",
            Installer::Uv => "uv",
        }
    }

    /// The installer of this name; `None` when there is none.
    pub fn named(name: &str) -> Option<Installer> {
        Installer::ALL.into_iter().find(|installer| installer.name() == name)
    }

    /// The step that installs, as the log announces it.
    pub fn step(self) -> &'static str {
        match self {
            // Kudu's phrase, which users search their logs for.
            Installer::Pip => "Pip install requirements.",
            Installer::Uv => "uv pip install requirements.",
        }
    }

    /// Creates an env, and runs its interpreter to check what it is.
    pub fn create_env(self, new: &NewEnv<'_>) -> Result<()> {
        match self {
            Installer::Pip => {
                env::create(new.env, new.interpreter, new.caches, new.environment, new.limits)?;
                if let Some(version) = new.pip {
                    pip::replace_pip(new, version)?;
                }
            }
            Installer::Uv => uv::create_env(new)?,
        }
        env::check_new(new.env, new.interpreter, new.environment)
    }

    /// Installs the requirements, streaming the installer's output to the log. With a `copy`, the
    /// env is still being copied; fails with [`env::NotCopyable`] where it cannot be.
    pub fn install(
        self,
        installation: &Installation<'_>,
        copy: Option<BackgroundCopy>,
    ) -> Result<Choice> {
        let Installation { env, release, environment, .. } = installation;
        let settings = pip_config::settings(environment, env, release);
        let settings = match self {
            // pip's own error about a configuration that cannot be read is better.
            Installer::Pip => settings.unwrap_or_default(),
            Installer::Uv => settings.context("the requirements could not be installed")?,
        };
        let (environment, settings, overruled) = self.overrule(environment, settings, env, release);
        overruled.iter().for_each(console::info);
        let (environment, settings) = hashes::required(self, environment, settings, installation)?;
        let environment = builds::with_own_cache(self, environment, installation, &settings);
        let installation = &Installation { environment: &environment, ..installation.clone() };
        let choice = match self {
            Installer::Pip => pip::install(installation, &settings, copy),
            Installer::Uv => {
                copy.map(|copy| installation.finish(copy)).transpose()?;
                uv::install(installation, &settings).map(|()| Choice::Another)
            }
        }?;
        builds::remove_temporary(env)?;
        Ok(choice)
    }

    /// The environment in which the installer installs into `env` and nowhere else, and the user's
    /// settings that are overruled for that, in words for the log. `release` is the folder it runs
    /// in.
    pub fn confined(
        self,
        environment: &Environment,
        env: &Path,
        release: &Path,
    ) -> (Environment, Vec<String>) {
        // The installer's own error about a configuration that cannot be read is better.
        let settings = pip_config::settings(environment, env, release).unwrap_or_default();
        let (environment, _, overruled) = self.overrule(environment, settings, env, release);
        (environment, overruled)
    }

    /// The same, for who has pip's settings already and wants those that are left.
    fn overrule(
        self,
        environment: &Environment,
        settings: Vec<Setting>,
        env: &Path,
        release: &Path,
    ) -> (Environment, Vec<Setting>, Vec<String>) {
        let (environment, kept, mut overruled) = overrule::pip(self, environment, settings, env);
        let (environment, of_uv) = overrule::uv(&environment, env, release);
        if self == Installer::Uv {
            overruled.extend(of_uv);
        }
        (environment, kept, overruled)
    }

    /// A setting that installs packages which the requirements do not lead to, or omits some which
    /// they do.
    pub fn hides_requirements(
        self,
        environment: &Environment,
        env: &Path,
        release: &Path,
    ) -> Option<String> {
        const SETTINGS: [&str; 6] =
            ["editable", "group", "no-deps", "no-dependencies", "requirement", "requirements"];
        let settings = pip_config::settings(environment, env, release).unwrap_or_default();
        let found = settings.into_iter().find(|setting| {
            SETTINGS.contains(&setting.name.as_str()) && !pip_config::is_off(&setting.value)
        })?;
        Some(format!("pip's {} ({})", found.name, found.by))
    }

    /// Whether a setting has the installer install anew what is installed and satisfies the
    /// requirements.
    pub fn reinstalls(self, environment: &Environment, env: &Path, release: &Path) -> bool {
        const SETTINGS: [&str; 3] = ["force-reinstall", "ignore-installed", "upgrade"];
        let settings = pip_config::settings(environment, env, release);
        // pip's own error about a configuration that cannot be read is better.
        settings.map_or(true, |settings| {
            settings.iter().any(|setting| {
                SETTINGS.contains(&setting.name.as_str()) && !pip_config::is_off(&setting.value)
            })
        })
    }

    /// Whether the installer can install from a source of this kind.
    pub fn supports(self, source: &Source) -> bool {
        match (self, source) {
            (
                Installer::Pip | Installer::Uv,
                Source::RequirementsTxt { .. } | Source::Lock { .. } | Source::Project(_),
            ) => true,
        }
    }

    /// Whether the installer, or what it builds packages with, reads the app setting of this name,
    /// so that another value may install something else.
    pub fn reads(self, setting: &str) -> bool {
        // pip's settings are translated for uv.
        setting.starts_with("PIP_")
            || self == Installer::Uv && setting.starts_with("UV_")
            || builds::read(setting)
    }
}
