//! `nyala diff`: what changed between two deployments.

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::show::record;
use crate::git::{Repository, git, run, short};
use crate::plan::source::{SourceReader, source_of};
use crate::python::dependencies::{self, Change, Recorded, detect};
use crate::python::version::asked_for;
use crate::settings::{DeploymentFile, EffectiveSettings};
use crate::site::{DeploymentId, Record, Site};
use crate::text::clean;
use crate::user_error::UserError;

#[derive(Debug, Args)]
pub(super) struct Diff {
    /// The first deployment
    from: DeploymentId,
    /// The deployment to compare it with [default: the live one]
    to: Option<DeploymentId>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The differences, in words.
struct Differences {
    /// Commits that only the second has, and that only the first has: `1a2b3c4 Say hello`.
    new_commits: Vec<String>,
    gone_commits: Vec<String>,
    /// `git diff --shortstat`.
    files: String,
    requirements: Vec<String>,
    python: [String; 2],
    env: [String; 2],
}

impl Diff {
    pub(super) fn run(&self, site: &Site) -> Result<()> {
        let from = record(site, Some(self.from))?;
        let to = record(site, self.to.or(site.live()?))?;
        let found = differences(site, &from, &to)?;
        if self.json {
            let difference = json!({
                "from": from.id,
                "to": to.id,
                "new_commits": found.new_commits,
                "gone_commits": found.gone_commits,
                "files": found.files,
                "requirements": found.requirements,
                "python": { "from": found.python[0], "to": found.python[1] },
                "env": { "from": found.env[0], "to": found.env[1] },
            });
            say!("{}", serde_json::to_string_pretty(&difference)?);
            return Ok(());
        }
        say!("From {} ({}) to {} ({})", from.id, short(&from.commit), to.id, short(&to.commit));
        section("Commits", &commits(&found));
        section(
            "Files",
            &[if found.files.is_empty() { "unchanged".to_owned() } else { found.files.clone() }],
        );
        section("Requirements", &or_unchanged(&found.requirements));
        section("Python", &[arrow(&found.python)]);
        section("Env", &[arrow(&found.env)]);
        Ok(())
    }
}

fn differences(site: &Site, from: &Record, to: &Record) -> Result<Differences> {
    let site_settings = site.settings()?;
    let repository = Repository::open(&site.repository(&site_settings))?;
    let [from_commit, to_commit] =
        [repository.commit(&from.commit)?, repository.commit(&to.commit)?];
    let log = |range: String| -> Result<Vec<String>> {
        let mut command = git(repository.path());
        command.args([
            "log",
            "--no-color",
            "--no-decorate",
            "--format=%h %s",
            "--max-count=200",
            &range,
            "--",
        ]);
        Ok(run(&mut command)?.lines().map(|line| clean(line).into_owned()).collect())
    };
    let mut command = git(repository.path());
    command.args(["diff", "--shortstat", "--no-color", &from_commit.id, &to_commit.id, "--"]);
    let app_settings = site.app_settings()?;
    let file = DeploymentFile::default();
    let settings = EffectiveSettings::resolve(&site_settings, &app_settings, &file);
    let reader = SourceReader {
        site,
        installer: site_settings.installer,
        settings: &settings.dependencies.value,
        app_settings: &app_settings,
    };
    Ok(Differences {
        new_commits: log(format!("{}..{}", from_commit.id, to_commit.id))?,
        gone_commits: log(format!("{}..{}", to_commit.id, from_commit.id))?,
        files: run(&mut command)?.trim().to_owned(),
        requirements: match (
            requirements_of(&repository, from_commit.tree, from, &reader),
            requirements_of(&repository, to_commit.tree, to, &reader),
        ) {
            (Ok(then), Ok(now)) => changes(&then, &now),
            (Err(error), _) => {
                vec![format!(
                    "those of deployment {} cannot be read: {}",
                    from.id,
                    UserError::of(&error)
                )]
            }
            (_, Err(error)) => {
                vec![format!(
                    "those of deployment {} cannot be read: {}",
                    to.id,
                    UserError::of(&error)
                )]
            }
        },
        python: [from, to].map(|record| match &record.python {
            Some(python) => {
                format!("{} ({})", python.version, asked_for(&python.wanted, &python.origin))
            }
            None => "none".to_owned(),
        }),
        env: [from, to].map(|record| match record.env.as_ref().and_then(|env| env.id) {
            Some(id) => format!("env {id}"),
            None => "none".to_owned(),
        }),
    })
}

fn requirements_of(
    repository: &Repository,
    tree: git2::Oid,
    record: &Record,
    reader: &SourceReader<'_>,
) -> Result<Recorded> {
    let files = repository.tree_at(tree)?;
    let source = source_of(&files, &detect(&files)?, reader.settings)?;
    let python = record.python.as_ref().and_then(|python| python.version.parse().ok());
    Ok(reader.read(&files, source.as_ref(), python)?.recorded)
}

/// The differences between two commits. That a line may resolve to something else tomorrow is not
/// one.
fn changes(then: &Recorded, now: &Recorded) -> Vec<String> {
    let changes = dependencies::compare(then, now).into_iter();
    let changes = changes.filter(|change| match change {
        Change::MutableReference(_) => false,
        Change::Editable { path } => {
            let of = |record: &Recorded| {
                record.local.iter().find(|local| local.path == *path).map(|it| it.id.clone())
            };
            of(then) != of(now)
        }
        _ => true,
    });
    changes.map(|change| change.to_string()).collect()
}

fn commits(found: &Differences) -> Vec<String> {
    let new = found.new_commits.iter().map(|commit| format!("+ {commit}"));
    let gone = found.gone_commits.iter().map(|commit| format!("- {commit}"));
    or_unchanged(&new.chain(gone).collect::<Vec<_>>())
}

fn or_unchanged(lines: &[String]) -> Vec<String> {
    if lines.is_empty() { vec!["unchanged".to_owned()] } else { lines.to_vec() }
}

fn arrow([from, to]: &[String; 2]) -> String {
    if from == to { from.clone() } else { format!("{from} -> {to}") }
}

fn section(title: &str, lines: &[String]) {
    say!("{title}:");
    for line in lines {
        say!("  {}", clean(line));
    }
}
