//! Why a site cannot have its address, in words for people.

use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use crate::process::{self, Listener};
use crate::serve::taken;
use crate::site::Site;
use crate::site::settings::Listen;
use crate::user_error::UserError;

/// Who has an address that is taken is looked for.
pub(in crate::serve) fn cannot_listen(site: &Site, listen: &Listen, cause: &Error) -> UserError {
    let holder = match listen {
        Listen::Tcp(address) if cause.kind() == ErrorKind::AddrInUse => {
            process::listener(*address).and_then(|listener| Holder::of(listener, site, listen))
        }
        Listen::Tcp(_) | Listen::Unix(_) => None,
    };
    cannot_have(listen, cause, holder)
}

/// Who has an address.
enum Holder {
    /// A site of this nyala serve.
    Site(PathBuf),
    /// Another nyala serve, and the sites that name the address.
    Serve(u32, Vec<PathBuf>),
    Process(Listener),
}

impl Holder {
    fn of(listener: Listener, site: &Site, listen: &Listen) -> Option<Holder> {
        if listener.pid == std::process::id() {
            return taken::other_at(site, listen).map(Holder::Site);
        }
        Some(if listener.name == "nyala" {
            Holder::Serve(listener.pid, taken::sites_beside(site, listen))
        } else {
            Holder::Process(listener)
        })
    }
}

fn cannot_have(listen: &Listen, cause: &Error, holder: Option<Holder>) -> UserError {
    let error = UserError::new(format!("cannot listen on {listen}: {cause}"));
    match cause.kind() {
        ErrorKind::AddrInUse => match holder {
            Some(Holder::Site(other)) => of_another_site(error, &other),
            // It may serve other sites, and a service would be back at once.
            Some(Holder::Serve(pid, sites)) => {
                let sites: Vec<_> = sites.iter().map(|site| site.display().to_string()).collect();
                let sites = (!sites.is_empty()).then(|| format!(" for {}", sites.join(" or ")));
                let sites = sites.unwrap_or_default();
                error
                    .found(format!("another nyala serve (process {pid}) has that address{sites}"))
                    .fix("Change listen under [run] in nyala.toml to a free port")
            }
            Some(Holder::Process(listener)) => error
                .found(format!("{listener} listens there"))
                .fix(format!("End that process: kill {}", listener.pid))
                .fix("Or change listen under [run] in nyala.toml to a free port"),
            None => error
                .fix("See who has it, as root: ss -ltnp")
                .fix("Or change listen under [run] in nyala.toml to a free port"),
        },
        ErrorKind::PermissionDenied => {
            error.fix("Change listen under [run] in nyala.toml to a port above 1023")
        }
        ErrorKind::AddrNotAvailable => {
            error.fix("Change listen under [run] in nyala.toml to an address of this machine")
        }
        _ => error.fix("Change listen under [run] in nyala.toml"),
    }
}

fn of_another_site(error: UserError, other: &Path) -> UserError {
    error
        .found(format!("the site {} has that address", other.display()))
        .fix("Change listen under [run] in the nyala.toml of one of them")
}

/// `other` is the process that listens there; 0 where it lets nobody in. It may do so for a `site`
/// of this nyala serve.
pub(in crate::serve) fn socket_is_taken(
    listen: &Listen,
    other: i32,
    site: Option<&Path>,
) -> UserError {
    if let Some(site) = site {
        return of_another_site(UserError::new(format!("cannot listen on {listen}")), site);
    }
    let who = if other == 0 { "a process".to_owned() } else { format!("process {other}") };
    UserError::new(format!("cannot listen on {listen}: {who} listens there already"))
        .fix("End that process, or change listen under [run] in nyala.toml")
}

pub(in crate::serve) fn not_a_socket(path: &Path) -> UserError {
    UserError::new(format!("{} is there, and is not a socket", path.display()))
        .fix("Remove it, or change listen under [run] in nyala.toml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_says_what_to_do() {
        let tcp: Listen = "127.0.0.1:80".parse().unwrap();
        let taken = |holder| cannot_have(&tcp, &ErrorKind::AddrInUse.into(), holder);
        let other = Listener { pid: 4711, name: "gunicorn".to_owned() };
        insta::assert_snapshot!(taken(Some(Holder::Process(other))), @"
        cannot listen on 127.0.0.1:80: address in use
        found: gunicorn (process 4711) listens there
        1. End that process: kill 4711
        2. Or change listen under [run] in nyala.toml to a free port
        ");
        insta::assert_snapshot!(taken(Some(Holder::Serve(4711, vec![]))), @"
        cannot listen on 127.0.0.1:80: address in use
        found: another nyala serve (process 4711) has that address
        Change listen under [run] in nyala.toml to a free port
        ");
        let sites = vec!["/srv/blog".into(), "/srv/news".into()];
        insta::assert_snapshot!(taken(Some(Holder::Serve(4711, sites))), @"
        cannot listen on 127.0.0.1:80: address in use
        found: another nyala serve (process 4711) has that address for /srv/blog or /srv/news
        Change listen under [run] in nyala.toml to a free port
        ");
        insta::assert_snapshot!(taken(Some(Holder::Site("/srv/blog".into()))), @"
        cannot listen on 127.0.0.1:80: address in use
        found: the site /srv/blog has that address
        Change listen under [run] in the nyala.toml of one of them
        ");
        insta::assert_snapshot!(taken(None), @"
        cannot listen on 127.0.0.1:80: address in use
        1. See who has it, as root: ss -ltnp
        2. Or change listen under [run] in nyala.toml to a free port
        ");
        insta::assert_snapshot!(cannot_have(&tcp, &ErrorKind::PermissionDenied.into(), None), @"
        cannot listen on 127.0.0.1:80: permission denied
        Change listen under [run] in nyala.toml to a port above 1023
        ");
        insta::assert_snapshot!(cannot_have(&tcp, &ErrorKind::AddrNotAvailable.into(), None), @"
        cannot listen on 127.0.0.1:80: address not available
        Change listen under [run] in nyala.toml to an address of this machine
        ");
        let unix: Listen = "unix:run/web.sock".parse().unwrap();
        insta::assert_snapshot!(socket_is_taken(&unix, 4711, None), @"
        cannot listen on unix:run/web.sock: process 4711 listens there already
        End that process, or change listen under [run] in nyala.toml
        ");
        let blog = Some(Path::new("/srv/blog"));
        insta::assert_snapshot!(socket_is_taken(&unix, 4711, blog), @"
        cannot listen on unix:run/web.sock
        found: the site /srv/blog has that address
        Change listen under [run] in the nyala.toml of one of them
        ");
        insta::assert_snapshot!(not_a_socket(Path::new("/srv/shop")), @"
        /srv/shop is there, and is not a socket
        Remove it, or change listen under [run] in nyala.toml
        ");
    }
}
