//! The engine on real sockets: whatever players and games do, every byte arrives in order, every
//! session ends once and as it ended, and everything is given back. Each test with bytes that pass
//! through pipes in bulk, always and never; on systems without `splice(2)` that is three times the
//! same.
//!
//! Players and games are blocking sockets in threads of their own: nothing of the relay's is used
//! to test it.

#![cfg_attr(
    windows,
    allow(dead_code, reason = "some of the tests are for other systems")
)]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what a test does not expect ends it"
)]
#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    unreachable_pub,
    reason = "the tests play the games' parts themselves, and are a program"
)]

#[path = "engine/conversations.rs"]
mod conversations;
#[path = "engine/names.rs"]
mod names;
#[path = "engine/play.rs"]
mod play;
#[cfg(unix)]
#[path = "engine/stopping.rs"]
mod stopping;
#[cfg(unix)]
#[path = "engine/stuck.rs"]
mod stuck;
// Other systems may hold up what follows an urgent byte until more is sent.
#[cfg(target_os = "linux")]
#[path = "engine/urgent.rs"]
mod urgent;
#[path = "engine/wire.rs"]
mod wire;
