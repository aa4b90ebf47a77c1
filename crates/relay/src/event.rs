//! What a relay tells the outside: typed events, one stream for log lines, `--json` and tests.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use via6_core::addr::HostPort;
use via6_core::flow::FlowEnd;
pub use via6_core::flow::FlowId;
use via6_core::reason::{CloseReason, DropReason, ShedReason};

use crate::dial::DialError;

/// Receives events, on the engine's thread or the runtime's, under locks of the relay: it must neither
/// block nor call back into it.
pub trait Observer: Send + Sync {
    /// Takes note of one event.
    fn observe(&self, event: &Event<'_>);
}

/// What is carried.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Protocol {
    /// Sessions.
    Tcp,
    /// Flows.
    Udp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        })
    }
}

/// Names a session of one relay; counts from 1.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SessionId(pub u64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Something that happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A connection was accepted and its upstream is being dialled. Exactly one
    /// [`Event::SessionEnded`] follows.
    SessionOpened {
        /// Which session.
        session: SessionId,
        /// Where it was accepted.
        listener: SocketAddr,
        /// Who connected.
        downstream: SocketAddr,
        /// What is dialled for it.
        upstream: &'a HostPort,
    },
    /// The upstream side of a session has answered.
    SessionDialled {
        /// Which session.
        session: SessionId,
        /// The address that won.
        upstream: SocketAddr,
        /// Since the session was accepted.
        took: Duration,
    },
    /// A session is over.
    SessionEnded {
        /// Which session.
        session: SessionId,
        /// How it ended.
        end: &'a SessionEnd,
    },
    /// A player's first datagram came in. Exactly one [`Event::FlowEnded`] follows.
    FlowOpened {
        /// Which flow.
        flow: FlowId,
        /// Where it came in.
        listener: SocketAddr,
        /// Who sent it.
        downstream: SocketAddr,
        /// Where it goes.
        upstream: &'a HostPort,
    },
    /// A flow is over.
    FlowEnded {
        /// How it ended.
        end: &'a FlowEnd,
    },
    /// Something that the person who runs this should know.
    Warning {
        /// What it is.
        warning: &'a Warning<'a>,
        /// `Some`: to be shown; this many of its kind were held back before it. `None`: a repeat
        /// within a minute, for those who want every single one.
        held_back: Option<u64>,
    },
    /// Nothing new is accepted any more.
    Draining {
        /// Live sessions.
        sessions: usize,
        /// Live flows.
        flows: usize,
        /// What lives, flows too, may go on for this long. `None`: until the drain deadline, and flows
        /// end with the sessions.
        retiring: Option<Duration>,
    },
}

/// How a session ended: recorded exactly once.
#[derive(Debug)]
#[must_use]
pub struct SessionEnd {
    /// Who connected.
    pub downstream: SocketAddr,
    /// Why.
    pub reason: CloseReason,
    /// Bytes from downstream that upstream's system has taken.
    pub bytes_up: u64,
    /// Bytes from upstream that downstream's system has taken.
    pub bytes_down: u64,
    /// From accept to end.
    pub duration: Duration,
    /// What went wrong with the dial, when the reason is [`CloseReason::DialFailed`].
    pub failure: Option<DialError>,
}

/// What the person who runs this should know.
#[derive(Debug)]
#[non_exhaustive]
pub enum Warning<'a> {
    /// New connections are being refused.
    Shed {
        /// Why.
        reason: ShedReason,
        /// One of those refused.
        downstream: SocketAddr,
    },
    /// Datagrams are being dropped.
    Dropped {
        /// Why.
        reason: DropReason,
        /// The player that one of them came from or went to.
        player: SocketAddr,
    },
    /// Nothing listens on the upstream UDP port.
    UpstreamSilent {
        /// That port.
        upstream: &'a HostPort,
    },
    /// The upstream address of a flow could not be used.
    FlowDialFailed {
        /// Why.
        failure: &'a DialError,
    },
    /// The system has run out of something that accepting needs.
    AcceptExhausted {
        /// The listener that waits.
        listener: SocketAddr,
        /// What the system said.
        error: &'a io::Error,
    },
    /// The system refuses to accept or receive for no reason we know.
    ListenerTroubled {
        /// The listener.
        listener: SocketAddr,
        /// What carries it.
        protocol: Protocol,
        /// What the system said.
        error: &'a io::Error,
    },
    /// A listener has ended after too many unknown errors in a row.
    ListenerEnded {
        /// The listener.
        listener: SocketAddr,
        /// What carries it.
        protocol: Protocol,
        /// The last error.
        error: &'a io::Error,
    },
}

impl Warning<'_> {
    /// The word used in `--json` events; also the kind by which repeats are held back.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Shed { .. } => "shed",
            Self::Dropped { .. } => "dropped",
            Self::UpstreamSilent { .. } => "upstream-silent",
            Self::FlowDialFailed { .. } => "flow-dial-failed",
            Self::AcceptExhausted { .. } => "accept-exhausted",
            Self::ListenerTroubled { .. } => "listener-troubled",
            Self::ListenerEnded { .. } => "listener-ended",
        }
    }

    /// The finer kind, where one warning stands for several causes.
    #[must_use]
    pub const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Shed { reason, .. } => Some(reason.label()),
            Self::Dropped { reason, .. } => Some(reason.label()),
            _ => None,
        }
    }
}
