//! Many relays, one line each: there is no room for more of them.

use super::Page;
use super::amounts::{count, long_age, rate, size};
use super::block::{bytes, carried, live};
use crate::output::{Line, Style, columns, cut_end};
use crate::status::{EntryStatus, Status};

/// What is told of each, from left to right behind its name.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Field {
    Role,
    Sessions,
    Flows,
    Down,
    Up,
}

impl Field {
    /// Everything, and what is left of it on ever narrower terminals.
    const CHOICES: [&'static [Self]; 3] = [
        &[
            Self::Role,
            Self::Sessions,
            Self::Flows,
            Self::Down,
            Self::Up,
        ],
        &[Self::Sessions, Self::Flows, Self::Down],
        &[Self::Down],
    ];

    fn head(self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::Sessions => "sessions",
            Self::Flows => "flows",
            Self::Down => "down/s",
            Self::Up => "up/s",
        }
    }

    /// With the space before it.
    fn width(self) -> usize {
        match self {
            Self::Role | Self::Sessions => 10,
            Self::Flows => 7,
            Self::Down | Self::Up => 11,
        }
    }

    fn of(self, entry: &EntryStatus) -> String {
        match self {
            Self::Role if entry.draining => "stopping".into(),
            Self::Role => entry.role.label().into(),
            Self::Sessions => entry.sessions_live.to_string(),
            Self::Flows => entry.flows_live.to_string(),
            Self::Down => rate(entry.rate_down),
            Self::Up => rate(entry.rate_up),
        }
    }
}

/// Less of a name than this says nothing.
const NAME_LEAST: usize = 20;

pub(super) fn draw(status: &Status, page: &Page) -> Vec<Line> {
    let mut lines = vec![rule(status, page)];
    let most = page.height.saturating_sub(2);
    // A heading, one line and that there are more is the least that makes sense.
    if most >= 3 {
        lines.extend(table(&status.entries, most, page));
    }
    lines.push(totals(&status.entries, page));
    lines
}

fn rule(status: &Status, page: &Page) -> Line {
    let rule = page.glyphs.rule;
    let title = format!(
        "via6 {rule} {}",
        count(status.entries.len() as u64, "relay")
    );
    let up = format!(" {rule} up {} ", long_age(status.up_ms));
    let line = Line::default()
        .and(Style::Dim, &format!("{} ", rule.repeat(2)))
        .and(
            Style::Accent,
            &cut_end(&title, page.width.saturating_sub(5), page.glyphs.gap),
        );
    let up = if line.columns() + columns(&up) < page.width {
        up
    } else {
        " ".into()
    };
    let line = line.and(Style::Plain, &up);
    let rest = page.width.saturating_sub(line.columns());
    line.and(Style::Dim, &rule.repeat(rest))
}

fn table(entries: &[EntryStatus], most: usize, page: &Page) -> Vec<Line> {
    let taken = |fields: &[Field]| fields.iter().map(|field| field.width()).sum::<usize>();
    let fits = |fields: &&&[Field]| 2 + NAME_LEAST + taken(fields) <= page.width;
    let fields = Field::CHOICES.iter().find(fits).copied().unwrap_or(&[]);
    let room = page.width.saturating_sub(2 + taken(fields));

    let mut heading = Line::default().and(Style::Dim, &format!("  {:room$}", "name"));
    for field in fields {
        heading.push(Style::Dim, &format!("{:>1$}", field.head(), field.width()));
    }
    let mut lines = vec![heading];
    let shown = chosen(entries, most);
    for entry in &shown {
        lines.push(row(entry, fields, room, page));
    }
    let more = entries.len().saturating_sub(shown.len());
    if more > 0 {
        lines.push(Line::plain("  ").and(Style::Dim, &format!("and {more} more")));
    }
    lines
}

/// Those that are shown, in their order: all, or the live ones before the others.
fn chosen(entries: &[EntryStatus], most: usize) -> Vec<&EntryStatus> {
    let room = if entries.len() < most {
        entries.len()
    } else {
        most.saturating_sub(2)
    };
    let (busy, idle): (Vec<_>, Vec<_>) = entries
        .iter()
        .enumerate()
        .partition(|(_, entry)| live(entry) > 0);
    let mut chosen: Vec<_> = busy.into_iter().chain(idle).take(room).collect();
    chosen.sort_by_key(|(place, _)| *place);
    chosen.into_iter().map(|(_, entry)| entry).collect()
}

fn row(entry: &EntryStatus, fields: &[Field], room: usize, page: &Page) -> Line {
    let name = cut_end(&page.glyphs.name(&entry.name), room, page.glyphs.gap);
    let pad = " ".repeat(room.saturating_sub(columns(&name)));
    let mut line = Line::plain(&format!("  {name}{pad}"));
    let style = if live(entry) > 0 {
        Style::Plain
    } else {
        Style::Dim
    };
    for field in fields {
        line.push(style, &format!("{:>1$}", field.of(entry), field.width()));
    }
    line
}

fn totals(entries: &[EntryStatus], page: &Page) -> Line {
    let sum = |of: fn(&EntryStatus) -> u64| entries.iter().map(of).fold(0, u64::saturating_add);
    let carried = carried(
        sum(|entry| entry.sessions_live),
        sum(|entry| entry.flows_live),
    );
    let rates = format!(
        "{} down, {} up",
        rate(sum(|entry| entry.rate_down)),
        rate(sum(|entry| entry.rate_up))
    );
    let total = format!("{} so far", size(sum(bytes)));
    let choices = [
        vec![carried.clone(), rates.clone(), total],
        vec![carried.clone(), rates],
        vec![carried],
    ];
    Line::plain("  ").and(
        Style::Plain,
        &page.sentence(&choices, page.width.saturating_sub(2)),
    )
}
