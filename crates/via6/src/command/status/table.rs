//! A [`Status`] as a person reads it. A pure function: what is asked, and where it goes, is decided
//! elsewhere.
//!
//! Calm by default: who plays, for how long, how well, how much. With `verbose` also what has ended,
//! and why. A line is no longer than `width` where that can be had; where rows of numbers would be,
//! whoever they are of stands on a line of its own above them, since an IPv6 address fills half of a
//! terminal.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::command::columns::{GAP, Table, clean, columns, counted};
use crate::narrator::{Role, size, span};
use crate::status::{EntryStatus, FlowStatus, GuestStatus, SessionStatus, Status, Totals};

/// The lines, without ends.
pub(super) fn lines(status: &Status, verbose: bool, width: usize) -> Vec<String> {
    let mut lines = vec![format!(
        "via6 {}, process {}, up {}",
        status.version,
        status.pid,
        ms(status.up_ms)
    )];
    if status.entries.is_empty() {
        lines.push("nothing is relayed".into());
    }
    for entry in &status.entries {
        lines.push(String::new());
        entry_lines(entry, verbose, width, &mut lines);
    }
    if !status.players.is_empty() {
        lines.push(String::new());
        let rows = status.players.iter().map(|one| player(one, verbose));
        Table::new(&PLAYER_HEADS, rows.collect()).show(width, &mut lines);
    }
    lines.iter().map(|line| clean(line)).collect()
}

fn entry_lines(entry: &EntryStatus, verbose: bool, width: usize, lines: &mut Vec<String>) {
    lines.extend(head(entry, width));
    lines.extend(carrier(entry));
    let sessions = entry.sessions.iter().map(|one| session(one, verbose));
    Table::new(&session_heads(entry.role), sessions.collect()).show(width, lines);
    more(entry.sessions_live, entry.sessions.len(), "session", lines);
    let flows = entry.flows.iter().map(|one| flow(one, verbose));
    Table::new(&flow_heads(entry.role), flows.collect()).show(width, lines);
    more(entry.flows_live, entry.flows.len(), "flow", lines);
    let live = [
        counted(entry.sessions_live, "session"),
        counted(entry.flows_live, "flow"),
    ];
    let rates = [
        format!("{}/s down", size(entry.rate_down)),
        format!("{}/s up", size(entry.rate_up)),
    ];
    let now = live.into_iter().chain(rates);
    wrapped("now:", now, width, lines);
    totals(&entry.totals, verbose, width, lines);
}

/// What the columns of players are called.
const PLAYER_HEADS: [&str; 8] = ["player", "", "age", "ping", "over", "sessions", "", "from"];

fn player(one: &GuestStatus, verbose: bool) -> Vec<String> {
    vec![
        one.player.clone(),
        if verbose { one.identity.clone() } else { NONE },
        ms(one.age_ms),
        one.round_trip_us.map_or(NONE, round),
        one.transport.to_uppercase(),
        one.sessions.to_string(),
        waiting(one.suspect),
        one.address.clone(),
    ]
}

/// What a link is called of which nothing was heard for a while.
fn waiting(suspect: bool) -> String {
    if suspect { "silent".into() } else { NONE }
}

/// `linked to [2001:db8::1]:43325 over QUIC, ping 23.4 ms, as Bob`
fn carrier(entry: &EntryStatus) -> Option<String> {
    if entry.role != Role::Join || entry.link != "sealed" {
        return None;
    }
    let Some(carrier) = &entry.carrier else {
        return Some(format!("{GAP}the host is being reached"));
    };
    let over = carrier.transport.to_uppercase();
    let ping = carrier
        .round_trip_us
        .map(|us| format!(", ping {}", round(us)));
    let player = carrier.player.as_ref().map(|name| format!(", as {name}"));
    let silent = carrier.suspect.then_some("; it is silent, and games wait");
    Some(format!(
        "{GAP}linked to {} over {over}{}{}{}",
        carrier.address,
        ping.unwrap_or_default(),
        player.unwrap_or_default(),
        silent.unwrap_or_default()
    ))
}

/// `host: TCP and UDP on [::]:43325 → 127.0.0.1:25565`, in two lines if it must be.
fn head(entry: &EntryStatus, width: usize) -> Vec<String> {
    let role = entry.role.label();
    let mut name = entry.name.clone();
    if name != role {
        name = format!("{name} ({role})");
    }
    if entry.link == "sealed" {
        name += " by invite";
    }
    if entry.draining {
        name += ", stopping";
    }
    let mut by_address: Vec<(&str, String)> = Vec::new();
    for listener in &entry.listeners {
        let protocol = listener.protocol.to_uppercase();
        match by_address
            .iter_mut()
            .find(|(address, _)| *address == listener.address)
        {
            Some((_, protocols)) => protocols.extend([" and ", &protocol]),
            None => by_address.push((&listener.address, protocol)),
        }
    }
    let found = by_address.into_iter();
    let found: Vec<_> = found
        .map(|(address, protocols)| format!("{protocols} on {address}"))
        .collect();
    let found = if found.is_empty() && entry.role == Role::Join && entry.link == "sealed" {
        "no game yet".into()
    } else if found.is_empty() {
        "not listening".into()
    } else {
        found.join(", ")
    };
    let way = format!("{found} → {}", entry.upstream);
    let one = format!("{name}: {way}");
    if columns(&one) <= width {
        vec![one]
    } else {
        vec![format!("{name}:"), format!("{GAP}{way}")]
    }
}

/// Who connects, and what its leg and the other are called: *ping* is always that of the IPv6 link.
fn words(role: Role) -> [&'static str; 3] {
    match role {
        Role::Host => ["player", "ping", "game"],
        Role::Join => ["your game", "game", "ping"],
        Role::Relay => ["from", "ping", "target"],
    }
}

/// What the columns of sessions are called.
fn session_heads(role: Role) -> [&'static str; 12] {
    let [who, down, up] = words(role);
    [
        who, "", "age", down, up, "down/s", "up/s", "total", "down", "up", "state", "to",
    ]
}

/// A cell that is not shown: of which no row has anything.
const NONE: String = String::new();

fn session(one: &SessionStatus, verbose: bool) -> Vec<String> {
    let ping = |round_trip: Option<u64>| round_trip.map_or(NONE, round);
    let more = |text: String| if verbose { text } else { NONE };
    vec![
        one.downstream.clone(),
        more(format!("#{}", one.session)),
        ms(one.age_ms),
        ping(one.round_trip_down_us),
        ping(one.round_trip_up_us),
        size(one.rate_down),
        size(one.rate_up),
        if verbose {
            NONE
        } else {
            size(one.bytes_down.saturating_add(one.bytes_up))
        },
        more(size(one.bytes_down)),
        more(size(one.bytes_up)),
        // The usual state goes without saying.
        if one.state == "open" && !verbose {
            NONE
        } else {
            one.state.clone()
        },
        more(one.upstream.clone().unwrap_or_default()),
    ]
}

/// What the columns of flows are called.
fn flow_heads(role: Role) -> [&'static str; 12] {
    let who = match role {
        Role::Host => "player (UDP)",
        Role::Join => "your game (UDP)",
        Role::Relay => "from (UDP)",
    };
    [
        who,
        "",
        "age",
        "idle",
        "down/s",
        "up/s",
        "total",
        "down",
        "up",
        "datagrams",
        "dropped",
        "",
    ]
}

fn flow(one: &FlowStatus, verbose: bool) -> Vec<String> {
    let more = |text: String| if verbose { text } else { NONE };
    vec![
        one.downstream.clone(),
        more(format!("#{}", one.flow)),
        ms(one.age_ms),
        ms(one.idle_ms),
        size(one.rate_down),
        size(one.rate_up),
        if verbose {
            NONE
        } else {
            size(one.bytes_down.saturating_add(one.bytes_up))
        },
        more(size(one.bytes_down)),
        more(size(one.bytes_up)),
        more(format!("{}+{}", one.datagrams_down, one.datagrams_up)),
        if one.dropped > 0 || verbose {
            one.dropped.to_string()
        } else {
            NONE
        },
        if one.proven || !verbose {
            NONE
        } else {
            "unproven".into()
        },
    ]
}

/// Live ones that were not listed.
fn more(live: u64, listed: usize, what: &str, lines: &mut Vec<String>) {
    let rest = live.saturating_sub(u64::try_from(listed).unwrap_or(u64::MAX));
    if rest > 0 {
        lines.push(format!(
            "{GAP}and {}",
            counted(rest, &format!("more {what}"))
        ));
    }
}

fn totals(totals: &Totals, verbose: bool, width: usize, lines: &mut Vec<String>) {
    let sum =
        |counts: &BTreeMap<String, u64>| counts.values().copied().fold(0, u64::saturating_add);
    let bytes = |one: u64, other: u64| size(one.saturating_add(other));
    let mut so_far = vec![
        counted(totals.sessions_opened, "session"),
        counted(totals.flows_opened, "flow"),
        bytes(totals.session_bytes_down, totals.flow_bytes_down) + " down",
        bytes(totals.session_bytes_up, totals.flow_bytes_up) + " up",
    ];
    let (shed, dropped) = (sum(&totals.shed), sum(&totals.dropped));
    if shed > 0 {
        so_far.push(counted(shed, "connection") + " refused");
    }
    if dropped > 0 {
        so_far.push(counted(dropped, "datagram") + " dropped");
    }
    wrapped("so far:", so_far.into_iter(), width, lines);
    if !verbose {
        return;
    }
    for (what, counts) in [
        ("sessions ended:", &totals.sessions_ended),
        ("flows ended:", &totals.flows_ended),
        ("refused:", &totals.shed),
        ("dropped:", &totals.dropped),
        ("errors of accepting:", &totals.accept_errors),
    ] {
        let counts = counts
            .iter()
            .map(|(reason, count)| format!("{count} {reason}"));
        wrapped(what, counts, width, lines);
    }
    let dials = &totals.dials;
    if let Some(average) = dials.sum_us.checked_div(dials.count) {
        let text = format!("{}, {} on average", dials.count, round(average));
        wrapped("dialled:", std::iter::once(text), width, lines);
    }
}

/// A list behind a word, broken between its parts; nothing, if it has none.
fn wrapped(word: &str, parts: impl Iterator<Item = String>, width: usize, lines: &mut Vec<String>) {
    let mut line = format!("{GAP}{word}");
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return;
    }
    let mut first = true;
    while let Some(mut part) = parts.next() {
        if parts.peek().is_some() {
            part.push(',');
        }
        if !first && columns(&line) + 1 + columns(&part) > width {
            lines.push(std::mem::replace(&mut line, GAP.repeat(2)));
        } else if line != GAP.repeat(2) {
            line.push(' ');
        }
        line += &part;
        first = false;
    }
    lines.push(line);
}

fn ms(ms: u64) -> String {
    span(Duration::from_millis(ms))
}

fn round(us: u64) -> String {
    span(Duration::from_micros(us))
}

#[cfg(test)]
#[path = "table_tests.rs"]
pub(super) mod tests;
