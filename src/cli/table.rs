//! Tables whose columns are as wide as they need to be, and that fit the terminal.

use anstyle::Style;

use super::format::Format;
use crate::text::{fit, pad, pad_left, width};

/// The blanks between two columns.
const GAP: usize = 2;

/// The narrowest that a column becomes which is cut to fit the terminal.
const NARROWEST: usize = 10;

pub(super) struct Column {
    pub(super) head: &'static str,
    pub(super) align: Align,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
    /// To the left, and cut where the table is wider than the terminal. The columns to the right
    /// are cut first.
    Cut,
}

pub(super) struct Cell {
    pub(super) text: String,
    pub(super) style: Style,
}

impl Cell {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self::styled(text, Style::new())
    }

    pub(super) fn styled(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style }
    }

    /// A cell whose text is not known, or does not apply, as a dash.
    pub(super) fn or_dash(text: Option<impl Into<String>>) -> Self {
        Self::new(text.map_or_else(|| "-".to_owned(), Into::into))
    }
}

/// Draws a table with its head. Each row has a cell for every column.
pub(super) fn draw(columns: &[Column], rows: &[Vec<Cell>], format: &Format) -> String {
    let widths = widths(columns, rows, format.columns);
    let head = format.style(Style::new().dimmed());
    let head = columns.iter().map(|column| Cell::styled(column.head, head)).collect();
    std::iter::once(&head).chain(rows).map(|row| line(columns, row, &widths)).collect()
}

fn widths(columns: &[Column], rows: &[Vec<Cell>], room: Option<usize>) -> Vec<usize> {
    let widest = |(number, column): (usize, &Column)| {
        let cells = rows.iter().map(|row| width(&row[number].text));
        cells.chain([width(column.head)]).max().unwrap_or_default()
    };
    let mut widths: Vec<usize> = columns.iter().enumerate().map(widest).collect();
    let Some(room) = room else { return widths };
    let all = widths.iter().sum::<usize>() + GAP * columns.len().saturating_sub(1);
    let mut too_much = all.saturating_sub(room);
    for (width, column) in widths.iter_mut().zip(columns).rev() {
        if column.align == Align::Cut {
            let less = too_much.min(width.saturating_sub(NARROWEST));
            *width -= less;
            too_much -= less;
        }
    }
    widths
}

fn line(columns: &[Column], row: &[Cell], widths: &[usize]) -> String {
    let mut line = String::new();
    let last = row.len().saturating_sub(1);
    for (number, ((cell, width), column)) in row.iter().zip(widths).zip(columns).enumerate() {
        let text = match column.align {
            Align::Right => pad_left(&cell.text, *width),
            Align::Left | Align::Cut => pad(&fit(&cell.text, *width), *width),
        };
        let style = cell.style;
        // Blanks at the end of a line would wrap in a narrow terminal.
        let text = if number == last { text.trim_end() } else { &text };
        line += &format!("{style}{text}{style:#}");
        if number != last {
            line += &" ".repeat(GAP);
        }
    }
    line + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [
        Column { head: "ID", align: Align::Right },
        Column { head: "NAME", align: Align::Cut },
        Column { head: "SINCE", align: Align::Left },
    ];

    fn rows() -> Vec<Vec<Cell>> {
        let row = |texts: [&str; 3]| texts.map(Cell::new).into();
        vec![
            row(["9", "日本語のサイト", "now"]),
            row(["10", "cafe\u{301}", "3 minutes ago"]),
            row(["11", "a-site-with-a-long-name-of-its-own", "-"]),
        ]
    }

    /// Sources have no combining characters.
    fn composed(table: &str) -> String {
        table.replace("e\u{301}", "é")
    }

    #[test]
    fn wide_and_combining_characters_are_aligned() {
        let table = draw(&COLUMNS, &rows(), &Format::plain());
        insta::assert_snapshot!(composed(&table), @r"
        ID  NAME                                SINCE
         9  日本語のサイト                      now
        10  café                                3 minutes ago
        11  a-site-with-a-long-name-of-its-own  -
        ");
    }

    #[test]
    fn in_a_narrow_terminal_a_name_is_cut_with_an_ellipsis() {
        let table = draw(&COLUMNS, &rows(), &Format::terminal(33));
        insta::assert_snapshot!(composed(&table), @r"
        ID  NAME            SINCE
         9  日本語のサイト  now
        10  café            3 minutes ago
        11  a-site-with-a…  -
        ");
        assert!(table.lines().all(|line| width(line) <= 33));
    }

    #[test]
    fn a_style_ends_where_its_cell_ends() {
        let row = vec![Cell::styled("1", Style::new().bold()), Cell::new("a"), Cell::new("b")];
        let table = draw(&COLUMNS, &[row], &Format::plain());
        assert!(
            table.contains(" \u{1b}[1m 1\u{1b}[0m  a") || table.contains("\u{1b}[1m 1\u{1b}[0m")
        );
    }
}
