//! `demo` and `--check`: it checks itself, and then is there to be played with.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use via6_core::limits::DRAIN_TIMEOUT;
use via6_lab::wire;

use crate::support::game::{greet, persistently, player_of};
use crate::support::{PATIENCE, events, via6};

#[test]
fn check_ends_it_after_the_self_check() {
    let ended = via6("via6 demo --check").start().ended(PATIENCE);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, "", "nobody is invited to what ends");
    let mut lines = ended.stderr.lines();
    let line = lines.find(|line| line.starts_with("self-check "));
    let line = line.expect("a self-check");
    for part in [
        "round trip ",
        " (median of 200), throughput ",
        "/s, 100 of 100 datagrams came back",
    ] {
        assert!(line.contains(part), "{line}");
    }
    for part in ["game server ", "via6 host ", "via6 join ", "game client "] {
        assert!(ended.stderr.contains(part), "{ended:?}");
    }
}

#[test]
fn check_tells_scripts_what_it_measured() {
    let ended = via6("via6 demo --check --json").start().ended(PATIENCE);
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    let events = events(&ended.stdout);
    let checked = events.iter().find(|event| event["event"] == "checked");
    let checked = checked.expect("a self-check");
    assert!(checked["round_trip_us"].as_f64() > Some(0.0), "{checked}");
    assert!(checked["bytes_per_second"].as_u64() > Some(0), "{checked}");
    assert_eq!(checked["datagrams"], 100, "{checked}");
}

/// A player in the demo's chat, welcomed.
fn enter(at: SocketAddr) -> BufReader<TcpStream> {
    let mut player = BufReader::new(wire::connect(at).expect("a connection"));
    let welcome = heard(&mut player);
    assert!(welcome.starts_with("Welcome, player "), "{welcome}");
    player
}

fn say(player: &mut BufReader<TcpStream>, line: &str) {
    writeln!(player.get_mut(), "{line}").expect("writing");
}

fn heard(player: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    player.read_line(&mut line).expect("a line");
    line
}

#[test]
fn it_stays_up_to_be_played_with_until_it_is_stopped() {
    let via6 = via6("via6 demo").start();
    via6.says("Now you: chat with yourself from two terminals");
    let invited = |text: &str| text.lines().next()?.trim().parse().ok();
    let at: SocketAddr = via6.stdout.wait(PATIENCE, "an address", invited);
    assert!(at.ip().is_loopback() && at.is_ipv4(), "{at}");

    let (mut one, mut two) = (enter(at), enter(at));
    say(&mut one, "hello there");
    let (mine, yours) = (heard(&mut one), heard(&mut two));
    assert!(yours.ends_with(": hello there\n"), "{yours}");
    assert_eq!(mine, yours);
    say(&mut two, "hello yourself");
    for player in [&mut one, &mut two] {
        assert!(heard(player).ends_with(": hello yourself\n"));
    }

    let player = player_of(at);
    let mut buffer = [0; 16];
    let len = persistently(|| greet(&player), || player.recv(&mut buffer).ok());
    assert_eq!(&buffer[..len], b"hello");

    via6.signal("SIGTERM");
    via6.says("join: stopping: 2 sessions may finish within 10 s");
    // The chat goes on while they finish.
    say(&mut one, "goodbye");
    assert!(heard(&mut two).ends_with(": goodbye\n"));
    drop((one, two));
    let ended = via6.ended(DRAIN_TIMEOUT);
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn it_is_stopped_like_everything_else() {
    let via6 = via6("via6 demo --json").start();
    via6.event("checked");
    let ended = via6.stop();
    assert_eq!(
        events(&ended.stdout).last().expect("events")["event"],
        "drained"
    );
}
