//! `nyala shell`: all that somebody may do whose ssh key has it as its forced command.
//!
//! In `authorized_keys`: `restrict,command="/usr/local/bin/nyala shell --root /srv/sites shop"
//! ssh-ed25519 …`. sshd runs that instead of what was asked for, which it hands over in
//! `SSH_ORIGINAL_COMMAND`.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Parser};

use super::{Cli, Command};
use crate::git::bare_git;
use crate::site::Site;

#[derive(Debug, Args)]
pub(super) struct Shell {
    /// The folder that has the sites
    #[arg(long)]
    root: PathBuf,
    /// Allow fetching and looking, but no push
    #[arg(long)]
    read_only: bool,
    /// The sites that may be reached, by their folders' names; without any, all of the root
    sites: Vec<String>,
}

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
enum Request {
    /// `git-receive-pack` or `git-upload-pack`, and the path as the client wrote it.
    Git { service: &'static str, path: String },
    /// A command of nyala's, with its own name first.
    Nyala(Vec<String>),
}

impl Shell {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let root = self
            .root
            .canonicalize()
            .with_context(|| format!("there is no folder {}", self.root.display()))?;
        let Ok(asked) = std::env::var("SSH_ORIGINAL_COMMAND") else {
            bail!("there is no shell here, only git and nyala\n{}", self.reachable(&root));
        };
        match request(&asked)? {
            Request::Git { service, path } => {
                ensure!(
                    service == "upload-pack" || !self.read_only,
                    "this key may fetch, and not push"
                );
                let site = self.site(&root, &path)?;
                let repository = site.repository(&site.settings()?);
                let mut git = bare_git();
                // The version of git's protocol is the one variable of the client's that git means
                // to be passed on.
                git.envs(
                    std::env::var_os("GIT_PROTOCOL").map(|protocol| ("GIT_PROTOCOL", protocol)),
                );
                let error = git.arg(service).arg(repository).stdin(Stdio::inherit()).exec();
                Err(error).context("git cannot be started")
            }
            Request::Nyala(words) => {
                let mut cli = Cli::try_parse_from(words)?;
                ensure!(
                    cli.command.as_ref().is_none_or(only_reads),
                    "only reading commands can be used over ssh: list, show, diff, status, log, plan, wait\nTo deploy: git push"
                );
                let named = cli.site.as_ref().map(|site| site.to_string_lossy().into_owned());
                let name = named.or_else(|| self.only_site(&root));
                let name = name.with_context(|| {
                    format!("name the site: --site NAME\n{}", self.reachable(&root))
                })?;
                cli.site = Some(self.site(&root, &name)?.root().to_owned());
                super::run(&cli)
            }
        }
    }

    /// The site that a path means. What is not there and what may not be reached get the same
    /// answer.
    fn site(&self, root: &Path, path: &str) -> Result<Site> {
        let name = site_name(root, path);
        let site = name
            .filter(|name| {
                self.sites.is_empty() || self.sites.iter().any(|allowed| allowed == name)
            })
            .and_then(|name| Site::open(&root.join(name)).ok())
            // A link that leads out of the root is no site of it.
            .filter(|site| site.root().parent() == Some(root));
        site.with_context(|| {
            format!(
                "there is no site `{}` that this key may reach\n{}",
                path.escape_debug(),
                self.reachable(root)
            )
        })
    }

    fn only_site(&self, root: &Path) -> Option<String> {
        match &self.names(root)[..] {
            [only] => Some(only.clone()),
            _ => None,
        }
    }

    fn names(&self, root: &Path) -> Vec<String> {
        if !self.sites.is_empty() {
            return self.sites.clone();
        }
        let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
        let sites = entries.filter(|entry| entry.path().join("nyala.toml").is_file());
        let mut names: Vec<_> =
            sites.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort_unstable();
        names
    }

    fn reachable(&self, root: &Path) -> String {
        let names = self.names(root).join(", ");
        format!("This key may reach: {}", if names.is_empty() { "nothing" } else { &names })
    }
}

/// Commands that change nothing.
fn only_reads(command: &Command) -> bool {
    matches!(
        command,
        Command::List(_)
            | Command::Show(_)
            | Command::Diff(_)
            | Command::Status(_)
            | Command::Log(_)
            | Command::Plan(_)
            | Command::Wait(_)
    )
}

/// Takes what ssh was asked to run apart. Nothing of it is ever given to a shell.
fn request(asked: &str) -> Result<Request> {
    let refuse = || {
        format!(
            "`{}` cannot be run here: only git and nyala's reading commands can",
            asked.escape_debug()
        )
    };
    let words = shlex::split(asked).with_context(refuse)?;
    let git = |service, path: &String| Request::Git { service, path: path.clone() };
    // Clients write `git-receive-pack 'PATH'`; the form with a space is allowed by git's own
    // documentation.
    let words: Vec<String> = match &words[..] {
        [first, second, rest @ ..] if first == "git" => {
            std::iter::once(format!("git-{second}")).chain(rest.iter().cloned()).collect()
        }
        words => words.to_vec(),
    };
    match &words[..] {
        [service, path] if service == "git-receive-pack" && !path.starts_with('-') => {
            Ok(git("receive-pack", path))
        }
        [service, path] if service == "git-upload-pack" && !path.starts_with('-') => {
            Ok(git("upload-pack", path))
        }
        [first, ..] if first == "nyala" => Ok(Request::Nyala(words)),
        _ => bail!(refuse()),
    }
}

/// The name of the site that a path means: `shop`, `/shop.git`, `shop/repository.git`, or either
/// below the root's own path. `None` when it cannot be one.
fn site_name<'a>(root: &Path, path: &'a str) -> Option<&'a str> {
    let inside =
        root.to_str().and_then(|root| path.strip_prefix(root)).filter(|rest| rest.starts_with('/'));
    let name = inside.unwrap_or(path).trim_matches('/');
    let name = name.strip_suffix("/repository.git").unwrap_or(name);
    let name =
        if root.join(name).is_dir() { name } else { name.strip_suffix(".git").unwrap_or(name) };
    let plain =
        !name.is_empty() && !name.starts_with(['.', '-', '~']) && !name.contains(['/', '\0']);
    plain.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_asks_for_is_understood() {
        for asked in ["git-receive-pack 'shop'", "git receive-pack 'shop'", "git-receive-pack shop"]
        {
            assert_eq!(
                request(asked).unwrap(),
                Request::Git { service: "receive-pack", path: "shop".into() }
            );
        }
        let asked = "git-upload-pack '/a b/it'\\''s'";
        assert_eq!(
            request(asked).unwrap(),
            Request::Git { service: "upload-pack", path: "/a b/it's".into() }
        );
    }

    #[test]
    fn nothing_else_is() {
        for asked in [
            "",
            "sh",
            "id",
            "git-receive-pack",
            "git-receive-pack 'shop'; id",
            "git-receive-pack 'shop' 'blog'",
            "git-receive-pack --help",
            "git-upload-pack --timeout=1 shop",
            "git-upload-archive shop",
            "git -c alias.x=!id x",
            "git --exec-path=/tmp receive-pack",
            "'unbalanced",
            "/usr/bin/nyala list",
            "scp -t /",
        ] {
            assert!(request(asked).is_err(), "{asked}");
        }
    }

    #[test]
    fn a_path_means_a_site_right_in_the_root() {
        let root = Path::new("/srv/sites");
        for path in [
            "shop",
            "/shop",
            "shop.git",
            "/shop.git/",
            "/srv/sites/shop",
            "/srv/sites/shop/repository.git",
        ] {
            assert_eq!(site_name(root, path), Some("shop"), "{path}");
        }
        for path in [
            "",
            "/",
            ".",
            "..",
            "../sites/shop",
            "a/b",
            "/etc",
            "/srv/sitesshop/x",
            "~root/x",
            "-x",
            "shop/..",
        ] {
            assert!(site_name(root, path).is_none_or(|name| name == "etc"), "{path}");
        }
    }
}
