//! Instruction counts of an earlier day, one chain a line: name, protocol, instructions of a round
//! trip, and the compiler, which has a say in them too.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use super::PER_ROUND_TRIP;
use crate::chain::Protocol;
use crate::report::Report;

/// Percent above the record that are still taken for the same: what two runs differ by, and then
/// some.
const TOLERANCE_PERCENT: f64 = 5.0;

const HEAD: &str = "\
# User-space instructions of a round trip through both hops: chain, protocol, instructions, compiler.
# Recorded by: via6-bench --only instructions --record FILE
";

/// Counts by chain.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    lines: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq)]
struct Line {
    chain: String,
    protocol: Protocol,
    instructions: f64,
    compiler: String,
}

impl Line {
    fn is_of(&self, other: &Self) -> bool {
        (&self.chain, self.protocol) == (&other.chain, other.protocol)
    }
}

impl Record {
    /// What has just been measured.
    pub(crate) fn of(report: &Report) -> Self {
        let compiler = compiler();
        let lines = [Protocol::Tcp, Protocol::Udp]
            .into_iter()
            .flat_map(|protocol| {
                let workload = format!("instructions-{protocol}");
                let figures = report.best(&workload, PER_ROUND_TRIP);
                figures.into_iter().map(move |figure| (protocol, figure))
            })
            .map(|(protocol, (chain, instructions))| Line {
                chain,
                protocol,
                instructions,
                compiler: compiler.clone(),
            })
            .collect();
        Self { lines }
    }

    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("in {}", path.display()))
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let lines = text
            .lines()
            .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
            .map(|line| parse_line(line).with_context(|| format!("in {line:?}")))
            .collect::<anyhow::Result<Vec<_>>>()?;
        ensure!(!lines.is_empty(), "nothing is recorded");
        Ok(Self { lines })
    }

    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        std::fs::write(path, self.to_string())
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

fn parse_line(line: &str) -> anyhow::Result<Line> {
    let mut words = line.split_whitespace();
    let chain = words.next().context("there is no chain")?.to_owned();
    let protocol = words.next().context("there is no protocol")?.parse()?;
    let instructions = words.next().context("there is no number")?;
    let instructions: f64 = instructions.parse().context("cannot read the number")?;
    ensure!(
        instructions.is_finite() && instructions > 0.0,
        "{instructions} is no number of instructions"
    );
    let compiler = words.collect::<Vec<_>>().join(" ");
    Ok(Line {
        chain,
        protocol,
        instructions,
        compiler,
    })
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        for line in &self.lines {
            let Line {
                chain,
                protocol,
                instructions,
                compiler,
            } = line;
            writeln!(f, "{chain} {protocol} {instructions:.0} {compiler}")?;
        }
        Ok(())
    }
}

/// `rustc 1.95.0`, or that it is not known.
fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output();
    let text = output.map_or_else(|_| Vec::new(), |output| output.stdout);
    let text = String::from_utf8_lossy(&text);
    let words: Vec<_> = text.split_whitespace().take(2).collect();
    if words.is_empty() {
        "unknown".to_owned()
    } else {
        words.join(" ")
    }
}

/// What was measured beside what was recorded.
pub(crate) struct Comparison {
    measured: Record,
    recorded: Record,
    path: PathBuf,
}

impl Comparison {
    pub(crate) fn new(measured: Record, recorded: Record, path: PathBuf) -> Self {
        Self {
            measured,
            recorded,
            path,
        }
    }

    /// Whether nothing costs noticeably more than it did, or was never recorded.
    pub(crate) fn holds(&self) -> bool {
        let lines = &self.measured.lines;
        lines.iter().all(|line| {
            self.excess_percent(line)
                .is_some_and(|it| it <= TOLERANCE_PERCENT)
        })
    }

    fn recorded(&self, measured: &Line) -> Option<&Line> {
        self.recorded.lines.iter().find(|line| line.is_of(measured))
    }

    fn excess_percent(&self, measured: &Line) -> Option<f64> {
        let recorded = self.recorded(measured)?.instructions;
        Some((measured.instructions / recorded - 1.0) * 100.0)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.measured.lines {
            let (chain, protocol, now) = (&line.chain, line.protocol, line.instructions);
            write!(
                f,
                "{chain} {protocol}: {now:.0} instructions a round trip, "
            )?;
            match (self.recorded(line), self.excess_percent(line)) {
                (Some(recorded), Some(excess)) => {
                    let verdict = if excess > TOLERANCE_PERCENT {
                        " TOO MANY"
                    } else {
                        ""
                    };
                    let then = recorded.instructions;
                    writeln!(f, "recorded {then:.0} ({excess:+.1} %){verdict}")?;
                    if recorded.compiler != line.compiler {
                        let (before, now) = (&recorded.compiler, &line.compiler);
                        writeln!(f, "    the record was made with {before}, this is {now}")?;
                    }
                }
                _ => writeln!(f, "NOT RECORDED")?,
            }
        }
        if !self.holds() {
            writeln!(
                f,
                "hint: if that is meant, record it anew: via6-bench --only instructions --record {}",
                self.path.display()
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(measured: &str, recorded: &str) -> Comparison {
        let record = |text| Record::parse(text).unwrap();
        Comparison::new(record(measured), record(recorded), "counts.txt".into())
    }

    #[test]
    fn what_is_written_can_be_read_again() {
        let record = Record::parse("via6 tcp 10500 rustc 1.95.0\nvia6 udp 9000 unknown").unwrap();
        assert_eq!(Record::parse(&record.to_string()).unwrap(), record);
        for wrong in [
            "",
            "# no more",
            "via6",
            "via6 sctp 1",
            "via6 tcp x",
            "via6 tcp 0",
        ] {
            assert!(Record::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn five_percent_more_is_the_same_and_six_is_not() {
        let recorded = "via6 tcp 10000 rustc 1.95.0\nvia6 udp 10000 rustc 1.95.0";
        let same = compared("via6 udp 10490 rustc 1.95.0", recorded);
        assert!(same.holds());
        let told = same.to_string();
        assert_eq!(
            told,
            "via6 udp: 10490 instructions a round trip, recorded 10000 (+4.9 %)\n"
        );
        assert!(compared("via6 tcp 5000 rustc 1.95.0", recorded).holds());
        let more = compared("via6 tcp 10600 rustc 1.96.0", recorded);
        assert!(!more.holds());
        let told = more.to_string();
        assert!(
            told.contains("10600") && told.contains("10000 (+6.0 %) TOO MANY"),
            "{told}"
        );
        assert!(
            told.contains("rustc 1.95.0, this is rustc 1.96.0"),
            "{told}"
        );
        assert!(told.contains("--record counts.txt"), "{told}");
    }

    #[test]
    fn what_was_never_recorded_does_not_hold() {
        let comparison = compared("other tcp 1 x", "via6 tcp 1 x");
        assert!(!comparison.holds());
        assert!(comparison.to_string().contains("NOT RECORDED"));
    }
}
