//! Can people push to the repository?

use super::error;
use super::{Finding, FindingId, Repair, hook};
use crate::git::{Repository, bare_git, git, run};
use crate::site::{Settings, Site};
use crate::user_error::UserError;

pub(super) fn check(site: &Site, settings: &Settings) -> Vec<Finding> {
    let repository = &site.repository(settings);
    if let Err(error) = run(bare_git().arg("--version")) {
        let fix = "install git, and make sure that it is on PATH";
        return vec![Finding::from_error(FindingId::Git, &error, fix)];
    }
    if let Err(error) = Repository::open(repository) {
        let fact = UserError::of(&error).fact;
        let error = error::no_repository(&fact, &site.settings_file());
        return vec![Finding::new(FindingId::Repository, error)];
    }

    let mut findings = Vec::new();
    // Opened as a push opens it, so without the exception that nyala makes for itself. See
    // safe.directory in git-config(1).
    let opened = bare_git().arg("-C").arg(repository).args(["rev-parse", "--git-dir"]).output();
    if opened
        .is_ok_and(|opened| String::from_utf8_lossy(&opened.stderr).contains("dubious ownership"))
    {
        let error = error::dubious_ownership(repository);
        findings.push(Finding::new(FindingId::DubiousOwnership, error));
    }
    findings.extend(hook::check(site, settings, repository));
    let options =
        run(git(repository).args(["config", "--type=bool", "receive.advertisePushOptions"]));
    if options.ok().as_deref() != Some("true") {
        let error = error::push_options_are_off(repository);
        let finding = Finding::new(FindingId::PushOptionsOff, error);
        let repair = Repair::AllowPushOptions { repository: repository.clone() };
        findings.push(finding.with_repair(repair));
    }
    findings
}
