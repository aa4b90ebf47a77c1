//! The state folder of a process that has the lock: what it remembers there. Waits for the disk only where
//! something is needed from there.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;
use via6_core::invite::Fingerprint;
use via6_sealed::Known;

use super::{Folder, Hosts, Keys, Lock, Memory, Trouble};
use crate::entry::Entry;
use crate::failure::Failure;
use crate::narrator::Narrator;

/// Where this process keeps what it remembers; or nowhere, if there is no folder to be had.
pub(crate) struct Home {
    kept: Option<Kept>,
    narrator: Arc<Narrator>,
    keys: OnceCell<Keys>,
    hosts: OnceCell<Option<Arc<Mutex<Hosts>>>>,
}

struct Kept {
    folder: Folder,
    lock: Arc<Lock>,
    memory: Arc<Mutex<Memory>>,
}

impl Home {
    /// Says what is wrong with the file, if something is.
    pub(crate) fn open(held: Option<(&Folder, Arc<Lock>)>, narrator: Arc<Narrator>) -> Arc<Self> {
        let kept = held.map(|(folder, lock)| {
            let (memory, trouble) = Memory::open(folder, Some(&lock));
            if let Some(trouble) = trouble {
                narrator.warn(trouble.kind(), &trouble.to_string());
            }
            Kept {
                folder: folder.clone(),
                lock,
                memory: Arc::new(Mutex::new(memory)),
            }
        });
        Arc::new(Self {
            kept,
            narrator,
            keys: OnceCell::new(),
            hosts: OnceCell::new(),
        })
    }

    pub(crate) fn lock(&self) -> Option<&Arc<Lock>> {
        self.kept.as_ref().map(|kept| &kept.lock)
    }

    /// For what concerns the process.
    pub(crate) fn narrator(&self) -> &Arc<Narrator> {
        &self.narrator
    }

    /// Remembers what is hosted or joined now, soon; `any_port` says that its port is only one that
    /// was free. Must be called inside a runtime.
    pub(crate) fn remember(&self, entry: Entry, any_port: bool) {
        let Some(kept) = &self.kept else {
            return;
        };
        let (lock, memory) = (Arc::clone(&kept.lock), Arc::clone(&kept.memory));
        self.soon(move || locked(&memory).remember(&lock, &entry, any_port));
    }

    /// The key and the roster, read when they are first needed. Cancel safe.
    pub(crate) async fn keys(&self) -> Result<&Keys, Failure> {
        let open = async || {
            let held = self.kept.as_ref();
            let held = held.map(|kept| (kept.folder.clone(), Arc::clone(&kept.lock)));
            let narrator = Arc::clone(&self.narrator);
            let opened = spawn_blocking(move || {
                let held = held.as_ref().map(|(folder, lock)| (folder, lock));
                Keys::open(held, &narrator)
            });
            opened.await.unwrap_or_else(|error| {
                Err(Failure::runtime(format!("cannot read the key: {error}")))
            })
        };
        self.keys.get_or_try_init(open).await
    }

    /// The roster, if it was needed so far.
    pub(crate) fn known_keys(&self) -> Option<&Keys> {
        self.keys.get()
    }

    /// Where a host has said it is.
    pub(crate) async fn known(&self, host: Fingerprint) -> Known {
        let hosts = self.hosts().await;
        hosts.map_or_else(Known::default, |hosts| locked(&hosts).known(host))
    }

    /// Where a game of a host was on this computer.
    pub(crate) async fn local(&self, host: Fingerprint, game: (&str, u16)) -> Option<SocketAddr> {
        let hosts = self.hosts().await?;
        locked(&hosts).local(host, game)
    }

    /// Remembers where a host says it is, soon.
    pub(crate) async fn hear(&self, host: Fingerprint, known: Known) {
        if let (Some(kept), Some(hosts)) = (&self.kept, self.hosts().await) {
            let lock = Arc::clone(&kept.lock);
            self.soon(move || locked(&hosts).hear(&lock, host, &known));
        }
    }

    /// Remembers where a game of a host is, soon.
    pub(crate) async fn place(&self, host: Fingerprint, game: (String, u16), local: SocketAddr) {
        if let (Some(kept), Some(hosts)) = (&self.kept, self.hosts().await) {
            let lock = Arc::clone(&kept.lock);
            self.soon(move || {
                let (name, port) = &game;
                locked(&hosts).place(&lock, host, (name, *port), local)
            });
        }
    }

    /// Cancel safe.
    async fn hosts(&self) -> Option<Arc<Mutex<Hosts>>> {
        let kept = self.kept.as_ref()?;
        let open = async || {
            let (folder, lock) = (kept.folder.clone(), Arc::clone(&kept.lock));
            let (hosts, trouble) = spawn_blocking(move || Hosts::open(&folder, Some(&lock)))
                .await
                .ok()?;
            if let Some(trouble) = trouble {
                self.narrator.warn(trouble.kind(), &trouble.to_string());
            }
            Some(Arc::new(Mutex::new(hosts)))
        };
        self.hosts.get_or_init(open).await.clone()
    }

    /// Nobody waits for it: what is remembered serves the next start.
    fn soon(&self, write: impl FnOnce() -> Result<(), Trouble> + Send + 'static) {
        let narrator = Arc::clone(&self.narrator);
        drop(spawn_blocking(move || {
            if let Err(trouble) = write() {
                narrator.warn(trouble.kind(), &trouble.to_string());
            }
        }));
    }
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
