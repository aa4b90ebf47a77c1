//! The command line, and the sizes that follow from it.
//!
//! `--quick` only changes defaults: a size given by hand always wins.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::{Parser, ValueEnum};

/// Measures chains of relays side by side and prints a Markdown table.
#[derive(Clone, Debug, Parser)]
#[command(name = "via6-bench", version)]
pub struct Args {
    /// Measure only these, e.g. `pingpong,bulk` [default: all but instructions]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "MODE")]
    pub(crate) only: Vec<Mode>,

    /// Measure only these chains, in this order [default: all known]
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub(crate) chains: Vec<String>,

    /// One more chain; may be repeated
    #[arg(long = "chain", value_name = "NAME [tcp|udp] = CMD ;; CMD")]
    pub(crate) extra: Vec<String>,

    /// More chains from a file, one on each line; its folder is where `{file:…}` is looked up
    #[arg(long, value_name = "FILE")]
    pub(crate) chains_file: Option<PathBuf>,

    /// The via6 to measure [default: beside this program]
    #[arg(long, env = "VIA6_BENCH_VIA6", value_name = "PROGRAM")]
    pub(crate) via6: Option<PathBuf>,

    /// Rounds; each runs every chain once [default: 5, quick: 1]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: Option<u32>,

    /// A few seconds in all: shows that everything works, measures nothing
    #[arg(long)]
    pub(crate) quick: bool,

    /// What runs, load and relays together, on one CPU
    #[arg(long, value_enum, default_value_t = Pin::Latency, value_name = "WHAT")]
    pub(crate) pin_one_cpu: Pin,

    /// pingpong: bytes of a message
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(8..=65_507))]
    pub(crate) size: u32,

    /// pingpong, udp: messages there and back [default: 20000, quick: 300]
    #[arg(long, value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
    pub(crate) count: Option<u32>,

    /// udp: bytes of a datagram; may be repeated
    #[arg(long, value_name = "BYTES", default_values_t = [64, 512, 1200],
          value_parser = clap::value_parser!(u32).range(8..=65_507))]
    pub(crate) udp_size: Vec<u32>,

    /// udp-rate: datagrams a second each way, over all flows
    #[arg(long, default_value_t = 20_000, value_name = "PER_SECOND",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) udp_rate: u32,

    /// udp-rate, udp-flood: flows at once
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) flows: u16,

    /// game: players, each with a session
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) players: u16,

    /// game: messages of each player in a second
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=128))]
    pub(crate) hz: u16,

    /// bulk: down, up or both, and how many sessions at once; may be repeated
    #[arg(long, value_name = "DIRECTION[:SESSIONS]", default_values = ["down:1", "up:1", "both:4"])]
    pub(crate) bulk: Vec<BulkShape>,

    /// bulk: MiB in each direction, over all sessions [default: 1024, quick: 16]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    pub(crate) mib: Option<u32>,

    /// game, connrate, udp-rate, udp-flood: how long [default: game 5, others 2; quick: 0.3, 0.2]
    #[arg(long)]
    pub(crate) seconds: Option<f32>,

    /// connrate: connections under way at a time
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) at_once: u16,

    /// idle: sessions held [default: 500, quick: 20]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub(crate) sessions: Option<u32>,

    /// links: joiners added to the first [default: 32, quick: 2]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) joiners: Option<u32>,

    /// instructions: write them to a file, for `--compare`
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,

    /// instructions: fail when there are more than a file of `--record` says
    #[arg(long, value_name = "FILE")]
    pub(crate) compare: Option<PathBuf>,

    /// Seconds after which one measurement is given up
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) limit: u64,

    /// Also write everything, every round, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Also write the table to a file
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,

    /// Also draw the main figures, as SVG
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) plot: Option<PathBuf>,

    /// Also write a page with everything and its picture: benchmarks.md and benchmarks.svg
    #[arg(long, value_name = "FOLDER")]
    pub(crate) docs: Option<PathBuf>,

    /// List the chains with their commands, and do nothing else
    #[arg(long)]
    pub(crate) list: bool,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Mode {
    /// Round trip of small messages over one TCP session
    Pingpong,
    /// The same, with a 4-byte prefix in a write of its own
    Split,
    /// Players who send at a steady rate, each over a TCP session of its own
    Game,
    /// Throughput and CPU per byte
    Bulk,
    /// Connections per second
    Connrate,
    /// Memory of sessions that do nothing
    Idle,
    /// Memory of a link, as joiners are added to one host
    Links,
    /// Round trip of datagrams, one after the other
    Udp,
    /// Datagrams at a fixed rate over several flows
    UdpRate,
    /// As many datagrams as get through
    UdpFlood,
    /// User-space instructions of via6 for a message; needs valgrind
    Instructions,
}

/// What is confined to one CPU.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Pin {
    /// The round trips: then they are the length of the CPU path, and repeat
    Latency,
    /// Everything
    All,
    /// Nothing
    None,
}

/// Which way bulk data goes, over how many sessions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct BulkShape {
    pub(crate) up: bool,
    pub(crate) down: bool,
    pub(crate) sessions: u32,
}

impl BulkShape {
    pub(crate) fn direction(self) -> &'static str {
        match (self.up, self.down) {
            (true, true) => "both",
            (true, false) => "up",
            _ => "down",
        }
    }
}

impl FromStr for BulkShape {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (direction, sessions) = text.split_once(':').unwrap_or((text, "1"));
        let (up, down) = match direction {
            "up" => (true, false),
            "down" => (false, true),
            "both" => (true, true),
            _ => bail!("{direction:?} is none of down, up, both"),
        };
        let sessions = sessions
            .parse()
            .context("cannot read the number of sessions")?;
        ensure!(
            (1..=64).contains(&sessions),
            "1 to 64 sessions, not {sessions}"
        );
        Ok(Self { up, down, sessions })
    }
}

/// How much of everything, after `--quick` and the defaults have been put together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) rounds: u32,
    pub(crate) count: u32,
    pub(crate) bulk_bytes: u64,
    pub(crate) game_for: Duration,
    /// Workloads that run for a time, except the game.
    pub(crate) timed_for: Duration,
    pub(crate) sessions: u32,
    pub(crate) joiners: u32,
}

impl Args {
    pub(crate) fn sizes(&self) -> anyhow::Result<Sizes> {
        let pick = |given: Option<u32>, full, quick| {
            given.unwrap_or(if self.quick { quick } else { full })
        };
        let last = |full, quick| {
            let seconds = self
                .seconds
                .unwrap_or(if self.quick { quick } else { full });
            ensure!(
                (0.05..=600.0).contains(&seconds),
                "--seconds goes from 0.05 to 600"
            );
            Ok(Duration::from_secs_f32(seconds))
        };
        let counts_only = self.only == [Mode::Instructions];
        Ok(Sizes {
            // Counting again gives the same.
            rounds: pick(self.rounds, if counts_only { 1 } else { 5 }, 1),
            count: pick(self.count, 20_000, 300),
            bulk_bytes: u64::from(pick(self.mib, 1024, 16)) << 20,
            game_for: last(5.0, 0.3)?,
            timed_for: last(2.0, 0.2)?,
            sessions: pick(self.sessions, 500, 20),
            joiners: pick(self.joiners, 32, 2),
        })
    }

    pub(crate) fn wants(&self, mode: Mode) -> bool {
        let by_default = self.only.is_empty() && mode != Mode::Instructions;
        by_default || self.only.contains(&mode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bulk_shape_is_a_direction_and_a_number() {
        let shape: BulkShape = "both:4".parse().unwrap();
        assert_eq!((shape.up, shape.down, shape.sessions), (true, true, 4));
        assert_eq!("up".parse::<BulkShape>().unwrap().sessions, 1);
        for wrong in ["", "sideways", "up:0", "down:65", "up:x"] {
            assert!(wrong.parse::<BulkShape>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn quick_changes_defaults_but_not_what_was_given() {
        let sizes = Args::parse_from(["via6-bench", "--quick", "--count", "777"])
            .sizes()
            .unwrap();
        assert_eq!((sizes.rounds, sizes.count, sizes.sessions), (1, 777, 20));
    }
}
