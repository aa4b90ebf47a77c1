//! Sealed links of via6: one encrypted, authenticated link for each player, which outlives whatever carries
//! it. QUIC, and TLS over TCP where UDP does not get through. `docs/reference/protocol.md` is the law.
//!
//! ```text
//!   game client ──▶ relay ──Arrival──▶ Joiner ═══ link ═══▶ Host ──▶ game server
//!                  (accepts)             │  transports      │  (a relay without listeners counts it)
//!                                        └── race, resume ──┘
//! ```
//! The rules of links, channels and frames are `via6-core`'s, sockets are made by `via6-relay`. Nothing here
//! prints, keeps files or reads the environment: keys and invites come in, and what happens is told to a
//! [`LinkObserver`].

mod books;
mod cable;
mod carry;
mod event;
mod host;
#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test makes its own game")]
mod hostile_tests;
mod identity;
mod join;
mod port;
mod proof;
mod session;
mod tls;
mod transport;
pub use event::{Attempt, Failed, LinkEvent, LinkObserver};
pub use host::{Applicant, Doorkeeper, Host, HostConfig, Offer, PlayerLook};
pub use identity::{Identity, NoRandomness, PublicKey, random};
pub use join::{JoinConfig, JoinEnd, Joiner, Known, LinkLook, Shared, Transports};
pub use proof::invite_id;
pub use transport::Kind;
