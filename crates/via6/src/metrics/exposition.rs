//! What a running via6 tells of itself, as Prometheus reads it: text exposition format, version 0.0.4.
//!
//! [`FAMILIES`] is the one table of all metrics; `docs/reference/metrics.md` describes the same to
//! people. Every series there can be is there from the first scrape, at 0: `rate()` and `increase()`
//! cannot see a step from nothing to 1. No address of anybody is in it, and no label that grows with
//! the number of players.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display, Write};

use via6_core::reason::{
    AcceptTrouble, CloseReason, DropReason, FlowEndReason, Reason, ShedReason,
};

use super::process::Process;
use super::relays::{Relay, merged};
use crate::status::{Dials, Status, Totals};

/// What [`render`] writes, for the header of the response.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All samples of one name.
struct Family {
    name: &'static str,
    help: &'static str,
    kind: Kind,
    samples: Samples,
}

#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// What a family has samples of, which says what labels they have.
enum Samples {
    /// One of the process; none where its system does not tell.
    OfProcess(fn(&Status, &Process) -> Option<Number>),
    /// One of the process, always 1, with its version as a label.
    Version,
    /// One of each relay.
    Each(fn(&Relay<'_>) -> u64),
    /// Two of each relay: up and down.
    Directions(fn(&Totals) -> (u64, u64)),
    /// One of each relay and each value of this label, of which these are known.
    By(&'static str, fn() -> Vec<&'static str>, Counted),
    /// A histogram of each relay.
    Durations(fn(&Totals) -> &Dials),
}

/// Counts by the word for what is counted.
type Counted = fn(&Totals) -> &BTreeMap<String, u64>;

/// Every metric, in the order in which they are written.
const FAMILIES: &[Family] = &[
    Family {
        name: "via6_build_info",
        help: "Always 1; the version of via6 is its label.",
        kind: Kind::Gauge,
        samples: Samples::Version,
    },
    Family {
        name: "via6_uptime_seconds",
        help: "Time since via6 was started.",
        kind: Kind::Gauge,
        samples: Samples::OfProcess(|status, _| Some(Number::millis(status.up_ms))),
    },
    Family {
        name: "via6_sessions",
        help: "Live TCP sessions.",
        kind: Kind::Gauge,
        samples: Samples::Each(|relay| relay.sessions_live),
    },
    Family {
        name: "via6_sessions_opened_total",
        help: "TCP sessions that began.",
        kind: Kind::Counter,
        samples: Samples::Each(|relay| relay.totals.sessions_opened),
    },
    Family {
        name: "via6_sessions_ended_total",
        help: "TCP sessions that ended, by reason.",
        kind: Kind::Counter,
        samples: Samples::By("reason", labels::<CloseReason>, |totals| {
            &totals.sessions_ended
        }),
    },
    Family {
        name: "via6_session_bytes_total",
        help: "Bytes of TCP sessions that the receiving system has taken.",
        kind: Kind::Counter,
        samples: Samples::Directions(|totals| (totals.session_bytes_up, totals.session_bytes_down)),
    },
    Family {
        name: "via6_flows",
        help: "Live UDP flows.",
        kind: Kind::Gauge,
        samples: Samples::Each(|relay| relay.flows_live),
    },
    Family {
        name: "via6_flows_opened_total",
        help: "UDP flows that began.",
        kind: Kind::Counter,
        samples: Samples::Each(|relay| relay.totals.flows_opened),
    },
    Family {
        name: "via6_flows_ended_total",
        help: "UDP flows that ended, by reason.",
        kind: Kind::Counter,
        samples: Samples::By("reason", labels::<FlowEndReason>, |totals| {
            &totals.flows_ended
        }),
    },
    Family {
        name: "via6_flow_bytes_total",
        help: "Payload bytes of datagrams that were sent on.",
        kind: Kind::Counter,
        samples: Samples::Directions(|totals| (totals.flow_bytes_up, totals.flow_bytes_down)),
    },
    Family {
        name: "via6_flow_datagrams_total",
        help: "Datagrams that were sent on.",
        kind: Kind::Counter,
        samples: Samples::Directions(|totals| (totals.datagrams_up, totals.datagrams_down)),
    },
    Family {
        name: "via6_connections_shed_total",
        help: "TCP connections that were refused before they became sessions, by reason.",
        kind: Kind::Counter,
        samples: Samples::By("reason", labels::<ShedReason>, |totals| &totals.shed),
    },
    Family {
        name: "via6_datagrams_dropped_total",
        help: "Datagrams that were deliberately not sent on, by reason.",
        kind: Kind::Counter,
        samples: Samples::By("reason", labels::<DropReason>, |totals| &totals.dropped),
    },
    Family {
        name: "via6_accept_errors_total",
        help: "Errors of accepting connections, by class.",
        kind: Kind::Counter,
        samples: Samples::By("class", labels::<AcceptTrouble>, |totals| {
            &totals.accept_errors
        }),
    },
    Family {
        name: "via6_dial_duration_seconds",
        help: "Time from accepting a connection until upstream answered, of dials that succeeded.",
        kind: Kind::Histogram,
        samples: Samples::Durations(|totals| &totals.dials),
    },
    Family {
        name: "process_start_time_seconds",
        help: "When via6 was started, since 1970, UTC.",
        kind: Kind::Gauge,
        samples: Samples::OfProcess(|_, process| Some(Number::millis(process.started_ms))),
    },
    Family {
        name: "process_cpu_seconds_total",
        help: "Processor time, of user and system together.",
        kind: Kind::Counter,
        samples: Samples::OfProcess(|_, process| process.cpu_ms.map(Number::millis)),
    },
    Family {
        name: "process_resident_memory_bytes",
        help: "Memory that is resident.",
        kind: Kind::Gauge,
        samples: Samples::OfProcess(|_, process| process.resident_bytes.map(Number::whole)),
    },
    Family {
        name: "process_open_fds",
        help: "Descriptors that are open.",
        kind: Kind::Gauge,
        samples: Samples::OfProcess(|_, process| process.open_descriptors.map(Number::whole)),
    },
    Family {
        name: "process_max_fds",
        help: "Descriptors there may be.",
        kind: Kind::Gauge,
        samples: Samples::OfProcess(|_, process| process.most_descriptors.map(Number::whole)),
    },
];

/// The page that a scraper is given.
pub(super) fn render(status: &Status, process: &Process) -> String {
    let relays = merged(status);
    let mut page = Page::default();
    for family in FAMILIES {
        page.family(family, status, process, &relays);
    }
    page.0
}

/// The text so far.
#[derive(Default)]
struct Page(String);

impl Page {
    fn family(
        &mut self,
        family: &Family,
        status: &Status,
        process: &Process,
        relays: &[Relay<'_>],
    ) {
        let name = family.name;
        if let Samples::OfProcess(value) = family.samples {
            if let Some(value) = value(status, process) {
                self.head(family);
                self.sample(name, &[], value);
            }
            return;
        }
        self.head(family);
        match &family.samples {
            Samples::OfProcess(_) => {}
            Samples::Version => {
                self.sample(name, &[("version", &status.version)], Number::whole(1));
            }
            Samples::Each(value) => {
                for relay in relays {
                    self.sample(name, &relay.labels(), Number::whole(value(relay)));
                }
            }
            Samples::Directions(values) => {
                for relay in relays {
                    let (up, down) = values(&relay.totals);
                    for (direction, value) in [("up", up), ("down", down)] {
                        let [whose, role] = relay.labels();
                        let labels = [whose, role, ("direction", direction)];
                        self.sample(name, &labels, Number::whole(value));
                    }
                }
            }
            Samples::By(label, known, counted) => {
                for relay in relays {
                    self.counts(name, relay, label, &known(), counted(&relay.totals));
                }
            }
            Samples::Durations(durations) => {
                for relay in relays {
                    self.histogram(name, relay, durations(&relay.totals));
                }
            }
        }
    }

    fn head(&mut self, family: &Family) {
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let Family { name, help, .. } = family;
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn counts(
        &mut self,
        name: &str,
        relay: &Relay<'_>,
        label: &str,
        known: &[&str],
        counts: &BTreeMap<String, u64>,
    ) {
        let known: BTreeSet<&str> = known.iter().copied().collect();
        let seen = counts.keys().map(String::as_str).collect();
        for value in known.union(&seen) {
            let [whose, role] = relay.labels();
            let count = counts.get(*value).copied().unwrap_or(0);
            self.sample(name, &[whose, role, (label, value)], Number::whole(count));
        }
    }

    fn histogram(&mut self, name: &str, relay: &Relay<'_>, durations: &Dials) {
        let (bucket, [whose, role]) = (format!("{name}_bucket"), relay.labels());
        let mut so_far = 0;
        for (bound_us, count) in &durations.buckets {
            so_far += count;
            let bound = Number::micros(*bound_us).to_string();
            self.sample(
                &bucket,
                &[whose, role, ("le", &bound)],
                Number::whole(so_far),
            );
        }
        let count = Number::whole(durations.count);
        self.sample(&bucket, &[whose, role, ("le", "+Inf")], count);
        self.sample(
            &format!("{name}_sum"),
            &[whose, role],
            Number::micros(durations.sum_us),
        );
        self.sample(&format!("{name}_count"), &[whose, role], count);
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: Number) {
        let labels: Vec<_> = labels
            .iter()
            .map(|(label, text)| format!("{label}=\"{}\"", Escaped(text)))
            .collect();
        if labels.is_empty() {
            self.line(format_args!("{name} {value}"));
        } else {
            self.line(format_args!("{name}{{{}}} {value}", labels.join(",")));
        }
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{line}");
    }
}

/// The words for all values of a reason.
fn labels<R: Reason>() -> Vec<&'static str> {
    R::ALL.iter().map(|reason| reason.label()).collect()
}

/// The value of a label, with what the format gives a meaning written out.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// A whole number of some fraction of the unit, written exactly: no rounding makes a counter fall.
#[derive(Clone, Copy)]
struct Number {
    value: u64,
    /// Digits behind the point.
    decimals: usize,
}

impl Number {
    const fn whole(value: u64) -> Self {
        Self { value, decimals: 0 }
    }

    /// Seconds, from milliseconds.
    const fn millis(value: u64) -> Self {
        Self { value, decimals: 3 }
    }

    /// Seconds, from microseconds.
    const fn micros(value: u64) -> Self {
        Self { value, decimals: 6 }
    }
}

impl Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:0width$}", self.value, width = self.decimals + 1);
        let (whole, fraction) = digits.split_at(digits.len() - self.decimals);
        f.write_str(whole)?;
        match fraction.trim_end_matches('0') {
            "" => Ok(()),
            fraction => write!(f, ".{fraction}"),
        }
    }
}

#[cfg(test)]
#[path = "exposition_tests.rs"]
mod tests;
