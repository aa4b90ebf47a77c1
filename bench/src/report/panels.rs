//! Which figures are drawn: one panel for each, with its bars in order. What was not measured is
//! not drawn.

use super::{Kind, Report, Results, Row};
use crate::figures::{Better, Metric};

/// A figure that is worth a panel.
struct Headline {
    workload: &'static str,
    key: &'static str,
    title: &'static str,
    unit: &'static str,
}

const HEADLINES: &[Headline] = &[
    headline("pingpong", "p50_us", "Round trip, 64 B", "µs, p50"),
    headline("split", "p99_us", "Message in two writes", "µs, p99"),
    headline("game", "p50_us", "Game: answer after", "µs, p50"),
    headline(
        "game",
        "relay_us",
        "Game: CPU per message",
        "µs of relay CPU",
    ),
    headline(
        "bulk-down-1",
        "relay_ns_per_byte",
        "Download: CPU per byte",
        "ns of relay CPU",
    ),
    headline(
        "bulk-down-1",
        "gbit_per_second",
        "Download, one session",
        "Gbit/s",
    ),
    headline(
        "bulk-both-4",
        "gbit_per_second",
        "Both ways, four sessions",
        "Gbit/s",
    ),
    headline("connrate", "per_second", "New connections", "each second"),
    headline(
        "idle",
        "kib_per_session",
        "Memory of an idle session",
        "KiB",
    ),
    headline("udp-64", "p99_us", "UDP round trip, 64 B", "µs, p99"),
    headline(
        "udp-rate",
        "relay_us",
        "UDP: CPU per datagram",
        "µs of relay CPU",
    ),
    headline(
        "udp-flood",
        "per_second",
        "UDP: most datagrams",
        "each second",
    ),
];

const fn headline(
    workload: &'static str,
    key: &'static str,
    title: &'static str,
    unit: &'static str,
) -> Headline {
    Headline {
        workload,
        key,
        title,
        unit,
    }
}

/// One panel: a title, and bars from the direct connection's to the worst.
#[derive(Debug)]
pub(super) struct Panel {
    pub(super) title: &'static str,
    pub(super) about: String,
    pub(super) bars: Vec<Bar>,
}

#[derive(Debug)]
pub(super) struct Bar {
    pub(super) chain: String,
    pub(super) kind: Kind,
    /// None for a chain that failed.
    pub(super) value: Option<f64>,
    pub(super) shown: String,
}

impl Panel {
    pub(super) fn largest(&self) -> f64 {
        let values = self.bars.iter().filter_map(|bar| bar.value);
        values.fold(0.0, f64::max)
    }
}

impl Report {
    pub(super) fn panels(&self) -> Vec<Panel> {
        let of = |headline: &Headline| {
            let mut all = self.workloads.iter();
            let results = all.find(|results| results.name == headline.workload)?;
            results.panel(headline)
        };
        HEADLINES.iter().filter_map(of).collect()
    }
}

impl Results {
    fn panel(&self, headline: &Headline) -> Option<Panel> {
        let mut metrics = self.metrics.iter();
        let metric = metrics.find(|metric| metric.key == headline.key)?;
        let mut bars: Vec<Bar> = self
            .rows
            .iter()
            // Nobody plays through a bare relay.
            .filter(|row| row.kind != Kind::Bare)
            .map(|row| bar(row, metric))
            // A direct connection has no relay that could use anything.
            .filter(|bar| bar.kind != Kind::Direct || bar.value.is_some_and(|value| value > 0.0))
            .collect();
        bars.sort_by(|one, other| order(one, other, metric.better));
        let drawn = bars.iter().any(|bar| bar.value.is_some());
        let better = match metric.better {
            Better::Lower => "less is better",
            Better::Higher => "more is better",
        };
        drawn.then(|| Panel {
            title: headline.title,
            about: format!("{} · {better}", headline.unit),
            bars,
        })
    }
}

fn bar(row: &Row, metric: &Metric) -> Bar {
    let value = row.figures.get(metric.key);
    let value = value.map(|figure| figure.compared(metric));
    Bar {
        chain: row.chain.clone(),
        kind: row.kind,
        value: value.filter(|_| row.failure.is_none()),
        shown: match value {
            Some(value) if row.failure.is_none() => readable(value, metric.decimals),
            _ => "failed".to_owned(),
        },
    }
}

/// The direct connection first, then from the best to the worst, then what failed.
fn order(one: &Bar, other: &Bar, better: Better) -> std::cmp::Ordering {
    let rank = |bar: &Bar| (bar.kind != Kind::Direct, bar.value.is_none());
    let value = |bar: &Bar| bar.value.unwrap_or_default();
    let by_value = match better {
        Better::Lower => value(one).total_cmp(&value(other)),
        Better::Higher => value(other).total_cmp(&value(one)),
    };
    rank(one).cmp(&rank(other)).then(by_value)
}

/// With thousands set apart; large values without decimals.
fn readable(value: f64, decimals: usize) -> String {
    let decimals = if value >= 1000.0 { 0 } else { decimals };
    let text = format!("{value:.decimals$}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            // A narrow space that does not break.
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    if fraction.is_empty() {
        grouped
    } else {
        format!("{grouped}.{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::picture::tests::report;
    use super::*;

    #[test]
    fn values_are_readable() {
        assert_eq!(readable(0.147, 3), "0.147");
        assert_eq!(readable(44_123.4, 1), "44\u{202f}123");
        assert_eq!(readable(1_234_567.0, 0), "1\u{202f}234\u{202f}567");
        assert_eq!(readable(999.0, 1), "999.0");
    }

    #[test]
    fn bars_go_from_direct_over_best_to_worst_and_failed() {
        let panels = report().panels();
        let chains = |title: &str| -> Vec<String> {
            let mut found = panels.iter().filter(|panel| panel.title == title);
            let panel = found.next().unwrap();
            panel.bars.iter().map(|bar| bar.chain.clone()).collect()
        };
        assert_eq!(
            chains("Round trip, 64 B"),
            ["direct", "via6", "slow <relay>", "broken"]
        );
        assert_eq!(panels[0].bars[3].shown, "failed");
        assert_eq!(
            chains("New connections"),
            ["direct", "via6", "slow <relay>", "broken"]
        );
    }
}
