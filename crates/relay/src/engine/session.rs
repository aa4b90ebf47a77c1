//! One TCP session: dial, splice, one end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Registry, Token};
use tokio_util::task::AbortOnDropHandle;
use via6_core::limits::DIAL_TIMEOUT;
use via6_core::reason::CloseReason;

use super::socket::Socket;
use super::{Command, Concern, Inbox, Key};
use crate::dial::{Attempts, DialError, dial, literal};
use crate::event::SessionId;
use crate::leg::Leg;
use crate::look::{SessionLook, SessionState};
use crate::pipe::Splicing;
use crate::shared::Shared;
use crate::socket::begin_connect;
use crate::splice::{Patience, Splice, Turn};
use crate::terms::Terms;
use crate::ticket::Ticket;

/// An entry of the engine's table.
pub(super) struct Session {
    ticket: Ticket,
    stage: Stage,
    /// Tells this session from others that have had its entry.
    pub(super) serial: u64,
    /// When it is to be looked at again.
    pub(super) timer: Option<Instant>,
    /// It waits for its turn.
    pub(super) queued: bool,
}

enum Stage {
    Dialling {
        down: Socket,
        dial: Dial,
    },
    Carrying(Splice<Socket, Socket>),
    /// Between the two, and never seen from outside.
    Closed,
}

/// Who connects to the other side.
enum Dial {
    /// The engine, to the one address there is.
    Own { up: Socket, to: SocketAddr },
    /// The runtime, which looks a name up and races its addresses.
    Runtime { _task: AbortOnDropHandle<()> },
}

/// What a turn has come to.
pub(super) enum Step {
    /// Nothing more for now; to be looked at after this long, if at all.
    Wait(Option<Duration>),
    /// It has had its share, and there is more.
    Again,
    /// To be closed.
    Over(CloseReason, Option<DialError>),
}

/// Where a session belongs in the engine.
pub(super) struct Place<'a> {
    pub(super) registry: &'a Registry,
    pub(super) inbox: &'a Arc<Inbox>,
    pub(super) key: Key,
}

impl Place<'_> {
    /// Downstream's and upstream's.
    fn tokens(&self) -> (Token, Token) {
        let entry = self.key.entry;
        (
            Concern::Session(entry).token(),
            Concern::SessionUpstream(entry).token(),
        )
    }
}

impl Session {
    /// Starts to dial for a connection that was accepted. If not even that can be done, the
    /// player gets an RST, and the ticket's end is told.
    pub(super) fn open(
        ticket: Ticket,
        down: TcpStream,
        place: &Place<'_>,
        now: Instant,
    ) -> Option<Self> {
        let (down_token, up_token) = place.tokens();
        let mut down = Socket::accepted(down, down_token);
        let dial = match literal(&ticket.terms.settings.upstream) {
            None => Ok(Dial::Runtime {
                _task: dial_elsewhere(&ticket.terms, place),
            }),
            Some(to) => begin(to, place.registry, up_token)
                .map(|up| Dial::Own { up, to })
                .map_err(|error| unreachable_at(to, error)),
        };
        let dial = dial.and_then(|dial| {
            down.register(place.registry)
                .map(|()| dial)
                .map_err(|error| unreachable_at(ticket.downstream, error))
        });
        match dial {
            Ok(dial) => Some(Self {
                ticket,
                stage: Stage::Dialling { down, dial },
                serial: place.key.serial,
                timer: None,
                queued: false,
            }),
            Err(failure) => {
                down.reset_on_close();
                drop(down);
                ticket.end(CloseReason::DialFailed, (0, 0), Some(failure), now);
                None
            }
        }
    }

    pub(super) fn belongs_to(&self, shared: &Arc<Shared>) -> bool {
        self.ticket.terms.are_of(shared)
    }

    pub(super) fn patience(&self) -> Patience {
        self.ticket.terms.shared.policy.patience
    }

    pub(super) fn splicing(&self) -> Splicing {
        self.ticket.terms.settings.splicing
    }

    /// Bytes up and down so far.
    pub(super) fn traffic(&self) -> (u64, u64) {
        match &self.stage {
            Stage::Carrying(splice) => splice.traffic(),
            Stage::Dialling { .. } | Stage::Closed => (0, 0),
        }
    }

    /// How it is now. Asks the system about both legs.
    pub(super) fn look(&self, now: Instant) -> SessionLook {
        let (state, down, up) = match &self.stage {
            Stage::Carrying(splice) => (splice.state(), Some(&splice.down), Some(&splice.up)),
            Stage::Dialling { down, .. } => (SessionState::Dialling, Some(down), None),
            Stage::Closed => (SessionState::Ending, None, None),
        };
        let (bytes_up, bytes_down) = self.traffic();
        SessionLook {
            session: self.ticket.session,
            state,
            downstream: self.ticket.downstream,
            upstream: up.and_then(Socket::peer),
            age: now.saturating_duration_since(self.ticket.began),
            bytes_up,
            bytes_down,
            round_trip_down: down.and_then(Socket::round_trip),
            round_trip_up: up.and_then(Socket::round_trip),
        }
    }

    /// Where what its relay shares is kept: tells relays apart.
    pub(super) fn relay(&self) -> *const Shared {
        Arc::as_ptr(&self.ticket.terms.shared)
    }

    pub(super) fn id(&self) -> SessionId {
        self.ticket.session
    }

    /// The socket that an event speaks of.
    pub(super) fn socket(&mut self, upstream: bool) -> Option<&mut Socket> {
        match (&mut self.stage, upstream) {
            (Stage::Dialling { down, .. }, false) => Some(down),
            (
                Stage::Dialling {
                    dial: Dial::Own { up, .. },
                    ..
                },
                true,
            ) => Some(up),
            (Stage::Dialling { .. }, true) | (Stage::Closed, _) => None,
            (Stage::Carrying(splice), false) => Some(&mut splice.down),
            (Stage::Carrying(splice), true) => Some(&mut splice.up),
        }
    }

    /// To be called after a turn: what the system was told not to tell may be wanted now.
    pub(super) fn unmute(&mut self, registry: &Registry) {
        if let Stage::Carrying(splice) = &mut self.stage {
            splice.down.unmute(registry);
            splice.up.unmute(registry);
        }
    }

    /// Does what can be done now.
    pub(super) fn advance(&mut self, turn: &mut Turn<'_, '_>) -> Step {
        if let Stage::Dialling { down, dial } = &self.stage {
            if down.has_failed() {
                // Nobody waits for the answer any more.
                return Step::Over(CloseReason::DownstreamReset, None);
            }
            let Dial::Own { up, to } = dial else {
                return Step::Wait(None);
            };
            let to = *to;
            match up.is_connected(to) {
                Ok(true) => self.carry(to, None, turn.now),
                Ok(false) => return Step::Wait(Some(DIAL_TIMEOUT)),
                Err(error) => return self.unreachable(to, error),
            }
        }
        let Stage::Carrying(splice) = &mut self.stage else {
            return Step::Wait(None);
        };
        match splice.poll(turn) {
            Poll::Ready(reason) => Step::Over(reason, None),
            Poll::Pending if turn.again => Step::Again,
            Poll::Pending => Step::Wait(splice.wanted_tick(turn.patience)),
        }
    }

    /// The time that it waited for has come.
    pub(super) fn tick(&mut self, turn: &mut Turn<'_, '_>) -> Step {
        match &mut self.stage {
            Stage::Carrying(splice) => match splice.tick(turn) {
                Some(reason) => Step::Over(reason, None),
                None => self.advance(turn),
            },
            Stage::Dialling {
                dial: Dial::Own { to, .. },
                ..
            } => {
                let to = *to;
                self.unreachable(to, io::ErrorKind::TimedOut.into())
            }
            Stage::Dialling { .. } | Stage::Closed => Step::Wait(None),
        }
    }

    /// The runtime has dialled.
    pub(super) fn dialled(
        &mut self,
        dialled: Result<(std::net::TcpStream, SocketAddr), DialError>,
        place: &Place<'_>,
        now: Instant,
    ) -> Step {
        let connected = dialled.and_then(|(stream, to)| {
            let mut up = Socket::dialled(TcpStream::from_std(stream), place.tokens().1);
            up.register(place.registry)
                .map_err(|error| unreachable_at(to, error))?;
            Ok((up, to))
        });
        match connected {
            Ok((up, to)) => {
                self.carry(to, Some(up), now);
                Step::Again
            }
            Err(failure) => {
                self.reset();
                Step::Over(CloseReason::DialFailed, Some(failure))
            }
        }
    }

    /// From here on it is two sockets; `up` where the runtime has made it.
    fn carry(&mut self, to: SocketAddr, up: Option<Socket>, now: Instant) {
        self.ticket.dialled(to, now);
        self.stage = match (std::mem::replace(&mut self.stage, Stage::Closed), up) {
            (Stage::Dialling { down, .. }, Some(up))
            | (
                Stage::Dialling {
                    down,
                    dial: Dial::Own { up, .. },
                },
                None,
            ) => Stage::Carrying(Splice::new(down, up, now)),
            (stage, _) => stage,
        };
    }

    /// Dialling has failed: the player gets an RST. A clean end would look like a game server that
    /// said nothing.
    fn unreachable(&self, to: SocketAddr, error: io::Error) -> Step {
        self.reset();
        Step::Over(CloseReason::DialFailed, Some(unreachable_at(to, error)))
    }

    /// Whatever is connected will see an RST.
    pub(super) fn reset(&self) {
        match &self.stage {
            Stage::Dialling { down, .. } => down.reset_on_close(),
            Stage::Carrying(splice) => {
                splice.reset_both(CloseReason::Stopped);
            }
            Stage::Closed => {}
        }
    }

    /// Closes both sockets, by FIN or RST as their peers must see it, and tells the end.
    pub(super) fn close(self, reason: CloseReason, failure: Option<DialError>, now: Instant) {
        let traffic = self.traffic();
        drop(self.stage);
        self.ticket.end(reason, traffic, failure, now);
    }
}

fn begin(to: SocketAddr, registry: &Registry, token: Token) -> io::Result<Socket> {
    let mut up = Socket::dialled(TcpStream::from_std(begin_connect(to)?), token);
    up.register(registry)?;
    Ok(up)
}

/// Has the runtime dial, and send what came of it.
fn dial_elsewhere(terms: &Arc<Terms>, place: &Place<'_>) -> AbortOnDropHandle<()> {
    let (inbox, key) = (Arc::clone(place.inbox), place.key);
    let terms = Arc::clone(terms);
    let runtime = terms.shared.runtime.clone();
    AbortOnDropHandle::new(runtime.spawn(async move {
        let dialled = dial(&terms.settings.upstream)
            .await
            .and_then(|(stream, to)| {
                let stream = stream
                    .into_std()
                    .map_err(|error| unreachable_at(to, error))?;
                Ok((stream, to))
            });
        inbox.send(Command::Dialled { key, dialled });
    }))
}

fn unreachable_at(to: SocketAddr, error: io::Error) -> DialError {
    DialError::PeerUnreachable(Attempts(vec![(to, error)]))
}
