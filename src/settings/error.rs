//! What is wrong with the settings of a deployment, in words for people.

use crate::text::excerpt;
use crate::user_error::UserError;

/// The value may be a secret that was set by mistake, so it is not shown.
pub(super) fn wrong_app_setting(name: &str, allowed: &str) -> UserError {
    UserError::new(format!("the app setting {name} is wrong: it should be {allowed}"))
        .fix(format!("Set it: nyala config set {name}=…"))
}

pub(super) fn wrong_in_deployment_file(key: &str, value: &str, allowed: &str) -> UserError {
    UserError::new(format!("{key} in .deployment is wrong: it should be {allowed}"))
        .found(format!("`{}`", excerpt(value)))
        .fix("Correct it, commit, and push again")
}

pub(super) fn deployment_file_not_utf8() -> UserError {
    UserError::new(".deployment is not UTF-8 text")
        .fix("Save it as UTF-8; in PowerShell: Set-Content -Encoding utf8 .deployment '…'")
        .fix("Commit, and push again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_setting_says_what_is_right() {
        insta::assert_snapshot!(wrong_app_setting("DISABLE_COLLECTSTATIC", "0 or 1"), @"
        the app setting DISABLE_COLLECTSTATIC is wrong: it should be 0 or 1
        Set it: nyala config set DISABLE_COLLECTSTATIC=…
        ");
        insta::assert_snapshot!(wrong_in_deployment_file("timeout", "so\u{1b}on", "seconds"), @r"
        timeout in .deployment is wrong: it should be seconds
        found: `so\u{1b}on`
        Correct it, commit, and push again
        ");
        insta::assert_snapshot!(deployment_file_not_utf8(), @"
        .deployment is not UTF-8 text
        1. Save it as UTF-8; in PowerShell: Set-Content -Encoding utf8 .deployment '…'
        2. Commit, and push again
        ");
    }
}
