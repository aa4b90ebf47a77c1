//! Accepting connections, come what may.
//!
//! No error of one connection ends a listener, and running out of descriptors neither ends it nor
//! spins: it backs off, and a descriptor held in reserve lets it take and reset what is waiting,
//! so that players see a refusal and not a hang. Bounds on who may come are not its business.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use via6_core::limits::{ACCEPT_BACKOFF, ACCEPT_UNKNOWN_ERRORS_MAX};

use crate::socket;

/// Connections reset in one go while there is no descriptor for them. Then the sessions that live
/// have their turn.
const REFUSED_AT_ONCE: usize = 64;

/// The loop around one listener.
#[derive(Debug)]
pub(crate) struct Acceptor {
    listener: TcpListener,
    reserve: Option<File>,
    backoff: Duration,
    unknown: u32,
}

/// What came of waiting.
#[derive(Debug)]
pub(crate) enum Accepted {
    Connection(TcpStream, SocketAddr),
    /// Out of descriptors or memory; the next call waits before it tries again.
    Exhausted(io::Error),
    /// An error we do not know; the next call waits before it tries again.
    Troubled(io::Error),
    /// Too many of those in a row: this listener is over.
    Ended(io::Error),
}

impl Acceptor {
    pub(crate) fn new(listener: TcpListener) -> Self {
        Self {
            listener,
            reserve: reserve(),
            backoff: Duration::ZERO,
            unknown: 0,
        }
    }

    /// The next connection, or why there is none for a moment. Cancel safe.
    pub(crate) async fn accept(&mut self) -> Accepted {
        if !self.backoff.is_zero() {
            sleep(self.backoff).await;
        }
        loop {
            let error = match self.listener.accept().await {
                Ok((stream, peer)) => {
                    (self.backoff, self.unknown) = (Duration::ZERO, 0);
                    return Accepted::Connection(stream, canonical(peer));
                }
                Err(error) => error,
            };
            if socket::is_transient_accept_error(&error) {
                continue;
            }
            self.backoff = (self.backoff * 2).clamp(ACCEPT_BACKOFF.0, ACCEPT_BACKOFF.1);
            if socket::is_exhaustion(&error) {
                self.refuse_waiting();
                return Accepted::Exhausted(error);
            }
            self.unknown += 1;
            return if self.unknown >= ACCEPT_UNKNOWN_ERRORS_MAX {
                Accepted::Ended(error)
            } else {
                Accepted::Troubled(error)
            };
        }
    }

    /// Spends the reserve descriptor on resetting connections that wait, one at a time, up to
    /// [`REFUSED_AT_ONCE`].
    fn refuse_waiting(&mut self) {
        for _ in 0..REFUSED_AT_ONCE {
            drop(self.reserve.take());
            let mut nobody = Context::from_waker(Waker::noop());
            let refused = match self.listener.poll_accept(&mut nobody) {
                Poll::Ready(Ok((stream, _))) => {
                    socket::reset_on_close(&stream);
                    true
                }
                Poll::Ready(Err(_)) | Poll::Pending => false,
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
