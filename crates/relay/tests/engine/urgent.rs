//! Urgent data (`MSG_OOB`) in the middle of a download: each byte arrives in its place, and nothing
//! stalls. `splice(2)` stops before an urgent byte and then says that there is nothing to move, or
//! after FIN that this was all.

use std::net::TcpStream;
use std::thread;

use socket2::SockRef;
use via6_core::reason::CloseReason;
use via6_relay::Splicing;

use crate::play::{MODES, Pair, Stage, beside_others};
use crate::wire::{self, End, Pattern, Rng};

/// What is sent: pieces of so many bytes, each but the last followed by an urgent byte.
type Pieces = &'static [usize];

const CASES: &[Pieces] = &[
    // Alone, at the start, two in a row, and at the very end.
    &[0, 0],
    &[0, 100],
    &[10, 0, 10],
    &[10, 0],
    // In bulk.
    &[1 << 20, 1 << 20],
    &[1 << 20, 0],
    &[1 << 20, 0, 0, 1 << 20, 1, 0],
    &[
        65_536, 65_536, 65_536, 65_536, 65_536, 65_536, 65_536, 65_535, 65_537,
    ],
];

const PATTERN: Pattern = Pattern(0x6f6f_6221);

/// Sends the pieces, and FIN at once.
fn send(mut stream: &TcpStream, pieces: &[usize]) -> u64 {
    use std::io::Write;
    let mut at = 0;
    for (number, &len) in pieces.iter().enumerate() {
        if number > 0 {
            let sent = SockRef::from(stream).send_out_of_band(&PATTERN.bytes(at, 1));
            assert_eq!(sent.unwrap(), 1);
            at += 1;
        }
        stream.write_all(&PATTERN.bytes(at, len)).unwrap();
        at += len as u64;
    }
    wire::finish(stream);
    at
}

fn len(pieces: &[usize]) -> u64 {
    (pieces.iter().sum::<usize>() + pieces.len() - 1) as u64
}

/// `from` sends, `to` hears it, and answers after the FIN.
fn check(from: &TcpStream, to: &TcpStream, pieces: &[usize]) {
    thread::scope(|scope| {
        let sender = scope.spawn(|| send(from, pieces));
        wire::expect(to, PATTERN, len(pieces), End::Fin);
        assert_eq!(sender.join().unwrap(), len(pieces));
    });
    assert!(wire::write(to, Pattern(1), 0, 1000, &mut Rng::new(1)));
    wire::finish(to);
    wire::expect(from, Pattern(1), 1000, End::Fin);
}

fn all(splicing: Splicing) {
    let _beside = beside_others();
    for relays in [1, 2] {
        for pieces in CASES {
            for swapped in [false, true] {
                let stage = Stage::new(splicing, relays);
                let Pair { player, game } = stage.pair();
                let (from, to) = if swapped {
                    (&game, &player)
                } else {
                    (&player, &game)
                };
                check(from, to, pieces);
                let (sent, answered) = (len(pieces), 1000);
                stage.conclude(1, |end| {
                    let expected = if swapped {
                        (answered, sent)
                    } else {
                        (sent, answered)
                    };
                    end.reason == CloseReason::Finished && (end.up, end.down) == expected
                });
            }
        }
    }
}

#[test]
fn urgent_bytes_pass_in_their_places() {
    for splicing in MODES {
        all(splicing);
    }
}

/// At random places of a stream that is read slowly and with pauses, in both directions at once.
#[test]
fn urgent_bytes_pass_at_random_places() {
    let _beside = beside_others();
    for splicing in MODES {
        for seed in 0..6 {
            let mut rng = Rng::new(seed);
            let mut pieces = || {
                let pieces = 2 + rng.below(30);
                let bound = if rng.one_in(2) { 200 } else { 200_000 };
                let len = |_| usize::try_from(rng.below(bound)).unwrap();
                (0..pieces).map(len).collect::<Vec<_>>()
            };
            let (up, down) = (pieces(), pieces());
            let stage = Stage::new(splicing, 1);
            let Pair { player, game } = stage.pair();
            thread::scope(|scope| {
                scope.spawn(|| send(&player, &up));
                scope.spawn(|| send(&game, &down));
                scope.spawn(|| wire::expect(&game, PATTERN, len(&up), End::Fin));
                wire::expect(&player, PATTERN, len(&down), End::Fin);
            });
            stage.conclude(1, |end| {
                let expected = (len(&up), len(&down));
                let right = (end.up, end.down) == expected;
                assert!(right, "{splicing:?}, seed {seed}: {end:?}");
                end.reason == CloseReason::Finished
            });
        }
    }
}
