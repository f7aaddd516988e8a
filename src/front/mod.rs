//! The configuration of a web server in front of a site: it takes the visitors of a domain, and
//! passes their requests on to the site's address.

mod caddy;
mod error;
mod nginx;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::build::custom::in_env;
use crate::build::django::{self, StaticFiles};
use crate::process::Environment;
use crate::site::settings::{Listen, Run, is_domain};
use crate::site::{ENV_LINK, Site};
use crate::user_error::UserError;

/// A web server that nyala can write the configuration of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum WebServer {
    Nginx,
    Caddy,
}

/// What the configuration says.
#[derive(Debug)]
struct Front {
    /// The name of the site's folder.
    name: String,
    root: PathBuf,
    domains: Vec<String>,
    listen: Listen,
    max_body: u64,
    static_files: Option<StaticFiles>,
    /// What else there is to know, for a comment.
    notes: Vec<String>,
}

/// The configuration of a web server for a site, with comments that say where it goes. Without
/// `domains`, those of the settings are used. Asks Django for its static files, and so runs code of
/// the live release.
pub fn configuration(site: &Site, server: WebServer, domains: &[String]) -> Result<String> {
    let run = site.settings()?.run;
    let front = Front::of(site, run, domains)?;
    Ok(match server {
        WebServer::Nginx => nginx::configuration(&front),
        WebServer::Caddy => caddy::configuration(&front),
    })
}

impl Front {
    fn of(site: &Site, run: Run, domains: &[String]) -> Result<Front> {
        let known = run.domains.clone();
        let domains = if domains.is_empty() { known.clone() } else { domains.to_vec() };
        if domains.is_empty() {
            bail!(error::no_domain());
        }
        if let Some(wrong) = domains.iter().find(|domain| !is_domain(domain)) {
            bail!(error::not_a_domain(wrong));
        }
        let Some(listen) = run.listen else { bail!(error::no_address(&site.settings_file())) };
        let listen = match listen {
            Listen::Unix(path) => Listen::Unix(site.root().join(path)),
            Listen::Tcp(address) => Listen::Tcp(reachable(address)),
        };
        let mut notes = Vec::new();
        if let Some(unknown) = domains.iter().find(|domain| !known.contains(domain)) {
            notes.push(format!(
                "Write domains = [\"{unknown}\"] under [run] in nyala.toml, so that health checks \
                 ask for it."
            ));
        }
        let static_files = static_files(site).unwrap_or_else(|why| {
            notes.push(format!("Static files are left to the application: {why}."));
            None
        });
        let front = Front {
            name: site.name().into_owned(),
            root: site.root().to_owned(),
            domains,
            listen,
            max_body: run.max_body,
            static_files,
            notes,
        };
        for path in front.paths() {
            if !path.to_str().is_some_and(is_plain) {
                bail!(error::not_writable(path));
            }
        }
        Ok(front)
    }

    /// Every path that is written into the configuration.
    fn paths(&self) -> impl Iterator<Item = &Path> {
        let socket = match &self.listen {
            Listen::Unix(path) => Some(path.as_path()),
            Listen::Tcp(_) => None,
        };
        let files = self.static_files.iter().map(|files| files.root.as_path());
        [self.root.as_path()].into_iter().chain(socket).chain(files)
    }

    /// The comment that it begins with: what it is, what to do with it, and the notes.
    fn comment(&self, server: &str, steps: &[String]) -> String {
        let title = format!("{}: {server} in front of {}", self.domains[0], self.root.display());
        let lines = [title, String::new()].into_iter().chain(steps.iter().cloned());
        let more = (!self.notes.is_empty()).then(String::new);
        let lines = lines.chain(more).chain(self.notes.iter().cloned());
        lines.map(|line| format!("# {line}").trim_end().to_owned() + "\n").collect()
    }

    /// How this was asked for.
    fn command(&self, server: &str) -> String {
        let domains: Vec<_> = self.domains.iter().map(|it| format!("--domain {it}")).collect();
        let root = self.root.to_string_lossy();
        let site = shlex::try_quote(&root).unwrap_or_default().into_owned();
        format!("nyala proxy {server} {} --site {site}", domains.join(" "))
    }
}

/// Where a server of this machine connects to an address: one that stands for all of the machine's
/// cannot be connected to everywhere.
fn reachable(mut address: std::net::SocketAddr) -> std::net::SocketAddr {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

/// A path, or the address of a socket by its path, as both configurations have it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    if text.contains(char::is_whitespace) { format!("\"{text}\"") } else { text }
}

/// Whether a path means itself in both configurations once it is quoted.
fn is_plain(path: &str) -> bool {
    !path.contains(|it: char| it.is_control() || "\"'`\\${};#".contains(it))
}

/// Django's static files in what is live, wherever that is; `None` when there are none. The error
/// says in words why they are not known.
fn static_files(site: &Site) -> Result<Option<StaticFiles>, String> {
    let told = |error: anyhow::Error| UserError::of(&error).fact;
    let Some(live) = site.live().map_err(told)? else { return Ok(None) };
    let Some(record) = site.record(live).map_err(told)? else { return Ok(None) };
    let release = site.release(live);
    let folder = django::manage_folder(&release, record.manage_folders.as_deref())
        .map(|folder| release.join(folder))
        .filter(|folder| folder.join(django::MANAGE).is_file());
    let env = release.join(ENV_LINK);
    let Some(folder) = folder.filter(|_| django::is_in(&env)) else { return Ok(None) };
    let app_settings = site.app_settings().map_err(told)?;
    let environment = Environment::clean().with_app_settings(app_settings.iter());
    let found =
        django::static_files(&env.join("bin/python"), &folder, &in_env(environment, &release))
            .map_err(|error| told(error.into()))?;
    Ok(found.and_then(|found| served(found, &release, &site.wwwroot())))
}

/// The same files by the link that moves, where they are in the release; `None` when a web server
/// cannot serve them, since they are on another machine or everywhere.
fn served(files: StaticFiles, release: &Path, wwwroot: &Path) -> Option<StaticFiles> {
    let StaticFiles { url, root } = files;
    let url = format!("/{}/", url.trim_matches('/'));
    let is_path = url.len() > 2
        && !url.contains("//")
        && url.chars().all(|it| it.is_ascii_alphanumeric() || "/-_.~".contains(it));
    let root = match root.strip_prefix(release) {
        Ok(inside) => wwwroot.join(inside),
        Err(_) => root,
    };
    is_path.then_some(StaticFiles { url, root })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A site with static files at a port, or without and at a socket.
    pub(super) fn front(has_static_files: bool) -> Front {
        let files = StaticFiles { url: "/static/".into(), root: "/srv/my shop/wwwroot/st".into() };
        Front {
            name: "shop".to_owned(),
            root: "/srv/shop".into(),
            domains: vec!["shop.example.org".to_owned(), "www.example.org".to_owned()],
            listen: if has_static_files {
                "8000".parse().unwrap()
            } else {
                Listen::Unix("/srv/shop/run/web.sock".into())
            },
            max_body: if has_static_files { 2 << 30 } else { 1000 },
            static_files: has_static_files.then_some(files),
            notes: vec!["A note.".to_owned()],
        }
    }

    #[test]
    fn static_files_of_a_release_are_served_by_the_link() {
        let of = |url: &str, root: &str| {
            let files = StaticFiles { url: url.to_owned(), root: root.into() };
            served(files, Path::new("/srv/shop/releases/7"), Path::new("/srv/shop/wwwroot"))
                .map(|files| format!("{} {}", files.url, files.root.display()))
        };
        let inside = of("/static/", "/srv/shop/releases/7/web/static");
        assert_eq!(inside.unwrap(), "/static/ /srv/shop/wwwroot/web/static");
        assert_eq!(of("static", "/srv/static").unwrap(), "/static/ /srv/static");
        for url in ["", "/", "https://cdn.example.org/static/", "/a b/", "/{x}/"] {
            assert_eq!(of(url, "/srv/static"), None, "{url}");
        }
    }

    #[test]
    fn an_address_of_the_whole_machine_is_reached_on_this_machine() {
        let of = |text: &str| reachable(text.parse().unwrap()).to_string();
        assert_eq!(of("0.0.0.0:8000"), "127.0.0.1:8000");
        assert_eq!(of("[::]:8000"), "[::1]:8000");
        assert_eq!(of("10.0.0.1:8000"), "10.0.0.1:8000");
    }
}
