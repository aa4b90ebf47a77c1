//! Every bound of via6 in one place: unit, default, reason, and what happens there.

mod program;
mod sealed;

use std::time::Duration;

pub use program::*;
pub use sealed::*;

/// IPv6 port of a host when nothing else is said. Unassigned by IANA, below the ephemeral range of
/// Windows and macOS.
pub const DEFAULT_LINK_PORT: u16 = 43_325;

/// Local port of an open `join` when nothing else is said.
pub const DEFAULT_JOIN_PORT: u16 = 46_666;

// TCP ------------------------------------------------------------------------------------------

/// Bytes of the buffer that one thread lends to whichever session is reading. A direction that
/// cannot send at once keeps at most this much of its own and then stops reading.
pub const COPY_BUFFER: usize = 64 * 1024;

/// Bytes that one session may move before the others of its thread have their turn: a chunk
/// download must not hold up somebody's game packet.
pub const COPY_TURN: usize = 4 * COPY_BUFFER;

/// Bytes of one read or `splice(2)` that speak for a download rather than for game messages.
pub const BULK_READ: usize = 32 * 1024;

/// Successive passes of [`BULK_READ`] or more after which a direction is in bulk: its bytes go through
/// a pipe, where the system has them.
pub const BULK_BEGINS_AFTER: u8 = 4;

/// Successive smaller passes after which it no longer is.
pub const BULK_ENDS_AFTER: u8 = 8;

/// A direction that has not emptied its pipe after this long is no longer in bulk: at 100 MB/s or
/// less, memory is quick enough, and a pipe is a queue that game messages would wait in.
pub const BULK_SLOW: Duration = Duration::from_millis(10);

/// Bytes asked for in a pipe, and moved in one go; Linux grants users no more (`pipe-max-size`,
/// pipe(7)). Less is taken, but not less than [`COPY_BUFFER`].
pub const PIPE_BYTES: usize = 1024 * 1024;

/// Pipes of a process at a time, two descriptors each, set aside for them. Beyond it bytes pass through
/// memory, at more CPU.
pub const PIPES_MAX: usize = 32;

/// One pipe for so many descriptors of the process: where those are few, all are for players.
pub const PIPES_ONE_IN: usize = 64;

/// Empty pipes of one thread that are kept; the rest is closed.
pub const PIPES_IDLE: usize = 4;

/// Pipes of one thread whose bytes may wait in memory at a time, for readers that have stopped: up to
/// [`PIPE_BYTES`] each. Beyond it such a reader keeps its pipe.
pub const SPILLS_MAX: usize = 16;

/// Connections that one listener accepts before the sessions have their turn.
pub const ACCEPT_TURN: usize = 64;

/// Connections waiting in the kernel for `accept`. Beyond it the kernel drops SYNs, which a client
/// repeats after a second.
pub const LISTEN_BACKLOG: u32 = 1024;

/// How long dialling may take over all addresses of the other side. Longer than a SYN repeated
/// three times (1 + 2 + 4 s), shorter than a game's own patience (Minecraft: 30 s).
pub const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// Head start of one address over the next (RFC 8305 §5, Connection Attempt Delay).
pub const DIAL_STAGGER: Duration = Duration::from_millis(250);

/// Addresses of one name that are tried; the rest are ignored. Bounds descriptors per dial.
pub const DIAL_ADDRESSES_MAX: usize = 8;

/// Name look-ups under way at a time; each occupies a thread until the resolver answers, however
/// long that takes. Further dials wait for their turn within [`DIAL_TIMEOUT`].
pub const LOOKUPS_MAX: usize = 16;

/// A half-closed session ends after this long without a byte in the direction still open and with
/// nothing left to deliver. Long, because a download after a client's FIN is legal and may pause.
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(120);

/// After one side was reset, how long the other may take no byte before what is left is given up.
/// Counts from the last byte that its system acknowledged.
pub const RESET_FLUSH: Duration = Duration::from_secs(2);

/// After one side was reset, how long flushing may take in all, however steadily the other reads.
pub const RESET_FLUSH_MAX: Duration = Duration::from_secs(60);

/// After one side was reset, how long the other's send queue has where the system does not tell
/// how full it is (everywhere but on Linux).
pub const RESET_FLUSH_BLIND: Duration = Duration::from_millis(200);

/// How often a session with unacknowledged data asks whether its peer is still there.
pub const LIVENESS_SWEEP: Duration = Duration::from_secs(5);

/// A peer that has acknowledged nothing for this long, with data under way, is dead. Linux only.
pub const DEAD_AFTER: Duration = Duration::from_secs(20);

/// A peer that left this many zero-window probes unanswered is dead: a live one answers each, even
/// when its program reads nothing for hours. Linux only.
pub const DEAD_PROBES: u8 = 4;

/// Idle time before the first TCP keep-alive; also keeps a home router's state entry alive.
pub const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);

/// Time between keep-alives that are not answered.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// Unanswered keep-alives after which the system ends the connection.
pub const KEEPALIVE_PROBES: u32 = 4;

/// Largest segment on the IPv6 leg: the IPv6 minimum MTU of 1280 less 60 bytes of headers. Cures
/// paths that lose large packets without saying so.
pub const LINK_MAX_SEGMENT: u32 = 1220;

/// First and longest pause of an acceptor that the system has run out of something for.
pub const ACCEPT_BACKOFF: (Duration, Duration) =
    (Duration::from_millis(10), Duration::from_secs(1));

/// Unknown accept errors in a row that end a listener.
pub const ACCEPT_UNKNOWN_ERRORS_MAX: u32 = 10;

/// A warning that repeats is shown at most this often, with a count of the rest.
pub const WARN_INTERVAL: Duration = Duration::from_secs(60);

/// Descriptors kept for listeners, the terminal, name resolution and racing dials; the rest bounds
/// sessions (two each) and flows (one each).
pub const DESCRIPTORS_RESERVED: usize = 24;

/// Sessions and flows together never hold more descriptors than this, however high the system's
/// own limit is.
pub const DESCRIPTORS_MAX: usize = 400_000;

/// Sessions of one address at a time. Above what one friend's household can need, and what a
/// whole LAN party behind one IPv4 address does.
pub const SESSIONS_PER_ADDRESS: u32 = 512;

/// Sessions of one /64 at a time.
pub const SESSIONS_PER_PREFIX: u32 = 1024;

/// New sessions per second, and at once, of one /64. A game's server list opens a handful.
pub const SESSION_RATE_PER_PREFIX: Rate = Rate {
    per_second: 50,
    burst: 500,
};

/// New sessions per second, and at once, of all peers together. Protects the game.
pub const SESSION_RATE: Rate = Rate {
    per_second: 500,
    burst: 2000,
};

/// Prefixes with nothing open whose rate is remembered. At the bound the one whose rate is full
/// again, or soonest will be, is forgotten.
pub const PREFIXES_MAX: usize = 16_384;

/// How long Ctrl-C waits for live sessions before it ends them.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

// UDP ------------------------------------------------------------------------------------------

/// Bytes of a receive buffer: more than any datagram holds (65,507 over IPv4, 65,527 over IPv6).
pub const DATAGRAM_BUFFER: usize = 65_535;

/// Datagrams taken from the system in one call, where it can (Linux).
pub const DATAGRAM_BATCH: usize = 16;

/// Datagrams of one listener or one flow that are handled before the others have their turn.
pub const DATAGRAM_TURN: usize = 32;

/// Kernel buffer asked for on each UDP listener, each way: a burst of a busy server.
pub const DATAGRAM_SOCKET_BUFFER: usize = 2 * 1024 * 1024;

/// Flows of one listener at a time. At the bound the oldest unproven flow makes room; if every
/// flow is proven, a new player's datagrams are dropped (`flows-full`).
pub const FLOWS_MAX: usize = 4096;

/// Flows of one /64 at a time.
pub const FLOWS_PER_PREFIX: u32 = 128;

/// New flows per second, and at once, of one /64.
pub const FLOW_RATE_PER_PREFIX: Rate = Rate {
    per_second: 16,
    burst: 128,
};

/// New flows per second, and at once, of all peers together.
pub const FLOW_RATE: Rate = Rate {
    per_second: 200,
    burst: 400,
};

/// A flow ends this long after its last datagram in either direction.
pub const FLOW_IDLE_TIMEOUT: Duration = Duration::from_secs(180);

/// The same for a flow whose player has not yet shown that it receives our replies.
pub const FLOW_IDLE_TIMEOUT_UNPROVEN: Duration = Duration::from_secs(30);

/// Datagrams that wait while the other side's name is resolved; the newest beyond it are dropped.
pub const FLOW_PENDING_MAX: usize = 64;

/// Bytes of one flow that wait while the other side's name is resolved.
pub const FLOW_PENDING_BYTES: usize = 256 * 1024;

/// Bytes of all flows of a listener that wait so; the newest datagrams beyond it are dropped.
pub const FLOWS_PENDING_BYTES: usize = 4 * 1024 * 1024;

/// How long the answer to a name, be it none, serves the flows that open next.
pub const FLOW_NAME_FRESH: Duration = Duration::from_secs(1);

/// A player is proven by this many datagrams after our first reply. Somebody who forges the
/// sender's address never sees that reply; one who sends on blindly passes for a player, and
/// then reaches no further than through a game server with a public address.
pub const PROOF_DATAGRAMS: u32 = 3;

/// Replies to an unproven player stay within `received × UNPROVEN_FACTOR + UNPROVEN_ALLOWANCE`
/// bytes.
pub const UNPROVEN_FACTOR: u64 = 3;

/// See [`UNPROVEN_FACTOR`]; bytes. Lets a server answer a small first question in full.
pub const UNPROVEN_ALLOWANCE: u64 = 4096;

/// Bytes per second, and at once, of replies to all unproven players of one /64: 256 kbit/s.
pub const UNPROVEN_RATE_PER_PREFIX: Rate = Rate {
    per_second: 32_000,
    burst: 32_000,
};

/// A steady rate with an allowance for bursts (a token bucket).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rate {
    /// Tokens that come back each second.
    pub per_second: u32,
    /// Tokens there are at most.
    pub burst: u32,
}
