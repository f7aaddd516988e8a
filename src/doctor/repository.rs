//! Will a push reach this nyala, and this site?

use std::fs;
use std::path::{Path, PathBuf};

use super::{Finding, Mend};
use crate::git::{Repository, bare_git, git, run};
use crate::plan::describe;
use crate::process::is_executable;
use crate::setup::{STRICT_HOOK, is_own_hook};
use crate::site::Site;

pub(super) fn check(site: &Site, repository: &Path, findings: &mut Vec<Finding>) {
    let shown = repository.display();
    if let Err(error) = run(bare_git().arg("--version")) {
        findings.push(Finding::of("git", &error, "install git, and put it on PATH"));
        return;
    }
    if let Err(error) = Repository::open(repository) {
        let fact = describe::user_error(&error).fact;
        let fix = format!(
            "put it back, or name another: repository = \"…\" in {}",
            site.settings_file().display()
        );
        findings.push(Finding::new("repository", fact, fix));
        return;
    }
    // As a push opens it: without the exception that nyala makes for itself.
    let opened = bare_git().arg("-C").arg(repository).args(["rev-parse", "--git-dir"]).output();
    if opened
        .is_ok_and(|opened| String::from_utf8_lossy(&opened.stderr).contains("dubious ownership"))
    {
        findings.push(Finding::new(
            "dubious-ownership",
            format!("git refuses {shown} (\"dubious ownership\"): it belongs to somebody else than who runs this"),
            format!(
                "run this, and push, as its owner; or give it away: chown -R \"$(id -un)\" {shown}; \
                 or trust it: git config --global --add safe.directory {shown}"
            ),
        ));
    }
    hook(site, repository, findings);
    let options =
        run(git(repository).args(["config", "--type=bool", "receive.advertisePushOptions"]));
    if options.ok().as_deref() != Some("true") {
        let finding = Finding::new(
            "push-options-off",
            format!("{shown} takes no push options, so `git push -o …` fails as a whole"),
            format!("git --git-dir {shown} config receive.advertisePushOptions true"),
        );
        findings.push(finding.with(Mend::PushOptions(repository.to_owned())));
    }
}

fn hook(site: &Site, repository: &Path, findings: &mut Vec<Finding>) {
    let install =
        format!("nyala install {} --site {}", repository.display(), site.root().display());
    let can_install = || Mend::InstallHook(repository.to_owned());
    let own = repository.join("hooks");
    let named = run(git(repository).args(["config", "--type=path", "core.hooksPath"])).ok();
    let folder = named.map_or(own.clone(), |named| repository.join(named));
    let hook = folder.join("post-receive");
    let shown = hook.display();
    let text = fs::read(&hook).ok();
    if folder != own && !text.as_deref().is_some_and(is_own_hook) {
        let local = run(git(repository).args(["config", "--local", "core.hooksPath"])).is_ok();
        let fact = format!(
            "the hook never runs: core.hooksPath has git run the hooks in {} (said by the {} configuration)",
            folder.display(),
            if local { "repository's" } else { "user's or machine's" }
        );
        let finding = if local {
            Finding::new("hooks-path", fact, install).with(can_install())
        } else {
            // It may be there for a reason that nyala does not know.
            let fix = format!(
                "git --git-dir {} config core.hooksPath hooks && {install}",
                repository.display()
            );
            Finding::new("hooks-path", fact, fix)
        };
        findings.push(finding);
        return;
    }
    let Some(text) = text else {
        findings.push(
            Finding::new("hook-missing", format!("there is no {shown}"), install)
                .with(can_install()),
        );
        return;
    };
    if !is_own_hook(&text) {
        let fact = format!("{shown} is a hook of somebody else's");
        let fix = format!("{install} (theirs is kept, and still runs)");
        findings.push(Finding::new("hook-foreign", fact, fix).with(can_install()));
        return;
    }
    if !is_executable(&hook) {
        let fact = format!("{shown} is not executable, so git does not run it");
        findings
            .push(Finding::new("hook-not-executable", fact, install.clone()).with(can_install()));
    }
    if site.settings().is_ok_and(|settings| settings.strict)
        && !is_executable(&folder.join(STRICT_HOOK))
    {
        let fact = format!(
            "strict = true, and there is no {} that git could run",
            folder.join(STRICT_HOOK).display()
        );
        findings.push(Finding::new("strict-hook", fact, install.clone()).with(can_install()));
    }
    let (binary, named_site) = names(&String::from_utf8_lossy(&text));
    if let Some(binary) = binary.filter(|binary| !is_executable(binary)) {
        let fact =
            format!("the hook runs {}, which is not there or not executable", binary.display());
        findings.push(Finding::new("binary-moved", fact, install.clone()).with(can_install()));
    }
    if let Some(named) =
        named_site.filter(|named| named.canonicalize().ok().as_deref() != Some(site.root()))
    {
        let fact = format!(
            "the hook deploys to {}, and not to {}",
            named.display(),
            site.root().display()
        );
        findings.push(Finding::new("hook-other-site", fact, install));
    }
}

/// The binary that a hook of ours runs, and the site that it names.
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
