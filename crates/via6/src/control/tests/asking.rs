//! Asking and stopping, as it should go.

use super::*;

#[tokio::test]
async fn who_asks_again_sees_what_has_changed() {
    let running = Running::start();
    let mut connection = running.connect().await;
    assert_eq!(connection.status().await.unwrap(), Status::default());
    let new = Status {
        pid: 4711,
        entries: vec![entry(2)],
        ..Status::default()
    };
    *running.pretend.status.lock().unwrap() = new.clone();
    assert_eq!(connection.status().await.unwrap(), new);
}

#[tokio::test]
async fn a_status_of_very_many_sessions_lists_fewer_and_counts_all() {
    let running = Running::start();
    *running.pretend.status.lock().unwrap() = Status {
        entries: vec![entry(50_000), entry(3)],
        ..Status::default()
    };
    let status = running.connect().await.status().await.unwrap();
    let [many, few] = &status.entries[..] else {
        panic!("{} entries", status.entries.len());
    };
    assert_eq!(many.sessions_live, 50_000);
    assert!((5000..50_000).contains(&many.sessions.len()));
    assert_eq!(few.sessions.len(), 3);
}

#[tokio::test]
async fn who_stops_it_hears_what_is_live_and_then_of_the_end() {
    let running = Running::start();
    let mut connection = running.connect().await;
    let stop = Stop {
        now: true,
        name: Some("friday".into()),
    };
    let live = connection.stop(&stop).await.unwrap();
    assert_eq!((live.sessions, live.flows), (2, 1));
    assert_eq!(running.pretend.noted().await, format!("{stop:?}"));
    // Nothing must come before the end; so long is waited for it.
    let early = timeout(Duration::from_millis(50), connection.stopped());
    assert!(early.await.is_err(), "told before it was over");
    running.pretend.ended.cancel();
    soon("the end", connection.stopped()).await;
}

#[tokio::test]
async fn the_end_of_everything_ends_every_wait_and_removes_the_socket() {
    let running = Running::start();
    let mut stopping = running.connect().await;
    stopping.stop(&Stop::default()).await.unwrap();
    let mut idle = running.raw().await;
    running.over.cancel();
    soon("the end", stopping.stopped()).await;
    assert_eq!(idle.hear().await, None);
    drop((stopping, idle));
    running.tasks.close();
    soon("the server's end", running.tasks.wait()).await;
    let nobody = connect(&running.folder).await;
    assert!(matches!(nobody, Err(Unreachable::Nobody)));
    assert!(!running.folder.join("control.sock").exists());
    assert_eq!(Arc::strong_count(&running.lock), 1);
}

#[tokio::test]
async fn a_refusal_arrives_with_its_hint_and_exit_code() {
    let running = Running::start();
    let stop = Stop {
        now: false,
        name: Some("nobody".into()),
    };
    let error = running.connect().await.stop(&stop).await.unwrap_err();
    let failure = error.failure(&running.folder);
    assert_eq!(failure.code(), 2);
    assert_eq!(
        failure.to_string(),
        "error: cannot stop nobody: no relay has this name\n\nhint: `via6 status` shows the names"
    );
    let refused = running.connect().await.carry(carry("refused")).await;
    let Err(Unreachable::Refused(refusal)) = refused else {
        panic!("taken");
    };
    assert_eq!(
        (refusal.code, refusal.hint.as_deref()),
        (1, Some("pick another"))
    );
}

/// One conversation may be about several things.
#[tokio::test]
async fn players_and_invites_are_asked_about_over_the_same_socket() {
    let running = Running::start();
    let mut connection = running.connect().await;
    let ask = Ask::NewInvite(NewInvite {
        name: Some("alice".into()),
        uses: Some(2),
        lifetime_ms: Some(5000),
    });
    let answered = connection.roster(ask.clone()).await.unwrap();
    assert_eq!(running.pretend.noted().await, format!("{ask:?}"));
    let Answer::Invite {
        invite,
        text: Some(text),
    } = answered.answer
    else {
        panic!("{answered:?}");
    };
    assert_eq!((invite.name.as_str(), invite.uses), ("alice", Some(2)));
    assert!(text.starts_with("via6:"), "{text}");
    assert!(answered.unremembered.is_some(), "it has no folder");
    let identity = via6_core::roster::Identity([7; 32]);
    let admitted = running.pretend.keeper.change(|roster| {
        let id = roster.invites()[0].id;
        roster.admit(identity, id, "mallory", 1, |_| true)
    });
    assert!(admitted.is_ok());
    running.pretend.doors.joined(identity);
    let players = connection.roster(Ask::Players).await.unwrap();
    let Answer::Players { hosting, players } = players.answer else {
        panic!("{players:?}");
    };
    assert!(hosting);
    assert_eq!(
        (players[0].name.as_str(), players[0].links.len()),
        ("mallory", 1)
    );
    let ban = |player: &str| Ask::Ban {
        player: player.into(),
    };
    let banned = connection.roster(ban("mallory")).await.unwrap();
    assert!(
        matches!(banned.answer, Answer::Banned { links: 1, .. }),
        "{banned:?}"
    );
    // And what cannot be done ends the conversation with the words for it.
    let error = connection.roster(ban("malory")).await.unwrap_err();
    let failure = error.failure(&running.folder);
    assert_eq!(
        failure.to_string(),
        "error: cannot ban malory: there is no player of this name\n\nhint: did you mean mallory?"
    );
}
