//! `nyala stop`: ends the application until `nyala start`.

use anyhow::Result;

use crate::access;
use crate::control::{Control, Request};
use crate::site::Site;

pub(super) fn run(site: &Site) -> Result<()> {
    if let Some(stopped) = site.stopped()? {
        say!("It is stopped already, {}. To start it: nyala start", stopped.in_words());
        return Ok(());
    }
    let by = access::person();
    match Control::connect(site)? {
        Some(mut control) => drop(control.ask(&Request::Stop { by }, &mut |line| say!("{line}"))?),
        None => site.set_stopped(&by)?,
    }
    say!(
        "Stopped. Requests get 503, and a push deploys without starting anything. To start it: \
         nyala start"
    );
    Ok(())
}
