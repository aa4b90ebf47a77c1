//! The state folder of a process that has the lock: what it remembers there, and who may play. Waits for the
//! disk only where something is needed from there.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;
use via6_core::invite::Fingerprint;
use via6_sealed::{Identity, Known};

use super::{Folder, Hosts, Keeper, Lock, Memory, Trouble, identity};
use crate::entry::Entry;
use crate::failure::Failure;
use crate::narrator::Narrator;
use crate::roster::Doors;
use crate::secrets::Seed;

/// Where this process keeps what it remembers; or nowhere, if there is no folder to be had.
pub(crate) struct Home {
    kept: Option<(Arc<Lock>, Arc<Mutex<Memory>>)>,
    narrator: Arc<Narrator>,
    identity: OnceCell<Arc<Identity>>,
    keeper: OnceCell<Arc<Keeper>>,
    doors: Mutex<Option<Arc<dyn Doors>>>,
    hosts: OnceCell<Option<Arc<Mutex<Hosts>>>>,
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
        Arc::new(Self {
            kept,
            narrator,
            identity: OnceCell::new(),
            keeper: OnceCell::new(),
            doors: Mutex::default(),
            hosts: OnceCell::new(),
        })
    }

    pub(crate) fn lock(&self) -> Option<&Arc<Lock>> {
        self.kept.as_ref().map(|(lock, _)| lock)
    }

    /// Remembers what is hosted or joined now, soon; `any_port` says that its port is only one that
    /// was free. Must be called inside a runtime.
    pub(crate) fn remember(&self, entry: Entry, any_port: bool) {
        if let Some((lock, memory)) = self.kept.clone() {
            self.soon(move || locked(&memory).remember(&lock, &entry, any_port));
        }
    }

    /// Who may play on the sealed host of this process, as the folder has it; read when it is first asked for.
    pub(crate) async fn keeper(&self) -> Arc<Keeper> {
        let open = async || {
            let Some((lock, _)) = self.kept.clone() else {
                return Arc::new(Keeper::forgetful());
            };
            let narrator = Arc::clone(&self.narrator);
            let opening =
                spawn_blocking(move || Keeper::open(&lock.folder().clone(), lock, &narrator));
            Arc::new(opening.await.unwrap_or_else(|_| Keeper::forgetful()))
        };
        Arc::clone(self.keeper.get_or_init(open).await)
    }

    /// The sealed host of this process, if one runs.
    pub(crate) fn doors(&self) -> Option<Arc<dyn Doors>> {
        locked(&self.doors).clone()
    }

    /// Says which sealed host runs in this process from now on, or that none does.
    pub(crate) fn set_doors(&self, host: Option<Arc<dyn Doors>>) {
        *locked(&self.doors) = host;
    }

    /// The key of this computer; without a folder, one for this process alone. Of one that is there and cannot be
    /// read, the failure says what that means.
    pub(crate) async fn identity(&self) -> Result<Arc<Identity>, Failure> {
        let make = async || {
            let seed = self.seed().await?;
            let made = Identity::from_seed(seed.0);
            made.map(Arc::new)
                .map_err(|error| Failure::runtime(format!("cannot go on: {error}")))
        };
        self.identity.get_or_try_init(make).await.cloned()
    }

    async fn seed(&self) -> Result<Seed, Failure> {
        let Some((lock, _)) = self.kept.clone() else {
            return Seed::draw()
                .map_err(|error| Failure::runtime(format!("cannot go on: {error}")));
        };
        let loading = spawn_blocking(move || identity::load_or_create(lock.folder(), &lock));
        match loading.await {
            Ok(loaded) => loaded.map_err(|trouble| trouble.failure()),
            Err(error) => Err(Failure::cannot_go_on(&error.into())),
        }
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
        if let (Some((lock, _)), Some(hosts)) = (self.kept.clone(), self.hosts().await) {
            self.soon(move || locked(&hosts).hear(&lock, host, &known));
        }
    }

    /// Remembers where a game of a host is, soon.
    pub(crate) async fn place(&self, host: Fingerprint, game: (String, u16), local: SocketAddr) {
        if let (Some((lock, _)), Some(hosts)) = (self.kept.clone(), self.hosts().await) {
            self.soon(move || {
                let (name, port) = &game;
                locked(&hosts).place(&lock, host, (name, *port), local)
            });
        }
    }

    /// Cancel safe.
    async fn hosts(&self) -> Option<Arc<Mutex<Hosts>>> {
        let (lock, _) = self.kept.as_ref()?;
        let open = async || {
            let lock = Arc::clone(lock);
            let opening = spawn_blocking(move || Hosts::open(lock.folder(), Some(&lock)));
            let (hosts, trouble) = opening.await.ok()?;
            if let Some(trouble) = trouble {
                self.narrator.warn(trouble.kind(), &trouble.to_string());
            }
            Some(Arc::new(Mutex::new(hosts)))
        };
        self.hosts.get_or_init(open).await.clone()
    }

    /// What is to be remembered of players is on the disk, if that can be had soon.
    pub(crate) async fn close(&self) {
        if let Some(keeper) = self.keeper.get() {
            keeper.close().await;
        }
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

fn locked<T: ?Sized>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
