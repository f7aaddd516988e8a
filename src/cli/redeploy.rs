//! `nyala redeploy`.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;

use super::follow::{exit_code, watch};
use crate::git::{RefName, RefUpdate, Refs, Repository};
use crate::receive;
use crate::site::queue::NewDeployment;
use crate::site::record::Trigger;
use crate::site::{DeployOptions, DeploymentId, Site};

#[derive(Debug, Args)]
pub(super) struct Redeploy {
    /// A deployment's number, or a revision in the repository; without it, what the deploy branch
    /// names
    what: Option<String>,
    /// Make a new env
    #[arg(long)]
    rebuild_env: bool,
}

impl Redeploy {
    pub(super) fn run(&self, site: &Site) -> Result<ExitCode> {
        if let Some(frozen) = site.frozen()? {
            bail!(
                "deployments are held back {}\nTo let them go on: nyala unfreeze",
                frozen.in_words()
            );
        }
        let repository = Repository::open(&site.repository(&site.settings()?))?;
        let (commit, refname) = self.commit(site, &repository)?;
        let options = DeployOptions { rebuild_env: self.rebuild_env, installer: None };
        redeploy(site, &commit, refname, options)
    }

    /// The commit that is meant, and the ref it was pushed as when that is known. A number that is
    /// a deployment's is one.
    fn commit(&self, site: &Site, repository: &Repository) -> Result<(String, Option<RefName>)> {
        let Some(what) = &self.what else {
            let tip = site
                .settings()?
                .branch
                .and_then(|branch| repository.resolve(RefName::of_branch(&branch).as_str()).ok());
            if let Some(tip) = tip {
                return Ok((tip, None));
            }
            let live = site.live()?.map(|id| site.record(id)).transpose()?.flatten();
            let record = live.context(
                "nothing was pushed yet\nPush first, or name a revision: nyala redeploy REV",
            )?;
            return Ok((record.commit, Some(record.update.refname)));
        };
        if let Ok(id) = what.parse::<DeploymentId>()
            && let Some(record) = site.record(id)?
        {
            return Ok((record.commit, Some(record.update.refname)));
        }
        Ok((repository.resolve(what)?, None))
    }
}

/// Deploys a commit again and shows the log; the exit code says how it went. Without a ref, it
/// counts as the deploy branch's.
pub(super) fn redeploy(
    site: &Site,
    commit: &str,
    refname: Option<RefName>,
    options: DeployOptions,
) -> Result<ExitCode> {
    let settings = site.settings()?;
    let repository = Repository::open(&site.repository(&settings))?;
    let commit = repository.commit(commit)?;
    let branch = settings.branch.as_deref().map(RefName::of_branch);
    let refname = refname.or(branch).unwrap_or_else(|| RefName::HEAD.into());
    let update = RefUpdate::unmoved(refname, &commit.id);
    let id = receive::start(
        site,
        NewDeployment { options, ..NewDeployment::of(commit, Trigger::Redeploy, update) },
    )?;
    Ok(exit_code(&watch(site, id)?))
}
