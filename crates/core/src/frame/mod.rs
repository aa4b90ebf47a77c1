//! The frames of a sealed link, as values and as bytes. `docs/reference/protocol.md` is the law.
//!
//! ```text
//! bytes of a stream ── Decoder ─▶ Frame ── link, channel ─▶ Frame ── write ─▶ bytes
//! ```
//!
//! Reading checks what a frame is by itself: its length, its ranges, its text. What it means at this
//! moment is for `link` and `channel`. Payloads and messages are borrowed from where they were received;
//! what is allocated is bounded by the body that came.

mod code;
mod decoder;
mod error;
mod fields;
mod lists;
mod read;
mod write;

use std::fmt;

pub use code::{Closed, Refusal, Reset};
pub use decoder::Decoder;
pub use error::{Fault, FrameError};
pub use fields::fitting;
pub use lists::{Addrs, Service};
pub use write::write_data;
pub(crate) use write::{DATA_MAX, DATA_OVERHEAD};

/// The version of the protocol that is spoken here, and the only one.
pub const VERSION: u8 = 1;

/// Bytes before the body: type and length.
pub const HEADER: usize = 3;

/// Frames of this type and above are skipped by who does not know them.
const SKIPPABLE: u8 = 0x80;

/// The numbers of the frames.
mod kind {
    pub(super) const ADMIT: u8 = 0x01;
    pub(super) const ADMITTED: u8 = 0x02;
    pub(super) const REFUSED: u8 = 0x03;
    pub(super) const ATTACH: u8 = 0x04;
    pub(super) const ATTACHED: u8 = 0x05;
    pub(super) const PING: u8 = 0x06;
    pub(super) const PONG: u8 = 0x07;
    pub(super) const CLOSE: u8 = 0x08;
    pub(super) const OPEN: u8 = 0x10;
    pub(super) const DATA: u8 = 0x11;
    pub(super) const ACK: u8 = 0x12;
    pub(super) const FIN: u8 = 0x13;
    pub(super) const RST: u8 = 0x14;
    pub(super) const SERVICES: u8 = 0x20;
    pub(super) const ADDRS: u8 = 0x21;
    pub(super) const FLOW: u8 = 0x30;
    pub(super) const LANE: u8 = 0x31;
}

/// Names a link: drawn by the joiner, bound to its key by the host.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct LinkId(pub [u8; 16]);

/// Names a channel of a link. Chosen by the joiner, never used again.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ChannelId(pub u32);

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names a game that a host shares.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ServiceId(pub u16);

/// What both sides can do beyond the version.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Features(pub u32);

impl Features {
    /// Copies of small writes in datagrams.
    pub const LANE: Self = Self(1);
    /// UDP flows.
    pub const FLOWS: Self = Self(2);

    /// What both have.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Are all of `other` in it?
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// A joiner's request to be let in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Admit<'a> {
    /// The lowest version it speaks.
    pub version_min: u8,
    /// The highest.
    pub version_max: u8,
    /// What it can do.
    pub features: Features,
    /// Which invite it has; zeros without one.
    pub invite: [u8; 8],
    /// That it has its secret; zeros without one.
    pub proof: [u8; 32],
    /// What the player calls itself.
    pub name: &'a str,
}

/// The answer to [`Admit`] if it is yes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Admitted<'a> {
    /// The version that is spoken from here on.
    pub version: u8,
    /// What both can do.
    pub features: Features,
    /// Hold time in milliseconds.
    pub hold_ms: u32,
    /// What the host calls the player.
    pub name: &'a str,
}

/// What one side has of a channel. None of it ever goes back.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "the flags of the wire, each with its meaning"
)]
pub struct Standing {
    /// The channel.
    pub channel: ChannelId,
    /// Every byte below this offset has come.
    pub received: u64,
    /// Bytes at this offset and above must not be sent yet.
    pub limit: u64,
    /// FIN has come, with all before it.
    pub fin: bool,
    /// RST has come, with all before it.
    pub reset: bool,
    /// Nothing is left to do here: who is done as well may forget the channel.
    pub done: bool,
    /// The game here is gone: what was for it need not be sent.
    pub deaf: bool,
}

/// A piece of a datagram of a UDP flow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Piece<'a> {
    /// The flow, chosen by the joiner.
    pub flow: u32,
    /// The game.
    pub service: ServiceId,
    /// Which datagram; counts up for each flow and direction.
    pub datagram: u16,
    /// Which piece of it, from 0.
    pub index: u8,
    /// Of how many; at least 1.
    pub count: u8,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// One thing in a datagram of the fast lane.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LaneItem<'a> {
    /// Bytes that the channel's stream carries as well.
    Copy {
        /// The channel.
        channel: ChannelId,
        /// Of the first byte.
        offset: u64,
        /// 1 to [`LANE_COPY_MAX`](crate::limits::LANE_COPY_MAX) bytes.
        bytes: &'a [u8],
    },
    /// As in [`Frame::Ack`].
    Ack(Standing),
}

/// One frame.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Frame<'a> {
    /// Joiner: let me in.
    Admit(Admit<'a>),
    /// Host: yes.
    Admitted(Admitted<'a>),
    /// Host: no. The last frame.
    Refused {
        /// Why.
        code: Refusal,
        /// For people.
        message: &'a str,
    },
    /// Joiner: this transport is for that link.
    Attach {
        /// The link.
        link: LinkId,
        /// Of the transport; rises.
        generation: u64,
        /// No channel of the joiner had this number or a higher one when it said so.
        next: ChannelId,
        /// Of each channel that the joiner has.
        standings: Vec<Standing>,
    },
    /// Host: it is.
    Attached {
        /// As asked.
        generation: u64,
        /// The generation with which the host began to know the link.
        since: u64,
        /// Of each channel that the host has.
        standings: Vec<Standing>,
    },
    /// Are you there?
    Ping(u64),
    /// Yes.
    Pong(u64),
    /// The link, or this transport of it, is over.
    Close {
        /// Why.
        code: Closed,
        /// For people.
        message: &'a str,
    },
    /// Joiner: dial for a new channel.
    Open {
        /// The channel.
        channel: ChannelId,
        /// The game.
        service: ServiceId,
    },
    /// Bytes of a channel.
    Data {
        /// The channel.
        channel: ChannelId,
        /// Of the first byte.
        offset: u64,
        /// At least one.
        bytes: &'a [u8],
    },
    /// What has come, and how far the other may go.
    Ack(Standing),
    /// The direction ends.
    Fin {
        /// The channel.
        channel: ChannelId,
        /// How many bytes it has had.
        offset: u64,
    },
    /// The session broke.
    Rst {
        /// The channel.
        channel: ChannelId,
        /// How many bytes are to be delivered first.
        offset: u64,
        /// Why.
        code: Reset,
    },
    /// Host: the games there are.
    Services(Vec<Service<'a>>),
    /// Host: where I am.
    Addrs(Addrs<'a>),
    /// A piece of a datagram.
    Flow(Piece<'a>),
    /// Copies and acknowledgements; in datagrams only.
    Lane(Vec<LaneItem<'a>>),
}
