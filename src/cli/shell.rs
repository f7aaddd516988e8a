//! `nyala shell`: what the holder of an ssh key may do that has this as its forced command.
//!
//! In `authorized_keys`: `restrict,command="/usr/local/bin/nyala shell --root /srv/sites shop"
//! ssh-ed25519 …`. sshd runs this instead of what the client requested, which it passes in
//! `SSH_ORIGINAL_COMMAND`; see `command=` in sshd(8).

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use clap::{Args, Parser};

use super::{Cli, Command, error};
use crate::access::{self, Intent};
use crate::console;
use crate::git::bare_git;
use crate::server::Server;
use crate::site::Site;

#[derive(Debug, Args)]
pub(super) struct Shell {
    /// The folder that contains the sites
    #[arg(long)]
    root: PathBuf,
    /// Allow fetching and read-only commands, but not pushing
    #[arg(long)]
    read_only: bool,
    /// The sites the key may reach, by the names of their folders [default: all sites in the root]
    #[arg(value_name = "SITE")]
    sites: Vec<String>,
}

/// What the client requested.
#[derive(Debug, PartialEq, Eq)]
enum Request {
    /// `git-receive-pack` or `git-upload-pack`, and the path as the client wrote it.
    Git { service: &'static str, path: String },
    /// The words of a nyala command, starting with `nyala`.
    Nyala(Vec<String>),
}

impl Shell {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let server = Server::open(&self.root)?;
        let Ok(asked) = std::env::var("SSH_ORIGINAL_COMMAND") else {
            bail!(error::no_shell(&self.names(&server)));
        };
        match request(&asked)? {
            Request::Git { service, path } => {
                if service != "upload-pack" && self.read_only {
                    bail!(error::may_not_push());
                }
                let site = self.site(&server, &path)?;
                let pushes = service == "receive-pack";
                access::enter(&site, if pushes { Intent::Push } else { Intent::Read })?;
                let repository = site.repository(&site.settings()?);
                let mut git = bare_git();
                // The one variable of the client that git passes on: see GIT_PROTOCOL in git(1).
                git.envs(
                    std::env::var_os("GIT_PROTOCOL").map(|protocol| ("GIT_PROTOCOL", protocol)),
                );
                let error = git.arg(service).arg(repository).stdin(Stdio::inherit()).exec();
                Err(error).context("cannot run git")
            }
            Request::Nyala(words) => {
                let mut cli = match Cli::try_parse_from(words) {
                    Ok(cli) => cli,
                    Err(told) => return Ok(answer(&told)),
                };
                if cli.command.as_ref().is_some_and(|command| !only_reads(command)) {
                    bail!(error::only_reading());
                }
                let named = cli.site.as_ref().map(|site| site.to_string_lossy().into_owned());
                let name = named.or_else(|| self.only_site(&server));
                let name = name.ok_or_else(|| error::which_site(&self.names(&server)))?;
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
        Ok(site.ok_or_else(|| error::out_of_reach(path, &self.names(server)))?)
    }

    fn only_site(&self, server: &Server) -> Option<String> {
        match &self.names(server)[..] {
            [only] => Some(only.clone()),
            _ => None,
        }
    }

    /// The sites that this key may reach and that are there.
    fn names(&self, server: &Server) -> Vec<String> {
        if self.sites.is_empty() {
            return server.site_names();
        }
        self.sites.iter().filter(|name| server.site(name).is_some()).cloned().collect()
    }
}

/// Prints what clap says of a wrong command, or the help that was asked for.
fn answer(told: &clap::Error) -> ExitCode {
    let text = told.render().to_string();
    if told.use_stderr() {
        console::print(rustix::stdio::stderr(), &text);
    } else {
        console::say(text);
    }
    ExitCode::from(u8::try_from(told.exit_code()).unwrap_or(2))
}

/// Commands that change nothing.
fn only_reads(command: &Command) -> bool {
    matches!(
        command,
        Command::List(_)
            | Command::Show(_)
            | Command::Diff(_)
            | Command::Status(_)
            | Command::BuildLog(_)
            | Command::Plan(_)
            | Command::Wait(_)
    )
}

/// Parses the command that the client sent to ssh. No part of it is ever passed to a shell.
fn request(asked: &str) -> Result<Request> {
    let refuse = || error::not_allowed(asked);
    let words = shlex::split(asked).ok_or_else(refuse)?;
    let git = |service, path: &String| Request::Git { service, path: path.clone() };
    // Clients send `git-receive-pack 'PATH'`. The form with a space is allowed too: see
    // gitprotocol-pack(5).
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
    fn git_requests_are_parsed() {
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
    fn other_requests_are_refused() {
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
