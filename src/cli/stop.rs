//! `nyala stop`: ends the application until `nyala start`.

use anyhow::Result;

use super::cluster;
use crate::access;
use crate::console;
use crate::control::{Control, Request};
use crate::site::Site;

pub(super) fn run(site: &Site) -> Result<()> {
    let by = access::person();
    let _log = console::init_step();
    // Also if it is stopped already: the cluster may not have answered then.
    if let Some((live, _lock)) = cluster::live_to_change(site)? {
        site.set_stopped(&by)?;
        live.set_counts(site)?;
        say!("Stopped. A push deploys without starting anything. To start it: nyala start");
        return Ok(());
    }
    if let Some(stopped) = site.stopped()? {
        say!("It is stopped already, {}. To start it: nyala start", stopped.in_words());
        return Ok(());
    }
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
