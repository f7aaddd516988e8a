//! A Python that is not on the machine, for a site with `python_downloads = "automatic"`.

use anyhow::Result;

use crate::console;
use crate::process::{Environment, Limits};
use crate::python::installers;
use crate::python::version::Wanted;
use crate::site::settings::IDLE_TIMEOUT;
use crate::site::{AppSettings, Settings};

pub(super) fn install(
    wanted: &Wanted,
    settings: &Settings,
    app_settings: &AppSettings,
) -> Result<()> {
    let step =
        console::step(format_args!("Installing Python {wanted}, which is not on this machine."));
    let environment = Environment::clean().extend(app_settings.iter());
    let limits = Limits {
        step: Some(settings.step_timeout),
        idle: Some(settings.idle_timeout.unwrap_or(IDLE_TIMEOUT)),
        ..Limits::default()
    };
    installers::install_python(wanted, &environment, &limits)?;
    step.done();
    Ok(())
}
