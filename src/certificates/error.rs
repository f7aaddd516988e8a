//! What is wrong with a file of certificates, in words for people.

use std::path::Path;

use crate::user_error::UserError;

/// `name` is the setting that names the file.
pub(super) fn unreadable(file: &Path, name: &str) -> UserError {
    UserError::new(format!("the certificates in {} ({name}) cannot be read", file.display()))
        .fix(format!("Correct {name}, or unset it to trust Mozilla's: nyala config unset {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_says_what_to_do() {
        insta::assert_snapshot!(unreadable(Path::new("/srv/ca.pem"), "SSL_CERT_FILE"), @"
        the certificates in /srv/ca.pem (SSL_CERT_FILE) cannot be read
        Correct SSL_CERT_FILE, or unset it to trust Mozilla's: nyala config unset SSL_CERT_FILE
        ");
    }
}
