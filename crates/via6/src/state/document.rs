//! A file of the state folder that holds one JSON object: replaced whole, and never lost by us.
//!
//! Fields that a newer via6 added survive being rewritten, a file of a newer version is not touched, and
//! one that is damaged is set aside and not removed. Whoever does not hold the [`Lock`] reads, and changes
//! nothing. What the fields mean is for [`memory`](super::memory) and [`roster`](super::roster).

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Map, Value};
use via6_core::limits::{STATE_BYTES_MAX, STATE_DAMAGED_MAX};

use super::folder::{Folder, UNFINISHED};
use super::lock::Lock;
use super::trouble::Trouble;
use crate::narrator::unix_ms;

/// Which file it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) file: &'static str,
    /// Rises when an older via6 could not read the file. A field that is only added does not count.
    pub(super) version: u64,
}

impl Kind {
    /// What the name of a damaged one begins with; then come milliseconds since 1970.
    pub(super) fn damaged(self) -> String {
        format!("{}.damaged-", self.file)
    }
}

/// One of these files, as it stands: also with what only others know.
#[derive(Debug)]
pub(super) struct Document {
    folder: Folder,
    kind: Kind,
    pub(super) whole: Map<String, Value>,
    /// The file is not to be touched: it could not be read.
    untouchable: bool,
}

/// Why the file is not read.
enum Unread {
    System(io::Error),
    Newer(u64),
    Damaged(String),
}

impl Document {
    /// Reads the file, and what `known` makes of it; nothing, if there is none, or a trouble with it. With the
    /// lock, what is damaged is set aside.
    pub(super) fn open<T>(
        folder: &Folder,
        kind: Kind,
        lock: Option<&Lock>,
        known: impl FnOnce(&Map<String, Value>) -> Result<T, String>,
    ) -> (Self, Option<T>, Option<Trouble>) {
        let mut document = Self {
            folder: folder.clone(),
            kind,
            whole: Map::new(),
            untouchable: false,
        };
        let path = document.path();
        let read = document.read().and_then(|whole| {
            let known = whole.as_ref().map(known).transpose();
            Ok((whole, known.map_err(Unread::Damaged)?))
        });
        let trouble = match read {
            Ok((whole, known)) => {
                document.whole = whole.unwrap_or_default();
                return (document, known, None);
            }
            Err(Unread::System(error)) => Trouble::Unreadable { path, error },
            Err(Unread::Newer(version)) => Trouble::Newer { path, version },
            Err(Unread::Damaged(cause)) => {
                // If it cannot be moved, it is not to be overwritten either.
                let aside = lock.and_then(|_| document.set_aside().ok());
                document.untouchable = aside.is_none();
                let trouble = Trouble::Damaged { path, cause, aside };
                return (document, None, Some(trouble));
            }
        };
        document.untouchable = true;
        (document, None, Some(trouble))
    }

    /// The file.
    pub(super) fn path(&self) -> PathBuf {
        self.folder.join(self.kind.file)
    }

    /// Makes the file what `whole` is by now, with our version; waits for the disk. Does nothing with a file
    /// that must not be touched, of which [`open`](Self::open) told.
    pub(super) fn save(&mut self) -> Result<(), Trouble> {
        self.whole
            .insert("version".into(), self.kind.version.into());
        self.write().map_err(|error| self.unwritten(error))
    }

    /// What is to be put into `whole` for `one`.
    pub(super) fn value_of(&self, one: &impl Serialize) -> Result<Value, Trouble> {
        serde_json::to_value(one).map_err(|error| self.unwritten(error.into()))
    }

    fn unwritten(&self, error: io::Error) -> Trouble {
        let path = self.path();
        Trouble::Unwritten { path, error }
    }

    fn write(&self) -> io::Result<()> {
        if self.untouchable {
            return Ok(());
        }
        let mut text = serde_json::to_vec_pretty(&self.whole)?;
        text.push(b'\n');
        if text.len() as u64 > STATE_BYTES_MAX {
            return Err(ErrorKind::FileTooLarge.into());
        }
        self.folder.replace(self.kind.file, &text)
    }

    /// The file as it stands, if there is one.
    fn read(&self) -> Result<Option<Map<String, Value>>, Unread> {
        let damaged = |cause: &str| Unread::Damaged(cause.to_owned());
        let path = self.path();
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
            Some(version) if version == self.kind.version => Ok(Some(whole)),
            Some(version) if version > self.kind.version => Err(Unread::Newer(version)),
            _ => Err(damaged("it does not say its version")),
        }
    }

    /// Moves the file out of the way, and removes the oldest of those that were before.
    fn set_aside(&self) -> io::Result<PathBuf> {
        let folder = &self.folder;
        let named = |time: u64| folder.join(&format!("{}{time}", self.kind.damaged()));
        let mut times = damaged(folder, self.kind);
        times.sort_unstable();
        // Never over one that is there, even if the clock was set back or stands still.
        let time = times.last().map_or(0, |last| last.saturating_add(1));
        let time = time.max(unix_ms());
        fs::rename(self.path(), named(time))?;
        let oldest = times.len().saturating_sub(STATE_DAMAGED_MAX - 1);
        for time in times.into_iter().take(oldest) {
            // It is one too many and harms nobody; the next time tries again.
            let _ = fs::remove_file(named(time));
        }
        Ok(named(time))
    }
}

/// Puts the fields of `new` into `old`, and leaves others there as they are.
pub(super) fn overlay(old: &mut Value, new: &Value) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (name, value) in new {
                overlay(old.entry(name).or_insert(Value::Null), value);
            }
        }
        (old, new) => *old = new.clone(),
    }
}

/// When the damaged files of this kind that are kept were set aside.
pub(super) fn damaged(folder: &Folder, kind: Kind) -> Vec<u64> {
    let names = names(folder).into_iter();
    let begins = kind.damaged();
    names
        .filter_map(|name| name.strip_prefix(&begins)?.parse().ok())
        .collect()
}

/// What processes that were killed had begun to write.
pub(super) fn remove_unfinished(folder: &Folder) {
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
