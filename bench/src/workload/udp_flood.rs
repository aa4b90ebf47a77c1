//! As many datagrams as get through: each flow keeps a number of them under way and sends the next
//! when one is back. A closed loop, so that it measures capacity; it says nothing about delay.

use std::time::{Duration, Instant};

use super::flows::{self, Flows, LOST_AFTER, SIZE, grace};
use super::readiness::Readiness;
use super::{Measured, Stage, Workload};
use crate::chain::Protocol;
use crate::figures::Metric;

/// Datagrams that each flow keeps under way. Eight flows of them fit into a socket's buffer of
/// Linux's default size, so that what is lost was lost by a relay.
const WINDOW: usize = 32;

pub(super) struct UdpFlood {
    pub(super) flows: u16,
    pub(super) duration: Duration,
}

impl Workload for UdpFlood {
    fn name(&self) -> String {
        "udp-flood".to_owned()
    }

    fn describe(&self) -> String {
        let (flows, seconds) = (self.flows, self.duration.as_secs_f32());
        format!(
            "datagrams of {SIZE} B over {flows} flows for {seconds} s, {WINDOW} of each flow under \
             way at a time"
        )
    }

    fn protocol(&self) -> Protocol {
        Protocol::Udp
    }

    fn metrics(&self) -> &'static [Metric] {
        const METRICS: &[Metric] = &[
            Metric::higher("per_second", "datagrams/s each way", 0)
                .against_direct()
                .against_peer(),
            Metric::lower("relay_us", "relay CPU µs/datagram", 2).against_peer(),
            Metric::lower("total_us", "all CPU µs/datagram", 2)
                .against_direct()
                .against_peer(),
            Metric::lower("lost_percent", "lost %", 2),
        ];
        METRICS
    }

    fn run(&self, stage: &mut Stage<'_>) -> anyhow::Result<Measured> {
        let sockets = flows::open(stage.running.entrance(), self.flows)?;
        let mut flood = Flood {
            flows: Flows::new(&sockets),
            readiness: Readiness::of(&sockets)?,
            windows: vec![Window::new(); sockets.len()],
        };
        let meter = stage.meter();
        let end = (Instant::now() + self.duration).min(stage.deadline);
        flood.run_until(end)?;
        let usage = meter.stop();
        let back = flood.flows.back as f64;
        anyhow::ensure!(back > 0.0, "no datagram came back");
        flood.take_the_rest(grace(end, stage.deadline))?;
        Ok(Measured::new(
            &usage,
            [
                ("per_second", back / usage.seconds),
                ("relay_us", usage.relay_ns as f64 / 1e3 / back),
                ("total_us", usage.total_ns as f64 / 1e3 / back),
                ("lost_percent", flood.flows.lost_percent()),
            ],
        ))
    }
}

struct Flood<'a> {
    flows: Flows<'a>,
    readiness: Readiness<'a>,
    windows: Vec<Window>,
}

/// What a flow has under way.
#[derive(Clone, Copy)]
struct Window {
    under_way: usize,
    heard: Instant,
}

impl Window {
    fn new() -> Self {
        Self {
            under_way: 0,
            heard: Instant::now(),
        }
    }
}

impl Flood<'_> {
    fn run_until(&mut self, end: Instant) -> anyhow::Result<()> {
        loop {
            let now = Instant::now();
            if now >= end {
                return Ok(());
            }
            for (index, window) in self.windows.iter_mut().enumerate() {
                if now >= window.heard + LOST_AFTER {
                    *window = Window::new();
                }
                while window.under_way < WINDOW {
                    self.flows.send(index)?;
                    window.under_way += 1;
                }
            }
            for index in self.readiness.wait(end.min(now + LOST_AFTER))? {
                while self.flows.receive(index)?.is_some() {
                    if let Some(window) = self.windows.get_mut(index) {
                        // One given up for lost may come back after all.
                        window.under_way = window.under_way.saturating_sub(1);
                        window.heard = now;
                    }
                }
            }
        }
    }

    /// What was under way at the end is not lost yet.
    fn take_the_rest(&mut self, until: Instant) -> anyhow::Result<()> {
        while !self.flows.all_back() && Instant::now() < until {
            for index in self.readiness.wait(until)? {
                while self.flows.receive(index)?.is_some() {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;
    use crate::server::Server;

    fn flood(sockets: &[UdpSocket]) -> Flood<'_> {
        Flood {
            flows: Flows::new(sockets),
            readiness: Readiness::of(sockets).unwrap(),
            windows: vec![Window::new(); sockets.len()],
        }
    }

    #[test]
    fn windows_are_filled_again_and_nothing_is_lost_on_the_way() {
        let server = Server::udp().unwrap();
        let sockets = flows::open(server.address(), 2).unwrap();
        let mut flood = flood(&sockets);
        let deadline = Instant::now() + Duration::from_secs(10);
        while flood.flows.back <= 2 * 2 * WINDOW as u64 && Instant::now() < deadline {
            let turn = Instant::now() + Duration::from_millis(10);
            flood.run_until(turn).unwrap();
        }
        assert!(flood.flows.back > 2 * 2 * WINDOW as u64);
        flood.take_the_rest(deadline).unwrap();
        assert!(flood.flows.all_back());
    }

    /// A relay that has lost a whole window must not leave its flow silent for good.
    #[test]
    fn a_flow_whose_window_was_lost_sends_again() {
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sockets = [crate::client::datagrams(silent.local_addr().unwrap(), LOST_AFTER).unwrap()];
        sockets[0].set_nonblocking(true).unwrap();
        let mut flood = flood(&sockets);
        let enough = Duration::from_millis(50);
        flood
            .run_until(Instant::now() + LOST_AFTER + enough)
            .unwrap();
        assert!(flood.flows.sent >= 2 * WINDOW as u64);
        assert!(flood.flows.lost_percent() > 99.0);
    }
}
