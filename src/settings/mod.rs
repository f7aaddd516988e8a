//! The settings that apply to a deployment, each with where it came from.
//!
//! A site setting overrides an app setting, which overrides `.deployment`, which overrides the
//! default. This is Kudu's order (`Kudu.Core/Settings/DeploymentSettingsManager.cs` in
//! <https://github.com/projectkudu/kudu>), and so are the names. What an option of one deployment
//! says overrides them all.

pub mod deployment_file;
mod error;
mod listed;
mod names;
pub mod project;
#[cfg(test)]
pub(crate) mod reference;
mod resolve;
mod sourced;
mod warnings;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use crate::python::installers::Installer;
use crate::site::settings::{
    Dependencies, Image, Kubernetes, Outcome, Patch, PythonDownloads, Run, Unshared, Webhook,
};
use crate::site::{AppSettings, Settings, SharedPath, Site};
use crate::user_error::UserError;

pub use deployment_file::DeploymentFile;
pub use listed::Listed;
pub use names::AZURE_PYTHON;
pub use sourced::{SettingSource, Sourced};

/// The branch that a site deploys, for those who need nothing else; `None` until the first push.
pub fn deploy_branch(site: &Site, settings: &Settings) -> Result<Option<String>> {
    // App settings that are broken keep nobody from pushing to a branch that nyala.toml names.
    let app = if settings.branch.is_some() { AppSettings::default() } else { site.app_settings()? };
    Ok(resolve::branch(settings, &app).map(|branch| branch.value))
}

/// Every setting of a site, or of one deployment of it. Without a default, one that nobody has set
/// is `None`.
#[derive(Clone, Debug, PartialEq)]
pub struct EffectiveSettings {
    /// The bare repository, absolute or relative to the site.
    pub repository: Sourced<PathBuf>,
    /// The branch that is deployed; `None` until the first push.
    pub branch: Option<Sourced<String>>,
    /// The Python that an app setting asks for, as it is written there.
    pub python_version: Option<Sourced<String>>,
    /// The Python of a project that asks for none; `None` for the newest.
    pub python: Option<Sourced<String>>,
    pub python_paths: Sourced<Vec<PathBuf>>,
    pub dependencies: Sourced<Dependencies>,
    /// What an exact Python means where the machine has another patch.
    pub patch: Sourced<Patch>,
    /// Whether a deployment installs a Python that is not on the machine.
    pub python_downloads: Sourced<PythonDownloads>,
    /// Whether `git push` fails with the deployment.
    pub strict: Sourced<bool>,
    pub installer: Sourced<Installer>,
    /// Which pip a new env gets.
    pub pip: Option<Sourced<String>>,
    /// How many successful releases are kept.
    pub keep: Sourced<usize>,
    /// Whether the worker prepares the tree of the next release; `None` for when that pays.
    pub staging: Option<Sourced<bool>>,
    pub shared: Sourced<Vec<SharedPath>>,
    /// What happens when the application has written outside of what is shared.
    pub unshared: Sourced<Unshared>,
    /// How long a step may take.
    pub step_timeout: Sourced<Duration>,
    /// How long a step may print nothing and use no processor.
    pub idle_timeout: Sourced<Duration>,
    /// The command that replaces the built-in steps.
    pub command: Option<Sourced<String>>,
    /// The folder of the commit that is the application.
    pub project: Option<Sourced<String>>,
    pub pre_build_command: Option<Sourced<String>>,
    pub post_build_command: Option<Sourced<String>>,
    /// Whether anything is built at all.
    pub build: Sourced<bool>,
    /// Whether Django's static files are collected.
    pub collectstatic: Sourced<bool>,
    /// The folder of the post-deployment actions, absolute or relative to the site.
    pub actions: Sourced<PathBuf>,
    /// After which deployments they run.
    pub actions_on: Sourced<Vec<Outcome>>,
    /// Whether a report is written into the site after each deployment.
    pub report: Sourced<bool>,
    /// How the application runs.
    pub run: Sourced<Run>,
    /// What images of releases are made on, and where they go.
    pub image: Sourced<Image>,
    /// The cluster that the application runs in; where nobody says, it runs here.
    pub kubernetes: Option<Sourced<Kubernetes>>,
    pub webhook: Sourced<Vec<Webhook>>,
    /// Whether submodules stay empty folders.
    pub disable_submodules: Sourced<bool>,
    /// What else `.deployment` sets: environment variables of the project's own commands.
    pub variables: Vec<(String, String)>,
    /// Settings that have no effect, and why.
    pub warnings: Vec<String>,
    /// Values that cannot be meant; the next source was used in their place.
    pub problems: Vec<UserError>,
}

impl EffectiveSettings {
    /// Fails with the first value that cannot be meant, naming who set it.
    pub fn checked(mut self) -> Result<EffectiveSettings> {
        if self.problems.is_empty() { Ok(self) } else { Err(self.problems.swap_remove(0).into()) }
    }

    /// The folder of the commit that is the application, with `/` between its names; empty for the
    /// whole commit.
    pub fn project_folder(&self) -> PathBuf {
        let folder = self.project.as_ref().and_then(|project| project::folder(&project.value));
        PathBuf::from(folder.unwrap_or_default())
    }
}
