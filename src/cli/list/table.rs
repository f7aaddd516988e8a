//! The table of `nyala list`.

use anstyle::{AnsiColor, Style};
use jiff::tz::TimeZone;

use crate::git::short;
use crate::site::{DeploymentId, Record, Status};
use crate::text::clean;

/// How a table is drawn.
#[derive(Clone, Debug)]
pub(super) struct Format {
    pub(super) coloured: bool,
    /// The columns of the terminal; `None` when the output is not a terminal.
    pub(super) width: Option<usize>,
    pub(super) zone: TimeZone,
}

/// The longest title in columns when the output is not a terminal.
const TITLE: usize = 60;

const HEAD: [&str; 8] = ["ID", "STATUS", "RELEASE", "COMMIT", "CREATED", "PYTHON", "ENV", "TITLE"];

/// Draws the deployments in the given order. `is_kept` says whether the release of a deployment
/// still exists.
pub(super) fn draw(
    records: &[Record],
    live: Option<DeploymentId>,
    is_kept: impl Fn(DeploymentId) -> bool,
    format: &Format,
) -> String {
    let is_live = |record: &Record| live == Some(record.id);
    let rows: Vec<_> = records
        .iter()
        .map(|record| cells(record, is_live(record), is_kept(record.id), format))
        .collect();
    let mut widths = HEAD.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let before_title: usize = widths[..7].iter().map(|width| width + 2).sum();
    let room = format.width.map_or(TITLE, |width| width.saturating_sub(before_title).max(10));

    let mut table =
        line(&HEAD.map(str::to_owned), &widths, room, |_| format.style(Style::new().dimmed()));
    for (record, row) in records.iter().zip(&rows) {
        table += &line(row, &widths, room, |column| match column {
            1 => format.style(of_status(record.status)),
            2 if is_live(record) => format.style(AnsiColor::Green.on_default().bold()),
            _ if is_live(record) => format.style(Style::new().bold()),
            _ => Style::new(),
        });
    }
    table
}

fn cells(record: &Record, is_live: bool, is_kept: bool, format: &Format) -> [String; 8] {
    let Record { id, status, commit, message, python, env, rolled_back_to, created_at, .. } =
        record;
    let title = message.lines().next().unwrap_or_default();
    let env = env.as_ref().map(|env| match env.id {
        Some(id) => format!("{id} {}", env.decision),
        None => env.decision.clone(),
    });
    let release = match rolled_back_to {
        Some(release) => format!("-> {release}"),
        None if is_live => "live".to_owned(),
        None if is_kept && record.went_live() => "kept".to_owned(),
        None => "-".to_owned(),
    };
    [
        id.to_string(),
        status.name().to_owned(),
        release,
        short(commit).to_owned(),
        created_at.to_zoned(format.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string(),
        python.as_ref().map_or("-".to_owned(), |python| python.version.clone()),
        env.unwrap_or_else(|| "-".to_owned()),
        clean(title).into_owned(),
    ]
}

/// One line: numbers are right-aligned, and the title comes last, cut to fit.
fn line(
    cells: &[String; 8],
    widths: &[usize; 8],
    room: usize,
    style: impl Fn(usize) -> Style,
) -> String {
    let mut line = String::new();
    for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let text = match column {
            0 => format!("{cell:>width$}"),
            7 => cut(cell, room),
            _ => format!("{cell:<width$}"),
        };
        let style = style(column);
        line += &format!("{style}{text}{style:#}  ");
    }
    line.truncate(line.trim_end().len());
    line + "\n"
}

fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room.saturating_sub(1)).chain(['…']).collect()
}

fn of_status(status: Status) -> Style {
    match status {
        Status::Succeeded => AnsiColor::Green.on_default(),
        Status::Failed | Status::Interrupted => AnsiColor::Red.on_default().bold(),
        Status::Pending | Status::Building => AnsiColor::Yellow.on_default(),
        Status::Superseded => Style::new().dimmed(),
    }
}

impl Format {
    fn style(&self, style: Style) -> Style {
        if self.coloured { style } else { Style::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::EnvId;
    use crate::site::record::{EnvRecord, PythonRecord};

    fn record(id: u64, status: &str) -> Record {
        let record = serde_json::json!({
            "id": id, "status": status, "commit": "1a2b3c4d".repeat(5),
            "message": "Say hello\n\nmore", "author": "Ada", "trigger": "push",
            "refname": "refs/heads/main", "old_oid": "", "new_oid": "",
            "python": null, "env": null, "steps": [], "error": null, "superseded_by": null,
            "created_at": "2026-03-01T12:34:56Z", "started_at": null, "ended_at": null,
        });
        serde_json::from_value(record).unwrap()
    }

    fn plain() -> Format {
        Format { coloured: false, width: Some(90), zone: TimeZone::UTC }
    }

    #[test]
    fn columns_are_as_wide_as_they_need_and_the_title_is_cut() {
        let mut live = record(9, "succeeded");
        live.python = Some(PythonRecord {
            version: "3.12.1".into(),
            wanted: String::new(),
            origin: String::new(),
        });
        live.env = Some(EnvRecord {
            id: Some(EnvId::of(7)),
            decision: "reuse".into(),
            reasons: Vec::new(),
        });
        let mut back = record(10, "succeeded");
        back.rolled_back_to = Some(DeploymentId::of(9));
        back.message = "A very long title of a commit that says all at once".into();
        let mut hostile = record(8, "failed");
        hostile.message = "Clear \u{1b}[2J the screen".into();
        let table = draw(
            &[back, live, hostile, record(3, "succeeded")],
            Some(DeploymentId::of(9)),
            |id| id == DeploymentId::of(3),
            &plain(),
        );
        insta::assert_snapshot!(table, @r"
        ID  STATUS     RELEASE  COMMIT   CREATED           PYTHON  ENV      TITLE
        10  succeeded  -> 9     1a2b3c4  2026-03-01 12:34  -       -        A very long title of …
         9  succeeded  live     1a2b3c4  2026-03-01 12:34  3.12.1  7 reuse  Say hello
         8  failed     -        1a2b3c4  2026-03-01 12:34  -       -        Clear  the screen
         3  succeeded  kept     1a2b3c4  2026-03-01 12:34  -       -        Say hello
        ");
    }

    #[test]
    fn only_a_terminal_gets_colours() {
        let records = [record(1, "failed")];
        let coloured = draw(&records, None, |_| false, &Format { coloured: true, ..plain() });
        assert!(coloured.contains("\u{1b}[1m\u{1b}[31mfailed"), "{}", coloured.escape_debug());
        assert!(!draw(&records, None, |_| false, &plain()).contains('\u{1b}'));
    }
}
