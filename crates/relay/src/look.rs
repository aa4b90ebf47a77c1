//! A relay as it is at one moment: what `status` and a live view show.

use std::net::SocketAddr;
use std::time::Duration;

use via6_core::flow::FlowView;

use crate::event::{Protocol, SessionId};
use crate::tally::Totals;

/// A relay at one moment.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// Where it listens.
    pub listeners: Vec<(Protocol, SocketAddr)>,
    /// UDP listeners that it has given up but for their last flows.
    pub retiring: Vec<(Protocol, SocketAddr)>,
    /// Live sessions, how many there are.
    pub sessions_live: usize,
    /// Some of them, the oldest first.
    pub sessions: Vec<SessionLook>,
    /// Live flows, how many there are.
    pub flows_live: usize,
    /// Some of them, the oldest first.
    pub flows: Vec<FlowView>,
    /// Since it was started, what lives included.
    pub totals: Totals,
}

/// A live session.
#[derive(Clone, Debug)]
pub struct SessionLook {
    /// Which.
    pub session: SessionId,
    /// How far it is.
    pub state: SessionState,
    /// Who connected.
    pub downstream: SocketAddr,
    /// The address that was dialled, once it has answered.
    pub upstream: Option<SocketAddr>,
    /// Since it was accepted.
    pub age: Duration,
    /// Bytes that upstream's system has taken so far.
    pub bytes_up: u64,
    /// Bytes that downstream's system has taken so far.
    pub bytes_down: u64,
    /// Smoothed round trip to the downstream machine (`TCP_INFO`, tcp(7)); `None` where the system
    /// does not tell.
    pub round_trip_down: Option<Duration>,
    /// The same to the upstream machine.
    pub round_trip_up: Option<Duration>,
}

/// How far a session is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SessionState {
    /// Its upstream has not answered yet.
    Dialling,
    /// Both directions are open.
    Open,
    /// One direction has ended.
    HalfClosed,
    /// Only what is under way is still delivered.
    Ending,
}

impl SessionState {
    /// The word used in `status`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Dialling => "dialling",
            Self::Open => "open",
            Self::HalfClosed => "half-closed",
            Self::Ending => "ending",
        }
    }
}
