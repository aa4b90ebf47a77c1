//! `via6 host`: beside the game server.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use serde_json::json;
use via6_core::addr::HostPort;
use via6_core::limits::{DEFAULT_JOIN_PORT, DEFAULT_LINK_PORT};
use via6_relay::{Protocol, is_up, route_to};

use super::relay::another_port;
use super::{Bound, announce, carried_flags, listen_address, serve, trust_flags, trusted};
use crate::args::Host;
use crate::failure::Failure;
use crate::global_address::{self, Reach};
use crate::narrator::{Narrator, protocol_label};
use crate::reading::Sources;
use crate::stop::Stop;

pub(super) async fn run(
    typed: &Host,
    sources: &Sources,
    stop: Stop,
    narrator: Arc<Narrator>,
) -> Result<(), Failure> {
    let game = HostPort::parse_game(&typed.game)
        .map_err(|error| Failure::address(sources.name("game", "GAME", "VIA6_GAME"), &error))?;
    if !typed.open {
        return Err(Failure::usage(format!(
            "cannot share {game} by invite: this via6 has no sealed links yet"
        ))
        .hint(format!(
            "share it with anyone who knows the address: via6 host --open {}",
            typed.game.trim()
        )));
    }
    let at = listen_at(typed, sources)?;
    let policy = trusted(&typed.trusted, sources)?;
    let bound = Bound::new(at, typed.carried)
        .map_err(|error| Failure::bind(&error, &elsewhere(typed, at)))?;
    let (ip, notice) = published(&bound);
    let pasted = |protocol| pasted_line(ip, &bound, protocol);
    announce(&narrator, &bound, &game, |protocol| Some(pasted(protocol)));
    narrator.say(&format!(
        "sharing {game} ({}) on {}",
        bound.carried(),
        bound.addr
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
    for protocol in bound.protocols() {
        report_game(&narrator, &game, protocol).await;
    }
    narrator.say("Press Ctrl-C to stop.");
    serve(bound, game, policy, typed.passing.splice, stop, narrator).await
}

fn listen_at(typed: &Host, sources: &Sources) -> Result<SocketAddr, Failure> {
    let any = |port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    if let Some(listen) = &typed.listen {
        return listen_address(sources.name("listen", "--listen", "VIA6_LISTEN"), listen);
    }
    let Some(port) = &typed.port else {
        return Ok(any(DEFAULT_LINK_PORT));
    };
    let what = sources.name("port", "--port ", "VIA6_PORT=");
    let wrong = |why: &str| Failure::usage(format!("cannot read {what}{port}: {why}"));
    match port.trim().parse() {
        Ok(0) => Err(wrong("a friend cannot dial port 0")
            .hint("for any free port: --listen '[::]:0'; the line to paste then names it")),
        Ok(port) => Ok(any(port)),
        Err(_) => Err(wrong("a port is a number from 1 to 65535")
            .hint(format!("for instance: --port {DEFAULT_LINK_PORT}"))),
    }
}

/// The same command on a port that is more likely to be free.
fn elsewhere(typed: &Host, at: SocketAddr) -> String {
    let carried = carried_flags(typed.carried.tcp, typed.carried.udp);
    let flags = carried.to_owned() + &trust_flags(&typed.trusted);
    let (port, game) = (another_port(at.port()), typed.game.trim());
    if typed.listen.is_some() {
        let mut at = at;
        at.set_port(port);
        format!("via6 host --open{flags} --listen '{at}' {game}")
    } else {
        format!("via6 host --open{flags} --port {port} {game}")
    }
}

/// What a friend types to play here.
fn pasted_line(ip: IpAddr, bound: &Bound, protocol: Protocol) -> String {
    let addr = SocketAddr::new(ip, bound.addr.port());
    if ip.is_ipv6() {
        let flags = carried_flags(bound.tcp.is_some(), bound.udp.is_some());
        return format!("via6 join '{addr}'{flags}");
    }
    let protocol = protocol_label(protocol);
    format!("via6 relay {protocol} 127.0.0.1:{DEFAULT_JOIN_PORT} {addr}")
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
        Some((ip, Reach::Global)) => (ip.into(), None),
        Some((ip, Reach::Temporary)) => (
            ip.into(),
            Some((
                "temporary-address",
                "this computer has only a temporary IPv6 address: the line above works until it \
             changes, usually for a day",
            )),
        ),
        Some((ip, Reach::Home)) => (
            ip.into(),
            Some((
                "no-global-ipv6",
                "this computer has no global IPv6 address: the line above works inside your own \
             network only. Ask your provider, or look for IPv6 in your router's settings",
            )),
        ),
        None => (
            Ipv6Addr::LOCALHOST.into(),
            Some((
                "no-ipv6",
                "this computer has no IPv6 address: the line above works on this computer only. \
             Look for IPv6 in the network settings and in your router's",
            )),
        ),
    }
}

/// The IPv4 address that this computer uses toward the Internet.
fn default_ipv4() -> IpAddr {
    // TEST-NET-1 (RFC 5737): nothing is sent, only the routing table is asked.
    let outside = SocketAddr::from(([192, 0, 2, 1], DEFAULT_LINK_PORT));
    route_to(outside).unwrap_or(Ipv4Addr::LOCALHOST.into())
}

/// Says whether the game answers yet.
async fn report_game(narrator: &Narrator, game: &HostPort, protocol: Protocol) {
    let up = is_up(game, protocol).await;
    narrator.emit(json!({
        "event": "game", "protocol": protocol_label(protocol), "address": game.to_string(),
        "up": up,
    }));
    match up {
        Some(true) => narrator.say(&format!("The game answers on {game} ({protocol}).")),
        Some(false) => narrator.say(&format!(
            "Nothing answers on {game} ({protocol}) yet. Start the game; players can then come in."
        )),
        None => {}
    }
}
