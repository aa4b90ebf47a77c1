//! `via6 host`: beside the game server.

use std::net::Ipv6Addr;

use via6_core::addr::{DnsName, HostPort, Listen};
use via6_core::invite::InviteError;
use via6_core::limits::{DEFAULT_LINK_PORT, INVITE_NAME_MAX};

use super::{listen_address, trusted};
use crate::args::Host;
use crate::entry::{Entry, Protocols};
use crate::failure::Failure;
use crate::link::{Link, Shared};
use crate::narrator::Role;
use crate::reading::Sources;

pub(super) fn entry(typed: &Host, sources: &Sources) -> Result<Entry, Failure> {
    let game = HostPort::parse_game(&typed.game)
        .map_err(|error| Failure::address(sources.name("game", "GAME", "VIA6_GAME"), &error))?;
    let name = dns_name(typed, sources)?;
    let carried = Protocols::asked(typed.carried.tcp, typed.carried.udp);
    if typed.open && name.is_some() {
        let what = sources.name("dns_name", "--dns-name", "VIA6_DNS_NAME");
        return Err(Failure::usage(format!(
            "cannot use {what} of an open host: it has no invite for the name to be in"
        ))
        .hint("friends can type the name: via6 join NAME"));
    }
    if !typed.open {
        check_sealed(carried, typed.game.trim())?;
    }
    Ok(Entry {
        name: "host".into(),
        role: Role::Host,
        listen: listen_at(typed, sources)?,
        upstream: game,
        carried,
        trusted: trusted(&typed.trusted, sources)?,
        splice: typed.passing.splice(),
        link: if typed.open {
            Link::Open
        } else {
            Link::Shared(Shared { name })
        },
    })
}

/// Nobody shall find out by playing that a game has no link for its UDP.
fn check_sealed(carried: Protocols, game: &str) -> Result<(), Failure> {
    if carried.tcp {
        return Ok(());
    }
    let message = "cannot carry UDP alone by invite: sealed links carry TCP only so far";
    Err(Failure::usage(message).hint(format!(
        "share it with anyone who knows the address: via6 host --open --udp {game}"
    )))
}

fn dns_name(typed: &Host, sources: &Sources) -> Result<Option<DnsName>, Failure> {
    let what = sources.name("dns_name", "--dns-name", "VIA6_DNS_NAME");
    let Some(text) = &typed.dns_name else {
        return Ok(None);
    };
    let name = DnsName::parse(text.trim()).map_err(|error| Failure::address(what, &error))?;
    if name.as_str().len() > INVITE_NAME_MAX {
        let error = InviteError::LongName { name };
        return Err(Failure::usage(format!("cannot read {what}: {error}")).hint(error.hint()));
    }
    Ok(Some(name))
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
