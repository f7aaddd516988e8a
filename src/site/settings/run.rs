//! The table `[run]` of nyala.toml: how the application runs.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::{duration, error};
use crate::user_error::UserError;

/// How `nyala serve` runs the application of a site.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Run {
    /// Where visitors connect; where nobody says, the site is not served.
    pub listen: Option<Listen>,
    /// The path that a new release must answer with 2xx or 3xx before it goes live; where nobody
    /// says, `/` with anything below 500.
    pub health: Option<String>,
    /// How long a new release may take until it is healthy.
    #[serde(deserialize_with = "duration::required")]
    pub health_timeout: Duration,
    /// How long the release before may go on answering what it has begun to answer.
    #[serde(deserialize_with = "duration::required")]
    pub grace: Duration,
    /// How long a new release is watched; when it gets sick meanwhile, the one before is back.
    #[serde(deserialize_with = "duration::or_none")]
    pub watch: Duration,
    /// How many processes of a name run; one where nobody says.
    pub scale: BTreeMap<String, u32>,
    /// How long a request waits for a process that is started again.
    #[serde(deserialize_with = "duration::required")]
    pub hold: Duration,
    /// The largest body of a request, in bytes.
    pub max_body: u64,
    /// The size of a file with what a process prints, in bytes, and how many of them are kept.
    pub log_size: u64,
    pub log_files: u32,
    /// Who may say for whom a request is forwarded, beside this machine.
    pub trusted_proxies: Vec<IpAddr>,
    /// The domains of the site, of which the first is asked for in health checks.
    pub domains: Vec<String>,
    /// The commands of the application's processes, by their names.
    pub processes: BTreeMap<String, String>,
}

/// The host of a site that has no domains.
pub const LOCALHOST: &str = "localhost";

impl Default for Run {
    fn default() -> Run {
        Run {
            listen: None,
            health: None,
            health_timeout: Duration::from_mins(1),
            grace: Duration::from_secs(30),
            watch: Duration::ZERO,
            scale: BTreeMap::new(),
            hold: Duration::from_secs(10),
            max_body: 2 << 30,
            log_size: 10 << 20,
            log_files: 5,
            trusted_proxies: Vec::new(),
            domains: Vec::new(),
            processes: BTreeMap::new(),
        }
    }
}

impl Run {
    /// The `Host` of a request that comes from nyala itself, or names none.
    pub fn host(&self) -> String {
        self.domains.first().map_or_else(|| LOCALHOST.to_owned(), |domain| host_of(domain))
    }

    pub(super) fn check(&self) -> Result<(), UserError> {
        if let Some(health) = self.health.as_ref().filter(|health| !is_path(health)) {
            return Err(error::health_is_no_path(health));
        }
        if let Some(domain) = self.domains.iter().find(|domain| !is_domain(domain)) {
            return Err(error::not_a_domain(domain));
        }
        if let Some(name) = self.processes.keys().find(|name| !is_process_name(name)) {
            return Err(error::not_a_process_name(name));
        }
        for (name, count) in &self.scale {
            check_scale(name, *count)?;
        }
        if self.log_size < LEAST_LOG {
            return Err(error::log_size_is_too_small(self.log_size, LEAST_LOG));
        }
        if !(1..=MOST_LOG_FILES).contains(&self.log_files) {
            return Err(error::bad_log_files(self.log_files, MOST_LOG_FILES));
        }
        for (name, command) in &self.processes {
            if command.trim().is_empty() {
                return Err(error::no_command(name));
            }
            if !command.lines().all(is_command_line) {
                return Err(error::control_character_in_command(name, command));
            }
        }
        Ok(())
    }
}

/// Fails when so many processes of a name cannot be meant. A site without its web process answers
/// nothing, so it has one at least.
pub fn check_scale(name: &str, count: u32) -> Result<(), UserError> {
    if !is_process_name(name) {
        return Err(error::not_a_process_to_scale(name));
    }
    match name {
        "release" => Err(error::release_cannot_be_scaled()),
        "web" if count == 0 => Err(error::no_web()),
        _ if count > MOST => Err(error::too_many_processes(name, count, MOST)),
        _ => Ok(()),
    }
}

/// How many processes of a name there may be: more are a slip of the finger.
const MOST: u32 = 100;

/// The least size of a file with what a process prints, in bytes: a few of its longest lines.
const LEAST_LOG: u64 = 64 << 10;

/// The most files with what a process prints.
pub const MOST_LOG_FILES: u32 = 100;

/// Whether this may be the path of a request.
fn is_path(text: &str) -> bool {
    text.starts_with('/') && text.chars().all(|it| it.is_ascii_graphic()) && !text.contains('#')
}

/// Whether this is the name of a domain, without a scheme and a port.
pub fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.chars().all(|it| it.is_ascii_alphanumeric() || "-_*".contains(it))
    };
    text.split('.').all(is_label)
}

/// The `Host` with which an application is asked for a page of a domain: no client sends the `*` of
/// `*.example.org`, and frameworks refuse it.
pub fn host_of(domain: &str) -> String {
    domain.replace('*', "nyala")
}

/// Whether a process may have this name: `web`, `worker`, `release`, or another one.
/// <https://devcenter.heroku.com/articles/procfile#procfile-format>.
pub fn is_process_name(name: &str) -> bool {
    let is_part = |it: char| it.is_ascii_alphanumeric() || "-_".contains(it);
    !name.is_empty() && name.len() <= 63 && name.chars().all(is_part)
}

/// Whether this may be a line of a command. Nothing can be started with a NUL; other control
/// characters come from what is no plain text.
pub fn is_command_line(line: &str) -> bool {
    !line.contains(|it: char| it.is_control() && it != '\t')
}

/// The address of a site: a port of this machine, or a socket in the site's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    Tcp(SocketAddr),
    /// Absolute, or relative to the site.
    Unix(PathBuf),
}

const UNIX: &str = "unix:";

impl FromStr for Listen {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Listen, Self::Err> {
        if let Some(path) = text.strip_prefix(UNIX) {
            let path = Path::new(path);
            let leads_up = path.components().any(|part| part == Component::ParentDir);
            return if path.file_name().is_none() || leads_up {
                Err("a socket is written as \"unix:run/web.sock\", relative to the site")
            } else {
                Ok(Listen::Unix(path.to_owned()))
            };
        }
        let wrong = "an address is written as \"127.0.0.1:8000\" or \"unix:run/web.sock\"";
        let address = match text.parse::<u16>() {
            Ok(port) => SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            Err(_) => text.replace("localhost:", "127.0.0.1:").parse().map_err(|_| wrong)?,
        };
        if address.port() == 0 { Err(wrong) } else { Ok(Listen::Tcp(address)) }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::Tcp(address) => address.fmt(f),
            Listen::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Listen, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    #[test]
    fn an_address_is_a_port_or_a_socket() {
        let of = |text: &str| text.parse::<Listen>().map(|listen| listen.to_string());
        assert_eq!(of("127.0.0.1:8000").unwrap(), "127.0.0.1:8000");
        assert_eq!(of("localhost:8000").unwrap(), "127.0.0.1:8000");
        assert_eq!(of("8000").unwrap(), "127.0.0.1:8000");
        assert_eq!(of("[::1]:8000").unwrap(), "[::1]:8000");
        assert_eq!(of("unix:run/web.sock").unwrap(), "unix:run/web.sock");
        for wrong in ["", "8000x", "0", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:70000", "unix:"] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
        assert!(of("unix:../../tmp/x").is_err());
    }

    #[test]
    fn what_is_not_set_is_the_default() {
        let run = |text: &str| Settings::parse(text).map(|settings| settings.run);
        assert_eq!(run("").unwrap(), Run::default());
        let set = run("[run]\nlisten = '127.0.0.1:8000'\ngrace = '5s'\n").unwrap();
        assert_eq!(set.grace, Duration::from_secs(5));
        assert_eq!(set.hold, Duration::from_secs(10));
    }

    #[test]
    fn every_error_says_what_to_do() {
        let error = |text: &str| Settings::parse(text).unwrap_err().to_string();
        insta::assert_snapshot!(error("[run]\nhealth = 'health'"), @r#"
        health in [run] is not a path
        found: health = "health"
        Write a path that begins with a slash, such as health = "/health"
        "#);
        insta::assert_snapshot!(error("[run]\nlisten = 'here'"), @r#"
        an address is written as "127.0.0.1:8000" or "unix:run/web.sock"
        found: listen = 'here' (line 2)
        Correct that line
        "#);
        insta::assert_snapshot!(error("[run]\ndomains = ['http://a/']"), @r#"
        domains in [run] contains a name that is not a domain
        found: http://a/
        Write names without http:// and ports, such as "shop.example.org"
        "#);
        insta::assert_snapshot!(error("[run.processes]\n'a/b' = 'x'"), @"
        a process in [run.processes] has no valid name
        found: a/b
        Use letters, digits, - and _, such as web or worker
        ");
        insta::assert_snapshot!(error("[run.processes]\nweb = ' '"), @r#"
        the process web has no command
        found: web = ""
        Write its command, or remove the line
        "#);
        insta::assert_snapshot!(error("[run.processes]\nweb = \"a\\u0000\""), @r#"
        the command of the process web has a control character
        found: web = "a\0"
        Remove it
        "#);
        assert!(Settings::parse("[run.processes]\r\nweb = '''\r\n\ta\r\nb'''").is_ok());
        insta::assert_snapshot!(error("[run]\nscale = { web = 0 }"), @"
        web cannot be scaled to 0: nothing would answer visitors
        found: web = 0
        1. Show them a page meanwhile: nyala maintenance on
        2. Or stop the application: nyala stop
        ");
        insta::assert_snapshot!(error("[run]\nscale = { worker = 1000 }"), @"
        too many processes of one name
        found: worker = 1000
        Write a number up to 100
        ");
        insta::assert_snapshot!(error("[run]\nscale = { release = 2 }"), @"
        release cannot be scaled: it runs once in each deployment
        Remove it from scale
        ");
        insta::assert_snapshot!(error("[run]\nscale = { 'a/b' = 2 }"), @"
        scale has a name that no process can have
        found: a/b
        Use the name of a process, such as web or worker
        ");
        insta::assert_snapshot!(error("[run]\nlog_size = 10"), @"
        log_size in [run] is too small
        found: log_size = 10
        Write a number of bytes from 65536 on
        ");
        insta::assert_snapshot!(error("[run]\nlog_files = 0"), @"
        log_files in [run] is out of range
        found: log_files = 0
        Write a number from 1 to 100
        ");
        insta::assert_snapshot!(error("[run]\nlisten = '8000'\nkeep = 2"), @"
        unknown key `keep` in [run]
        It belongs to no table: move the line above the first [table]
        ");
        insta::assert_snapshot!(error("[run]\nport = 1"), @"
        unknown key `port` in [run]
        allowed: listen, health, health_timeout, grace, watch, scale, hold, max_body, log_size, log_files, trusted_proxies, domains, processes
        Remove it, or correct its name
        ");
    }
}
