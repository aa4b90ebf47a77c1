//! A roster that is written soon, at the end, or not at all.

use std::path::PathBuf;

use via6_core::frame::Refusal;
use via6_core::invite::Secret;
use via6_core::roster::{Drawn, Identity};

use super::*;
use crate::args::Shown;
use crate::narrator::{Showing, Sink};
use crate::state::test_home;

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
    home: test_home::Home,
    said: Arc<Said>,
}

impl Home {
    fn new() -> Self {
        Self {
            home: test_home::Home::new(),
            said: Arc::default(),
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
        let narrator = Arc::new(Narrator::of_process(sink, Showing::new(shown)));
        Keeper::open(&self.home.folder, Arc::clone(&self.home.lock), &narrator)
    }

    fn on_disk(&self) -> usize {
        let (_, roster, _) = RosterFile::open(&self.home.folder, None);
        roster.players().len()
    }

    fn file(&self) -> PathBuf {
        self.home.join("players.json")
    }

    fn said(&self) -> Vec<String> {
        self.said.0.lock().unwrap().clone()
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
    assert!(home.said().is_empty());
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
    assert_eq!(Arc::strong_count(&home.home.lock), 1);
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
    let said = home.said();
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
    let said = home.said();
    assert!(
        said[0].contains("No invite that was made before"),
        "{said:?}"
    );
    let nowhere = Keeper::forgetful();
    let change = invite(&nowhere);
    nowhere.settled(change).await.unwrap_err();
    nowhere.close().await;
}
