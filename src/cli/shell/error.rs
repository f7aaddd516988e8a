//! What the holder of an ssh key may not do, in words for people.

use crate::user_error::UserError;

/// `reachable` are the names of the sites that an ssh key may reach.
fn with_reachable(error: UserError, reachable: &[String]) -> UserError {
    let names = reachable.join(", ");
    let names = if names.is_empty() { "nothing" } else { &names };
    error.labelled("note", format!("this key may reach: {names}"))
}

pub(super) fn no_shell(reachable: &[String], may_push: bool) -> UserError {
    let error = UserError::new("this account has no shell, only git and nyala");
    let error = with_reachable(error, reachable);
    if !may_push {
        return error.fix("See what is live: ssh HOST status NAME");
    }
    error.fix("Push: git push REMOTE HEAD:main").fix("Or see what is live: ssh HOST status NAME")
}

pub(super) fn may_not_push() -> UserError {
    UserError::new("this key may fetch, but not push")
        .fix("Ask whoever runs the server for a key that may push")
}

/// `right` is the word for `--allow` that a command takes; `None` for one that no key may run.
pub(super) fn may_not_run(
    command: &str,
    right: Option<&str>,
    allowed: &[&str],
    may_push: bool,
) -> UserError {
    let error = UserError::new(format!("this key may not run {}", command.escape_debug()))
        .labelled("allowed", allowed.join(", "));
    match right {
        Some(right) => {
            error.fix(format!("Ask whoever runs the server for a key with {right} in its --allow"))
        }
        None if may_push => error.fix("Deploy with: git push REMOTE HEAD:main"),
        None => error.fix("Ask whoever runs the server to do it"),
    }
}

pub(super) fn which_site(reachable: &[String]) -> UserError {
    with_reachable(UserError::new("which site?"), reachable)
        .fix("Name it after the command: ssh HOST status NAME")
}

pub(super) fn out_of_reach(path: &str, reachable: &[String]) -> UserError {
    let fact = format!("this key cannot reach a site named `{}`", path.escape_debug());
    with_reachable(UserError::new(fact), reachable)
        .fix("Correct the name: git remote set-url REMOTE USER@HOST:NAME")
}

pub(super) fn not_allowed(asked: &str, allowed: &[&str], may_push: bool) -> UserError {
    let git = if may_push { "git push, git fetch" } else { "git fetch" };
    UserError::new(format!("`{}` is not allowed here", asked.escape_debug()))
        .labelled("allowed", format!("{git}, {}", allowed.join(", ")))
        .fix("See what is live: ssh HOST status NAME")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_key_is_told_what_it_may_do() {
        let reachable = ["blog".to_owned(), "shop".to_owned()];
        insta::assert_snapshot!(no_shell(&reachable, true), @"
        this account has no shell, only git and nyala
        note: this key may reach: blog, shop
        1. Push: git push REMOTE HEAD:main
        2. Or see what is live: ssh HOST status NAME
        ");
        insta::assert_snapshot!(may_not_push(), @"
        this key may fetch, but not push
        Ask whoever runs the server for a key that may push
        ");
        insta::assert_snapshot!(may_not_run("restart", Some("restart"), &["list", "show"], true), @"
        this key may not run restart
        allowed: list, show
        Ask whoever runs the server for a key with restart in its --allow
        ");
        insta::assert_snapshot!(may_not_run("gc", None, &["list", "show"], true), @"
        this key may not run gc
        allowed: list, show
        Deploy with: git push REMOTE HEAD:main
        ");
        insta::assert_snapshot!(which_site(&reachable), @"
        which site?
        note: this key may reach: blog, shop
        Name it after the command: ssh HOST status NAME
        ");
        insta::assert_snapshot!(out_of_reach("shpo", &[]), @"
        this key cannot reach a site named `shpo`
        note: this key may reach: nothing
        Correct the name: git remote set-url REMOTE USER@HOST:NAME
        ");
        insta::assert_snapshot!(not_allowed("rm -rf /", &["list", "show"], true), @"
        `rm -rf /` is not allowed here
        allowed: git push, git fetch, list, show
        See what is live: ssh HOST status NAME
        ");
        // Whoever may only read is not told to push.
        for error in [
            no_shell(&reachable, false),
            may_not_run("gc", None, &["list"], false),
            not_allowed("rm -rf /", &["list"], false),
        ] {
            assert!(!error.to_string().contains("git push"), "{error}");
        }
    }
}
