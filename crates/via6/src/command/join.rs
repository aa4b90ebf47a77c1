//! `via6 join`: beside the game client.

use std::net::Ipv4Addr;

use via6_core::addr::{HostPort, Listen};
use via6_core::limits::DEFAULT_JOIN_PORT;

use super::listen_address;
use crate::args::Join;
use crate::entry::{Entry, Protocols};
use crate::failure::Failure;
use crate::narrator::Role;
use crate::reading::Sources;

pub(super) fn entry(typed: &Join, sources: &Sources) -> Result<Entry, Failure> {
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
    let listen = match &typed.listen {
        Some(listen) => listen_address(sources.name("listen", "--listen", "VIA6_LISTEN"), listen)?,
        None => Listen {
            ip: Ipv4Addr::LOCALHOST.into(),
            zone: None,
            port: DEFAULT_JOIN_PORT,
        },
    };
    Ok(Entry {
        name: "join".into(),
        role: Role::Join,
        listen,
        upstream: host,
        carried: Protocols::asked(typed.carried.tcp, typed.carried.udp),
        trusted: Vec::new(),
        splice: typed.passing.splice,
    })
}
