//! A sealed link: what a joiner and a host share beyond the life of any one transport.
//!
//! A [`Link`] has the channels of one joiner's process and knows which transport, named by its
//! *generation*, carries them. A new transport takes over at once; both sides then say what they have of
//! each channel, and go on from there. What still comes from an older transport is ignored.
//!
//! ```text
//!              on_attach / on_attached                silence 3 s
//!   detached ──────────────────────────▶ live ─────────────────────▶ suspect ──┐
//!      ▲  │                              │  ▲       anything heard      │      │
//!      │  │            on_cut            │  └───────────────────────────┘      │
//!      └──┼──────────────────────────────┘                                     │
//!         └─────── hold time since the last frame, CLOSE, end() ───────────────┴──▶ ended
//! ```
//!
//! The shell makes transports, proves identities and reads CLOSE to people; it hands over frames and asks
//! what to send. All of it is bounded: see [`LinkLimits`].

mod attach;
mod hear;
mod registry;
mod send;
mod state;
mod watch;

use std::time::Duration;

use crate::channel::{ChannelLimits, Violation};
use crate::frame::{Addrs, ChannelId, Closed, Piece, Refusal, Service, ServiceId};
use crate::limits;

pub use registry::{Links, TookOver};
pub use state::Link;

/// Which end of a link this is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Role {
    /// Opens channels, makes transports.
    Joiner,
    /// Dials the game.
    Host,
}

/// The bounds and times of a link; by default those of [`limits`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct LinkLimits {
    /// Of each channel.
    pub channel: ChannelLimits,
    /// Channels at a time.
    pub channels_max: usize,
    /// Bytes that all channels keep until they are acknowledged.
    pub kept_max: usize,
    /// Bytes that may come on all channels ahead of what the games take.
    pub window_max: usize,
    /// Silence that makes it suspect.
    pub suspect: Duration,
    /// Silence that ends it.
    pub hold: Duration,
    /// Between pings, with channels.
    pub ping: Duration,
    /// Between pings, without.
    pub ping_idle: Duration,
}

impl Default for LinkLimits {
    fn default() -> Self {
        Self {
            channel: ChannelLimits::default(),
            channels_max: limits::LINK_CHANNELS_MAX,
            kept_max: limits::LINK_KEPT_MAX,
            window_max: limits::LINK_WINDOW_MAX,
            suspect: limits::LINK_SUSPECT,
            hold: limits::LINK_HOLD,
            ping: limits::LINK_PING,
            ping_idle: limits::LINK_PING_IDLE,
        }
    }
}

/// What a frame brought that the shell has to act on. What it brought to channels is found with
/// [`Link::next_touched`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use]
pub enum Heard<'a> {
    /// Nothing more to do.
    Nothing,
    /// It came from a transport that was superseded, or the link has ended.
    Stale,
    /// The joiner has a new session: dial, or [`refuse`](Link::refuse) before anything is sent.
    Opened {
        /// The channel.
        channel: ChannelId,
        /// The game.
        service: ServiceId,
    },
    /// The games that the host has now.
    Services(Vec<Service<'a>>),
    /// Where the host is; its signature is yet to be checked.
    Addrs(Addrs<'a>),
    /// Of a UDP flow.
    Flow(Piece<'a>),
    /// The other side ended the link, or with [`Closed::Superseded`] this transport of it.
    Closed {
        /// Why.
        code: Closed,
        /// For people.
        message: &'a str,
    },
}

/// How the other side broke the protocol. The link is to be closed with [`Closed::Protocol`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LinkError {
    /// On a channel.
    #[error("channel {channel}: {violation}")]
    Channel {
        /// Which.
        channel: ChannelId,
        /// What.
        violation: Violation,
    },
    /// A frame that this side never gets, or not at this time.
    #[error("a frame came that has no meaning here")]
    Unexpected,
    /// More is refused at a time than anybody opens.
    #[error("channels are opened faster than they are refused")]
    Flood,
}

/// Why an ATTACH failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AttachError {
    /// The transport is told so and closed; the link goes on.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// The link is to be closed.
    #[error("{0}")]
    Broken(#[from] LinkError),
}

/// The stream that bytes are for. Over TLS there is but one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Carrier {
    /// The control stream.
    Control,
    /// That of a channel.
    Channel(ChannelId),
}
