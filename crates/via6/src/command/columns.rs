//! Tables that a command prints: rows under heads, no wider than the terminal where that can be had.
//! What stands in them is decided elsewhere.

use std::io::IsTerminal;

/// Between two columns.
pub(super) const GAP: &str = "  ";

/// Columns of a table that goes to a file or pipe: what an e-mail or a small terminal shows.
const USUAL_WIDTH: usize = 80;

/// Columns below which a table is no easier to read; a terminal may say that it has none.
const SMALLEST_WIDTH: usize = 40;

/// Columns there are on standard output.
pub(super) fn width() -> usize {
    if !std::io::stdout().is_terminal() {
        return USUAL_WIDTH;
    }
    let terminal = terminal_size::terminal_size_of(std::io::stdout());
    terminal.map_or(USUAL_WIDTH, |(width, _)| {
        usize::from(width.0).max(SMALLEST_WIDTH)
    })
}

/// Without spaces at the end, where a last column is empty; and what came from elsewhere must not
/// move the cursor or worse.
pub(super) fn clean(line: &str) -> String {
    line.trim_end().replace(char::is_control, "\u{fffd}")
}

/// Rows of cells under their heads.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
    widths: Vec<usize>,
}

impl Table {
    /// Columns without anything in any row are left out.
    pub(super) fn new(heads: &[&str], rows: Vec<Vec<String>>) -> Self {
        if rows.is_empty() {
            let widths = Vec::new();
            return Self { rows, widths };
        }
        let used: Vec<bool> = (0..heads.len())
            .map(|column| rows.iter().any(|row| !cell(row, column).is_empty()))
            .collect();
        let heads = heads.iter().map(|head| (*head).to_owned()).collect();
        let all = std::iter::once(heads).chain(rows);
        let rows: Vec<Vec<String>> = all
            .map(|row: Vec<String>| {
                let cells = row.into_iter().zip(&used);
                cells
                    .filter_map(|(cell, used)| used.then_some(cell))
                    .collect()
            })
            .collect();
        let count = rows.first().map_or(0, Vec::len);
        let widest = |column| rows.iter().map(|row| columns(cell(row, column))).max();
        let widths = (0..count)
            .map(|column| widest(column).unwrap_or(0))
            .collect();
        Self { rows, widths }
    }

    pub(super) fn show(&self, width: usize, lines: &mut Vec<String>) {
        let Some((first, others)) = self.widths.split_first() else {
            return;
        };
        let numbers: usize = others.iter().map(|width| width + GAP.len()).sum();
        let beside = GAP.len() + first + numbers <= width;
        for row in &self.rows {
            let name = cell(row, 0);
            let mut numbers = String::new();
            for (width, cell) in others.iter().zip(row.iter().skip(1)) {
                let space = " ".repeat(width.saturating_sub(columns(cell)));
                numbers.extend([GAP, &space, cell]);
            }
            if beside {
                let space = " ".repeat(first.saturating_sub(columns(name)));
                lines.push(format!("{GAP}{name}{space}{numbers}"));
            } else {
                lines.push(format!("{GAP}{name}"));
                lines.push(format!("{GAP}{numbers}"));
            }
        }
    }
}

fn cell(row: &[String], column: usize) -> &str {
    row.get(column).map_or("", String::as_str)
}

/// What it takes of a line. Nothing here is wider than one column a character.
pub(super) fn columns(text: &str) -> usize {
    text.chars().count()
}

pub(super) fn counted(count: u64, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}
