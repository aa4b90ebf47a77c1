//! `via6 join`: beside the game client. Without an address it is the host that was joined last.

use std::net::Ipv4Addr;

use via6_core::addr::{HostPort, Listen};
use via6_core::limits::DEFAULT_JOIN_PORT;

use super::listen_address;
use crate::args::{Carried, Join, Place};
use crate::entry::{Entry, Protocols};
use crate::failure::Failure;
use crate::narrator::Role;
use crate::reading::Sources;
use crate::state::{Folder, Memory};
use crate::wanted::Wanted;

pub(super) fn wanted(typed: &Join, sources: &Sources, place: &Place) -> Result<Wanted, Failure> {
    if typed.host.is_empty() {
        return again(typed, sources, place);
    }
    // A line from a chat may arrive as several words.
    let text = typed.host.join(" ");
    let host = HostPort::parse_link(&text).map_err(|error| {
        Failure::address(
            sources.name("host", "the host's address", "VIA6_HOST"),
            &error,
        )
    })?;
    let listen = listen_at(typed, sources)?.unwrap_or(Listen {
        ip: Ipv4Addr::LOCALHOST.into(),
        zone: None,
        port: DEFAULT_JOIN_PORT,
    });
    Ok(Wanted::new(Entry {
        name: Role::Join.label().into(),
        role: Role::Join,
        listen,
        upstream: host,
        carried: Protocols::asked(typed.carried.tcp, typed.carried.udp),
        trusted: Vec::new(),
        splice: typed.passing.splice(),
    }))
}

fn listen_at(typed: &Join, sources: &Sources) -> Result<Option<Listen>, Failure> {
    let read = |text| listen_address(sources.name("listen", "--listen", "VIA6_LISTEN"), text);
    typed.listen.as_deref().map(read).transpose()
}

/// The host that was joined last, and all else as it was then but for what is typed now.
fn again(typed: &Join, sources: &Sources, place: &Place) -> Result<Wanted, Failure> {
    let hint = "ask the host for the line that `via6 host --open` prints";
    let missing = Failure::usage("ADDR is missing").hint(hint);
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
    if let Some(splice) = typed.passing.splice {
        wanted.entry.splice = splice;
    }
    wanted.note = Some(format!(
        "joining the last host again: {}",
        last.entry.upstream
    ));
    Ok(wanted)
}
