//! What a relay has done so far, counted. One place, [`Tally::note`], counts events; what is no event
//! (datagrams dropped, bytes of what still lives) is added by whoever looks.

use std::sync::{Mutex, MutexGuard, PoisonError};

use via6_core::counts::Counts;
use via6_core::histogram::Histogram;
use via6_core::reason::{AcceptTrouble, CloseReason, DropReason, FlowEndReason, ShedReason};

use crate::event::{Event, Warning};
use crate::socket::is_exhaustion;

/// Since a relay was started. None of it ever falls.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Totals {
    /// Sessions that began.
    pub sessions_opened: u64,
    /// Sessions that ended, each once.
    pub sessions_ended: Counts<CloseReason>,
    /// Bytes that upstream's system has taken from sessions.
    pub session_bytes_up: u64,
    /// Bytes that downstream's system has taken.
    pub session_bytes_down: u64,
    /// Flows that began.
    pub flows_opened: u64,
    /// Flows that ended, each once.
    pub flows_ended: Counts<FlowEndReason>,
    /// Payload bytes of flows, sent upstream.
    pub flow_bytes_up: u64,
    /// Payload bytes of flows, sent downstream.
    pub flow_bytes_down: u64,
    /// Datagrams sent upstream.
    pub datagrams_up: u64,
    /// Datagrams sent downstream.
    pub datagrams_down: u64,
    /// Connections that were refused.
    pub shed: Counts<ShedReason>,
    /// Datagrams that were not forwarded.
    pub dropped: Counts<DropReason>,
    /// Times that accepting failed.
    pub accept_troubles: Counts<AcceptTrouble>,
    /// From a session's accept until its upstream answered.
    pub dials: Histogram,
}

impl Totals {
    /// Adds what another relay has done.
    pub fn add_all(&mut self, other: &Self) {
        let Self {
            sessions_opened,
            sessions_ended,
            session_bytes_up,
            session_bytes_down,
            flows_opened,
            flows_ended,
            flow_bytes_up,
            flow_bytes_down,
            datagrams_up,
            datagrams_down,
            shed,
            dropped,
            accept_troubles,
            dials,
        } = self;
        *sessions_opened += other.sessions_opened;
        sessions_ended.add_all(&other.sessions_ended);
        *session_bytes_up += other.session_bytes_up;
        *session_bytes_down += other.session_bytes_down;
        *flows_opened += other.flows_opened;
        flows_ended.add_all(&other.flows_ended);
        *flow_bytes_up += other.flow_bytes_up;
        *flow_bytes_down += other.flow_bytes_down;
        *datagrams_up += other.datagrams_up;
        *datagrams_down += other.datagrams_down;
        shed.add_all(&other.shed);
        dropped.add_all(&other.dropped);
        accept_troubles.add_all(&other.accept_troubles);
        dials.add_all(&other.dials);
    }
}

/// The account of one relay.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<Totals>);

impl Tally {
    /// What has ended by now. What lives is not in it.
    pub(crate) fn ended(&self) -> Totals {
        self.lock().clone()
    }

    pub(crate) fn note(&self, event: &Event<'_>) {
        let mut totals = self.lock();
        match event {
            Event::SessionOpened { .. } => totals.sessions_opened += 1,
            Event::SessionDialled { took, .. } => totals.dials.add(*took),
            Event::SessionEnded { end, .. } => {
                totals.sessions_ended.add(end.reason, 1);
                totals.session_bytes_up += end.bytes_up;
                totals.session_bytes_down += end.bytes_down;
            }
            Event::FlowOpened { .. } => totals.flows_opened += 1,
            Event::FlowEnded { end } => {
                totals.flows_ended.add(end.reason, 1);
                totals.flow_bytes_up += end.bytes_up;
                totals.flow_bytes_down += end.bytes_down;
                totals.datagrams_up += end.datagrams_up;
                totals.datagrams_down += end.datagrams_down;
            }
            Event::Warning { warning, .. } => match warning {
                Warning::Shed { reason, .. } => totals.shed.add(*reason, 1),
                Warning::AcceptExhausted { .. } => {
                    totals.accept_troubles.add(AcceptTrouble::Exhausted, 1);
                }
                Warning::ListenerTroubled { error, .. } | Warning::ListenerEnded { error, .. } => {
                    let class = if is_exhaustion(error) {
                        AcceptTrouble::Exhausted
                    } else {
                        AcceptTrouble::Unknown
                    };
                    totals.accept_troubles.add(class, 1);
                }
                // Dropped datagrams are counted by the table of their listener, which also knows
                // those that no warning is given for.
                Warning::Dropped { .. }
                | Warning::UpstreamSilent { .. }
                | Warning::FlowDialFailed { .. } => {}
            },
            Event::Draining { .. } => {}
        }
    }

    /// Connections that were gone before they could be accepted.
    pub(crate) fn gone_before_accept(&self, connections: u64) {
        self.lock()
            .accept_troubles
            .add(AcceptTrouble::Transient, connections);
    }

    /// What a listener that is closed now had dropped.
    pub(crate) fn dropped(&self, dropped: &Counts<DropReason>) {
        self.lock().dropped.add_all(dropped);
    }

    fn lock(&self) -> MutexGuard<'_, Totals> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
