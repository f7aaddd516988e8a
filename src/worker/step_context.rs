//! Where the steps of one deployment happen, and under which limits.

use crate::plan::Plan;
use crate::process::{Environment, Limits, left_behind};
use crate::python::installers::Installer;
use crate::settings::EffectiveSettings;
use crate::site::{AppSettings, DeploymentId, Site};

/// Where the steps of one deployment happen.
#[derive(Debug)]
pub struct StepContext<'a> {
    pub site: &'a Site,
    pub deployment: DeploymentId,
    pub installer: Installer,
    pub app_settings: &'a AppSettings,
    pub environment: Environment,
    pub limits: Limits,
}

impl<'a> StepContext<'a> {
    pub fn new(
        site: &'a Site,
        deployment: DeploymentId,
        app_settings: &'a AppSettings,
        plan: &Plan,
    ) -> StepContext<'a> {
        let environment = Environment::clean()
            .with_app_settings(app_settings.iter())
            .set(left_behind::VARIABLE, left_behind::mark(site.root(), deployment));
        let EffectiveSettings { step_timeout, idle_timeout, .. } = &plan.build.settings;
        let limits = Limits {
            step: Some(step_timeout.value),
            idle: Some(idle_timeout.value),
            ..Limits::default()
        };
        let installer = plan.installer;
        StepContext { site, deployment, installer, app_settings, environment, limits }
    }
}
