//! The file of `via6 run FILE.toml`: many relays, each with a name, and the flags of the program.
//!
//! ```text
//! path ─ file ─> text ─ syntax (line) ─> TOML ─ section, entries (keys)   ─> drafts ─ clash ─> Config
//!           every problem on the way, with its place ─ problem ─> Problems                    │
//!                       flags and variables ─────────────────────────────────── resolve ──> Resolved ─ show
//! ```
//!
//! From the text on it is pure: no address is bound, no name looked up, and the same text gives the same
//! result, so that a running via6 can compare two readings of its file. Nothing is run here.

mod addresses;
mod clash;
mod entries;
mod file;
mod foreign;
mod keys;
mod line;
mod problem;
mod resolve;
mod section;
mod show;
mod syntax;
mod text;
mod way;

#[cfg(test)]
mod tests;

use std::path::Path;

use toml::de::{DeTable, DeValue};
use via6_core::addr::Listen;
use via6_core::limits::CONFIG_ENTRIES_MAX;

use self::keys::TOP;
use self::problem::Found;
pub(crate) use self::problem::Problems;
pub(crate) use self::resolve::{Overrides, Resolved};
use self::section::{Placed, Reader, Section};
use self::text::Text;
use crate::args::Splice;
use crate::entry::Entry;
use crate::failure::Failure;

/// Where a value comes from. The later ones win.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Source {
    /// Nobody said anything.
    #[default]
    Default,
    /// A line of the file, from 1.
    File { line: usize },
    /// A variable of the environment.
    Environment(&'static str),
    /// A flag that was typed.
    Flag(&'static str),
}

/// A value, and where it comes from.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Sourced<T> {
    pub(crate) value: T,
    pub(crate) source: Source,
}

/// A file that was read and is right. Nothing but the file is in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Config {
    /// The name of the file, as it is shown.
    file: String,
    verbose: Option<Sourced<u8>>,
    quiet: Option<Sourced<bool>>,
    json: Option<Sourced<bool>>,
    plain: Option<Sourced<bool>>,
    metrics: Option<Sourced<Listen>>,
    splice: Option<Sourced<Splice>>,
    /// At least one, in the order of the file.
    entries: Vec<Settings>,
}

/// One relay of a file.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) entry: Entry,
    /// Where it is named.
    pub(crate) line: usize,
    /// Where it listens is said by a port alone.
    by_port: bool,
    origins: Origins,
}

/// Where the values of an entry come from.
#[derive(Clone, Debug, Default)]
struct Origins {
    listen: Source,
    upstream: Source,
    /// Of a host.
    open: Source,
    dns_name: Source,
    /// Of a join by invite.
    player: Source,
    transport: Source,
    tcp: Source,
    udp: Source,
    trusted: Source,
    splice: Source,
}

/// Reads and checks the file at `path`.
pub(crate) fn read(path: &Path) -> Result<Result<Config, Problems>, Failure> {
    let name = file::shown(path);
    let text = file::decode(&name, file::read(path)?)?;
    Ok(parse(&name, text))
}

/// The same as one failure, with its report.
pub(crate) fn load(path: &Path) -> Result<Config, Failure> {
    read(path)?.map_err(|problems| Failure::from(&problems))
}

/// Checks a text; `file` is what to call it.
pub(crate) fn parse(file: &str, text: String) -> Result<Config, Problems> {
    let text = Text::new(text);
    let mut found = Found::default();
    let mended = syntax::mend(&text, &mut found);
    let (top, errors) = DeTable::parse_recoverable(&mended.toml);
    syntax::repeated(&text, &errors, &mended.broken, &mut found);
    let mut reader = Reader {
        text: &text,
        broken: &mended.broken,
        found,
    };
    let config = read_all(&mut reader, file, top.get_ref());
    match (reader.found.finish(file, &text), config) {
        (None, Some(config)) => Ok(config),
        (Some(problems), _) => Err(problems),
        (None, None) => Err(Problems::unexplained(file, &text)),
    }
}

/// `None` if an entry is not complete, which is then a problem that was told.
fn read_all(reader: &mut Reader<'_>, file: &str, top: &DeTable<'_>) -> Option<Config> {
    let mut section = Section {
        kind: &TOP,
        title: String::new(),
        place: 0..0,
        lines: 1..reader.text.lines() + 1,
        table: top,
        meant: Vec::new(),
    };
    reader.check_keys(&mut section);
    let verbose = reader.level(&section);
    let quiet = reader.yes_no(&section, "quiet");
    if let (Some(Placed { value: 1.., .. }), Some(quiet)) = (&verbose, &quiet)
        && quiet.value
    {
        let message = "`quiet` and `verbose` cannot be used together";
        let hint = "leave one of them out".to_owned();
        reader.found.hint(quiet.place.clone(), message, hint);
    }
    let json = reader.yes_no(&section, "json");
    let plain = reader.yes_no(&section, "plain");
    let metrics = reader.metrics(&section);
    let splice = reader.splice(&section);
    let drafts = entries::read(reader, top);
    // Any table was meant as one of ours, which is told where it stands.
    let is_table = |value: &DeValue<'_>| matches!(value, DeValue::Table(_) | DeValue::Array(_));
    let ours = |name: &str| keys::TABLES.contains(&name);
    let tried = top
        .iter()
        .any(|(name, value)| is_table(value.get_ref()) || ours(name.get_ref()));
    if !tried && reader.broken.is_empty() {
        let message = "there is nothing to run in this file";
        let least = format!("the least it needs is\n{}", file::LEAST);
        reader.found.hint(0..0, message, least);
    }
    // Each is compared with each, so not where there are too many anyway.
    if drafts.len() <= CONFIG_ENTRIES_MAX {
        clash::check(reader, &drafts, metrics.as_ref());
    }
    let entries: Option<Vec<_>> = drafts.into_iter().map(entries::Draft::finish).collect();
    Some(Config {
        file: file.to_owned(),
        verbose: verbose.map(|value| reader.sourced(value)),
        quiet: quiet.map(|value| reader.sourced(value)),
        json: json.map(|value| reader.sourced(value)),
        plain: plain.map(|value| reader.sourced(value)),
        metrics: metrics.map(|value| reader.sourced(value)),
        splice: splice.map(|value| reader.sourced(value)),
        entries: entries.filter(|entries| !entries.is_empty())?,
    })
}
