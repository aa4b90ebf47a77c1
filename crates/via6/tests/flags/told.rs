//! `--json`, `-q`, `-v`, `-vv`: how much is told, and where.

use std::net::{SocketAddr, TcpListener};

use serde_json::Value;
use via6_core::limits::FLOW_LINES;

use crate::support::game::{Game, player_of};
use crate::support::{PATIENCE, Running, events, via6};

/// A port that nothing listens on for UDP, as long as the socket is kept: TCP has it.
fn silent_port() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("[::1]:0").expect("a free port");
    let at = listener.local_addr().expect("its address");
    (listener, at)
}

/// Sends datagrams to nobody through `via6` until `enough`.
fn send_until(entries: &[SocketAddr], mut enough: impl FnMut() -> bool) {
    let players: Vec<_> = entries.iter().map(|entry| player_of(*entry)).collect();
    let start = std::time::Instant::now();
    while !enough() {
        assert!(start.elapsed() < PATIENCE, "not in time");
        for player in &players {
            player.send(b"anybody?").expect("sending");
            // Nobody answers: this is the pace.
            let pace = std::time::Duration::from_millis(5);
            player.set_read_timeout(Some(pace)).expect("a time-out");
            let _ = player.recv(&mut [0; 16]);
        }
    }
}

fn silence(events: &[Value]) -> Vec<&Value> {
    let silent = |event: &&Value| event["kind"] == "upstream-silent";
    events.iter().filter(silent).collect()
}

#[test]
fn json_is_all_there_is() {
    let game = Game::on("127.0.0.1");
    let line = format!(
        "via6 host --open {} --listen [::1]:0 --json -vv",
        game.address
    );
    let via6 = via6(&line).start();
    let (player, server) = game.session(via6.address());
    game.flow(via6.address());
    drop((player, server));
    via6.event("session_ended");
    let ended = via6.stop();
    assert_eq!(ended.stderr, "");
    // Panics at anything that is no event.
    let events = events(&ended.stdout);
    let kinds: Vec<_> = events.iter().map(|event| event["event"].as_str()).collect();
    assert_eq!(kinds[..2], [Some("listening"); 2]);
    assert_eq!(kinds.last(), Some(&Some("drained")));
    for event in &events {
        assert!(
            event["time_ms"].as_u64() > Some(1_700_000_000_000),
            "{event}"
        );
    }
}

/// Wherever `--json` stands, and though the command fails.
#[test]
fn json_stays_silent_where_there_is_no_event() {
    let ended = via6("via6 --json host --open --listen [2001:db8::99]:0 7777").end();
    assert_eq!((ended.code, &*ended.stdout), (Some(1), ""));
    assert!(ended.stderr.starts_with("error: "), "{ended:?}");
}

#[test]
fn quiet_leaves_what_was_asked_for_and_warnings() {
    let (_silent, at) = silent_port();
    let line = format!("via6 host --open {at} --listen [::1]:0");
    let sentences = ["sharing", "Ctrl-C", "opened", "ended", "stopped"];
    let run = |flags: &str| {
        let via6 = via6(&format!("{line} {flags}")).start();
        let entry = entry_of(&via6);
        let said = |text: &str| text.contains("nothing listens for UDP on ");
        send_until(&[entry], || said(&via6.stderr.so_far()));
        via6.stop()
    };
    let told = run("");
    let quiet = run("--quiet");
    for sentence in sentences {
        assert!(told.stderr.contains(sentence), "{sentence}: {told:?}");
        assert!(!quiet.stderr.contains(sentence), "{sentence}: {quiet:?}");
    }
    let lines: Vec<_> = quiet.stderr.lines().collect();
    let only_warnings = lines.iter().all(|line| line.starts_with("warning: "));
    assert!(only_warnings, "{quiet:?}");
    assert!(quiet.stdout.starts_with("  via6 join '[::1]:"), "{quiet:?}");
    assert_eq!(run("-q").stderr, quiet.stderr);
}

/// The address in the line to paste.
fn entry_of(host: &Running) -> SocketAddr {
    let pasted = |text: &str| text.split('\'').nth(1)?.parse().ok();
    host.stdout.wait(PATIENCE, "a line to paste", pasted)
}

#[test]
fn verbose_tells_of_each_connection_made() {
    let game = Game::on("127.0.0.1");
    let line = format!("via6 relay tcp [::1]:0 {}", game.address);
    for (flag, told) in [
        ("", false),
        ("-v", true),
        ("--verbose", true),
        ("-vv", true),
    ] {
        let via6 = via6(&format!("{line} --json {flag}")).start();
        drop(game.session(via6.address()));
        via6.event("session_ended");
        let events = events(&via6.stop().stdout);
        let dialled = events
            .iter()
            .filter(|event| event["event"] == "session_dialled");
        assert_eq!(dialled.count(), usize::from(told), "{flag}");
    }
}

#[test]
fn verbose_tells_in_words_as_well() {
    let game = Game::on("127.0.0.1");
    let line = format!("via6 host --open {} -v --listen [::1]:0", game.address);
    let via6 = via6(&line).start();
    drop(game.session(entry_of(&via6)));
    via6.says(&format!("session 1 connected to {} in ", game.address));
    via6.says("session 1 ended: both sides finished; 5 B up, 7 B down, ");
    via6.stop();
}

/// A server list asks once, and whoever runs the host wants to know why nothing came of it.
#[test]
fn one_datagram_to_nobody_is_told() {
    let (_silent, at) = silent_port();
    let via6 = via6(&format!("via6 relay udp [::1]:0 {at} --json")).start();
    let player = player_of(via6.address());
    player.send(b"anybody?").expect("sending");
    let warning = via6.event("warning");
    assert_eq!(warning["kind"], "upstream-silent", "{warning}");
}

/// A warning that repeats is told once a minute, but with `-vv` each time.
#[test]
fn very_verbose_tells_of_every_refusal() {
    let (_silent, at) = silent_port();
    let relay = |flag: &str| via6(&format!("via6 relay udp [::1]:0 {at} --json {flag}")).start();
    let (plain, verbose, very) = (relay(""), relay("-v"), relay("-vv"));
    let entries = [plain.address(), verbose.address(), very.address()];
    send_until(&entries, || {
        silence(&very.events()).len() >= 5 && !silence(&verbose.events()).is_empty()
    });
    for via6 in [plain, verbose] {
        let events = events(&via6.stop().stdout);
        let [once] = silence(&events)[..] else {
            panic!("more than once in a minute: {events:?}");
        };
        assert_eq!(once["held_back"], 0);
    }
}

/// The most frequent failure of an evening: the friend is early.
#[test]
fn a_friend_is_told_that_the_game_is_not_running() {
    let (taken, game) = silent_port();
    drop(taken);
    let host = via6(&format!(
        "via6 host --open {game} --listen [::1]:0 --tcp --json"
    ))
    .start();
    let join = via6(&format!(
        "via6 join {} --listen 127.0.0.1:0 --tcp",
        host.address()
    ))
    .start();
    let typed = |text: &str| text.lines().next()?.trim().parse::<SocketAddr>().ok();
    let entry = join.stdout.wait(PATIENCE, "an address to type", typed);
    let player = std::net::TcpStream::connect(entry).expect("a join that listens");
    join.says("its game is probably not running");
    drop(player);
}

/// Two lines for each of hundreds a second would fill a disk; and still each is a line of `--json`.
#[test]
fn a_flood_of_flows_does_not_flood_the_log() {
    let game = Game::on("127.0.0.1");
    let flows = 3 * FLOW_LINES.burst as usize / 2;
    let told = |flags: &str| {
        let line = format!("via6 relay udp 127.0.0.1:0 {} {flags}", game.address);
        let via6 = via6(&line).start();
        let entry = |text: &str| text.split(" from ").nth(1)?.split(' ').next()?.parse().ok();
        let entry = via6.stderr.wait(PATIENCE, "where it listens", entry);
        let players: Vec<_> = (0..flows).map(|_| game.flow(entry)).collect();
        let ended = via6.stop();
        drop(players);
        let lines = |words: &str| {
            ended
                .stderr
                .lines()
                .filter(|line| line.contains(words))
                .count()
        };
        let last = ended.stderr.lines().last().unwrap_or_default().to_owned();
        assert!(last.contains(&format!("{flows} UDP flows")), "{last}");
        (lines("opened: "), lines("ended (stopped)"))
    };
    let (opened, ended) = told("");
    assert_eq!(opened, ended, "a flow is told of whole");
    assert!(opened >= FLOW_LINES.burst as usize, "{opened}");
    assert!(opened < flows, "{opened}");
    assert_eq!(told("-vv"), (flows, flows));
}
