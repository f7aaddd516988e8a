//! `nyala list`, `status`, `log`, `plan` and `redeploy`.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use jiff::tz::TimeZone;
use serde_json::json;

use super::show::record;
use super::table;
use crate::console::text::{clean, escaped};
use crate::console::{self, mask, paint, show};
use crate::git::{Refs, Repository, short};
use crate::plan::{PlanRequest, describe, observe};
use crate::receive::{self, Reader};
use crate::site::queue::NewDeployment;
use crate::site::record::Trigger;
use crate::site::{DeploymentId, Record, Site, Status};
use crate::worker::env_record;
use crate::worker::env_steps::asked_by;

#[derive(Debug, Default, Args)]
pub(super) struct Json {
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Log {
    /// The deployment's number; without it, the newest
    id: Option<DeploymentId>,
    /// Go on until the deployment has ended
    #[arg(long, short)]
    follow: bool,
}

#[derive(Debug, Args)]
pub(super) struct PlanOf {
    /// A revision in the repository; without it, what the deploy branch names
    revision: Option<String>,
    /// As if a new env had been asked for
    #[arg(long)]
    rebuild_env: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Redeploy {
    /// A deployment's number, or a revision in the repository; without it, what the deploy branch
    /// names
    what: Option<String>,
    /// Make a new env
    #[arg(long)]
    rebuild_env: bool,
}

pub(super) fn list(site: &Site, args: &Json) -> Result<()> {
    let mut records = site.records()?;
    records.reverse();
    if args.json {
        say!("{}", serde_json::to_string_pretty(&records)?);
        return Ok(());
    }
    if records.is_empty() {
        say!("Nothing was deployed yet. To deploy: git push REMOTE HEAD:main");
        return Ok(());
    }
    let releases = site.release_ids()?;
    let out = io::stdout();
    let is_terminal = out.is_terminal();
    let width = || {
        rustix::termios::tcgetwinsize(&out)
            .ok()
            .map(|size| usize::from(size.ws_col))
            .filter(|it| *it > 0)
    };
    let look = table::Look {
        coloured: paint::wanted(&out),
        width: if is_terminal { width() } else { None },
        zone: TimeZone::system(),
    };
    console::say(table::draw(&records, |id| releases.contains(&id), &look));
    Ok(())
}

pub(super) fn status(site: &Site, args: &Json) -> Result<()> {
    let live = site.live()?.map(|id| site.record(id)).transpose()?.flatten();
    let latest = site.records()?.pop();
    let settings = site.settings()?;
    let frozen = site.frozen()?;
    if args.json {
        let status = json!({
            "site": site.root(),
            "repository": site.repository(&settings),
            "branch": settings.branch,
            "live": live,
            "latest": latest,
            "frozen": frozen,
        });
        say!("{}", serde_json::to_string_pretty(&status)?);
        return Ok(());
    }
    say!("Site:   {}", site.root().display());
    let branch = settings.branch.as_deref().map(escaped);
    say!("Branch: {}", branch.as_deref().unwrap_or("none yet: the first one pushed becomes it"));
    if let Some(frozen) = frozen {
        say!("Frozen: {} (nyala unfreeze)", frozen.in_words());
    }
    match &live {
        Some(record) => say!("Live:   {}", row(record)),
        None => say!("Live:   nothing yet"),
    }
    if let Some(latest) = latest.filter(|latest| live.as_ref() != Some(latest)) {
        say!("Latest: {}", row(&latest));
        if latest.status == Status::Failed {
            say!("Why:    nyala log {}", latest.id);
        }
    }
    Ok(())
}

impl Log {
    pub(super) fn run(&self, site: &Site) -> Result<()> {
        let id = record(site, self.id)?.id;
        if self.follow {
            receive::watch(site, id, Reader::Person)?;
        } else {
            show(&site.log_file(id), io::stdout(), paint::wanted(io::stdout()), &mut || Ok(true))?;
        }
        Ok(())
    }
}

impl PlanOf {
    pub(super) fn run(&self, site: &Site) -> Result<()> {
        let settings = site.settings()?;
        let app_settings = site.app_settings()?;
        let repository = Repository::open(&site.repository(&settings))?;
        let branch = settings.branch.as_deref().map(|branch| format!("refs/heads/{branch}"));
        let revision = self.revision.clone().or(branch).unwrap_or_else(|| "HEAD".to_owned());
        let plan = observe(PlanRequest {
            site,
            settings: &settings,
            app_settings: &app_settings,
            repository: &repository,
            commit: repository.commit(&repository.resolve(&revision)?)?,
            installer: settings.installer,
            rebuild: asked_by(&rebuild_option(self.rebuild_env)),
        })?;
        if self.json {
            let python = plan.python.as_ref().map(|python| {
                json!({
                    "version": python.version.to_string(),
                    "wanted": python.wanted.to_string(),
                    "origin": python.origin.to_string(),
                })
            });
            let plan = json!({
                "commit": plan.commit.id,
                "runtime": plan.runtime,
                "python": python,
                "env": env_record(&plan, None),
                "command": plan.build.settings.command.as_ref().map(|said| &said.value),
                "warnings": plan.build.settings.warnings,
            });
            say!("{}", mask::known().apply(&serde_json::to_string_pretty(&plan)?));
            return Ok(());
        }
        say!("Plan for {}", short(&plan.commit.id));
        for line in describe::lines(&plan) {
            say!("  {}", mask::known().apply(&clean(&line)));
        }
        for warning in &plan.build.settings.warnings {
            say!("  warning: {}", clean(warning));
        }
        Ok(())
    }
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
        redeploy(site, &commit, refname, rebuild_option(self.rebuild_env))
    }

    /// The commit that is meant, and the ref it was pushed as when that is known. A number that is
    /// a deployment's is one.
    fn commit(&self, site: &Site, repository: &Repository) -> Result<(String, Option<String>)> {
        let Some(what) = &self.what else {
            let tip = site
                .settings()?
                .branch
                .and_then(|branch| repository.resolve(&format!("refs/heads/{branch}")).ok());
            if let Some(tip) = tip {
                return Ok((tip, None));
            }
            let live = site.live()?.map(|id| site.record(id)).transpose()?.flatten();
            let record = live.context(
                "nothing was pushed yet\nPush first, or name a revision: nyala redeploy REV",
            )?;
            return Ok((record.commit, Some(record.refname)));
        };
        if let Ok(id) = what.parse::<DeploymentId>()
            && let Some(record) = site.record(id)?
        {
            return Ok((record.commit, Some(record.refname)));
        }
        Ok((repository.resolve(what)?, None))
    }
}

/// Deploys a commit again and shows the log; the exit code says how it went. Without a ref, it
/// counts as the deploy branch's.
pub(super) fn redeploy(
    site: &Site,
    commit: &str,
    refname: Option<String>,
    options: Vec<String>,
) -> Result<ExitCode> {
    let settings = site.settings()?;
    let repository = Repository::open(&site.repository(&settings))?;
    let commit = repository.commit(commit)?;
    let branch = settings.branch.map(|branch| format!("refs/heads/{branch}"));
    let id = receive::start(
        site,
        NewDeployment {
            moves: Vec::new(),
            old_oid: commit.id.clone(),
            new_oid: commit.id.clone(),
            commit: commit.id,
            message: commit.message,
            author: commit.author,
            trigger: Trigger::Redeploy,
            refname: refname.or(branch).unwrap_or_default(),
            options,
            rolled_back_to: None,
        },
    )?;
    Ok(exit_code(&watch(site, id)?))
}

/// Shows the log of a deployment that this command has started, and returns how it ended, also when
/// nobody reads that far.
pub(super) fn watch(site: &Site, id: DeploymentId) -> Result<Record> {
    receive::watch(site, id, Reader::Person)?;
    receive::wait(site, id)
}

/// What a command that deploys exits with.
pub(super) fn exit_code(record: &Record) -> ExitCode {
    if record.status == Status::Succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn rebuild_option(asked: bool) -> Vec<String> {
    if asked { vec![crate::worker::REBUILD_ENV.to_owned()] } else { Vec::new() }
}

/// One deployment on one line.
fn row(record: &Record) -> String {
    let live = if record.live { "*" } else { " " };
    let title: String =
        record.message.lines().next().unwrap_or_default().chars().take(50).collect();
    let python = record.python.as_ref().map_or("-", |python| python.version.as_str());
    let decision = record.env.as_ref().map_or("-", |env| env.decision.as_str());
    format!(
        "{live}{:>4}  {:<11}  {}  {python:<7}  {decision:<9}  {}  {}",
        record.id,
        record.status.name(),
        short(&record.commit),
        record.created_at.strftime("%Y-%m-%d %H:%M:%SZ"),
        title.escape_debug()
    )
}
