//! `nyala start`: starts the application that `nyala stop` has ended.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use super::{cluster, error};
use crate::console;
use crate::control::{Control, Request};
use crate::site::Site;

pub(super) fn run(site: &Site) -> Result<()> {
    let _log = console::init_step();
    if let Some(live) = cluster::live(site)? {
        site.set_started()?;
        return live.set_counts(site, &site.settings()?, &BTreeMap::new());
    }
    let Some(mut control) = Control::connect(site)? else {
        // The next `nyala serve` starts it.
        site.set_started()?;
        bail!(error::not_served(site.root()));
    };
    control.ask(&Request::Start, &mut |line| say!("{line}"))?;
    Ok(())
}
