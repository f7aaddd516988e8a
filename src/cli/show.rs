//! `nyala show`: the details of one deployment.

use anstyle::Style;
use anyhow::Result;
use clap::Args;

use super::error;
use super::format::Format;
use crate::console;
use crate::python::version::asked_for;
use crate::site::{DeploymentId, Record, Site, Status, no_deployment};
use crate::text::{clean, pad, wrap};
use crate::worker::rollback::obstacle;

/// How many refs are named that a deployment moves.
const MOST_REFS: usize = 10;

#[derive(Debug, Args)]
pub(super) struct Show {
    /// The number of the deployment [default: the newest]
    id: Option<DeploymentId>,
    /// Print the record as JSON, and whether the deployment is live
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) fn run(&self, site: &Site) -> Result<()> {
        let record = record(site, self.id)?;
        if self.json {
            say!("{}", serde_json::to_string_pretty(&record.view(site.live().ok().flatten()))?);
            return Ok(());
        }
        let format = Format::of_stdout();
        for (name, value) in facts(site, &record, &format) {
            console::say(shown(name, &value, &record, &format));
        }
        Ok(())
    }
}

/// The record of a deployment, by default of the newest.
pub(super) fn record(site: &Site, id: Option<DeploymentId>) -> Result<Record> {
    match id {
        Some(id) => Ok(site.record(id)?.ok_or_else(|| no_deployment(id))?),
        None => Ok(site.newest_record()?.ok_or_else(error::no_deployments)?),
    }
}

/// The columns in which the names of facts are, and a blank.
const NAMES: usize = 10;

/// A fact, of as many lines as it takes; further ones stand below the first.
fn shown(name: &str, value: &str, record: &Record, format: &Format) -> String {
    let label = format.style(Style::new().dimmed());
    let style = if name == "Status" { format.status(record.status) } else { Style::new() };
    let mut text = format!("{label}{}{label:#}", pad(name, NAMES));
    for (number, line) in value.lines().enumerate() {
        let line = clean(line);
        let parts = match format.columns {
            Some(columns) => wrap(&line, columns.saturating_sub(NAMES)),
            None => vec![line.into_owned()],
        };
        for (part, line) in parts.iter().enumerate() {
            if number + part > 0 {
                text += &" ".repeat(NAMES);
            }
            text += &format!("{style}{line}{style:#}\n");
        }
    }
    if text.ends_with('\n') { text } else { text + "\n" }
}

fn facts(site: &Site, record: &Record, format: &Format) -> Vec<(&'static str, String)> {
    let Record {
        format: _,
        id,
        status,
        commit,
        tree: _,
        message,
        author,
        trigger,
        update,
        options,
        moves,
        python,
        env,
        processes,
        manage_folders: _,
        steps,
        usage,
        error,
        error_parts: _,
        notify_failures,
        superseded_by,
        started_by,
        rolled_back_to,
        activated_at,
        created_at,
        started_at,
        ended_at,
    } = record;
    let mut facts = vec![("ID", id.to_string()), ("Status", status_of(*status, *superseded_by))];
    facts.push(("Release", release(site, record, *rolled_back_to)));
    facts.push(("Commit", commit.clone()));
    facts.push(("Author", author.clone()));
    facts.push(("Message", message.clone()));
    let options: Vec<_> =
        Vec::from(options.clone()).iter().map(|option| format!(", -o {option}")).collect();
    let options = options.concat();
    let from = update.refname.short();
    let started_by = started_by.map(|id| format!(", started by deployment {id}"));
    let started_by = started_by.unwrap_or_default();
    facts.push(("Trigger", format!("{} of {from}{options}{started_by}", trigger.name())));
    let named: Vec<_> = moves.iter().take(MOST_REFS).map(|it| it.refname.as_str()).collect();
    let mut moved = named.join(", ");
    if moves.len() > MOST_REFS {
        moved += &format!(", and {} more", moves.len() - MOST_REFS);
    }
    if !moved.is_empty() {
        facts.push(("Moves", moved));
    }
    if let Some(python) = python {
        facts.push((
            "Python",
            format!("{} ({})", python.version, asked_for(&python.wanted, &python.origin)),
        ));
    }
    if let Some(env) = env {
        let id = env.id.map_or(String::new(), |id| format!(", env {id}"));
        let reasons =
            env.reasons.iter().map(|reason| format!("\n- {reason}")).collect::<Vec<_>>().concat();
        facts.push(("Env", format!("{}{id}, because{reasons}", env.decision)));
    }
    if let Some(processes) = processes {
        let commands = processes.commands.iter();
        let commands: Vec<_> =
            commands.map(|(name, command)| format!("\n- {name}: {command}")).collect();
        facts.push(("Runs", format!("from {}{}", processes.origin, commands.concat())));
    }
    let times = [
        ("Created", Some(created_at)),
        ("Started", started_at.as_ref()),
        ("Live from", activated_at.as_ref()),
    ];
    for (name, time) in times.into_iter().chain([("Ended", ended_at.as_ref())]) {
        facts.extend(time.map(|time| (name, format.local(*time))));
    }
    if let (Some(start), Some(end)) = (started_at, ended_at) {
        let all = steps
            .iter()
            .map(|step| {
                let failed = if step.failed { " (failed)" } else { "" };
                format!(", {} {:.2} s{failed}", step.name, step.seconds)
            })
            .collect::<Vec<_>>()
            .concat();
        facts.push(("Took", format!("{:.2} s{all}", end.duration_since(*start).as_secs_f64())));
    }
    for (name, room) in [("Tree", usage.release), ("New env", usage.env)] {
        facts.extend(room.map(|room| (name, room.to_string())));
    }
    facts.extend(error.clone().map(|error| ("Error", error)));
    facts.extend(notify_failures.iter().map(|failure| ("After", failure.to_string())));
    facts.push(("Log", format!("nyala build-log {id}")));
    facts
}

fn status_of(status: Status, superseded_by: Option<DeploymentId>) -> String {
    match superseded_by {
        Some(newer) => format!("{} by {newer}", status.name()),
        None => status.name().to_owned(),
    }
}

fn release(site: &Site, record: &Record, rolled_back_to: Option<DeploymentId>) -> String {
    if let Some(release) = rolled_back_to {
        return format!("none; it made release {release} live again");
    }
    if site.is_live(record.id) {
        return format!("live, in {}", site.release(record.id).display());
    }
    if !record.went_live() {
        return "none; it was never live".to_owned();
    }
    match obstacle(site, record) {
        None => format!("kept; to make it live again: nyala rollback {}", record.id),
        Some(obstacle) => {
            format!("{obstacle}; to redeploy its commit: nyala rollback {}", record.id)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_fact_continues_below_where_it_begins() {
        let record = serde_json::json!({
            "id": 1, "status": "succeeded", "commit": "", "message": "", "author": "",
            "trigger": "push", "refname": "", "old_oid": "", "new_oid": "", "steps": [],
            "created_at": "2026-03-01T11:34:56Z",
        });
        let record: Record = serde_json::from_value(record).unwrap();
        let env = "create, env 11, because\n- env 10 is damaged: its interpreter is gone\n";
        let narrow = shown("Env", env, &record, &Format::terminal(36));
        insta::assert_snapshot!(narrow, @r"
        Env       create, env 11, because
                  - env 10 is damaged: its
                  interpreter is gone
        ");
        let plain = shown("Env", env, &record, &Format::plain());
        insta::assert_snapshot!(plain, @r"
        Env       create, env 11, because
                  - env 10 is damaged: its interpreter is gone
        ");
        assert_eq!(shown("Message", "", &record, &Format::plain()), "Message   \n");
    }
}
