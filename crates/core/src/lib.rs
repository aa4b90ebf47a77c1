//! The sans-I/O heart of via6: what people write for an address, every bound, every reason for an
//! end or a drop, the UDP flow table, and sealed links.
//!
//! Nothing here opens a socket, reads a clock, draws a random number or prints: time and datagram
//! sizes come in as arguments, decisions go out as values. The shell that performs them is
//! `via6-relay`.

#![forbid(unsafe_code)]

pub mod addr;
pub mod admission;
pub mod channel;
pub mod counts;
pub mod flow;
pub mod frame;
pub mod histogram;
pub mod invite;
mod ledger;
pub mod limits;
pub mod link;
pub mod liveness;
pub mod prefix;
pub mod rate;
pub mod reason;
pub mod roster;
pub mod throttle;
