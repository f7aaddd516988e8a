//! What is wrong with the objects of Git LFS, in words for people.

use std::path::Path;

use super::Pointer;
use crate::user_error::UserError;

/// The content of `path`, and of other files if `missing` is more than 1, is nowhere. `fetched`
/// says why git-lfs could not get it.
pub(super) fn not_here(
    objects: &Path,
    path: &Path,
    pointer: &Pointer,
    missing: usize,
    fetched: Option<UserError>,
) -> UserError {
    let others =
        if missing > 1 { format!(", and {} other files", missing - 1) } else { String::new() };
    let fact = format!(
        "{} is a Git LFS pointer, and its content is not in {}{others}",
        path.display(),
        objects.display()
    );
    let Pointer { oid, size } = pointer;
    let error = UserError::new(fact).found(format!("sha256 {oid} of {size} bytes"));
    let is_installed =
        !fetched.as_ref().is_some_and(|why| why.to_string().contains("is not a git command"));
    let error = match fetched {
        Some(_) if !is_installed => error.found("git-lfs is not installed on this server"),
        Some(UserError { fact, found, .. }) => {
            found.into_iter().fold(error.found(fact), UserError::found)
        }
        None => error,
    };
    let error = error
        .fix("In the project, run: git lfs install && git lfs push --all REMOTE")
        .fix("Deploy again");
    if is_installed {
        return error;
    }
    error.fix(
        "Or if the files are elsewhere, install git-lfs on the server: apt-get install git-lfs",
    )
}

/// An object whose content is not what its name says.
pub(super) fn damaged(object: &Path, found: &str) -> UserError {
    UserError::new(format!("{} is damaged", object.display()))
        .found(format!("sha256 {found}"))
        .fix(format!("Remove it: rm {}", object.display()))
        .fix("In the project, run: git lfs push --all REMOTE")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_how_to_send_the_content() {
        let pointer = Pointer { oid: "abab".to_owned(), size: 12345 };
        let objects = Path::new("/r.git/lfs/objects");
        let said = |missing, fetched| {
            not_here(objects, Path::new("img/a.bin"), &pointer, missing, fetched).to_string()
        };
        insta::assert_snapshot!(said(1, None), @"
        img/a.bin is a Git LFS pointer, and its content is not in /r.git/lfs/objects
        found: sha256 abab of 12345 bytes
        1. In the project, run: git lfs install && git lfs push --all REMOTE
        2. Deploy again
        ");
        let why = UserError::new("git lfs fetch exited with status 2");
        let refused = why.clone().labelled("output", "Not Found");
        insta::assert_snapshot!(said(3, Some(refused)), @"
        img/a.bin is a Git LFS pointer, and its content is not in /r.git/lfs/objects, and 2 other files
        found: sha256 abab of 12345 bytes
        found: git lfs fetch exited with status 2
        output: Not Found
        1. In the project, run: git lfs install && git lfs push --all REMOTE
        2. Deploy again
        ");
        let unknown = why.labelled("output", "git: 'lfs' is not a git command");
        insta::assert_snapshot!(said(1, Some(unknown)), @"
        img/a.bin is a Git LFS pointer, and its content is not in /r.git/lfs/objects
        found: sha256 abab of 12345 bytes
        found: git-lfs is not installed on this server
        1. In the project, run: git lfs install && git lfs push --all REMOTE
        2. Deploy again
        3. Or if the files are elsewhere, install git-lfs on the server: apt-get install git-lfs
        ");
        insta::assert_snapshot!(damaged(Path::new("/r.git/lfs/objects/ab/ab/abab"), "cd"), @"
        /r.git/lfs/objects/ab/ab/abab is damaged
        found: sha256 cd
        1. Remove it: rm /r.git/lfs/objects/ab/ab/abab
        2. In the project, run: git lfs push --all REMOTE
        ");
    }
}
