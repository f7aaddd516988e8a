//! What goes wrong between a command and `nyala serve`, in words for people.

use std::path::Path;
use std::time::Duration;

use crate::text::duration;
use crate::user_error::UserError;

pub(super) const CANNOT_ASK: &str = "nyala serve cannot be asked";

pub(super) const GONE: &str = "nyala serve ended before it answered";

pub(super) const SOMETHING_ELSE: &str = "nyala serve answered something else";

pub(super) fn gone() -> UserError {
    UserError::new(GONE)
        .fix("See why: nyala serve prints it, for example to journalctl")
        .fix("Start it again and deploy again: nyala redeploy")
}

pub(super) fn stopped() -> UserError {
    UserError::new("it was cancelled while the application started")
}

/// It took the question, and says nothing.
pub(super) fn silent(pid: i32, limit: Duration) -> UserError {
    let limit = duration(limit);
    UserError::new(format!("nyala serve (process {pid}) has not answered for {limit}"))
        .found(
            "it hangs, or the machine is overloaded; it may still do later what it was asked to do",
        )
        .fix(format!("See whether it runs, and what it has printed last: ps {pid}; journalctl"))
        .fix(format!("If it hangs, end it: kill -9 {pid}"))
        .fix("Start it again, if nothing does that: nyala serve")
}

/// So many wait to be let in that there is no room for one more.
pub(super) fn lets_nobody_in(site: &Path, limit: Duration) -> UserError {
    let (site, limit) = (site.display(), duration(limit));
    UserError::new(format!("the nyala serve of {site} has not accepted a connection for {limit}"))
        .found("it hangs, or the machine is overloaded")
        .fix("If it hangs, end it and start it again: systemctl restart nyala")
}

/// `user` is who has made the socket.
pub(super) fn of_another_user(site: &Path, user: u32, owner: u32) -> UserError {
    let site = site.display();
    UserError::new(format!("the control socket of {site} is not its owner's"))
        .found(format!("user {user} has made it, and the site belongs to user {owner}"))
        .fix("Restart nyala serve after you change the owner of a site")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_says_what_to_do() {
        insta::assert_snapshot!(gone(), @"
        nyala serve ended before it answered
        1. See why: nyala serve prints it, for example to journalctl
        2. Start it again and deploy again: nyala redeploy
        ");
        insta::assert_snapshot!(silent(4711, Duration::from_secs(10)), @"
        nyala serve (process 4711) has not answered for 10 s
        found: it hangs, or the machine is overloaded; it may still do later what it was asked to do
        1. See whether it runs, and what it has printed last: ps 4711; journalctl
        2. If it hangs, end it: kill -9 4711
        3. Start it again, if nothing does that: nyala serve
        ");
        let (site, limit) = (Path::new("/srv/shop"), Duration::from_secs(10));
        insta::assert_snapshot!(lets_nobody_in(site, limit), @"
        the nyala serve of /srv/shop has not accepted a connection for 10 s
        found: it hangs, or the machine is overloaded
        If it hangs, end it and start it again: systemctl restart nyala
        ");
        insta::assert_snapshot!(of_another_user(site, 1001, 1000), @"
        the control socket of /srv/shop is not its owner's
        found: user 1001 has made it, and the site belongs to user 1000
        Restart nyala serve after you change the owner of a site
        ");
    }
}
