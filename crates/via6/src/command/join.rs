//! `via6 join`: beside the game client. Without an invite it is the host that was joined last.

use std::net::Ipv4Addr;

use via6_core::addr::{AddrError, HostPort, Listen};
use via6_core::invite::Invite;
use via6_core::limits::DEFAULT_JOIN_PORT;
use via6_core::roster::clean_name;

use super::listen_address;
use crate::args::{Carried, Join, Place};
use crate::config::Source;
use crate::entry::{Entry, Protocols};
use crate::failure::Failure;
use crate::link::{Invited, Link, first_place};
use crate::narrator::Role;
use crate::reading::{self, Sources};
use crate::state::{Folder, Memory};
use crate::wanted::Wanted;

pub(super) fn wanted(typed: &Join, sources: &Sources, place: &Place) -> Result<Wanted, Failure> {
    if typed.host.is_empty() {
        return again(typed, sources, place);
    }
    // A line from a chat may arrive as several words.
    let text = typed.host.join(" ");
    let what = || sources.name("host", "the invite", "VIA6_HOST");
    let (host, link) = match Invite::parse(&text) {
        Ok(invite) => {
            let (place, invited) = (first_place(&invite), invited(typed, invite));
            (place, Link::Invited(Box::new(invited)))
        }
        Err(error) => match HostPort::parse_link(&text) {
            Ok(host) => (host, Link::Open),
            Err(AddrError::Invite) => return Err(Failure::invite(what(), &error)),
            Err(error) => {
                let what = sources.name("host", "the host's address", "VIA6_HOST");
                return Err(Failure::address(what, &error));
            }
        },
    };
    check(typed, sources, &link)?;
    let listen = listen_at(typed, sources)?.unwrap_or(Listen {
        ip: Ipv4Addr::LOCALHOST.into(),
        zone: None,
        port: if link.is_open() { DEFAULT_JOIN_PORT } else { 0 },
    });
    Ok(Wanted::new(Entry {
        name: Role::Join.label().into(),
        role: Role::Join,
        listen,
        upstream: host,
        carried: Protocols::asked(typed.carried.tcp, typed.carried.udp),
        trusted: Vec::new(),
        splice: typed.passing.splice(),
        link,
    }))
}

fn invited(typed: &Join, invite: Invite) -> Invited {
    let player = typed.player.as_deref();
    Invited {
        invite,
        player: player.map_or_else(reading::login_name, clean_name),
        transport: typed.transport.unwrap_or_default(),
    }
}

/// What can be said of one kind of link only.
fn check(typed: &Join, sources: &Sources, link: &Link) -> Result<(), Failure> {
    let Carried { tcp, udp } = typed.carried;
    if !link.is_open() {
        if udp && !tcp {
            let message = "cannot carry UDP alone by invite: sealed links carry TCP only so far";
            let hint = "ask the host to share the game with via6 host --open --udp";
            return Err(Failure::usage(message).hint(hint));
        }
        return Ok(());
    }
    let said = [
        ("player", "--as", "VIA6_AS"),
        ("transport", "--transport", "VIA6_TRANSPORT"),
    ];
    // A variable may be set for other joins.
    let mut typed = said
        .iter()
        .filter(|(id, flag, variable)| sources.of(id, flag, variable) == Some(Source::Flag(flag)));
    match typed.next() {
        Some((_, flag, _)) => Err(Failure::usage(format!(
            "cannot use {flag} with an open host: it is for invites"
        ))
        .hint(format!("leave {flag} out"))),
        None => Ok(()),
    }
}

fn listen_at(typed: &Join, sources: &Sources) -> Result<Option<Listen>, Failure> {
    let read = |text| listen_address(sources.name("listen", "--listen", "VIA6_LISTEN"), text);
    typed.listen.as_deref().map(read).transpose()
}

/// The host that was joined last, and all else as it was then but for what is typed now.
fn again(typed: &Join, sources: &Sources, place: &Place) -> Result<Wanted, Failure> {
    let hint = "ask the host for the line that `via6 host` prints";
    let missing = Failure::usage("INVITE is missing").hint(hint);
    // A mistake in what was typed is told first.
    let listen = listen_at(typed, sources)?;
    let Ok(folder) = Folder::find(place.state.as_deref()) else {
        // Without a home nothing was remembered either.
        return Err(missing);
    };
    let (memory, trouble) = Memory::open(&folder, None);
    let mut joined = memory.joined().iter();
    let Some(last) = joined.find(|one| one.entry.role == Role::Join) else {
        return Err(match trouble {
            Some(trouble) => missing.detail(trouble.to_string()),
            None => missing,
        });
    };
    let mut wanted = Wanted::again(last);
    if let Some(listen) = listen {
        wanted.any_port = false;
        wanted.entry.listen = listen;
    }
    let Carried { tcp, udp } = typed.carried;
    if tcp || udp {
        wanted.entry.carried = Protocols::asked(tcp, udp);
    }
    if let Link::Invited(invited) = &mut wanted.entry.link {
        if let Some(player) = &typed.player {
            invited.player = clean_name(player);
        }
        if let Some(transport) = typed.transport {
            invited.transport = transport;
        }
    }
    check(typed, sources, &wanted.entry.link)?;
    if let Some(splice) = typed.passing.splice {
        wanted.entry.splice = splice;
    }
    wanted.note = Some(format!(
        "joining the last host again: {}",
        last.entry.upstream
    ));
    Ok(wanted)
}
