//! Players and invites as tables. Pure functions: what is asked, and where it goes, is decided elsewhere.

use std::time::Duration;

use crate::command::columns::{Table, clean, counted};
use crate::narrator::span;
use crate::roster::{InviteStatus, LinkStatus, PlayerStatus};

/// A cell that is not shown: of which no row has anything.
const NONE: String = String::new();

/// Who may play; those who are here first, then those who were here last.
pub(super) fn players(
    hosting: bool,
    players: &[PlayerStatus],
    verbose: bool,
    width: usize,
    now_ms: u64,
) -> Vec<String> {
    let here = players.iter().filter(|one| !one.links.is_empty()).count();
    let known = match players.len() {
        0 => "nobody has played yet".into(),
        count => counted(count as u64, "player"),
    };
    let now = match (hosting, here) {
        (false, _) => "no sealed host runs".into(),
        (true, 0) => "nobody is here".into(),
        (true, here) => format!("{here} here"),
    };
    let mut lines = vec![format!("{known}; {now}")];
    if !players.is_empty() {
        lines.push(String::new());
    }
    let mut sorted: Vec<_> = players.iter().collect();
    sorted.sort_by_key(|one| {
        let last = std::cmp::Reverse(one.last_seen_ms);
        (one.links.is_empty(), one.state == "banned", last)
    });
    let rows = sorted
        .into_iter()
        .flat_map(|one| player(one, verbose, now_ms));
    Table::new(&HEADS, rows.collect()).show(width, &mut lines);
    lines.iter().map(|line| clean(line)).collect()
}

const HEADS: [&str; 9] = [
    "  player",
    "identity",
    "",
    "ping",
    "sessions",
    "over",
    "from",
    "invite",
    "first seen",
];

/// A row for each link; one, if there is none.
fn player(one: &PlayerStatus, verbose: bool, now_ms: u64) -> Vec<Vec<String>> {
    let more = |text: String| if verbose { text } else { NONE };
    let ago = |ms: u64| roughly(Duration::from_millis(now_ms.saturating_sub(ms))) + " ago";
    let row = |link: Option<&LinkStatus>| {
        let state = match (link, one.state.as_str()) {
            (Some(link), _) if link.suspect => "silent".into(),
            (Some(link), _) => format!("here for {}", roughly(Duration::from_millis(link.age_ms))),
            (None, "banned") => "banned".into(),
            (None, "revoked") => "revoked".into(),
            (None, _) => ago(one.last_seen_ms),
        };
        let dot = if link.is_some() { "●" } else { " " };
        vec![
            format!("{dot} {}", one.name),
            more(one.identity.chars().take(8).collect()),
            state,
            link.and_then(|link| link.round_trip_us)
                .map_or(NONE, |us| span(Duration::from_micros(us))),
            link.map_or(NONE, |link| link.sessions.to_string()),
            link.map_or(NONE, |link| link.transport.to_uppercase()),
            more(link.map_or(NONE, |link| link.address.clone())),
            one.invite.clone().unwrap_or_default(),
            more(ago(one.first_seen_ms)),
        ]
    };
    if one.links.is_empty() {
        vec![row(None)]
    } else {
        one.links.iter().map(|link| row(Some(link))).collect()
    }
}

/// The invites there are, the newest last; those that were taken back only with `verbose`.
pub(super) fn invites(
    invites: &[InviteStatus],
    verbose: bool,
    width: usize,
    now_ms: u64,
) -> Vec<String> {
    let listed = invites
        .iter()
        .filter(|one| verbose || one.state != "revoked");
    let rows: Vec<_> = listed.map(|one| invite(one, verbose, now_ms)).collect();
    let revoked = invites.len() - rows.len();
    if rows.is_empty() && revoked == 0 {
        return vec!["no invites yet; `via6 invite new` makes one".into()];
    }
    let mut lines = Vec::new();
    let heads = ["invite", "players", "expires", "state", "made"];
    Table::new(&heads, rows).show(width, &mut lines);
    if revoked > 0 {
        lines.push(format!("  and {revoked} revoked, which -v lists"));
    }
    lines.iter().map(|line| clean(line)).collect()
}

fn invite(one: &InviteStatus, verbose: bool, now_ms: u64) -> Vec<String> {
    let expires = one.expires_ms.map_or(NONE, |expires| {
        match expires.checked_sub(now_ms).filter(|left| *left > 0) {
            Some(left) => format!("in {}", roughly(Duration::from_millis(left))),
            None => "over".into(),
        }
    });
    let made = Duration::from_millis(now_ms.saturating_sub(one.created_ms));
    vec![
        one.name.clone(),
        match one.uses {
            Some(uses) => format!("{} of {uses}", one.used),
            None => one.used.to_string(),
        },
        expires,
        one.state.clone(),
        if verbose {
            roughly(made) + " ago"
        } else {
            NONE
        },
    ]
}

/// A time as a person says it who need not know exactly: `6 d 3 h`, `3 h 12 min`, `12 min`, `40 s`. Rounded where
/// it has two parts, so that a week is one also a moment later.
pub(super) fn roughly(span: Duration) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let two = |large: u64, unit: &str, small: u64, below: &str| match small {
        0 => format!("{large} {unit}"),
        small => format!("{large} {unit} {small} {below}"),
    };
    let seconds = span.as_secs();
    let (to_minutes, to_hours) = (seconds + MINUTE / 2, seconds + HOUR / 2);
    if to_minutes >= DAY {
        two(to_hours / DAY, "d", to_hours % DAY / HOUR, "h")
    } else if to_minutes >= HOUR {
        two(to_minutes / HOUR, "h", to_minutes % HOUR / MINUTE, "min")
    } else if seconds >= MINUTE {
        format!("{} min", seconds / MINUTE)
    } else {
        format!("{seconds} s")
    }
}
