//! Who is there: a row for each session and flow, the oldest first, so that rows stay where they are.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::net::SocketAddr;

use super::Page;
use super::amounts::{age, ping, rate};
use super::block::live;
use crate::narrator::Role;
use crate::output::{Line, Style, columns, cut_middle};
use crate::status::{EntryStatus, FlowStatus, SessionStatus};

/// Columns of the longest address with its port: where there is room for it, ports are shown.
const WITH_PORT: usize = "[2001:0db8:0000:0000:0000:0000:0000:0000]:65535".len();

/// Less of an address than this says nothing.
const ADDRESS_LEAST: usize = 24;

/// What is told of each, from left to right.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Field {
    Age,
    Ping,
    Down,
    Up,
}

impl Field {
    /// Everything, and what is left of it on ever narrower terminals.
    const CHOICES: [&'static [Self]; 4] = [
        &[Self::Age, Self::Ping, Self::Down, Self::Up],
        &[Self::Ping, Self::Down, Self::Up],
        &[Self::Ping, Self::Down],
        &[Self::Ping],
    ];

    fn head(self) -> &'static str {
        match self {
            Self::Age => "for",
            Self::Ping => "ping",
            Self::Down => "down/s",
            Self::Up => "up/s",
        }
    }

    /// With the space before it.
    fn width(self) -> usize {
        2 + match self {
            Self::Age | Self::Ping => 6,
            Self::Down | Self::Up => 9,
        }
    }
}

/// One session or flow.
struct Row<'a> {
    downstream: &'a str,
    age_ms: u64,
    number: u64,
    /// In place of numbers.
    ping: Cow<'static, str>,
    dialling: bool,
    rate_down: u64,
    rate_up: u64,
}

impl Row<'_> {
    fn field(&self, field: Field) -> String {
        match field {
            Field::Age => age(self.age_ms),
            Field::Ping => self.ping.clone().into_owned(),
            Field::Down if self.dialling => "dialling".into(),
            Field::Up if self.dialling => String::new(),
            Field::Down => rate(self.rate_down),
            Field::Up => rate(self.rate_up),
        }
    }

    /// Games on this computer differ by nothing but the port.
    fn who(&self, role: Role, with_port: bool) -> Cow<'_, str> {
        if with_port || role == Role::Join {
            Cow::Borrowed(self.downstream)
        } else {
            host_of(self.downstream)
        }
    }

    fn moves(&self) -> bool {
        self.rate_down > 0 || self.rate_up > 0
    }
}

/// Rows to show everything: a heading, each one, and that there are more than are listed.
pub(super) fn rows_needed(entry: &EntryStatus) -> usize {
    let listed = entry.sessions.len() + entry.flows.len();
    match listed {
        0 => 0,
        _ => 1 + listed + usize::from(listed as u64 != live(entry)),
    }
}

/// At most `most` rows; none, if there is no sense in so few.
pub(super) fn draw(entry: &EntryStatus, most: usize, page: &Page) -> Vec<Line> {
    let needed = rows_needed(entry);
    if needed == 0 || most < needed.min(3) {
        return Vec::new();
    }
    let mut rows = rows(entry, page);
    rows.sort_by_key(|row| (Reverse(row.age_ms), row.number));
    if needed > most {
        rows.truncate(most.saturating_sub(2));
    }
    let shortest = |row: &Row<'_>| columns(&row.who(entry.role, false));
    let fields = fields(rows.iter().map(shortest).max().unwrap_or(0), page);
    let taken: usize = fields.iter().map(|field| field.width()).sum();
    let room = page.width.saturating_sub(2 + taken);

    let mut lines = vec![heading(entry.role, fields, room)];
    for row in &rows {
        lines.push(line(row, entry.role, fields, room, page));
    }
    let more = live(entry).saturating_sub(rows.len() as u64);
    if more > 0 {
        lines.push(Line::plain("  ").and(Style::Dim, &format!("and {more} more")));
    }
    lines
}

/// As many fields as leave room for what an address needs.
fn fields(longest: usize, page: &Page) -> &'static [Field] {
    let least = longest.clamp("your game".len(), ADDRESS_LEAST);
    let fits = |fields: &&&[Field]| {
        let taken: usize = fields.iter().map(|field| field.width()).sum();
        2 + least + taken <= page.width
    };
    Field::CHOICES.iter().find(fits).copied().unwrap_or(&[])
}

fn rows<'a>(entry: &'a EntryStatus, page: &Page) -> Vec<Row<'a>> {
    let none = page.glyphs.none;
    let sessions = entry.sessions.iter().map(|session| Row {
        downstream: &session.downstream,
        age_ms: session.age_ms,
        number: session.session,
        ping: leg(session, entry.role).map_or(none.into(), |us| ping(us).into()),
        dialling: session.state == "dialling",
        rate_down: session.rate_down,
        rate_up: session.rate_up,
    });
    let flows = entry.flows.iter().map(|flow: &FlowStatus| Row {
        downstream: &flow.downstream,
        age_ms: flow.age_ms,
        number: flow.flow,
        // A datagram is not acknowledged, so there is nothing to measure.
        ping: "UDP".into(),
        dialling: false,
        rate_down: flow.rate_down,
        rate_up: flow.rate_up,
    });
    sessions.chain(flows).collect()
}

/// The round trip that matters: over the Internet, not to the game beside us. A relay lies between,
/// so both count.
fn leg(session: &SessionStatus, role: Role) -> Option<u64> {
    match role {
        Role::Host => session.round_trip_down_us,
        Role::Join => session.round_trip_up_us,
        Role::Relay => session
            .round_trip_down_us?
            .checked_add(session.round_trip_up_us?),
    }
}

fn heading(role: Role, fields: &[Field], room: usize) -> Line {
    let who = match role {
        Role::Host => "player",
        Role::Join => "your game",
        Role::Relay => "from",
    };
    let mut line = Line::default().and(Style::Dim, &format!("  {who:room$}"));
    for field in fields {
        line.push(Style::Dim, &format!("{:>1$}", field.head(), field.width()));
    }
    line
}

fn line(row: &Row<'_>, role: Role, fields: &[Field], room: usize, page: &Page) -> Line {
    let who = row.who(role, room >= WITH_PORT);
    let who = cut_middle(&who, room, page.glyphs.gap);
    let pad = " ".repeat(room.saturating_sub(columns(&who)));
    let mut line = Line::plain(&format!("  {who}{pad}"));
    for field in fields {
        let quiet = matches!(field, Field::Age) || !row.moves();
        let style = if quiet && !matches!(field, Field::Ping) {
            Style::Dim
        } else {
            Style::Plain
        };
        line.push(style, &format!("{:>1$}", row.field(*field), field.width()));
    }
    line
}

/// An address without its port. What is no address stays as it is.
pub(super) fn host_of(address: &str) -> Cow<'_, str> {
    match address.parse::<SocketAddr>() {
        Ok(address) => address.ip().to_string().into(),
        Err(_) => address.into(),
    }
}
