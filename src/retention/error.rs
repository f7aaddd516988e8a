//! What keeps a release from being deleted, or a path from being shared, in words for people.

use std::path::Path;

use super::{Held, Holder};
use crate::site::{DeploymentId, SharedPath};
use crate::text::toml_string;
use crate::user_error::{DEPLOY_AGAIN, UserError};

/// How to keep files of whose folder the application has no other use.
pub(super) const ONE_FOLDER: &str =
    "have the application write such files into a folder of their own, and share that";

pub(super) fn is_live(id: DeploymentId) -> UserError {
    UserError::new(format!("release {id} is live, and the live release is never deleted"))
        .fix("Make another release live first: nyala rollback, or push")
}

/// `status` is that of a deployment whose worker is alive.
pub(super) fn has_not_ended(id: DeploymentId, status: &str) -> UserError {
    UserError::new(format!("deployment {id} is {status}, and can be deleted when it has ended"))
        .fix(format!("Watch it: nyala build-log --follow {id}"))
}

pub(super) fn is_held(held: &Held) -> UserError {
    let error = UserError::new(held.to_string());
    match &held.holder {
        Holder::Process(process) => {
            error.fix(format!("End process {}, or wait until it has ended", process.pid))
        }
        Holder::Mount(_) | Holder::Shown(_) => error.fix(format!("Free it first: {}", held.fix())),
    }
}

pub(super) fn cannot_be_salvaged(id: DeploymentId) -> UserError {
    UserError::new(format!(
        "release {id} is not removed: the files that the application wrote there cannot be saved"
    ))
}

/// `shared` is what the setting is to be.
pub(super) fn nothing_to_share<'a>(shared: impl Iterator<Item = &'a SharedPath>) -> UserError {
    let named: Vec<_> = shared.map(|path| toml_string(&path.to_string())).collect();
    UserError::new("nothing is live yet, so there is nothing to share").fix(format!(
        "For every release from the first on, write into nyala.toml: shared = [{}]",
        named.join(", ")
    ))
}

/// `outer` is shared.
pub(super) fn part_of_shared(path: &SharedPath, outer: &SharedPath) -> UserError {
    UserError::new(format!("{path} is shared already, as a part of {outer}"))
        .fix(format!("See what is there: ls -la shared/{path}"))
}

pub(super) fn not_in_release(release: DeploymentId, path: &SharedPath) -> UserError {
    UserError::new(format!("release {release} has no {path} of its own"))
        .fix(format!("Let nyala find the release that has it: nyala share {path}"))
}

pub(super) fn in_no_release(path: &SharedPath) -> UserError {
    UserError::new(format!("no release has {path}"))
        .fix(format!("Add it to shared in nyala.toml if the application makes it: {path}"))
}

pub(super) fn in_several(
    path: &SharedPath,
    releases: &[DeploymentId],
    live: DeploymentId,
) -> UserError {
    let named: Vec<_> = releases.iter().map(ToString::to_string).collect();
    let error = UserError::new(format!("the application wrote {path} in several releases"))
        .found(format!("releases {}; {live} is live", named.join(", ")));
    let first = releases.first().copied().unwrap_or(live);
    error.fix(format!("Choose the release to take it from: nyala share --from {first} {path}"))
}

pub(super) fn cannot_be_shared(path: &SharedPath) -> UserError {
    UserError::new(format!("{path} cannot be shared, and nothing was changed"))
}

/// `shared` is where the path is to be.
pub(super) fn is_mounted(mount: &Path, shared: &Path) -> UserError {
    UserError::new(format!("something is mounted at {}", mount.display()))
        .fix(format!("Unmount it, and mount it at {}", shared.display()))
}

/// `own` is where the path is in a release, and `shared` where it is to be.
pub(super) fn is_on_another_disk(own: &Path, shared: &Path, path: &SharedPath) -> UserError {
    UserError::new("the release and shared/ are on different file systems")
        .fix("Stop the application")
        .fix(format!("Copy it: cp -a {} {}", own.display(), shared.display()))
        .fix(format!("Add {path} to shared in nyala.toml, and deploy again: nyala redeploy"))
        .fix("Start the application")
}

pub(super) fn is_behind_a_link(release: DeploymentId, path: &SharedPath, link: &Path) -> UserError {
    UserError::new(format!("{path} is not in release {release} itself"))
        .found(format!("{} is a link", link.display()))
        .fix("Leave it as it is: what the link leads to already outlives the release")
}

pub(super) fn exists_already(shared: &Path) -> UserError {
    UserError::new(format!("{} exists already", shared.display()))
        .fix("Move it away, or merge the two, and run this again")
}

pub(super) fn in_transaction(journal: &Path) -> UserError {
    UserError::new(format!("{} belongs to an open transaction", journal.display()))
        .fix("Run this again when the application has finished it")
}

/// The old releases stay until the next deployment.
pub(super) fn not_removed() -> UserError {
    UserError::new("old releases could not be removed")
}

/// `files` are those that only `release` has, and `command` shares them where one command can.
pub(super) fn would_be_lost(
    release: DeploymentId,
    files: String,
    command: Option<&str>,
) -> UserError {
    let keep = match command {
        Some(command) => format!("Run {command}, and {DEPLOY_AGAIN}"),
        None => format!("To keep them in every release: {ONE_FOLDER}"),
    };
    UserError::new(unshared(release))
        .found(files)
        .fix(keep)
        .fix("Or go live without them: unshared = \"warn\" in nyala.toml")
}

/// The fact of [`would_be_lost`], which a warning says as well.
pub(super) fn unshared(release: DeploymentId) -> String {
    format!("the application wrote files into release {release} that the next one does not get")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Mounted;
    use crate::retention::holders::{Process, UsedAs};

    const ID: fn(u64) -> DeploymentId = DeploymentId::of;

    fn path() -> SharedPath {
        SharedPath::try_from("media".to_owned()).unwrap()
    }

    #[test]
    fn what_cannot_be_deleted_says_why() {
        insta::assert_snapshot!(is_live(ID(3)), @"
        release 3 is live, and the live release is never deleted
        Make another release live first: nyala rollback, or push
        ");
        insta::assert_snapshot!(has_not_ended(ID(3), "building"), @"
        deployment 3 is building, and can be deleted when it has ended
        Watch it: nyala build-log --follow 3
        ");
        insta::assert_snapshot!(
            cannot_be_salvaged(ID(3)),
            @"release 3 is not removed: the files that the application wrote there cannot be saved"
        );
        let process = Process { pid: 4711, command: "python".into(), used_as: UsedAs::OpenFile };
        let what = "release 3".to_owned();
        insta::assert_snapshot!(is_held(&Held { what, holder: Holder::Process(process) }), @"
        release 3 is not removed: process 4711 (python) still uses it (open file)
        End process 4711, or wait until it has ended
        ");
        let (what, path) = ("release 3".to_owned(), "/srv/shop/releases/3".into());
        let holder =
            Holder::Mount(Mounted { path, mounts: vec!["/srv/shop/releases/3/media".into()] });
        insta::assert_snapshot!(is_held(&Held { what, holder }), @r#"
        release 3 is not removed: something is mounted at /srv/shop/releases/3/media
        Free it first: unmount it, set shared = ["media"] in nyala.toml, and mount it at shared/media
        "#);
    }

    #[test]
    fn what_cannot_be_shared_says_why() {
        insta::assert_snapshot!(nothing_to_share([&path()].into_iter()), @r#"
        nothing is live yet, so there is nothing to share
        For every release from the first on, write into nyala.toml: shared = ["media"]
        "#);
        let inner = SharedPath::try_from("media/thumbs".to_owned()).unwrap();
        insta::assert_snapshot!(part_of_shared(&inner, &path()), @"
        media/thumbs is shared already, as a part of media
        See what is there: ls -la shared/media/thumbs
        ");
        insta::assert_snapshot!(not_in_release(ID(3), &path()), @"
        release 3 has no media of its own
        Let nyala find the release that has it: nyala share media
        ");
        insta::assert_snapshot!(in_no_release(&path()), @"
        no release has media
        Add it to shared in nyala.toml if the application makes it: media
        ");
        insta::assert_snapshot!(in_several(&path(), &[ID(4), ID(3)], ID(4)), @"
        the application wrote media in several releases
        found: releases 4, 3; 4 is live
        Choose the release to take it from: nyala share --from 4 media
        ");
        insta::assert_snapshot!(
            cannot_be_shared(&path()),
            @"media cannot be shared, and nothing was changed"
        );
        let shared = Path::new("/srv/shop/shared/media");
        insta::assert_snapshot!(is_mounted(Path::new("/srv/shop/releases/3/media"), shared), @"
        something is mounted at /srv/shop/releases/3/media
        Unmount it, and mount it at /srv/shop/shared/media
        ");
        let own = Path::new("/srv/shop/releases/3/media");
        let path = path();
        insta::assert_snapshot!(is_on_another_disk(own, shared, &path), @r"
        the release and shared/ are on different file systems
        1. Stop the application
        2. Copy it: cp -a /srv/shop/releases/3/media /srv/shop/shared/media
        3. Add media to shared in nyala.toml, and deploy again: nyala redeploy
        4. Start the application
        ");
        insta::assert_snapshot!(exists_already(shared), @"
        /srv/shop/shared/media exists already
        Move it away, or merge the two, and run this again
        ");
        insta::assert_snapshot!(in_transaction(Path::new("/srv/shop/releases/3/db-journal")), @"
        /srv/shop/releases/3/db-journal belongs to an open transaction
        Run this again when the application has finished it
        ");
    }

    #[test]
    fn files_that_the_next_release_lacks_are_named_with_the_command() {
        let release = DeploymentId::of(3);
        let command = Some("nyala share media");
        let error = would_be_lost(release, "media (3 files)".to_owned(), command);
        insta::assert_snapshot!(error, @r#"
        the application wrote files into release 3 that the next one does not get
        found: media (3 files)
        1. Run nyala share media, and deploy again
        2. Or go live without them: unshared = "warn" in nyala.toml
        "#);
        let error = would_be_lost(release, "x (of the commit)".to_owned(), None);
        insta::assert_snapshot!(error, @r#"
        the application wrote files into release 3 that the next one does not get
        found: x (of the commit)
        1. To keep them in every release: have the application write such files into a folder of their own, and share that
        2. Or go live without them: unshared = "warn" in nyala.toml
        "#);
        insta::assert_snapshot!(not_removed(), @"old releases could not be removed");
    }

    #[test]
    fn what_a_link_leads_to_need_not_be_shared() {
        let link = Path::new("/srv/shop/releases/3/media");
        insta::assert_snapshot!(is_behind_a_link(DeploymentId::of(3), &path(), link), @"
        media is not in release 3 itself
        found: /srv/shop/releases/3/media is a link
        Leave it as it is: what the link leads to already outlives the release
        ");
    }
}
