//! What is wrong with the folder of a site, in words for people.

use std::path::Path;

use super::DeploymentId;
use crate::user_error::UserError;

pub(super) fn none_named(here: &Path) -> UserError {
    UserError::usage(format!("no site was named, and {} is not inside one", here.display()))
        .fix("Name it with --site SITE or NYALA_SITE, or change into it")
}

/// A `wwwroot` that leads to `target`.
pub(super) fn not_a_release(wwwroot: &Path, target: &Path) -> UserError {
    UserError::new(format!("{} does not point to a release of this site", wwwroot.display()))
        .found(format!("it points to {}", target.display()))
        .fix(format!("Remove that link, and push again: rm {}", wwwroot.display()))
}

pub(super) fn not_a_link(wwwroot: &Path) -> UserError {
    let shown = wwwroot.display();
    UserError::new(format!("{shown} is not a symbolic link"))
        .labelled("note", "nyala makes a release live by replacing that link")
        .fix(format!("Move it away, and push again: mv {shown} {shown}.old"))
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

pub fn no_deployment(id: DeploymentId) -> UserError {
    UserError::new(format!("there is no deployment {id}")).fix("See all deployments: nyala list")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "/srv/shop";

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
        Remove that link, and push again: rm /srv/shop/wwwroot
        ");
        insta::assert_snapshot!(not_a_link(&wwwroot), @"
        /srv/shop/wwwroot is not a symbolic link
        note: nyala makes a release live by replacing that link
        Move it away, and push again: mv /srv/shop/wwwroot /srv/shop/wwwroot.old
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
}
