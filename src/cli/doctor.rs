//! `nyala doctor`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::say_error;
use crate::console::text;
use crate::doctor::{self, Finding};
use crate::site::Site;

#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Put right what is safe to put right; nothing of it changes what is live
    #[arg(long)]
    fix: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Doctor {
    /// Exits with 0 when nothing is wrong (any more), else with 1.
    pub(super) fn run(&self, site: &Site) -> Result<ExitCode> {
        let mut findings = doctor::examine(site);
        if self.fix {
            for finding in findings.iter_mut().filter(|finding| finding.mend.is_some()) {
                if let Err(error) = doctor::mend(site, finding) {
                    say_error(&format!("{} could not be mended: {error:#}", finding.id));
                }
            }
        }
        let left = findings.iter().filter(|finding| !finding.mended).count();
        if self.json {
            say!("{}", serde_json::to_string_pretty(&findings)?);
        } else {
            self.print(site, &findings, left);
        }
        Ok(if left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn print(&self, site: &Site, findings: &[Finding], left: usize) {
        for finding in findings {
            let mut lines = finding.fact.lines().map(text::clean);
            let word = if finding.mended { "mended" } else { "error" };
            say!("{word}: {} [{}]", lines.next().unwrap_or_default(), finding.id);
            lines.for_each(|line| say!("       {line}"));
            if !finding.mended {
                say!("       fix: {}", text::clean(&finding.fix));
            }
        }
        let mendable = findings.iter().filter(|finding| finding.mend.is_some()).count();
        if left == 0 {
            say!("Nothing is wrong with {}.", site.root().display());
        } else if mendable > 0 && !self.fix {
            say!("{mendable} of {} can be put right by: nyala doctor --fix", findings.len());
        }
    }
}
