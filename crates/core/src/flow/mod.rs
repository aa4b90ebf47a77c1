//! The life of a UDP flow, as decisions: admit, forward, queue, drop with a reason, end.
//!
//! One flow per player address. The shell receives datagrams, asks the [`FlowTable`], and does
//! what it says; the table holds counts and times, never a payload, a socket or a clock.
//!
//! ```text
//!                on_downstream                      on_opened
//!  (no flow) ────────────────────► opening ───────────────────► open
//!      │  refused: Drop(reason)       │                          │
//!      ▼                              │ on_open_failed           │
//!  (no flow)                          │ idle, evicted, stopped   │ idle, evicted, stopped
//!                                     └────────► FlowEnd ◄───────┘
//!
//!                 our first reply went out, then PROOF_DATAGRAMS more came
//!  unproven ──────────────────────────────────────────────────────────────► proven
//!  replies bounded, short idle timeout, may be evicted                      exempt: from the start
//! ```
//!
//! The sender's address of a datagram can be forged, so nothing about an unproven flow is trusted:
//! what it may make us send is bounded by what came ([`limits::UNPROVEN_FACTOR`]) and by rate over
//! its whole /64, and it is the first to go when room is short. A proven flow is never disturbed by
//! newcomers.

mod state;
mod table;

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::net::SocketAddr;
use std::time::Duration;

use crate::limits::{self, Rate};
use crate::reason::{DropReason, FlowEndReason};

pub use table::FlowTable;

/// Names a flow; never used again for another by the same table.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FlowId(u64);

impl fmt::Display for FlowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<FlowId> for u64 {
    fn from(id: FlowId) -> Self {
        id.0
    }
}

/// A map by flow. Ids are counted up by us, so nobody can choose them to collide, and the standard
/// library's keyed hash, a third of the instructions of a small datagram, would be for nothing.
pub type ByFlow<T> = HashMap<FlowId, T, BuildHasherDefault<IdHasher>>;

/// Spreads consecutive numbers (Knuth's multiplicative hashing). For [`FlowId`] alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(self.0.rotate_left(8) ^ u64::from(byte));
        }
    }

    fn write_u64(&mut self, id: u64) {
        /// 2^64 divided by the golden ratio.
        const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
        self.0 = id.wrapping_mul(GOLDEN);
    }
}

/// The bounds of a [`FlowTable`]; by default those of [`limits`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FlowLimits {
    /// Flows at a time.
    pub flows_max: usize,
    /// Flows of one /64 at a time.
    pub flows_per_prefix: u32,
    /// New flows of all players together.
    pub rate: Rate,
    /// New flows of one /64.
    pub rate_per_prefix: Rate,
    /// Silence in both directions that ends a flow.
    pub idle: Duration,
    /// The same for an unproven flow; where it is longer than `idle`, `idle` counts.
    pub idle_unproven: Duration,
    /// Datagrams of one flow that wait for its upstream socket.
    pub pending_max: usize,
    /// Bytes of one flow that wait for its upstream socket. The datagram that opens a flow waits
    /// even if it is larger.
    pub pending_bytes: usize,
    /// Datagrams after our first reply that prove a player.
    pub proof_datagrams: u32,
    /// Bytes that may be answered to an unproven player for each byte received.
    pub unproven_factor: u64,
    /// Bytes that may be answered to an unproven player besides.
    pub unproven_allowance: u64,
    /// Bytes of replies to all unproven players of one /64. No single reply may exceed its burst.
    pub unproven_rate_per_prefix: Rate,
    /// Prefixes without a flow whose rates are remembered.
    pub prefixes_max: usize,
}

impl Default for FlowLimits {
    fn default() -> Self {
        Self {
            flows_max: limits::FLOWS_MAX,
            flows_per_prefix: limits::FLOWS_PER_PREFIX,
            rate: limits::FLOW_RATE,
            rate_per_prefix: limits::FLOW_RATE_PER_PREFIX,
            idle: limits::FLOW_IDLE_TIMEOUT,
            idle_unproven: limits::FLOW_IDLE_TIMEOUT_UNPROVEN,
            pending_max: limits::FLOW_PENDING_MAX,
            pending_bytes: limits::FLOW_PENDING_BYTES,
            proof_datagrams: limits::PROOF_DATAGRAMS,
            unproven_factor: limits::UNPROVEN_FACTOR,
            unproven_allowance: limits::UNPROVEN_ALLOWANCE,
            unproven_rate_per_prefix: limits::UNPROVEN_RATE_PER_PREFIX,
            prefixes_max: limits::PREFIXES_MAX,
        }
    }
}

/// What to do with a player's datagram.
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use]
pub enum Admit {
    /// Dial for a new flow; this datagram is the first to wait for it.
    Open {
        /// The new flow.
        id: FlowId,
        /// The flow that made room for it, if one had to.
        evicted: Option<FlowEnd>,
    },
    /// Send it upstream.
    Forward(FlowId),
    /// Its flow is still being dialled for: let it wait.
    Queue(FlowId),
    /// Drop it. Already counted.
    Drop(DropReason),
}

/// Which way a datagram goes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Direction {
    /// From the player to the game.
    Up,
    /// From the game to the player.
    Down,
}

/// How a flow ended, and what it had carried: each flow has exactly one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FlowEnd {
    /// The flow.
    pub id: FlowId,
    /// Its player; never a v4-mapped address.
    pub player: SocketAddr,
    /// Why it ended.
    pub reason: FlowEndReason,
    /// Payload bytes sent to the game.
    pub bytes_up: u64,
    /// Payload bytes sent to the player.
    pub bytes_down: u64,
    /// Datagrams sent to the game.
    pub datagrams_up: u64,
    /// Datagrams sent to the player.
    pub datagrams_down: u64,
    /// Datagrams of either direction that were not forwarded.
    pub dropped: u64,
    /// Since its first datagram came.
    pub duration: Duration,
}

/// A live flow, as it is at one moment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FlowView {
    /// The flow.
    pub id: FlowId,
    /// Its player; never a v4-mapped address.
    pub player: SocketAddr,
    /// Whether the player has shown that it receives what is sent to it.
    pub proven: bool,
    /// Payload bytes sent to the game.
    pub bytes_up: u64,
    /// Payload bytes sent to the player.
    pub bytes_down: u64,
    /// Datagrams sent to the game.
    pub datagrams_up: u64,
    /// Datagrams sent to the player.
    pub datagrams_down: u64,
    /// Datagrams of either direction that were not forwarded.
    pub dropped: u64,
    /// Since its first datagram came.
    pub age: Duration,
    /// Since the last datagram in either direction.
    pub idle: Duration,
}

/// A moment to start counting from.
#[cfg(test)]
#[allow(
    clippy::disallowed_methods,
    reason = "an Instant has no other beginning"
)]
pub(crate) fn test_clock() -> std::time::Instant {
    std::time::Instant::now()
}
