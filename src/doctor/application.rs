//! Does the application run, as far as nyala is to run it?

mod error;

use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use anyhow::Result;

use super::{Finding, FindingId};
use crate::build::django;
use crate::control::{Answer, Control, Request, Trouble, TroubleKind};
use crate::git::Repository;
use crate::process;
use crate::processes::{self, Found, Release};
use crate::retention::{Holder, holders};
use crate::service;
use crate::site::settings::{Listen, Run};
use crate::site::{ENV_LINK, Record, Settings, Site};

/// What is wrong with the application of what is live. With `ask`, it has more time to answer
/// whether it is healthy.
pub fn check(site: &Site, settings: &Settings, ask: bool) -> Vec<Finding> {
    let mut findings = of_live(site, settings, ask);
    if let Some((file, folder)) = service::outdated(site.root()) {
        let error = error::service_is_outdated(&file, &folder);
        findings.push(Finding::new(FindingId::ServiceOutdated, error));
    }
    findings
}

fn of_live(site: &Site, settings: &Settings, ask: bool) -> Vec<Finding> {
    let Some(live) = site.live().ok().flatten() else { return before_a_push(site, settings, ask) };
    let Some(record) = site.record(live).ok().flatten() else { return Vec::new() };
    let stopped = || {
        let stopped = site.stopped().ok().flatten()?;
        let error = error::is_stopped(&stopped.in_words());
        Some(Finding::new(FindingId::Stopped, error))
    };
    if settings.runs_in_cluster() {
        return stopped().into_iter().collect();
    }
    let Some(listen) = &settings.run.listen else {
        return not_run(site, settings, &record).into_iter().collect();
    };
    if let Some(stopped) = stopped() {
        return vec![stopped];
    }
    match Control::connect(site) {
        Ok(Some(control)) => of_serve(control, ask)
            .unwrap_or_else(|why| vec![Finding::new(FindingId::NotServed, error::no_answer(&why))]),
        Ok(None) => not_served(site, &record, listen).into_iter().collect(),
        // The socket is the owner's alone.
        Err(_) => Vec::new(),
    }
}

/// A site is served before anything is live: visitors get 503.
fn before_a_push(site: &Site, settings: &Settings, ask: bool) -> Vec<Finding> {
    if settings.run.listen.is_none() || settings.runs_in_cluster() {
        return Vec::new();
    }
    let control = Control::connect(site).ok().flatten();
    control.and_then(|control| of_serve(control, ask).ok()).unwrap_or_default()
}

/// What `nyala serve` itself knows.
fn of_serve(mut control: Control, ask: bool) -> Result<Vec<Finding>> {
    let answer = control.ask(&Request::Troubles { ask }, &mut |_| {})?;
    let Answer::Troubles(troubles) = answer else { return Ok(Vec::new()) };
    let finding = |Trouble { kind, error }| {
        let id = match kind {
            TroubleKind::NotListening => FindingId::NotListening,
            TroubleKind::NotRunning => FindingId::NotRunning,
            TroubleKind::Restarts => FindingId::RestartLoop,
            TroubleKind::Unhealthy => FindingId::Unhealthy,
        };
        Finding::new(id, error)
    };
    Ok(troubles.into_iter().map(finding).collect())
}

/// An application that is to run, and no `nyala serve` that runs it.
fn not_served(site: &Site, live: &Record, listen: &Listen) -> Option<Finding> {
    live.processes.as_ref()?;
    // Somebody else runs it: a unit of the user's own.
    if is_used(site, live) {
        return None;
    }
    let error = match taken(listen) {
        Some(address) => error::listen_is_taken(listen, process::listener(address).as_ref()),
        None => error::not_served(live.id, site.root(), service::is_booted()),
    };
    Some(Finding::new(FindingId::NotServed, error))
}

/// The address of a site, if somebody else has it.
fn taken(listen: &Listen) -> Option<SocketAddr> {
    let Listen::Tcp(address) = listen else { return None };
    let tried = TcpListener::bind(address);
    tried.is_err_and(|error| error.kind() == ErrorKind::AddrInUse).then_some(*address)
}

/// An application that nobody runs, in a site that has no address.
fn not_run(site: &Site, settings: &Settings, live: &Record) -> Option<Finding> {
    let Ok(Some(Found::Processes(found))) = found(site, settings, live) else { return None };
    let error = error::has_no_address(live.id, &found.origin, &site.settings_file());
    (!is_used(site, live)).then(|| Finding::new(FindingId::NoAddress, error))
}

/// What the live release would run.
fn found(site: &Site, settings: &Settings, live: &Record) -> Result<Option<Found>> {
    let Some(tree) = &live.tree else { return Ok(None) };
    let repository = Repository::open(&site.repository(settings))?;
    let commit = repository.commit(&live.commit)?;
    let tree = repository.tree_with_id(repository.tree(&commit)?.id(tree)?)?;
    let release = site.release(live.id);
    let manage_folder = django::manage_folder(&release, live.manage_folders.as_deref());
    let programs = release.join(ENV_LINK).join("bin");
    let run = Run { processes: settings.run.processes.clone(), ..Run::default() };
    let release = Release {
        run: &run,
        app_settings: &site.app_settings()?,
        manage_folder,
        has_program: &|program| programs.join(program).exists(),
    };
    processes::find(&tree, &release).map(Some)
}

/// Whether a process uses a release or its env, other than nyala itself: a worker that cleans up
/// after a push looks through both.
fn is_used(site: &Site, live: &Record) -> bool {
    let env = site.env_of_release(live.id).map(|env| site.env(env));
    let folders: Vec<PathBuf> = [site.release(live.id)].into_iter().chain(env).collect();
    let program = |pid: &str| fs::read_link(format!("/proc/{pid}/exe")).ok();
    let own = program("self");
    holders(&folders).values().any(|holder| match holder {
        Holder::Process(process) => own.is_none() || program(&process.pid.to_string()) != own,
        _ => false,
    })
}
