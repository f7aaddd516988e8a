//! `nyala status`, and `nyala` without a command.

mod application;

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::control::{Control, LastMinutes};
use crate::git::short;
use crate::settings::deploy_branch;
use crate::site::{Record, Site, Status as DeploymentStatus};
use crate::text::{duration, escaped, latency, width};
use crate::worker::rollback::{kept_in_words, kept_releases};

use super::format::Format;
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
        let format = Format::of_stdout();
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
            (Some(record), _) => say!("{}", row("Live:   ", record, &format)),
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
            say!("{}", row("Latest: ", &latest, &format));
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

/// One deployment on one line, which begins with a label.
fn row(label: &str, record: &Record, format: &Format) -> String {
    let mut facts = vec![
        record.id.to_string(),
        record.status.name().to_owned(),
        short(&record.commit).to_owned(),
        format.when(record.activated_at.unwrap_or(record.created_at)),
    ];
    facts.extend(record.python.as_ref().map(|python| format!("Python {}", python.version)));
    facts.extend(record.env.as_ref().map(|env| match env.id {
        Some(id) => format!("env {id} ({})", env.decision),
        None => env.decision.clone(),
    }));
    let before = format!("{label}{}", facts.join("  "));
    let title = escaped(record.message.lines().next().unwrap_or_default()).into_owned();
    let status = record.status.name();
    let style = format.status(record.status);
    let paint = |line: String| line.replacen(status, &format!("{style}{status}{style:#}"), 1);
    // A title that has no room beside the rest is on a line of its own.
    match format.columns {
        Some(columns) if width(&before) + 2 + width(&title).min(ROOM) > columns => {
            let below = format!("{:LABEL$}{title}", "");
            format!("{}\n{}", paint(format.line(&before)), format.line(&below))
        }
        _ => paint(format.line(&format!("{before}  {title}"))),
    }
}

/// The columns of the labels.
const LABEL: usize = 8;

/// What a title should have on its line, in columns.
const ROOM: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_fits_the_terminal() {
        let record = serde_json::json!({
            "id": 11, "status": "succeeded", "commit": "3ae9c8e1".repeat(5), "author": "",
            "message": "A title that is rather long, and goes on to say what else",
            "trigger": "push", "refname": "", "old_oid": "", "new_oid": "", "steps": [],
            "python": { "version": "3.11.7", "wanted": "3.11", "origin": "runtime.txt" },
            "env": { "id": 4, "decision": "reuse", "reasons": [] },
            "created_at": "2026-03-01T11:34:56Z",
        });
        let record: Record = serde_json::from_value(record).unwrap();
        let drawn = |format: &Format| row("Live:   ", &record, format);
        insta::assert_snapshot!(drawn(&Format::terminal(80)), @r"
        Live:   11  succeeded  3ae9c8e  25 minutes ago  Python 3.11.7  env 4 (reuse)
                A title that is rather long, and goes on to say what else
        ");
        let title = "env 4 (reuse)  A title that is rather long, and goes on to say what else";
        assert!(drawn(&Format::terminal(200)).ends_with(title));
        let plain = drawn(&Format::plain());
        assert!(plain.contains("  2026-03-01T11:34:56Z  ") && plain.ends_with(title), "{plain}");
        let coloured = Format { coloured: true, ..Format::terminal(200) };
        assert!(drawn(&coloured).contains("  \u{1b}[32msucceeded\u{1b}[0m  "));
    }
}
