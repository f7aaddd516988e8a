//! Who owns the files of a site, and who can read them.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use rustix::fs::{Access, access as can};

use super::error;
use super::{Finding, FindingId, Repair};
use crate::access;
use crate::disk::is_protected;
use crate::disk::space::FileSystem;
use crate::site::Site;

pub(super) fn check(site: &Site) -> Vec<Finding> {
    let mut findings = Vec::new();
    let root = site.root();
    let Ok(owner) = fs::metadata(root).map(|metadata| metadata.uid()) else { return findings };
    let all = Access::WRITE_OK | Access::READ_OK | Access::EXEC_OK;
    if can(root, all).is_err() && !is_protected(root) {
        let error = match FileSystem::of(root) {
            Ok(system) if system.read_only => error::read_only(root, &system),
            _ => error::not_writable(root, owner),
        };
        findings.push(Finding::new(FindingId::NotWritable, error));
    }

    let protected = written(site).into_iter().filter(|path| is_protected(path));
    findings.extend(
        protected.map(|path| Finding::new(FindingId::NotWritable, error::is_protected(&path))),
    );

    // In a shared site each file belongs to whoever made it, and is open to the group.
    let is_shared = access::is_shared(site);
    let others = if is_shared { 0o007 } else { 0o077 };
    let records = records_and_logs(site);
    let foreign: Vec<_> = top_entries(site)
        .into_iter()
        .chain(records.iter().cloned())
        .chain(pushed(site, owner))
        .filter(|path| {
            let metadata = fs::symlink_metadata(path);
            !is_shared && metadata.is_ok_and(|metadata| metadata.uid() != owner)
        })
        .collect();
    if let [first, rest @ ..] = &foreign[..] {
        let outside = first.parent().filter(|folder| !folder.starts_with(root));
        let error = error::foreign_file(first, rest.len(), owner, outside.unwrap_or(root));
        findings.push(Finding::new(FindingId::Owner, error));
    }

    let open: Vec<_> = records
        .into_iter()
        .chain([site.app_settings_file()])
        .filter(|path| fs::metadata(path).is_ok_and(|file| file.permissions().mode() & others != 0))
        .collect();
    if let [first, rest @ ..] = &open[..] {
        let finding = Finding::new(FindingId::Mode, error::readable_by_others(first, rest.len()));
        findings.push(finding.with_repair(Repair::MakePrivate { files: open }));
    }
    findings
}

/// The folders in which deployments and pushes make files.
fn written(site: &Site) -> Vec<PathBuf> {
    let own = [site.releases(), site.envs(), site.deployments(), site.cache()];
    let repository = site.settings().map(|settings| site.repository(&settings));
    let of_git = repository.into_iter().flat_map(|repository| {
        let inside = ["objects", "refs", "refs/heads"].map(|name| repository.join(name));
        [repository].into_iter().chain(inside)
    });
    [site.root().to_owned()].into_iter().chain(own).chain(of_git).collect()
}

/// What is directly in the site, and in its folders of releases, envs and deployments.
fn top_entries(site: &Site) -> Vec<PathBuf> {
    [site.root().to_owned(), site.releases(), site.envs(), site.deployments()]
        .iter()
        .flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten())
        .map(|entry| entry.path())
        .collect()
}

/// What is in the repository, in which whoever pushes has written. A repository of somebody else is
/// not the site's.
fn pushed(site: &Site, owner: u32) -> Vec<PathBuf> {
    let Ok(settings) = site.settings() else { return Vec::new() };
    let repository = site.repository(&settings);
    let is_own = fs::metadata(&repository).is_ok_and(|metadata| metadata.uid() == owner);
    let (mut folders, mut found) = (vec![repository], Vec::new());
    while let Some(folder) = folders.pop().filter(|_| is_own) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|it| it.is_dir()) {
                folders.push(entry.path());
            }
            found.push(entry.path());
        }
    }
    found
}

/// The files of deployments that only the owner may read.
fn records_and_logs(site: &Site) -> Vec<PathBuf> {
    let deployments = site.deployment_ids().unwrap_or_default();
    deployments.into_iter().flat_map(|id| [site.record_file(id), site.log_file(id)]).collect()
}
