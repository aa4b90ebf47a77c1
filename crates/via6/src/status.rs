//! What a running via6 tells of itself at one moment: the reply to `status`, what the live view
//! draws, and, but for the sessions one by one, what the metrics are made of.
//! `docs/reference/status.md` is its schema.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::link::Link;
use crate::narrator::Role;

/// A running via6.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Status {
    /// Its version.
    pub(crate) version: String,
    /// Its process.
    pub(crate) pid: u32,
    /// Milliseconds since 1970, UTC, when this was taken.
    pub(crate) time_ms: u64,
    /// Milliseconds since it started.
    pub(crate) up_ms: u64,
    /// Its relays, in the order in which they were asked for.
    pub(crate) entries: Vec<EntryStatus>,
    /// Who is here by a sealed link, whichever game they play; those who have been here longest come first.
    #[serde(default)]
    pub(crate) players: Vec<GuestStatus>,
}

/// A player on the sealed host of this via6.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct GuestStatus {
    /// What the player is called.
    pub(crate) player: String,
    /// The player's key, its first eight digits.
    pub(crate) identity: String,
    /// `quic` or `tls`.
    pub(crate) transport: String,
    pub(crate) address: String,
    pub(crate) age_ms: u64,
    pub(crate) sessions: u64,
    /// Smoothed, of QUIC.
    pub(crate) round_trip_us: Option<u64>,
    /// Nothing was heard for a while: sessions wait.
    pub(crate) suspect: bool,
}

/// What carries the sealed link of a join.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct CarrierStatus {
    /// What the host calls this player.
    pub(crate) player: Option<String>,
    /// `quic` or `tls`.
    pub(crate) transport: String,
    /// Where the host is.
    pub(crate) address: String,
    /// Smoothed, of QUIC.
    pub(crate) round_trip_us: Option<u64>,
    /// Nothing was heard for a while: sessions wait.
    pub(crate) suspect: bool,
}

/// One relay.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct EntryStatus {
    pub(crate) name: String,
    pub(crate) role: Role,
    /// It accepts nothing new, and ends when what is live has ended.
    pub(crate) draining: bool,
    /// Where it is found: `tcp` or `udp`, and an address.
    pub(crate) listeners: Vec<ListenerStatus>,
    /// Where it leads.
    pub(crate) upstream: String,
    /// `open` or `sealed`; an older via6 does not say, and knows only the first.
    #[serde(default = "open")]
    pub(crate) link: String,
    /// Of a join by invite: what carries its link; nothing while the host is being reached.
    #[serde(default)]
    pub(crate) carrier: Option<CarrierStatus>,
    /// Live sessions, how many there are; `sessions` may list fewer.
    pub(crate) sessions_live: u64,
    pub(crate) sessions: Vec<SessionStatus>,
    /// Live flows, how many there are; `flows` may list fewer.
    pub(crate) flows_live: u64,
    pub(crate) flows: Vec<FlowStatus>,
    /// Bytes per second of all sessions and flows together, over the last second or so.
    pub(crate) rate_up: u64,
    pub(crate) rate_down: u64,
    pub(crate) totals: Totals,
}

fn open() -> String {
    Link::Open.label().to_owned()
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct ListenerStatus {
    pub(crate) protocol: String,
    pub(crate) address: String,
}

/// A live TCP session.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct SessionStatus {
    pub(crate) session: u64,
    /// `dialling`, `open`, `half-closed`, `ending`.
    pub(crate) state: String,
    pub(crate) downstream: String,
    /// The address that was dialled, once it answered.
    pub(crate) upstream: Option<String>,
    pub(crate) age_ms: u64,
    pub(crate) bytes_up: u64,
    pub(crate) bytes_down: u64,
    pub(crate) rate_up: u64,
    pub(crate) rate_down: u64,
    /// Smoothed round trip of the leg in microseconds, where the system knows it.
    pub(crate) round_trip_down_us: Option<u64>,
    pub(crate) round_trip_up_us: Option<u64>,
}

/// A live UDP flow.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct FlowStatus {
    pub(crate) flow: u64,
    pub(crate) downstream: String,
    /// The player has shown that it receives what is sent to it.
    pub(crate) proven: bool,
    pub(crate) age_ms: u64,
    /// Since the last datagram in either direction.
    pub(crate) idle_ms: u64,
    pub(crate) bytes_up: u64,
    pub(crate) bytes_down: u64,
    pub(crate) datagrams_up: u64,
    pub(crate) datagrams_down: u64,
    pub(crate) dropped: u64,
    pub(crate) rate_up: u64,
    pub(crate) rate_down: u64,
}

/// Since the entry was started; what is live is included. Maps leave out what is zero.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Totals {
    pub(crate) sessions_opened: u64,
    /// By reason.
    pub(crate) sessions_ended: BTreeMap<String, u64>,
    pub(crate) session_bytes_up: u64,
    pub(crate) session_bytes_down: u64,
    pub(crate) flows_opened: u64,
    /// By reason.
    pub(crate) flows_ended: BTreeMap<String, u64>,
    pub(crate) flow_bytes_up: u64,
    pub(crate) flow_bytes_down: u64,
    pub(crate) datagrams_up: u64,
    pub(crate) datagrams_down: u64,
    /// Connections refused, by reason.
    pub(crate) shed: BTreeMap<String, u64>,
    /// Datagrams dropped, by reason.
    pub(crate) dropped: BTreeMap<String, u64>,
    /// Errors of accepting, by class: `transient`, `exhausted`, `unknown`.
    pub(crate) accept_errors: BTreeMap<String, u64>,
    pub(crate) dials: Dials,
}

/// How long dialling took, where it succeeded: a histogram.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Dials {
    /// Upper bounds in microseconds, rising, and how many dials took no longer than each but longer
    /// than the one before. What took longer than the last is in `count` alone.
    pub(crate) buckets: Vec<(u64, u64)>,
    pub(crate) count: u64,
    pub(crate) sum_us: u64,
}
