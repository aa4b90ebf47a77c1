//! What happens to links, for log lines, `--json` and tests. What happens to sessions in them is told by
//! their relays.

use std::net::{SocketAddr, SocketAddrV6};
use std::time::Duration;

use via6_core::frame::{Closed, Refusal};

use crate::identity::PublicKey;
use crate::transport::Kind;

/// Receives events, inside the runtime: must not block.
pub trait LinkObserver: Send + Sync {
    /// Takes note of one event.
    fn observe(&self, event: &LinkEvent<'_>);
}

/// Something that happened to a link.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum LinkEvent<'a> {
    /// Host: a player is in; or (joiner) we are. Also with each new transport of the same link.
    Attached {
        /// Who the other side is.
        peer: PublicKey,
        /// What the player is called.
        player: &'a str,
        /// How it is carried now.
        kind: Kind,
        /// Where the other side is.
        remote: SocketAddr,
        /// Counts the transports of the link.
        generation: u64,
        /// How long nothing had been heard, if this is not its first transport.
        after: Option<Duration>,
    },
    /// The link has no transport that works, or none that answers; sessions wait.
    Lost {
        /// Who.
        peer: PublicKey,
        /// What the player is called.
        player: &'a str,
        /// What is known of it.
        cause: &'a str,
        /// How long sessions are kept from now on.
        hold: Duration,
    },
    /// The link is over; what sessions it had got a reset.
    Ended {
        /// Who.
        peer: PublicKey,
        /// What the player is called.
        player: &'a str,
        /// Why.
        code: Closed,
        /// By the other side, in its words; empty if it was this side, or silence.
        message: &'a str,
        /// Sessions that it cut off.
        sessions: usize,
    },
    /// Host: somebody was not let in.
    Refused {
        /// Who.
        peer: PublicKey,
        /// What it calls itself.
        player: &'a str,
        /// Where it came from.
        remote: SocketAddr,
        /// Why.
        code: Refusal,
    },
    /// Joiner: the host cannot be reached; it is tried again.
    Unreachable {
        /// Each address and what came of it.
        attempts: &'a [Attempt],
        /// Until the next try.
        again: Duration,
    },
    /// Joiner: the host does not take us for the moment; it is tried again.
    TurnedAway {
        /// Why.
        code: Refusal,
        /// In its words.
        message: &'a str,
        /// Until the next try.
        again: Duration,
    },
    /// Joiner: where the host says it is from now on.
    Moved {
        /// Its addresses.
        addresses: &'a [SocketAddrV6],
        /// Its name; may be empty.
        name: &'a str,
    },
}

/// One attempt to reach a host.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Where.
    pub address: SocketAddr,
    /// How.
    pub kind: Kind,
    /// What came of it.
    pub failure: Failed,
}

/// Why an attempt failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Failed {
    /// No answer in time.
    #[error("no answer")]
    Silent,
    /// The computer is there, and nothing listens.
    #[error("nothing listens there")]
    Refused,
    /// Somebody is there, and is not the host that the invite is of.
    #[error("another host than the one that invited you")]
    OtherHost,
    /// It speaks something else.
    #[error("no via6 host of this version")]
    Foreign,
    /// The system said so.
    #[error("{0}")]
    System(String),
}
