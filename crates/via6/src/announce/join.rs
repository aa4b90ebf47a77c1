//! A join begins: the address to type in the game.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};

use via6_core::addr::{Host, HostPort};
use via6_relay::{describe, route_to};

use super::listening;
use crate::entry::Entry;
use crate::instance::Bound;
use crate::narrator::Narrator;

pub(super) fn announce(entry: &Entry, bound: &Bound, narrator: &Narrator) {
    let host = &entry.upstream;
    listening(entry, bound, narrator, |_| None);
    narrator.tell(&format!("joining {host} ({})", bound.carried));
    narrator.say("\nIn your game, connect to this address:\n");
    narrator.give(&format!("  {}", dialled(bound.addr)));
    narrator.say("");
    if let Some(cause) = no_route(host) {
        narrator.warn("no-route", &format!(
            "this computer cannot reach {host}: {cause}. Without IPv6 there is no way to this host; \
             a phone's hotspot often has it"
        ));
    }
}

/// What to type in a game on this computer: a listener on every address is reached by the local
/// one.
pub(super) fn dialled(mut addr: SocketAddr) -> SocketAddr {
    if addr.ip().is_unspecified() {
        addr.set_ip(match addr {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    addr
}

/// Why the routing table knows no way to `host`, if it is given as an address.
pub(super) fn no_route(host: &HostPort) -> Option<String> {
    let Host::V6(ip, None) = host.host else {
        return None;
    };
    let error = route_to((ip, host.port).into()).err()?;
    // There is no address of ours to send from.
    let no_ipv6 = error.kind() == ErrorKind::AddrNotAvailable;
    Some(if no_ipv6 {
        "this computer has no IPv6".into()
    } else {
        describe(&error)
    })
}
