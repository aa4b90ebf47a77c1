//! One relay in full: a rule that names it, who is there, and a line of totals.

use std::collections::{BTreeMap, BTreeSet};

use super::Page;
use super::amounts::{count, long_age, rate, size};
use super::table::{self, host_of};
use crate::narrator::Role;
use crate::output::{Line, Style, columns, cut_end, cut_middle};
use crate::status::{EntryStatus, Status};

/// Rows of a relay of which only the least is told.
pub(super) const LEAST: usize = 2;

/// All relays, one under the other, as many rows of each as there are.
pub(super) fn draw_all(status: &Status, page: &Page) -> Vec<Line> {
    let rows = shares(status, page.height);
    let mut lines = Vec::new();
    for (number, (entry, rows)) in status.entries.iter().zip(rows).enumerate() {
        let up = (number == 0).then_some(status.up_ms);
        lines.push(rule(entry, up, page));
        lines.extend(table::draw(entry, rows, page));
        lines.push(totals(entry, page));
    }
    lines
}

/// How many rows each relay's table gets: one more each in turn, until all have what they need.
fn shares(status: &Status, height: usize) -> Vec<usize> {
    let needs: Vec<_> = status.entries.iter().map(table::rows_needed).collect();
    let mut left = height.saturating_sub(LEAST * needs.len());
    let mut shares = vec![0; needs.len()];
    loop {
        let before = left;
        for (share, need) in shares.iter_mut().zip(&needs) {
            if *share < *need && left > 0 {
                *share += 1;
                left -= 1;
            }
        }
        if left == before || left == 0 {
            return shares;
        }
    }
}

/// `── via6 host minecraft ─ [::]:43325 → 127.0.0.1:25565 ─ up 1 h 12 min ───`
fn rule(entry: &EntryStatus, up: Option<u64>, page: &Page) -> Line {
    let glyphs = page.glyphs;
    let between = format!(" {} ", glyphs.rule);
    let stopping = if entry.draining {
        format!("{between}stopping")
    } else {
        String::new()
    };
    let up = up.map(|ms| format!("{between}up {}", long_age(ms)));
    let title = title(entry, page);
    let route = format!("{between}{}", route(entry, page));

    // `── ` before it, ` ─` behind it at least.
    let room = page.width.saturating_sub(5);
    let whole = format!("via6 {title}{route}{stopping}");
    let (title, up) = match up {
        Some(up) if columns(&whole) + columns(&up) <= room => (format!("via6 {title}"), up),
        _ if columns(&whole) <= room => (format!("via6 {title}"), String::new()),
        _ => (title, String::new()),
    };
    let left = room.saturating_sub(columns(&stopping) + columns(&up));
    let title = cut_end(&title, left, glyphs.gap);
    let left = left.saturating_sub(columns(&title));
    // Less of it would say nothing.
    let route = if left < 16 {
        String::new()
    } else {
        cut_middle(&route, left, glyphs.gap)
    };
    let line = Line::default()
        .and(Style::Dim, &format!("{} ", glyphs.rule.repeat(2)))
        .and(Style::Accent, &title)
        .and(Style::Plain, &format!("{route}{stopping}{up} "));
    let rest = page.width.saturating_sub(line.columns());
    line.and(Style::Dim, &glyphs.rule.repeat(rest))
}

/// `host minecraft`; a name that is only the role again is left out.
fn title(entry: &EntryStatus, page: &Page) -> String {
    let (role, name) = (entry.role.label(), page.glyphs.name(&entry.name));
    if name.is_empty() || name == role {
        role.to_owned()
    } else {
        format!("{role} {name}")
    }
}

/// `[::]:43325 → 127.0.0.1:25565`, and the protocol if it is only one.
fn route(entry: &EntryStatus, page: &Page) -> String {
    let addresses: BTreeSet<_> = entry
        .listeners
        .iter()
        .map(|listener| listener.address.as_str())
        .collect();
    let protocols: BTreeSet<_> = entry
        .listeners
        .iter()
        .map(|listener| listener.protocol.as_str())
        .collect();
    let addresses: Vec<_> = addresses.into_iter().collect();
    let from = if addresses.is_empty() && entry.role == Role::Join && entry.link == "sealed" {
        "no game yet".into()
    } else if addresses.is_empty() {
        "not listening".into()
    } else {
        addresses.join(", ")
    };
    let only = match protocols.first() {
        Some(only) if protocols.len() == 1 => format!(" ({})", only.to_uppercase()),
        _ => String::new(),
    };
    format!("{from} {} {}{only}", page.glyphs.arrow, entry.upstream)
}

/// The last line of a relay, in as many words as fit.
fn totals(entry: &EntryStatus, page: &Page) -> Line {
    let (choices, style) = if live(entry) > 0 {
        (moving(entry), Style::Plain)
    } else {
        (resting(entry), Style::Dim)
    };
    Line::plain("  ").and(
        style,
        &page.sentence(&choices, page.width.saturating_sub(2)),
    )
}

/// `5 players · 4 sessions, 1 flow · 180 kB/s down, 6.1 kB/s up · 312 MB so far`, and shorter ones.
fn moving(entry: &EntryStatus) -> Vec<Vec<String>> {
    let carried = carried(entry.sessions_live, entry.flows_live);
    let rates = format!("{} down, {} up", rate(entry.rate_down), rate(entry.rate_up));
    let total = size(bytes(entry));
    let so_far = format!("{total} so far");
    let who = people(entry).unwrap_or_else(|| carried.clone());
    let mut whole = vec![who.clone()];
    if who != carried {
        whole.push(carried);
    }
    whole.push(rates.clone());
    let with = |more: &[&String]| {
        let more = more.iter().map(|part| (*part).clone());
        whole.iter().cloned().chain(more).collect::<Vec<_>>()
    };
    let trouble = trouble(entry);
    vec![
        with(&[&so_far, &trouble]),
        with(&[&so_far]),
        with(&[&total]),
        vec![who.clone(), rates.clone(), total],
        vec![who.clone(), rates],
        vec![who.clone(), format!("{} down", rate(entry.rate_down))],
        vec![who],
    ]
}

/// What is said when nobody is here, and shorter ones.
fn resting(entry: &EntryStatus) -> Vec<Vec<String>> {
    let had = carried(entry.totals.sessions_opened, entry.totals.flows_opened);
    let never = entry.totals.sessions_opened + entry.totals.flows_opened == 0;
    let now = match (entry.role, never) {
        (Role::Host, true) => "nobody here yet",
        (Role::Host, false) => "nobody here now",
        (Role::Join, true) => "your game has not connected yet",
        (Role::Join, false) => "your game is not connected",
        (Role::Relay, true) => "nothing to relay yet",
        (Role::Relay, false) => "nothing to relay now",
    };
    let (now, trouble) = (now.to_owned(), trouble(entry));
    if never {
        return vec![vec![now.clone(), trouble], vec![now]];
    }
    let (had, total) = (format!("{had} so far"), size(bytes(entry)));
    vec![
        vec![now.clone(), had.clone(), total.clone(), trouble],
        vec![now.clone(), had, total],
        vec![now],
    ]
}

/// How many there are on the other side of a host, where one player may have several sessions. The
/// others have no players: a join has a game, a relay has whoever connects.
fn people(entry: &EntryStatus) -> Option<String> {
    if entry.role != Role::Host {
        return None;
    }
    let sessions = entry.sessions.iter().map(|session| &session.downstream);
    let flows = entry.flows.iter().map(|flow| &flow.downstream);
    let hosts: BTreeSet<_> = sessions
        .chain(flows)
        .map(|address| host_of(address))
        .collect();
    let listed = (entry.sessions.len() + entry.flows.len()) as u64;
    let people = count(hosts.len() as u64, "player");
    Some(if listed < live(entry) {
        format!("at least {people}")
    } else {
        people
    })
}

pub(super) fn live(entry: &EntryStatus) -> u64 {
    entry.sessions_live.saturating_add(entry.flows_live)
}

/// `4 sessions, 1 flow`; flows that there are none of are not spoken of.
pub(super) fn carried(sessions: u64, flows: u64) -> String {
    let flows_told = count(flows, "flow");
    match (sessions, flows) {
        (_, 0) => count(sessions, "session"),
        (0, _) => flows_told,
        _ => format!("{}, {flows_told}", count(sessions, "session")),
    }
}

pub(super) fn bytes(entry: &EntryStatus) -> u64 {
    let totals = &entry.totals;
    [
        totals.session_bytes_up,
        totals.session_bytes_down,
        totals.flow_bytes_up,
        totals.flow_bytes_down,
    ]
    .into_iter()
    .fold(0, u64::saturating_add)
}

/// What was refused and dropped, empty if nothing was. The log says why.
fn trouble(entry: &EntryStatus) -> String {
    let sum = |by_reason: &BTreeMap<String, u64>| {
        by_reason.values().copied().fold(0, u64::saturating_add)
    };
    let parts = [
        (sum(&entry.totals.shed), "refused"),
        (sum(&entry.totals.dropped), "dropped"),
    ];
    let told = parts.iter().filter(|(n, _)| *n > 0);
    let told: Vec<_> = told.map(|(n, what)| format!("{n} {what}")).collect();
    told.join(", ")
}
