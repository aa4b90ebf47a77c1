//! Round trips of small messages over one TCP session, one after the other.
//!
//! Closed loop: the next message is sent when the last one is back, so the figures are those of an
//! unhurried session. There is no schedule that a slow answer could make it miss, hence nothing to
//! correct for (coordinated omission), and nothing said about queues under load either.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use anyhow::{Context as _, ensure};

use super::{COLLECT_FOR, Measured, Stage, Workload};
use crate::client::{ask, check_every_byte, connect_through};
use crate::figures::{Metric, Times};
use crate::server::request;

/// Messages before the timed ones: connections, caches and the relays' own moods settle.
const WARM_UP: u32 = 200;

pub(super) struct PingPong {
    pub(super) size: usize,
    /// Bytes that go in a write of their own, as a length prefix often does.
    pub(super) prefix: Option<usize>,
    pub(super) count: u32,
}

/// A message as many games send it. A hop that has not set `TCP_NODELAY` stalls here for 40 ms:
/// Nagle's algorithm meets delayed acknowledgements.
pub(super) fn split(count: u32) -> PingPong {
    PingPong {
        size: 200,
        prefix: Some(4),
        count: count.min(5000),
    }
}

impl Workload for PingPong {
    fn name(&self) -> String {
        self.prefix.map_or("pingpong", |_| "split").to_owned()
    }

    fn describe(&self) -> String {
        let count = self.count;
        let size = self.size;
        match self.prefix {
            None => format!("{count} messages of {size} B there and back, one TCP session"),
            Some(prefix) => format!(
                "{count} messages of {size} B there and back, the first {prefix} B in a write of \
                 their own"
            ),
        }
    }

    fn is_latency(&self) -> bool {
        true
    }

    fn metrics(&self) -> &'static [Metric] {
        const METRICS: &[Metric] = &[
            Metric::lower("p50_us", "RTT p50 µs", 1)
                .against_direct()
                .against_peer(),
            Metric::lower("p99_us", "RTT p99 µs", 1)
                .against_direct()
                .against_peer(),
            Metric::lower("relay_us", "relay CPU µs/RTT", 1).against_peer(),
        ];
        METRICS
    }

    fn run(&self, stage: &mut Stage<'_>) -> anyhow::Result<Measured> {
        let entrance = stage.running.entrance();
        check_every_byte(entrance).context("byte check")?;
        let stream = connect_through(entrance)?;
        ask(&stream, request::ECHO, self.size as u64)?;
        let mut message = Message::new(self.size);
        for number in 0..WARM_UP {
            message.round_trip(&stream, number, self.prefix)?;
        }
        let mut times = Times::with_capacity(self.count as usize);
        let meter = stage.meter();
        let enough = (Instant::now() + COLLECT_FOR).min(stage.deadline);
        for number in 0..self.count {
            let started = Instant::now();
            if started >= enough {
                break;
            }
            message.round_trip(&stream, number, self.prefix)?;
            times.push(started.elapsed());
        }
        let usage = meter.stop();
        let count = times.len();
        ensure!(count >= 50, "only {count} round trips in time");
        Ok(Measured::new(
            &usage,
            [
                ("p50_us", times.quantile_us(500).unwrap_or_default()),
                ("p99_us", times.quantile_us(990).unwrap_or_default()),
                ("relay_us", usage.relay_ns as f64 / 1e3 / count as f64),
                ("total_us", usage.total_ns as f64 / 1e3 / count as f64),
                ("round_trips", count as f64),
            ],
        ))
    }
}

/// As many messages there and back over a new session.
pub(crate) fn exchange_messages(
    entrance: SocketAddr,
    size: usize,
    count: u32,
) -> anyhow::Result<()> {
    let stream = connect_through(entrance)?;
    ask(&stream, request::ECHO, size as u64)?;
    let mut message = Message::new(size);
    (0..count).try_for_each(|number| message.round_trip(&stream, number, None))
}

/// One message and the room for its answer. Each differs from the one before by its number.
struct Message {
    sent: Vec<u8>,
    received: Vec<u8>,
}

impl Message {
    fn new(size: usize) -> Self {
        let sent = (0..=u8::MAX).cycle().take(size).collect();
        Self {
            sent,
            received: vec![0; size],
        }
    }

    fn round_trip(
        &mut self,
        mut stream: &TcpStream,
        number: u32,
        prefix: Option<usize>,
    ) -> anyhow::Result<()> {
        if let Some(head) = self.sent.first_chunk_mut() {
            *head = number.to_le_bytes();
        }
        match prefix.and_then(|prefix| self.sent.split_at_checked(prefix)) {
            Some((head, body)) => {
                stream.write_all(head)?;
                stream.write_all(body)
            }
            None => stream.write_all(&self.sent),
        }
        .context("cannot send a message")?;
        stream
            .read_exact(&mut self.received)
            .context("cannot receive a message")?;
        ensure!(
            self.sent == self.received,
            "message {number} came back with other bytes"
        );
        Ok(())
    }
}
