//! Sessions per second: connect, one byte there and back, both ends closed.
//!
//! The server closes first, so that the states that TCP keeps afterwards (TIME-WAIT) rest with
//! listening ports, which can be connected to again at once; the ephemeral ports do not run out.

use std::io::Read as _;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::{Measured, Stage, Workload};
use crate::client::{connect, one_byte};
use crate::figures::{Metric, Times};
use crate::server::request;

/// Sessions of one thread after which it stops early: bounds its memory.
const SESSIONS_MAX: usize = 1_000_000;

pub(super) struct ConnectRate {
    pub(super) at_once: usize,
    pub(super) duration: Duration,
}

impl Workload for ConnectRate {
    fn name(&self) -> String {
        "connrate".to_owned()
    }

    fn describe(&self) -> String {
        let (at_once, seconds) = (self.at_once, self.duration.as_secs_f32());
        format!("connect, one byte there and back, close; {at_once} at a time for {seconds} s")
    }

    fn server_threads(&self) -> usize {
        // One more than are under way: the last one's end may still be on its way to the server.
        self.at_once + 1
    }

    fn metrics(&self) -> &'static [Metric] {
        const METRICS: &[Metric] = &[
            Metric::higher("per_second", "connections/s", 0)
                .against_direct()
                .against_peer(),
            Metric::lower("p50_us", "p50 µs", 0),
            Metric::lower("p99_us", "p99 µs", 0)
                .against_direct()
                .against_peer(),
            Metric::lower("relay_us", "relay CPU µs each", 0).against_peer(),
        ];
        METRICS
    }

    fn run(&self, stage: &mut Stage<'_>) -> anyhow::Result<Measured> {
        let entrance = stage.running.entrance();
        let meter = stage.meter();
        let end = (Instant::now() + self.duration).min(stage.deadline);
        let mut times = Times::default();
        thread::scope(|scope| {
            let running: Vec<_> = (0..self.at_once)
                .map(|_| scope.spawn(move || sessions(entrance, end)))
                .collect();
            for thread in running {
                let done = thread
                    .join()
                    .map_err(|_| anyhow::anyhow!("a client panicked"))?;
                times.extend(done?);
            }
            anyhow::Ok(())
        })?;
        let usage = meter.stop();
        let count = times.len() as f64;
        ensure!(count > 0.0, "no connection in time");
        Ok(Measured::new(
            &usage,
            [
                ("per_second", count / usage.seconds),
                ("p50_us", times.quantile_us(500).unwrap_or_default()),
                ("p99_us", times.quantile_us(990).unwrap_or_default()),
                ("relay_us", usage.relay_ns as f64 / 1e3 / count),
                ("connections", count),
            ],
        ))
    }
}

fn sessions(entrance: SocketAddr, end: Instant) -> anyhow::Result<Times> {
    let mut times = Times::default();
    while times.len() < SESSIONS_MAX {
        let started = Instant::now();
        if started >= end {
            break;
        }
        let stream = connect(entrance)?;
        one_byte(&stream, request::ONCE).with_context(|| format!("in session {}", times.len()))?;
        let after = (&stream).read(&mut [0]).context("cannot receive the end")?;
        ensure!(after == 0, "a byte came after the last one");
        drop(stream);
        times.push(started.elapsed());
    }
    Ok(times)
}
