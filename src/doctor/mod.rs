//! `nyala doctor`: what is wrong with a site, and how to put it right.

mod checks;
mod repository;

use std::path::PathBuf;

use anyhow::{Result, bail};
use serde::Serialize;

use crate::disk;
use crate::git::{git, run};
use crate::plan::describe;
use crate::setup::install_hook;
use crate::site::Site;
use crate::user_error::UserError;
use crate::worker;

/// One thing that is wrong.
#[derive(Debug, Serialize)]
pub struct Finding {
    /// A short name that stays the same, for programs.
    pub id: &'static str,
    /// What is wrong, as a fact, with what was found.
    pub fact: String,
    /// What to type, or to do.
    pub fix: String,
    /// How `nyala doctor --fix` does it; `None` when a person has to.
    #[serde(rename = "mendable", serialize_with = "is_some")]
    pub mend: Option<Mend>,
    pub mended: bool,
}

/// What is safe to do without asking: nothing of it changes what is live.
#[derive(Debug)]
pub enum Mend {
    /// Write nyala's hook; one of somebody else's is kept and still runs.
    InstallHook(PathBuf),
    /// Let pushes to this repository carry options.
    PushOptions(PathBuf),
    /// Let only their owner read these.
    Close(Vec<PathBuf>),
    /// What every deployment does before it begins: record what was interrupted, throw leftovers
    /// away.
    Repair,
}

impl Finding {
    fn new(id: &'static str, fact: impl Into<String>, fix: impl Into<String>) -> Finding {
        Finding { id, fact: fact.into(), fix: fix.into(), mend: None, mended: false }
    }

    /// What an error says, and what to do when it does not say that.
    fn of(id: &'static str, error: &anyhow::Error, fix: impl Into<String>) -> Finding {
        let UserError { fact, found, fixes } = describe::user_error(error);
        let fix = if fixes.is_empty() { fix.into() } else { fixes.join("; ") };
        Finding::new(id, UserError { fact, found, fixes: Vec::new() }.to_string(), fix)
    }

    fn with(self, mend: Mend) -> Finding {
        Finding { mend: Some(mend), ..self }
    }
}

/// Looks at everything, and changes nothing. Without findings nothing is known to be wrong.
pub fn examine(site: &Site) -> Vec<Finding> {
    let mut findings = Vec::new();
    checks::settings(site, &mut findings);
    // With settings that cannot be read nobody knows where the repository is.
    if let Ok(settings) = site.settings() {
        repository::check(site, &site.repository(&settings), &mut findings);
        checks::installer(&settings, &mut findings);
    }
    checks::owners_and_modes(site, &mut findings);
    checks::live(site, &mut findings);
    checks::envs(site, &mut findings);
    checks::deployments(site, &mut findings);
    checks::space(site, &mut findings);
    findings
}

/// Puts one thing right. Fails when a person has to, or when it does not work.
pub fn mend(site: &Site, finding: &mut Finding) -> Result<()> {
    match &finding.mend {
        None => bail!("this is left to you: {}", finding.fix),
        Some(Mend::InstallHook(repository)) => drop(install_hook(repository, site)?),
        Some(Mend::PushOptions(repository)) => {
            run(git(repository).args([
                "config",
                "--local",
                "receive.advertisePushOptions",
                "true",
            ]))?;
        }
        Some(Mend::Close(files)) => {
            for file in files {
                disk::set_mode(file, 0o600)?;
            }
        }
        Some(Mend::Repair) => {
            if !worker::repair(site)? {
                bail!("a deployment is running, and puts it right itself when it ends");
            }
        }
    }
    finding.mended = true;
    Ok(())
}

#[expect(clippy::ref_option, reason = "serde hands it over like this")]
fn is_some<S: serde::Serializer>(mend: &Option<Mend>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bool(mend.is_some())
}
