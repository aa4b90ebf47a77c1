//! Talking to a running via6: `via6 status`, `via6 stop`, and a second `host` or `join` that hands
//! its work to the first. Lines of JSON over a socket in the state folder, or a pipe on Windows;
//! `docs/reference/control.md` is the specification.
//!
//! ```text
//! who asks                                   who runs, and holds the lock
//! claim ─▶ Connection ─── request line ──▶ Server ─▶ Handler::{status, stop, carry}
//!             │                               │
//!             ◀───────── reply lines ─────────┘
//!          Carried  ◀── what is told ─── Client ─▶ Attached, Sink   (work that was handed over)
//!             └─── drain, now, or gone ───▶ Attached::next
//! ```
//!
//! What the running via6 does about a request is its [`Handler`]'s: nothing here knows of relays.
//! Nobody who asks can hold it up: each line, wait and queue is bounded, in `via6_core::limits`.

mod claim;
mod client;
mod connection;
mod lines;
mod place;
mod server;
mod wire;

pub(crate) use claim::{Claim, claim};
pub(crate) use client::{Asked, Attached, Client, Sink};
pub(crate) use connection::{Connection, Told, Unreachable, connect};
pub(crate) use server::{Handler, serve};
pub(crate) use wire::{Carry, Refusal, Stop, Stopping, Stream};

#[cfg(test)]
mod tests;
