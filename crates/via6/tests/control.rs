//! Several via6 on one computer: one carries the work of all, others ask it, and each looks to its
//! person as if it were alone.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what a test does not expect ends it"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "the tests play the games' parts themselves"
)]
#![cfg(target_os = "linux")]

mod support;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::Value;

use crate::support::game::{Game, player_of};
use crate::support::{Ended, PATIENCE, Running, via6};

/// A state folder that some via6 share.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self) -> &str {
        self.0.path().to_str().expect("a path in UTF-8")
    }

    fn start(&self, line: &str) -> Running {
        via6(line).with("VIA6_STATE", self.path()).start()
    }

    /// Runs a command to its end.
    fn run(&self, line: &str) -> Ended {
        self.start(line).ended(PATIENCE)
    }

    /// A host of this game, which carries what others bring.
    fn host(&self, game: SocketAddr) -> Running {
        let host = self.start(&format!("via6 host --open {game} --listen [::1]:0 --json"));
        host.event("listening");
        host
    }

    /// A join of that host, with its work handed over.
    fn join(&self, host: &Running) -> Running {
        let line = format!("via6 join '{}' --listen 127.0.0.1:0 --json", host.address());
        let join = self.start(&line);
        join.event("handed_over");
        join.event("listening");
        join
    }

    fn status(&self) -> Value {
        let ended = self.run("via6 status --json");
        assert_eq!(ended.code, Some(0), "{ended:?}");
        serde_json::from_str(&ended.stdout).expect("a status")
    }

    fn names(&self) -> Vec<String> {
        let status = self.status();
        let entries = status["entries"].as_array().expect("entries");
        let name = |entry: &Value| entry["name"].as_str().expect("a name").to_owned();
        entries.iter().map(name).collect()
    }
}

/// The listeners that were announced since the start, in turn.
fn addresses(running: &Running) -> Vec<SocketAddr> {
    let events = running.events().into_iter();
    let mut all: Vec<_> = events
        .filter(|event| event["event"] == "listening")
        .map(|event| {
            event["address"]
                .as_str()
                .expect("text")
                .parse()
                .expect("an address")
        })
        .collect();
    all.dedup();
    all
}

#[test]
fn status_tells_who_plays_and_how_it_goes() {
    let folder = Folder::new();
    let game = Game::on("127.0.0.1");
    let host = folder.host(game.address);
    let join = folder.join(&host);
    let session = game.session(join.address());
    let _flow = game.flow(join.address());
    let status = folder.status();
    assert_eq!(status["pid"], host.id());
    let [hosting, joining] = &status["entries"].as_array().expect("entries")[..] else {
        panic!("{status}")
    };
    for (entry, role) in [(hosting, "host"), (joining, "join")] {
        assert_eq!(entry["role"], role);
        assert_eq!(
            (&entry["sessions_live"], &entry["flows_live"]),
            (&1.into(), &1.into())
        );
        let session = &entry["sessions"][0];
        assert_eq!(session["state"], "open");
        assert!(
            session["round_trip_down_us"]
                .as_u64()
                .expect("a round trip")
                > 0
        );
        assert!(session["round_trip_up_us"].as_u64().expect("a round trip") > 0);
        assert!(entry["flows"][0]["datagrams_up"].as_u64() >= Some(1));
        assert_eq!(entry["totals"]["sessions_opened"], 1);
    }
    assert_eq!(
        joining["listeners"][0]["address"],
        join.address().to_string()
    );
    // The table says the same to a person.
    let table = folder.run("via6 status").stdout;
    for words in ["host: TCP and UDP on", "join: TCP and UDP on", "1 session"] {
        assert!(table.contains(words), "{words}: {table}");
    }
    assert!(
        table.lines().all(|line| line.chars().count() <= 80),
        "{table}"
    );
    drop(session);
    host.event("session_ended");
    let status = folder.status();
    assert_eq!(
        status["entries"][0]["totals"]["sessions_ended"]["finished"],
        1
    );
}

#[test]
fn rates_are_those_of_the_last_second() {
    let folder = Folder::new();
    let game = Game::on("127.0.0.1");
    let host = folder.host(game.address);
    let (mut player, _ends) = game.session(host.address());
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                player.write_all(&[7; 1000]).expect("writing");
                // Some hundred a second, as a game does.
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        let status = folder.status();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let rate = status["entries"][0]["sessions"][0]["rate_up"]
            .as_u64()
            .expect("a rate");
        assert!((10_000..400_000).contains(&rate), "{status}");
        assert_eq!(status["entries"][0]["sessions"][0]["rate_down"], 0);
    });
}

#[test]
fn ctrl_c_of_the_second_ends_its_own_work_alone() {
    let folder = Folder::new();
    let game = Game::on("127.0.0.1");
    let host = folder.host(game.address);
    let join = folder.join(&host);
    let at = join.address();
    let ended = join.stop();
    assert_eq!(ended.stderr, "");
    assert!(
        std::net::TcpStream::connect(at).is_err(),
        "it still listens"
    );
    assert_eq!(folder.names(), ["host"]);
    drop(game.session(host.address()));
}

#[test]
fn a_second_that_is_killed_takes_its_work_along() {
    let folder = Folder::new();
    let game = Game::on("127.0.0.1");
    let host = folder.host(game.address);
    let join = folder.join(&host);
    let (mut player, _ends) = game.session(join.address());
    join.signal("SIGKILL");
    let reset = player.read(&mut [0]).expect_err("a reset");
    assert_eq!(reset.kind(), std::io::ErrorKind::ConnectionReset);
    let gone = || (folder.names() == ["host"]).then_some(());
    support::wait_for("the join to be gone", gone);
}

#[test]
fn when_the_first_ends_the_second_goes_on_at_the_same_place() {
    let folder = Folder::new();
    let game = Game::on("127.0.0.1");
    for signal in ["SIGTERM", "SIGKILL"] {
        let host = folder.host(game.address);
        let at = support::game::free_port();
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, at));
        let line = format!("via6 relay tcp {at} {} --json", game.address);
        let relay = folder.start(&line);
        relay.event("handed_over");
        // What was not told by then is lost with the one that is killed.
        relay.event("listening");
        drop(game.session(at));
        host.signal(signal);
        relay.event("handed_back");
        relay.until("a second start", |events| {
            let of_kind = events.iter().filter(|event| event["event"] == "listening");
            (of_kind.count() == 2).then_some(())
        });
        assert_eq!(addresses(&relay), [at]);
        drop(game.session(at));
        assert_eq!(folder.status()["pid"], relay.id());
        relay.stop();
    }
}

#[test]
fn whoever_is_carried_is_told_what_ctrl_c_ends() {
    let folder = Folder::new();
    let game = Game::on("127.0.0.1");
    let host = folder.host(game.address);
    let line = format!("via6 relay tcp 127.0.0.1:0 {}", game.address);
    let relay = folder.start(&line);
    relay.says(&format!(
        "The via6 that runs already (process {}) carries this as well, as relay.\n\
         Press Ctrl-C to stop this one alone.\n",
        host.id()
    ));
    relay.says("relaying TCP");
    relay.stop();
    assert_eq!(folder.names(), ["host"]);
}

#[test]
fn a_second_that_cannot_be_carried_says_why_and_what_to_do() {
    let folder = Folder::new();
    let game = Game::on("127.0.0.1");
    let host = folder.host(game.address);
    let at = host.address();
    let ended = folder.run(&format!("via6 host --open 25566 --listen '{at}'"));
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.stdout, "");
    let other = SocketAddr::new(at.ip(), at.port() + 1);
    assert_eq!(
        ended.stderr,
        format!(
            "error: cannot listen on {at} (TCP): address already in use\n  \
             another program is using this port\n\n\
             hint: see which one with `ss -ltnp 'sport = :{}'`, or pick another: \
             via6 host --open --listen '{other}' 25566\n",
            at.port()
        )
    );
    assert_eq!(folder.names(), ["host"]);
}

#[test]
fn two_of_a_kind_have_two_names() {
    let folder = Folder::new();
    let game = Game::on("127.0.0.1");
    let host = folder.host(game.address);
    let (one, other) = (folder.join(&host), folder.join(&host));
    assert_eq!(folder.names(), ["host", "join", "join-2"]);
    assert_eq!(other.event("listening")["name"], "join-2");
    // One is stopped by its name, and says so where it was started.
    let stopped = folder.run("via6 stop join");
    assert_eq!((stopped.code, &stopped.stderr[..]), (Some(0), "stopped\n"));
    assert_eq!(one.ended(PATIENCE).code, Some(0));
    assert_eq!(folder.names(), ["host", "join-2"]);
    let stopped = folder.run("via6 stop");
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
    for running in [host, other] {
        assert_eq!(running.ended(PATIENCE).code, Some(0));
    }
    assert_eq!(folder.run("via6 status").code, Some(1));
}

#[test]
fn a_name_that_is_not_there_cannot_be_stopped() {
    let folder = Folder::new();
    let game = Game::on("127.0.0.1");
    let _host = folder.host(game.address);
    let ended = folder.run("via6 stop monday");
    assert_eq!(ended.code, Some(1));
    assert_eq!(
        ended.stderr,
        "error: cannot stop monday: there is no relay of this name\n\n\
         hint: `via6 status` shows the names\n"
    );
}

#[test]
fn a_stop_waits_for_who_plays_and_now_does_not() {
    let folder = Folder::new();
    let game = Game::on("127.0.0.1");
    let host = folder.host(game.address);
    let (mut player, _ends) = game.session(host.address());
    let stopping = folder.start("via6 stop");
    stopping.says("stopping: 1 session may finish within 10 s");
    assert_eq!(folder.status()["entries"][0]["draining"], true);
    let ended = folder.run("via6 stop --now");
    assert_eq!((ended.code, &ended.stderr[..]), (Some(0), "stopped\n"));
    assert_eq!(stopping.ended(PATIENCE).code, Some(0));
    assert!(player.read(&mut [0]).is_err(), "it was cut off");
    assert_eq!(host.ended(PATIENCE).code, Some(0));
}

#[test]
fn a_second_reads_its_own_lines_in_its_own_form() {
    let folder = Folder::new();
    let game = Game::on("127.0.0.1");
    let host = folder.host(game.address);
    let line = format!("via6 join '{}' --listen 127.0.0.1:0 -v", host.address());
    let join = folder.start(&line);
    join.says("In your game, connect to this address:");
    let at = join.stdout.wait(PATIENCE, "an address", |text| {
        text.strip_suffix('\n')?.trim().parse::<SocketAddr>().ok()
    });
    drop(game.session(at));
    join.says("connected to");
    join.says("both sides finished");
    assert!(!join.stderr.so_far().contains('{'));
    // And the one that carries it has only its own.
    assert!(host.events().iter().all(|event| event["name"] != "join"));
}

#[test]
fn a_folder_that_is_of_no_use_keeps_nobody_from_playing() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().to_str().expect("a path in UTF-8");
    let game = Game::on("127.0.0.1");
    let line = format!("via6 host --open {} --listen [::1]:0 --json", game.address);
    let host = via6(&line).with("VIA6_STATE", path).start();
    let warning = host.event("warning");
    assert_eq!(warning["kind"], "state-unusable");
    let message = warning["message"].as_str().expect("text");
    assert!(message.contains("Playing works without it"), "{message}");
    drop(game.session(host.address()));
    player_of(host.address()).send(b"hello").expect("sending");
    host.event("flow_opened");
}

#[test]
fn what_was_joined_last_is_remembered() {
    let folder = Folder::new();
    let join = folder.start("via6 join play.example.org --listen 127.0.0.1:0 --json");
    join.event("listening");
    let path = folder.0.path().join("state.json");
    let saved = || std::fs::read_to_string(&path).ok();
    let saved: Value =
        serde_json::from_str(&support::wait_for("a memory", saved)).expect("an object");
    assert_eq!(saved["last"]["entry"]["upstream"], "play.example.org:43325");
    assert_eq!(saved["version"], 1);
}

/// As many as there is room for, and all of them have to find a new carrier in the same moment.
#[test]
fn when_the_first_ends_all_twelve_others_go_on() {
    let folder = Folder::new();
    let game = Game::on("127.0.0.1");
    let host = folder.host(game.address);
    let line = format!("via6 relay tcp 127.0.0.1:0 {} --json", game.address);
    let others: Vec<_> = (0..12).map(|_| folder.start(&line)).collect();
    for other in &others {
        other.event("handed_over");
        other.event("listening");
    }
    // One more plays as well, if not in company.
    let alone = folder.start(&line);
    assert_eq!(alone.event("warning")["kind"], "control-unavailable");
    alone.event("listening");
    drop(game.session(alone.address()));
    alone.stop();
    host.stop();
    for other in &others {
        other.event("handed_back");
        other.until("a second start", |events| {
            let of_kind = events.iter().filter(|event| event["event"] == "listening");
            (of_kind.count() == 2).then_some(())
        });
        drop(game.session(*addresses(other).last().expect("an address")));
    }
    // One of them carries all.
    support::wait_for("all twelve in one", || {
        (folder.names().len() == 12).then_some(())
    });
    assert_eq!(folder.run("via6 stop").code, Some(0));
    for other in others {
        assert_eq!(other.ended(PATIENCE).code, Some(0));
    }
}

#[test]
fn one_that_stands_still_does_not_keep_others_from_finding_each_other() {
    let folder = Folder::new();
    let game = Game::on("127.0.0.1");
    let host = folder.host(game.address);
    let (still, other) = (folder.join(&host), folder.join(&host));
    still.signal("SIGSTOP");
    host.signal("SIGTERM");
    other.event("handed_back");
    other.until("a second start", |events| {
        let of_kind = events.iter().filter(|event| event["event"] == "listening");
        (of_kind.count() >= 3).then_some(())
    });
    assert_eq!(folder.status()["pid"], other.id());
    still.signal("SIGCONT");
    still.event("handed_back");
    support::wait_for("both", || (folder.names().len() == 2).then_some(()));
}

#[test]
fn ctrl_c_ends_one_whose_work_nobody_takes() {
    let folder = Folder::new();
    let game = Game::on("127.0.0.1");
    let host = folder.host(game.address);
    host.signal("SIGSTOP");
    let join = folder.start("via6 join ::1 --listen 127.0.0.1:0 --json");
    let status = format!("/proc/{}/status", join.id());
    support::wait_for("it to listen for SIGINT", || {
        let status = std::fs::read_to_string(&status).ok()?;
        let caught = status
            .lines()
            .find_map(|line| line.strip_prefix("SigCgt:"))?;
        let caught = u64::from_str_radix(caught.trim(), 16).ok()?;
        (caught & 0b10 > 0).then_some(())
    });
    join.signal("SIGINT");
    let ended = join.ended(support::QUICKLY);
    assert_eq!((ended.code, &ended.stdout[..]), (Some(0), ""));
    host.signal("SIGCONT");
    host.stop();
}

#[test]
fn one_that_was_stopped_by_its_name_does_not_come_back() {
    let folder = Folder::new();
    let game = Game::on("127.0.0.1");
    let host = folder.host(game.address);
    let join = folder.join(&host);
    let session = game.session(join.address());
    let stopping = folder.start("via6 stop join");
    stopping.says("stopping: 1 session");
    host.signal("SIGTERM");
    host.event("draining");
    drop(session);
    let ended = join.ended(PATIENCE);
    assert_eq!(ended.code, Some(0));
    assert!(!ended.stdout.contains("handed_back"), "{}", ended.stdout);
}
