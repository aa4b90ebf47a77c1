//! The state folder of a process that has the lock: what it remembers there, and who may play. Never waits
//! for the disk.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::{Folder, Keeper, Lock, Memory, identity};
use crate::entry::Entry;
use crate::failure::Failure;
use crate::narrator::Narrator;
use crate::roster::Doors;
use crate::secrets::Seed;

/// Where this process keeps what it remembers; or nowhere, if there is no folder to be had.
pub(crate) struct Home {
    kept: Option<(Arc<Lock>, Arc<Mutex<Memory>>)>,
    narrator: Arc<Narrator>,
    keeper: OnceCell<Arc<Keeper>>,
    doors: Mutex<Option<Arc<dyn Doors>>>,
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
            keeper: OnceCell::new(),
            doors: Mutex::default(),
        })
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

    /// Who may play on the sealed host of this process, as the folder has it; read when it is first asked for.
    pub(crate) async fn keeper(&self) -> Arc<Keeper> {
        let open = async || {
            let Some((lock, _)) = self.kept.clone() else {
                return Arc::new(Keeper::forgetful());
            };
            let narrator = Arc::clone(&self.narrator);
            let opening = tokio::task::spawn_blocking(move || {
                Keeper::open(&lock.folder().clone(), lock, &narrator)
            });
            Arc::new(opening.await.unwrap_or_else(|_| Keeper::forgetful()))
        };
        Arc::clone(self.keeper.get_or_init(open).await)
    }

    /// The sealed host of this process, if one runs.
    pub(crate) fn doors(&self) -> Option<Arc<dyn Doors>> {
        let doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        doors.clone()
    }

    /// The key of this computer; without a folder, one for this process alone. Of one that is there and cannot be
    /// read, the failure says what that means.
    #[expect(dead_code, reason = "no command makes a sealed link yet")]
    pub(crate) async fn identity(&self) -> Result<Seed, Failure> {
        let Some((lock, _)) = self.kept.clone() else {
            return Seed::draw()
                .map_err(|error| Failure::runtime(format!("cannot go on: {error}")));
        };
        let loading =
            tokio::task::spawn_blocking(move || identity::load_or_create(lock.folder(), &lock));
        match loading.await {
            Ok(loaded) => loaded.map_err(|trouble| trouble.failure()),
            Err(error) => Err(Failure::cannot_go_on(&error.into())),
        }
    }

    /// Says which sealed host runs in this process from now on, or that none does.
    #[expect(dead_code, reason = "no command makes a sealed link yet")]
    pub(crate) fn set_doors(&self, host: Option<Arc<dyn Doors>>) {
        *self.doors.lock().unwrap_or_else(PoisonError::into_inner) = host;
    }

    /// What is to be remembered of players is on the disk, if that can be had soon.
    pub(crate) async fn close(&self) {
        if let Some(keeper) = self.keeper.get() {
            keeper.close().await;
        }
    }
}
