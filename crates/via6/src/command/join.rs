//! `via6 join`: beside the game client.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use via6_core::addr::{Host, HostPort};
use via6_core::limits::DEFAULT_JOIN_PORT;
use via6_relay::{Policy, describe, route_to};

use super::relay::another_port;
use super::{Bound, announce, carried_flags, listen_address, serve};
use crate::args::Join;
use crate::failure::Failure;
use crate::narrator::Narrator;
use crate::reading::Sources;
use crate::stop::Stop;

pub(super) async fn run(
    typed: &Join,
    sources: &Sources,
    stop: Stop,
    narrator: Arc<Narrator>,
) -> Result<(), Failure> {
    if typed.host.is_empty() {
        let hint = "ask the host for the line that `via6 host --open` prints";
        return Err(Failure::usage("ADDR is missing").hint(hint));
    }
    // A line from a chat may arrive as several words.
    let text = typed.host.join(" ");
    let host = HostPort::parse_link(&text).map_err(|error| {
        Failure::address(
            sources.name("host", "the host's address", "VIA6_HOST"),
            &error,
        )
    })?;
    let at = match &typed.listen {
        Some(listen) => listen_address(sources.name("listen", "--listen", "VIA6_LISTEN"), listen)?,
        None => SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_JOIN_PORT)),
    };
    let bound = Bound::new(at, typed.carried).map_err(|error| {
        let mut elsewhere = at;
        elsewhere.set_port(another_port(at.port()));
        Failure::bind(
            &error,
            &format!(
                "via6 join '{host}'{} --listen '{elsewhere}'",
                carried_flags(typed.carried.tcp, typed.carried.udp)
            ),
        )
    })?;
    announce(&narrator, &bound, &host, |_| None);
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
    serve(
        bound,
        host,
        Policy::default(),
        typed.passing.splice,
        stop,
        narrator,
    )
    .await
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
    let error = route_to((ip, host.port).into()).err()?;
    // There is no address of ours to send from.
    let no_ipv6 = error.kind() == ErrorKind::AddrNotAvailable;
    Some(if no_ipv6 {
        "this computer has no IPv6".into()
    } else {
        describe(&error)
    })
}
