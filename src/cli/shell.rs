//! `nyala shell`: all that somebody may do whose ssh key has it as its forced command.
//!
//! In `authorized_keys`: `restrict,command="/usr/local/bin/nyala shell --root /srv/sites shop"
//! ssh-ed25519 …`. sshd runs that instead of what was asked for, which it hands over in
//! `SSH_ORIGINAL_COMMAND`.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Parser};

use super::{Cli, Command};
use crate::git::bare_git;
use crate::server::Server;
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
        let server = Server::open(&self.root)?;
        let Ok(asked) = std::env::var("SSH_ORIGINAL_COMMAND") else {
            bail!("there is no shell here, only git and nyala\n{}", self.reachable(&server));
        };
        match request(&asked)? {
            Request::Git { service, path } => {
                ensure!(
                    service == "upload-pack" || !self.read_only,
                    "this key may fetch, and not push"
                );
                let site = self.site(&server, &path)?;
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
                let name = named.or_else(|| self.only_site(&server));
                let name = name.with_context(|| {
                    format!("name the site: --site NAME\n{}", self.reachable(&server))
                })?;
                cli.site = Some(self.site(&server, &name)?.root().to_owned());
                super::run(&cli)
            }
        }
    }

    /// The site that a path refers to. A missing site and a forbidden one get the same answer.
    fn site(&self, server: &Server, path: &str) -> Result<Site> {
        let site = server
            .site_name(path)
            .filter(|name| {
                self.sites.is_empty() || self.sites.iter().any(|allowed| allowed == name)
            })
            .and_then(|name| server.site(name));
        site.with_context(|| {
            format!(
                "there is no site `{}` that this key may reach\n{}",
                path.escape_debug(),
                self.reachable(server)
            )
        })
    }

    fn only_site(&self, server: &Server) -> Option<String> {
        match &self.names(server)[..] {
            [only] => Some(only.clone()),
            _ => None,
        }
    }

    fn names(&self, server: &Server) -> Vec<String> {
        if self.sites.is_empty() { server.site_names() } else { self.sites.clone() }
    }

    fn reachable(&self, server: &Server) -> String {
        let names = self.names(server).join(", ");
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
}
