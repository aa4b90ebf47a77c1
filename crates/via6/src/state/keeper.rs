//! The roster of a process that runs: decided on in memory, at once, and written soon after by a thread of
//! its own, so that no disk holds up the players.
//!
//! ```text
//!  admission, commands ──change──▶ Roster in memory ──woken──▶ thread ──▶ players.json
//!                                                                │
//!       settled ◀── the change is on the disk, or why not ───────┘
//! ```
//!
//! Many changes in a row are one write. Nothing is decided here about who may play.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;
use via6_core::limits::{ROSTER_PATIENCE, ROSTER_PAUSE, WARN_INTERVAL};
use via6_core::roster::Roster;

use super::folder::Folder;
use super::lock::Lock;
use super::roster::RosterFile;
use super::trouble::Trouble;
use crate::narrator::Narrator;

/// Keeps the roster of this process. Dropped, it ends its thread, which writes what is left to be written.
pub(crate) struct Keeper {
    shared: Arc<Shared>,
    /// How far the disk is; `None` if nothing is ever written.
    written: Option<watch::Receiver<Written>>,
    /// Why changes are not remembered, if they cannot be.
    untouchable: Option<String>,
}

struct Shared {
    kept: Mutex<Kept>,
    /// There is something to be written, or the end.
    woken: Condvar,
}

struct Kept {
    roster: Roster,
    /// Counts changes.
    change: u64,
    /// Up to this change somebody waits.
    awaited: u64,
    over: bool,
}

/// Up to which change the file was tried to be written, and what came of that.
#[derive(Clone, Debug, Default)]
struct Written {
    change: u64,
    failed: Option<String>,
}

/// A change is not on the disk, though it holds for as long as the process lives.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Unsettled(pub(crate) String);

impl Keeper {
    /// With what is remembered in the folder. Waits for the disk, once. Says what is wrong with the file, if
    /// something is.
    pub(crate) fn open(folder: &Folder, lock: Arc<Lock>, narrator: &Arc<Narrator>) -> Self {
        let (file, roster, trouble) = RosterFile::open(folder, Some(&lock));
        let mut untouchable = None;
        if let Some(trouble) = trouble {
            if !matches!(trouble, Trouble::Damaged { aside: Some(_), .. }) {
                untouchable = Some(trouble.to_string());
            }
            let text = format!(
                "{trouble}. No invite that was made before admits anybody, and no ban is known"
            );
            narrator.warn(trouble.kind(), &text);
        }
        let mut keeper = Self::with(roster);
        keeper.untouchable = untouchable;
        let (tell, written) = watch::channel(Written::default());
        let writer = Writer {
            shared: Arc::clone(&keeper.shared),
            file,
            lock,
            narrator: Arc::clone(narrator),
            tell,
        };
        let thread = std::thread::Builder::new().name("via6-roster".into());
        match thread.spawn(move || writer.run()) {
            Ok(_) => keeper.written = Some(written),
            Err(error) => {
                let error = via6_relay::describe(&error);
                narrator.warn(
                    "state-unwritten",
                    &format!("cannot remember players: {error}"),
                );
                keeper.untouchable = Some(format!("cannot start a thread: {error}"));
            }
        }
        keeper
    }

    /// Without a folder: for the life of this process.
    pub(crate) fn forgetful() -> Self {
        let mut keeper = Self::with(Roster::default());
        keeper.untouchable = Some("there is no folder to remember it in".into());
        keeper
    }

    fn with(roster: Roster) -> Self {
        let kept = Kept {
            roster,
            change: 0,
            awaited: 0,
            over: false,
        };
        Self {
            shared: Arc::new(Shared {
                kept: Mutex::new(kept),
                woken: Condvar::new(),
            }),
            written: None,
            untouchable: None,
        }
    }

    /// Whether what is changed is remembered, as far as is known.
    pub(crate) fn is_kept(&self) -> bool {
        self.untouchable.is_none()
    }

    /// Looks at the roster. What is done must not wait for anything.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Roster) -> T) -> T {
        look(&self.shared.kept().roster)
    }

    /// Changes the roster; an error says that it is as it was. What is done must not wait for anything. Returns
    /// the number of the change as well, for [`settled`](Self::settled).
    pub(crate) fn change<T, E>(
        &self,
        change: impl FnOnce(&mut Roster) -> Result<T, E>,
    ) -> Result<(T, u64), E> {
        let mut kept = self.shared.kept();
        let done = change(&mut kept.roster)?;
        kept.change += 1;
        self.shared.woken.notify_all();
        Ok((done, kept.change))
    }

    /// Waits until a change is on the disk, so that it survives whatever happens next. Bounded by
    /// [`ROSTER_PATIENCE`]. Cancel safe.
    pub(crate) async fn settled(&self, change: u64) -> Result<(), Unsettled> {
        if let Some(why) = &self.untouchable {
            return Err(Unsettled(why.clone()));
        }
        let Some(mut written) = self.written.clone() else {
            return Ok(());
        };
        {
            let mut kept = self.shared.kept();
            kept.awaited = kept.awaited.max(change);
            self.shared.woken.notify_all();
        }
        let reached = written.wait_for(|written| written.change >= change);
        match timeout(ROSTER_PATIENCE, reached).await {
            Ok(Ok(written)) => match &written.failed {
                Some(why) => Err(Unsettled(why.clone())),
                None => Ok(()),
            },
            Ok(Err(_)) => Err(Unsettled("the thread that writes it has ended".into())),
            Err(_) => Err(Unsettled("the disk takes too long".into())),
        }
    }

    /// Has all of it on the disk, if that can be had within [`ROSTER_PATIENCE`].
    pub(crate) async fn close(&self) {
        let change = self.shared.kept().change;
        // What is wrong with the disk was told by the thread, and of a file that is not to be touched before.
        let _ = self.settled(change).await;
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.shared.kept().over = true;
        self.shared.woken.notify_all();
    }
}

impl Shared {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `is_time`, or for so long, whichever is sooner.
    fn wait<'a>(
        &self,
        kept: MutexGuard<'a, Kept>,
        longest: Duration,
        mut is_time: impl FnMut(&Kept) -> bool,
    ) -> MutexGuard<'a, Kept> {
        let waited = self
            .woken
            .wait_timeout_while(kept, longest, |kept| !is_time(kept));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// The thread.
struct Writer {
    shared: Arc<Shared>,
    file: RosterFile,
    /// Given back only when nothing is written any more.
    lock: Arc<Lock>,
    narrator: Arc<Narrator>,
    tell: watch::Sender<Written>,
}

impl Writer {
    fn run(mut self) {
        let mut done = 0;
        let mut has_failed = false;
        loop {
            let mut kept = self.shared.kept();
            // After a failure with nothing new, it is tried again now and then.
            let longest = if has_failed {
                WARN_INTERVAL
            } else {
                Duration::MAX
            };
            kept = self
                .shared
                .wait(kept, longest, |kept| kept.over || kept.change > done);
            if !has_failed && kept.change == done {
                if kept.over {
                    return;
                }
                continue;
            }
            let (roster, change, over) = (kept.roster.clone(), kept.change, kept.over);
            drop(kept);
            let saved = self.file.save(&self.lock, &roster);
            done = change;
            let failed = saved.as_ref().err().map(ToString::to_string);
            if let Err(trouble) = saved
                && !has_failed
            {
                self.narrator.warn(trouble.kind(), &trouble.to_string());
            }
            has_failed = failed.is_some();
            self.tell.send_replace(Written { change, failed });
            if over {
                return;
            }
            let kept = self.shared.kept();
            drop(
                self.shared
                    .wait(kept, ROSTER_PAUSE, |kept| kept.over || kept.awaited > done),
            );
        }
    }
}

#[cfg(test)]
#[path = "keeper_tests.rs"]
mod tests;
