//! Why a commit cannot be planned, in words for people. What is wrong with its files is said where
//! they are read.

use crate::python::dependencies::Source;
use crate::user_error::UserError;

/// A commit that tracks a file or folder where nyala links the env. `found` says what it is.
pub(super) fn env_is_tracked(found: &str) -> UserError {
    UserError::new("the tree tracks `env`, the name that nyala links the virtual environment to")
        .found(found)
        .fix("Stop tracking it: git rm -r --cached env")
        .fix("Keep it out of the tree: echo /env >> .gitignore && git add .gitignore")
        .fix("Commit: git commit -m 'Leave env to the server', and push again")
}

pub(super) fn cannot_install_from(installer: &str, source: &Source) -> UserError {
    UserError::new(format!("{installer} cannot install from {source}"))
        .fix("Choose another installer: installer in nyala.toml, or git push -o installer=NAME")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_that_cannot_be_deployed_says_what_to_change() {
        insta::assert_snapshot!(env_is_tracked("a symbolic link"), @"
        the tree tracks `env`, the name that nyala links the virtual environment to
        found: a symbolic link
        1. Stop tracking it: git rm -r --cached env
        2. Keep it out of the tree: echo /env >> .gitignore && git add .gitignore
        3. Commit: git commit -m 'Leave env to the server', and push again
        ");
        let source = Source::RequirementsTxt { path: "requirements.txt".to_owned() };
        insta::assert_snapshot!(cannot_install_from("pip", &source), @"
        pip cannot install from requirements.txt
        Choose another installer: installer in nyala.toml, or git push -o installer=NAME
        ");
    }
}
