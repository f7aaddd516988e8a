//! `nyala shell`: what the holder of an ssh key may do that has this as its forced command.
//!
//! In `authorized_keys`: `restrict,command="/usr/local/bin/nyala shell --root /srv/sites shop"
//! ssh-ed25519 …`. sshd runs this instead of what the client requested, which it passes in
//! `SSH_ORIGINAL_COMMAND`; see `command=` in sshd(8).

mod error;
mod right;

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;

use super::help;
use crate::access::{self, Intent};
use crate::console;
use crate::git::bare_git;
use crate::server::Server;
use crate::site::Site;

use right::{Right, Takes, is_command};

#[derive(Debug, Args)]
pub(super) struct Shell {
    /// The folder that contains the sites
    #[arg(long)]
    root: PathBuf,
    /// Allow fetching and read-only commands, but not pushing
    #[arg(long, conflicts_with = "allow")]
    read_only: bool,
    /// What the key may do beside fetching and read-only commands, separated by commas: push, logs,
    /// restart, rollback, run, config [default: push]
    #[arg(long, value_enum, value_delimiter = ',', hide_possible_values = true)]
    allow: Option<Vec<Right>>,
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
    /// The same without `nyala`: the command, the site if it is named, and the arguments.
    Short(Vec<String>),
}

impl Shell {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let server = Server::open(&self.root)?;
        let rights = self.rights();
        let may_push = rights.contains(&Right::Push);
        let Ok(asked) = std::env::var("SSH_ORIGINAL_COMMAND") else {
            bail!(error::no_shell(&self.names(&server)?, may_push));
        };
        let allowed = right::commands(&rights);
        let Some(request) = request(&asked) else {
            bail!(error::not_allowed(&asked, &allowed, may_push));
        };
        let words = match request {
            Request::Git { service, path } => return self.git(&server, service, &path, &rights),
            Request::Nyala(words) => words,
            Request::Short(words) => self.with_site(&server, words),
        };
        let mut cli = match help::parse(&words) {
            Ok(cli) => cli,
            Err(told) => return Ok(answer(&told)),
        };
        // That needs no site.
        if cli.version {
            return super::run(&cli);
        }
        let takes = Takes::of(cli.command.as_ref());
        if !takes.is_within(&rights) {
            let needed = match takes {
                Takes::Right(right) => Some(right.name()),
                Takes::Nothing | Takes::Account => None,
            };
            let name = command_name(&words);
            bail!(error::may_not_run(&name, needed.as_deref(), &allowed, may_push));
        }
        // Wherever the site is named, it has to be one that the key may reach.
        let named = cli.site.as_ref().map(|site| site.to_string_lossy().into_owned());
        let name = named.or_else(|| self.only_site(&server));
        let Some(name) = name else { bail!(error::which_site(&self.names(&server)?)) };
        cli.site = Some(self.site(&server, &name)?.root().to_owned());
        super::run(&cli)
    }

    /// What the key may do beside fetching and reading.
    fn rights(&self) -> Vec<Right> {
        let default = if self.read_only { Vec::new() } else { vec![Right::Push] };
        self.allow.clone().unwrap_or(default)
    }

    fn git(
        &self,
        server: &Server,
        service: &'static str,
        path: &str,
        rights: &[Right],
    ) -> Result<ExitCode> {
        let pushes = service == "receive-pack";
        if pushes && !rights.contains(&Right::Push) {
            bail!(error::may_not_push());
        }
        let site = self.site(server, path)?;
        access::enter(&site, if pushes { Intent::Push } else { Intent::Read })?;
        let repository = site.repository(&site.settings()?);
        let mut git = bare_git();
        // The one variable of the client that git passes on: see GIT_PROTOCOL in git(1).
        git.envs(std::env::var_os("GIT_PROTOCOL").map(|protocol| ("GIT_PROTOCOL", protocol)));
        let error = git.arg(service).arg(repository).stdin(Stdio::inherit()).exec();
        Err(error).context("cannot run git")
    }

    /// The words of a command with `nyala` and the site before it. The word after the command is
    /// the site, unless it is an option, or the key reaches one site alone and this is not its
    /// name.
    fn with_site(&self, server: &Server, mut words: Vec<String>) -> Vec<String> {
        let may_be_left_out = self.only_site(server).is_some();
        let site = words.get(1).filter(|word| {
            !word.starts_with('-') && (!may_be_left_out || self.site(server, word).is_ok())
        });
        let before = match site.cloned() {
            Some(site) => {
                words.remove(1);
                vec!["nyala".to_owned(), format!("--site={site}")]
            }
            None => vec!["nyala".to_owned()],
        };
        before.into_iter().chain(words).collect()
    }

    /// The site that a path refers to. A missing site and a forbidden one get the same answer.
    fn site(&self, server: &Server, path: &str) -> Result<Site> {
        let site = server
            .site_name(path)
            .filter(|name| {
                self.sites.is_empty() || self.sites.iter().any(|allowed| allowed == name)
            })
            .and_then(|name| server.site(name));
        Ok(site.ok_or_else(|| error::out_of_reach(path, &self.names(server).unwrap_or_default()))?)
    }

    fn only_site(&self, server: &Server) -> Option<String> {
        match &self.names(server).ok()?[..] {
            [only] => Some(only.clone()),
            _ => None,
        }
    }

    /// The sites that this key may reach and that are there.
    fn names(&self, server: &Server) -> Result<Vec<String>> {
        if self.sites.is_empty() {
            return server.site_names();
        }
        Ok(self.sites.iter().filter(|name| server.site(name).is_some()).cloned().collect())
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

/// The name of the command in the words of one, for an error.
fn command_name(words: &[String]) -> String {
    let matches = help::command().try_get_matches_from(words).ok();
    matches.and_then(|it| it.subcommand_name().map(str::to_owned)).unwrap_or_default()
}

/// Parses the command that the client sent to ssh; `None` for what nobody may run. No part of it is
/// ever passed to a shell.
fn request(asked: &str) -> Option<Request> {
    let words = shlex::split(asked)?;
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
            Some(git("receive-pack", path))
        }
        [service, path] if service == "git-upload-pack" && !path.starts_with('-') => {
            Some(git("upload-pack", path))
        }
        [first, ..] if first == "nyala" => Some(Request::Nyala(words)),
        [first, ..] if is_command(first) => Some(Request::Short(words)),
        _ => None,
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
            assert!(request(asked).is_none(), "{asked}");
        }
    }
}
