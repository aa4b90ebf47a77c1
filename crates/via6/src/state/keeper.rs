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
mod tests {
    use std::path::Path;

    use via6_core::frame::Refusal;
    use via6_core::invite::Secret;
    use via6_core::roster::{Drawn, Identity};

    use super::*;
    use crate::args::Shown;
    use crate::narrator::{Showing, Sink};

    /// Notes what is said.
    #[derive(Default)]
    struct Said(Mutex<Vec<String>>);

    impl Sink for Said {
        fn data(&self, line: String) {
            self.log(line);
        }

        fn log(&self, line: String) {
            self.0.lock().unwrap().push(line);
        }
    }

    struct Home {
        folder: Folder,
        lock: Arc<Lock>,
        said: Arc<Said>,
        place: tempfile::TempDir,
    }

    impl Home {
        fn new() -> Self {
            let place = tempfile::tempdir().unwrap();
            let folder = Folder::open(Some(place.path())).unwrap();
            let lock = Arc::new(Lock::take(&folder).unwrap());
            Self {
                folder,
                lock,
                said: Arc::default(),
                place,
            }
        }

        fn open(&self) -> Keeper {
            let shown = Shown {
                verbose: 0,
                quiet: false,
                json: false,
                plain: true,
            };
            let sink = Arc::clone(&self.said) as Arc<dyn Sink>;
            let narrator = Narrator::of_process(sink, Showing::new(shown));
            Keeper::open(&self.folder, Arc::clone(&self.lock), &Arc::new(narrator))
        }

        fn on_disk(&self) -> usize {
            RosterFile::open(&self.folder, None).1.players().len()
        }

        fn file(&self) -> std::path::PathBuf {
            Path::join(self.place.path(), "players.json")
        }
    }

    fn invite(keeper: &Keeper) -> u64 {
        let drawn = Drawn {
            id: [1; 8],
            secret: Secret([1; 16]),
        };
        let made = keeper.change(|roster| roster.make_default_invite(drawn, 1).cloned());
        made.unwrap().1
    }

    fn admit(keeper: &Keeper, player: u8, proof: bool) -> Result<u64, Refusal> {
        let admitted =
            keeper.change(|roster| roster.admit(Identity([player; 32]), [1; 8], "p", 2, |_| proof));
        admitted.map(|(_, change)| change)
    }

    #[tokio::test]
    async fn what_is_settled_is_on_the_disk_and_what_was_refused_changes_nothing() {
        let home = Home::new();
        let keeper = home.open();
        keeper.settled(invite(&keeper)).await.unwrap();
        for player in 1..=3 {
            let change = admit(&keeper, player, true).unwrap();
            keeper.settled(change).await.unwrap();
            assert_eq!(home.on_disk(), usize::from(player));
        }
        let before = keeper.shared.kept().change;
        assert_eq!(admit(&keeper, 9, false), Err(Refusal::Invite));
        assert_eq!(keeper.shared.kept().change, before);
        assert!(home.said.0.lock().unwrap().is_empty());
    }

    /// A crowd that comes in one moment costs two writes, not one for each.
    #[tokio::test]
    async fn many_changes_in_a_row_are_few_writes() {
        let home = Home::new();
        let keeper = home.open();
        let mut written = keeper.written.clone().unwrap();
        invite(&keeper);
        let mut last = 0;
        for player in 1..=200 {
            last = admit(&keeper, player, true).unwrap();
        }
        let mut writes = 0;
        keeper.settled(last).await.unwrap();
        while written.has_changed().unwrap() {
            writes += 1;
            written.mark_unchanged();
        }
        assert!((1..=2).contains(&writes), "{writes} seen");
        assert_eq!(home.on_disk(), 200);
    }

    /// And so does the last one of a process that ends in the same moment.
    #[tokio::test]
    async fn what_is_closed_or_dropped_is_written() {
        let home = Home::new();
        let keeper = home.open();
        invite(&keeper);
        admit(&keeper, 1, true).unwrap();
        keeper.close().await;
        assert_eq!(home.on_disk(), 1);
        admit(&keeper, 2, true).unwrap();
        let shared = Arc::downgrade(&keeper.shared);
        drop(keeper);
        let deadline = Duration::from_secs(20);
        let ended = async {
            while shared.strong_count() > 0 {
                tokio::task::yield_now().await;
            }
        };
        timeout(deadline, ended)
            .await
            .expect("the end of the thread");
        assert_eq!(home.on_disk(), 2);
        assert_eq!(Arc::strong_count(&home.lock), 1);
    }

    #[tokio::test]
    async fn a_disk_that_cannot_be_written_is_told_once_and_tried_again() {
        let home = Home::new();
        let keeper = home.open();
        std::fs::create_dir_all(home.file().join("below")).unwrap();
        let change = invite(&keeper);
        let Unsettled(why) = keeper.settled(change).await.unwrap_err();
        assert!(why.contains("cannot write"), "{why}");
        let change = admit(&keeper, 1, true).unwrap();
        keeper.settled(change).await.unwrap_err();
        let said = home.said.0.lock().unwrap().clone();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with("warning: cannot write"), "{said:?}");
        std::fs::remove_dir_all(home.file()).unwrap();
        let change = admit(&keeper, 2, true).unwrap();
        keeper.settled(change).await.unwrap();
        assert_eq!(home.on_disk(), 2);
    }

    #[tokio::test]
    async fn a_roster_that_must_not_be_touched_holds_for_this_process_and_says_so() {
        let home = Home::new();
        let text = r#"{"version":2}"#;
        std::fs::write(home.file(), text).unwrap();
        let keeper = home.open();
        let change = invite(&keeper);
        assert!(admit(&keeper, 1, true).is_ok());
        let Unsettled(why) = keeper.settled(change).await.unwrap_err();
        assert!(why.contains("a newer via6 wrote it"), "{why}");
        assert_eq!(std::fs::read_to_string(home.file()).unwrap(), text);
        let said = home.said.0.lock().unwrap().clone();
        assert!(
            said[0].contains("No invite that was made before"),
            "{said:?}"
        );
        let nowhere = Keeper::forgetful();
        let change = invite(&nowhere);
        nowhere.settled(change).await.unwrap_err();
        nowhere.close().await;
    }
}
