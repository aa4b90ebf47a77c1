//! A host begins: the line that a friend pastes, and whether the game is there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde_json::json;
use via6_core::addr::HostPort;
use via6_relay::{Protocol, is_up, route_to};

use super::{ANY_PORT, JOIN_PORT, carried_flags, listening};
use crate::entry::{Entry, Protocols};
use crate::global_address::{self, Reach};
use crate::instance::Bound;
use crate::narrator::{Narrator, protocol_label};

pub(super) fn announce(entry: &Entry, bound: &Bound, narrator: &Narrator) {
    let game = &entry.upstream;
    let (ip, notice) = published(bound);
    let pasted = |protocol| pasted_line(ip, bound, protocol);
    listening(entry, bound, narrator, |protocol| Some(pasted(protocol)));
    narrator.tell(&format!(
        "sharing {game} ({}) on {}",
        bound.carried, bound.addr
    ));
    narrator.say("\nYour friend installs via6 and pastes this line:\n");
    let mut lines: Vec<_> = bound.protocols().map(pasted).collect();
    lines.dedup();
    for line in lines {
        narrator.give(&format!("  {line}"));
    }
    narrator.say("");
    if let Some((kind, text)) = notice {
        narrator.warn(kind, text);
    }
}

/// What a friend types to play here.
fn pasted_line(ip: IpAddr, bound: &Bound, protocol: Protocol) -> String {
    let addr = SocketAddr::new(ip, bound.addr.port());
    if ip.is_ipv6() {
        let flags = carried_flags(bound.carried);
        return format!("via6 join '{addr}'{flags}");
    }
    let protocol = protocol_label(protocol);
    format!("via6 relay {protocol} 127.0.0.1:{JOIN_PORT} {addr}")
}

/// The address to give away, and what the person should know about it.
fn published(bound: &Bound) -> (IpAddr, Option<(&'static str, &'static str)>) {
    let ip = bound.addr.ip();
    if ip.is_ipv4() {
        return (
            if ip.is_unspecified() {
                default_ipv4()
            } else {
                ip
            },
            Some((
                "listens-on-ipv4",
                "this listens on IPv4, where `via6 join` does not look; a via6 link is IPv6",
            )),
        );
    }
    if !ip.is_unspecified() {
        return (ip, None);
    }
    match global_address::best() {
        Some((ip, reach)) => (ip.into(), notice(reach)),
        None => (Ipv6Addr::LOCALHOST.into(), notice(Reach::Nowhere)),
    }
}

/// What the person should know of a line that reaches so far.
pub(super) fn notice(reach: Reach) -> Option<(&'static str, &'static str)> {
    match reach {
        Reach::Global => None,
        Reach::Temporary => Some((
            "temporary-address",
            "this computer has only a temporary IPv6 address: the line above works until it \
             changes, usually for a day",
        )),
        Reach::Home => Some((
            "no-global-ipv6",
            "this computer has no global IPv6 address: the line above works inside your own \
             network only. Ask your provider, or look for IPv6 in your router's settings",
        )),
        Reach::Nowhere => Some((
            "no-ipv6",
            "this computer has no IPv6 address: the line above works on this computer only. \
             Look for IPv6 in the network settings and in your router's",
        )),
    }
}

/// The IPv4 address that this computer uses toward the Internet.
fn default_ipv4() -> IpAddr {
    // TEST-NET-1 (RFC 5737): nothing is sent, only the routing table is asked.
    let outside = SocketAddr::from(([192, 0, 2, 1], ANY_PORT));
    route_to(outside).unwrap_or(Ipv4Addr::LOCALHOST.into())
}

/// Says whether the game answers yet.
pub(super) async fn report_game(narrator: &Narrator, game: &HostPort, carried: Protocols) {
    let mut answers = Vec::new();
    for protocol in carried.each() {
        let up = is_up(game, protocol).await;
        narrator.emit(json!({
            "event": "game", "protocol": protocol_label(protocol), "address": game.to_string(),
            "up": up,
        }));
        answers.extend(up.map(|up| (protocol, up)));
    }
    for sentence in answering(game, &answers) {
        narrator.say(&sentence);
    }
}

/// Most games use one protocol alone: that the other is silent is no reason to start anything.
fn answering(game: &HostPort, answers: &[(Protocol, bool)]) -> Vec<String> {
    let is_up = |up: bool| answers.iter().filter(move |answer| answer.1 == up);
    if is_up(false).count() == 0 {
        return is_up(true)
            .map(|(protocol, _)| format!("The game answers on {game} ({protocol})."))
            .collect();
    }
    if let Some((up, _)) = is_up(true).next()
        && let Some((down, _)) = is_up(false).next()
    {
        return vec![format!(
            "The game answers on {game}: {up} yes, {down} no (many games use only one)."
        )];
    }
    let alone = match answers {
        [(protocol, _)] => format!(" ({protocol})"),
        _ => String::new(),
    };
    vec![format!(
        "Nothing answers on {game}{alone} yet. Start the game, and players can come in."
    )]
}
