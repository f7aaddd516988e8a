//! Why processes cannot be scaled, in words for people.

use crate::user_error::UserError;

/// `known` are the processes of what is live.
pub(super) fn no_process_to_scale(name: &str, known: &[String]) -> UserError {
    UserError::new(format!("the application has no process {}", name.escape_debug()))
        .labelled("allowed", known.join(", "))
        .fix("Use one of these names, or add the process to the Procfile and push")
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_error_says_what_to_do() {
        let known = ["web".to_owned(), "worker".to_owned()];
        insta::assert_snapshot!(super::no_process_to_scale("wroker", &known), @"
        the application has no process wroker
        allowed: web, worker
        Use one of these names, or add the process to the Procfile and push
        ");
    }
}
