//! Metrics on request (`--metrics`): a page for Prometheus on a port of its own.
//!
//! ```text
//! Instance::totals ─▶ page (at most ten a second) ─▶ exposition ─▶ endpoint ◀── request
//! ```
//! Nothing is measured here and nothing is kept: the relays count, this reads. Who plays is not told, so
//! there are no keys either; where it is found is up to whoever asked for it.

mod endpoint;
mod exposition;
mod page;
mod process;
mod relays;
mod request;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use via6_core::addr::{AddrError, Listen};
use via6_core::limits::METRICS_CONNECTIONS_MAX;
use via6_relay::{BindError, Lease, listen_tcp};

use self::page::Page;
use crate::announce::another_port;
use crate::entry::{Entry, Origin};
use crate::failure::Failure;
use crate::instance::{Asked, Instance, local_address};
use crate::narrator::Narrator;

/// What belongs behind `--metrics`.
pub(crate) const EXAMPLE: &str = "for instance: --metrics 9646";

/// ADDR:PORT, or a port of this computer alone.
pub(crate) fn address(text: &str) -> Result<Listen, AddrError> {
    match text.trim().trim_start_matches(':').parse() {
        Ok(port) => Ok(here(port)),
        Err(_) => Listen::parse(text),
    }
}

/// A port for the metrics, on which nothing is served yet.
pub(crate) struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

/// Metrics that are served, until this is dropped.
pub(crate) struct Served {
    _tasks: JoinSet<()>,
    _descriptors: Option<Lease>,
}

impl Bound {
    /// Listens at `at`, beside `entries`. A port that is taken is a failure, told with what is to be
    /// changed where it was asked for.
    pub(crate) fn new<'e>(
        at: &Listen,
        origin: Origin,
        entries: impl IntoIterator<Item = &'e Entry>,
    ) -> Result<Self, Failure> {
        let mut instead = at.clone();
        instead.port = another_port(at.port);
        let instead = written(&instead, origin);
        if let Some(entry) = entries.into_iter().find(|entry| collides(at, entry)) {
            let name = &entry.name;
            let message = format!("cannot serve metrics on {at}: {name} listens there itself");
            return Err(Failure::usage(message).hint(format!("pick another: {instead}")));
        }
        let failure = |error: &BindError| Failure::bind(error, &instead);
        let at = local_address(at)?;
        let listener = listen_tcp(at).map_err(|error| failure(&error))?;
        let address = listener.local_addr().map_err(|source| {
            failure(&BindError {
                addr: at,
                protocol: "TCP",
                source,
            })
        })?;
        Ok(Self { listener, address })
    }

    /// Serves what `instance` does, and says where.
    pub(crate) fn serve(self, instance: &Instance, asked: &Asked) -> Served {
        let narrator = Narrator::of_process(Arc::clone(&asked.sink), Arc::clone(&asked.shown));
        announce(self.address, asked.origin, &narrator);
        let page = Arc::new(Page::of(instance));
        let mut tasks = JoinSet::new();
        tasks.spawn(endpoint::serve(self.listener, move || {
            let page = Arc::clone(&page);
            async move { page.text().await }
        }));
        // Where there are too few, those in reserve have to do.
        let connections = u32::try_from(METRICS_CONNECTIONS_MAX).unwrap_or(u32::MAX);
        let descriptors = instance.set_aside(connections + 1);
        Served {
            _tasks: tasks,
            _descriptors: descriptors,
        }
    }
}

/// Whether an entry is to have the port as well, which then would seem to be another program's.
fn collides(at: &Listen, entry: &Entry) -> bool {
    let (one, other) = (at.ip, entry.listen.ip);
    let overlaps = one == other
        || one.is_ipv4() == other.is_ipv4() && (one.is_unspecified() || other.is_unspecified());
    entry.carried.tcp && at.port != 0 && at.port == entry.listen.port && overlaps
}

fn announce(address: SocketAddr, origin: Origin, narrator: &Narrator) {
    narrator.emit(json!({ "event": "metrics", "address": address.to_string() }));
    narrator.say(&format!("metrics on http://{address}/metrics"));
    if !address.ip().is_loopback() {
        let here_alone = written(&here(address.port()), origin);
        narrator.warn(
            "metrics-reachable",
            &format!(
                "whoever reaches {address} sees how many play and how much is carried, though nobody's \
                 address; for this computer alone: {here_alone}"
            ),
        );
    }
}

/// How metrics at `listen` are asked for.
fn written(listen: &Listen, origin: Origin) -> String {
    match origin {
        Origin::Command => format!("--metrics '{listen}'"),
        Origin::File => format!("metrics = \"{listen}\""),
    }
}

/// A port of this computer alone.
fn here(port: u16) -> Listen {
    Listen {
        ip: Ipv4Addr::LOCALHOST.into(),
        zone: None,
        port,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_one_of_this_computer() {
        for (typed, listen) in [
            ("9646", "127.0.0.1:9646"),
            (" 9646 ", "127.0.0.1:9646"),
            (":9646", "127.0.0.1:9646"),
            ("0", "127.0.0.1:0"),
            ("[::1]:9646", "[::1]:9646"),
            ("0.0.0.0:9646", "0.0.0.0:9646"),
        ] {
            let read = address(typed).unwrap();
            assert_eq!(read.to_string(), listen, "{typed}");
        }
        for typed in ["", "70000", "-1", "localhost:9646", "127.0.0.1", "on"] {
            assert!(address(typed).is_err(), "{typed}");
        }
    }
}
