//! Accepting connections, come what may.
//!
//! No error of one connection ends a listener, and running out of descriptors neither ends it nor
//! spins: it backs off, and a descriptor held in reserve lets it take and reset what is waiting,
//! so that players see a refusal and not a hang. Bounds on who may come are not its business.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use socket2::SockRef;
use via6_core::limits::{ACCEPT_BACKOFF, ACCEPT_TURN, ACCEPT_UNKNOWN_ERRORS_MAX};

use crate::socket;
use crate::terms::Terms;

/// A listening socket and the relay that it belongs to.
pub(super) struct Listener {
    /// Of whoever it accepts for now.
    pub(super) terms: Arc<Terms>,
    pub(super) address: SocketAddr,
    socket: TcpListener,
    reserve: Option<File>,
    backoff: Duration,
    unknown: u32,
    /// When to try again after an error.
    pub(super) timer: Option<Instant>,
}

/// What came of one try.
#[derive(Debug)]
pub(super) enum Accepted {
    Connection(TcpStream, SocketAddr),
    /// Nobody waits.
    None,
    /// Out of descriptors or memory; to be tried again after this long.
    Exhausted(io::Error, Duration),
    /// An error we do not know; to be tried again after this long.
    Troubled(io::Error, Duration),
    /// Too many of those in a row: this listener is over.
    Ended(io::Error),
}

impl Listener {
    pub(super) fn new(
        terms: Arc<Terms>,
        address: SocketAddr,
        socket: std::net::TcpListener,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        let mut socket = TcpListener::from_std(socket);
        registry.register(&mut socket, token, Interest::READABLE)?;
        Ok(Self {
            terms,
            address,
            socket,
            reserve: reserve(),
            backoff: Duration::ZERO,
            unknown: 0,
            timer: None,
        })
    }

    /// Whether another [`Self::accept`] may find somebody.
    pub(super) fn has_caller(&self) -> bool {
        socket::has_caller(&self.socket)
    }

    /// The next connection that waits, or why there is none for a moment.
    pub(super) fn accept(&mut self) -> Accepted {
        loop {
            let error = match self.socket.accept() {
                Ok((stream, peer)) => {
                    (self.backoff, self.unknown) = (Duration::ZERO, 0);
                    return Accepted::Connection(stream, canonical(peer));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Accepted::None,
                Err(error) => error,
            };
            if socket::is_transient_accept_error(&error) {
                self.terms.shared.notices.tally.gone_before_accept(1);
                continue;
            }
            self.backoff = (self.backoff * 2).clamp(ACCEPT_BACKOFF.0, ACCEPT_BACKOFF.1);
            if socket::is_exhaustion(&error) {
                self.refuse_waiting();
                return Accepted::Exhausted(error, self.backoff);
            }
            self.unknown += 1;
            return if self.unknown >= ACCEPT_UNKNOWN_ERRORS_MAX {
                Accepted::Ended(error)
            } else {
                Accepted::Troubled(error, self.backoff)
            };
        }
    }

    /// Spends the reserve descriptor on resetting connections that wait, one at a time.
    fn refuse_waiting(&mut self) {
        for _ in 0..ACCEPT_TURN {
            drop(self.reserve.take());
            let refused = match self.socket.accept() {
                Ok((stream, _)) => {
                    socket::reset_on_close(&SockRef::from(&stream));
                    true
                }
                Err(_) => false,
            };
            self.reserve = reserve();
            if !refused || self.reserve.is_none() {
                break;
            }
        }
    }
}

fn reserve() -> Option<File> {
    File::open(socket::RESERVE_PATH).ok()
}

/// A v4-mapped peer is the IPv4 peer it stands for, in limits as in logs.
fn canonical(peer: SocketAddr) -> SocketAddr {
    match peer.ip().to_canonical() {
        std::net::IpAddr::V4(v4) => SocketAddr::from((v4, peer.port())),
        std::net::IpAddr::V6(_) => peer,
    }
}
