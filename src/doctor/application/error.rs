//! What can be wrong with an application, in words for people.

use std::path::Path;

use crate::process::Listener;
use crate::site::DeploymentId;
use crate::site::settings::Listen;
use crate::user_error::UserError;

/// `words` say since when, and by whom.
pub(super) fn is_stopped(words: &str) -> UserError {
    UserError::new(format!("the application is stopped {words}")).fix("nyala start")
}

/// Nobody runs the application of the live release. `has_systemd` says whether systemd can.
pub(super) fn not_served(live: DeploymentId, site: &Path, has_systemd: bool) -> UserError {
    let error =
        UserError::new(format!("release {live} is live, but no nyala serve runs its application"));
    match site.parent().filter(|_| has_systemd) {
        Some(folder) => error.fix(format!("nyala service install {}", folder.display())),
        None => error.fix(format!("nyala serve {}", site.display())),
    }
}

/// `file` is a unit that another version of nyala has written.
pub(super) fn service_is_outdated(file: &Path, folder: &Path) -> UserError {
    UserError::new(format!("{} is not as this nyala writes it", file.display()))
        .fix(format!("nyala service install {}", folder.display()))
}

pub(super) fn no_answer(why: &anyhow::Error) -> UserError {
    UserError::new("nyala serve does not say how the application is")
        .because(why)
        .fix("After an upgrade of nyala, restart nyala serve")
}

/// `listener` is who has that address, where that can be seen.
pub(super) fn listen_is_taken(listen: &Listen, listener: Option<&Listener>) -> UserError {
    let error =
        UserError::new(format!("no nyala serve runs the application, and {listen} is taken"));
    let error = match listener {
        Some(listener) => error.found(format!("{listener} listens there")),
        None => error.fix("See who has it, as root: ss -ltnp"),
    };
    error
        .fix("End that process, or change listen under [run] in nyala.toml to a free port")
        .fix("Run the application: nyala serve")
}

/// `origin` says what would be run.
pub(super) fn has_no_address(live: DeploymentId, origin: &str, settings: &Path) -> UserError {
    UserError::new(format!("release {live} has an application ({origin}), and nobody runs it"))
        .fix(format!("Write listen = \"127.0.0.1:8000\" under [run] in {}", settings.display()))
        .fix("Deploy it anew: nyala redeploy")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_that_does_not_run_says_how_to_run_it() {
        let site = Path::new("/srv/shop");
        let id = DeploymentId::of(7);
        insta::assert_snapshot!(is_stopped("since 2026-01-02 03:04 UTC by ada"), @"
        the application is stopped since 2026-01-02 03:04 UTC by ada
        nyala start
        ");
        insta::assert_snapshot!(not_served(id, site, false), @"
        release 7 is live, but no nyala serve runs its application
        nyala serve /srv/shop
        ");
        insta::assert_snapshot!(not_served(id, site, true), @"
        release 7 is live, but no nyala serve runs its application
        nyala service install /srv
        ");
        let unit = Path::new("/etc/systemd/system/nyala.service");
        insta::assert_snapshot!(service_is_outdated(unit, Path::new("/srv")), @"
        /etc/systemd/system/nyala.service is not as this nyala writes it
        nyala service install /srv
        ");
        insta::assert_snapshot!(no_answer(&anyhow::anyhow!("it ended")), @"
        nyala serve does not say how the application is: it ended
        After an upgrade of nyala, restart nyala serve
        ");
        let listen = "8000".parse().unwrap();
        let listener = Listener { pid: 4711, name: "gunicorn".to_owned() };
        insta::assert_snapshot!(listen_is_taken(&listen, Some(&listener)), @"
        no nyala serve runs the application, and 127.0.0.1:8000 is taken
        found: gunicorn (process 4711) listens there
        1. End that process, or change listen under [run] in nyala.toml to a free port
        2. Run the application: nyala serve
        ");
        insta::assert_snapshot!(listen_is_taken(&listen, None), @"
        no nyala serve runs the application, and 127.0.0.1:8000 is taken
        1. See who has it, as root: ss -ltnp
        2. End that process, or change listen under [run] in nyala.toml to a free port
        3. Run the application: nyala serve
        ");
        insta::assert_snapshot!(has_no_address(id, "the Procfile", &site.join("nyala.toml")), @r#"
        release 7 has an application (the Procfile), and nobody runs it
        1. Write listen = "127.0.0.1:8000" under [run] in /srv/shop/nyala.toml
        2. Deploy it anew: nyala redeploy
        "#);
    }
}
