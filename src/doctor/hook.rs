//! Does a push run the hook, and does the hook run this nyala for this site?

use std::path::{Path, PathBuf};

use super::error;
use super::{Finding, FindingId, Repair};
use crate::disk;
use crate::git::{git, run};
use crate::process::is_executable;
use crate::setup::{self, STRICT_HOOK, is_own_hook, named_in_hook};
use crate::site::{Settings, Site};
use crate::user_error::UserError;

pub(super) fn check(site: &Site, settings: &Settings, repository: &Path) -> Vec<Finding> {
    let install =
        &format!("nyala install {} --site {}", repository.display(), site.root().display());
    let fixable = |id, error: UserError| {
        let repair = Repair::InstallHook { repository: repository.to_owned() };
        Finding::new(id, error).with_repair(repair)
    };

    let folder = hooks_folder(repository);
    let hook = folder.join("post-receive");
    let text = disk::read(&hook).ok();
    if folder != repository.join("hooks") && !text.as_deref().is_some_and(is_own_hook) {
        return vec![other_hooks_path(repository, &folder, install)];
    }
    let Some(text) = text else {
        return vec![fixable(FindingId::HookMissing, error::no_hook(&hook, install))];
    };
    if !is_own_hook(&text) {
        return vec![fixable(FindingId::HookForeign, error::foreign_hook(&hook, install))];
    }

    let mut findings = Vec::new();
    if !is_executable(&hook) {
        let error = error::hook_is_not_executable(&hook, install);
        findings.push(fixable(FindingId::HookNotExecutable, error));
    }
    let strict_hook = folder.join(STRICT_HOOK);
    if settings.strict && !is_executable(&strict_hook) {
        let error = error::no_strict_hook(&strict_hook, install);
        findings.push(fixable(FindingId::StrictHook, error));
    }
    let (binary, named_site) = named_in_hook(&text);
    if let Some(binary) = binary.filter(|binary| !is_executable(binary)) {
        findings.push(fixable(FindingId::BinaryMoved, error::no_binary(&binary, install)));
    }
    if let Some(named) =
        named_site.filter(|named| named.canonicalize().ok().as_deref() != Some(site.root()))
    {
        let install = format!("{install} --force");
        let error = error::other_site(&named, site.root());
        let is_there = setup::other_site(repository, site.root()).is_ok_and(|it| it.is_some());
        let error = if is_there {
            let take = format!("Or have pushes deployed here from now on: {install}");
            error.fixes(setup::own_repository(repository, site.root())).fix(take)
        } else {
            error.fix(install)
        };
        findings.push(Finding::new(FindingId::HookOtherSite, error));
    }
    findings
}

/// Where git looks for hooks: core.hooksPath in git-config(1).
fn hooks_folder(repository: &Path) -> PathBuf {
    let named = run(git(repository).args(["config", "--type=path", "core.hooksPath"])).ok();
    repository.join(named.as_deref().unwrap_or("hooks"))
}

fn other_hooks_path(repository: &Path, folder: &Path, install: &str) -> Finding {
    let is_local = run(git(repository).args(["config", "--local", "core.hooksPath"])).is_ok();
    if is_local {
        let repair = Repair::InstallHook { repository: repository.to_owned() };
        let error = error::other_hooks_path(folder, is_local, install.to_owned());
        return Finding::new(FindingId::HooksPath, error).with_repair(repair);
    }
    // It may be set on purpose, so a person decides.
    let unset =
        format!("git --git-dir {} config core.hooksPath hooks && {install}", repository.display());
    Finding::new(FindingId::HooksPath, error::other_hooks_path(folder, is_local, unset))
}
