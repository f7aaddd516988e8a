//! A path of the setting `shared`: relative, inside the release, and nobody else's.

use std::fmt;
use std::path::Path;

use serde::Deserialize;

use super::{ENV_LINK, error};
use crate::user_error::UserError;

/// A path in the release that lives in `SITE/shared` and outlasts releases.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub struct SharedPath {
    path: String,
    is_folder: bool,
}

impl SharedPath {
    /// The path, relative to the release and to `SITE/shared`, without a slash at its end.
    pub fn path(&self) -> &Path {
        Path::new(&self.path)
    }

    /// Whether it is made as an empty folder when nobody has it: written with a slash at its end,
    /// or without a dot in its name. Whatever else it is, the application makes it.
    pub fn is_folder(&self) -> bool {
        self.is_folder
    }

    /// The folders above it inside the release, outermost first.
    pub fn folders_above(&self) -> impl Iterator<Item = &Path> {
        let above: Vec<_> =
            self.path().ancestors().skip(1).filter(|path| !path.as_os_str().is_empty()).collect();
        above.into_iter().rev()
    }

    /// Reads a path. Fails when it leads out of the release, or to something that is not the
    /// application's.
    pub fn parse(text: &str) -> Result<SharedPath, UserError> {
        let path = text.strip_suffix('/').unwrap_or(text);
        let cannot = |why: &str| Err(error::not_shareable(text, why));
        if path.starts_with('/') {
            return cannot("it is absolute");
        }
        if path.is_empty() || path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return cannot("it does not stay inside the release");
        }
        if path.chars().any(char::is_control) {
            return cannot("it has a control character");
        }
        if path.split('/').any(|part| part.eq_ignore_ascii_case(".git"))
            || path.split('/').next() == Some(ENV_LINK)
        {
            return cannot("env and .git are not the application's");
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        Ok(SharedPath {
            path: path.to_owned(),
            is_folder: text.ends_with('/') || !name.contains('.'),
        })
    }
}

/// Fails when one of the paths is inside another, or is there twice: a link cannot be in what a
/// link leads to.
pub(super) fn check_apart(paths: &[SharedPath]) -> Result<(), UserError> {
    for (at, path) in paths.iter().enumerate() {
        for other in &paths[..at] {
            if path == other {
                return Err(error::shared_twice(&path.path));
            }
            if path.path().starts_with(other.path()) || other.path().starts_with(path.path()) {
                return Err(error::shared_in_shared(&other.path, &path.path));
            }
        }
    }
    Ok(())
}

impl TryFrom<String> for SharedPath {
    type Error = UserError;

    fn try_from(text: String) -> Result<SharedPath, UserError> {
        SharedPath::parse(&text)
    }
}

impl fmt::Display for SharedPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_inside_the_release_are_paths() {
        for good in ["media", "data/db.sqlite3", "a b", "..a", "environment", "x/env"] {
            assert_eq!(SharedPath::parse(good).unwrap().to_string(), good);
        }
        for bad in [
            "", "/", "/etc", "..", "a/../..", "a//b", "./a", "a/.", "env", "env/lib", ".git",
            "a/.GIT/b", "a\nb",
        ] {
            assert!(SharedPath::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_name_without_a_dot_is_a_folder_unless_somebody_says_so() {
        let is_folder = |text| SharedPath::parse(text).unwrap().is_folder();
        assert!(is_folder("media") && is_folder("a.b/media") && is_folder("data.d/"));
        assert!(!is_folder("db.sqlite3") && !is_folder(".env"));
    }

    #[test]
    fn none_is_inside_another() {
        let check = |paths: &[&str]| {
            let paths: Vec<_> = paths.iter().map(|path| SharedPath::parse(path).unwrap()).collect();
            check_apart(&paths)
        };
        check(&["media", "media2", "data/a", "data/b"]).unwrap();
        for wrong in [["media", "media/"], ["media", "media/x"], ["a/b/c", "a"]] {
            assert!(check(&wrong).is_err(), "{wrong:?}");
        }
    }
}
