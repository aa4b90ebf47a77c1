//! The loads. Each is one type behind [`Workload`]: a new one is a file here and a line in
//! [`chosen`]; rounds, tables and JSON follow from its metrics.

mod bulk;
mod connect_rate;
mod datagrams;
mod flows;
mod game;
mod idle;
mod links;
mod ping_pong;
mod readiness;
mod schedule;
mod udp_flood;
mod udp_rate;

use std::time::{Duration, Instant};

pub(crate) use datagrams::exchange_datagrams;
pub(crate) use links::{HOST_KIB, JOINER_KIB};
pub(crate) use ping_pong::exchange_messages;

use crate::args::{Args, Mode, Pin, Sizes};
use crate::chain::{Chain, Protocol, Running};
use crate::figures::{Metric, Sample};
use crate::meter::{Meter, Noise, Usage};
use crate::report::Heading;

/// One load, to be run through any chain.
pub(crate) trait Workload {
    /// Short, unique within a run.
    fn name(&self) -> String;

    /// One sentence that stands above its table.
    fn describe(&self) -> String;

    /// What chains must carry for it.
    fn protocol(&self) -> Protocol {
        Protocol::Tcp
    }

    /// Whether a chain that carries the protocol can be measured by it.
    fn suits(&self, _chain: &Chain) -> bool {
        true
    }

    /// Whether it measures round trips, which repeat only when confined to one CPU.
    fn is_latency(&self) -> bool {
        false
    }

    /// Sessions that the server must serve at the same moment.
    fn server_threads(&self) -> usize {
        1
    }

    /// The columns of its table.
    fn metrics(&self) -> &'static [Metric];

    /// Runs it once. Any byte that is not what was sent is an error.
    fn run(&self, stage: &mut Stage<'_>) -> anyhow::Result<Measured>;
}

/// What one run of a workload has to work with.
pub(crate) struct Stage<'a> {
    pub(crate) running: &'a mut Running,
    pub(crate) deadline: Instant,
}

impl Stage<'_> {
    /// Starts counting CPU time: the last thing before a timed section.
    fn meter(&self) -> Meter {
        Meter::start(&self.running.roots())
    }
}

/// The figures of one run, and how much else the machine had to do meanwhile.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) sample: Sample,
    pub(crate) noise: Noise,
}

impl Measured {
    fn new<const N: usize>(usage: &Usage, figures: [(&'static str, f64); N]) -> Self {
        Self {
            sample: figures.into(),
            noise: usage.noise,
        }
    }
}

/// A workload with where it runs.
pub(crate) struct Planned {
    pub(crate) workload: Box<dyn Workload>,
    pub(crate) pinned: bool,
}

impl Planned {
    pub(crate) fn heading(&self) -> Heading {
        Heading {
            name: self.workload.name(),
            description: self.workload.describe(),
            pinned: self.pinned,
            metrics: self.workload.metrics(),
        }
    }
}

/// Longest that a round-trip measurement goes on collecting: a chain that stalls for 40 ms at each
/// message is shown by some hundred of them.
const COLLECT_FOR: Duration = Duration::from_secs(5);

/// The workloads asked for, in the order of their tables.
pub(crate) fn chosen(args: &Args, sizes: Sizes) -> Vec<Planned> {
    tcp(args, sizes)
        .into_iter()
        .chain(udp(args, sizes))
        .map(|workload| {
            let pinned = match args.pin_one_cpu {
                Pin::All => true,
                Pin::None => false,
                Pin::Latency => workload.is_latency(),
            };
            Planned { workload, pinned }
        })
        .collect()
}

fn tcp(args: &Args, sizes: Sizes) -> Vec<Box<dyn Workload>> {
    let mut all: Vec<Box<dyn Workload>> = Vec::new();
    let size = args.size as usize;
    if args.wants(Mode::Pingpong) {
        all.push(Box::new(ping_pong::PingPong {
            size,
            prefix: None,
            count: sizes.count,
        }));
    }
    if args.wants(Mode::Split) {
        all.push(Box::new(ping_pong::split(sizes.count)));
    }
    if args.wants(Mode::Game) {
        all.push(Box::new(game::Game {
            players: args.players,
            hz: args.hz,
            duration: sizes.game_for,
        }));
    }
    if args.wants(Mode::Bulk) {
        for &shape in &args.bulk {
            all.push(Box::new(bulk::Bulk {
                shape,
                bytes: sizes.bulk_bytes,
            }));
        }
    }
    if args.wants(Mode::Connrate) {
        let (at_once, duration) = (usize::from(args.at_once), sizes.timed_for);
        all.push(Box::new(connect_rate::ConnectRate { at_once, duration }));
    }
    if args.wants(Mode::Idle) {
        all.push(Box::new(idle::Idle {
            sessions: sizes.sessions,
        }));
    }
    if args.wants(Mode::Links) {
        all.push(Box::new(links::Links {
            joiners: sizes.joiners,
        }));
    }
    all
}

fn udp(args: &Args, sizes: Sizes) -> Vec<Box<dyn Workload>> {
    let mut all: Vec<Box<dyn Workload>> = Vec::new();
    if args.wants(Mode::Udp) {
        for &size in &args.udp_size {
            all.push(Box::new(datagrams::Datagrams {
                size: size as usize,
                count: sizes.count,
            }));
        }
    }
    let (flows, duration) = (args.flows, sizes.timed_for);
    if args.wants(Mode::UdpRate) {
        let rate = args.udp_rate;
        all.push(Box::new(udp_rate::UdpRate {
            flows,
            rate,
            duration,
        }));
    }
    if args.wants(Mode::UdpFlood) {
        all.push(Box::new(udp_flood::UdpFlood { flows, duration }));
    }
    all
}
