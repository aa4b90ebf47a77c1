//! `--splice`: whether bytes go through pipes. A pipe that has served is kept for the next one, so
//! its descriptors show.

use std::fs;
use std::net::TcpStream;

use via6_lab::pattern::{DOWN, Pattern, UP};
use via6_lab::wire::{self, MIB};

use crate::support::game::Game;
use crate::support::{Running, via6};

/// Enough for a download to be taken for one, whatever the system does with its queues.
const BULK: u64 = 64 * MIB;

/// Whether there are pipes after small messages, and whether there are after bulk.
type Pipes = (bool, bool);
const NEVER: Pipes = (false, false);
const IN_BULK: Pipes = (false, true);
const ALWAYS: Pipes = (true, true);

/// Variables, flags, and what comes of them.
const SPLICED: &[(&str, &str, Pipes)] = &[
    ("", "", IN_BULK),
    ("", "--splice auto", IN_BULK),
    ("", "--splice always", ALWAYS),
    ("", "--splice never", NEVER),
    ("", "--splice=Never", NEVER),
    ("VIA6_SPLICE=always", "", ALWAYS),
    ("VIA6_SPLICE=NEVER", "", NEVER),
    ("VIA6_SPLICE=", "", IN_BULK),
    ("VIA6_SPLICE=always", "--splice never", NEVER),
    ("VIA6_SPLICE=never", "--splice always", ALWAYS),
    ("VIA6_SPLICE=never", "--splice auto", IN_BULK),
];

#[test]
fn a_host_uses_pipes_when_it_is_told() {
    for &(variables, flags, pipes) in SPLICED {
        let host = "host --open --listen [::1]:0";
        check(variables, host, "127.0.0.1", flags, pipes);
    }
}

#[test]
fn a_join_and_a_relay_use_pipes_when_they_are_told() {
    for &(variables, flags, pipes) in SPLICED.iter().step_by(3) {
        check(variables, "join --listen 127.0.0.1:0", "::1", flags, pipes);
        check(variables, "relay tcp [::1]:0", "127.0.0.1", flags, pipes);
    }
}

fn check(variables: &str, command: &str, game: &str, flags: &str, expected: Pipes) {
    let game = Game::on(game);
    let line = format!("{variables} via6 {command} {} --json {flags}", game.address);
    for downloads in [true, false] {
        let via6 = via6(&line).start();
        // Those of its output.
        let before = pipes(&via6);
        let (player, game) = game.session(via6.address());
        let small = pipes(&via6) > before;
        let bulk = (0..tries(expected)).any(|_| {
            if downloads {
                carry(&game, &player, DOWN);
            } else {
                carry(&player, &game, UP);
            }
            pipes(&via6) > before
        });
        assert_eq!((small, bulk), expected, "{line}, downloads: {downloads}");
        drop((player, game));
        via6.stop();
    }
}

/// On a loaded computer the reader may be the slow one, and then bulk is none; it is not always.
fn tries((_, in_bulk): Pipes) -> usize {
    if in_bulk { 8 } else { 1 }
}

/// Sends [`BULK`] bytes, which arrive in order.
fn carry(from: &TcpStream, to: &TcpStream, pattern: Pattern) {
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| wire::send(from, pattern, 0..BULK));
        wire::receive(to, pattern, 0..BULK).expect("what was sent");
        sender.join().expect("a sender").expect("sending");
    });
}

/// How many of its descriptors are ends of pipes.
fn pipes(via6: &Running) -> usize {
    let folder = format!("/proc/{}/fd", via6.id());
    let entries = fs::read_dir(folder).expect("its descriptors");
    let targets = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    targets
        .filter(|target| target.to_string_lossy().starts_with("pipe:["))
        .count()
}
