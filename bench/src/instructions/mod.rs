//! Instructions that our own relays execute for a message, counted by callgrind: a figure that is
//! the same on a busy machine, and so can be compared with one recorded before (`record`).
//!
//! Each chain runs twice, with a different number of round trips; the difference leaves out what
//! relays do once. Only user space is counted: what the kernel does for a message, most of what it
//! costs, is not in it.

mod record;

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};

pub(crate) use record::{Comparison, Record};

use crate::chain::{Chain, Protocol, Running, is_installed};
use crate::figures::Metric;
use crate::meter::Noise;
use crate::report::Heading;
use crate::server::Server;
use crate::workload::{Measured, exchange_datagrams, exchange_messages};

/// Round trips of the two runs of a chain.
const COUNTS: [u32; 2] = [1000, 3000];

/// Key of the figure that is recorded and compared.
const PER_ROUND_TRIP: &str = "per_round_trip";

const VALGRIND: &str = "valgrind";

/// What every command of a chain is put behind. A relay may be several processes (`%p`).
const WRAPPER: &[&str] = &[
    VALGRIND,
    "--tool=callgrind",
    "--callgrind-out-file={scratch}/callgrind.%p",
];

/// How long a relay may take to end under callgrind, which then writes its file.
const END_LIMIT: Duration = Duration::from_secs(30);

/// Why nothing can be counted on this machine, if so.
pub(crate) fn missing() -> Option<String> {
    (!is_installed(VALGRIND)).then(|| format!("{VALGRIND} is not installed"))
}

pub(crate) fn heading(protocol: Protocol, size: usize) -> Heading {
    const METRICS: &[Metric] = &[
        Metric::lower(PER_ROUND_TRIP, "instructions/round trip", 0),
        Metric::lower("per_message_and_hop", "per message and hop", 0),
    ];
    let [few, many] = COUNTS;
    Heading {
        name: format!("instructions-{protocol}"),
        description: format!(
            "User-space instructions for {size} B there and back, counted by callgrind: {many} \
             round trips less {few}"
        ),
        pinned: false,
        metrics: METRICS,
    }
}

/// Counts the instructions of one round trip through all hops of a chain.
pub(crate) fn measure(chain: &Chain, via6: Option<&Path>, size: usize) -> anyhow::Result<Measured> {
    let [few, many] = COUNTS;
    let base = of_one_run(chain, via6, size, few)?;
    let more = of_one_run(chain, via6, size, many)?;
    ensure!(more > base, "{many} round trips took no more than {few}");
    let per_round_trip = (more - base) as f64 / f64::from(many - few);
    let messages = 2 * chain.hop_count();
    Ok(Measured {
        sample: [
            (PER_ROUND_TRIP, per_round_trip),
            ("per_message_and_hop", per_round_trip / messages as f64),
        ]
        .into(),
        noise: Noise::default(),
    })
}

fn of_one_run(chain: &Chain, via6: Option<&Path>, size: usize, count: u32) -> anyhow::Result<u64> {
    let server = Server::start(chain.protocol, 2)?;
    let mut running = Running::start_under(WRAPPER, chain, server.address(), via6)?;
    match chain.protocol {
        Protocol::Tcp => exchange_messages(running.entrance(), size, count),
        Protocol::Udp => exchange_datagrams(running.entrance(), size, count),
    }?;
    running.ensure_running()?;
    running.end(END_LIMIT);
    counted(running.scratch())
}

/// The sum of what callgrind has written for each process.
fn counted(folder: &Path) -> anyhow::Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("callgrind.") {
            let text = fs::read_to_string(&path)?;
            sum += total(&text).with_context(|| format!("there is no total in {name}"))?;
        }
    }
    ensure!(
        sum > 0,
        "callgrind has counted nothing: did a relay not end by itself?"
    );
    Ok(sum)
}

fn total(callgrind: &str) -> Option<u64> {
    let line = callgrind.lines().rev();
    let mut totals = line.filter_map(|line| line.strip_prefix("totals:"));
    totals.next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_of_a_callgrind_file_is_its_last_line() {
        let text = "events: Ir\nsummary: 806042\nfn=(1)\n0 5\ntotals: 806395\n";
        assert_eq!(total(text), Some(806_395));
        assert_eq!(total("events: Ir\n"), None);
    }
}
