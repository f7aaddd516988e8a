//! Who may act on a site.
//!
//! Everything in a site belongs to its owner, and everything runs as its owner: a file of another
//! user there would stop the owner's next deployment, and what a project runs must never run as
//! root. So whoever is about to change a site passes here first, before anything is numbered or
//! written. See docs/ssh.md, "Who may deploy".

mod adopt;
mod error;
mod of_git;
mod user;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};
use rustix::process::{getegid, geteuid, getgroups, getuid};

use crate::disk;
use crate::git::{git, run};
use crate::site::Site;
use crate::user_error::UserError;

use user::User;

/// What somebody is about to do with a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    Read,
    Change,
    /// Change, after git has written a push into the site's repository as the same user.
    Push,
}

/// Lets this process act on a site, or fails.
///
/// Root becomes the owner of the site for good. Others than the owner may change it only where it
/// is shared with a group of theirs: there, what this process makes is writable for the group.
///
/// Must be called while this process has one thread.
pub fn enter(site: &Site, intent: Intent) -> Result<()> {
    enter_after(site, intent, &[])
}

/// [`enter`] for a hook that git runs after a push; `moves` is its input, githooks(5).
pub fn enter_after_push(site: &Site, moves: &[u8]) -> Result<()> {
    enter_after(site, Intent::Push, moves)
}

fn enter_after(site: &Site, intent: Intent, moves: &[u8]) -> Result<()> {
    let root = site.root();
    let folder =
        fs::metadata(root).with_context(|| format!("cannot look at {}", root.display()))?;
    let person = person();
    if geteuid().is_root() && folder.uid() != 0 {
        let owner = User::with_id(folder.uid(), folder.gid(), root);
        let foreign = match intent {
            Intent::Push => {
                let repository = site.repository(&site.settings()?);
                adopt::repository(&repository, folder.uid(), moves)?
            }
            Intent::Read | Intent::Change => Vec::new(),
        };
        owner.become_it(root).with_context(|| {
            format!("cannot act as {}, the owner of {}", owner.name, root.display())
        })?;
        foreign.iter().try_for_each(|file| adopt::file(file))?;
    }
    if intent == Intent::Read {
        return Ok(());
    }
    site.check_format()?;
    let group = group_of(&folder);
    if group.is_some() && is_shared(site) {
        disk::share_with_group();
    } else if geteuid().as_raw() != folder.uid() {
        bail!(refusal(site, intent, &person, folder.uid(), folder.gid()));
    }
    Ok(())
}

/// Lets this process make a site at a path, for the repository at `repository` if there is one
/// already. Root becomes whoever the site is for: the owner of its folder or, when that is not
/// there yet, of the repository, or of the folder that the site is made in.
///
/// Must be called while this process has one thread.
pub fn enter_new(site: &Path, repository: Option<&Path>) -> Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let absolute = std::path::absolute(site).unwrap_or_else(|_| site.to_owned());
    let there = Some(absolute.as_path()).filter(|site| site.exists()).or(repository);
    let there = there.or_else(|| absolute.ancestors().find(|folder| folder.exists()));
    let Some(there) = there else { return Ok(()) };
    let found =
        fs::metadata(there).with_context(|| format!("cannot look at {}", there.display()))?;
    if found.uid() == 0 {
        return Ok(());
    }
    let _ = person();
    let owner = User::with_id(found.uid(), found.gid(), there);
    let cannot = || format!("cannot act as {}, who owns {}", owner.name, there.display());
    owner.become_it(there).with_context(cannot)
}

/// The user who ran this command, as far as that is known. Only for people to read.
pub fn person() -> String {
    static PERSON: OnceLock<String> = OnceLock::new();
    let name = || {
        let named = ["SUDO_USER", "USER", "LOGNAME"];
        let mut found = named
            .iter()
            .filter_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
        // A service and cron say nothing of the user.
        let name = found.next().or_else(|| User::name_of(getuid().as_raw()));
        let name = name.unwrap_or_else(|| format!("uid {}", getuid().as_raw()));
        name.escape_debug().to_string()
    };
    // Asked first before root becomes another user.
    PERSON.get_or_init(name).clone()
}

/// Whether a site is meant for a group: its repository is shared, as git understands that, and its
/// folder is writable for the group.
pub fn is_shared(site: &Site) -> bool {
    let is_open = fs::metadata(site.root()).is_ok_and(|folder| folder.mode() & 0o020 != 0);
    is_open
        && site.settings().is_ok_and(|settings| is_repository_shared(&site.repository(&settings)))
}

/// The group of a folder, if this process is in it and what it makes there belongs to the group.
fn group_of(folder: &fs::Metadata) -> Option<u32> {
    let group = folder.gid();
    let own = getegid().as_raw() == group;
    let is_member =
        || getgroups().is_ok_and(|groups| groups.iter().any(|gid| gid.as_raw() == group));
    let inherits = folder.mode() & 0o2000 != 0;
    (own || inherits && is_member()).then_some(group)
}

/// `core.sharedRepository`, see git-config(1).
fn is_repository_shared(repository: &Path) -> bool {
    let value = run(git(repository).args(["config", "--get", "core.sharedRepository"]));
    let value = value.unwrap_or_default().to_lowercase();
    match value.as_str() {
        "group" | "true" | "yes" | "on" | "1" | "all" | "world" | "everybody" | "2" => true,
        octal => {
            octal.starts_with('0')
                && u32::from_str_radix(octal, 8).is_ok_and(|mode| mode & 0o020 != 0)
        }
    }
}

fn refusal(site: &Site, intent: Intent, person: &str, owner: u32, group: u32) -> UserError {
    let root = site.root();
    let owner = User::with_id(owner, group, root).name;
    let shown = root.display().to_string();
    let quote = |text: &str| shlex::try_quote(text).unwrap_or_default().into_owned();
    let quoted = quote(&shown);
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let again = match intent {
        Intent::Push => format!("--site {quoted} redeploy"),
        _ => shlex::try_join(arguments.iter().map(String::as_str)).unwrap_or_default(),
    };
    let repository = site.settings().map(|settings| site.repository(&settings));
    let is_git_shared = || repository.is_ok_and(|repository| is_repository_shared(&repository));
    let error = error::not_the_owner(&shown, &owner, person, &again);
    if is_shared(site) {
        error.fix(error::join_the_group(&quoted, &quote(person)))
    } else if is_git_shared() {
        error.fix(error::share_with_a_group(&quoted))
    } else {
        error
    }
}
