//! Real games, played by scripts through `via6 join` → `[::1]` → `via6 host`, by invite and open.
//!
//! The drivers in `lab/games` start the game server and the players, know what a game must look
//! like, and end with what they have proven. Here the relays are put in between, and afterwards
//! their `--json` events must tell the same story: who played, how each session ended, no
//! warnings, a clean drain. A game whose parts are not installed is skipped loudly, except in CI.

#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may panic, and says what was proven"
)]

use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use via6_lab::chain::{Chain, Protocol, Relays, Setup};
use via6_lab::events::Events;
use via6_lab::failure::{During, Failure, Outcome, failed, skipped};
use via6_lab::process::{Start, Via6};

/// The game server's start includes that of an interpreter on a loaded machine.
const SERVER_START: Duration = Duration::from_secs(60);
/// A game takes five to twenty seconds; each of its steps has a deadline of its own.
const GAME: Duration = Duration::from_secs(180);
/// How long the relays may take to notice that everybody has left.
const LAST_END: Duration = Duration::from_secs(5);

/// The games measure how soon an end is noticed, so they are played one after another.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn minecraft_over_an_open_link() {
    minecraft(Chain::JoinHost, 4);
}

#[test]
fn minecraft_by_invite() {
    minecraft(Chain::Sealed, 4);
}

#[test]
fn minecraft_by_invite_over_tls() {
    minecraft(Chain::SealedTls, 4);
}

#[test]
fn minecraft_with_twenty_players_by_invite() {
    minecraft(Chain::Sealed, 20);
}

/// Two pings for the server list, and the players. Each of them receives 2 MB of chunks.
fn minecraft(chain: Chain, players: usize) {
    let count = players.to_string();
    let script = ["minecraft/play.js", &count];
    play("node", &script, chain, |join, host, proven| {
        let chunks = number(proven, "bytes");
        for via6 in [join, host] {
            check_sessions(via6, players + 2)?;
            let down = total(&via6.events.of("session_ended"), "bytes_down");
            let ample = down >= chunks && chunks > (players as u64) << 20;
            expect(ample, || {
                format!("{down} bytes down for {chunks} of chunks")
            })?;
        }
        Ok(())
    });
}

#[test]
fn freeciv_over_an_open_link() {
    freeciv(Chain::JoinHost);
}

#[test]
fn freeciv_by_invite() {
    freeciv(Chain::Sealed);
}

/// Three players; one crashes, one is cut off by the admin, one outlives the game server.
fn freeciv(chain: Chain) {
    play("python3", &["freeciv/play.py"], chain, |join, host, _| {
        for via6 in [join, host] {
            check_sessions(via6, 3)?;
            // The rules and the map of each player are some 200 kB.
            let down = total(&via6.events.of("session_ended"), "bytes_down");
            expect(down > 3 * 100_000, || format!("only {down} bytes down"))?;
        }
        Ok(())
    });
}

/// Three players, in lockstep over UDP.
#[test]
fn doom() {
    let script = ["doom/play.py"];
    play("python3", &script, Chain::JoinHost, |join, host, proven| {
        let tics = number(proven, "tics");
        check_flows(join, 3, tics)?;
        check_flows(host, 3, tics)?;
        for count in ["datagrams_up", "datagrams_down", "bytes_up", "bytes_down"] {
            let [at_join, at_host] =
                [join, host].map(|via6| total(&via6.events.of("flow_ended"), count));
            expect(at_join == at_host, || {
                format!("{count}: {at_join} at the join, {at_host} at the host")
            })?;
        }
        Ok(())
    });
}

/// Plays a game, stops the relays, and lets `check` compare their events with what was proven.
fn play(
    interpreter: &str,
    script: &[&str],
    chain: Chain,
    check: impl FnOnce(&Via6, &Via6, &Value) -> Outcome,
) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let outcome = Driver::start(interpreter, script).and_then(|mut driver| {
        let played = play_through_via6(&mut driver, chain, check);
        // Its own account of the game is what explains a failure.
        played.map_err(|failure| driver.explain(failure))
    });
    match outcome {
        Ok(proven) => println!("{proven}"),
        Err(Failure::Skipped(why)) if std::env::var_os("CI").is_none() => {
            // Past the test harness, which keeps what passing tests print to itself.
            let script = script.concat();
            let note = format!("SKIPPED {script}: {why}; run scripts/setup-tests.sh games\n");
            io::stderr().write_all(note.as_bytes()).expect("stderr");
        }
        Err(failure) => panic!("{}: {failure}", script.join(" ")),
    }
}

fn play_through_via6(
    driver: &mut Driver,
    chain: Chain,
    check: impl FnOnce(&Via6, &Via6, &Value) -> Outcome,
) -> Outcome<Value> {
    let (port, protocol) = driver.serving()?;
    let mut relays = Relays::start(&Setup {
        program: Path::new(env!("CARGO_BIN_EXE_via6")),
        chain,
        protocol,
        game: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        link: Ipv6Addr::LOCALHOST,
        start: Start::default(),
    })?;
    driver.dial(relays.entry.port())?;
    let proven = driver.proven()?;
    let [join, host] = relays.via6s.as_mut_slice() else {
        return failed("a chain of two");
    };
    for via6 in [&mut *join, &mut *host] {
        wait_for_last_end(via6)?;
        via6.stop()?;
        check_calm(via6)?;
    }
    check(join, host, &proven)?;
    Ok(proven)
}

/// Nothing must be left when everybody has gone; a stop would end it and hide that.
fn wait_for_last_end(via6: &Via6) -> Outcome {
    let count = |events: &[Value], kind| events.iter().filter(|e| e["event"] == kind).count();
    via6.events
        .wait(LAST_END, "end of the last session", |events| {
            (count(events, "session_opened") == count(events, "session_ended")).then_some(())
        })
}

/// A game is no occasion for a warning, and nothing may be cut off by a drain after it.
fn check_calm(via6: &Via6) -> Outcome {
    for kind in ["warning", "shed", "output_dropped", "unknown"] {
        let events = via6.events.of(kind);
        expect(events.is_empty(), || format!("{}: {events:?}", via6.name))?;
    }
    for (kind, count) in [("draining", "sessions"), ("drained", "cut")] {
        let events = via6.events.of(kind);
        let clean = events.len() == 1 && events[0][count] == 0;
        expect(clean, || format!("{}: {events:?}", via6.name))?;
    }
    Ok(())
}

/// Ends of sessions are what the game made of them: its players' and its own, never the relay's.
fn check_sessions(via6: &Via6, expected: usize) -> Outcome {
    let ended = via6.events.of("session_ended");
    expect(ended.len() == expected, || {
        format!("{}: {} sessions for {expected}", via6.name, ended.len())
    })?;
    for session in &ended {
        let reason = session["reason"].as_str().unwrap_or_default();
        let by_the_game = ["finished", "downstream-reset", "upstream-reset"].contains(&reason);
        let both_spoke = number(session, "bytes_up") > 0 && number(session, "bytes_down") > 0;
        expect(by_the_game && both_spoke, || {
            format!("{}: {session}", via6.name)
        })?;
    }
    Ok(())
}

/// Lockstep: every player sends and receives at least a datagram for each tic.
fn check_flows(via6: &Via6, expected: usize, tics: u64) -> Outcome {
    let ended = via6.events.of("flow_ended");
    expect(ended.len() == expected, || {
        format!("{}: {} flows for {expected}", via6.name, ended.len())
    })?;
    for flow in &ended {
        let played = number(flow, "datagrams_up") >= tics && number(flow, "datagrams_down") >= tics;
        let lossless = number(flow, "dropped") == 0;
        expect(played && lossless, || format!("{}: {flow}", via6.name))?;
    }
    Ok(())
}

fn expect(holds: bool, otherwise: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { failed(otherwise()) }
}

fn number(event: &Value, field: &str) -> u64 {
    event[field]
        .as_u64()
        .unwrap_or_else(|| panic!("no number {field}: {event}"))
}

fn total(events: &[Value], field: &str) -> u64 {
    events.iter().map(|event| number(event, field)).sum()
}

/// A running driver script. The conversation with it is described in `lab/games/README.md`.
struct Driver {
    child: Child,
    stdin: ChildStdin,
    events: Arc<Events>,
    narration: Option<JoinHandle<String>>,
}

impl Driver {
    fn start(interpreter: &str, script: &[&str]) -> Outcome<Self> {
        let games = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lab/games");
        let mut command = Command::new(interpreter);
        let (name, arguments) = script.split_first().expect("a script");
        command.arg(games.join(name)).args(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return skipped(format!("{interpreter} is not installed"));
            }
            child => child.during(format!("starting {interpreter}"))?,
        };
        let (Some(stdin), Some(stdout), Some(mut stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return failed("a child without pipes");
        };
        let narration = std::thread::spawn(move || {
            io::read_to_string(&mut stderr).unwrap_or_else(|error| error.to_string())
        });
        Ok(Self {
            child,
            stdin,
            events: Events::collect(stdout),
            narration: Some(narration),
        })
    }

    /// Where the game server listens, or what this machine lacks for it.
    fn serving(&self) -> Outcome<(u16, Protocol)> {
        let first = self.events.wait(SERVER_START, "game server", |events| {
            events.first().cloned()
        })?;
        if first["event"] == "missing" {
            return skipped(format!("not installed: {}", first["parts"]));
        }
        let protocol = match first["protocol"].as_str() {
            Some("tcp") => Protocol::Tcp,
            Some("udp") => Protocol::Udp,
            _ => return failed(format!("unexpected first event: {first}")),
        };
        let port = u16::try_from(number(&first, "port"));
        Ok((
            port.map_err(|error| Failure::Failed(error.to_string()))?,
            protocol,
        ))
    }

    fn dial(&mut self, port: u16) -> Outcome {
        writeln!(self.stdin, r#"{{"dial": {port}}}"#).during("telling the driver where to dial")
    }

    /// Waits for the game's end, which must be a success.
    fn proven(&mut self) -> Outcome<Value> {
        let proven = self.events.wait(GAME, "proof", |events| {
            events
                .iter()
                .find(|event| event["event"] == "proven")
                .cloned()
        })?;
        self.events.wait_ended(LAST_END)?;
        let status = self.child.wait().during("waiting for the driver")?;
        expect(status.success(), || {
            format!("the driver ended with {status}")
        })?;
        Ok(proven)
    }

    /// Ends it and adds what it told.
    fn explain(&mut self, failure: Failure) -> Failure {
        self.kill();
        let narration = self.narration.take().and_then(|thread| thread.join().ok());
        match failure {
            Failure::Failed(what) => {
                Failure::Failed(format!("{what}\n{}", narration.unwrap_or_default()))
            }
            skip @ Failure::Skipped(_) => skip,
        }
    }

    fn kill(&mut self) {
        // Both fail only when it has ended already. The game's own processes end with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.kill();
    }
}
