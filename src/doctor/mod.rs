//! `nyala doctor`: what is wrong with a site, and how to fix it.

pub mod application;
mod deployments;
mod error;
mod finding;
mod hook;
mod live;
mod permissions;
mod repository;
mod settings;
mod space;

use anyhow::{Result, bail};

use crate::disk;
use crate::git::{git, run};
use crate::kubernetes;
use crate::setup::install_hook;
use crate::site::Site;
use crate::worker;

pub use finding::{Finding, FindingId, Repair};

/// Examines the whole site, and changes nothing. Returns no findings when nothing is known to be
/// wrong.
pub fn examine(site: &Site) -> Vec<Finding> {
    // What else is there, this nyala may misunderstand.
    if let Err(newer) = site.check_format() {
        return vec![Finding::new(FindingId::NewerNyala, newer)];
    }
    let mut findings = settings::check(site);
    // Only readable settings say where the repository is.
    if let Ok(settings) = site.settings() {
        findings.extend(repository::check(site, &settings));
        findings.extend(settings::check_installer(&settings));
        findings.extend(settings::check_venv(site, &settings));
        findings.extend(application::check(site, &settings, true));
    }
    findings.extend(permissions::check(site));
    findings.extend(live::check(site));
    findings.extend(live::check_envs(site));
    findings.extend(deployments::check(site));
    findings.extend(space::check(site));
    findings
}

/// Fixes one finding. Fails when a person has to do that, or when it does not work.
pub fn repair(site: &Site, finding: &mut Finding) -> Result<()> {
    match &finding.repair {
        None => bail!(error::left_to_you(&finding.error.fixes)),
        Some(Repair::InstallHook { repository }) => drop(install_hook(repository, site)?),
        Some(Repair::AllowPushOptions { repository }) => {
            let setting = ["receive.advertisePushOptions", "true"];
            run(git(repository).args(["config", "--local"]).args(setting))?;
        }
        Some(Repair::MakePrivate { files }) => {
            for file in files {
                disk::set_mode(file, 0o600)?;
            }
        }
        Some(Repair::Recover) => {
            if !worker::repair(site)? {
                bail!(error::deployment_is_running());
            }
            if finding.id == FindingId::RolloutCutShort {
                // What is to be done again says why.
                let Some(_lock) = site.try_deploy_lock()? else {
                    bail!(error::deployment_is_running());
                };
                kubernetes::bring_back(site, None)?;
            }
        }
    }
    finding.fixed = true;
    Ok(())
}

/// ` (and 2 more)`, or nothing.
fn and_more(number: usize) -> String {
    if number == 0 { String::new() } else { format!(" (and {number} more)") }
}
