//! `nyala doctor`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::{error, say_error};
use crate::doctor::{self, Finding};
use crate::site::Site;
use crate::text;
use crate::user_error::UserError;

/// A finding for programs: the parts of the error, and the fixes once more on one line.
fn as_json(finding: &Finding) -> serde_json::Value {
    let Finding { id, error, repair, fixed } = finding;
    json!({
        "id": id,
        "fact": error.fact,
        "found": error.found,
        "fixes": error.fixes,
        "fix": error.fixes.join("; "),
        "fixable": repair.is_some(),
        "fixed": fixed,
    })
}

#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Fix what is safe to fix; this never changes what is live
    #[arg(long)]
    fix: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub(super) fn changes(&self) -> bool {
        self.fix
    }

    /// Exits with 0 when nothing is wrong, or when everything was fixed; otherwise with 1.
    pub(super) fn run(&self, site: &Site) -> Result<ExitCode> {
        let mut findings = doctor::examine(site);
        if self.fix {
            for finding in findings.iter_mut().filter(|finding| finding.repair.is_some()) {
                if let Err(why) = doctor::repair(site, finding) {
                    say_error(&error::not_fixed(&finding.id.name()).because(&why));
                }
            }
        }
        let left = findings.iter().filter(|finding| !finding.fixed).count();
        if self.json {
            let findings: Vec<_> = findings.iter().map(as_json).collect();
            say!("{}", serde_json::to_string_pretty(&findings)?);
        } else {
            self.print(site, &findings, left);
        }
        Ok(if left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn print(&self, site: &Site, findings: &[Finding], left: usize) {
        for finding in findings {
            let Finding { id, error, repair: _, fixed } = finding;
            let word = if *fixed { "fixed" } else { "error" };
            say!("{word}: {} [{}]", text::clean(&error.fact), id.name());
            let found = UserError { fixes: Vec::new(), ..error.clone() }.to_string();
            for line in found.lines().skip(1) {
                say!("       {}", text::clean(line));
            }
            for fix in error.fixes.iter().filter(|_| !fixed) {
                say!("       fix: {}", text::clean(fix));
            }
        }
        let fixable = findings.iter().filter(|finding| finding.repair.is_some()).count();
        if left == 0 {
            say!("No problems found in {}.", site.root().display());
        } else if fixable > 0 && !self.fix {
            say!("To fix {fixable} of {}: nyala doctor --fix", findings.len());
        }
    }
}
