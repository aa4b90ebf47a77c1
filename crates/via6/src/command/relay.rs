//! `via6 relay`: the primitive.

use std::sync::Arc;

use via6_core::addr::HostPort;

use super::{Bound, announce, listen_address, serve, trust_flags, trusted};
use crate::args::{Carried, Protocol, Relay};
use crate::failure::Failure;
use crate::narrator::Narrator;
use crate::reading::Sources;
use crate::stop::Stop;

pub(super) async fn run(
    typed: &Relay,
    sources: &Sources,
    stop: Stop,
    narrator: Arc<Narrator>,
) -> Result<(), Failure> {
    let at = listen_address("LISTEN", &typed.listen)?;
    let target = HostPort::parse_target(&typed.target)
        .map_err(|error| Failure::address("TARGET", &error))?;
    if at.port() != 0 && target == HostPort::from(at) {
        return Err(Failure::usage(format!("cannot relay {target} to itself"))
            .hint("LISTEN is where this relay is found, TARGET is where the game is"));
    }
    let policy = trusted(&typed.trusted, sources)?;
    let (tcp, name) = match typed.protocol {
        Protocol::Tcp => (true, "tcp"),
        Protocol::Udp => (false, "udp"),
    };
    let bound = Bound::new(at, Carried { tcp, udp: !tcp }).map_err(|error| {
        let mut elsewhere = at;
        elsewhere.set_port(another_port(at.port()));
        Failure::bind(
            &error,
            &format!(
                "via6 relay{} {name} '{elsewhere}' '{target}'",
                trust_flags(&typed.trusted)
            ),
        )
    })?;
    announce(&narrator, &bound, &target, |_| None);
    narrator.say(&format!(
        "relaying {} from {} to {target}",
        bound.carried(),
        bound.addr
    ));
    serve(bound, target, policy, typed.passing.splice, stop, narrator).await
}

/// A port to propose where `port` cannot be had.
pub(super) fn another_port(port: u16) -> u16 {
    match port {
        0..1024 => port + 40_000,
        u16::MAX => port - 1,
        _ => port + 1,
    }
}
