//! Why the hook cannot be installed at a path that somebody has named, in words for people.

use std::io;
use std::path::Path;

use crate::user_error::UserError;

pub(super) fn not_there(path: &Path) -> UserError {
    let path = path.display();
    UserError::new(format!("there is no repository at {path}"))
        .fix("Name a bare repository that is there")
        .fix(format!("Or create one: git init --bare {path}"))
}

/// `user` is whom nyala runs as.
pub(super) fn cannot_look(path: &Path, why: &io::Error, user: u32) -> UserError {
    UserError::new(format!("cannot look for a repository at {}: {why}", path.display()))
        .found(format!("nyala runs as user {user}"))
        .fix("Act as a user who can read it, such as its owner")
}

/// `own` is the repository of the site.
pub(super) fn is_a_site(path: &Path, own: Option<&Path>) -> UserError {
    let own =
        own.map_or("the repository of that site".to_owned(), |path| path.display().to_string());
    not_bare(path).found("it is a site").fix(format!("Name its repository: {own}"))
}

pub(super) fn is_a_file(path: &Path) -> UserError {
    not_bare(path).found("it is a file").fix("Name the folder of a bare repository")
}

pub(super) fn has_a_work_tree(path: &Path, work_tree: &Path) -> UserError {
    let work_tree = work_tree.display();
    not_bare(path)
        .found(format!("it belongs to the work tree {work_tree}"))
        .fix(format!("Make a bare one of it: git clone --bare {work_tree} {work_tree}.git"))
}

pub(super) fn cannot_write(path: &Path, user: u32, owner: u32) -> UserError {
    UserError::new(format!("cannot write to the repository {}", path.display()))
        .found(format!("nyala runs as user {user}, and the repository belongs to user {owner}"))
        .fix(format!("Act as its owner: sudo -u '#{owner}' nyala install …"))
}

fn not_bare(path: &Path) -> UserError {
    UserError::new(format!("{} is not a bare repository", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_without_a_bare_repository_says_what_is_there() {
        let path = Path::new("/srv/r.git");
        insta::assert_snapshot!(not_there(path), @"
        there is no repository at /srv/r.git
        1. Name a bare repository that is there
        2. Or create one: git init --bare /srv/r.git
        ");
        insta::assert_snapshot!(is_a_site(Path::new("/srv/shop"), Some(path)), @"
        /srv/shop is not a bare repository
        found: it is a site
        Name its repository: /srv/r.git
        ");
        insta::assert_snapshot!(is_a_file(path), @"
        /srv/r.git is not a bare repository
        found: it is a file
        Name the folder of a bare repository
        ");
        let git = Path::new("/srv/app/.git");
        insta::assert_snapshot!(has_a_work_tree(git, Path::new("/srv/app")), @"
        /srv/app/.git is not a bare repository
        found: it belongs to the work tree /srv/app
        Make a bare one of it: git clone --bare /srv/app /srv/app.git
        ");
    }

    #[test]
    fn a_repository_of_somebody_else_says_who_may() {
        let path = Path::new("/srv/r.git");
        let why = io::Error::from(io::ErrorKind::PermissionDenied);
        insta::assert_snapshot!(cannot_look(path, &why, 1000), @"
        cannot look for a repository at /srv/r.git: permission denied
        found: nyala runs as user 1000
        Act as a user who can read it, such as its owner
        ");
        insta::assert_snapshot!(cannot_write(path, 1000, 33), @"
        cannot write to the repository /srv/r.git
        found: nyala runs as user 1000, and the repository belongs to user 33
        Act as its owner: sudo -u '#33' nyala install …
        ");
    }
}
