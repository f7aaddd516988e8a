//! Changes app settings, and restarts what runs with them.

use anyhow::{Result, bail};

use super::super::error;
use crate::control::{Control, Request};
use crate::settings::{DeploymentFile, EffectiveSettings};
use crate::site::{AppSettings, Site};
use crate::text::clean;

/// Changes the app settings. Then the application is started anew with them, beside what runs, and
/// takes its place once it is healthy. If it is not, what runs goes on, and the change is undone: a
/// setting that breaks the application must not wait for the next start of the machine.
pub(super) fn apply(
    site: &Site,
    no_restart: bool,
    change: impl FnOnce(&mut AppSettings) -> Result<()>,
) -> Result<()> {
    let mut before = AppSettings::default();
    let mut after = AppSettings::default();
    site.change_app_settings(|settings| {
        before = settings.clone();
        change(settings)?;
        after = settings.clone();
        Ok(())
    })?;
    warn(site, &before, &after);
    if before == after {
        say!("Unchanged.");
        return Ok(());
    }
    let Some(mut control) = running(site)? else {
        say!("Changed. The next deployment uses it; to deploy now: nyala redeploy");
        return Ok(());
    };
    if no_restart {
        say!("Changed. The running application keeps its settings; to restart it: nyala restart");
        return Ok(());
    }
    if let Err(why) = control.ask(&Request::Restart { process: None }, &mut |line| say!("{line}")) {
        site.change_app_settings(|settings| {
            settings.undo(&before, &after);
            Ok(())
        })?;
        bail!(error::settings_not_taken(&why));
    }
    say!("Changed. The application was restarted with it.");
    Ok(())
}

/// The `nyala serve` that runs something of the live release; `None` when nothing is to restart.
fn running(site: &Site) -> Result<Option<Control>> {
    let Some(mut control) = Control::connect(site)? else { return Ok(None) };
    let runs = !control.processes()?.live.is_empty();
    Ok(runs.then_some(control))
}

/// Says which of the settings that were just made have no effect.
fn warn(site: &Site, before: &AppSettings, after: &AppSettings) {
    // Settings that are broken are told elsewhere.
    let Ok(settings) = site.settings() else { return };
    let warnings =
        |app| EffectiveSettings::resolve(&settings, app, &DeploymentFile::default()).warnings;
    let known = warnings(before);
    for warning in warnings(after).iter().filter(|warning| !known.contains(warning)) {
        say!("warning: {}", clean(warning));
    }
}
