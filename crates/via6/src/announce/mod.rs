//! What a person reads, and a script is told, when an entry begins: the line for the friend, the
//! address for the game, and what looks wrong already.

mod command;
mod host;
mod join;
mod sealed;

use std::net::SocketAddr;

use serde_json::json;
use via6_core::limits::{DEFAULT_JOIN_PORT, DEFAULT_LINK_PORT};
use via6_relay::Protocol;

use self::command::command_at;
pub(crate) use self::command::{command, local_game};
pub(crate) use self::sealed::{Found, announce_invite, found, joining, moved_house};
use crate::entry::{Entry, Origin, Protocols};
use crate::instance::Bound;
use crate::narrator::{Narrator, Role, protocol_label};

/// Tells where an entry listens and what to do with that.
pub(crate) fn announce(entry: &Entry, bound: &Bound, narrator: &Narrator) {
    match entry.role {
        // Of one that has changed; the invite is as before.
        Role::Host if !entry.link.is_open() => {
            narrator.tell(&format!("sharing {} (TCP) by invite", entry.upstream));
        }
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
        host::report_game(narrator, &entry.upstream, entry.carries()).await;
    }
}

/// How to have the same on a port that is more likely to be free.
pub(crate) fn elsewhere(entry: &Entry, origin: Origin) -> String {
    let mut listen = entry.listen.clone();
    listen.port = another_port(listen.port);
    let port = listen.port;
    if origin == Origin::File {
        let (role, name) = (entry.role.label(), &entry.name);
        return match entry.role {
            Role::Host if listen.ip.is_unspecified() && listen.ip.is_ipv6() => {
                format!("port = {port} under [{role}.{name}]")
            }
            _ => format!("listen = \"{listen}\" under [{role}.{name}]"),
        };
    }
    command_at(entry, Some(&listen))
}

/// Tells that `port`, which it had the last time, is somebody else's now.
pub(crate) fn moved(entry: &Entry, port: u16, at: SocketAddr, narrator: &Narrator) {
    let who = match entry.role {
        Role::Host => "your friends need the new line",
        Role::Join | Role::Relay => "your game has to be told",
    };
    let now = at.port();
    let text = format!(
        "another program has port {port}, where this was the last time; it is {now} now, and {who}"
    );
    narrator.warn("port-moved", &text);
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
