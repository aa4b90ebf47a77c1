//! The order of things: for each workload, rounds; in each round, every chain once. What drifts
//! over minutes hits all chains alike.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::affinity::OneCpu;
use crate::args::{Args, Mode};
use crate::chain::{self, Chain, Protocol, Running};
use crate::instructions::{self, Comparison, Record};
use crate::output;
use crate::report::{Heading, Report, Results, Skipped};
use crate::server::Server;
use crate::workload::{self, Measured, Planned, Stage};

/// How a run ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Every chain that could run was measured.
    AllMeasured,
    /// At least one measurement failed: bytes were wrong or did not arrive. Or more instructions
    /// were executed than were recorded.
    SomeFailed,
}

/// Runs what the command line asks for; prints the table to stdout, progress to stderr.
///
/// # Errors
/// Before the first measurement, for what cannot be run as asked; after the last, when the results
/// cannot be written. A measurement that fails is in the report instead.
pub fn run(args: &Args) -> anyhow::Result<Verdict> {
    let recorded = recorded(args)?;
    let via6 = chain::find_via6(args)?;
    let chains = chain::catalogue(args)?;
    let sizes = args.sizes()?;
    if args.list {
        list(&chains, via6.as_deref())?;
        return Ok(Verdict::AllMeasured);
    }
    let (able, mut skipped) = sort_out(chains, via6.as_deref())?;
    let count_instructions =
        args.wants(Mode::Instructions) && instructions_can_be_counted(&mut skipped);
    for skip in &skipped {
        say(&format!("SKIPPED {skip}"));
    }
    able.iter()
        .try_for_each(|chain| chain.check(via6.as_deref()))?;
    ensure!(
        !able.is_empty(),
        "none of the chains can run on this machine"
    );
    raise_descriptor_limit().context("cannot raise the limit of open files")?;
    let mut report = Report::new(sizes.rounds, skipped, &able, via6.as_deref());
    let session = Session {
        via6,
        limit: Duration::from_secs(args.limit),
        rounds: sizes.rounds,
    };
    for planned in workload::chosen(args, sizes) {
        report.add(session.measure(&planned, &able));
    }
    if count_instructions {
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            report.add(session.count_instructions(protocol, &able, args.size as usize));
        }
    }
    ensure!(
        report.has_figures(),
        "nothing was measured{}",
        report.failures()
    );
    output::deliver(&report, args)?;
    let holds = recorded.is_none_or(|(record, path)| {
        let comparison = Comparison::new(Record::of(&report), record, path);
        say(comparison.to_string().trim_end());
        comparison.holds()
    });
    Ok(if holds && report.all_measured() {
        Verdict::AllMeasured
    } else {
        Verdict::SomeFailed
    })
}

/// What `--compare` names. Read before anything is measured: a mistake shows at once.
fn recorded(args: &Args) -> anyhow::Result<Option<(Record, PathBuf)>> {
    ensure!(
        args.wants(Mode::Instructions) || (args.record.is_none() && args.compare.is_none()),
        "--record and --compare go with --only instructions"
    );
    let Some(path) = &args.compare else {
        return Ok(None);
    };
    Ok(Some((Record::read(path)?, path.clone())))
}

fn instructions_can_be_counted(skipped: &mut Vec<Skipped>) -> bool {
    let missing = instructions::missing();
    if let Some(reason) = &missing {
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            skipped.push(Skipped::new("instructions", protocol, reason.clone()));
        }
    }
    missing.is_none()
}

struct Session {
    via6: Option<PathBuf>,
    limit: Duration,
    rounds: u32,
}

impl Session {
    fn measure(&self, planned: &Planned, chains: &[Chain]) -> Results {
        let protocol = planned.workload.protocol();
        let carries = |chain: &&Chain| chain.protocol == protocol && planned.workload.suits(chain);
        let chains: Vec<_> = chains.iter().filter(carries).collect();
        self.interleaved(planned.heading(), &chains, |chain| {
            self.once(planned, chain)
        })
    }

    fn count_instructions(&self, protocol: Protocol, chains: &[Chain], size: usize) -> Results {
        // What a sealed link does depends on its timers, and so on how slow callgrind makes it.
        let counted =
            |chain: &&Chain| chain.protocol == protocol && chain.is_own() && !chain.is_sealed();
        let chains: Vec<_> = chains.iter().filter(counted).collect();
        let heading = instructions::heading(protocol, size);
        self.interleaved(heading, &chains, |chain| {
            instructions::measure(chain, self.via6.as_deref(), size)
        })
    }

    fn interleaved(
        &self,
        heading: Heading,
        chains: &[&Chain],
        once: impl Fn(&Chain) -> anyhow::Result<Measured>,
    ) -> Results {
        let name = heading.name.clone();
        let mut results = Results::new(heading, chains);
        for round in 1..=self.rounds {
            for chain in chains {
                if results.has_failed(&chain.name) {
                    continue;
                }
                let measured = once(chain);
                match &measured {
                    Ok(_) => say(&format!("{name} {round}/{} {}", self.rounds, chain.name)),
                    Err(error) => say(&format!("FAILED {name} {}: {error:#}", chain.name)),
                }
                results.record(&chain.name, measured);
            }
        }
        results
    }

    /// Everything afresh: server, relays, sockets. What one chain leaves behind is not the next
    /// one's.
    fn once(&self, planned: &Planned, chain: &Chain) -> anyhow::Result<Measured> {
        let _pin = planned.pinned.then(OneCpu::pin).transpose()?;
        // One thread more than sessions: the probe's may still be ending.
        let server = Server::start(chain.protocol, planned.workload.server_threads() + 1)?;
        let mut running = Running::start(chain, server.address(), self.via6.as_deref())?;
        let deadline = Instant::now() + self.limit;
        let measured = planned.workload.run(&mut Stage {
            running: &mut running,
            deadline,
        });
        // Says more than the broken session that it has caused.
        running.ensure_running()?;
        measured
        // Relays end before the server, whose threads wait for their sessions' ends.
    }
}

/// Those that can run here, and those that cannot.
fn sort_out(chains: Vec<Chain>, via6: Option<&Path>) -> anyhow::Result<(Vec<Chain>, Vec<Skipped>)> {
    let (mut able, mut skipped) = (Vec::new(), Vec::new());
    for chain in chains {
        let missing = match chain.missing(via6) {
            None if chain.is_sealed() => refusal(&chain, via6)?,
            missing => missing,
        };
        match missing {
            Some(reason) => skipped.push(Skipped::new(&chain.name, chain.protocol, reason)),
            None => able.push(chain),
        }
    }
    Ok((able, skipped))
}

/// An older via6 has no sealed links. Any other failure to start is one of the measurement.
fn refusal(chain: &Chain, via6: Option<&Path>) -> anyhow::Result<Option<String>> {
    let server = Server::start(chain.protocol, 2)?;
    Ok(chain.refusal(server.address(), via6))
}

fn list(chains: &[Chain], via6: Option<&Path>) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    for chain in chains {
        let missing = chain
            .missing(via6)
            .map_or(String::new(), |why| format!("   ({why})"));
        writeln!(stdout, "{} {:?}{missing}", chain.name, chain.protocol)?;
        for command in chain.commands() {
            writeln!(stdout, "    {command}")?;
        }
    }
    Ok(())
}

/// Idle sessions need two descriptors here each, and the relays inherit the limit.
fn raise_descriptor_limit() -> anyhow::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    if hard < 256 {
        bail!("{hard} open files are not enough");
    }
    Ok(())
}

fn say(line: &str) {
    // Progress that nobody reads any more is no reason to stop measuring.
    let _ = writeln!(io::stderr(), "{line}");
}
