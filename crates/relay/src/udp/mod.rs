//! The I/O shell around the flow table of `via6_core::flow`: receives, asks the table, performs
//! exactly what it says.
//!
//! Runs on the engine's thread: one socket hears all players of a listener, and each flow has one of
//! its own toward the game. Datagrams never wait here, except for the upstream name to be resolved.

mod flows;
mod name;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Registry, Token};
use slab::Slab;
use via6_core::flow::FlowId;
use via6_core::limits::{ACCEPT_BACKOFF, ACCEPT_UNKNOWN_ERRORS_MAX, DATAGRAM_TURN};
use via6_core::reason::DropReason;

pub(crate) use self::flows::Flows;
pub(crate) use self::name::Answer;
use crate::engine::{Inbox, Key};
use crate::event::{Protocol, Warning};
use crate::socket::{Arrival, Batch, DatagramListener, is_exhaustion, is_oversize};
use crate::terms::Terms;

/// What the engine lends to the flows of a listener that act.
pub(crate) struct Lent<'a> {
    pub(crate) registry: &'a Registry,
    /// Which flow, of which listener, an upstream socket belongs to.
    pub(crate) routes: &'a mut Slab<(usize, FlowId)>,
    /// This listener's entry in the engine's table.
    pub(crate) key: Key,
    pub(crate) inbox: &'a Arc<Inbox>,
    pub(crate) now: Instant,
}

/// What has come of receiving.
#[derive(Debug)]
pub(crate) enum Heard {
    /// Everything that waited.
    All,
    /// A fair share, and there may be more.
    Share,
    /// The system reports an error that we do not know; to be tried again after this long.
    Troubled(Duration),
    /// Too many of those in a row: this listener is over.
    Ended(io::Error),
}

impl Flows {
    /// Without flows yet. The errors are those of watching the socket.
    pub(crate) fn new(
        terms: Arc<Terms>,
        address: SocketAddr,
        socket: std::net::UdpSocket,
        token: Token,
        lent: &Lent<'_>,
    ) -> io::Result<Self> {
        let mut listener = DatagramListener::new(socket, address);
        listener.register(lent.registry, token)?;
        Ok(Self::with(terms, listener, address, lent.now))
    }

    /// Handles what has arrived at the listener, up to [`DATAGRAM_TURN`] datagrams.
    pub(crate) fn receive(&mut self, batch: &mut Batch, lent: &mut Lent<'_>) -> Heard {
        let mut heard = 0;
        while heard < DATAGRAM_TURN {
            match self.listener.receive(batch) {
                Ok(more) => {
                    self.unknown = 0;
                    for arrival in batch.arrivals() {
                        heard += 1;
                        self.heard(&arrival, lent);
                    }
                    if !more {
                        return Heard::All;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Heard::All,
                // Counts as well: somebody may keep them coming.
                Err(error) if concerns_one_player(&error) => heard += 1,
                Err(error) => return self.troubled(error),
            }
        }
        Heard::Share
    }

    fn heard(&mut self, arrival: &Arrival<'_>, lent: &mut Lent<'_>) {
        let (player, reason) = (arrival.from, DropReason::OwnAddress);
        if self.is_own(player) {
            self.table.on_dropped(None, reason);
            self.warn_dropped(reason, player);
        } else if self.retiring && !self.table.knows(player) {
            // Like a connection to a listener that was closed: nobody takes it.
        } else {
            self.player_sent(player, arrival.to, arrival.payload, lent);
        }
    }

    fn troubled(&mut self, error: io::Error) -> Heard {
        self.unknown += u32::from(!is_exhaustion(&error));
        if self.unknown >= ACCEPT_UNKNOWN_ERRORS_MAX {
            return Heard::Ended(error);
        }
        self.terms.shared.notices.warn(&Warning::ListenerTroubled {
            listener: self.address,
            protocol: Protocol::Udp,
            error: &error,
        });
        Heard::Troubled(ACCEPT_BACKOFF.0 * self.unknown.max(1))
    }
}

/// Some player's port is closed or unreachable, reported on the socket of all (Windows 10054 and
/// 10052, Linux after ICMP with `IP_RECVERR`), or a datagram exceeded the largest there can be.
fn concerns_one_player(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    /// `WSAENETRESET`: a hop limit ran out.
    const NET_RESET: i32 = 10052;
    is_oversize(error)
        || (cfg!(windows) && error.raw_os_error() == Some(NET_RESET))
        || matches!(
            error.kind(),
            Kind::ConnectionReset
                | Kind::ConnectionRefused
                | Kind::HostUnreachable
                | Kind::NetworkUnreachable
                | Kind::NetworkDown
                | Kind::Interrupted
        )
}
