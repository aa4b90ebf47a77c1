//! Every bound of via6 in one place: unit, default, reason, and what happens there.

use std::time::Duration;

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

// Sealed links ---------------------------------------------------------------------------------

/// Bytes of text that are searched for an invite: the message that it came in, with its quotations.
/// Longer text is refused unread.
pub const INVITE_TEXT_MAX: usize = 2048;

/// Addresses in an invite: one for each prefix that a home has, say two providers and a VPN. Each makes
/// the invite 26 characters longer.
pub const INVITE_ADDRESSES_MAX: usize = 3;

/// Bytes of the DNS name in an invite. Names that are made for this are far shorter, and a longer one
/// would make an invite that no chat program leaves in one piece.
pub const INVITE_NAME_MAX: usize = 100;

/// Bytes of the body of a frame: as much as one TLS record carries. A longer one breaks the protocol.
/// Bounds what a receiver keeps of a frame that has come in part.
pub const FRAME_BODY_MAX: usize = 16 * 1024;

/// Channels of a link at a time; one more is refused. A player needs one for each game connection, and
/// everybody behind one `join` shares the link.
pub const LINK_CHANNELS_MAX: usize = 256;

/// Games of one host. All fit one frame.
pub const SERVICES_MAX: usize = 64;

/// Bytes of the name of a game or of a player.
pub const LINK_NAME_MAX: usize = 32;

/// Addresses that a host says it has: one for each prefix, and some that are about to go.
pub const HOST_ADDRESSES_MAX: usize = 8;

/// Bytes of the sentence that a refusal or the end of a link comes with.
pub const LINK_MESSAGE_MAX: usize = 200;

/// Bytes of one copy in the fast lane: it goes in one datagram on every IPv6 path (MTU 1280).
pub const LANE_COPY_MAX: usize = 1200;

/// Bytes of one direction of a channel that are kept until the other side has acknowledged them. Then the
/// game's socket is not read. 100 Mbit/s at a round trip of 80 ms.
pub const CHANNEL_KEPT_MAX: usize = 1024 * 1024;

/// The same for all channels of a link; then each may still keep [`CHANNEL_WINDOW_FIRST`].
pub const LINK_KEPT_MAX: usize = 16 * 1024 * 1024;

/// Bytes that may be sent on a channel before the other side has said anything. All channels of a link can
/// have as much within [`LINK_WINDOW_MAX`].
pub const CHANNEL_WINDOW_FIRST: usize = 32 * 1024;

/// Bytes of one direction of a channel that the other side may send ahead of what the game takes.
pub const CHANNEL_WINDOW_MAX: usize = 1024 * 1024;

/// The same for all channels of a link: then windows grow no more.
pub const LINK_WINDOW_MAX: usize = 16 * 1024 * 1024;

/// A window doubles if half of it was used up within this time: the sender waits for it, and not the game.
pub const WINDOW_GROWS_WITHIN: Duration = Duration::from_millis(200);

/// Bytes that came after which a standing is sent at once.
pub const STANDING_BYTES: usize = 64 * 1024;

/// How long a standing may wait for data to go with. What is not acknowledged is kept, and that is bounded
/// otherwise.
pub const STANDING_DELAY: Duration = Duration::from_millis(100);

/// Bytes that a channel which has nothing to keep may have allocated.
pub const CHANNEL_SPARE: usize = 4 * 1024;

/// A channel with no more than this to send goes before those in bulk: a game message, or the end of one.
pub const TURN_SMALL: usize = 1200;

/// Turns of small channels in a row after which one in bulk has its turn, so that many chatty games do
/// not stop a download altogether.
pub const TURN_SMALL_RUN: u32 = 32;

/// How often a joiner with channels asks whether the host is there.
pub const LINK_PING: Duration = Duration::from_secs(1);

/// The same without channels: often enough for the firewalls between them, which forget after 30 s.
pub const LINK_PING_IDLE: Duration = Duration::from_secs(15);

/// Silence after which a link is suspect, and the joiner looks for another way.
pub const LINK_SUSPECT: Duration = Duration::from_secs(3);

/// Silence after which a link ends. Games give up after 30 s (Minecraft), and then it is better to know
/// why.
pub const LINK_HOLD: Duration = Duration::from_secs(25);

/// Bytes that may come on all links of a host ahead of what the games take, and as many that it keeps
/// until they are acknowledged. Each link has an equal share, and no more than [`LINK_WINDOW_MAX`]: so up to
/// 16 players notice nothing of it.
pub const HOST_WINDOW_MAX: usize = 256 * 1024 * 1024;

/// Links of a host at a time; further ones are refused.
pub const LINKS_MAX: usize = 256;

/// Links of one identity at a time: several computers should not share one, but may.
pub const LINKS_PER_IDENTITY: usize = 8;

// Output ---------------------------------------------------------------------------------------

/// Flows of one relay that its log tells of, two lines each: per second, and at once. A full server
/// that restarts is told of whole; whoever forges addresses, [`FLOW_RATE`] a second, writes about 15 MB
/// a day. The others are counted.
pub const FLOW_LINES: Rate = Rate {
    per_second: 1,
    burst: 200,
};

/// Lines that wait for a slow terminal, file or pipe; more are dropped and counted. Enough for
/// thousands of sessions that end in the same moment.
pub const OUTPUT_QUEUE: usize = 8192;

/// How long the end of the program waits for a terminal or pipe that does not take its lines.
pub const OUTPUT_FLUSH: Duration = Duration::from_secs(1);

/// Bytes of lines that are put together for one write to a terminal that has a live view below them:
/// the view is taken away and drawn again once for all of them. The next lines wait for the next write.
pub const OUTPUT_BATCH: usize = 32 * 1024;

/// How often the live view is drawn, if anything in it has changed: as often as a person reads.
pub const VIEW_INTERVAL: Duration = Duration::from_secs(1);

/// The most columns of the live view. On a wider terminal numbers would stand too far from their names.
pub const VIEW_WIDTH_MAX: u16 = 100;

// Asking ---------------------------------------------------------------------------------------

/// Bytes of a line that is typed or pasted as an answer; what is beyond is dropped. Terminals take no
/// longer ones by themselves.
pub const ASK_LINE_BYTES: usize = 4096;

/// Lines of a paste that are looked through; of more, the last ones.
pub const ASK_PASTE_LINES: usize = 64;

/// How soon a line has to follow another to be of the same paste. Nobody types so fast, and nobody
/// notices that an answer comes so much later. By then Windows has told as well that it was Ctrl-C that
/// ended a read.
pub const ASK_PASTE_PAUSE: Duration = Duration::from_millis(100);

// A running instance ------------------------------------------------------------------------------

/// Sessions, and as many flows, of one relay that `status` lists one by one: the system is asked about
/// each, on the thread that carries players' bytes (two calls, a microsecond). The others are in the
/// sums.
pub const STATUS_LIVE_MAX: usize = 500;

/// The longest pause between two looks: a `status` waits no longer for its turn.
pub const STATUS_PAUSE_MAX: Duration = Duration::from_millis(200);

/// Rates are told over at least this long: less would show single packets.
pub const STATUS_RATE_MIN: Duration = Duration::from_millis(500);

/// And from a look no older than this, which would show the past.
pub const STATUS_RATE_MAX: Duration = Duration::from_secs(5);

/// How often `via6 run` looks whether its file has changed. A change counts at the second look that sees
/// it.
pub const FILE_LOOK: Duration = Duration::from_millis(500);

/// How often a file is read anew that is written meanwhile; then it is taken as it is, for who never stops
/// writing.
pub const FILE_READS: u32 = 10;

/// How long what still lives of a relay may go on when it has been taken out of the file.
pub const RETIRE_TIMEOUT: Duration = Duration::from_secs(3600);

// State and control ----------------------------------------------------------------------------

/// Bytes of the file that via6 remembers in. A larger one is not ours; it is set aside.
pub const STATE_BYTES_MAX: u64 = 1024 * 1024;

/// Hosts joined before that are remembered; the one joined longest ago is forgotten.
pub const STATE_JOINED_MAX: usize = 16;

/// Damaged files that are kept, for a person to look at; the oldest is removed.
pub const STATE_DAMAGED_MAX: usize = 3;

/// Bytes of one line that is sent to a running via6; longer ones are refused. A relay with a
/// thousand trusted networks fits.
pub const CONTROL_REQUEST_BYTES: usize = 64 * 1024;

/// Bytes of one line that a running via6 answers. A status that is longer lists fewer sessions and
/// flows: there is room for ten thousand.
pub const CONTROL_REPLY_BYTES: usize = 4 * 1024 * 1024;

/// Conversations with a running via6 at a time; one more is refused.
pub const CONTROL_CONNECTIONS_MAX: usize = 16;

/// Of those, the ones whose work is carried for them, for hours. The rest is for `status` and `stop`.
pub const CONTROL_ATTACHED_MAX: usize = 12;

/// Descriptors that are set aside for those conversations, the ones that are refused, and the files of the
/// state folder, where there are many. Where there are few they are for players, and `via6 status` may
/// find no room.
pub const CONTROL_DESCRIPTORS: u32 = 40;

/// How long a request may take to arrive. It is sent at once; a person who types one is not meant.
pub const CONTROL_REQUEST_TIME: Duration = Duration::from_secs(5);

/// How long one reply may take to be read; then the one who asked is given up.
pub const CONTROL_REPLY_TIME: Duration = Duration::from_secs(5);

/// Lines that wait for one whose work is carried; more are dropped, counted, and told.
pub const CONTROL_QUEUE: usize = 1024;

/// How long the one who asks waits for an answer: a person waits, and the answer is at hand.
pub const CONTROL_PATIENCE: Duration = Duration::from_secs(3);

/// The same for work that is handed over: listeners are made first, and a slow disk remembers it.
pub const CONTROL_CARRY_PATIENCE: Duration = Duration::from_secs(10);

/// How long to look for a via6 that has the lock and does not answer. Longer than one may take to end: the
/// last lines of those whose work it carried, and its own.
pub const CONTROL_CLAIM_PATIENCE: Duration = Duration::from_secs(8);

/// Pause between two looks for a via6 that has the lock but does not answer yet: it is starting, or
/// about to be gone.
pub const CONTROL_RETRY: Duration = Duration::from_millis(50);

/// How much longer than [`DRAIN_TIMEOUT`] `via6 stop` waits for the end.
pub const STOP_MARGIN: Duration = Duration::from_secs(5);

// Files ----------------------------------------------------------------------------------------

/// Bytes of a configuration file; one of [`CONFIG_ENTRIES_MAX`] entries has some fifty thousand. A
/// larger one is refused unread: it is probably not the file that was meant.
pub const CONFIG_BYTES_MAX: usize = 256 * 1024;

/// Entries of a configuration file. Each has its listeners, and is a line of `status`; more are
/// a problem of the file.
pub const CONFIG_ENTRIES_MAX: usize = 256;

/// Problems of a file that are listed; the others are counted. Whoever has so many wants to see the
/// first.
pub const CONFIG_PROBLEMS_MAX: usize = 50;

/// Lines that are not TOML after which a file is given up: each costs another reading of all of it.
pub const CONFIG_BROKEN_MAX: usize = 20;

/// Characters of a line that are shown with a problem: a terminal is hardly wider.
pub const CONFIG_LINE_SHOWN: usize = 100;

// Metrics ----------------------------------------------------------------------------------------

/// Bytes of the head of a request for metrics; a longer one is answered with 431. Prometheus sends 300,
/// a browser with cookies of everything else on localhost some thousand.
pub const METRICS_HEAD_MAX: usize = 8 * 1024;

/// Header fields of a request for metrics; more are answered with 431.
pub const METRICS_HEADERS_MAX: usize = 64;

/// How long the head of a request may take to arrive; then the answer is 408.
pub const METRICS_HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How long making an answer, and its reader, may take; then the connection is closed. Prometheus itself
/// waits ten seconds.
pub const METRICS_REPLY_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections to the metrics at a time, for which descriptors are set aside. Beyond it the oldest is
/// closed.
pub const METRICS_CONNECTIONS_MAX: usize = 16;

/// Bytes behind a request that are read and forgotten, so that the answer is not lost by a reset.
pub const METRICS_LEFTOVER_MAX: u64 = 64 * 1024;

/// How old the metrics may be that somebody is given. Bounds how often the thread that carries players'
/// bytes is asked, whoever asks how often.
pub const METRICS_FRESH: Duration = Duration::from_millis(100);

/// A steady rate with an allowance for bursts (a token bucket).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rate {
    /// Tokens that come back each second.
    pub per_second: u32,
    /// Tokens there are at most.
    pub burst: u32,
}
