//! `via6 join`: beside the game client.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use via6_core::addr::{Host, HostPort};
use via6_core::limits::DEFAULT_JOIN_PORT;
use via6_relay::{Policy, describe, route_to};

use super::relay::another_port;
use super::{Bound, announce, listen_address, serve};
use crate::args::Join;
use crate::failure::Failure;
use crate::narrator::Narrator;

pub(super) async fn run(typed: &Join, narrator: Arc<Narrator>) -> Result<(), Failure> {
    // A line from a chat may arrive as several words.
    let text = typed.host.join(" ");
    let host = HostPort::parse_link(&text)
        .map_err(|error| Failure::address("the host's address", &error))?;
    let at = match &typed.listen {
        Some(listen) => listen_address("--listen", listen)?,
        None => SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_JOIN_PORT)),
    };
    let bound = Bound::new(at, typed.carried).map_err(|error| {
        let mut elsewhere = at;
        elsewhere.set_port(another_port(at.port()));
        Failure::bind(
            &error,
            &format!("via6 join '{host}' --listen '{elsewhere}'"),
        )
    })?;
    announce(&narrator, &bound, &host, None);
    narrator.say(&format!("joining {host} ({})", bound.carried()));
    narrator.say("\nIn your game, connect to this address:\n");
    narrator.give(&format!("  {}", dialled(bound.addr)));
    narrator.say("");
    if let Some(cause) = no_route(&host) {
        narrator.warn("no-route", &format!(
            "this computer cannot reach {host}: {cause}. Without IPv6 there is no way to this host; \
             a phone's hotspot often has it"
        ));
    }
    narrator.say("Press Ctrl-C to stop.");
    serve(bound, host, Policy::default(), narrator).await
}

/// What to type in a game on this computer: a listener on every address is reached by the local
/// one.
fn dialled(mut addr: SocketAddr) -> SocketAddr {
    if addr.ip().is_unspecified() {
        addr.set_ip(match addr {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    addr
}

/// Why the routing table knows no way to `host`, if it is given as an address.
fn no_route(host: &HostPort) -> Option<String> {
    let Host::V6(ip, None) = host.host else {
        return None;
    };
    route_to((ip, host.port).into())
        .err()
        .map(|error| describe(&error))
}
