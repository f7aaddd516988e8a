//! Why a shared path cannot be linked into a release, in words for people.

use std::path::Path;

use crate::site::SharedPath;
use crate::user_error::UserError;

pub(super) fn cannot_be_linked(path: &SharedPath) -> UserError {
    UserError::new(format!("the shared path {path} cannot be linked"))
}

/// A folder above a shared path that is none. `path` is relative to the release.
pub(super) fn not_a_folder(folder: &Path, path: &Path, found: &str) -> UserError {
    UserError::new(format!("{} is {found}, and has to be a folder", folder.display()))
        .fix(format!("Share the whole of it: shared = [\"{}\"] in nyala.toml", path.display()))
        .fix("Or make it a folder, commit, and push again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_cannot_be_shared_says_why() {
        let path = SharedPath::try_from("data/media".to_owned()).unwrap();
        insta::assert_snapshot!(
            cannot_be_linked(&path),
            @"the shared path data/media cannot be linked"
        );
        let folder = Path::new("/srv/shop/releases/8/data");
        insta::assert_snapshot!(not_a_folder(folder, Path::new("data"), "a link"), @r#"
        /srv/shop/releases/8/data is a link, and has to be a folder
        1. Share the whole of it: shared = ["data"] in nyala.toml
        2. Or make it a folder, commit, and push again
        "#);
    }
}
