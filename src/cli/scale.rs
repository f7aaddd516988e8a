//! `nyala scale`: how many processes of each name run.

mod error;

use std::collections::BTreeMap;
use std::str::FromStr;

use anyhow::{Result, bail};
use clap::Args;

use super::cluster;
use crate::console;
use crate::control::{Control, Request};
use crate::kubernetes::Live;
use crate::processes::RELEASE;
use crate::site::Site;
use crate::site::settings::check_scale;

#[derive(Debug, Args)]
pub(super) struct Scale {
    /// The names of processes, and how many of each run
    #[arg(required = true, value_name = "PROCESS=COUNT")]
    wanted: Vec<Wanted>,
}

#[derive(Clone, Debug)]
struct Wanted {
    process: String,
    count: u32,
}

impl FromStr for Wanted {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Wanted, Self::Err> {
        let parts =
            text.split_once('=').and_then(|(name, count)| Some((name, count.parse().ok()?)));
        let (process, count) = parts.ok_or("write a process and a number, such as worker=2")?;
        Ok(Wanted { process: process.to_owned(), count })
    }
}

impl Scale {
    /// Applies it first: what cannot run is not kept.
    pub(super) fn run(&self, site: &Site) -> Result<()> {
        let wanted: BTreeMap<_, _> =
            self.wanted.iter().map(|it| (it.process.clone(), it.count)).collect();
        for (name, count) in &wanted {
            check_scale(name, *count)?;
        }
        check_names(site, &wanted)?;
        let _log = console::init_step();
        if let Some((live, _lock)) = cluster::live_to_change(site)? {
            return scale_in_cluster(site, &live, &wanted);
        }
        let merged = || -> Result<_> {
            let mut scale = site.settings()?.run.scale;
            scale.extend(wanted.clone());
            Ok(scale)
        };
        site.check_scale(&merged()?)?;
        let control = Control::connect(site)?;
        let is_served = control.is_some();
        if let Some(mut control) = control {
            let scale = wanted.clone();
            control.ask(&Request::Scale { scale }, &mut |line| say!("{line}"))?;
        }
        // Somebody else may have changed it meanwhile.
        let _guard = site.guard()?;
        site.set_scale(&merged()?)?;
        let counts: Vec<_> = wanted.iter().map(|(name, count)| format!("{name}={count}")).collect();
        let counts = counts.join(" ");
        if is_served {
            say!("Now running {counts}, and after every deployment.");
        } else {
            say!("Saved for the next start of the application: {counts}");
        }
        Ok(())
    }
}

/// The same for pods. How many each process has is kept under [kubernetes].
fn scale_in_cluster(site: &Site, live: &Live, wanted: &BTreeMap<String, u32>) -> Result<()> {
    let merged = || -> Result<_> {
        let mut replicas = site.settings()?.kubernetes.unwrap_or_default().replicas;
        replicas.extend(wanted.clone());
        Ok(replicas)
    };
    site.check_replicas(&merged()?)?;
    live.scale(site, wanted)?;
    let _guard = site.guard()?;
    site.set_replicas(&merged()?)?;
    let counts: Vec<_> = wanted.iter().map(|(name, count)| format!("{name}={count}")).collect();
    say!("Now running {}, and after every deployment.", counts.join(" "));
    Ok(())
}

/// Fails for a process that what is live does not have.
fn check_names(site: &Site, wanted: &BTreeMap<String, u32>) -> Result<()> {
    let live = site.live()?.map(|live| site.record(live)).transpose()?.flatten();
    let Some(found) = live.and_then(|record| record.processes) else { return Ok(()) };
    let known: Vec<_> = found.commands.into_keys().filter(|name| name != RELEASE).collect();
    match wanted.keys().find(|name| !known.contains(name)) {
        Some(name) => bail!(error::no_process_to_scale(name, &known)),
        None => Ok(()),
    }
}
