//! Why a report cannot be written, in words for people.

use std::path::Path;

use crate::user_error::UserError;

/// Something that is not what a report needs there: a link, a file, or a folder.
pub(super) fn in_the_way(path: &Path) -> UserError {
    let what = match path.symlink_metadata() {
        Ok(found) if found.is_symlink() => "a link, which is not followed",
        Ok(found) if found.is_dir() => "a folder",
        _ => "a file",
    };
    UserError::new(format!("the report cannot be written to {}", path.display()))
        .found(format!("there is {what}"))
        .fix("Remove it, or name another folder: nyala report --output FOLDER")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_way_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/", folder.path().join("link")).unwrap();
        let error = in_the_way(&folder.path().join("link")).to_string();
        let error = error.replace(folder.path().to_str().unwrap(), "/srv");
        insta::assert_snapshot!(error, @r"
        the report cannot be written to /srv/link
        found: there is a link, which is not followed
        Remove it, or name another folder: nyala report --output FOLDER
        ");
    }
}
