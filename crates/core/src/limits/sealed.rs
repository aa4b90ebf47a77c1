//! Bounds of sealed links.

use std::time::Duration;

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

/// Sessions whose end may wait for [`STANDING_DELAY`] to be told of; with one more, all are told at once. So
/// those that come and go quickly share packets, and few keep a place among [`LINK_CHANNELS_MAX`] for it.
pub const ENDS_TOGETHER: usize = 32;

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

/// Invites that a host remembers: one for each friend, and those that were taken back. At the bound the one
/// revoked longest ago is forgotten; without any, an expired one that nobody came by; without any, no more is
/// made.
pub const INVITES_MAX: usize = 256;

/// Players that a host remembers. At the bound one is forgotten for whom that changes nothing, the one seen
/// longest ago; without any, somebody new is refused (`full`).
pub const PLAYERS_MAX: usize = 1024;

/// How long the handshake of a transport may take, on either side.
pub const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// How long a joiner may take from the handshake to ATTACH, and a host to answer.
pub const ADMIT_TIME: Duration = Duration::from_secs(5);

/// Transports of a host that are not attached yet; with one more, the oldest is closed. Each may keep one
/// frame and what a handshake needs, some 30 KiB.
pub const UNATTACHED_MAX: usize = 256;

/// The same of one /64, which is one home.
pub const UNATTACHED_PER_PREFIX: usize = 16;

/// With so many transports not attached, a QUIC client must show that it receives at its address before
/// anything is kept of it (Retry, RFC 9000 §8.1.2).
pub const UNATTACHED_TRUSTED: usize = 32;

/// A joiner begins with TLS so long after QUIC: where UDP works, QUIC has won by then.
pub const TLS_AFTER: Duration = Duration::from_millis(500);

/// How long QUIC may still win once TLS has.
pub const QUIC_GRACE: Duration = Duration::from_millis(300);

/// Addresses that a joiner tries: of the invite, of its name, and those that the host has told.
pub const LINK_TARGETS_MAX: usize = 16;

/// Between two attempts to reach a host that is not there, at first and at most.
pub const LINK_RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// How often a joiner looks whether its own address has changed, with a link that has channels or
/// without: one question to the routing table.
pub const ADDRESS_LOOK: Duration = Duration::from_secs(1);

/// How often a host looks whether its own addresses have changed: the system lists them in some
/// milliseconds. Friends who are in hear of it before what they use is gone.
pub const HOST_ADDRESS_LOOK: Duration = Duration::from_secs(2);

/// How often a host notes who is here: of those it remembers, the ones who play are not forgotten.
pub const PLAYERS_NOTED: Duration = Duration::from_secs(60);

/// How long the last words on a transport may take to get out.
pub const LAST_WORDS: Duration = Duration::from_millis(500);

/// Bytes of unsent TLS records in the system's queue: more would be a queue that a game message waits in
/// behind a download (`TCP_NOTSENT_LOWAT`, tcp(7)).
pub const TLS_UNSENT: u32 = 16 * 1024;

/// QUIC streams at a time: each channel's, and the control stream.
pub const QUIC_STREAMS: u32 = 257;

/// What may come on one QUIC stream ahead of us: a channel's window and its frames' overhead, so that
/// the channel's own limit is the one that binds.
pub const QUIC_STREAM_WINDOW: u32 = 1024 * 1024 + 64 * 1024;

/// The same of a whole QUIC connection.
pub const QUIC_WINDOW: u32 = 17 * 1024 * 1024;

/// Bytes that QUIC keeps until they are acknowledged. More than channels may have unacknowledged, so it
/// is not what they wait for.
pub const QUIC_KEPT: u64 = 32 * 1024 * 1024;

/// A QUIC connection without a sign of life ends after this; liveness is decided before, by PING.
pub const QUIC_IDLE: Duration = Duration::from_secs(60);

/// Bytes of frames that go to a transport in one piece: one TLS record, and a turn of one channel.
pub const TURN_ROOM: usize = 16 * 1024;

/// The least of it over TLS, on a line so slow that more would keep a game message waiting for longer than
/// [`TURN_SLOW`].
pub const TURN_ROOM_MIN: usize = 2 * 1024;

/// A piece that takes as long to go out is slow.
pub const TURN_SLOW: Duration = Duration::from_millis(5);

/// So many slow pieces in a row, and the next is half as long.
pub const TURNS_SLOW: u32 = 4;

/// How often a host looks for links whose hold time is over.
pub const HOLD_LOOK: Duration = Duration::from_millis(500);
