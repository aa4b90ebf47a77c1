//! Everything people write for an address: accepted if it can mean only one thing, explained if not.
//!
//! ```text
//! what was typed ─ tidy ─> one word ─ read ─> host? len? port? ─ endpoint | listen | network ─> value
//!                    └───────────────── AddrError: the cause, and a hint to paste ──────────────┘
//! ```
//!
//! `tidy` takes off what chat programs put around an address, `read` knows how addresses are
//! written, and one parser for each place on the command line knows what belongs there. A v4-mapped
//! address becomes the IPv4 address it stands for at the first opportunity, so `::ffff:` never
//! shows. All parsers are total: no input makes them panic, and its length is bounded.
//!
//! Names are checked here, never resolved; zones are kept as written, and only the system knows
//! their numbers.

mod endpoint;
mod error;
mod excerpt;
mod fault;
mod hint;
mod host;
mod invite;
mod listen;
mod literal;
mod network;
mod pasted;
mod read;
mod repair;
mod scope;
mod tidy;

#[cfg(test)]
mod cases;

pub use endpoint::HostPort;
pub use error::{AddrError, Purpose};
pub use excerpt::Excerpt;
pub use fault::{Ipv4Fault, Ipv6Fault, NameFault};
pub use host::{DnsName, Host, Zone};
pub use listen::Listen;
pub use network::Network;
pub use scope::{Scope, scope};
pub(crate) use tidy::{OPENING, is_invisible, plain};

/// Longest text looked at, in bytes: a DNS name is at most 253, the rest is what a chat program may
/// put around it. Anything longer is refused unread.
pub const TEXT_MAX: usize = 512;
