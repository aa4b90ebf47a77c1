//! Ctrl-C, SIGTERM and a closed terminal: live sessions may finish, but not for ever.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use via6_core::limits::DRAIN_TIMEOUT;
use via6_lab::pattern::DOWN;
use via6_lab::wire::{self, End};

use crate::support::game::{Game, hears, is_refused};
use crate::support::{Ended, PATIENCE, QUICKLY, Running, events, via6};

/// A join before a host that is played by the test, and where players come in.
struct Scene {
    host: Game,
    via6: Running,
    entry: SocketAddr,
}

impl Scene {
    fn new() -> Self {
        let host = Game::on("::1");
        let line = format!("via6 join {} --listen 127.0.0.1:0", host.address);
        let via6 = via6(&line).start();
        let typed = |text: &str| text.lines().next()?.trim().parse().ok();
        let entry = via6.stdout.wait(PATIENCE, "an address to type", typed);
        Self { host, via6, entry }
    }

    fn session(&self) -> (TcpStream, TcpStream) {
        self.host.session(self.entry)
    }
}

/// Both ends see a reset within this time, and no byte before.
fn are_cut_off((player, game): &(TcpStream, TcpStream), patience: Duration) {
    for stream in [player, game] {
        wire::be_patient(stream, patience).expect("options");
        wire::expect(stream, DOWN, 0, 0, End::Reset).expect("a reset");
    }
}

fn ends_with(ended: &Ended, words: &str) {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stderr.lines().last(), Some(words), "{ended:?}");
}

#[test]
fn once_lets_live_sessions_finish() {
    for signal in ["SIGINT", "SIGTERM"] {
        let scene = Scene::new();
        let (mut player, mut game) = scene.session();
        scene.via6.signal(signal);
        scene
            .via6
            .says("stopping: 1 session may finish within 10 s; Ctrl-C again ends at once\n");
        is_refused(scene.entry, "tcp");
        player.write_all(b"one more move").expect("writing");
        hears(&mut game, b"one more move");
        game.write_all(b"you win").expect("writing");
        hears(&mut player, b"you win");
        drop((player, game));
        let ended = scene.via6.ended(QUICKLY);
        ends_with(&ended, "stopped after 1 session");
    }
}

#[test]
fn it_says_how_many_are_left_and_how_many_were_cut_off() {
    let scene = Scene::new();
    let sessions = [scene.session(), scene.session(), scene.session()];
    let _flow = scene.host.flow(scene.entry);
    scene.via6.signal("SIGINT");
    scene
        .via6
        .says("stopping: 3 sessions may finish within 10 s");
    let [finishes, rest @ ..] = sessions;
    drop(finishes);
    scene.via6.says("ended: both sides finished");
    scene.via6.signal("SIGINT");
    for session in &rest {
        are_cut_off(session, QUICKLY);
    }
    let ended = scene.via6.ended(QUICKLY);
    ends_with(
        &ended,
        "stopped after 3 sessions (2 cut off) and 1 UDP flow",
    );
}

#[test]
fn twice_ends_at_once() {
    for (first, second) in [
        ("SIGINT", "SIGINT"),
        ("SIGTERM", "SIGTERM"),
        ("SIGTERM", "SIGINT"),
    ] {
        let scene = Scene::new();
        let session = scene.session();
        scene.via6.signal(first);
        scene.via6.says("stopping: ");
        scene.via6.signal(second);
        are_cut_off(&session, QUICKLY);
        let ended = scene.via6.ended(QUICKLY);
        ends_with(&ended, "stopped after 1 session (1 cut off)");
    }
}

#[test]
fn a_closed_terminal_ends_at_once() {
    let scene = Scene::new();
    let session = scene.session();
    scene.via6.signal("SIGHUP");
    are_cut_off(&session, QUICKLY);
    let ended = scene.via6.ended(QUICKLY);
    ends_with(&ended, "stopped after 1 session (1 cut off)");
}

#[test]
fn without_sessions_there_is_nothing_to_wait_for() {
    for signal in ["SIGINT", "SIGTERM", "SIGHUP"] {
        let scene = Scene::new();
        scene.via6.says("Press Ctrl-C to stop.");
        scene.via6.signal(signal);
        let ended = scene.via6.ended(QUICKLY);
        ends_with(&ended, "stopped; nobody came");
        assert!(!ended.stderr.contains("stopping"), "{ended:?}");
    }
}

/// A session that nobody ends is reset when the time is up.
#[test]
fn the_wait_has_an_end() {
    let host = Game::on("::1");
    let line = format!("via6 join {} --json --listen 127.0.0.1:0", host.address);
    let via6 = via6(&line).start();
    let session = host.session(via6.address());
    via6.signal("SIGTERM");
    let start = Instant::now();
    assert_eq!(via6.event("draining")["sessions"], 1);
    are_cut_off(&session, PATIENCE);
    let took = start.elapsed();
    assert!(
        took >= DRAIN_TIMEOUT.mul_f32(0.95),
        "cut off after {took:?}"
    );
    let ended = via6.ended(QUICKLY);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let events = events(&ended.stdout);
    let of = |kind: &str| events.iter().find(|event| event["event"] == kind);
    assert_eq!(of("session_ended").expect("an end")["reason"], "stopped");
    let drained = of("drained").expect("an account");
    assert_eq!(
        [&drained["sessions"], &drained["ended"], &drained["cut"]],
        [1, 0, 1]
    );
}
