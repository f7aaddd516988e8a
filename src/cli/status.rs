//! `nyala status`, and `nyala` without a command.

mod application;

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::control::{Control, LastMinutes};
use crate::git::short;
use crate::settings::deploy_branch;
use crate::site::{DeploymentId, Record, Site, Status as DeploymentStatus};
use crate::text::{duration, escaped, latency};
use crate::worker::rollback::{kept_in_words, kept_releases};

use application::Application;

#[derive(Debug, Default, Args)]
pub(super) struct Status {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Status {
    pub(super) fn run(&self, site: &Site) -> Result<()> {
        let live_id = site.live()?;
        let live = live_id.map(|id| site.record(id)).transpose()?.flatten();
        let latest = site.newest_record()?;
        let frozen = site.frozen()?;
        let is_in_maintenance = site.maintenance()?.is_some();
        let load = last_minutes(site);
        if self.json {
            let settings = site.settings()?;
            let branch = deploy_branch(site, &settings)?;
            let status = json!({
                "site": site.root(),
                "repository": site.repository(&settings),
                "branch": branch,
                "live": live.as_ref().map(|record| record.view(live_id)),
                "kept": kept_releases(site)?,
                "latest": latest.as_ref().map(|record| record.view(live_id)),
                "frozen": frozen,
                "maintenance": is_in_maintenance,
                "requests": load,
                "application": Application::of(site, &settings),
            });
            say!("{}", serde_json::to_string_pretty(&status)?);
            return Ok(());
        }
        say!("Site:   {}", site.root().display());
        // What is live can be told whatever the settings are.
        let branch = site.settings().and_then(|settings| deploy_branch(site, &settings));
        match &branch {
            Ok(Some(branch)) => say!("Branch: {}", escaped(branch)),
            Ok(None) => say!("Branch: the first one that is pushed"),
            Err(_) => say!("Branch: unknown, since the settings are wrong (nyala doctor)"),
        }
        if let Some(frozen) = frozen {
            say!("Frozen: {} (nyala unfreeze)", frozen.in_words());
        }
        match (&live, live_id) {
            (Some(record), _) => say!("Live:   {}", row(record, live_id)),
            (None, Some(id)) => say!("Live:   release {id}, whose record is gone"),
            (None, None) => match kept_in_words(site) {
                Some(kept) => say!("Live:   nothing; {kept}"),
                None => say!("Live:   nothing yet"),
            },
        }
        if let Some(id) = live_id.filter(|id| !site.release(*id).is_dir()) {
            say!("        but release {id} is gone, and nothing is served (nyala doctor)");
        }
        if let Ok(settings) = site.settings() {
            Application::of(site, &settings).print();
        }
        if let Some(load) = &load {
            say!("Load:   {}", load_in_words(load));
        }
        if is_in_maintenance {
            say!("Page:   503 in place of the application (nyala maintenance off)");
        }
        for failure in latest.iter().flat_map(|latest| &latest.notify_failures) {
            say!("After:  {failure}");
        }
        if let Some(latest) = latest.filter(|latest| live.as_ref() != Some(latest)) {
            say!("Latest: {}", row(&latest, live_id));
            if latest.status == DeploymentStatus::Failed {
                say!("Why:    nyala build-log {}", latest.id);
            }
        }
        Ok(())
    }
}

/// What visitors have asked for lately; `None` where nothing is served.
fn last_minutes(site: &Site) -> Option<LastMinutes> {
    let statistics = Control::connect(site).ok()??.statistics().ok()?;
    Some(statistics.last_minutes)
}

fn load_in_words(load: &LastMinutes) -> String {
    let time = duration(Duration::from_secs_f64(load.seconds.round()));
    let (Some(median), Some(percentile_99)) = (load.median, load.percentile_99) else {
        return format!("no requests in the last {time}");
    };
    format!(
        "{:.1} requests/s, median {}, 99th percentile {}, {:.1} % 5xx, in the last {time}",
        load.per_second(),
        latency(median),
        latency(percentile_99),
        load.share_of_errors() * 100.0
    )
}

/// One deployment on one line.
fn row(record: &Record, live: Option<DeploymentId>) -> String {
    let live = if live == Some(record.id) { "*" } else { " " };
    let title: String =
        record.message.lines().next().unwrap_or_default().chars().take(50).collect();
    let python = record.python.as_ref().map_or("-", |python| python.version.as_str());
    let decision = record.env.as_ref().map_or("-", |env| env.decision.as_str());
    format!(
        "{live}{:>4}  {:<11}  {}  {python:<7}  {decision:<9}  {}  {}",
        record.id,
        record.status.name(),
        short(&record.commit),
        record.created_at.strftime("%Y-%m-%d %H:%M:%SZ"),
        title.escape_debug()
    )
}
