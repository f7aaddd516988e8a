//! What cannot be done to an env, in words for people.

use crate::user_error::UserError;

pub(super) fn cannot_uninstall() -> UserError {
    UserError::new("what is not required could not be uninstalled")
        .fix("Let the next deployment make a new env: git push -o rebuild-env")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_env_that_cannot_be_pruned_is_replaced() {
        insta::assert_snapshot!(cannot_uninstall(), @"
        what is not required could not be uninstalled
        Let the next deployment make a new env: git push -o rebuild-env
        ");
    }
}
