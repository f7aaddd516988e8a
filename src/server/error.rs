//! Why a folder has no sites, in words for people.

use std::io;
use std::path::Path;

use crate::user_error::UserError;

pub(super) fn no_root(root: &Path) -> UserError {
    UserError::new(format!("the folder of the sites, {}, cannot be found", root.display()))
        .fix("Ask whoever runs the server to correct --root in authorized_keys")
}

/// `why` the folder of the sites cannot be listed.
pub(super) fn cannot_list(root: &Path, why: &io::Error) -> UserError {
    let user = rustix::process::geteuid();
    UserError::new(format!("the folder {} cannot be read: {}", root.display(), why))
        .found(format!("nyala runs as user {user}"))
        .fix("Act as a user who can read it, such as its owner or root")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_key_is_told_whom_to_ask() {
        insta::assert_snapshot!(no_root(Path::new("/srv/sites")), @"
        the folder of the sites, /srv/sites, cannot be found
        Ask whoever runs the server to correct --root in authorized_keys
        ");
    }
}
