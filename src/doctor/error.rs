//! Why a finding was not fixed, in words for people. What is found is said where it is looked for.

use crate::user_error::UserError;

/// `fixes` are what a person can do about the finding.
pub(super) fn left_to_you(fixes: &[String]) -> UserError {
    UserError::new("nyala does not fix this by itself").fixes(fixes)
}

pub(super) fn deployment_is_running() -> UserError {
    UserError::new("a deployment is running, and cleans up when it ends")
        .fix("Watch it: nyala log --follow")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_fixed_says_who_fixes_it() {
        let fixes = ["Stop the application".to_owned(), "Run this again".to_owned()];
        insta::assert_snapshot!(left_to_you(&fixes), @"
        nyala does not fix this by itself
        1. Stop the application
        2. Run this again
        ");
        insta::assert_snapshot!(deployment_is_running(), @"
        a deployment is running, and cleans up when it ends
        Watch it: nyala log --follow
        ");
    }
}
