//! The commands `via6-lab homes` and `via6-lab wan`: arguments, a table, settings typed meanwhile.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a table on stdout, and what is wrong on stderr, is what commands are for"
)]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use clap::builder::PossibleValuesParser;
use nix::sched::{CloneFlags, setns};

use super::chance::Loss;
use super::emulator::{Direction, Emulator};
use super::link::{self, Link};
use super::runner::{self, Plan, Score};
use super::scenarios::{SCENARIOS, Scenario};
use super::tun::Tun;
use super::way::{Conditions, Rate};
use crate::failure::{During, Outcome, failed};

/// Plays between two homes, and does to their link what happens to links.
#[derive(Debug, clap::Args)]
pub struct Homes {
    /// What happens; all of them without.
    #[arg(value_name = "SCENARIO", value_parser = PossibleValuesParser::new(SCENARIOS.iter().map(|one| one.name)))]
    scenarios: Vec<String>,
    /// Only this kind of link; may be given several times. Without: open. A scenario that is named
    /// together with a link is run even if it is not for it: to see what that loses.
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(Link::ALL.iter().map(|one| one.name)))]
    link: Vec<String>,
    /// The program under test; beside this one unless given.
    #[arg(long, value_name = "PATH")]
    via6: Option<PathBuf>,
    /// Repetitions of each scenario.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    times: u32,
    /// The seed of the WAN's chances in the first repetition; each further one has the next.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many run beside each other.
    #[arg(long, default_value_t = 1, value_name = "N")]
    beside: usize,
}

impl Homes {
    /// Runs them and prints the table; whether all passed.
    #[must_use]
    pub fn run(&self, usual: &Path) -> bool {
        let asked = |one: &&Scenario| {
            self.scenarios.is_empty() || self.scenarios.iter().any(|name| name == one.name)
        };
        let scenarios: Vec<_> = SCENARIOS.iter().filter(asked).collect();
        let links: Vec<_> = if self.link.is_empty() {
            vec![link::OPEN]
        } else {
            let asked = |one: &&Link| self.link.iter().any(|name| name == one.name);
            Link::ALL.iter().filter(asked).copied().collect()
        };
        let is_asked_for = !self.scenarios.is_empty() && !self.link.is_empty();
        let meant = |scenario: &'static Scenario| {
            let links = links.iter().copied();
            links.filter_map(move |link| {
                (is_asked_for || scenario.applies_to(&link)).then_some((scenario, link))
            })
        };
        let what: Vec<_> = scenarios.into_iter().flat_map(meant).collect();
        let plan = Plan {
            program: self.via6.as_deref().unwrap_or(usual),
            times: self.times,
            seed: self.seed,
            beside: self.beside.max(1),
        };
        println!(
            "{:17} {:10} {:>7} {:>17} {:>15}",
            "scenario", "link", "passed", "stall med/worst", "rtt p50/p99"
        );
        let scores = runner::run(&plan, &what, print);
        let passed: usize = scores.iter().map(|score| score.passed.len()).sum();
        let runs: usize = scores.iter().map(Score::runs).sum();
        println!("{passed} of {runs} passed");
        passed > 0 && passed == runs
    }
}

fn print(score: &Score) {
    let millis = |(one, other): (Duration, Duration)| {
        format!("{}/{} ms", one.as_millis(), other.as_millis())
    };
    let (p50, p99) = (score.spread(|one| one.p50).0, score.spread(|one| one.p99).0);
    println!(
        "{:17} {:10} {:>7} {:>17} {:>15}  {}",
        score.scenario.name,
        score.link.name,
        format!("{}/{}", score.passed.len(), score.runs()),
        millis(score.spread(|one| one.stall)),
        millis((p50, p99)),
        score
            .passed
            .last()
            .map_or(score.scenario.about, |one| &one.note),
    );
    for trouble in &score.troubles {
        println!("    {trouble}");
    }
}

/// Joins two network namespaces by an emulated WAN, until it is ended.
///
/// Lines typed meanwhile are settings, as on the command line; what a line leaves out is as on a perfect
/// one. An empty line tells what happened so far.
#[derive(Debug, clap::Args)]
pub struct Wan {
    /// One end: a namespace, by its name or path, and the device to make there.
    #[arg(value_name = "NETNS:DEVICE")]
    first: String,
    /// The other.
    #[arg(value_name = "NETNS:DEVICE")]
    second: String,
    /// What chance is of.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    settings: Settings,
}

/// The conditions of both directions.
#[derive(Debug, clap::Args)]
struct Settings {
    /// Milliseconds that a packet takes, one way.
    #[arg(long, value_name = "MS", default_value_t = 0.0)]
    delay: f64,
    /// Milliseconds that it may take longer.
    #[arg(long, value_name = "MS", default_value_t = 0.0)]
    jitter: f64,
    /// Percent of packets that are lost.
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0)]
    loss: f64,
    /// Packets that a burst of losses lasts on average; 1 for none.
    #[arg(long, value_name = "PACKETS", default_value_t = 1.0)]
    burst: f64,
    /// Kilobits a second.
    #[arg(long, value_name = "KBIT")]
    rate: Option<u32>,
    /// Bytes that may wait for a line with a rate.
    #[arg(long, value_name = "BYTES", default_value_t = 65536)]
    queue: usize,
    /// Larger packets vanish.
    #[arg(long, value_name = "BYTES")]
    black_hole_over: Option<usize>,
    /// Percent of packets that others overtake.
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0)]
    overtaken: f64,
    /// Milliseconds that those are late.
    #[arg(long, value_name = "MS", default_value_t = 10.0)]
    overtaken_by: f64,
    /// Nothing passes.
    #[arg(long)]
    cut: bool,
}

impl Settings {
    fn conditions(&self) -> Conditions {
        // What no duration can be, less than nothing say, is nothing.
        let millis = |value: f64| Duration::try_from_secs_f64(value / 1000.0).unwrap_or_default();
        let share = self.loss / 100.0;
        let loss = if share <= 0.0 {
            Loss::Never
        } else if self.burst > 1.0 {
            Loss::Bursts {
                share,
                length: self.burst,
                density: 1.0,
            }
        } else {
            Loss::Single(share)
        };
        let queue = self.queue;
        Conditions {
            delay: millis(self.delay),
            jitter: millis(self.jitter),
            loss,
            rate: self.rate.map(|kbit| Rate { kbit, queue }),
            black_hole_over: self.black_hole_over,
            overtaken: self.overtaken / 100.0,
            overtaken_by: if self.overtaken > 0.0 {
                millis(self.overtaken_by)
            } else {
                Duration::ZERO
            },
            is_cut: self.cut,
        }
    }
}

/// A line of settings, typed meanwhile.
#[derive(Debug, Parser)]
#[command(name = "settings", no_binary_name = true)]
struct Line {
    #[command(flatten)]
    settings: Settings,
}

impl Wan {
    /// Runs until the end of standard input.
    pub fn run(&self) -> Outcome {
        let (first, second) = (device(&self.first)?, device(&self.second)?);
        let wan = Emulator::start(first, second, self.settings.conditions(), self.seed)?;
        println!("ready");
        for line in std::io::stdin().lines() {
            let line = line.during("reading settings")?;
            if line.trim().is_empty() {
                for direction in Direction::BOTH {
                    println!("{direction:?}: {:?}", wan.counts(direction));
                }
                continue;
            }
            match Line::try_parse_from(line.split_whitespace()) {
                Ok(line) => wan.change(|now| *now = line.settings.conditions()),
                Err(error) => eprintln!("{error}"),
            }
        }
        Ok(())
    }
}

/// Opens a device in a namespace, by a thread that enters it and ends.
fn device(end: &str) -> Outcome<Tun> {
    let Some((netns, name)) = end.rsplit_once(':') else {
        return failed(format!("'{end}' is not NETNS:DEVICE"));
    };
    let path = Path::new("/run/netns").join(netns);
    let enter = || {
        let netns = File::open(&path).during(path.display())?;
        setns(netns, CloneFlags::CLONE_NEWNET)
            .map_err(std::io::Error::from)
            .during(format!("entering {}", path.display()))?;
        Tun::open(name)
    };
    std::thread::scope(|scope| {
        let opened = scope.spawn(enter).join();
        opened.unwrap_or_else(|_| failed("a thread panicked"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(line: &str) -> Conditions {
        let line = Line::try_parse_from(line.split_whitespace());
        line.unwrap().settings.conditions()
    }

    #[test]
    fn settings_are_said_in_milliseconds_and_percent() {
        assert_eq!(conditions(""), Conditions::default());
        let expected = Conditions {
            delay: Duration::from_micros(20_500),
            jitter: Duration::from_millis(3),
            loss: Loss::Single(0.02),
            rate: Some(Rate {
                kbit: 2000,
                queue: 1000,
            }),
            black_hole_over: Some(1280),
            overtaken: 0.01,
            overtaken_by: Duration::from_millis(7),
            is_cut: true,
        };
        let line = "--delay 20.5 --jitter 3 --loss 2 --rate 2000 --queue 1000 --cut \
                    --black-hole-over 1280 --overtaken 1 --overtaken-by 7";
        assert_eq!(conditions(line), expected);
        let bursts = Loss::Bursts {
            share: 0.05,
            length: 3.0,
            density: 1.0,
        };
        assert_eq!(conditions("--loss 5 --burst 3").loss, bursts);
        assert!(Line::try_parse_from(["--loss"]).is_err());
    }
}
