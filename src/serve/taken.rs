//! Which site has an address that another one wants.

use std::cell::RefCell;
use std::path::PathBuf;

use crate::process;
use crate::server::Server;
use crate::site::Site;
use crate::site::settings::Listen;

thread_local! {
    /// Where the sites of this process listen; the paths of sockets are absolute.
    static TAKEN: RefCell<Vec<(Listen, PathBuf)>> = const { RefCell::new(Vec::new()) };
}

/// An address that a site has until this is dropped.
#[derive(Debug)]
pub(super) struct Taken(Listen);

impl Taken {
    pub(super) fn by(site: &Site, listen: &Listen) -> Taken {
        let listen = absolute(site, listen);
        TAKEN.with_borrow_mut(|taken| taken.push((listen.clone(), site.root().to_owned())));
        Taken(listen)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        TAKEN.with_borrow_mut(|taken| {
            if let Some(at) = taken.iter().position(|(listen, _)| *listen == self.0) {
                taken.remove(at);
            }
        });
    }
}

/// Another site of this process that is in the way of an address, as one at `0.0.0.0:8000` is in
/// the way of `127.0.0.1:8000`.
pub(super) fn other_at(site: &Site, wanted: &Listen) -> Option<PathBuf> {
    let wanted = absolute(site, wanted);
    TAKEN.with_borrow(|taken| {
        let mut others = taken.iter().filter(|(_, other)| other != site.root());
        others.find(|(listen, _)| meet(listen, &wanted)).map(|(_, other)| other.clone())
    })
}

/// The sites beside one that are to listen at the same address. Others may serve them.
pub(super) fn sites_beside(site: &Site, wanted: &Listen) -> Vec<PathBuf> {
    let beside = site.root().parent().and_then(|folder| Server::sites_at(folder).ok());
    let is_there = |other: &Site| {
        let listen = other.settings().ok().and_then(|settings| settings.run.listen);
        other.root() != site.root() && listen.is_some_and(|listen| meet(&listen, wanted))
    };
    let found = beside.unwrap_or_default().into_iter().filter(is_there);
    found.map(|other| other.root().to_owned()).collect()
}

fn absolute(site: &Site, listen: &Listen) -> Listen {
    match listen {
        Listen::Tcp(_) => listen.clone(),
        Listen::Unix(path) => Listen::Unix(site.root().join(path)),
    }
}

fn meet(one: &Listen, other: &Listen) -> bool {
    match (one, other) {
        (Listen::Tcp(one), Listen::Tcp(other)) => process::meet(*one, *other),
        (one, other) => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_the_way_of_another_one() {
        let meet = |one: &str, other: &str| meet(&one.parse().unwrap(), &other.parse().unwrap());
        assert!(meet("127.0.0.1:8000", "8000"));
        assert!(meet("0.0.0.0:8000", "8000") && meet("8000", "[::]:8000"));
        assert!(!meet("8000", "8001") && !meet("8000", "127.0.0.2:8000"));
        assert!(meet("unix:/run/a.sock", "unix:/run/a.sock"));
        assert!(!meet("unix:/run/a.sock", "unix:/run/b.sock") && !meet("unix:/run/a.sock", "8000"));
    }
}
