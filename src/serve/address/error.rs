//! Why a site cannot have its address, in words for people.

use std::io::{Error, ErrorKind};
use std::path::Path;

use crate::process::{self, Listener};
use crate::site::settings::Listen;
use crate::user_error::UserError;

/// Who has an address that is taken is looked for.
pub(in crate::serve) fn cannot_listen(listen: &Listen, cause: &Error) -> UserError {
    let listener = match listen {
        Listen::Tcp(address) if cause.kind() == ErrorKind::AddrInUse => process::listener(*address),
        Listen::Tcp(_) | Listen::Unix(_) => None,
    };
    cannot_have(listen, cause, listener.as_ref())
}

fn cannot_have(listen: &Listen, cause: &Error, listener: Option<&Listener>) -> UserError {
    let error = UserError::new(format!("cannot listen on {listen}: {cause}"));
    match cause.kind() {
        ErrorKind::AddrInUse => match listener {
            Some(listener) if listener.pid == std::process::id() => error
                .found("another site of this nyala serve has that address")
                .fix("Change listen under [run] in the nyala.toml of one of them to a free port"),
            // It may serve other sites, and a service would be back at once.
            Some(Listener { pid, name }) if name == "nyala" => error
                .found(format!("another nyala serve (process {pid}) has that address"))
                .fix("Change listen under [run] in nyala.toml to a free port"),
            Some(listener) => error
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

/// `other` is the process that listens there; 0 where it lets nobody in.
pub(in crate::serve) fn socket_is_taken(listen: &Listen, other: i32) -> UserError {
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
        let other = Listener { pid: 4711, name: "gunicorn".to_owned() };
        insta::assert_snapshot!(cannot_have(&tcp, &ErrorKind::AddrInUse.into(), Some(&other)), @"
        cannot listen on 127.0.0.1:80: address in use
        found: gunicorn (process 4711) listens there
        1. End that process: kill 4711
        2. Or change listen under [run] in nyala.toml to a free port
        ");
        let serve = Listener { name: "nyala".to_owned(), ..other.clone() };
        insta::assert_snapshot!(cannot_have(&tcp, &ErrorKind::AddrInUse.into(), Some(&serve)), @"
        cannot listen on 127.0.0.1:80: address in use
        found: another nyala serve (process 4711) has that address
        Change listen under [run] in nyala.toml to a free port
        ");
        let own = Listener { pid: std::process::id(), ..other };
        insta::assert_snapshot!(cannot_have(&tcp, &ErrorKind::AddrInUse.into(), Some(&own)), @"
        cannot listen on 127.0.0.1:80: address in use
        found: another site of this nyala serve has that address
        Change listen under [run] in the nyala.toml of one of them to a free port
        ");
        insta::assert_snapshot!(cannot_have(&tcp, &ErrorKind::AddrInUse.into(), None), @"
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
        insta::assert_snapshot!(socket_is_taken(&unix, 4711), @"
        cannot listen on unix:run/web.sock: process 4711 listens there already
        End that process, or change listen under [run] in nyala.toml
        ");
        insta::assert_snapshot!(not_a_socket(Path::new("/srv/shop")), @"
        /srv/shop is there, and is not a socket
        Remove it, or change listen under [run] in nyala.toml
        ");
    }
}
