//! What keeps a submodule from being checked out, in words for people.

use super::{DEEPEST, DISABLED};
use crate::user_error::UserError;

/// Submodules that contain themselves, or nearly so. `folder` is where it was noticed.
pub(super) fn too_deep(folder: &str) -> UserError {
    UserError::new(format!("submodules are nested more than {DEEPEST} deep"))
        .found(folder)
        .fix("Remove the submodule that contains itself: git rm PATH, in its repository")
        .fix(without())
}

/// `path` is relative to the release, and escaped.
pub(super) fn cannot_be_checked_out(path: &str) -> UserError {
    UserError::new(format!("the submodule {path} cannot be checked out"))
}

/// `path` is relative to the release, and escaped.
pub(super) fn cannot_be_read(path: &str) -> UserError {
    UserError::new(format!("the submodule {path} cannot be read"))
}

pub(super) fn cannot_be_fetched(url: &str) -> UserError {
    let quoted = shlex::try_quote(url).unwrap_or_default();
    UserError::new(format!("{url} cannot be fetched"))
        .fix(format!("Let the site's user read it; to test that: git ls-remote {quoted}"))
        .fix(without())
}

pub(super) fn no_commit(url: &str, commit: &str) -> UserError {
    UserError::new(format!("{url} does not have commit {commit}"))
        .fix("Push it there: git push --recurse-submodules=on-demand")
}

/// `found` is the address as `.gitmodules` has it, and `problem` continues "its address".
pub(super) fn wrong_address(problem: &str, found: &str) -> UserError {
    let error = UserError::new(format!("its address in .gitmodules {problem}"));
    let error =
        if found.is_empty() { error } else { error.found(found.escape_debug().to_string()) };
    error.fix(
        "Correct it: git submodule set-url PATH ADDRESS, then commit .gitmodules and push again",
    )
}

fn without() -> String {
    format!("Or deploy without submodules: nyala config set {DISABLED}=1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_submodules_say_what_to_do() {
        insta::assert_snapshot!(too_deep("a/b"), @"
        submodules are nested more than 16 deep
        found: a/b
        1. Remove the submodule that contains itself: git rm PATH, in its repository
        2. Or deploy without submodules: nyala config set SCM_DISABLE_SUBMODULES=1
        ");
        insta::assert_snapshot!(
            cannot_be_checked_out("vendor/lib"),
            @"the submodule vendor/lib cannot be checked out"
        );
        insta::assert_snapshot!(
            cannot_be_read("vendor/lib"),
            @"the submodule vendor/lib cannot be read"
        );
        insta::assert_snapshot!(cannot_be_fetched("/srv/my lib.git"), @"
        /srv/my lib.git cannot be fetched
        1. Let the site's user read it; to test that: git ls-remote '/srv/my lib.git'
        2. Or deploy without submodules: nyala config set SCM_DISABLE_SUBMODULES=1
        ");
        insta::assert_snapshot!(no_commit("https://host/lib.git", &"1".repeat(40)), @"
        https://host/lib.git does not have commit 1111111111111111111111111111111111111111
        Push it there: git push --recurse-submodules=on-demand
        ");
        insta::assert_snapshot!(wrong_address("is empty", ""), @"
        its address in .gitmodules is empty
        Correct it: git submodule set-url PATH ADDRESS, then commit .gitmodules and push again
        ");
        insta::assert_snapshot!(wrong_address("has a control character", "a\nb"), @r"
        its address in .gitmodules has a control character
        found: a\nb
        Correct it: git submodule set-url PATH ADDRESS, then commit .gitmodules and push again
        ");
    }
}
