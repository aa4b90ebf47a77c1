//! Throughput, and what a byte costs: the only figure of bulk that repeats on a shared machine.

use std::net::TcpStream;
use std::thread;

use anyhow::Context as _;

use super::{Measured, Stage, Workload};
use crate::args::BulkShape;
use crate::client::{ask, check_every_byte, confirm, connect_through};
use crate::figures::Metric;
use crate::pattern::{self, Check, Until};
use crate::server::request;

pub(super) struct Bulk {
    pub(super) shape: BulkShape,
    /// Bytes in each direction, over all sessions.
    pub(super) bytes: u64,
}

impl Workload for Bulk {
    fn name(&self) -> String {
        format!("bulk-{}-{}", self.shape.direction(), self.shape.sessions)
    }

    fn describe(&self) -> String {
        let way = match (self.shape.up, self.shape.down) {
            (true, true) => "each way at once",
            (true, false) => "from client to server",
            _ => "from server to client",
        };
        let sessions = self.shape.sessions;
        let plural = if sessions == 1 { "" } else { "s" };
        format!(
            "{} MiB {way}, over {sessions} TCP session{plural}",
            self.bytes >> 20
        )
    }

    fn server_threads(&self) -> usize {
        self.shape.sessions as usize
    }

    fn metrics(&self) -> &'static [Metric] {
        const METRICS: &[Metric] = &[
            Metric::lower("relay_ns_per_byte", "relay CPU ns/B", 3).against_peer(),
            Metric::lower("total_ns_per_byte", "all CPU ns/B", 3)
                .against_direct()
                .against_peer(),
            Metric::higher("gbit_per_second", "Gbit/s", 1)
                .against_direct()
                .against_peer(),
        ];
        METRICS
    }

    fn run(&self, stage: &mut Stage<'_>) -> anyhow::Result<Measured> {
        let entrance = stage.running.entrance();
        check_every_byte(entrance).context("byte check")?;
        let sessions = u64::from(self.shape.sessions);
        let each = self.bytes / sessions;
        // Connected and answered before the clock starts, closed after it has stopped: a relay
        // that forks for each session is still there to be read.
        let streams: Vec<TcpStream> = (0..sessions)
            .map(|_| connect_through(entrance))
            .collect::<anyhow::Result<_>>()?;
        let until = Until::Time(stage.deadline);
        let meter = stage.meter();
        thread::scope(|scope| {
            let running: Vec<_> = streams
                .iter()
                .map(|stream| scope.spawn(move || self.transfer(stream, each, until)))
                .collect();
            running.into_iter().try_for_each(|thread| {
                thread
                    .join()
                    .map_err(|_| anyhow::anyhow!("a client thread panicked"))?
            })
        })?;
        let usage = meter.stop();
        let directions = u64::from(self.shape.up) + u64::from(self.shape.down);
        let bytes = (each * sessions * directions) as f64;
        Ok(Measured::new(
            &usage,
            [
                ("relay_ns_per_byte", usage.relay_ns as f64 / bytes),
                ("total_ns_per_byte", usage.total_ns as f64 / bytes),
                ("gbit_per_second", bytes * 8.0 / 1e9 / usage.seconds),
            ],
        ))
    }
}

impl Bulk {
    fn transfer(&self, stream: &TcpStream, bytes: u64, until: Until) -> anyhow::Result<()> {
        let receive = || pattern::receive(stream, bytes, Check::Edges, until).context("down");
        let send = || pattern::send(stream, bytes, until).context("up");
        match (self.shape.up, self.shape.down) {
            (true, true) => {
                ask(stream, request::BOTH, bytes)?;
                thread::scope(|scope| {
                    let sending = scope.spawn(send);
                    receive()?;
                    sending
                        .join()
                        .map_err(|_| anyhow::anyhow!("a sending thread panicked"))?
                })?;
                confirm(stream, bytes)
            }
            (true, false) => {
                ask(stream, request::UP, bytes)?;
                send()?;
                confirm(stream, bytes)
            }
            _ => {
                ask(stream, request::DOWN, bytes)?;
                receive()
            }
        }
    }
}
