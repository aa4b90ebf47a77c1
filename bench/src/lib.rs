//! Measures chains of relays side by side: the same load through each, in interleaved rounds, with
//! the relays' CPU time and memory read from `/proc`.
//!
//! Both ends of the load are here, the relays are other programs: a chain is a line of text
//! (`chains/builtin.chains`), so that any relay can be added without code. It does not judge: there
//! is no threshold and no failing on slowness, only on bytes that did not arrive as they were sent.
//! The exception is instruction counts, which repeat: they can be compared with recorded ones.
#![cfg(target_os = "linux")]
#![allow(
    clippy::disallowed_methods,
    reason = "a load generator is its own stopwatch and both of its own ends; no relay lives here"
)]
#![allow(
    clippy::cast_precision_loss,
    reason = "results are read by people: 53 bits of nanoseconds are more than they can tell apart"
)]

mod affinity;
mod args;
mod chain;
mod client;
mod figures;
mod instructions;
mod machine;
mod meter;
mod output;
mod pattern;
mod process;
mod report;
mod rounds;
mod server;
mod workload;

pub use args::Args;
pub use rounds::{Verdict, run};
