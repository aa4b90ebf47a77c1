//! A file together with what was typed and set: a typed flag wins over a variable, that over the
//! file, and that over the default. Everything keeps its source, so that `config show` can say it.

use via6_core::addr::Listen;

use super::clash::{METRICS, Place, listens_for};
use super::{Config, Settings, Source, Sourced};
use crate::args::{Run, Shown, Splice};
use crate::entry::Entry;
use crate::failure::Failure;
use crate::metrics;
use crate::narrator::Role;
use crate::reading::Sources;

/// What was typed or set, which wins over a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides {
    pub(crate) verbose: Option<Sourced<u8>>,
    pub(crate) quiet: Option<Sourced<bool>>,
    pub(crate) json: Option<Sourced<bool>>,
    pub(crate) plain: Option<Sourced<bool>>,
    pub(crate) metrics: Option<Sourced<Listen>>,
    pub(crate) splice: Option<Sourced<Splice>>,
}

impl Overrides {
    /// Those among the flags and variables of `run`.
    pub(crate) fn of(run: &Run, shown: Shown, sources: &Sources) -> Result<Self, Failure> {
        let metrics = match (
            &run.watched.metrics,
            sources.of("metrics", "--metrics", "VIA6_METRICS"),
        ) {
            (Some(text), Some(source)) => {
                let what = sources.name("metrics", "--metrics", "VIA6_METRICS");
                let value = metrics::address(text).map_err(|error| {
                    Failure::usage(format!("cannot read {what}: {error}")).hint(metrics::EXAMPLE)
                })?;
                Some(Sourced { value, source })
            }
            _ => None,
        };
        let flag = |id, value, typed, variable| {
            let source = sources.of(id, typed, variable)?;
            Some(Sourced { value, source })
        };
        let verbose = sources.of("verbose", "--verbose", "VIA6_VERBOSE");
        let splice = sources.of("splice", "--splice", "VIA6_SPLICE");
        Ok(Self {
            verbose: verbose.map(|source| Sourced {
                value: shown.verbose.min(2),
                source,
            }),
            quiet: flag("quiet", shown.quiet, "--quiet", "VIA6_QUIET"),
            json: flag("json", shown.json, "--json", "VIA6_JSON"),
            plain: flag("plain", shown.plain, "--plain", "VIA6_PLAIN"),
            metrics,
            splice: splice.map(|source| Sourced {
                value: run.passing.splice(),
                source,
            }),
        })
    }
}

/// Everything that `run` needs to know, with its sources.
#[derive(Clone, Debug)]
pub(crate) struct Resolved {
    /// The name of the file, as it is shown.
    pub(crate) file: String,
    pub(super) verbose: Sourced<u8>,
    pub(super) quiet: Sourced<bool>,
    pub(super) json: Sourced<bool>,
    pub(super) plain: Sourced<bool>,
    pub(super) metrics: Sourced<Option<Listen>>,
    pub(super) splice: Sourced<Splice>,
    /// At least one, in the order of the file.
    pub(crate) settings: Vec<Settings>,
}

impl Resolved {
    pub(crate) fn shown(&self) -> Shown {
        Shown {
            verbose: self.verbose.value,
            quiet: self.quiet.value,
            json: self.json.value,
            plain: self.plain.value,
        }
    }

    /// Where to serve metrics, if anywhere.
    pub(crate) fn metrics(&self) -> Option<&Listen> {
        self.metrics.value.as_ref()
    }

    /// The relays, in the order of the file.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.settings.iter().map(|settings| &settings.entry)
    }

    /// How many hosts, joins and relays, in words.
    pub(crate) fn count(&self) -> String {
        in_words(&self.settings)
    }
}

/// `2 hosts, 1 join`
fn in_words(entries: &[Settings]) -> String {
    let roles = [Role::Host, Role::Join, Role::Relay];
    let counts = roles.map(|role| (count_of(entries, role), role.label()));
    let words = counts.iter().filter(|(count, _)| *count > 0);
    let words: Vec<_> = words
        .map(|(count, role)| format!("{count} {role}{}", if *count == 1 { "" } else { "s" }))
        .collect();
    words.join(", ")
}

fn count_of(entries: &[Settings], role: Role) -> usize {
    let entries = entries.iter();
    entries
        .filter(|settings| settings.entry.role == role)
        .count()
}

impl Config {
    /// How many hosts, joins and relays, in words.
    pub(crate) fn count(&self) -> String {
        in_words(&self.entries)
    }

    pub(crate) fn count_of(&self, role: Role) -> usize {
        count_of(&self.entries, role)
    }

    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    /// The file, with what was typed and set in the place of what it says.
    pub(crate) fn resolve(self, over: Overrides) -> Result<Resolved, Failure> {
        let (verbose, quiet) = loudness(
            over.verbose.or(self.verbose).unwrap_or_default(),
            over.quiet.or(self.quiet).unwrap_or_default(),
        );
        let default = Sourced {
            value: Splice::Auto,
            source: Source::Default,
        };
        let splice = over.splice.or(self.splice).unwrap_or(default);
        let mut settings = self.entries;
        for Settings { entry, origins, .. } in &mut settings {
            // What an entry says wins over the top of the file, and what was typed over both.
            if over.splice.is_some() || origins.splice == Source::Default {
                entry.splice = splice.value;
                origins.splice = splice.source;
            }
        }
        if let Some(metrics) = &over.metrics {
            check_metrics(metrics, &settings)?;
        }
        let metrics = over.metrics.or(self.metrics);
        let metrics = metrics.map_or_else(Sourced::default, |metrics| Sourced {
            value: Some(metrics.value),
            source: metrics.source,
        });
        Ok(Resolved {
            file: self.file,
            verbose,
            quiet,
            json: over.json.or(self.json).unwrap_or_default(),
            plain: over.plain.or(self.plain).unwrap_or_default(),
            metrics,
            splice,
            settings,
        })
    }
}

/// `quiet` and `verbose` exclude each other: the one of the stronger source stays. Where both were
/// said in the same way that is a mistake, told elsewhere.
fn loudness(mut verbose: Sourced<u8>, mut quiet: Sourced<bool>) -> (Sourced<u8>, Sourced<bool>) {
    if verbose.value > 0 && quiet.value {
        if rank(quiet.source) > rank(verbose.source) {
            verbose = Sourced {
                value: 0,
                source: quiet.source,
            };
        } else {
            quiet = Sourced {
                value: false,
                source: verbose.source,
            };
        }
    }
    (verbose, quiet)
}

fn rank(source: Source) -> u8 {
    match source {
        Source::Default => 0,
        Source::File { .. } => 1,
        Source::Environment(_) => 2,
        Source::Flag(_) => 3,
    }
}

/// A place for metrics that was typed, and that an entry of the file has.
fn check_metrics(metrics: &Sourced<Listen>, settings: &[Settings]) -> Result<(), Failure> {
    let own = Place {
        listen: &metrics.value,
        carried: METRICS,
    };
    let taken = settings.iter().find(|settings| {
        let place = Place {
            listen: &settings.entry.listen,
            carried: listens_for(&settings.entry.link, settings.entry.carried),
        };
        place.in_common(&own).is_some()
    });
    let Some(Settings { entry, line, .. }) = taken else {
        return Ok(());
    };
    let title = super::entries::header(entry.role, &entry.name);
    let message = format!(
        "cannot serve metrics on {}: {title} in line {line} listens there",
        metrics.value
    );
    Err(Failure::usage(message).hint(metrics::EXAMPLE))
}
