//! Memory of a link, at both of its ends: a joiner more, and another, each a process with a link to
//! the same host and one idle session.
//!
//! The host's part is what it grows by for each. The joiner's is the whole process: before it has a
//! link it has nothing to do, so that there is no state of it to subtract. What a *sealed* link costs
//! there is the difference to a joiner that has everything but that (`report::sealed`). Only
//! anonymous memory counts: pages of the program's file are shared among all who run it.

use std::net::TcpStream;
use std::time::Instant;

use anyhow::{Context as _, ensure};

use super::idle::{ensure_open, settled_kib};
use super::{Measured, Stage, Workload};
use crate::chain::Chain;
use crate::client::{connect, one_byte};
use crate::figures::Metric;
use crate::process::Process;
use crate::server::request;

/// What the host grows by for a link.
pub(crate) const HOST_KIB: &str = "host_kib_per_link";

/// What a joiner has in all.
pub(crate) const JOINER_KIB: &str = "joiner_kib";

pub(super) struct Links {
    pub(super) joiners: u32,
}

impl Workload for Links {
    fn name(&self) -> String {
        "links".to_owned()
    }

    fn describe(&self) -> String {
        let joiners = self.joiners;
        format!("{joiners} joiners more at one host, each a process with one idle TCP session")
    }

    /// Peers are not all made of a joiner and a host, and it is no question between them.
    fn suits(&self, chain: &Chain) -> bool {
        chain.hop_count() >= 2 && (chain.is_own() || chain.is_bare())
    }

    fn metrics(&self) -> &'static [Metric] {
        const METRICS: &[Metric] = &[
            Metric::lower(HOST_KIB, "host KiB per link", 1).by_median(),
            Metric::lower(JOINER_KIB, "joiner KiB in all", 1).by_median(),
            Metric::lower("host_base_kib", "host KiB before", 0).by_median(),
        ];
        METRICS
    }

    fn run(&self, stage: &mut Stage<'_>) -> anyhow::Result<Measured> {
        let meter = stage.meter();
        let host = stage.running.host().context("the host is gone")?;
        let host_kib = || settled_kib(|| (host, host.anonymous_kib())).1;
        // What a host sets up for its first link counts as base.
        let mut open = vec![hold(stage.running.entrance())?];
        let base_kib = host_kib();
        let mut joiners: Vec<Process> = Vec::new();
        for number in 0..self.joiners {
            ensure!(
                Instant::now() < stage.deadline,
                "only {number} joiners in time"
            );
            let joiner = stage.running.start_joiner()?;
            open.push(hold(joiner.entrance).with_context(|| format!("in joiner {number}"))?);
            joiners.push(joiner.process);
        }
        let kib = host_kib();
        let all = || joiners.iter().map(|joiner| joiner.anonymous_kib()).sum();
        let joiners_kib = settled_kib(|| ((), all())).1;
        ensure!(
            joiners_kib > 0 && base_kib > 0,
            "the kernel does not tell anonymous memory apart"
        );
        let usage = meter.stop();
        open.iter().try_for_each(ensure_open)?;
        let links = f64::from(self.joiners);
        Ok(Measured::new(
            &usage,
            [
                (HOST_KIB, kib.saturating_sub(base_kib) as f64 / links),
                (JOINER_KIB, joiners_kib as f64 / links),
                ("host_base_kib", base_kib as f64),
            ],
        ))
    }
}

fn hold(entrance: std::net::SocketAddr) -> anyhow::Result<TcpStream> {
    let stream = connect(entrance)?;
    one_byte(&stream, request::HOLD)?;
    Ok(stream)
}
