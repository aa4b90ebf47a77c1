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
