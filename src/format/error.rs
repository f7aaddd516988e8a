//! What is refused because of its version, in words for people.

use std::path::Path;

use super::CURRENT;
use crate::user_error::UserError;

/// A file whose version is `found`.
pub(super) fn newer(file: &Path, found: u64) -> UserError {
    let version = env!("CARGO_PKG_VERSION");
    UserError::new(format!("{} was written by a newer nyala", file.display()))
        .found(format!("its format is {found}; this nyala, {version}, knows {CURRENT}"))
        .fix("Install the newer nyala again, and run this with it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_a_newer_nyala_says_what_to_do() {
        let file = Path::new("/srv/shop/deployments/3/deployment.json");
        let shown = newer(file, 7).to_string().replace(env!("CARGO_PKG_VERSION"), "VERSION");
        insta::assert_snapshot!(shown, @"
        /srv/shop/deployments/3/deployment.json was written by a newer nyala
        found: its format is 7; this nyala, VERSION, knows 1
        Install the newer nyala again, and run this with it
        ");
    }
}
