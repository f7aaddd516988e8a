//! `nyala list`.

mod rows;

use anyhow::Result;
use clap::Args;

use super::format::Format;
use crate::console;
use crate::site::Site;

#[derive(Debug, Args)]
pub(super) struct List {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) fn run(&self, site: &Site) -> Result<()> {
        let (mut records, mut damaged) = site.readable_records()?;
        if records.is_empty() && !damaged.is_empty() {
            return Err(damaged.swap_remove(0));
        }
        for error in &damaged {
            super::say_warning(&format!("{error:#}"));
        }
        records.reverse();
        // Also when `wwwroot` is damaged: then nothing is shown as live.
        let live = site.live().ok().flatten();
        if self.json {
            let views: Vec<_> = records.iter().map(|record| record.view(live)).collect();
            say!("{}", serde_json::to_string_pretty(&views)?);
            return Ok(());
        }
        if records.is_empty() {
            say!("No deployments yet. To deploy: git push REMOTE HEAD:main");
            return Ok(());
        }
        let releases = site.release_ids()?;
        let format = Format::of_stdout();
        console::say(rows::draw(&records, live, |id| releases.contains(&id), &format));
        Ok(())
    }
}
