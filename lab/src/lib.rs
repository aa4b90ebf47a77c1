//! The lab: plays game client and game server against the real `via6` program and checks every
//! byte, every ending and every `--json` event.
//!
//! A *row* is one thing that can happen to a session or flow ([`rows`]), a *chain* is what stands
//! between game client and game server ([`chain`]). The matrix of both runs as tests (a few
//! repetitions) and as the soak command `via6-lab matrix` (hundreds). Plain blocking sockets and
//! threads, and none of via6's own socket code: an error there must not hide itself here. Linux
//! only, because the lab reads `/proc` and makes network namespaces.
//!
//! The matrix is about one machine. [`wan`] is about links between two homes: firewalls, loss, cuts,
//! addresses that change.

#![cfg(target_os = "linux")]
#![allow(
    clippy::disallowed_methods,
    reason = "the bans keep via6 itself honest; the lab stands outside and is the other program"
)]
#![allow(
    clippy::indexing_slicing,
    reason = "a lab may panic: that fails the row it happens in"
)]

pub mod chain;
pub mod events;
pub mod failure;
pub mod matrix;
pub mod pattern;
pub mod peer;
pub mod process;
pub mod rows;
pub mod scene;
pub mod system;
pub mod wan;
pub mod wire;
