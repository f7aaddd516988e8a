//! Does a push run the hook, and does the hook run this nyala for this site?

use std::path::{Path, PathBuf};

use super::{Finding, FindingId, Repair};
use crate::disk;
use crate::git::{git, run};
use crate::process::is_executable;
use crate::setup::{STRICT_HOOK, is_own_hook};
use crate::site::{Settings, Site};

pub(super) fn check(site: &Site, settings: &Settings, repository: &Path) -> Vec<Finding> {
    let install =
        &format!("nyala install {} --site {}", repository.display(), site.root().display());
    let fixable = |id, fact: String, fix: &str| {
        let repair = Repair::InstallHook { repository: repository.to_owned() };
        Finding::new(id, fact, fix).with_repair(repair)
    };

    let folder = hooks_folder(repository);
    let hook = folder.join("post-receive");
    let shown = hook.display();
    let text = disk::read(&hook).ok();
    if folder != repository.join("hooks") && !text.as_deref().is_some_and(is_own_hook) {
        return vec![other_hooks_path(repository, &folder, install)];
    }
    let Some(text) = text else {
        return vec![fixable(FindingId::HookMissing, format!("{shown} does not exist"), install)];
    };
    if !is_own_hook(&text) {
        let fix = format!("{install} (the other hook is kept, and still runs)");
        return vec![fixable(FindingId::HookForeign, format!("{shown} is not nyala's hook"), &fix)];
    }

    let mut findings = Vec::new();
    if !is_executable(&hook) {
        let fact = format!("{shown} is not executable, so git does not run it");
        findings.push(fixable(FindingId::HookNotExecutable, fact, install));
    }
    let strict_hook = folder.join(STRICT_HOOK);
    if settings.strict && !is_executable(&strict_hook) {
        let fact =
            format!("strict = true, but {} is missing or not executable", strict_hook.display());
        findings.push(fixable(FindingId::StrictHook, fact, install));
    }
    let (binary, named_site) = names(&String::from_utf8_lossy(&text));
    if let Some(binary) = binary.filter(|binary| !is_executable(binary)) {
        let fact =
            format!("the hook runs {}, which is missing or not executable", binary.display());
        findings.push(fixable(FindingId::BinaryMoved, fact, install));
    }
    if let Some(named) =
        named_site.filter(|named| named.canonicalize().ok().as_deref() != Some(site.root()))
    {
        let fact =
            format!("the hook deploys to {}, not to {}", named.display(), site.root().display());
        findings.push(Finding::new(FindingId::HookOtherSite, fact, install));
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
    let fact = format!(
        "the hook never runs: core.hooksPath in the {} configuration sends git to {}",
        if is_local { "repository's" } else { "user's or machine's" },
        folder.display()
    );
    if is_local {
        let repair = Repair::InstallHook { repository: repository.to_owned() };
        return Finding::new(FindingId::HooksPath, fact, install).with_repair(repair);
    }
    // It may be set on purpose, so a person decides.
    let unset =
        format!("git --git-dir {} config core.hooksPath hooks && {install}", repository.display());
    Finding::new(FindingId::HooksPath, fact, unset)
}

/// The binary that one of our hooks runs, and the site that it names.
fn names(hook: &str) -> (Option<PathBuf>, Option<PathBuf>) {
    let words = hook
        .lines()
        .find(|line| line.starts_with("exec "))
        .and_then(shlex::split)
        .unwrap_or_default();
    let after = |word: &str| words.iter().skip_while(|it| *it != word).nth(1).map(PathBuf::from);
    (after("exec"), after("--site"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hook_says_what_it_runs() {
        let hook = include_str!("../../hooks/post-receive")
            .replace("@NYALA@", "'/a b/nyala'")
            .replace("@SITE@", "/s");
        assert_eq!(names(&hook), (Some("/a b/nyala".into()), Some("/s".into())));
        assert_eq!(names("#!/bin/sh\n"), (None, None));
    }
}
