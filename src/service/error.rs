//! What keeps the service from being installed or removed, in words for people.

use std::path::Path;

use super::UNIT;
use crate::user_error::UserError;

pub(super) fn no_folder(folder: &Path) -> UserError {
    UserError::new(format!("the folder {} cannot be found", folder.display()))
        .fix(format!("Make it: mkdir {}", folder.display()))
        .fix("Or name the folder that your sites are in: nyala service install FOLDER")
}

pub(super) fn cannot_be_named(path: &Path) -> UserError {
    UserError::new("a systemd unit cannot contain this path")
        .found(format!("{:?}, which is not UTF-8 or has a line break", path.display()))
        .fix("Rename the folder, and run this again")
}

/// `folder` is quoted for a shell.
pub(super) fn no_systemd(folder: &str) -> UserError {
    UserError::new("this machine does not run systemd")
        .fix(format!("Have your process manager run: nyala serve {folder}"))
        .fix("Or print the unit, for another machine: nyala service install --print")
}

/// The user has no systemd of their own now.
pub(super) fn no_user_manager(name: &str) -> UserError {
    UserError::new(format!("systemd has no user session for {name}"))
        .fix(format!("Start it, now and with the machine: sudo loginctl enable-linger {name}"))
        .fix("Run this again")
}

pub(super) fn taken(file: &Path) -> UserError {
    UserError::new(format!("there is a {UNIT} already, which nyala has not written"))
        .found(file.display().to_string())
        .fix(format!("Remove it, or rename it: {}", file.display()))
        .fix("Run this again")
}

/// Ours serves another folder.
pub(super) fn serves_another(folder: &Path) -> UserError {
    UserError::new(format!("{UNIT} serves {} already", folder.display()))
        .fix(format!("Make the sites there: nyala init {}/SITE", folder.display()))
        .fix("Or serve another folder instead: nyala service remove")
}

pub(super) fn not_installed() -> UserError {
    UserError::new("the service is not installed").fix("Install it: nyala service install FOLDER")
}

/// `user` is ` --user` for a unit of a user.
pub(super) fn not_started(user: &str) -> UserError {
    UserError::new(format!("{UNIT} is installed, but does not start"))
        .fix(format!("See why: journalctl{user} -u nyala -n 20"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_says_what_to_do() {
        insta::assert_snapshot!(no_folder(Path::new("/srv/sites")), @"
        the folder /srv/sites cannot be found
        1. Make it: mkdir /srv/sites
        2. Or name the folder that your sites are in: nyala service install FOLDER
        ");
        insta::assert_snapshot!(cannot_be_named(Path::new("/srv/a\nb")), @r#"
        a systemd unit cannot contain this path
        found: "/srv/a\nb", which is not UTF-8 or has a line break
        Rename the folder, and run this again
        "#);
        insta::assert_snapshot!(no_systemd("/srv"), @"
        this machine does not run systemd
        1. Have your process manager run: nyala serve /srv
        2. Or print the unit, for another machine: nyala service install --print
        ");
        insta::assert_snapshot!(no_user_manager("ada"), @"
        systemd has no user session for ada
        1. Start it, now and with the machine: sudo loginctl enable-linger ada
        2. Run this again
        ");
        insta::assert_snapshot!(taken(Path::new("/etc/systemd/system/nyala.service")), @"
        there is a nyala.service already, which nyala has not written
        found: /etc/systemd/system/nyala.service
        1. Remove it, or rename it: /etc/systemd/system/nyala.service
        2. Run this again
        ");
        insta::assert_snapshot!(serves_another(Path::new("/srv")), @"
        nyala.service serves /srv already
        1. Make the sites there: nyala init /srv/SITE
        2. Or serve another folder instead: nyala service remove
        ");
        insta::assert_snapshot!(not_installed(), @"
        the service is not installed
        Install it: nyala service install FOLDER
        ");
        insta::assert_snapshot!(not_started(" --user"), @"
        nyala.service is installed, but does not start
        See why: journalctl --user -u nyala -n 20
        ");
    }
}
