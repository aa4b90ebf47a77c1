//! `via6 host`: beside the game server.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use serde_json::json;
use via6_core::addr::HostPort;
use via6_core::limits::{DEFAULT_JOIN_PORT, DEFAULT_LINK_PORT};
use via6_relay::{Protocol, is_up};

use super::relay::another_port;
use super::{Bound, announce, listen_address, serve, trusted};
use crate::args::Host;
use crate::failure::Failure;
use crate::global_address::{self, Reach};
use crate::narrator::{Narrator, protocol_label};

pub(super) async fn run(typed: &Host, narrator: Arc<Narrator>) -> Result<(), Failure> {
    let game =
        HostPort::parse_game(&typed.game).map_err(|error| Failure::address("GAME", &error))?;
    if !typed.open {
        return Err(Failure::usage(format!(
            "cannot share {game} by invite: this via6 has no sealed links yet"
        ))
        .hint(format!(
            "share it with anyone who knows the address: via6 host --open {}",
            typed.game.trim()
        )));
    }
    let at = listen_at(typed)?;
    let policy = trusted(&typed.trusted)?;
    let bound = Bound::new(at, typed.carried)
        .map_err(|error| Failure::bind(&error, &elsewhere(typed, at)))?;
    let (ip, notice) = published(&bound);
    let paste = pasted_line(ip, &bound);
    announce(&narrator, &bound, &game, Some(&paste));
    narrator.say(&format!(
        "sharing {game} ({}) on {}",
        bound.carried(),
        bound.addr
    ));
    narrator.say("\nYour friend installs via6 and pastes this line:\n");
    narrator.give(&format!("  {paste}"));
    narrator.say("");
    if let Some((kind, text)) = notice {
        narrator.warn(kind, text);
    }
    for protocol in bound.protocols() {
        report_game(&narrator, &game, protocol).await;
    }
    narrator.say("Press Ctrl-C to stop.");
    serve(bound, game, policy, narrator).await
}

fn listen_at(typed: &Host) -> Result<SocketAddr, Failure> {
    let any = |port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    if let Some(listen) = &typed.listen {
        return listen_address("--listen", listen);
    }
    let Some(port) = &typed.port else {
        return Ok(any(DEFAULT_LINK_PORT));
    };
    let wrong = |why: &str| Err(Failure::usage(format!("cannot read --port {port}: {why}")));
    match port.trim().parse() {
        Ok(0) => wrong("a friend cannot dial port 0").map_err(|failure| {
            failure.hint("for any free port: --listen '[::]:0'; the line to paste then names it")
        }),
        Ok(port) => Ok(any(port)),
        Err(_) => wrong("a port is a number from 1 to 65535")
            .map_err(|failure| failure.hint(format!("for instance: --port {DEFAULT_LINK_PORT}"))),
    }
}

/// The same command on a port that is more likely to be free.
fn elsewhere(typed: &Host, at: SocketAddr) -> String {
    let flags = match (typed.carried.tcp, typed.carried.udp) {
        (true, false) => " --tcp",
        (false, true) => " --udp",
        _ => "",
    };
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
fn pasted_line(ip: IpAddr, bound: &Bound) -> String {
    let (addr, flags) = (SocketAddr::new(ip, bound.addr.port()), bound.flags());
    if ip.is_ipv6() {
        return format!("via6 join '{addr}'{flags}");
    }
    let protocol = if bound.tcp.is_some() { "tcp" } else { "udp" };
    format!("via6 relay {protocol} 127.0.0.1:{DEFAULT_JOIN_PORT} {addr}")
}

/// The address to give away, and what the person should know about it.
fn published(bound: &Bound) -> (IpAddr, Option<(&'static str, &'static str)>) {
    let ip = bound.addr.ip();
    if ip.is_ipv4() {
        return (
            ip,
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
