//! What goes wrong between a command and `nyala serve`, in words for people.

use crate::user_error::UserError;

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

#[cfg(test)]
mod tests {
    #[test]
    fn every_error_says_what_to_do() {
        insta::assert_snapshot!(super::gone(), @"
        nyala serve ended before it answered
        1. See why: nyala serve prints it, for example to journalctl
        2. Start it again and deploy again: nyala redeploy
        ");
    }
}
