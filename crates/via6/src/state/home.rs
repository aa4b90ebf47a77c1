//! The state folder of a process that has the lock: what it remembers there. Never waits for the disk.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Folder, Lock, Memory};
use crate::entry::Entry;
use crate::narrator::Narrator;

/// Where this process keeps what it remembers; or nowhere, if there is no folder to be had.
pub(crate) struct Home {
    kept: Option<(Arc<Lock>, Arc<Mutex<Memory>>)>,
    narrator: Arc<Narrator>,
}

impl Home {
    /// Says what is wrong with the file, if something is.
    pub(crate) fn open(held: Option<(&Folder, Arc<Lock>)>, narrator: Arc<Narrator>) -> Arc<Self> {
        let kept = held.map(|(folder, lock)| {
            let (memory, trouble) = Memory::open(folder, Some(&lock));
            if let Some(trouble) = trouble {
                narrator.warn(trouble.kind(), &trouble.to_string());
            }
            (lock, Arc::new(Mutex::new(memory)))
        });
        Arc::new(Self { kept, narrator })
    }

    pub(crate) fn lock(&self) -> Option<&Arc<Lock>> {
        self.kept.as_ref().map(|(lock, _)| lock)
    }

    /// Remembers what is hosted or joined now, soon; `any_port` says that its port is only one that
    /// was free. Must be called inside a runtime.
    pub(crate) fn remember(&self, entry: Entry, any_port: bool) {
        let Some((lock, memory)) = self.kept.clone() else {
            return;
        };
        let narrator = Arc::clone(&self.narrator);
        // Nobody waits for it: what is remembered serves the next start.
        drop(tokio::task::spawn_blocking(move || {
            let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(trouble) = memory.remember(&lock, &entry, any_port) {
                narrator.warn(trouble.kind(), &trouble.to_string());
            }
        }));
    }
}
