//! The site itself: its settings, its files, what is live, and what was left behind.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use super::{Finding, Mend};
use crate::disk::space::{DiskUsage, FileSystem, shortage};

use crate::plan::describe;
use crate::process::Environment;
use crate::python::env;
use crate::python::installers::Installer;
use crate::python::installers::find_uv;
use crate::site::{Record, Settings, Site};
use crate::worker;

/// With less than this, the next deployment will probably not fit.
const LEAST: DiskUsage = DiskUsage { bytes: 100 << 20, inodes: 5_000 };

pub(super) fn settings(site: &Site, findings: &mut Vec<Finding>) {
    // The site's settings may stand among the application's, so theirs come first and say it once.
    if let Err(error) = site.app_settings() {
        let fix = format!("edit {}", site.app_settings_file().display());
        findings.push(Finding::of("app-settings", &error, fix));
    } else if let Err(error) = site.settings() {
        let fix = format!("edit {}", site.settings_file().display());
        findings.push(Finding::of("settings", &error, fix));
    }
    if let Err(error) = site.frozen() {
        let fix = format!("rm {}", site.frozen_file().display());
        findings.push(Finding::new("frozen", describe::user_error(&error).fact, fix));
    }
}

pub(super) fn installer(settings: &Settings, findings: &mut Vec<Finding>) {
    // App settings are left out: they may hold a PATH, and whoever set that knows.
    if settings.installer == Installer::Uv && find_uv(&Environment::clean()).is_none() {
        let fact = "nyala.toml says installer = \"uv\", and there is no uv here";
        let fix =
            "install uv (https://docs.astral.sh/uv/), or write installer = \"pip\" into nyala.toml";
        findings.push(Finding::new("uv-missing", fact, fix));
    }
}

pub(super) fn owners_and_modes(site: &Site, findings: &mut Vec<Finding>) {
    use rustix::fs::{Access, access};
    let root = site.root();
    let Ok(owner) = fs::metadata(root).map(|metadata| metadata.uid()) else { return };
    if access(root, Access::WRITE_OK | Access::READ_OK | Access::EXEC_OK).is_err() {
        let fact =
            format!("{} cannot be written by you: it belongs to user {owner}", root.display());
        findings.push(Finding::new(
            "not-writable",
            fact,
            format!("run this, and push, as user {owner}"),
        ));
    }

    let mut inside: Vec<PathBuf> = Vec::new();
    for folder in [root.to_owned(), site.releases(), site.envs(), site.deployments()] {
        inside
            .extend(fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()));
    }
    let records = inside.iter().filter(|path| path.parent() == Some(&site.deployments())).cloned();
    let files: Vec<PathBuf> = records
        .flat_map(|folder| ["deployment.json", "log.txt"].map(|name| folder.join(name)))
        .collect();
    inside.extend(files.iter().cloned());

    let foreign =
        |path: &&PathBuf| fs::symlink_metadata(path).is_ok_and(|metadata| metadata.uid() != owner);
    let foreign: Vec<&PathBuf> = inside.iter().filter(foreign).collect();
    if let [first, rest @ ..] = &foreign[..] {
        let fact = format!(
            "{}{} is not of user {owner}, who has the site",
            first.display(),
            and_more(rest.len())
        );
        findings.push(Finding::new(
            "owner",
            fact,
            format!("chown -R -h {owner} {}", root.display()),
        ));
    }

    let private = files.into_iter().chain([site.app_settings_file()]);
    let open = |path: &PathBuf| {
        fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0)
    };
    let open: Vec<PathBuf> = private.filter(open).collect();
    if let [first, rest @ ..] = &open[..] {
        let fact = format!(
            "{}{} can be read by others than its owner",
            first.display(),
            and_more(rest.len())
        );
        let fix = format!("chmod 600 {}", first.display());
        findings.push(Finding::new("mode", fact, fix).with(Mend::Close(open)));
    }
}

pub(super) fn live(site: &Site, findings: &mut Vec<Finding>) {
    match site.live() {
        Err(error) => findings.push(Finding::of("wwwroot", &error, "nyala redeploy")),
        Ok(Some(id)) if !site.release(id).is_dir() => {
            let fact = format!(
                "wwwroot points to {}, which is gone: nothing is served",
                site.release(id).display()
            );
            findings.push(Finding::new("wwwroot-dangling", fact, "nyala redeploy"));
        }
        Ok(_) => {}
    }
}

/// The envs of the releases there are. That one may not be used again is no fault.
pub(super) fn envs(site: &Site, findings: &mut Vec<Finding>) {
    let live = site.live().ok().flatten();
    let mut seen = Vec::new();
    let mut releases = site.release_ids().unwrap_or_default();
    releases.sort_by_key(|id| Some(*id) != live);
    for id in releases {
        let fix = if Some(id) == live {
            "nyala redeploy".to_owned()
        } else {
            format!("nothing, unless you want to go back to release {id}: then nyala redeploy {id}")
        };
        let Some(number) = site.env_of_release(id) else {
            let had =
                site.record(id).ok().flatten().and_then(|record| record.env).and_then(|env| env.id);
            if let Some(had) =
                had.filter(|_| fs::symlink_metadata(site.release(id).join("env")).is_err())
            {
                let fact = format!("release {id} has lost its link to env {had}");
                findings.push(Finding::new("env-unlinked", fact, fix));
            }
            continue;
        };
        if seen.contains(&number) {
            continue;
        }
        seen.push(number);
        let folder = site.env(number);
        let gone = folder.is_dir() && !env::python(&folder).exists();
        for fact in env::inspect(&folder, &Environment::clean()).damage {
            let id = if gone { "interpreter-gone" } else { "env-damaged" };
            findings.push(Finding::new(
                id,
                format!("env {number} is damaged: {fact}"),
                fix.clone(),
            ));
        }
    }
}

pub(super) fn deployments(site: &Site, findings: &mut Vec<Finding>) {
    for id in site.deployment_ids().unwrap_or_default() {
        let folder = site.deployment(id);
        match site.record(id) {
            Err(error) => {
                let fix = format!("rm -r {}", folder.display());
                findings.push(Finding::of("record", &error, fix));
            }
            Ok(Some(record)) if is_dead(site, &record) => {
                let fact =
                    format!("deployment {id} is {}, and its worker is dead", record.status.name());
                let fix = "nyala doctor --fix, or push again";
                findings.push(Finding::new("worker-dead", fact, fix).with(Mend::Repair));
            }
            Ok(_) => {}
        }
    }
    let leftovers = worker::leftovers(site).unwrap_or_default();
    if let [first, rest @ ..] = &leftovers[..] {
        let fact = format!(
            "{}{} belongs to no release that is kept",
            first.display(),
            and_more(rest.len())
        );
        let fix = "nyala doctor --fix, or push again";
        findings.push(Finding::new("leftovers", fact, fix).with(Mend::Repair));
    }
}

pub(super) fn space(site: &Site, findings: &mut Vec<Finding>) {
    let Ok(system) = FileSystem::of(site.root()) else { return };
    if shortage(LEAST, system.free).is_some() {
        let fact = format!("{} has only {} left on {system}", site.root().display(), system.free);
        findings.push(Finding::new(
            "space",
            fact,
            format!(
                "make room there, or keep fewer releases: keep = 1 in {}",
                site.settings_file().display()
            ),
        ));
    }
}

fn is_dead(site: &Site, record: &Record) -> bool {
    !record.status.is_final() && matches!(site.has_worker(record.id), Ok(false))
}

fn and_more(number: usize) -> String {
    if number == 0 { String::new() } else { format!(" (and {number} more)") }
}
