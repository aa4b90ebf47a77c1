//! The Markdown that people read: what it was measured on, then a table for each workload.

use std::fmt::Write as _;

use super::{Kind, Report, Results, Row, Skipped};
use crate::figures::Metric;

/// A ratio to nothing, or a figure that was not measured.
const NONE: &str = "–";

impl Report {
    pub(crate) fn markdown(&self) -> String {
        let mut lines = vec!["# Relays side by side".to_owned(), String::new()];
        lines.extend(self.machine_lines());
        lines.extend(self.version_lines());
        lines.extend([String::new(), self.reading(), String::new()]);
        lines.extend(self.tables("##"));
        let sealed = self.sealed_table();
        if !sealed.is_empty() {
            let title = "## Sealed links beside open ones and bare relays";
            lines.extend([String::new(), title.to_owned(), String::new()]);
            lines.extend(sealed);
        }
        lines.join("\n") + "\n"
    }

    /// When, where and by which command.
    pub(super) fn machine_lines(&self) -> Vec<String> {
        let machine = &self.machine;
        vec![
            format!("- {} UTC, load before {}", self.date, machine.load),
            format!(
                "- {} × {}, Linux {}",
                machine.cpus, machine.cpu, machine.kernel
            ),
            format!(
                "- loopback, congestion control {}",
                machine.congestion_control
            ),
            format!("- `{}`", self.command()),
        ]
    }

    /// The command line, without the folder this program is in: it is no part of what was asked.
    fn command(&self) -> String {
        let arguments = self.command_line.iter().skip(1).map(|argument| {
            if argument.is_empty() || argument.contains(char::is_whitespace) {
                format!("'{argument}'")
            } else {
                argument.clone()
            }
        });
        let words: Vec<String> = std::iter::once("via6-bench".to_owned())
            .chain(arguments)
            .collect();
        words.join(" ")
    }

    fn version_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for version in self.chains.iter().flat_map(|chain| &chain.versions) {
            let line = format!("- {version}");
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        let skipped = |skipped: &Skipped| format!("- **skipped** {skipped}");
        lines.extend(self.skipped.iter().map(skipped));
        lines
    }

    /// How the cells of the tables are to be read.
    pub(super) fn reading(&self) -> String {
        let rounds = match self.rounds {
            1 => "A single round (in brackets the median, the same).".to_owned(),
            rounds => format!("Best of {rounds} interleaved rounds, in brackets the median."),
        };
        format!(
            "{rounds} Ratios compare best rounds: “× direct” to the connection without relays, “× \
             peer” to the best chain that is neither via6 nor one of the bare relays. Memory, whose noise goes both ways, is shown \
             and compared by medians."
        )
    }

    /// All tables, each with a heading of the given level.
    pub(super) fn tables(&self, level: &str) -> Vec<String> {
        let tables: Vec<Vec<String>> = self
            .workloads
            .iter()
            .map(|results| results.markdown(level))
            .collect();
        tables.join(&String::new())
    }
}

impl Results {
    fn markdown(&self, level: &str) -> Vec<String> {
        let place = if self.pinned_to_one_cpu {
            "; all on one CPU"
        } else {
            ""
        };
        let mut head = "| chain |".to_owned();
        let mut rule = "| --- |".to_owned();
        for metric in self.metrics {
            let columns = [
                (true, metric.title),
                (metric.against_direct, "× direct"),
                (metric.against_peer, "× peer"),
            ];
            for (_, title) in columns.iter().filter(|(shown, _)| *shown) {
                // Writing to a String cannot fail.
                let _ = write!(head, " {title} |");
                rule.push_str(" ---: |");
            }
        }
        let title = format!("{level} {}", self.name);
        let mut about = format!("{}{place}.", self.description);
        if let Some(others) = self.noise.percent() {
            let _ = write!(about, " Other programs: {others:.1} % of the machine.");
        }
        let mut lines = vec![title, String::new(), about];
        lines.extend([String::new(), head, rule]);
        lines.extend(self.rows.iter().map(|row| self.line(row)));
        for row in &self.rows {
            if let Some(failure) = &row.failure {
                lines.extend([
                    String::new(),
                    format!("**failed** {}: {failure}", row.chain),
                ]);
            }
        }
        lines
    }

    fn line(&self, row: &Row) -> String {
        let mut line = format!("| {} |", row.chain);
        for metric in self.metrics {
            let decimals = metric.decimals;
            let figure = row.figures.get(metric.key);
            let shown = match figure {
                None => NONE.to_owned(),
                Some(figure) if metric.by_median => format!("{:.decimals$}", figure.median),
                Some(figure) => {
                    format!("{:.decimals$} ({:.decimals$})", figure.best, figure.median)
                }
            };
            let _ = write!(line, " {shown} |");
            for (column, kind) in [
                (metric.against_direct, Kind::Direct),
                (metric.against_peer, Kind::Peer),
            ] {
                if column {
                    let _ = write!(line, " {} |", self.ratio(row, metric, kind));
                }
            }
        }
        line
    }

    /// How often the row's figure holds that of the best row of the other kind.
    fn ratio(&self, row: &Row, metric: &Metric, kind: Kind) -> String {
        if kind == Kind::Peer && row.kind == Kind::Direct {
            return NONE.to_owned();
        }
        let others = self.rows.iter().filter(|other| other.kind == kind);
        let other = metric
            .best(others.filter_map(|other| Some(other.figures.get(metric.key)?.compared(metric))));
        let own = row
            .figures
            .get(metric.key)
            .map(|figure| figure.compared(metric));
        match own.zip(other) {
            Some((own, other)) if other > 0.0 => format!("{:.2}", own / other),
            _ => NONE.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::Figure;
    use super::*;
    use crate::meter::Noise;

    fn row(chain: &str, kind: Kind, best: f64, failure: Option<&str>) -> Row {
        Row {
            chain: chain.to_owned(),
            kind,
            figures: BTreeMap::from([(
                "speed",
                Figure {
                    best,
                    median: best / 2.0,
                },
            )]),
            rounds: Vec::new(),
            failure: failure.map(str::to_owned),
        }
    }

    #[test]
    fn what_is_compared_by_median_shows_no_best_round() {
        const METRICS: &[Metric] = &[Metric::lower("speed", "KiB", 1).by_median().against_peer()];
        let results = Results {
            name: "idle".to_owned(),
            description: "nothing".to_owned(),
            pinned_to_one_cpu: false,
            rows: vec![
                row("via6", Kind::Own, 20.0, None),
                row("peer", Kind::Peer, 40.0, None),
            ],
            metrics: METRICS,
            noise: Noise::default(),
        };
        let lines = results.markdown("##");
        assert_eq!(
            lines[6..],
            ["| via6 | 10.0 | 0.50 |", "| peer | 20.0 | 1.00 |"]
        );
    }

    #[test]
    fn ratios_are_to_the_best_peer_and_to_direct() {
        const METRICS: &[Metric] = &[Metric::higher("speed", "Gbit/s", 1)
            .against_direct()
            .against_peer()];
        let results = Results {
            name: "bulk".to_owned(),
            description: "much".to_owned(),
            pinned_to_one_cpu: true,
            rows: vec![
                row("direct", Kind::Direct, 40.0, None),
                row("via6", Kind::Own, 20.0, None),
                row("slow", Kind::Peer, 4.0, Some("it broke")),
                row("quick", Kind::Peer, 10.0, None),
            ],
            metrics: METRICS,
            noise: Noise::default(),
        };
        assert_eq!(
            results.markdown("##"),
            [
                "## bulk",
                "",
                "much; all on one CPU.",
                "",
                "| chain | Gbit/s | × direct | × peer |",
                "| --- | ---: | ---: | ---: |",
                "| direct | 40.0 (20.0) | 1.00 | – |",
                "| via6 | 20.0 (10.0) | 0.50 | 2.00 |",
                "| slow | 4.0 (2.0) | 0.10 | 0.40 |",
                "| quick | 10.0 (5.0) | 0.25 | 1.00 |",
                "",
                "**failed** slow: it broke",
            ]
        );
    }
}
