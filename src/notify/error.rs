//! Why an action or a webhook failed, in words for people. The deployment is not affected.

use std::path::Path;

use crate::user_error::UserError;

pub(super) fn failed(host: &str) -> UserError {
    UserError::new(format!("the webhook to {host} failed"))
}

/// `name` is the app setting that `secret` of a webhook names.
pub(super) fn no_secret(name: &str) -> UserError {
    UserError::new(format!("the app setting {name}, its signing secret, is not set"))
        .fix(format!("Set it: nyala config set {name}=…"))
}

/// The receiver does not want it, now or later.
pub(super) fn refused(status: u16) -> UserError {
    UserError::new(format!("HTTP {status}"))
        .fix("Check url and secret of the [[webhook]] in nyala.toml")
}

pub(super) fn gave_up(failure: &str, tries: u32) -> UserError {
    let s = if tries == 1 { "" } else { "s" };
    UserError::new(format!("{failure} (after {tries} attempt{s})"))
        .fix("Check that its receiver is running, and that url of the [[webhook]] is right")
}

pub(super) fn not_executable(action: &Path, name: &str) -> UserError {
    UserError::new(format!("{name} was not run: it is not executable"))
        .fix(format!("Make it executable: chmod +x {}", action.display()))
}

pub(super) fn action_failed() -> UserError {
    UserError::new("the post-deployment action failed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_to_check() {
        insta::assert_snapshot!(
            failed("https://hooks.example.org").because(&refused(404).into()),
            @"
        the webhook to https://hooks.example.org failed: HTTP 404
        Check url and secret of the [[webhook]] in nyala.toml
        ");
        insta::assert_snapshot!(no_secret("HOOK_SECRET"), @"
        the app setting HOOK_SECRET, its signing secret, is not set
        Set it: nyala config set HOOK_SECRET=…
        ");
        insta::assert_snapshot!(gave_up("HTTP 503", 1), @"
        HTTP 503 (after 1 attempt)
        Check that its receiver is running, and that url of the [[webhook]] is right
        ");
        insta::assert_snapshot!(gave_up("timeout: global", 4), @"
        timeout: global (after 4 attempts)
        Check that its receiver is running, and that url of the [[webhook]] is right
        ");
    }

    #[test]
    fn an_action_that_failed_says_which_and_why() {
        let action = Path::new("/srv/shop/actions/10-tell");
        insta::assert_snapshot!(not_executable(action, "10-tell"), @"
        10-tell was not run: it is not executable
        Make it executable: chmod +x /srv/shop/actions/10-tell
        ");
        let why = anyhow::anyhow!("10-tell exited with status 1");
        insta::assert_snapshot!(
            action_failed().because(&why),
            @"the post-deployment action failed: 10-tell exited with status 1"
        );
    }
}
