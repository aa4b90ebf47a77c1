//! The order of things: for each workload, rounds; in each round, every chain once. What drifts
//! over minutes hits all chains alike.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::affinity::OneCpu;
use crate::args::{Args, Sizes};
use crate::chain::{self, Chain, Protocol, Running};
use crate::report::{Report, Results, Skipped};
use crate::server::Server;
use crate::workload::{self, Measured, Planned, Stage};

/// How a run ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Every chain that could run was measured.
    AllMeasured,
    /// At least one measurement failed: bytes were wrong or did not arrive.
    SomeFailed,
}

/// Runs what the command line asks for; prints the table to stdout, progress to stderr.
///
/// # Errors
/// Before the first measurement, for what cannot be run as asked; after the last, when the results
/// cannot be written. A measurement that fails is in the report instead.
pub fn run(args: &Args) -> anyhow::Result<Verdict> {
    let via6 = chain::find_via6(args)?;
    let chains = chain::catalogue(args)?;
    let sizes = args.sizes()?;
    if args.list {
        list(&chains, via6.as_deref())?;
        return Ok(Verdict::AllMeasured);
    }
    let (able, skipped) = sort_out(chains, via6.as_deref());
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
    };
    for planned in workload::chosen(args, sizes) {
        report.add(session.measure(&planned, &able, sizes));
    }
    ensure!(
        report.has_figures(),
        "nothing was measured{}",
        report.failures()
    );
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(report.markdown().as_bytes())
        .context("cannot write to stdout")?;
    stdout.flush().context("cannot write to stdout")?;
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(path, text + "\n")
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(if report.all_measured() {
        Verdict::AllMeasured
    } else {
        Verdict::SomeFailed
    })
}

struct Session {
    via6: Option<PathBuf>,
    limit: Duration,
}

impl Session {
    fn measure(&self, planned: &Planned, chains: &[Chain], sizes: Sizes) -> Results {
        let protocol = planned.workload.protocol();
        let chains: Vec<_> = chains
            .iter()
            .filter(|chain| chain.protocol == protocol)
            .collect();
        let mut results = Results::new(planned, &chains);
        for round in 1..=sizes.rounds {
            for chain in &chains {
                if results.has_failed(&chain.name) {
                    continue;
                }
                let measured = self.once(planned, chain);
                let name = planned.workload.name();
                match &measured {
                    Ok(_) => say(&format!("{name} {round}/{} {}", sizes.rounds, chain.name)),
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
        let server = match chain.protocol {
            // One thread more than sessions: the probe's may still be ending.
            Protocol::Tcp => Server::tcp(planned.workload.server_threads() + 1)?,
            Protocol::Udp => Server::udp()?,
        };
        let mut running = Running::start(chain, server.address(), self.via6.as_deref())?;
        let deadline = Instant::now() + self.limit;
        let measured = planned.workload.run(&Stage {
            running: &running,
            deadline,
        });
        // Says more than the broken session that it has caused.
        running.ensure_running()?;
        measured
        // Relays end before the server, whose threads wait for their sessions' ends.
    }
}

fn sort_out(chains: Vec<Chain>, via6: Option<&Path>) -> (Vec<Chain>, Vec<Skipped>) {
    let mut skipped = Vec::new();
    let able = chains
        .into_iter()
        .filter(|chain| {
            let missing = chain.missing(via6);
            if let Some(reason) = &missing {
                skipped.push(Skipped::new(chain, reason.clone()));
            }
            missing.is_none()
        })
        .collect();
    (able, skipped)
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
