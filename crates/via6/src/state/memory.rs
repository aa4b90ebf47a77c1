//! What via6 remembers from one run to the next: what was asked for last, and the hosts that were
//! joined. One JSON file, a [`Document`].

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use via6_core::invite::PREFIX;
use via6_core::limits::STATE_JOINED_MAX;

use super::document::{Document, Kind, overlay, remove_unfinished};
use super::folder::Folder;
use super::lock::Lock;
use super::trouble::Trouble;
use crate::entry::{Entry, check_name};
use crate::narrator::{Role, unix_ms};

const KIND: Kind = Kind {
    file: "state.json",
    version: 1,
};

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
    known: Known,
    /// The same as it stands in the file.
    document: Document,
}

impl Memory {
    /// Reads what is remembered; nothing, if there is a trouble with it. With the lock, what is
    /// damaged is set aside and what was left unfinished is removed.
    pub(crate) fn open(folder: &Folder, lock: Option<&Lock>) -> (Self, Option<Trouble>) {
        if lock.is_some() {
            // Before anything else of this process writes there.
            remove_unfinished(folder);
        }
        let (document, known, trouble) = Document::open(folder, KIND, lock, read);
        let known = known.unwrap_or_default();
        (Self { known, document }, trouble)
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
        let result = self.keep(&now).and_then(|()| self.document.save());
        if entry.role == Role::Join {
            let joined = &mut self.known.joined;
            joined.retain(|other| !other.entry.leads_where(entry));
            joined.insert(0, now.clone());
            joined.truncate(STATE_JOINED_MAX);
        }
        self.known.last = Some(now);
        result
    }

    /// Puts it into the document. Must come before `known` changes: both list the same hosts.
    fn keep(&mut self, now: &Joined) -> Result<(), Trouble> {
        let value = self.document.value_of(now)?;
        let whole = &mut self.document.whole;
        if now.entry.role == Role::Join {
            let joined = whole.entry("joined");
            let joined = joined.or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(joined) = joined {
                let mut kept = Value::Null;
                // From the back, so that places stay what they are; the newest is seen last.
                for (at, known) in self.known.joined.iter().enumerate().rev() {
                    if known.entry.leads_where(&now.entry) && at < joined.len() {
                        kept = joined.remove(at);
                    }
                }
                overlay(&mut kept, &value);
                joined.insert(0, kept);
                joined.truncate(STATE_JOINED_MAX);
            }
        }
        // What others added to the last one belongs to that one.
        whole.insert("last".into(), value);
        Ok(())
    }
}

/// What is known of the fields.
fn read(whole: &Map<String, Value>) -> Result<Known, String> {
    let known = Known::deserialize(whole).map_err(|error| harmless(error.to_string()))?;
    let mut entries = known.joined.iter().chain(&known.last);
    match entries.find_map(|one| check_name(&one.entry.name).err()) {
        Some(wrong) => Err(wrong.to_owned()),
        None => Ok(known),
    }
}

/// A message of the parser may repeat what it has found, and that may be an invite.
fn harmless(message: String) -> String {
    if message.to_ascii_lowercase().contains(PREFIX) {
        return "it is not what via6 writes".into();
    }
    message
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
