//! `--metrics` of the real program: what players do is what a scraper reads, number by number, and a
//! real Prometheus takes it.
//!
//! The endpoint's bounds and the exact page are tested inside of via6; that each flag has an effect, in
//! `flags/metrics.rs`.

#![cfg(target_os = "linux")]
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stands outside of via6: it is the game, the player and the clock, and may panic"
)]

mod support;

#[path = "metrics/counted.rs"]
mod counted;
#[path = "metrics/prometheus.rs"]
mod prometheus;
#[path = "metrics/serving.rs"]
mod serving;
