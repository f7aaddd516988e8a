//! The table of `nyala list`.

use anstyle::{AnsiColor, Style};

use crate::cli::format::Format;
use crate::cli::table::{self, Align, Cell, Column};
use crate::git::short;
use crate::site::{DeploymentId, Record};
use crate::text::clean;

/// A terminal of so many columns shows the author as well, and how long it took.
const WIDE: usize = 120;

/// One of fewer columns shows which env it is, and not what became of it.
const NARROW: usize = 100;

/// What a column shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Id,
    Status,
    Release,
    Commit,
    Created,
    Python,
    Env,
    Seconds,
    Author,
    Title,
}

impl Shown {
    /// In their order.
    const ALL: [Self; 10] = [
        Self::Id,
        Self::Status,
        Self::Release,
        Self::Commit,
        Self::Created,
        Self::Python,
        Self::Env,
        Self::Seconds,
        Self::Author,
        Self::Title,
    ];

    /// Whether only a wide terminal has room for it.
    fn needs_room(self) -> bool {
        matches!(self, Self::Seconds | Self::Author)
    }

    fn column(self) -> Column {
        let (head, align) = match self {
            Self::Id => ("ID", Align::Right),
            Self::Status => ("STATUS", Align::Left),
            Self::Release => ("RELEASE", Align::Left),
            Self::Commit => ("COMMIT", Align::Left),
            Self::Created => ("CREATED", Align::Left),
            Self::Python => ("PYTHON", Align::Left),
            Self::Env => ("ENV", Align::Left),
            Self::Seconds => ("TOOK", Align::Right),
            Self::Author => ("AUTHOR", Align::Cut),
            Self::Title => ("TITLE", Align::Cut),
        };
        Column { head, align }
    }
}

/// Draws the deployments in the given order. `is_kept` says whether the release of a deployment
/// still exists.
pub(super) fn draw(
    records: &[Record],
    live: Option<DeploymentId>,
    is_kept: impl Fn(DeploymentId) -> bool,
    format: &Format,
) -> String {
    let is_wide = format.columns.is_some_and(|columns| columns >= WIDE);
    let shown: Vec<_> =
        Shown::ALL.into_iter().filter(|shown| is_wide || !shown.needs_room()).collect();
    let columns: Vec<_> = shown.iter().map(|shown| shown.column()).collect();
    let rows: Vec<Vec<_>> = records
        .iter()
        .map(|record| {
            let row = Row {
                record,
                is_live: live == Some(record.id),
                is_kept: is_kept(record.id),
                format,
            };
            shown.iter().map(|shown| row.cell(*shown)).collect()
        })
        .collect();
    table::draw(&columns, &rows, format)
}

struct Row<'a> {
    record: &'a Record,
    is_live: bool,
    is_kept: bool,
    format: &'a Format,
}

impl Row<'_> {
    fn cell(&self, shown: Shown) -> Cell {
        let Self { record, is_live, format, .. } = *self;
        let style = match shown {
            Shown::Status => format.status(record.status),
            Shown::Release if is_live => format.style(AnsiColor::Green.on_default().bold()),
            _ if is_live => format.style(Style::new().bold()),
            _ => Style::new(),
        };
        Cell::styled(self.text(shown).unwrap_or_else(|| "-".to_owned()), style)
    }

    fn text(&self, shown: Shown) -> Option<String> {
        let Self { record, is_live, is_kept, format } = *self;
        Some(match shown {
            Shown::Id => record.id.to_string(),
            Shown::Status => record.status.name().to_owned(),
            Shown::Release => match record.rolled_back_to {
                Some(release) => format!("-> {release}"),
                None if is_live => "live".to_owned(),
                None if is_kept && record.went_live() => "kept".to_owned(),
                None => return None,
            },
            Shown::Commit => short(&record.commit).to_owned(),
            Shown::Created if format.is_terminal => format.when(record.created_at),
            Shown::Created => {
                let local = record.created_at.to_zoned(format.zone.clone());
                local.strftime("%Y-%m-%d %H:%M").to_string()
            }
            Shown::Python => record.python.as_ref()?.version.clone(),
            Shown::Env => {
                let env = record.env.as_ref()?;
                let is_narrow = format.columns.is_some_and(|columns| columns < NARROW);
                match env.id {
                    Some(id) if is_narrow => id.to_string(),
                    Some(id) => format!("{id} {}", env.decision),
                    None => env.decision.clone(),
                }
            }
            Shown::Seconds => {
                let took = record.ended_at?.duration_since(record.started_at?);
                format!("{:.1} s", took.as_secs_f64())
            }
            Shown::Author => first_line(record.author_name()),
            Shown::Title => first_line(&record.message),
        })
    }
}

fn first_line(text: &str) -> String {
    clean(text.lines().next().unwrap_or_default()).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::EnvId;
    use crate::site::record::{EnvRecord, PythonRecord};
    use crate::text::width;

    fn record(id: u64, status: &str) -> Record {
        let record = serde_json::json!({
            "id": id, "status": status, "commit": "1a2b3c4d".repeat(5),
            "message": "Say hello\n\nmore", "author": "Ada <ada@example.org>", "trigger": "push",
            "refname": "refs/heads/main", "old_oid": "", "new_oid": "",
            "python": null, "env": null, "steps": [], "error": null, "superseded_by": null,
            "created_at": "2026-03-01T11:34:56Z", "started_at": "2026-03-01T11:34:56Z",
            "ended_at": "2026-03-01T11:34:59.5Z",
        });
        serde_json::from_value(record).unwrap()
    }

    fn drawn(format: &Format) -> String {
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
        back.message = "A very long title of a commit that says 日本語 and all".into();
        let mut hostile = record(8, "failed");
        hostile.message = "Clear \u{1b}[2J the screen".into();
        draw(
            &[back, live, hostile, record(3, "succeeded")],
            Some(DeploymentId::of(9)),
            |id| id == DeploymentId::of(3),
            format,
        )
    }

    #[test]
    fn at_80_columns_the_title_is_cut() {
        let table = drawn(&Format::terminal(80));
        insta::assert_snapshot!(table, @r"
        ID  STATUS     RELEASE  COMMIT   CREATED         PYTHON  ENV  TITLE
        10  succeeded  -> 9     1a2b3c4  25 minutes ago  -       -    A very long title…
         9  succeeded  live     1a2b3c4  25 minutes ago  3.12.1  7    Say hello
         8  failed     -        1a2b3c4  25 minutes ago  -       -    Clear  the screen
         3  succeeded  kept     1a2b3c4  25 minutes ago  -       -    Say hello
        ");
        assert!(table.lines().all(|line| width(line) <= 80));
    }

    #[test]
    fn at_200_columns_the_author_and_the_time_are_shown_too() {
        let table = drawn(&Format::terminal(200));
        assert!(table.contains("PYTHON  ENV       TOOK  AUTHOR  TITLE\n"), "{table}");
        assert!(table.contains("  25 minutes ago  3.12.1  7 reuse  3.5 s  Ada     Say hello\n"));
        assert!(
            table.contains("  Ada     A very long title of a commit that says 日本語 and all\n")
        );
    }

    #[test]
    fn what_is_no_terminal_gets_exact_times_and_whole_titles() {
        let table = drawn(&Format::plain());
        let first = "10  succeeded  -> 9     1a2b3c4  2026-03-01 11:34  -       -        ";
        let title = "A very long title of a commit that says 日本語 and all\n";
        assert!(table.contains(&format!("{first}{title}")), "{table}");
        assert!(!table.contains('…') && !table.contains("ago"), "{table}");
    }

    #[test]
    fn only_a_terminal_gets_colours() {
        let records = [record(1, "failed")];
        let coloured = Format { coloured: true, ..Format::plain() };
        let coloured = draw(&records, None, |_| false, &coloured);
        assert!(coloured.contains("\u{1b}[1m\u{1b}[31mfailed"), "{}", coloured.escape_debug());
        assert!(!draw(&records, None, |_| false, &Format::plain()).contains('\u{1b}'));
    }
}
