//! `nyala start`: starts the application that `nyala stop` has ended.

use anyhow::{Result, bail};

use super::{cluster, error};
use crate::console;
use crate::control::{Control, Request};
use crate::site::Site;

pub(super) fn run(site: &Site) -> Result<()> {
    let _log = console::init_step();
    if let Some((live, _lock)) = cluster::live_to_change(site)? {
        site.set_started()?;
        return live.set_counts(site);
    }
    let Some(mut control) = Control::connect(site)? else {
        // The next `nyala serve` starts it.
        site.set_started()?;
        bail!(error::not_served(site.root()));
    };
    control.ask(&Request::Start, &mut |line| say!("{line}"))?;
    Ok(())
}
