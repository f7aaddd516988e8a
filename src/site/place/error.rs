//! Why a path is not the folder of a site, or cannot become one, in words for people.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Access, access};

use super::super::REPOSITORY;
use super::{Place, a_site_in, look};
use crate::user_error::UserError;

/// Why there is no site at a path, and which path is meant instead.
pub(in crate::site) fn no_site(path: &Path) -> UserError {
    let shown = path.display();
    let error = UserError::new(format!("{shown} is not a site"));
    let name_it = "Name the folder of a site: --site SITE";
    match look(path) {
        // A shell replaces it only where a word begins.
        Place::Missing if path.starts_with("~") => {
            UserError::new(format!("there is no site at {shown}"))
                .found("the shell has not replaced ~")
                .fix(format!("Put a space, not =, before it: --site {shown}"))
        }
        Place::Missing => UserError::new(format!("there is no site at {shown}"))
            .fix(format!("Correct the path, or create a site: nyala init {shown}")),
        Place::Dangling(link) => UserError::new(format!("there is no site at {shown}"))
            .found(leads_nowhere(&link))
            .fix(name_it),
        Place::Unsettled => {
            let make = if path.join(REPOSITORY).is_dir() {
                format!("nyala init {shown}")
            } else {
                format!("nyala install REPOSITORY --site {shown}")
            };
            UserError::new(format!("the site {shown} has lost its nyala.toml"))
                .fix("Restore it from a backup")
                .fix(format!("Or write one with the default settings: {make}"))
        }
        Place::Empty | Place::Begun => error
            .found("it has no nyala.toml")
            .fix(format!("Name another folder, or create a site: nyala init {shown}")),
        Place::File(file) => error.found(format!("{} is a file", file.display())).fix(name_it),
        Place::InSite(site) => error
            .found(format!("it is inside the site {}", site.display()))
            .fix(format!("Name the site: --site {}", site.display())),
        Place::Repository => error
            .found("it is a git repository")
            .fix("Name the folder of the site that it deploys to: --site SITE")
            .fix(format!("Or create a site for it: nyala install {shown} --site NEW_FOLDER")),
        Place::WorkTree | Place::Other(_) => match a_site_in(path) {
            Some(site) => error
                .found("it contains sites, but is not one")
                .fix(format!("Name one of them: --site {}", site.display())),
            None => error.found("it has no nyala.toml").fix(name_it),
        },
        Place::Closed(folder) => {
            let fact = format!("cannot look for a site at {shown}");
            closed(UserError::new(fact), &folder).fix(format!(
                "Act as a user who can: sudo -u '#{}' nyala …",
                owner(&folder).unwrap_or_default()
            ))
        }
    }
}

/// Fails where no new site can be. `command` is what to type, up to the folder.
pub fn check_new(path: &Path, command: &str) -> Result<(), UserError> {
    let shown = path.display();
    let user = rustix::process::geteuid().as_raw();
    let error = UserError::new(format!("no site can be created at {shown}"));
    Err(match look(path) {
        Place::Missing => return Ok(()),
        Place::Dangling(link) => error
            .found(leads_nowhere(&link))
            .fix(format!("Remove the link, or name a new folder: {command} NEW_FOLDER")),
        Place::Empty | Place::Begun | Place::Unsettled => {
            if access(path, Access::WRITE_OK | Access::EXEC_OK).is_ok() {
                return Ok(());
            }
            closed(error, path).fix(format!("Give it to this user: sudo chown {user} {shown}"))
        }
        Place::File(file) => error
            .found(format!("{} is a file", file.display()))
            .fix(format!("Name a new folder: {command} NEW_FOLDER")),
        Place::InSite(site) => error
            .found(format!("it is inside the site {}", site.display()))
            .fix(format!("Name a folder outside of it: {command} NEW_FOLDER")),
        Place::Repository => error.found("it is a git repository").fix(format!(
            "To deploy what is pushed to it: nyala install {shown} --site NEW_FOLDER"
        )),
        Place::WorkTree => error
            .found("it is the work tree of a git repository")
            .fix(format!("Name a new folder outside of it: {command} NEW_FOLDER")),
        Place::Other(name) => UserError::new(format!("{shown} is not empty"))
            .found(format!("it has {name}"))
            .fix(format!("Name a new folder: {command} {shown}/site")),
        Place::Closed(folder) => closed(error, &folder)
            .fix(format!("Name a folder that this user can reach: {command} NEW_FOLDER")),
    })
}

/// Adds that this user may not look into or write to a folder.
fn closed(error: UserError, folder: &Path) -> UserError {
    let user = rustix::process::geteuid().as_raw();
    let owner = owner(folder).map_or("another user".to_owned(), |owner| format!("user {owner}"));
    error.found(format!("nyala runs as user {user}, and {} belongs to {owner}", folder.display()))
}

/// What is found of a link.
fn leads_nowhere(link: &Path) -> String {
    let target = fs::read_link(link).unwrap_or_default();
    format!("{} is a link to {}, which does not exist", link.display(), target.display())
}

fn owner(path: &Path) -> Option<u32> {
    Some(fs::metadata(path).ok()?.uid())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// What is said of each place when it is named with `--site`, and when `init` is to make a site
    /// of it.
    fn told_of(places: &[&str]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let make = |names: &[&str]| {
            for name in names {
                let path = root.join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "").unwrap();
            }
        };
        make(&[
            "sites/shop/nyala.toml",
            "sites/shop/releases/1/page",
            "sites/shop/shared/x",
            "file",
            "other/x",
        ]);
        make(&["repo.git/HEAD", "repo.git/objects/x", "project/.git/HEAD"]);
        make(&["lost/releases/1/page", "lost/deployments/1/log.txt"]);
        std::os::unix::fs::symlink("/nowhere", root.join("dangling")).unwrap();
        fs::create_dir_all(root.join("begun/repository.git")).unwrap();
        fs::create_dir_all(root.join("empty")).unwrap();
        let mut told = String::new();
        for place in places {
            let path = root.join(place);
            let new = check_new(&path, "nyala init")
                .map_or_else(|error| error.to_string(), |()| "(a site can be here)".to_owned());
            told += &format!("--site {place}: {}\ninit {place}: {new}\n\n", no_site(&path));
        }
        told.replace(root.to_str().unwrap(), "…").trim_end().to_owned()
    }

    #[test]
    fn each_kind_of_place_has_its_advice() {
        let places = [
            "missing",
            "empty",
            "begun",
            "file",
            "file/below",
            "sites",
            "repo.git",
            "project",
            "other",
            "lost",
            "dangling/below",
        ];
        insta::assert_snapshot!(told_of(&places), @r"
        --site missing: there is no site at …/missing
        Correct the path, or create a site: nyala init …/missing
        init missing: (a site can be here)

        --site empty: …/empty is not a site
        found: it has no nyala.toml
        Name another folder, or create a site: nyala init …/empty
        init empty: (a site can be here)

        --site begun: …/begun is not a site
        found: it has no nyala.toml
        Name another folder, or create a site: nyala init …/begun
        init begun: (a site can be here)

        --site file: …/file is not a site
        found: …/file is a file
        Name the folder of a site: --site SITE
        init file: no site can be created at …/file
        found: …/file is a file
        Name a new folder: nyala init NEW_FOLDER

        --site file/below: …/file/below is not a site
        found: …/file is a file
        Name the folder of a site: --site SITE
        init file/below: no site can be created at …/file/below
        found: …/file is a file
        Name a new folder: nyala init NEW_FOLDER

        --site sites: …/sites is not a site
        found: it contains sites, but is not one
        Name one of them: --site …/sites/shop
        init sites: …/sites is not empty
        found: it has shop
        Name a new folder: nyala init …/sites/site

        --site repo.git: …/repo.git is not a site
        found: it is a git repository
        1. Name the folder of the site that it deploys to: --site SITE
        2. Or create a site for it: nyala install …/repo.git --site NEW_FOLDER
        init repo.git: no site can be created at …/repo.git
        found: it is a git repository
        To deploy what is pushed to it: nyala install …/repo.git --site NEW_FOLDER

        --site project: …/project is not a site
        found: it has no nyala.toml
        Name the folder of a site: --site SITE
        init project: no site can be created at …/project
        found: it is the work tree of a git repository
        Name a new folder outside of it: nyala init NEW_FOLDER

        --site other: …/other is not a site
        found: it has no nyala.toml
        Name the folder of a site: --site SITE
        init other: …/other is not empty
        found: it has x
        Name a new folder: nyala init …/other/site

        --site lost: the site …/lost has lost its nyala.toml
        1. Restore it from a backup
        2. Or write one with the default settings: nyala install REPOSITORY --site …/lost
        init lost: (a site can be here)

        --site dangling/below: there is no site at …/dangling/below
        found: …/dangling is a link to /nowhere, which does not exist
        Name the folder of a site: --site SITE
        init dangling/below: no site can be created at …/dangling/below
        found: …/dangling is a link to /nowhere, which does not exist
        Remove the link, or name a new folder: nyala init NEW_FOLDER
        ");
    }

    #[test]
    fn a_home_that_the_shell_left_alone_is_named() {
        insta::assert_snapshot!(no_site(Path::new("~/shop")), @"
        there is no site at ~/shop
        found: the shell has not replaced ~
        Put a space, not =, before it: --site ~/shop
        ");
    }

    #[test]
    fn inside_a_site_only_that_site_is_named() {
        let places =
            ["sites/shop/releases/1", "sites/shop/shared", "sites/shop/new", "sites/shop/shared/x"];
        insta::assert_snapshot!(told_of(&places), @r"
        --site sites/shop/releases/1: …/sites/shop/releases/1 is not a site
        found: it is inside the site …/sites/shop
        Name the site: --site …/sites/shop
        init sites/shop/releases/1: no site can be created at …/sites/shop/releases/1
        found: it is inside the site …/sites/shop
        Name a folder outside of it: nyala init NEW_FOLDER

        --site sites/shop/shared: …/sites/shop/shared is not a site
        found: it is inside the site …/sites/shop
        Name the site: --site …/sites/shop
        init sites/shop/shared: no site can be created at …/sites/shop/shared
        found: it is inside the site …/sites/shop
        Name a folder outside of it: nyala init NEW_FOLDER

        --site sites/shop/new: …/sites/shop/new is not a site
        found: it is inside the site …/sites/shop
        Name the site: --site …/sites/shop
        init sites/shop/new: no site can be created at …/sites/shop/new
        found: it is inside the site …/sites/shop
        Name a folder outside of it: nyala init NEW_FOLDER

        --site sites/shop/shared/x: …/sites/shop/shared/x is not a site
        found: it is inside the site …/sites/shop
        Name the site: --site …/sites/shop
        init sites/shop/shared/x: no site can be created at …/sites/shop/shared/x
        found: it is inside the site …/sites/shop
        Name a folder outside of it: nyala init NEW_FOLDER
        ");
    }
}
