//! Memory of sessions that do nothing, which is what most sessions do most of the time.
//!
//! The relays' share of memory (PSS, what they have started included) with the sessions open, less
//! what it was before. What the kernel keeps for sockets is not in it: every relay with two sockets
//! a session pays that alike; the descriptors are shown instead. The system may reclaim pages in
//! between, so that noise goes both ways: medians are compared, not best rounds.

use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::{Measured, Stage, Workload};
use crate::client::{connect, one_byte};
use crate::figures::Metric;
use crate::process::Tree;
use crate::server::request;

/// Sessions opened and closed before the base is read, so that what a relay sets up once counts
/// as base.
const FIRST_SESSIONS: usize = 4;

/// Memory is taken as settled when two readings this far apart agree.
const SETTLE_STEP: Duration = Duration::from_millis(100);

/// Readings after which it is taken as it is.
const SETTLE_READINGS: u32 = 30;

pub(super) struct Idle {
    pub(super) sessions: u32,
}

impl Workload for Idle {
    fn name(&self) -> String {
        "idle".to_owned()
    }

    fn describe(&self) -> String {
        format!("{} idle TCP sessions, all hops together", self.sessions)
    }

    fn metrics(&self) -> &'static [Metric] {
        const METRICS: &[Metric] = &[
            Metric::lower("kib_per_session", "KiB (PSS) per session", 2)
                .by_median()
                .against_peer(),
            Metric::lower("base_mib", "base MiB", 1).by_median(),
            Metric::lower("descriptors", "descriptors per session", 1),
            Metric::lower("processes", "processes", 0),
        ];
        METRICS
    }

    fn run(&self, stage: &mut Stage<'_>) -> anyhow::Result<Measured> {
        let entrance = stage.running.entrance();
        let meter = stage.meter();
        for _ in 0..FIRST_SESSIONS {
            one_byte(&connect(entrance)?, request::ONCE)?;
        }
        let roots = stage.running.roots();
        let (base, base_kib) = settled(|| Tree::below(&roots));
        let base_descriptors = base.descriptors();
        let mut open: Vec<TcpStream> = Vec::new();
        for number in 0..self.sessions {
            ensure!(
                Instant::now() < stage.deadline,
                "only {number} sessions in time"
            );
            let held = connect(entrance).and_then(|stream| {
                one_byte(&stream, request::HOLD)?;
                Ok(stream)
            });
            open.push(held.with_context(|| format!("in session {number}"))?);
        }
        let (tree, kib) = settled(|| Tree::below(&roots));
        let descriptors = tree.descriptors().saturating_sub(base_descriptors);
        // A byte more on the first and the last: a session that was dropped is not a cheap one.
        let usage = meter.stop();
        for stream in [open.first(), open.last()].into_iter().flatten() {
            ensure_open(stream)?;
        }
        let sessions = f64::from(self.sessions);
        Ok(Measured::new(
            &usage,
            [
                (
                    "kib_per_session",
                    kib.saturating_sub(base_kib) as f64 / sessions,
                ),
                ("base_mib", base_kib as f64 / 1024.0),
                ("descriptors", descriptors as f64 / sessions),
                ("processes", tree.members().len() as f64),
            ],
        ))
    }
}

/// Reads the memory until it stays the same, within 8 KiB and half a percent.
fn settled(read: impl Fn() -> Tree) -> (Tree, u64) {
    settled_kib(|| {
        let tree = read();
        let kib = tree.pss_kib();
        (tree, kib)
    })
}

/// The same for any memory, with what it was read from.
pub(super) fn settled_kib<T>(read: impl Fn() -> (T, u64)) -> (T, u64) {
    let mut before = None;
    let mut readings = 0;
    loop {
        let (whose, kib) = read();
        readings += 1;
        let close = |other: u64| kib.abs_diff(other) <= (kib / 200).max(8);
        if before.is_some_and(close) || readings >= SETTLE_READINGS {
            return (whose, kib);
        }
        before = Some(kib);
        thread::sleep(SETTLE_STEP);
    }
}

/// A held session is silent: anything to read is its end.
pub(super) fn ensure_open(stream: &TcpStream) -> anyhow::Result<()> {
    stream.set_nonblocking(true)?;
    match stream.peek(&mut [0]) {
        Err(error) if crate::client::is_timeout(&error) => Ok(()),
        Err(error) => Err(error).context("an idle session has failed"),
        Ok(_) => anyhow::bail!("an idle session did not stay open"),
    }
}
