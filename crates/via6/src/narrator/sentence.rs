//! Events as sentences for a person.

use std::time::Duration;

use via6_core::limits::DRAIN_TIMEOUT;
use via6_core::reason::CloseReason;
use via6_relay::{DialError, Event, SessionEnd, Warning, describe};

use super::{Role, size, span};

/// What is said of an event, if anything is.
pub(super) fn sentence(event: &Event<'_>, verbose: u8, role: Role) -> Option<String> {
    Some(match event {
        Event::SessionOpened {
            session,
            downstream,
            upstream,
            ..
        } => {
            format!("session {session} opened: {downstream} to {upstream}")
        }
        Event::SessionDialled {
            session,
            upstream,
            took,
        } => {
            format!(
                "session {session} connected to {upstream} in {}",
                span(*took)
            )
        }
        Event::SessionEnded { session, end } => {
            format!("session {session} ended: {}", session_text(end, role))
        }
        Event::FlowOpened {
            flow,
            downstream,
            upstream,
            ..
        } => {
            format!("flow {flow} opened: {downstream} to {upstream} (UDP)")
        }
        Event::FlowEnded { end } => {
            let counts = format!(
                "{} datagrams up, {} down",
                end.datagrams_up, end.datagrams_down
            );
            let dropped = match end.dropped {
                0 => String::new(),
                n => format!(", {n} dropped"),
            };
            let took = if verbose > 0 {
                format!(", {}", span(end.duration))
            } else {
                String::new()
            };
            format!(
                "flow {} ended ({}): {counts}{dropped}{took}",
                end.id, end.reason
            )
        }
        Event::Draining {
            sessions,
            flows,
            retiring,
        } => draining_text(*sessions, *flows, *retiring)?,
        _ => return None,
    })
}

fn draining_text(sessions: usize, flows: usize, retiring: Option<Duration>) -> Option<String> {
    let Some(within) = retiring else {
        return (sessions > 0).then(|| {
            format!(
                "stopping: {} may finish within {} s; Ctrl-C again ends at once",
                live(sessions as u64, 0),
                DRAIN_TIMEOUT.as_secs()
            )
        });
    };
    Some(if sessions + flows == 0 {
        "no longer listening".into()
    } else {
        format!(
            "no longer listening; {} may go on for {} at most",
            live(sessions as u64, flows as u64),
            span(within)
        )
    })
}

/// `2 sessions and 1 flow`, without what there is none of.
pub(crate) fn live(sessions: u64, flows: u64) -> String {
    let count = |n: u64, one: &str, more: &str| match n {
        0 => None,
        1 => Some(format!("1 {one}")),
        n => Some(format!("{n} {more}")),
    };
    let sessions = count(sessions, "session", "sessions");
    let flows = count(flows, "flow", "flows");
    match (sessions, flows) {
        (Some(sessions), Some(flows)) => format!("{sessions} and {flows}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => "nothing".into(),
    }
}

fn session_text(end: &SessionEnd, role: Role) -> String {
    if let Some(failure) = &end.failure {
        return explained(failure, role);
    }
    let (down, up) = (role.downstream(), role.upstream());
    let why = match end.reason {
        CloseReason::Finished => "both sides finished".into(),
        CloseReason::DownstreamReset => format!("{down} broke it off (reset)"),
        CloseReason::UpstreamReset if end.bytes_down == 0 && role == Role::Join => {
            format!("{up} broke it off at once ({GAME_DOWN})")
        }
        CloseReason::UpstreamReset => format!("{up} broke it off (reset)"),
        CloseReason::DownstreamDead => format!("{down} no longer answers"),
        CloseReason::UpstreamDead => format!("{up} no longer answers"),
        CloseReason::LinkLost => "the link between join and host was lost".into(),
        CloseReason::LingerTimeout => "one side had finished and the other fell silent".into(),
        CloseReason::DialFailed => format!("{up} could not be reached"),
        CloseReason::Stopped => "via6 was stopped".into(),
    };
    let (up, down) = (size(end.bytes_up), size(end.bytes_down));
    format!("{why}; {up} up, {down} down, {}", span(end.duration))
}

/// What a host means that takes a connection and resets it.
const GAME_DOWN: &str = "its game is probably not running";

fn explained(failure: &DialError, role: Role) -> String {
    if failure.is_refused() {
        format!("{failure} ({})", role.refused())
    } else if failure.is_reset() && role == Role::Join {
        format!("{failure} ({GAME_DOWN})")
    } else {
        failure.to_string()
    }
}

/// What is said of a warning.
pub(super) fn warning_text(warning: &Warning<'_>, held_back: Option<u64>, role: Role) -> String {
    let text = match warning {
        Warning::Shed { reason, downstream } => {
            format!("refused a connection from {downstream}: {reason}")
        }
        Warning::Dropped { reason, player } => {
            format!("dropped a datagram of {player}: {reason}")
        }
        Warning::UpstreamSilent { upstream } => {
            format!("nothing listens for UDP on {upstream} ({})", role.refused())
        }
        Warning::FlowDialFailed { failure } => explained(failure, role),
        Warning::AcceptExhausted { listener, error } => format!(
            "cannot accept on {listener}: {}; new connections are refused until others end",
            describe(error)
        ),
        Warning::ListenerTroubled {
            listener,
            protocol,
            error,
        } => {
            format!("trouble on {listener} ({protocol}): {}", describe(error))
        }
        Warning::ListenerEnded {
            listener,
            protocol,
            error,
        } => format!(
            "gave up listening on {listener} ({protocol}) after repeated errors: {}",
            describe(error)
        ),
        _ => warning.kind().to_owned(),
    };
    match held_back {
        None | Some(0) => text,
        Some(more) => format!("{text} (and {more} more)"),
    }
}
