//! `via6 relay`: the primitive.

use via6_core::addr::{Host, HostPort, Listen};

use super::{listen_address, trusted};
use crate::args::{Protocol, Relay};
use crate::entry::{Entry, Protocols};
use crate::failure::Failure;
use crate::link::Link;
use crate::narrator::Role;
use crate::reading::Sources;

pub(super) fn entry(typed: &Relay, sources: &Sources) -> Result<Entry, Failure> {
    let listen = listen_address("LISTEN", &typed.listen)?;
    let target = HostPort::parse_target(&typed.target)
        .map_err(|error| Failure::address("TARGET", &error))?;
    if leads_to_itself(&listen, &target) {
        return Err(Failure::usage(format!("cannot relay {target} to itself"))
            .hint("LISTEN is where this relay is found, TARGET is where the game is"));
    }
    let tcp = matches!(typed.protocol, Protocol::Tcp);
    Ok(Entry {
        name: "relay".into(),
        role: Role::Relay,
        listen,
        upstream: target,
        carried: Protocols { tcp, udp: !tcp },
        trusted: trusted(&typed.trusted, sources)?,
        splice: typed.passing.splice(),
        link: Link::Open,
    })
}

/// What comes in would come in again, for ever.
fn leads_to_itself(listen: &Listen, target: &HostPort) -> bool {
    let host = match (Host::from(listen.ip), &listen.zone) {
        (Host::V6(ip, _), zone) => Host::V6(ip, zone.clone()),
        (host, _) => host,
    };
    listen.port != 0 && target.port == listen.port && target.host == host
}
