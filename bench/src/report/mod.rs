//! Results as they come in, and what is told about them. Serialises to the JSON of `--json`.

mod page;
mod panels;
mod picture;
mod sealed;
mod svg;
mod table;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::{Serialize, Serializer};

use crate::chain::{Chain, Protocol};
use crate::figures::{Metric, Sample, median};
use crate::machine::{Machine, date};
use crate::meter::Noise;
use crate::workload::Measured;

/// Everything that one run gave.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    date: String,
    command_line: Vec<String>,
    machine: Machine,
    rounds: u32,
    chains: Vec<About>,
    skipped: Vec<Skipped>,
    workloads: Vec<Results>,
}

/// A chain as it was run.
#[derive(Debug, Serialize)]
struct About {
    name: String,
    protocol: Protocol,
    commands: Vec<String>,
    versions: Vec<String>,
}

/// A chain that could not be run here.
#[derive(Debug, Serialize)]
pub(crate) struct Skipped {
    name: String,
    protocol: Protocol,
    reason: String,
}

impl Skipped {
    pub(crate) fn new(name: &str, protocol: Protocol, reason: String) -> Self {
        Self {
            name: name.to_owned(),
            protocol,
            reason,
        }
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.name, self.protocol, self.reason)
    }
}

/// What stands above a table, and what its columns are.
#[derive(Clone, Debug)]
pub(crate) struct Heading {
    /// Short, unique within a run.
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) pinned: bool,
    pub(crate) metrics: &'static [Metric],
}

/// One workload through all its chains.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    name: String,
    description: String,
    pinned_to_one_cpu: bool,
    rows: Vec<Row>,
    #[serde(skip)]
    metrics: &'static [Metric],
    /// Part of the machine's CPU time that neither load, relays nor kernel used meanwhile; null
    /// when it was too short to tell.
    #[serde(rename = "others_percent", serialize_with = "as_percent")]
    noise: Noise,
}

/// One workload through one chain.
#[derive(Debug, Serialize)]
struct Row {
    chain: String,
    #[serde(skip)]
    kind: Kind,
    /// Of the metrics that have a column: the best round and the median.
    figures: BTreeMap<&'static str, Figure>,
    rounds: Vec<Sample>,
    failure: Option<String>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Figure {
    best: f64,
    median: f64,
}

impl Figure {
    fn compared(self, metric: &Metric) -> f64 {
        if metric.by_median {
            self.median
        } else {
            self.best
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Direct,
    Own,
    /// A measure for sealed links, which peers are not compared with.
    Bare,
    Peer,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature is serde's"
)]
fn as_percent<S: Serializer>(noise: &Noise, serializer: S) -> Result<S::Ok, S::Error> {
    noise.percent().serialize(serializer)
}

impl Report {
    pub(crate) fn new(
        rounds: u32,
        skipped: Vec<Skipped>,
        chains: &[Chain],
        via6: Option<&Path>,
    ) -> Self {
        let about = |chain: &Chain| About {
            name: chain.name.clone(),
            protocol: chain.protocol,
            commands: chain.commands(),
            versions: chain.versions(via6),
        };
        Self {
            date: date(),
            command_line: std::env::args().collect(),
            machine: Machine::this(),
            rounds,
            chains: chains.iter().map(about).collect(),
            skipped,
            workloads: Vec::new(),
        }
    }

    /// A load that no chain here carries gets no table.
    pub(crate) fn add(&mut self, results: Results) {
        if !results.rows.is_empty() {
            self.workloads.push(results);
        }
    }

    pub(crate) fn has_figures(&self) -> bool {
        self.rows().any(|row| !row.rounds.is_empty())
    }

    pub(crate) fn all_measured(&self) -> bool {
        self.rows().all(|row| row.failure.is_none())
    }

    /// What went wrong, for the error that ends a run without any figure.
    pub(crate) fn failures(&self) -> String {
        self.rows()
            .filter_map(|row| Some(format!("; {}: {}", row.chain, row.failure.as_ref()?)))
            .collect()
    }

    /// A figure's best round, for each chain that has it.
    pub(crate) fn best(&self, workload: &str, key: &str) -> Vec<(String, f64)> {
        self.workloads
            .iter()
            .filter(|results| results.name == workload)
            .flat_map(|results| &results.rows)
            .filter_map(|row| Some((row.chain.clone(), row.figures.get(key)?.best)))
            .collect()
    }

    fn rows(&self) -> impl Iterator<Item = &Row> {
        self.workloads.iter().flat_map(|results| &results.rows)
    }
}

impl Results {
    pub(crate) fn new(heading: Heading, chains: &[&Chain]) -> Self {
        let row = |chain: &&Chain| Row {
            chain: chain.name.clone(),
            kind: match (chain.is_direct(), chain.is_own()) {
                (true, _) => Kind::Direct,
                (_, true) => Kind::Own,
                _ if chain.is_bare() => Kind::Bare,
                _ => Kind::Peer,
            },
            figures: BTreeMap::new(),
            rounds: Vec::new(),
            failure: None,
        };
        Self {
            name: heading.name,
            description: heading.description,
            pinned_to_one_cpu: heading.pinned,
            rows: chains.iter().map(row).collect(),
            metrics: heading.metrics,
            noise: Noise::default(),
        }
    }

    pub(crate) fn has_failed(&self, chain: &str) -> bool {
        self.rows
            .iter()
            .any(|row| row.chain == chain && row.failure.is_some())
    }

    pub(crate) fn record(&mut self, chain: &str, measured: anyhow::Result<Measured>) {
        let Some(row) = self.rows.iter_mut().find(|row| row.chain == chain) else {
            return;
        };
        match measured {
            Ok(measured) => {
                self.noise += measured.noise;
                row.rounds.push(measured.sample);
            }
            Err(error) => row.failure = Some(format!("{error:#}")),
        }
        for metric in self.metrics {
            let values: Vec<f64> = row
                .rounds
                .iter()
                .filter_map(|sample| sample.get(metric.key).copied())
                .collect();
            let best = metric.best(values.iter().copied());
            if let Some((best, median)) = best.zip(median(values)) {
                row.figures.insert(metric.key, Figure { best, median });
            }
        }
    }
}
