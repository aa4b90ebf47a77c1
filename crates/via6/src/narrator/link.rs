//! Events of sealed links, as sentences and as objects.

use std::net::SocketAddr;

use serde_json::{Value, json};
use via6_core::frame::{Closed, Refusal};
use via6_core::limits::LINK_HOLD;
use via6_core::roster::clean_name;
use via6_sealed::LinkEvent;

use super::unreachable::unreachable;
use super::{Role, ms, span};

/// Kinds of events that may repeat without end; each is told of once a minute.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum LinkKind {
    Refused(Refusal),
    Unreachable,
    TurnedAway(Refusal),
}

impl LinkKind {
    pub(crate) fn of(event: &LinkEvent<'_>) -> Option<Self> {
        match event {
            LinkEvent::Refused { code, .. } => Some(Self::Refused(*code)),
            LinkEvent::Unreachable { .. } => Some(Self::Unreachable),
            LinkEvent::TurnedAway { code, .. } => Some(Self::TurnedAway(*code)),
            _ => None,
        }
    }
}

/// Whether a person should act on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tone {
    News,
    Warning,
}

/// What is said of an event.
pub(super) fn sentence(event: &LinkEvent<'_>, role: Role) -> Option<(Tone, String)> {
    use Tone::{News, Warning};
    Some(match event {
        LinkEvent::Attached {
            player,
            kind,
            remote,
            generation,
            after,
            ..
        } => {
            let text = match (role, after) {
                (Role::Join, Some(after)) => {
                    format!("the link is back after {} over {kind}", span(*after))
                }
                (Role::Join, None) if *generation > 1 => {
                    format!("the link goes on over {kind}, to {remote}")
                }
                (Role::Join, None) => {
                    format!("linked to the host at {remote} over {kind}, as {player}")
                }
                (_, Some(after)) => {
                    format!(
                        "{player} is back after {} over {kind}, from {remote}",
                        span(*after)
                    )
                }
                (_, None) if *generation > 1 => {
                    format!("{player} goes on over {kind}, from {remote}")
                }
                (_, None) => format!("{player} is in, from {remote} over {kind}"),
            };
            (News, text)
        }
        LinkEvent::Lost {
            player,
            cause,
            hold,
            ..
        } => {
            let wait = format!("games wait up to {} s", hold.as_secs());
            match role {
                Role::Join => (News, format!("{cause}; {wait}")),
                _ => (News, format!("{player}: {cause}; {wait}")),
            }
        }
        LinkEvent::Ended {
            player,
            code,
            message,
            sessions,
            ..
        } => ended(*code, player, message, *sessions, role),
        LinkEvent::Refused {
            player,
            remote,
            code,
            ..
        } => (News, refused(*code, &clean_name(player), *remote)),
        LinkEvent::Unreachable { attempts, .. } => (Warning, unreachable(attempts)),
        LinkEvent::TurnedAway { code, again, .. } => {
            let why = match code {
                Refusal::Full => "the host is full",
                _ => "the host is about to end",
            };
            let text = format!("{why}; it is asked again every {} s", again.as_secs());
            (Warning, text)
        }
        LinkEvent::Moved { .. } | _ => return None,
    })
}

fn refused(code: Refusal, player: &str, remote: SocketAddr) -> String {
    let who = format!("did not let {player} in, from {remote}");
    let why = match code {
        Refusal::Invite => "it has no invite of this host",
        Refusal::Expired => "its invite's time is over",
        Refusal::Revoked => "its invite was taken back",
        Refusal::UsedUp => "its invite was for fewer players, who have come already",
        Refusal::Version => "it runs another version of via6",
        Refusal::Banned => "it is banned",
        Refusal::Full => "there is no room for more players",
        Refusal::Link => "its link is somebody else's",
        Refusal::Stopping => "this host is about to end",
        Refusal::Generation | Refusal::Other(_) => "it asked for something that cannot be had",
    };
    format!("{who}: {why}")
}

fn ended(code: Closed, player: &str, message: &str, sessions: usize, role: Role) -> (Tone, String) {
    let cut = match sessions {
        0 => String::new(),
        1 => "; 1 session was cut off".to_owned(),
        many => format!("; {many} sessions were cut off"),
    };
    let held = span(LINK_HOLD);
    let text = match (role, code) {
        (Role::Join, Closed::Stopped) => format!("the host has ended{cut}; it is tried again"),
        (Role::Join, Closed::Hold) => {
            let text = format!(
                "nothing was heard of the host for {held}{cut}. It is tried again; if its address has \
                 changed, it needs a DNS name (`via6 host --dns-name`), or you a new invite"
            );
            return (Tone::Warning, text);
        }
        (Role::Join, Closed::Replaced) => {
            format!("another via6 with the key of this computer has joined{cut}")
        }
        (Role::Join, Closed::Kicked) => format!("the host has sent you away{cut}"),
        (Role::Join, Closed::Banned) => format!("the host has banned this computer{cut}"),
        (Role::Join, Closed::Revoked) => format!("the host has taken the invite back{cut}"),
        (Role::Join, _) => format!("the link broke ({code}: {message}){cut}; it is made anew"),
        (_, Closed::Stopped) => format!("{player} has left{cut}"),
        (_, Closed::Hold) => format!("nothing was heard of {player} for {held}{cut}"),
        (_, Closed::Replaced) => format!("{player} has come anew; the link before ends{cut}"),
        (_, Closed::Kicked) => format!("{player} was sent away{cut}"),
        (_, Closed::Banned) => format!("{player} was banned{cut}"),
        (_, Closed::Revoked) => format!("{player} was sent away: its invite was taken back{cut}"),
        (_, _) => format!("the link of {player} broke ({code}: {message}){cut}"),
    };
    (Tone::News, text)
}

/// An event as `docs/reference/events.md` describes it, but for its time.
pub(super) fn object(event: &LinkEvent<'_>, role: Role) -> Value {
    let mut object = fields(event);
    if let Some(fields) = object.as_object_mut() {
        fields.insert("role".into(), role.label().into());
    }
    object
}

fn fields(event: &LinkEvent<'_>) -> Value {
    match event {
        LinkEvent::Attached {
            peer,
            player,
            kind,
            remote,
            generation,
            after,
        } => json!({
            "event": "link_attached", "peer": peer.to_string(), "player": player,
            "transport": kind.label(), "address": remote.to_string(), "generation": generation,
            "after_ms": after.map(ms),
        }),
        LinkEvent::Lost {
            peer,
            player,
            cause,
            hold,
        } => json!({
            "event": "link_lost", "peer": peer.to_string(), "player": player, "cause": cause,
            "hold_ms": ms(*hold),
        }),
        LinkEvent::Ended {
            peer,
            player,
            code,
            message,
            sessions,
        } => json!({
            "event": "link_ended", "peer": peer.to_string(), "player": player,
            "reason": code.label(), "message": message, "sessions": sessions,
        }),
        LinkEvent::Refused {
            peer,
            player,
            remote,
            code,
        } => json!({
            "event": "link_refused", "peer": peer.to_string(), "player": clean_name(player),
            "address": remote.to_string(), "reason": code.label(),
        }),
        LinkEvent::Unreachable { attempts, again } => {
            let attempts = attempts.iter().map(|attempt| {
                json!({
                    "address": attempt.address.to_string(), "transport": attempt.kind.label(),
                    "error": attempt.failure.to_string(),
                })
            });
            json!({
                "event": "link_unreachable", "attempts": attempts.collect::<Vec<_>>(),
                "again_ms": ms(*again),
            })
        }
        LinkEvent::TurnedAway { code, again, .. } => json!({
            "event": "link_turned_away", "reason": code.label(), "again_ms": ms(*again),
        }),
        LinkEvent::Moved { addresses, name } => {
            let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
            json!({ "event": "link_moved", "addresses": addresses, "dns_name": name })
        }
        _ => json!({ "event": "unknown" }),
    }
}
