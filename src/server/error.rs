//! Why a folder has no sites, in words for people.

use std::path::Path;

use crate::user_error::UserError;

pub(super) fn no_root(root: &Path) -> UserError {
    UserError::new(format!("the folder of the sites, {}, cannot be found", root.display()))
        .fix("Ask whoever runs the server to correct --root in authorized_keys")
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
