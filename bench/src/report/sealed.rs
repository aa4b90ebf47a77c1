//! Sealed links beside what they are held against: open links, and the bare relays of the same
//! transport. The one table with goals in it; whether they are reached fails nothing.

use std::fmt::{self, Write as _};

use super::{Report, Results};
use crate::workload::{HOST_KIB, JOINER_KIB};

/// A ratio to nothing, or a figure that was not measured.
const NONE: &str = "–";

/// The open link.
const OPEN: &str = "via6";

/// What has everything of a bare relay but the sealing.
const BARE_OPEN: &str = "bare-tcp";

/// A transport: via6 over it, and the least that any relay over it takes.
struct Transport {
    name: &'static str,
    sealed: &'static str,
    bare: &'static str,
}

const TRANSPORTS: [Transport; 2] = [
    Transport {
        name: "QUIC",
        sealed: "via6-sealed",
        bare: "bare-quinn",
    },
    Transport {
        name: "TLS",
        sealed: "via6-sealed-tls",
        bare: "bare-tls",
    },
];

/// What a sealed link is to keep to.
#[derive(Clone, Copy)]
enum Goal {
    /// At most this often the bare relay's figure of the same run.
    MostOfBare(f64),
    /// At most this often the open link's.
    MostOfOpen(f64),
    /// At least this often the open link's.
    LeastOfOpen(f64),
    /// At most this many of the figure's unit.
    Limit(f64),
}

struct Line {
    title: &'static str,
    workload: &'static str,
    read: Read,
    goal: Goal,
}

#[derive(Clone, Copy)]
enum Read {
    /// A figure of the workload's, by its key.
    Figure(&'static str),
    /// What the host grows by for a link, and what the joiner has beyond an open one.
    BothEnds,
}

const fn line(title: &'static str, workload: &'static str, read: Read, goal: Goal) -> Line {
    Line {
        title,
        workload,
        read,
        goal,
    }
}

const LINES: &[Line] = &[
    line(
        "download, relay CPU ns/B",
        "bulk-down-1",
        Read::Figure("relay_ns_per_byte"),
        Goal::MostOfBare(1.15),
    ),
    line(
        "upload, relay CPU ns/B",
        "bulk-up-1",
        Read::Figure("relay_ns_per_byte"),
        Goal::MostOfBare(1.15),
    ),
    line(
        "both ways, four sessions, relay CPU ns/B",
        "bulk-both-4",
        Read::Figure("relay_ns_per_byte"),
        Goal::MostOfBare(1.15),
    ),
    line(
        "round trip, 64 B, p50 µs",
        "pingpong",
        Read::Figure("p50_us"),
        Goal::MostOfOpen(1.6),
    ),
    line(
        "new sessions each second",
        "connrate",
        Read::Figure("per_second"),
        Goal::LeastOfOpen(0.9),
    ),
    line(
        "memory of a link, both ends, KiB",
        "links",
        Read::BothEnds,
        Goal::Limit(128.0),
    ),
    line(
        "memory of a further session, both ends, KiB",
        "idle",
        Read::Figure("kib_per_session"),
        Goal::Limit(8.0),
    ),
];

impl Report {
    /// The table; nothing when neither a sealed link nor a bare relay was measured.
    pub(super) fn sealed_table(&self) -> Vec<String> {
        let lines: Vec<String> = LINES.iter().filter_map(|line| self.sealed(line)).collect();
        if lines.is_empty() {
            return lines;
        }
        let mut head = "| | open |".to_owned();
        let mut rule = "| --- | ---: |".to_owned();
        for Transport { name, .. } in TRANSPORTS {
            // Writing to a String cannot fail.
            let _ = write!(head, " bare {name} | sealed {name} | |");
            rule.push_str(" ---: | ---: | ---: |");
        }
        [[head + " goal |", rule + " --- |"].as_slice(), &lines].concat()
    }

    fn sealed(&self, line: &Line) -> Option<String> {
        let results = self
            .workloads
            .iter()
            .find(|one| one.name == line.workload)?;
        let decimals = results.decimals(line.read);
        let shown = |value: Option<f64>| {
            value.map_or(NONE.to_owned(), |value| format!("{value:.decimals$}"))
        };
        let open = results.read(line.read, OPEN, OPEN);
        let mut cells = vec![line.title.to_owned(), shown(open)];
        let mut measured = false;
        for Transport { sealed, bare, .. } in TRANSPORTS {
            let bare = results.read(line.read, bare, BARE_OPEN);
            let sealed = results.read(line.read, sealed, OPEN);
            measured |= bare.is_some() || sealed.is_some();
            cells.extend([
                shown(bare),
                shown(sealed),
                line.goal.held(sealed, bare, open),
            ]);
        }
        cells.push(line.goal.to_string());
        measured.then(|| format!("| {} |", cells.join(" | ")))
    }
}

impl Results {
    /// A chain's figure; `plain` is what it would be without a sealed link.
    fn read(&self, read: Read, chain: &str, plain: &str) -> Option<f64> {
        match read {
            Read::Figure(key) => self.figure(chain, key),
            Read::BothEnds => {
                let joiner = self.figure(chain, JOINER_KIB)? - self.figure(plain, JOINER_KIB)?;
                Some(self.figure(chain, HOST_KIB)? + joiner)
            }
        }
    }

    fn figure(&self, chain: &str, key: &str) -> Option<f64> {
        let metric = self.metrics.iter().find(|metric| metric.key == key)?;
        let row = self.rows.iter().find(|row| row.chain == chain)?;
        let figure = row.figures.get(key).filter(|_| row.failure.is_none())?;
        Some(figure.compared(metric))
    }

    fn decimals(&self, read: Read) -> usize {
        let key = match read {
            Read::Figure(key) => key,
            Read::BothEnds => HOST_KIB,
        };
        let mut metrics = self.metrics.iter();
        let metric = metrics.find(|metric| metric.key == key);
        metric.map_or(1, |metric| metric.decimals)
    }
}

impl Goal {
    /// What is compared with the goal, and a mark that says whether it is reached.
    fn held(self, sealed: Option<f64>, bare: Option<f64>, open: Option<f64>) -> String {
        let mark = |reached| if reached { "✓" } else { "✗" };
        let ratio = |to: Option<f64>| Some(sealed? / to.filter(|&to| to > 0.0)?);
        let (ratio, reached) = match self {
            Self::MostOfBare(most) => (ratio(bare), ratio(bare).map(|ratio| ratio <= most)),
            Self::MostOfOpen(most) => (ratio(open), ratio(open).map(|ratio| ratio <= most)),
            Self::LeastOfOpen(least) => (ratio(open), ratio(open).map(|ratio| ratio >= least)),
            Self::Limit(most) => (None, sealed.map(|sealed| sealed <= most)),
        };
        match (ratio, reached) {
            (Some(ratio), Some(reached)) => format!("{ratio:.2} {}", mark(reached)),
            (None, Some(reached)) => mark(reached).to_owned(),
            _ => NONE.to_owned(),
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MostOfBare(most) => write!(f, "≤ {most} × bare"),
            Self::MostOfOpen(most) => write!(f, "≤ {most} × open"),
            Self::LeastOfOpen(least) => write!(f, "≥ {least} × open"),
            Self::Limit(most) => write!(f, "≤ {most}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clap::Parser as _;

    use super::super::{Figure, Heading, Kind, Row};
    use super::*;
    use crate::args::Args;
    use crate::chain::catalogue;
    use crate::figures::Metric;

    type Chain = (&'static str, &'static [(&'static str, f64)]);

    fn results(name: &str, metrics: &'static [Metric], chains: &[Chain]) -> Results {
        let heading = Heading {
            name: name.to_owned(),
            description: "a load".to_owned(),
            pinned: false,
            metrics,
        };
        let mut results = Results::new(heading, &[]);
        let figure = |&(key, best): &(&'static str, f64)| (key, Figure { best, median: best });
        results.rows = chains
            .iter()
            .map(|(chain, figures)| Row {
                chain: (*chain).to_owned(),
                kind: Kind::Own,
                figures: figures.iter().map(figure).collect::<BTreeMap<_, _>>(),
                rounds: Vec::new(),
                failure: None,
            })
            .collect();
        results
    }

    fn table(results: impl IntoIterator<Item = Results>) -> Vec<String> {
        let mut report = Report::new(1, Vec::new(), &[], None);
        results.into_iter().for_each(|one| report.add(one));
        report.sealed_table()
    }

    const CPU: &[Metric] = &[Metric::lower("relay_ns_per_byte", "relay CPU ns/B", 3)];
    const TIME: &[Metric] = &[Metric::lower("p50_us", "p50 µs", 1)];
    const RATE: &[Metric] = &[Metric::higher("per_second", "connections/s", 0)];
    const KIB: &[Metric] = &[
        Metric::lower(HOST_KIB, "host", 1),
        Metric::lower(JOINER_KIB, "joiner", 1),
    ];

    #[test]
    fn each_goal_is_held_against_what_it_names() {
        let bulk: [Chain; 5] = [
            ("via6", &[("relay_ns_per_byte", 0.25)]),
            ("bare-quinn", &[("relay_ns_per_byte", 3.0)]),
            ("via6-sealed", &[("relay_ns_per_byte", 3.3)]),
            ("bare-tls", &[("relay_ns_per_byte", 1.5)]),
            ("via6-sealed-tls", &[("relay_ns_per_byte", 1.8)]),
        ];
        let trips: [Chain; 3] = [
            ("via6", &[("p50_us", 50.0)]),
            ("via6-sealed", &[("p50_us", 80.0)]),
            ("via6-sealed-tls", &[("p50_us", 81.0)]),
        ];
        let rates: [Chain; 2] = [
            ("via6", &[("per_second", 5000.0)]),
            ("via6-sealed", &[("per_second", 4400.0)]),
        ];
        let lines = table([
            results("bulk-down-1", CPU, &bulk),
            results("pingpong", TIME, &trips),
            results("connrate", RATE, &rates),
        ]);
        assert_eq!(
            lines[2..],
            [
                "| download, relay CPU ns/B | 0.250 | 3.000 | 3.300 | 1.10 ✓ | 1.500 | 1.800 | \
                 1.20 ✗ | ≤ 1.15 × bare |",
                "| round trip, 64 B, p50 µs | 50.0 | – | 80.0 | 1.60 ✓ | – | 81.0 | 1.62 ✗ | \
                 ≤ 1.6 × open |",
                "| new sessions each second | 5000 | – | 4400 | 0.88 ✗ | – | – | – | ≥ 0.9 × open |",
            ]
        );
        let columns = |line: &String| line.matches(" |").count();
        assert!(lines.iter().all(|line| columns(line) == columns(&lines[2])));
    }

    #[test]
    fn a_link_is_what_the_host_grows_by_and_a_joiner_has_beyond_an_open_one() {
        let chains: [Chain; 4] = [
            ("via6", &[(HOST_KIB, 2.0), (JOINER_KIB, 300.0)]),
            ("via6-sealed", &[(HOST_KIB, 60.0), (JOINER_KIB, 369.0)]),
            ("bare-tcp", &[(HOST_KIB, 1.0), (JOINER_KIB, 200.0)]),
            ("bare-quinn", &[(HOST_KIB, 50.0), (JOINER_KIB, 230.0)]),
        ];
        let lines = table([results("links", KIB, &chains)]);
        assert_eq!(
            lines[2],
            "| memory of a link, both ends, KiB | 2.0 | 80.0 | 129.0 | ✗ | – | – | – | ≤ 128 |"
        );
    }

    #[test]
    fn without_sealed_links_and_bare_relays_there_is_no_table() {
        let open: [Chain; 1] = [("via6", &[("p50_us", 50.0)])];
        assert!(table([results("pingpong", TIME, &open)]).is_empty());
    }

    #[test]
    fn the_chains_of_the_table_are_known() {
        let known = catalogue(&Args::parse_from(["via6-bench"])).unwrap();
        let sealed = TRANSPORTS.iter().flat_map(|one| [one.sealed, one.bare]);
        for name in sealed.chain([OPEN, BARE_OPEN]) {
            assert!(known.iter().any(|chain| chain.name == name), "{name}");
        }
    }
}
