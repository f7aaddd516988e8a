//! What keeps a site from being created, or a hook from being installed, in words for people.

use std::path::Path;

use super::KEPT_HOOK;
use crate::site::{REPOSITORY, SETTINGS_FILE};
use crate::text::shell_word;
use crate::user_error::UserError;

/// `init` is run again, with a value that would have no effect. `name` is that of the setting.
pub(super) fn differs(root: &Path, name: &str, value: Option<&str>, file: &Path) -> UserError {
    let value = value.unwrap_or("not set");
    UserError::new(format!("{} is already a site, and its {name} is {value}", root.display()))
        .fix(format!("Change {name} in {}", file.display()))
}

pub(super) fn not_strict(root: &Path, file: &Path) -> UserError {
    UserError::new(format!("{} is already a site, and it is not strict", root.display()))
        .fix(format!("Write strict = true into {}", file.display()))
        .fix("Run this again without --strict")
}

/// `version` is what git says of itself.
pub(super) fn git_is_too_old(version: &str) -> UserError {
    UserError::new("a strict site needs git 2.29 or newer")
        .found(version)
        .fix("Install a newer git on the server")
        .fix("Or leave the site non-strict, and let scripts wait for the deployment: nyala wait")
}

/// Neither the hook nor the one that was kept before is nyala's.
pub(super) fn two_hooks(hook: &Path, kept: &Path) -> UserError {
    let (hook, kept) = (hook.display(), kept.display());
    UserError::new(format!("{hook} is not nyala's hook, and there is a {KEPT_HOOK} already"))
        .fix(format!("Add what it does to {kept}"))
        .fix(format!("Remove it: rm {hook}"))
        .fix("Run this again")
}

/// `named` is the site to which pushes to the repository are deployed now.
pub(super) fn of_another_site(repository: &Path, named: &Path, site: &Path) -> UserError {
    let (repository, site) = (repository.display(), site.display());
    let named = named.display();
    UserError::new(format!("pushes to {repository} are deployed to {named}, not to {site}"))
        .fix(format!("If they are to go to {site} from now on, run this again with --force"))
        .fix("Or give each site a repository of its own: nyala init SITE")
}

/// `folder` is one of a site, and lies at `place`; `other` is another site that has it as well.
pub(super) fn folder_of_two_sites(folder: &Path, place: &Path, other: &Path) -> UserError {
    let (shown, place) = (shell_word(folder), shell_word(place));
    UserError::new(format!("{shown} is also a folder of another site, {}", other.display()))
        .found(format!("both are {place}, where each site would remove what it does not know"))
        .fix(format!("Give this site a folder of its own: rm {shown} && cp -a {place} {shown}"))
        .fix("Run this again")
}

/// How a site gets a repository of its own that shares one with another site.
pub fn own_repository(repository: &Path, site: &Path) -> [String; 3] {
    let (theirs, own) = (shell_word(repository), shell_word(&site.join(REPOSITORY)));
    [
        format!("For a repository of its own, copy this one: git clone --bare {theirs} {own}"),
        format!("Set repository = \"{REPOSITORY}\" in {}", site.join(SETTINGS_FILE).display()),
        format!("Install the hook: nyala install {own} --site {}", shell_word(site)),
    ]
}

pub(super) fn strict_hook_is_taken(hook: &Path, settings: &Path) -> UserError {
    let hook = hook.display();
    UserError::new(format!("{hook} is not nyala's hook, but a strict site needs its own there"))
        .fix(format!("Move it away: mv {hook} {hook}.old"))
        .fix(format!("Or set strict = false in {}", settings.display()))
}

/// `hooks` is the folder that a setting of git names for every repository.
pub(super) fn hooks_elsewhere(repository: &Path, hooks: &Path, own: &Path) -> UserError {
    UserError::new(format!("git would never run a hook in {}", own.display()))
        .found(format!("core.hooksPath names {} for every repository", hooks.display()))
        .fix(format!(
            "Let this repository have its own: git --git-dir {} config core.hooksPath hooks",
            repository.display()
        ))
        .fix("Run this again")
}

pub(super) fn unusual_path(path: &Path) -> UserError {
    UserError::new(format!("a hook cannot name {}", path.display()))
        .found("the path is not UTF-8, or has a control character in it")
        .fix("Rename the folder, and run this again")
}

pub(super) fn repository_not_created(path: &Path) -> UserError {
    UserError::new(format!("the repository {} could not be created", path.display()))
}

pub(super) fn not_a_branch(branch: &str) -> UserError {
    UserError::usage("--branch does not name a branch")
        .found(branch.escape_debug().to_string())
        .fix("Write a name without refs/heads/: --branch main")
}

pub(super) fn not_a_version(python: &str) -> UserError {
    UserError::usage("--python does not name a Python version")
        .found(python.escape_debug().to_string())
        .labelled("allowed", "X.Y or X.Y.Z, as in 3.12 or 3.12.1")
        .fix("Write one of these: --python 3.12")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_in_use_says_how_to_go_on() {
        let (root, file) = (Path::new("/srv/shop"), Path::new("/srv/shop/nyala.toml"));
        insta::assert_snapshot!(differs(root, "branch", Some("main"), file), @"
        /srv/shop is already a site, and its branch is main
        Change branch in /srv/shop/nyala.toml
        ");
        insta::assert_snapshot!(differs(root, "python", None, file), @"
        /srv/shop is already a site, and its python is not set
        Change python in /srv/shop/nyala.toml
        ");
        insta::assert_snapshot!(not_strict(root, file), @"
        /srv/shop is already a site, and it is not strict
        1. Write strict = true into /srv/shop/nyala.toml
        2. Run this again without --strict
        ");
        insta::assert_snapshot!(git_is_too_old("git version 2.17.1"), @"
        a strict site needs git 2.29 or newer
        found: git version 2.17.1
        1. Install a newer git on the server
        2. Or leave the site non-strict, and let scripts wait for the deployment: nyala wait
        ");
    }

    #[test]
    fn a_hook_that_cannot_be_installed_says_why() {
        let hooks = Path::new("/srv/r.git/hooks");
        let (hook, kept) = (hooks.join("post-receive"), hooks.join(KEPT_HOOK));
        insta::assert_snapshot!(two_hooks(&hook, &kept), @"
        /srv/r.git/hooks/post-receive is not nyala's hook, and there is a post-receive.kept already
        1. Add what it does to /srv/r.git/hooks/post-receive.kept
        2. Remove it: rm /srv/r.git/hooks/post-receive
        3. Run this again
        ");
        let (blog, shop) = (Path::new("/srv/blog"), Path::new("/srv/shop"));
        insta::assert_snapshot!(of_another_site(Path::new("/srv/r.git"), blog, shop), @"
        pushes to /srv/r.git are deployed to /srv/blog, not to /srv/shop
        1. If they are to go to /srv/shop from now on, run this again with --force
        2. Or give each site a repository of its own: nyala init SITE
        ");
        let error = folder_of_two_sites(&blog.join("envs"), Path::new("/disk"), shop);
        insta::assert_snapshot!(error, @"
        /srv/blog/envs is also a folder of another site, /srv/shop
        found: both are /disk, where each site would remove what it does not know
        1. Give this site a folder of its own: rm /srv/blog/envs && cp -a /disk /srv/blog/envs
        2. Run this again
        ");
        let settings = Path::new("/srv/shop/nyala.toml");
        insta::assert_snapshot!(strict_hook_is_taken(&hooks.join("proc-receive"), settings), @"
        /srv/r.git/hooks/proc-receive is not nyala's hook, but a strict site needs its own there
        1. Move it away: mv /srv/r.git/hooks/proc-receive /srv/r.git/hooks/proc-receive.old
        2. Or set strict = false in /srv/shop/nyala.toml
        ");
        let repository = Path::new("/srv/r.git");
        insta::assert_snapshot!(hooks_elsewhere(repository, Path::new("/etc/hooks"), hooks), @"
        git would never run a hook in /srv/r.git/hooks
        found: core.hooksPath names /etc/hooks for every repository
        1. Let this repository have its own: git --git-dir /srv/r.git config core.hooksPath hooks
        2. Run this again
        ");
        insta::assert_snapshot!(unusual_path(Path::new("/srv/caf\u{fffd}")), @"
        a hook cannot name /srv/caf�
        found: the path is not UTF-8, or has a control character in it
        Rename the folder, and run this again
        ");
        insta::assert_snapshot!(
            repository_not_created(repository),
            @"the repository /srv/r.git could not be created"
        );
    }

    #[test]
    fn wrong_options_of_a_new_site_say_what_is_right() {
        insta::assert_snapshot!(not_a_branch("refs/heads/main"), @"
        --branch does not name a branch
        found: refs/heads/main
        Write a name without refs/heads/: --branch main
        ");
        insta::assert_snapshot!(not_a_version("python3"), @"
        --python does not name a Python version
        found: python3
        allowed: X.Y or X.Y.Z, as in 3.12 or 3.12.1
        Write one of these: --python 3.12
        ");
    }
}
