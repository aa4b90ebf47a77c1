//! What via6 remembers from one run to the next: what was asked for last, and the hosts that were
//! joined. One JSON file, replaced whole.
//!
//! Nothing in it is ever lost by us: fields that a newer via6 added survive being rewritten, a file
//! of a newer version is not touched, and one that is damaged is set aside and not removed. Whoever
//! does not hold the [`Lock`] reads, and changes nothing.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use via6_core::limits::{STATE_BYTES_MAX, STATE_DAMAGED_MAX, STATE_JOINED_MAX};

use super::folder::{Folder, UNFINISHED};
use super::lock::Lock;
use super::trouble::Trouble;
use crate::entry::{Entry, check_name};
use crate::narrator::{Role, unix_ms};

const FILE: &str = "state.json";

/// What follows the name of the file in the name of a damaged one; then milliseconds since 1970.
const DAMAGED: &str = "state.json.damaged-";

/// Rises when an older via6 could not read the file. A field that is only added does not count.
const VERSION: u64 = 1;

/// A relay that was asked for, and when.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Joined {
    pub(crate) entry: Entry,
    /// Milliseconds since 1970, UTC.
    pub(crate) time_ms: u64,
    /// The port of `entry.listen` is one that was free then, and was not asked for.
    #[serde(default)]
    pub(crate) any_port: bool,
}

/// The fields that this version knows.
#[derive(Debug, Default, Deserialize)]
struct Known {
    #[serde(default)]
    last: Option<Joined>,
    #[serde(default)]
    joined: Vec<Joined>,
}

/// What is remembered.
#[derive(Debug)]
pub(crate) struct Memory {
    folder: Folder,
    known: Known,
    /// The same as it stands in the file, with what only others know.
    whole: Map<String, Value>,
    /// The file is not to be touched: it could not be read.
    untouchable: bool,
}

type Document = (Map<String, Value>, Known);

/// Why the file is not read.
enum Unread {
    System(io::Error),
    Newer(u64),
    Damaged(String),
}

impl Memory {
    /// Reads what is remembered; nothing, if there is a trouble with it. With the lock, what is
    /// damaged is set aside and what was left unfinished is removed.
    pub(crate) fn open(folder: &Folder, lock: Option<&Lock>) -> (Self, Option<Trouble>) {
        let mut memory = Self {
            folder: folder.clone(),
            known: Known::default(),
            whole: Map::new(),
            untouchable: false,
        };
        if lock.is_some() {
            remove_unfinished(folder);
        }
        let path = folder.join(FILE);
        let trouble = match read(folder) {
            Ok(None) => return (memory, None),
            Ok(Some((whole, known))) => {
                (memory.whole, memory.known) = (whole, known);
                return (memory, None);
            }
            Err(Unread::System(error)) => Trouble::Unreadable { path, error },
            Err(Unread::Newer(version)) => Trouble::Newer { path, version },
            Err(Unread::Damaged(cause)) => {
                // If it cannot be moved, it is not to be overwritten either.
                let aside = lock.and_then(|_| set_aside(folder).ok());
                memory.untouchable = aside.is_none();
                let trouble = Trouble::Damaged { path, cause, aside };
                return (memory, Some(trouble));
            }
        };
        memory.untouchable = true;
        (memory, Some(trouble))
    }

    /// What was hosted or joined last.
    pub(crate) fn last(&self) -> Option<&Joined> {
        self.known.last.as_ref()
    }

    /// Hosts that were joined, the last one first.
    pub(crate) fn joined(&self) -> &[Joined] {
        &self.known.joined
    }

    /// Remembers what is hosted or joined now; `any_port` says that its port is only one that was
    /// free. A `relay` is not remembered: no command takes up the last one. Waits for the disk. With
    /// a file that must not be touched, of which [`open`] told, it remembers for the life of this
    /// process.
    ///
    /// [`open`]: Self::open
    pub(crate) fn remember(
        &mut self,
        _: &Lock,
        entry: &Entry,
        any_port: bool,
    ) -> Result<(), Trouble> {
        if entry.role == Role::Relay {
            return Ok(());
        }
        let now = Joined {
            entry: entry.clone(),
            time_ms: unix_ms(),
            any_port,
        };
        let result = self.keep(&now).and_then(|()| self.save());
        if entry.role == Role::Join {
            let joined = &mut self.known.joined;
            joined.retain(|other| other.entry.upstream != entry.upstream);
            joined.insert(0, now.clone());
            joined.truncate(STATE_JOINED_MAX);
        }
        self.known.last = Some(now);
        result.map_err(|error| Trouble::Unwritten {
            path: self.folder.join(FILE),
            error,
        })
    }

    /// Puts it into `whole`. Must come before `known` changes: both list the same hosts.
    fn keep(&mut self, now: &Joined) -> io::Result<()> {
        let value = serde_json::to_value(now)?;
        self.whole.insert("version".into(), VERSION.into());
        if now.entry.role == Role::Join {
            let joined = self.whole.entry("joined");
            let joined = joined.or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(joined) = joined {
                let mut kept = Value::Null;
                // From the back, so that places stay what they are; the newest is seen last.
                for (at, known) in self.known.joined.iter().enumerate().rev() {
                    if known.entry.upstream == now.entry.upstream && at < joined.len() {
                        kept = joined.remove(at);
                    }
                }
                overlay(&mut kept, &value);
                joined.insert(0, kept);
                joined.truncate(STATE_JOINED_MAX);
            }
        }
        // What others added to the last one belongs to that one.
        self.whole.insert("last".into(), value);
        Ok(())
    }

    fn save(&self) -> io::Result<()> {
        if self.untouchable {
            return Ok(());
        }
        let mut text = serde_json::to_vec_pretty(&self.whole)?;
        text.push(b'\n');
        if text.len() as u64 > STATE_BYTES_MAX {
            return Err(ErrorKind::FileTooLarge.into());
        }
        self.folder.replace(FILE, &text)
    }
}

/// Puts the fields of `new` into `old`, and leaves others there as they are.
fn overlay(old: &mut Value, new: &Value) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (name, value) in new {
                overlay(old.entry(name).or_insert(Value::Null), value);
            }
        }
        (old, new) => *old = new.clone(),
    }
}

/// The file, if there is one: as it stands, and what is known of it.
fn read(folder: &Folder) -> Result<Option<Document>, Unread> {
    let damaged = |cause: &str| Unread::Damaged(cause.to_owned());
    let path = folder.join(FILE);
    match fs::metadata(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Unread::System(error)),
        // To open a named pipe would wait for somebody at its other end.
        Ok(found) if !found.is_file() => return Err(damaged("it is not a file")),
        Ok(_) => {}
    }
    let mut bytes = Vec::new();
    File::open(&path)
        .and_then(|file| file.take(STATE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(Unread::System)?;
    if bytes.len() as u64 > STATE_BYTES_MAX {
        return Err(damaged("it is too large"));
    }
    let whole: Map<String, Value> =
        serde_json::from_slice(&bytes).map_err(|error| Unread::Damaged(error.to_string()))?;
    match whole.get("version").and_then(Value::as_u64) {
        Some(VERSION) => {}
        Some(version @ 2..) => return Err(Unread::Newer(version)),
        _ => return Err(damaged("it does not say its version")),
    }
    let known = Known::deserialize(&whole).map_err(|error| Unread::Damaged(error.to_string()))?;
    let mut entries = known.joined.iter().chain(&known.last);
    match entries.find_map(|one| check_name(&one.entry.name).err()) {
        Some(wrong) => Err(damaged(wrong)),
        None => Ok(Some((whole, known))),
    }
}

/// Moves the file out of the way, and removes the oldest of those that were before.
fn set_aside(folder: &Folder) -> io::Result<PathBuf> {
    let mut times = damaged(folder);
    times.sort_unstable();
    // Never over one that is there, even if the clock was set back or stands still.
    let time = times.last().map_or(0, |last| last.saturating_add(1));
    let time = time.max(unix_ms());
    let aside = folder.join(&format!("{DAMAGED}{time}"));
    fs::rename(folder.join(FILE), &aside)?;
    let oldest = times.len().saturating_sub(STATE_DAMAGED_MAX - 1);
    for time in times.into_iter().take(oldest) {
        // It is one too many and harms nobody; the next time tries again.
        let _ = fs::remove_file(folder.join(&format!("{DAMAGED}{time}")));
    }
    Ok(aside)
}

/// When the damaged files that are kept were set aside.
fn damaged(folder: &Folder) -> Vec<u64> {
    let names = names(folder).into_iter();
    names
        .filter_map(|name| name.strip_prefix(DAMAGED)?.parse().ok())
        .collect()
}

/// What processes that were killed had begun to write.
fn remove_unfinished(folder: &Folder) {
    let (begins, ends) = UNFINISHED;
    for name in names(folder) {
        if name.starts_with(begins) && name.ends_with(ends) {
            // Some bytes that nobody reads stay there, until the next time.
            let _ = fs::remove_file(folder.join(&name));
        }
    }
}

/// The names in the folder, of those that are text; none if it cannot be listed, where the other
/// troubles with it are told.
fn names(folder: &Folder) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).into_iter().flatten();
    entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect()
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
