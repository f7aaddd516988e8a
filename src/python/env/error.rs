//! What cannot be done to an env, in words for people.

use std::path::Path;

use crate::user_error::UserError;

pub(super) fn cannot_uninstall() -> UserError {
    UserError::new("what is not required could not be uninstalled")
        .fix("Let the next deployment make a new env: git push -o rebuild-env")
}

/// `key` is a setting of distutils in `file`.
pub(super) fn installs_elsewhere(file: &Path, key: &str) -> UserError {
    UserError::new("pip would install elsewhere than into the environment")
        .found(format!("{key} in {}", file.display()))
        .fix("Remove that line, or use Python 3.10 or newer, which does not read it")
}

pub(super) fn not_installed(missing: &[String]) -> UserError {
    UserError::new("pip reports success, but the environment lacks what it was to install")
        .found(missing.join(", "))
        .fix("See pip's output above for where it was installed, and remove the setting behind it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_installed_elsewhere_is_named() {
        insta::assert_snapshot!(installs_elsewhere(Path::new("setup.cfg"), "install_lib"), @"
        pip would install elsewhere than into the environment
        found: install_lib in setup.cfg
        Remove that line, or use Python 3.10 or newer, which does not read it
        ");
        insta::assert_snapshot!(not_installed(&["flask".to_owned(), "six".to_owned()]), @"
        pip reports success, but the environment lacks what it was to install
        found: flask, six
        See pip's output above for where it was installed, and remove the setting behind it
        ");
    }

    #[test]
    fn an_env_that_cannot_be_pruned_is_replaced() {
        insta::assert_snapshot!(cannot_uninstall(), @"
        what is not required could not be uninstalled
        Let the next deployment make a new env: git push -o rebuild-env
        ");
    }
}
