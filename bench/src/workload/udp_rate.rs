//! Datagrams at a fixed rate over several flows: an open loop (`schedule`), in which a chain that
//! cannot keep up loses some, and one that stalls delays every datagram meanwhile.

use std::time::{Duration, Instant};

use super::flows::{self, Flows, SIZE, grace};
use super::readiness::Readiness;
use super::schedule::Schedule;
use super::{Measured, Stage, Workload};
use crate::chain::Protocol;
use crate::figures::{Metric, Times};

pub(super) struct UdpRate {
    pub(super) flows: u16,
    /// Datagrams a second each way, over all flows.
    pub(super) rate: u32,
    pub(super) duration: Duration,
}

impl Workload for UdpRate {
    fn name(&self) -> String {
        "udp-rate".to_owned()
    }

    fn describe(&self) -> String {
        let (flows, rate, seconds) = (self.flows, self.rate, self.duration.as_secs_f32());
        format!(
            "{rate} datagrams of {SIZE} B a second over {flows} flows for {seconds} s, each \
             returned; timed from when it was meant to be sent"
        )
    }

    fn protocol(&self) -> Protocol {
        Protocol::Udp
    }

    fn metrics(&self) -> &'static [Metric] {
        const METRICS: &[Metric] = &[
            Metric::higher("per_second", "delivered/s", 0),
            Metric::lower("lost_percent", "lost %", 2),
            Metric::lower("p50_us", "p50 µs", 1)
                .against_direct()
                .against_peer(),
            Metric::lower("p99_us", "p99 µs", 1)
                .against_direct()
                .against_peer(),
            Metric::lower("relay_us", "relay CPU µs/datagram", 2).against_peer(),
            Metric::lower("total_us", "all CPU µs/datagram", 2).against_direct(),
        ];
        METRICS
    }

    fn run(&self, stage: &mut Stage<'_>) -> anyhow::Result<Measured> {
        let sockets = flows::open(stage.running.entrance(), self.flows)?;
        let mut flows = Flows::new(&sockets);
        let mut readiness = Readiness::of(&sockets)?;
        let meter = stage.meter();
        let schedule = Schedule::start(self.rate.into(), self.duration);
        let mut times = offer(&mut flows, &mut readiness, &schedule, stage.deadline)?;
        let usage = meter.stop();
        anyhow::ensure!(flows.back > 0, "of {} datagrams none came back", flows.sent);
        let back = flows.back as f64;
        let seconds = (schedule.end() - schedule.intended(0)).as_secs_f64();
        Ok(Measured::new(
            &usage,
            [
                ("per_second", back / seconds),
                ("lost_percent", flows.lost_percent()),
                ("p50_us", times.quantile_us(500).unwrap_or_default()),
                ("p99_us", times.quantile_us(990).unwrap_or_default()),
                ("relay_us", usage.relay_ns as f64 / 1e3 / back),
                ("total_us", usage.total_ns as f64 / 1e3 / back),
            ],
        ))
    }
}

/// Sends every datagram in its time, and takes what comes back until the last one would be lost.
fn offer(
    flows: &mut Flows<'_>,
    readiness: &mut Readiness<'_>,
    schedule: &Schedule,
    deadline: Instant,
) -> anyhow::Result<Times> {
    let total = schedule.total();
    let count = flows.count() as u64;
    let mut times = Times::with_capacity(usize::try_from(total)?);
    let mut next = 0;
    let mut last_sent = schedule.intended(0);
    loop {
        let now = Instant::now();
        while next < total && schedule.intended(next) <= now {
            flows.send(usize::try_from(next % count)?)?;
            next += 1;
            last_sent = now;
        }
        let over = next == total && (flows.all_back() || now >= grace(last_sent, deadline));
        if over || now >= deadline {
            return Ok(times);
        }
        let wake = if next < total {
            schedule.intended(next)
        } else {
            grace(last_sent, deadline)
        };
        for flow in readiness.wait(wake)? {
            while let Some(number) = flows.receive(flow)? {
                times.push(schedule.since_intended(number * count + flow as u64));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Server;

    #[test]
    fn every_flow_takes_its_turn_and_every_datagram_is_timed() {
        let server = Server::udp().unwrap();
        let sockets = flows::open(server.address(), 3).unwrap();
        let mut flows = Flows::new(&sockets);
        let mut readiness = Readiness::of(&sockets).unwrap();
        let schedule = Schedule::start(1000, Duration::from_millis(50));
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut times = offer(&mut flows, &mut readiness, &schedule, deadline).unwrap();
        assert_eq!((flows.sent, flows.back, times.len()), (50, 50, 50));
        let longest = times.quantile_us(1000).unwrap();
        assert!(longest < 10e6, "timed from the wrong moment: {longest} µs");
    }
}
