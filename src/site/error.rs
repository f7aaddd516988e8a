//! What is wrong with the folder of a site and the files in it, in words for people.

use std::path::Path;

use super::DeploymentId;
use crate::text::excerpt;
use crate::user_error::UserError;

pub(super) fn none_named(here: &Path) -> UserError {
    UserError::usage(format!("no site was named, and {} is not inside one", here.display()))
        .fix("Name it with --site SITE or NYALA_SITE, or change into it")
}

/// A `wwwroot` that leads to `target`.
pub(super) fn not_a_release(wwwroot: &Path, target: &Path) -> UserError {
    UserError::new(format!("{} does not point to a release of this site", wwwroot.display()))
        .found(format!("it points to {}", target.display()))
        .fix(format!("Remove that link: rm {}", wwwroot.display()))
        .fix("Deploy again")
}

pub(super) fn not_a_link(wwwroot: &Path) -> UserError {
    let shown = wwwroot.display();
    UserError::new(format!("{shown} is not a symbolic link"))
        .labelled("note", "nyala makes a release live by replacing that link")
        .fix(format!("Move it away: mv {shown} {shown}.old"))
        .fix("Deploy again")
}

/// The record of a deployment, in a folder of its own, that something else than nyala has changed.
pub(super) fn unreadable_record(file: &Path) -> UserError {
    let folder = file.parent().unwrap_or(file);
    UserError::new(format!("{} is not a record", file.display())).fix(format!(
        "Restore it from a backup, or remove the deployment: rm -r {}",
        folder.display()
    ))
}

pub(super) fn unreadable_freeze(file: &Path) -> UserError {
    UserError::new(format!("{} cannot be parsed", file.display()))
        .fix(format!("Resume deployments: rm {}", file.display()))
}

pub(super) fn link_leads_elsewhere(link: &Path, meant: &Path) -> UserError {
    UserError::new(format!("{} does not lead to {}", link.display(), meant.display()))
        .labelled("note", "the folder releases was moved, or the link was changed")
        .fix("Make a new release: nyala redeploy")
}

pub fn no_deployment(id: DeploymentId) -> UserError {
    UserError::new(format!("there is no deployment {id}")).fix("See all deployments: nyala list")
}

/// `found` says which encoding it has instead.
pub(super) fn not_utf8(file: &Path, found: String) -> UserError {
    UserError::new(format!("{} is not UTF-8", file.display()))
        .found(found)
        .fix("Save it as UTF-8, with or without a byte order mark")
}

pub(super) fn open_quote() -> UserError {
    UserError::new("a quote is never closed")
        .fix("Close it, or remove that line and run: nyala config set NAME=VALUE")
}

/// Nothing of it is shown: what should be a name may be half of a value that lacks its quotes.
pub(super) fn not_an_assignment(number: usize) -> UserError {
    UserError::new(format!("setting {number} is not NAME=value"))
        .fix("Write a value with spaces in quotes: NAME='two words'")
}

pub(super) fn wrong_name_of(number: usize) -> UserError {
    wrong_name(&format!("setting {number} has no valid name before ="))
}

pub(super) fn wrong_name_for_a_setting(name: &str) -> UserError {
    let fact = format!("`{}` is not a valid name for a setting", excerpt(name));
    UserError { is_usage: true, ..wrong_name(&fact) }
}

fn wrong_name(fact: &str) -> UserError {
    UserError::new(fact)
        .labelled("allowed", "letters, digits, and _, and no digit first")
        .fix("Choose another name: nyala config set NAME=value")
}

/// `setting` is its name, or `setting` and its number.
pub(super) fn nul_in_value(setting: &str) -> UserError {
    UserError::new(format!("the value of {setting} has a NUL byte"))
        .labelled("note", "no environment variable can hold one")
        .fix("Encode the value, for example as base64")
}

/// `why` completes the sentence that begins with the path.
pub(super) fn not_shareable(path: &str, why: &str) -> UserError {
    UserError::new(format!("`{}` cannot be shared: {why}", excerpt(path)))
        .fix("Name a path inside the release, such as \"media\" or \"data/db.sqlite3\"")
}

pub(super) fn shared_twice(path: &str) -> UserError {
    UserError::new(format!("shared names `{}` twice", excerpt(path))).fix("Remove one of the two")
}

pub(super) fn shared_in_shared(one: &str, other: &str) -> UserError {
    let (one, other) = (excerpt(one), excerpt(other));
    UserError::new(format!("shared names `{one}` and `{other}`, one of which contains the other"))
        .fix("Remove the inner one")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "/srv/shop";

    #[test]
    fn a_link_that_leads_elsewhere_says_where_it_should_lead() {
        let (link, meant) = (Path::new("/srv/shop/releases/3/env"), Path::new("/srv/shop/envs/2"));
        insta::assert_snapshot!(link_leads_elsewhere(link, meant), @"
        /srv/shop/releases/3/env does not lead to /srv/shop/envs/2
        note: the folder releases was moved, or the link was changed
        Make a new release: nyala redeploy
        ");
    }

    #[test]
    fn a_site_that_was_not_named_says_how_to_name_it() {
        insta::assert_snapshot!(none_named(Path::new(ROOT)), @"
        no site was named, and /srv/shop is not inside one
        Name it with --site SITE or NYALA_SITE, or change into it
        ");
    }

    #[test]
    fn files_of_a_site_that_others_changed_say_what_to_do() {
        let in_root = |name: &str| Path::new(ROOT).join(name);
        let wwwroot = in_root("wwwroot");
        insta::assert_snapshot!(not_a_release(&wwwroot, Path::new("/var/www")), @"
        /srv/shop/wwwroot does not point to a release of this site
        found: it points to /var/www
        1. Remove that link: rm /srv/shop/wwwroot
        2. Deploy again
        ");
        insta::assert_snapshot!(not_a_link(&wwwroot), @"
        /srv/shop/wwwroot is not a symbolic link
        note: nyala makes a release live by replacing that link
        1. Move it away: mv /srv/shop/wwwroot /srv/shop/wwwroot.old
        2. Deploy again
        ");
        insta::assert_snapshot!(unreadable_record(&in_root("deployments/3/deployment.json")), @"
        /srv/shop/deployments/3/deployment.json is not a record
        Restore it from a backup, or remove the deployment: rm -r /srv/shop/deployments/3
        ");
        insta::assert_snapshot!(unreadable_freeze(&in_root("frozen.json")), @"
        /srv/shop/frozen.json cannot be parsed
        Resume deployments: rm /srv/shop/frozen.json
        ");
        insta::assert_snapshot!(no_deployment(DeploymentId::of(7)), @"
        there is no deployment 7
        See all deployments: nyala list
        ");
    }

    #[test]
    fn a_file_of_settings_that_cannot_be_read_says_what_is_right() {
        let file = Path::new("/srv/shop/settings.env");
        insta::assert_snapshot!(not_utf8(file, "the byte 0xe4 in line 2".to_owned()), @"
        /srv/shop/settings.env is not UTF-8
        found: the byte 0xe4 in line 2
        Save it as UTF-8, with or without a byte order mark
        ");
        insta::assert_snapshot!(open_quote(), @"
        a quote is never closed
        Close it, or remove that line and run: nyala config set NAME=VALUE
        ");
        insta::assert_snapshot!(not_an_assignment(2), @"
        setting 2 is not NAME=value
        Write a value with spaces in quotes: NAME='two words'
        ");
        insta::assert_snapshot!(wrong_name_of(2), @"
        setting 2 has no valid name before =
        allowed: letters, digits, and _, and no digit first
        Choose another name: nyala config set NAME=value
        ");
        insta::assert_snapshot!(wrong_name_for_a_setting("2 x"), @"
        `2 x` is not a valid name for a setting
        allowed: letters, digits, and _, and no digit first
        Choose another name: nyala config set NAME=value
        ");
        insta::assert_snapshot!(nul_in_value("KEY"), @"
        the value of KEY has a NUL byte
        note: no environment variable can hold one
        Encode the value, for example as base64
        ");
    }

    #[test]
    fn a_path_that_cannot_be_shared_says_which_can() {
        insta::assert_snapshot!(not_shareable("/etc", "it is absolute"), @r#"
        `/etc` cannot be shared: it is absolute
        Name a path inside the release, such as "media" or "data/db.sqlite3"
        "#);
        insta::assert_snapshot!(shared_twice("media"), @"
        shared names `media` twice
        Remove one of the two
        ");
        insta::assert_snapshot!(shared_in_shared("media", "media/x"), @"
        shared names `media` and `media/x`, one of which contains the other
        Remove the inner one
        ");
    }
}
