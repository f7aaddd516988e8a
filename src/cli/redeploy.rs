//! `nyala redeploy`.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;

use super::error;
use super::follow::finish;
use crate::git::{RefName, RefUpdate, Refs, Repository};
use crate::receive;
use crate::settings::deploy_branch;
use crate::site::queue::NewDeployment;
use crate::site::record::Trigger;
use crate::site::{DeployOptions, DeploymentId, Site, no_deployment};

#[derive(Debug, Args)]
pub(super) struct Redeploy {
    /// The number of a deployment, or a revision in the repository [default: the tip of the deploy
    /// branch]
    what: Option<String>,
    /// Create a new env
    #[arg(long)]
    rebuild_env: bool,
}

impl Redeploy {
    pub(super) fn run(&self, site: &Site) -> Result<ExitCode> {
        if let Some(frozen) = site.frozen()? {
            bail!(error::frozen(&frozen.in_words()));
        }
        let repository = Repository::open(&site.repository(&site.settings()?))?;
        let (commit, refname) = self.commit(site, &repository)?;
        let options = DeployOptions { rebuild_env: self.rebuild_env, installer: None };
        redeploy(site, &commit, refname, options)
    }

    /// The commit to deploy, and the ref it was pushed to, if that is known.
    fn commit(&self, site: &Site, repository: &Repository) -> Result<(String, Option<RefName>)> {
        let Some(what) = &self.what else {
            let tip = deploy_branch(site, &site.settings()?)?
                .and_then(|branch| repository.resolve(RefName::of_branch(&branch).as_str()).ok());
            if let Some(tip) = tip {
                return Ok((tip, None));
            }
            let live = site.live()?.map(|id| site.record(id)).transpose()?.flatten();
            if let Some(record) = live {
                return Ok((record.commit, Some(record.update.refname)));
            }
            // The hook may have deployed nothing of what was pushed first.
            let head = repository.head_branch().map(|branch| RefName::of_branch(&branch));
            let head = head.and_then(|name| Some((repository.tip(&name)?, Some(name))));
            return Ok(head.ok_or_else(|| error::nothing_pushed("nyala redeploy"))?);
        };
        named(site, repository, what)
    }
}

/// The commit that a person named, and the ref it was pushed to, if that is known. A number that is
/// both a deployment and a revision means the deployment.
pub(super) fn named(
    site: &Site,
    repository: &Repository,
    what: &str,
) -> Result<(String, Option<RefName>)> {
    let number = what.parse::<DeploymentId>().ok();
    if let Some(record) = number.map(|id| site.record(id)).transpose()?.flatten() {
        return Ok((record.commit, Some(record.update.refname)));
    }
    match (repository.resolve(what), number) {
        (Ok(commit), _) => Ok((commit, None)),
        (Err(_), Some(id)) => bail!(no_deployment(id)),
        (Err(error), None) => Err(error),
    }
}

/// Deploys a commit again and shows the log. The exit code is the result. Without a ref, it counts
/// as a push of the deploy branch.
pub(super) fn redeploy(
    site: &Site,
    commit: &str,
    refname: Option<RefName>,
    options: DeployOptions,
) -> Result<ExitCode> {
    let settings = site.settings()?;
    let repository = Repository::open(&site.repository(&settings))?;
    let commit = repository.commit(commit)?;
    let branch = deploy_branch(site, &settings)?.as_deref().map(RefName::of_branch);
    let refname = refname.or(branch).unwrap_or_else(|| RefName::HEAD.into());
    let update = RefUpdate::unmoved(refname, &commit.id);
    let started = receive::start(
        site,
        NewDeployment { options, ..NewDeployment::of(commit, Trigger::Redeploy, update) },
    )?;
    finish(site, &started)
}
