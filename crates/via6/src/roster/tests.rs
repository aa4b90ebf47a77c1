//! What is asked of a process that runs, with a sealed host that is only pretended, and of a folder where none
//! does.

use std::sync::{Arc, Mutex};

use via6_core::frame::{Closed, Refusal};
use via6_core::invite::Secret;
use via6_core::roster::Identity;

use super::doors::Link;
use super::*;
use crate::failure::Failure;
use crate::secrets::{digits, draw_invite};
use crate::state::{Folder, Keeper, Lock, RosterFile, Trouble};

/// A sealed host that is nothing but its links.
#[derive(Default)]
pub(crate) struct Pretended {
    pub(crate) links: Mutex<Vec<Link>>,
    pub(crate) ended: Mutex<Vec<(Identity, Closed)>>,
}

impl Pretended {
    pub(crate) fn joined(&self, identity: Identity) {
        let status = LinkStatus {
            transport: "quic".into(),
            address: "[2001:db8::7]:50000".into(),
            age_ms: 65_000,
            round_trip_us: Some(23_000),
            sessions: 1,
            suspect: false,
        };
        self.links.lock().unwrap().push(Link { identity, status });
    }
}

impl Doors for Pretended {
    fn links(&self) -> Vec<Link> {
        self.links.lock().unwrap().clone()
    }

    fn end(&self, identity: &Identity, why: Closed) -> u64 {
        self.ended.lock().unwrap().push((*identity, why));
        let mut links = self.links.lock().unwrap();
        let before = links.len();
        links.retain(|one| one.identity != *identity);
        (before - links.len()) as u64
    }

    fn invite_text(&self, secret: &Secret) -> Option<String> {
        Some(format!("via6:{}", digits(&secret.0)))
    }
}

/// A process that runs, in a folder of its own.
struct Running {
    doors: Pretended,
    keeper: Keeper,
    folder: Folder,
    lock: Arc<Lock>,
    _place: tempfile::TempDir,
}

impl Running {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(Some(place.path())).unwrap();
        let lock = Arc::new(Lock::take(&folder).unwrap());
        Self {
            doors: Pretended::default(),
            keeper: Keeper::open(&folder, Arc::clone(&lock), &silent()),
            folder,
            lock,
            _place: place,
        }
    }

    /// The answer. What it changed must be on the disk.
    async fn ask(&self, ask: Ask) -> Result<Answer, Failure> {
        let answered = answer(&ask, &self.keeper, Some(&self.doors)).await?;
        assert_eq!(answered.unremembered, None, "{ask:?}");
        if ask.changes() {
            let on_disk = RosterFile::open(&self.folder, None).1;
            self.keeper.look(|roster| assert_eq!(*roster, on_disk));
        }
        Ok(answered.answer)
    }

    /// Makes an invite. Returns its text, as the host tells it.
    async fn invite(&self, name: &str) -> String {
        let new = NewInvite {
            name: Some(name.into()),
            ..NewInvite::default()
        };
        match self.ask(Ask::NewInvite(new)).await.unwrap() {
            Answer::Invite {
                invite,
                text: Some(text),
            } => {
                assert_eq!(
                    (invite.name.as_str(), invite.state.as_str()),
                    (name, "open")
                );
                text
            }
            other => panic!("{other:?}"),
        }
    }

    /// Somebody comes with the invite of this name, and begins a link.
    fn come(&self, number: u8, name: &str, invite: &str) -> Result<(), Refusal> {
        let identity = Identity([number; 32]);
        let admitted = self.keeper.change(|roster| {
            let id = roster.find_invite(invite).unwrap().id;
            roster.admit(identity, id, name, 1, |_| true)
        });
        admitted.map(|_| self.doors.joined(identity))
    }
}

/// Says nothing to anybody.
pub(crate) fn silent() -> Arc<crate::narrator::Narrator> {
    use crate::narrator::{Narrator, Showing, Sink};
    struct Nowhere;
    impl Sink for Nowhere {
        fn data(&self, _: String) {}
        fn log(&self, _: String) {}
    }
    let shown = crate::args::Shown {
        verbose: 0,
        quiet: true,
        json: false,
        plain: true,
    };
    Arc::new(Narrator::of_process(Arc::new(Nowhere), Showing::new(shown)))
}

fn ban(player: &str) -> Ask {
    Ask::Ban {
        player: player.into(),
    }
}

fn kick(player: &str) -> Ask {
    Ask::Kick {
        player: player.into(),
    }
}

fn show(name: Option<&str>) -> Ask {
    Ask::ShowInvite {
        name: name.map(str::to_owned),
    }
}

fn revoke(name: &str) -> Ask {
    Ask::RevokeInvite { name: name.into() }
}

#[tokio::test]
async fn who_is_banned_is_out_at_once_and_for_good() {
    let running = Running::new();
    running.invite("friends").await;
    running.come(1, "mallory", "friends").unwrap();
    running.come(1, "mallory", "friends").unwrap();
    running.come(2, "alice", "friends").unwrap();
    let banned = running.ask(ban("Mallory")).await.unwrap();
    let expected = |links, already, closed: Option<&str>| Answer::Banned {
        player: "mallory".into(),
        identity: "01".repeat(32),
        links,
        already,
        closed_invite: closed.map(str::to_owned),
    };
    assert_eq!(banned, expected(2, false, Some("friends")));
    let ended = running.doors.ended.lock().unwrap().clone();
    assert_eq!(ended, [(Identity([1; 32]), Closed::Banned)]);
    assert_eq!(running.come(1, "x", "friends"), Err(Refusal::Banned));
    assert_eq!(running.come(3, "x", "friends"), Err(Refusal::Revoked));
    let again = running.ask(ban("0101010101")).await.unwrap();
    assert_eq!(again, expected(0, true, None));
    let Answer::Players { hosting, players } = running.ask(Ask::Players).await.unwrap() else {
        panic!();
    };
    let of = |at: usize| {
        (
            players[at].name.as_str(),
            players[at].state.as_str(),
            players[at].links.len(),
        )
    };
    assert!(hosting);
    assert_eq!(
        [of(0), of(1)],
        [("mallory", "banned", 0), ("alice", "admitted", 1)]
    );
    let unban = Ask::Unban {
        player: "mallory".into(),
    };
    running.ask(unban.clone()).await.unwrap();
    running.come(1, "mallory", "friends").unwrap();
    let failure = running.ask(unban).await.unwrap_err();
    assert_eq!(
        failure.to_string(),
        "error: cannot unban mallory: mallory is not banned\n\nhint: `via6 players` shows who is banned"
    );
}

#[tokio::test]
async fn who_is_kicked_may_come_back_and_nothing_is_remembered_of_it() {
    let running = Running::new();
    running.invite("friends").await;
    running.come(1, "bob", "friends").unwrap();
    let kicked = running.ask(kick("bob")).await.unwrap();
    assert!(
        matches!(kicked, Answer::Kicked { links: 1, .. }),
        "{kicked:?}"
    );
    assert_eq!(running.doors.ended.lock().unwrap()[0].1, Closed::Kicked);
    running.come(1, "bob", "friends").unwrap();
    running.ask(kick("bob")).await.unwrap();
    for (player, words) in [
        ("bob", "cannot kick bob: it is not here"),
        (
            "bbo",
            "cannot kick bbo: there is no player of this name\n\nhint: did you mean bob?",
        ),
        (
            "somebody",
            "cannot kick somebody: there is no player of this name\n\n\
             hint: `via6 players` shows the names",
        ),
    ] {
        let failure = running.ask(kick(player)).await.unwrap_err();
        assert_eq!(
            (failure.code(), failure.to_string()),
            (1, format!("error: {words}"))
        );
    }
    let nobody = answer(&kick("bob"), &running.keeper, None).await;
    assert_eq!(
        nobody.unwrap_err().message(),
        "cannot kick bob: no sealed host runs here"
    );
}

#[tokio::test]
async fn a_revoked_invite_ends_the_links_of_those_who_came_by_it() {
    let running = Running::new();
    running.invite("one").await;
    running.invite("two").await;
    running.come(1, "a", "one").unwrap();
    running.come(2, "b", "one").unwrap();
    running.come(3, "c", "two").unwrap();
    let revoked = running.ask(revoke("one")).await.unwrap();
    let expected = Answer::Revoked {
        invite: "one".into(),
        players: 2,
        links: 2,
    };
    assert_eq!(revoked, expected);
    let ended = running.doors.ended.lock().unwrap().clone();
    assert!(ended.iter().all(|(_, why)| *why == Closed::Revoked));
    assert_eq!(running.doors.links().len(), 1);
    for (name, words) in [
        (
            "one",
            "cannot revoke one: it was revoked before\n\nhint: `via6 invite list` shows the names",
        ),
        (
            "tow",
            "cannot revoke tow: there is no invite of this name\n\nhint: did you mean two?",
        ),
    ] {
        let failure = running.ask(revoke(name)).await.unwrap_err();
        assert_eq!(failure.to_string(), format!("error: {words}"));
    }
}

#[tokio::test]
async fn an_invite_is_shown_again_as_long_as_it_lets_somebody_in() {
    let running = Running::new();
    let text = running.invite("alice").await;
    let shown = |answer| match answer {
        Answer::Invite {
            text: Some(text), ..
        } => text,
        other => panic!("{other:?}"),
    };
    assert_eq!(shown(running.ask(show(Some("ALICE"))).await.unwrap()), text);
    let failure = running.ask(show(None)).await.unwrap_err();
    assert!(failure.message().contains("there is none for everyone"));
    let drawn = draw_invite().unwrap();
    let made = running
        .keeper
        .change(|roster| roster.make_default_invite(drawn, 1).cloned());
    running.keeper.settled(made.unwrap().1).await.unwrap();
    let everyone = shown(running.ask(show(None)).await.unwrap());
    assert_eq!(everyone, format!("via6:{}", digits(&drawn.secret.0)));
    running.ask(revoke("alice")).await.unwrap();
    let failure = running.ask(show(Some("alice"))).await.unwrap_err();
    assert_eq!(failure.message(), "cannot show alice: it was revoked");
}

#[tokio::test]
async fn invites_are_listed_without_their_secrets() {
    let running = Running::new();
    let new = NewInvite {
        name: None,
        uses: Some(1),
        lifetime_ms: Some(3_600_000),
    };
    let made = running.ask(Ask::NewInvite(new)).await.unwrap();
    let Answer::Invite {
        invite,
        text: Some(text),
    } = made
    else {
        panic!("{made:?}");
    };
    assert_eq!(invite.name, "friends");
    assert_eq!(
        invite.expires_ms.map(|ms| ms - invite.created_ms),
        Some(3_600_000)
    );
    running.come(1, "a", "friends").unwrap();
    running.keeper.close().await;
    let list = running.ask(Ask::Invites).await.unwrap();
    let shown = serde_json::to_string(&list).unwrap() + &format!("{list:?}");
    assert!(!shown.contains(text.trim_start_matches("via6:")), "{shown}");
    let Answer::Invites { invites } = list else {
        panic!("{list:?}");
    };
    assert_eq!((invites[0].state.as_str(), invites[0].used), ("used-up", 1));
}

#[tokio::test]
async fn what_cannot_be_made_is_told() {
    let running = Running::new();
    running.invite("alice").await;
    for (name, code, words) in [
        (
            "Alice",
            1,
            "cannot make an invite: an invite is called alice already\n\n\
             hint: `via6 invite show alice` prints its line again; or choose another name",
        ),
        (
            "my friends",
            2,
            "cannot make an invite: a name is made of letters, digits, `-`, `_` and `.`\n\n\
             hint: for instance: via6 invite new --name alice",
        ),
    ] {
        let new = NewInvite {
            name: Some(name.into()),
            ..NewInvite::default()
        };
        let failure = running.ask(Ask::NewInvite(new)).await.unwrap_err();
        assert_eq!(
            (failure.code(), failure.to_string()),
            (code, format!("error: {words}"))
        );
    }
}

/// It holds, and whoever asked must know that it will not tomorrow.
#[tokio::test]
async fn what_is_not_on_the_disk_is_done_and_told() {
    let keeper = Keeper::forgetful();
    let ask = Ask::NewInvite(NewInvite::default());
    let answered = answer(&ask, &keeper, None).await.unwrap();
    assert!(matches!(answered.answer, Answer::Invite { text: None, .. }));
    let why = answered.unremembered.unwrap();
    assert_eq!(why, "there is no folder to remember it in");
    keeper.look(|roster| assert_eq!(roster.invites().len(), 1));
}

#[tokio::test]
async fn where_none_runs_the_file_is_asked_and_changed() {
    let running = Running::new();
    running.invite("alice").await;
    running.come(1, "mallory", "alice").unwrap();
    running.keeper.close().await;
    let (folder, lock) = (&running.folder, &*running.lock);
    let none = |trouble: &Trouble| panic!("{trouble}");
    let alone = |ask: &Ask| answer_alone(ask, folder, Some(lock), none).map(|one| one.answer);
    let banned = alone(&ban("mallory")).unwrap();
    assert!(
        matches!(banned, Answer::Banned { links: 0, .. }),
        "{banned:?}"
    );
    // Without the lock there is only looking.
    let read = answer_alone(&Ask::Players, folder, None, none).unwrap();
    let Answer::Players { hosting, players } = read.answer else {
        panic!();
    };
    assert_eq!((hosting, players[0].state.as_str()), (false, "banned"));
    let bytes = || std::fs::read(folder.join("players.json")).unwrap();
    let before = bytes();
    assert!(answer_alone(&revoke("alice"), folder, None, none).is_err());
    assert!(alone(&revoke("bob")).is_err());
    assert_eq!(bytes(), before);
    // No address is known where no host runs.
    let ask = Ask::NewInvite(NewInvite::default());
    let made = alone(&ask).unwrap();
    assert!(
        matches!(made, Answer::Invite { text: None, .. }),
        "{made:?}"
    );
}

#[tokio::test]
async fn a_file_that_cannot_be_trusted_is_no_answer() {
    let running = Running::new();
    let file = running.folder.join("players.json");
    let (folder, lock) = (&running.folder, &*running.lock);
    let none = |trouble: &Trouble| panic!("{trouble}");
    std::fs::write(&file, r#"{"version":2}"#).unwrap();
    for (ask, lock) in [(Ask::Players, None), (ban("x"), Some(lock))] {
        let failure = answer_alone(&ask, folder, lock, none).unwrap_err();
        assert!(failure.message().contains("a newer via6 wrote it"));
    }
    std::fs::write(&file, "{").unwrap();
    answer_alone(&Ask::Players, folder, None, none).unwrap_err();
    assert!(file.exists());
    // Whoever may write sets it aside, says so, and goes on.
    let told = Mutex::new(None);
    let tell = |trouble: &Trouble| *told.lock().unwrap() = Some(trouble.to_string());
    let ask = Ask::NewInvite(NewInvite::default());
    answer_alone(&ask, folder, Some(lock), tell).unwrap();
    assert!(
        told.lock()
            .unwrap()
            .as_ref()
            .unwrap()
            .contains("it is kept as")
    );
}
