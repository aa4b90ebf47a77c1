//! Bounds of the program around the relays: what it prints, asks, remembers, answers and reads.

use std::time::Duration;

use super::Rate;

// Output ---------------------------------------------------------------------------------------

/// Flows of one relay that its log tells of, two lines each: per second, and at once. A full server
/// that restarts is told of whole; whoever forges addresses, [`FLOW_RATE`](super::FLOW_RATE) a second, writes about 15 MB
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

/// Pause between two writes of the players and invites, where nobody waits for it: a player who comes and
/// goes all the time keeps no disk busy. A process that is killed has forgotten what changed in it.
pub const ROSTER_PAUSE: Duration = Duration::from_secs(1);

/// How long a change of the players and invites may take to be on the disk, a memory card that is busy
/// otherwise; then whoever made it is told that it is not. The same for the end of a process. Less than
/// [`CONTROL_CARRY_PATIENCE`], which whoever asked waits.
pub const ROSTER_PATIENCE: Duration = Duration::from_secs(8);

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

/// The same for work that is handed over, where listeners are made first, and for what is to be on a disk,
/// which may be slow.
pub const CONTROL_CARRY_PATIENCE: Duration = Duration::from_secs(10);

/// How long to look for a via6 that has the lock and does not answer. Longer than one may take to end: the
/// last lines of those whose work it carried, and its own.
pub const CONTROL_CLAIM_PATIENCE: Duration = Duration::from_secs(8);

/// Pause between two looks for a via6 that has the lock but does not answer yet: it is starting, or
/// about to be gone.
pub const CONTROL_RETRY: Duration = Duration::from_millis(50);

/// How much longer than [`DRAIN_TIMEOUT`](super::DRAIN_TIMEOUT) `via6 stop` waits for the end.
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
