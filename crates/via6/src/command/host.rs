//! `via6 host`: beside the game server.

use std::net::Ipv6Addr;

use via6_core::addr::{HostPort, Listen};
use via6_core::limits::DEFAULT_LINK_PORT;

use super::{listen_address, trusted};
use crate::args::Host;
use crate::entry::{Entry, Protocols};
use crate::failure::Failure;
use crate::narrator::Role;
use crate::reading::Sources;

pub(super) fn entry(typed: &Host, sources: &Sources) -> Result<Entry, Failure> {
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
    Ok(Entry {
        name: "host".into(),
        role: Role::Host,
        listen: listen_at(typed, sources)?,
        upstream: game,
        carried: Protocols::asked(typed.carried.tcp, typed.carried.udp),
        trusted: trusted(&typed.trusted, sources)?,
        splice: typed.passing.splice(),
    })
}

fn listen_at(typed: &Host, sources: &Sources) -> Result<Listen, Failure> {
    let any = |port| Listen {
        ip: Ipv6Addr::UNSPECIFIED.into(),
        zone: None,
        port,
    };
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
