//! Round trips of small datagrams, one flow, one after the other. A datagram that does not come
//! back in time is counted as lost and the next one is sent.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::{COLLECT_FOR, Measured, Stage, Workload};
use crate::chain::Protocol;
use crate::client::{datagrams, is_timeout};
use crate::figures::{Metric, Times};

/// Datagrams before the timed ones: the flow is set up at every hop.
const WARM_UP: u32 = 200;

/// A datagram that is not back by then is lost.
const LOST_AFTER: Duration = Duration::from_millis(500);

pub(super) struct Datagrams {
    pub(super) size: usize,
    pub(super) count: u32,
}

impl Workload for Datagrams {
    fn name(&self) -> String {
        format!("udp-{}", self.size)
    }

    fn describe(&self) -> String {
        format!(
            "{} datagrams of {} B there and back, one flow",
            self.count, self.size
        )
    }

    fn protocol(&self) -> Protocol {
        Protocol::Udp
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
            Metric::lower("lost", "lost", 0),
        ];
        METRICS
    }

    fn run(&self, stage: &mut Stage<'_>) -> anyhow::Result<Measured> {
        let mut flow = Flow::new(stage.running.entrance(), self.size)?;
        for number in 0..WARM_UP {
            flow.round_trip(number)?;
        }
        let mut times = Times::with_capacity(self.count as usize);
        let mut lost = 0_u32;
        let meter = stage.meter();
        let enough = (Instant::now() + COLLECT_FOR).min(stage.deadline);
        for number in WARM_UP..WARM_UP + self.count {
            let started = Instant::now();
            if started >= enough {
                break;
            }
            if flow.round_trip(number)? {
                times.push(started.elapsed());
            } else {
                lost += 1;
            }
        }
        let usage = meter.stop();
        let count = times.len();
        ensure!(
            count >= 50,
            "only {count} datagrams came back in time, {lost} did not"
        );
        Ok(Measured::new(
            &usage,
            [
                ("p50_us", times.quantile_us(500).unwrap_or_default()),
                ("p99_us", times.quantile_us(990).unwrap_or_default()),
                ("relay_us", usage.relay_ns as f64 / 1e3 / count as f64),
                ("lost", f64::from(lost)),
                ("round_trips", count as f64),
            ],
        ))
    }
}

/// As many datagrams there and back over a new flow; none may be lost.
pub(crate) fn exchange_datagrams(
    entrance: SocketAddr,
    size: usize,
    count: u32,
) -> anyhow::Result<()> {
    let mut flow = Flow::new(entrance, size)?;
    for number in 0..count {
        let back = flow.round_trip(number)?;
        ensure!(back, "datagram {number} did not come back");
    }
    Ok(())
}

/// One datagram and the room for its answer. Each differs from the one before by its number.
struct Flow {
    socket: UdpSocket,
    sent: Vec<u8>,
    buffer: Vec<u8>,
}

impl Flow {
    fn new(entrance: SocketAddr, size: usize) -> anyhow::Result<Self> {
        Ok(Self {
            socket: datagrams(entrance, LOST_AFTER)?,
            sent: (0..=u8::MAX).cycle().take(size).collect(),
            buffer: vec![0; size + 1],
        })
    }

    /// Whether it came back; late ones of earlier numbers are passed over.
    fn round_trip(&mut self, number: u32) -> anyhow::Result<bool> {
        if let Some(head) = self.sent.first_chunk_mut() {
            *head = number.to_le_bytes();
        }
        self.socket
            .send(&self.sent)
            .context("cannot send a datagram")?;
        loop {
            let length = match self.socket.recv(&mut self.buffer) {
                Ok(length) => length,
                Err(error) if is_timeout(&error) => return Ok(false),
                Err(error) => return Err(error).context("cannot receive a datagram"),
            };
            let received = self.buffer.get(..length).unwrap_or_default();
            if received == self.sent {
                return Ok(true);
            }
            ensure!(
                length == self.sent.len() && received.get(4..) == self.sent.get(4..),
                "datagram {number} came back with other bytes"
            );
        }
    }
}
