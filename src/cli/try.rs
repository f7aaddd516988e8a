//! `nyala try`: deploys a work tree on the developer's own machine.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use clap::Args;

use super::error;
use super::follow::watch;
use crate::disk;
use crate::git::{RefName, RefUpdate, Repository, bare_git, run};
use crate::receive;
use crate::setup::{New, make_site};
use crate::site::queue::NewDeployment;
use crate::site::record::Trigger;
use crate::site::{Site, Status};
use crate::user_error::Explain;

#[derive(Debug, Args)]
pub(super) struct Try {
    /// A folder inside the project's work tree
    #[arg(default_value = ".")]
    folder: PathBuf,
}

impl Try {
    /// Deploys the work tree as it is to a site in `artifacts`, beside its `.git`.
    pub(super) fn run(&self) -> Result<ExitCode> {
        let root = run(bare_git().current_dir(&self.folder).args(["rev-parse", "--show-toplevel"]))
            .explain(error::no_work_tree)?;
        let work_tree = Path::new(&root);
        let artifacts = work_tree.join("artifacts");
        let site = make_site(&artifacts, &New { branch: Some("main"), ..New::default() })?;
        // A folder that ignores itself does not dirty the project, and is not deployed.
        disk::write_atomic(&artifacts.join(".gitignore"), b"*\n", 0o644)?;
        let settings = site.settings()?;
        let commit = Snapshot::of(work_tree, &site)?.push(&site.repository(&settings))?;

        let commit = Repository::open(&site.repository(&settings))?.commit(&commit)?;
        let update = RefUpdate::unmoved(RefName::of_branch("main"), &commit.id);
        let started = receive::start(&site, NewDeployment::of(commit, Trigger::Push, update))?;
        let record = watch(&site, &started)?;
        if record.status != Status::Succeeded {
            return Ok(ExitCode::FAILURE);
        }
        say!("The site is in {}", site.wwwroot().display());
        say!("To set app settings for it: nyala --site artifacts config set NAME=value");
        Ok(ExitCode::SUCCESS)
    }
}

/// A commit of the work tree as it is, in the developer's repository. No ref points to it.
struct Snapshot<'a> {
    work_tree: &'a Path,
    commit: String,
}

impl Snapshot<'_> {
    fn of<'a>(work_tree: &'a Path, site: &Site) -> Result<Snapshot<'a>> {
        let git = || {
            let mut git = bare_git();
            git.current_dir(work_tree);
            git
        };
        // A copy of the index knows which ignored files are tracked, and leaves staged changes
        // alone.
        let index = work_tree.join(run(git().args(["rev-parse", "--git-path", "index"]))?);
        let copy = site.cache().join("try-index");
        match disk::read(&index) {
            Ok(bytes) => disk::write_atomic(&copy, &bytes, 0o600)?,
            Err(_) => disk::remove_file(&copy)?,
        }
        run(git().env("GIT_INDEX_FILE", &copy).args(["add", "--all"]))
            .context("cannot read the work tree")?;
        let tree = run(git().env("GIT_INDEX_FILE", &copy).arg("write-tree"))?;
        disk::remove_file(&copy)?;
        let parent = run(git().args(["rev-parse", "--verify", "--quiet", "HEAD"])).ok();
        let mut command = git();
        command.args(["commit-tree", "-m", "The work tree as it is", &tree]);
        if let Some(parent) = &parent {
            command.args(["-p", parent]);
        }
        set_author(&mut command, work_tree);
        Ok(Snapshot { work_tree, commit: run(&mut command)? })
    }

    /// Pushes the commit to the site's repository. That has no hook; the deployment is started
    /// separately.
    fn push(self, repository: &Path) -> Result<String> {
        let target = format!("{}:refs/heads/main", self.commit);
        let mut push = bare_git();
        push.current_dir(self.work_tree)
            .args(["push", "--quiet", "--force"])
            .arg(repository)
            .arg(target);
        run(&mut push)?;
        Ok(self.commit)
    }
}

/// Names an author where git has no user.name and user.email, so that `try` works without them.
fn set_author(command: &mut Command, work_tree: &Path) {
    if run(bare_git().current_dir(work_tree).args(["var", "GIT_COMMITTER_IDENT"])).is_err() {
        let user = env::var("USER")
            .ok()
            .filter(|user| !user.is_empty())
            .unwrap_or_else(|| "nobody".to_owned());
        for role in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{role}_NAME"), &user)
                .env(format!("GIT_{role}_EMAIL"), format!("{user}@localhost"));
        }
    }
}
