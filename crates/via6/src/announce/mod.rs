//! What a person reads, and a script is told, when an entry begins: the line for the friend, the
//! address for the game, and what looks wrong already.

mod host;
mod join;

use serde_json::json;
use via6_core::limits::{DEFAULT_JOIN_PORT, DEFAULT_LINK_PORT};
use via6_relay::Protocol;

use crate::entry::{Entry, Origin, Protocols};
use crate::instance::Bound;
use crate::narrator::{Narrator, Role, protocol_label};

/// Tells where an entry listens and what to do with that.
pub(crate) fn announce(entry: &Entry, bound: &Bound, narrator: &Narrator) {
    match entry.role {
        Role::Host => host::announce(entry, bound, narrator),
        Role::Join => join::announce(entry, bound, narrator),
        Role::Relay => {
            listening(entry, bound, narrator, |_| None);
            narrator.tell(&format!(
                "relaying {} from {} to {}",
                bound.carried, bound.addr, entry.upstream
            ));
        }
    }
}

/// Tells whether the game of a host is there, which may take some seconds to find out.
pub(crate) async fn look_for_game(entry: &Entry, narrator: &Narrator) {
    if entry.role == Role::Host {
        host::report_game(narrator, &entry.upstream, entry.carried).await;
    }
}

/// How to have the same on a port that is more likely to be free.
pub(crate) fn elsewhere(entry: &Entry, origin: Origin) -> String {
    let mut listen = entry.listen.clone();
    listen.port = another_port(listen.port);
    let (port, flags) = (listen.port, carried_flags(entry.carried));
    let mut trusted = String::new();
    for network in &entry.trusted {
        trusted = trusted + " --trust-relay " + &network.to_string();
    }
    if origin == Origin::File {
        let (role, name) = (entry.role.label(), &entry.name);
        return match entry.role {
            Role::Host if listen.ip.is_unspecified() && listen.ip.is_ipv6() => {
                format!("port = {port} under [{role}.{name}]")
            }
            _ => format!("listen = \"{listen}\" under [{role}.{name}]"),
        };
    }
    let upstream = &entry.upstream;
    match entry.role {
        Role::Host => {
            let game = local_game(entry);
            if listen.ip.is_unspecified() && listen.ip.is_ipv6() {
                format!("via6 host --open{flags}{trusted} --port {port} {game}")
            } else {
                format!("via6 host --open{flags}{trusted} --listen '{listen}' {game}")
            }
        }
        Role::Join => format!("via6 join '{upstream}'{flags} --listen '{listen}'"),
        Role::Relay => {
            let protocol = if entry.carried.tcp { "tcp" } else { "udp" };
            format!("via6 relay{trusted} {protocol} '{listen}' '{upstream}'")
        }
    }
}

/// The game of a host as a person types it.
fn local_game(entry: &Entry) -> String {
    let game = entry.upstream.to_string();
    match game.strip_prefix("127.0.0.1:") {
        Some(port) => port.to_owned(),
        None => game,
    }
}

/// Tells scripts where it listens, one event for each protocol.
pub(crate) fn listening(
    entry: &Entry,
    bound: &Bound,
    narrator: &Narrator,
    paste: impl Fn(Protocol) -> Option<String>,
) {
    for protocol in bound.protocols() {
        let mut event = json!({
            "event": "listening", "role": entry.role.label(),
            "protocol": protocol_label(protocol), "address": bound.addr.to_string(),
            "upstream": entry.upstream.to_string(),
        });
        if let (Some(paste), Some(fields)) = (paste(protocol), event.as_object_mut()) {
            fields.insert("paste".into(), paste.into());
        }
        narrator.emit(event);
    }
}

/// The flags that ask for just these protocols.
fn carried_flags(carried: Protocols) -> &'static str {
    match (carried.tcp, carried.udp) {
        (true, false) => " --tcp",
        (false, true) => " --udp",
        _ => "",
    }
}

/// A port to propose where `port` cannot be had.
pub(crate) fn another_port(port: u16) -> u16 {
    match port {
        0..1024 => port + 40_000,
        u16::MAX => port - 1,
        _ => port + 1,
    }
}

/// The usual local port of a join, for a friend who has to type it.
const JOIN_PORT: u16 = DEFAULT_JOIN_PORT;
/// A port for a look at the routing table.
const ANY_PORT: u16 = DEFAULT_LINK_PORT;
