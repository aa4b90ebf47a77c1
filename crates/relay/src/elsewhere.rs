//! Sessions that the engine does not carry itself: those of sealed links, one of whose sides is no socket.
//!
//! They count, are told of, bounded and stopped as all others. What is done with their bytes is for who
//! took them: usually [`splice`](crate::splice()).

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use tokio::time::Instant as Clock;
use via6_core::reason::CloseReason;

use crate::dial::DialError;
use crate::event::SessionId;
use crate::look::SessionLook;
use crate::shared::Shared;
use crate::socket;
use crate::splice::{Patience, Traffic};
use crate::terms::Settings;
use crate::ticket::Ticket;

/// Takes connections that a relay has accepted and admitted.
pub trait Outlet: Send + Sync {
    /// Takes one. Called on the engine's thread: must neither block nor call back into the relay.
    fn take(&self, arrival: Arrival);
}

/// A connection that was accepted and admitted.
pub struct Arrival {
    /// Not blocking, and tuned as all of via6's sockets are.
    pub stream: TcpStream,
    /// Where it was accepted.
    pub listener: SocketAddr,
    /// Its place in the relay.
    pub seat: Seat,
}

impl Arrival {
    pub(crate) fn new(stream: TcpStream, listener: SocketAddr, ticket: Ticket) -> Self {
        let seat = Seat::new(ticket);
        Self {
            stream,
            listener,
            seat,
        }
    }

    /// Sends the player away with an RST, since the other side could not be dialled.
    pub fn refuse(self, failure: Option<DialError>) {
        socket::reset_on_close(&socket2::SockRef::from(&self.stream));
        drop(self.stream);
        self.seat.end(CloseReason::DialFailed, failure);
    }
}

/// A session's place in its relay, and its record. Dropped without [`end`](Self::end), it is told of as
/// stopped.
pub struct Seat {
    ticket: Option<Ticket>,
    live: Arc<Live>,
}

/// What can be seen of a session that is carried elsewhere.
struct Live {
    session: SessionId,
    downstream: SocketAddr,
    began: Instant,
    upstream: OnceLock<SocketAddr>,
    traffic: Traffic,
}

impl Seat {
    pub(crate) fn new(ticket: Ticket) -> Self {
        let live = Arc::new(Live {
            session: ticket.session,
            downstream: ticket.downstream,
            began: ticket.began,
            upstream: OnceLock::new(),
            traffic: Traffic::default(),
        });
        let shared = &ticket.terms.shared;
        shared.elsewhere.lock().insert(live.session, live.clone());
        Self {
            ticket: Some(ticket),
            live,
        }
    }

    /// Which session it is.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.live.session
    }

    /// Who connected.
    #[must_use]
    pub fn downstream(&self) -> SocketAddr {
        self.live.downstream
    }

    /// How its relay was set when it came.
    #[must_use]
    pub fn settings(&self) -> Option<&Settings> {
        self.ticket.as_ref().map(|ticket| &ticket.terms.settings)
    }

    /// How long things may take.
    #[must_use]
    pub fn patience(&self) -> Patience {
        let shared = self.ticket.as_ref().map(|ticket| &ticket.terms.shared);
        shared.map_or_else(Patience::default, |shared| shared.policy.patience)
    }

    /// Where its bytes are to be counted.
    #[must_use]
    pub fn traffic(&self) -> &Traffic {
        &self.live.traffic
    }

    /// The other side has answered, from this address.
    pub fn dialled(&self, upstream: SocketAddr) {
        if let Some(ticket) = &self.ticket
            && self.live.upstream.set(upstream).is_ok()
        {
            self.live.traffic.opened();
            ticket.dialled(upstream, Clock::now().into_std());
        }
    }

    /// Returns when the session is to end at once, since its relay does. Cancel safe.
    pub fn cut(&self) -> impl Future<Output = ()> + Send + use<> {
        let ticket = self.ticket.as_ref();
        let shutdown = ticket.map(|ticket| ticket.terms.shared.shutdown.clone());
        async move {
            if let Some(shutdown) = shutdown {
                shutdown.ending().await;
            }
        }
    }

    /// Tells how the session ended; its sockets are closed by now.
    pub fn end(mut self, reason: CloseReason, failure: Option<DialError>) {
        let traffic = self.live.traffic.bytes();
        if let Some(ticket) = self.leave() {
            ticket.end(reason, traffic, failure, Clock::now().into_std());
        }
    }

    /// It is seen no more, and from here on counted with what has ended.
    fn leave(&mut self) -> Option<Ticket> {
        let ticket = self.ticket.take()?;
        let shared = &ticket.terms.shared;
        shared.elsewhere.lock().remove(&self.live.session);
        Some(ticket)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let traffic = self.live.traffic.bytes();
        if let Some(ticket) = self.leave() {
            let now = Clock::now().into_std();
            ticket.end(CloseReason::Stopped, traffic, None, now);
        }
    }
}

/// The sessions of one relay that are carried elsewhere.
#[derive(Default)]
pub(crate) struct Elsewhere(Mutex<BTreeMap<SessionId, Arc<Live>>>);

impl Elsewhere {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<SessionId, Arc<Live>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds what is carried elsewhere of this relay to a look at it, with at most so many one by one.
pub(crate) fn look_elsewhere(
    relay: &Shared,
    most: usize,
    now: Instant,
    look: &mut crate::look::Look,
) {
    for (at, live) in relay.elsewhere.lock().values().enumerate() {
        let (bytes_up, bytes_down) = live.traffic.bytes();
        look.totals.session_bytes_up += bytes_up;
        look.totals.session_bytes_down += bytes_down;
        look.sessions_live += 1;
        if at < most {
            look.sessions.push(SessionLook {
                session: live.session,
                state: live.traffic.state(),
                downstream: live.downstream,
                upstream: live.upstream.get().copied(),
                age: now.saturating_duration_since(live.began),
                bytes_up,
                bytes_down,
                round_trip_down: None,
                round_trip_up: None,
            });
        }
    }
}
