//! What git or a repository refuses, in words for people.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use crate::text::clean;
use crate::user_error::UserError;

/// Options of git itself that are followed by a value.
const WITH_VALUE: [&str; 3] = ["-C", "-c", "--git-dir"];

pub(super) fn not_started() -> UserError {
    UserError::new("git could not be started")
        .fix("Install git on the server, and make sure that it is on PATH")
}

/// A git child that failed. `output` is its standard error.
pub(super) fn failed(command: &Command, output: &[u8]) -> UserError {
    let words: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
    let mut rest = words.iter().map(AsRef::as_ref);
    let mut name = "";
    while let Some(word) = rest.next() {
        if WITH_VALUE.contains(&word) {
            rest.next();
        } else if !word.starts_with('-') {
            name = word;
            break;
        }
    }
    let output = String::from_utf8_lossy(output);
    let lines: Vec<_> = output.lines().map(clean).filter(|line| !line.trim().is_empty()).collect();
    let error = UserError::new(format!("git {name} failed").replace("  ", " "))
        .labelled("command", clean(&format!("git {}", words.join(" "))));
    if lines.is_empty() { error } else { error.labelled("output", lines.join("\n")) }
}

/// A repository that libgit2 does not open.
pub(super) fn cannot_open(path: &Path, why: &str) -> UserError {
    let shown = path.display();
    if !path.exists() {
        return UserError::new(format!("there is no repository at {shown}"))
            .fix("If it was moved, write its path into the site's nyala.toml: repository = \"…\"")
            .fix(format!(
                "Or create one, with the hook: git init --bare {shown} && \
                 nyala install {shown} --site SITE"
            ));
    }
    if path.join(".git").exists() {
        return UserError::new(format!("{shown} is not a bare repository: it has a work tree"))
            .fix(format!("Make a bare one of it: git clone --bare {shown} {shown}.git"));
    }
    if !(path.join("HEAD").exists() && path.join("objects").is_dir()) {
        return UserError::new(format!("{shown} is not a git repository"))
            .found(why)
            .fix("Name a bare repository")
            .fix(format!("Or create one in a new folder: git init --bare {shown}/repository.git"));
    }
    UserError::new(format!("the repository {shown} cannot be opened"))
        .found(why)
        .fix(format!("See what git says of it: git --git-dir {shown} fsck"))
}

/// A ref of nyala's own that another writer, or git, keeps where it is.
pub(super) fn cannot_move(name: &str) -> UserError {
    UserError::new(format!("{name} cannot be moved"))
}

pub(super) fn no_commit(repository: &Path, id: &str) -> UserError {
    let shown = repository.display();
    UserError::new(format!("{shown} has no commit {}", id.escape_debug()))
        .fix(format!("See its commits: git --git-dir {shown} log --all --oneline"))
}

/// `is_empty` says that nothing was ever pushed there.
pub(super) fn no_revision(repository: &Path, revision: &str, is_empty: bool) -> UserError {
    let shown = repository.display();
    let error = UserError::new(format!("{shown} has no revision `{}`", revision.escape_debug()));
    if is_empty {
        return error.found("it has no commits yet").fix("Push first: git push REMOTE HEAD:main");
    }
    error.fix(format!("See its commits: git --git-dir {shown} log --all --oneline"))
}

/// An object of a commit that is missing or damaged. `what` names it.
pub(super) fn unreadable(objects: &git2::Repository, what: &str) -> UserError {
    let shown = objects.path().display().to_string();
    UserError::new(format!("{what} cannot be read"))
        .fix(format!(
            "See what the repository lacks: git --git-dir {} fsck",
            shown.trim_end_matches('/')
        ))
        .fix("Push the branch again from a complete clone")
}

pub(super) fn too_large(path: &str, size: usize, limit: usize) -> UserError {
    UserError::new(format!("{path} is too large"))
        .found(format!("{size} bytes"))
        .labelled("allowed", format!("{limit} bytes"))
        .fix("Check that it is the right file, commit, and push again")
}

/// A path of a commit that has to be a file. `found` says what it is.
pub(super) fn not_a_file(path: &str, found: &str) -> UserError {
    UserError::new(format!("{path} is {found} in the commit"))
        .fix(format!("Remove it: git rm -r --cached {path}"))
        .fix("Create a regular file in its place, commit it, and push again")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::{bare_git, git};
    use super::*;

    #[test]
    fn a_failed_command_shows_itself_and_its_output() {
        insta::assert_snapshot!(not_started(), @"
        git could not be started
        Install git on the server, and make sure that it is on PATH
        ");
        let mut command = git(Path::new("/srv/r.git"));
        command.args(["config", "--local", "key"]);
        insta::assert_snapshot!(failed(&command, b"fatal: no\n\nhint: \x1b[31mread\n"), @"
        git config failed
        command: git -c safe.directory=/srv/r.git --git-dir /srv/r.git config --local key
        output: fatal: no
                hint: read
        ");
        let mut command = bare_git();
        insta::assert_snapshot!(failed(command.arg("--version"), b""), @"
        git failed
        command: git --version
        ");
    }

    #[test]
    fn a_repository_that_cannot_be_opened_says_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let said = |name: &str, parts: &[&str]| {
            let path = folder.path().join(name);
            for part in parts {
                fs::create_dir_all(path.join(part)).unwrap();
            }
            let error = cannot_open(&path, "bad config").to_string();
            error.replace(&folder.path().display().to_string(), "/srv")
        };
        insta::assert_snapshot!(said("gone", &[]), @r#"
        there is no repository at /srv/gone
        1. If it was moved, write its path into the site's nyala.toml: repository = "…"
        2. Or create one, with the hook: git init --bare /srv/gone && nyala install /srv/gone --site SITE
        "#);
        insta::assert_snapshot!(said("clone", &[".git"]), @"
        /srv/clone is not a bare repository: it has a work tree
        Make a bare one of it: git clone --bare /srv/clone /srv/clone.git
        ");
        insta::assert_snapshot!(said("folder", &["src"]), @"
        /srv/folder is not a git repository
        found: bad config
        1. Name a bare repository
        2. Or create one in a new folder: git init --bare /srv/folder/repository.git
        ");
        insta::assert_snapshot!(said("damaged.git", &["HEAD", "objects"]), @"
        the repository /srv/damaged.git cannot be opened
        found: bad config
        See what git says of it: git --git-dir /srv/damaged.git fsck
        ");
    }

    #[test]
    fn what_a_repository_lacks_is_named() {
        let repository = Path::new("/srv/r.git");
        insta::assert_snapshot!(no_commit(repository, "1a2b3c4"), @"
        /srv/r.git has no commit 1a2b3c4
        See its commits: git --git-dir /srv/r.git log --all --oneline
        ");
        insta::assert_snapshot!(no_revision(repository, "mian\n", false), @r"
        /srv/r.git has no revision `mian\n`
        See its commits: git --git-dir /srv/r.git log --all --oneline
        ");
        insta::assert_snapshot!(no_revision(repository, "main", true), @"
        /srv/r.git has no revision `main`
        found: it has no commits yet
        Push first: git push REMOTE HEAD:main
        ");
        let folder = tempfile::tempdir().unwrap();
        let objects = git2::Repository::init_bare(folder.path()).unwrap();
        let path = fs::canonicalize(folder.path()).unwrap().display().to_string();
        let error = unreadable(&objects, "the tree 1a2b").to_string().replace(&path, "/srv/r.git");
        insta::assert_snapshot!(error, @"
        the tree 1a2b cannot be read
        1. See what the repository lacks: git --git-dir /srv/r.git fsck
        2. Push the branch again from a complete clone
        ");
        insta::assert_snapshot!(
            cannot_move("refs/notes/deployments"),
            @"refs/notes/deployments cannot be moved"
        );
    }

    #[test]
    fn a_file_that_cannot_be_used_says_why() {
        insta::assert_snapshot!(too_large("runtime.txt", 20_000_000, 10_485_760), @"
        runtime.txt is too large
        found: 20000000 bytes
        allowed: 10485760 bytes
        Check that it is the right file, commit, and push again
        ");
        insta::assert_snapshot!(not_a_file("requirements.txt", "a symbolic link"), @"
        requirements.txt is a symbolic link in the commit
        1. Remove it: git rm -r --cached requirements.txt
        2. Create a regular file in its place, commit it, and push again
        ");
    }
}
