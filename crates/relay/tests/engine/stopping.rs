//! Stopping at once: every session ends once, as stopped, and both sides see RST; and nobody else
//! notices.

use std::io::Write;
use std::thread;

use via6_core::reason::CloseReason;
use via6_relay::{Descriptors, Engine, Policy, Splicing};

use crate::play::{
    DESCRIPTORS, MODES, Pair, Running, Stage, alone, beside_others, settings, wait_for,
};
use crate::wire::{self, End, Pattern, Rng};

const SESSIONS: usize = 50;

/// Brings sessions into every state there is: nothing said yet, at rest, half-closed, and in a
/// download that nobody reads.
fn lively(stage: &Stage) -> Vec<Pair> {
    (0..SESSIONS)
        .map(|number| {
            let pair = stage.pair();
            let Pair { player, game } = &pair;
            match number % 4 {
                0 => {}
                1 => ping(player, game),
                2 => {
                    ping(player, game);
                    wire::finish(player);
                    wire::expect(game, Pattern(9), 0, End::Fin);
                }
                _ => {
                    // Until no more fits.
                    game.set_nonblocking(true).unwrap();
                    let mut bulk = std::io::repeat(7);
                    let _ = std::io::copy(&mut bulk, &mut &*game).unwrap_err();
                    game.set_nonblocking(false).unwrap();
                }
            }
            pair
        })
        .collect()
}

/// Ten bytes there and back.
fn ping(player: &std::net::TcpStream, game: &std::net::TcpStream) {
    for (from, to) in [(player, game), (game, player)] {
        let mut rng = Rng::new(3);
        assert!(wire::write(from, Pattern(3), 0, 10, &mut rng));
        assert_eq!(wire::read(to, Pattern(3), 0, 10, &mut rng), (10, None));
    }
}

/// Both sides read until RST. Who has read FIN before reads it again, and learns of the RST by
/// writing.
fn are_reset(pairs: Vec<Pair>) {
    for (number, Pair { player, game }) in pairs.into_iter().enumerate() {
        for (name, mut stream) in [("player", player), ("game", game)] {
            let end = std::io::copy(&mut stream, &mut std::io::sink());
            if number % 4 == 2 && name == "game" {
                assert_eq!(end.unwrap(), 0);
                wait_for("an RST after FIN", || {
                    let written = stream.write(b"?");
                    written
                        .err()
                        .map(|error| assert!(wire::is_reset(&error), "{error}"))
                });
                continue;
            }
            let reset = end.as_ref().is_err_and(wire::is_reset);
            assert!(reset, "{name} of session {number} saw {end:?}");
        }
    }
}

fn all_stopped(relay: &Running) {
    let ends = relay.log.ends(SESSIONS);
    let stopped = ends.iter().all(|end| end.reason == CloseReason::Stopped);
    assert!(stopped, "{ends:?}");
}

#[test]
fn every_session_ends_once_and_both_sides_see_rst() {
    let _beside = beside_others();
    for splicing in MODES {
        let mut stage = Stage::new(splicing, 1);
        let pairs = lively(&stage);
        let relay = stage.relays.remove(0);
        relay.shutdown.now();
        are_reset(pairs);
        all_stopped(&relay);
        let report = relay.report();
        assert_eq!((report.sessions, report.cut), (50, 50), "{splicing:?}");
    }
}

#[test]
fn one_relay_of_an_engine_stops_and_the_other_goes_on() {
    let _beside = beside_others();
    for splicing in MODES {
        let mut one = Stage::new(splicing, 1);
        let other = Stage::beside(&one);
        let (pairs, Pair { player, game }) = (lively(&one), other.pair());
        let (len, rng) = (8 << 20, || Rng::new(5));
        thread::scope(|scope| {
            let sender = scope.spawn(|| wire::write(&game, Pattern(5), 0, len, &mut rng()));
            let reader = scope.spawn(|| wire::read(&player, Pattern(5), 0, len, &mut rng()));
            let relay = one.relays.remove(0);
            relay.shutdown.now();
            are_reset(pairs);
            all_stopped(&relay);
            assert_eq!(relay.report().cut, 50);
            assert!(sender.join().unwrap());
            assert_eq!(reader.join().unwrap(), (len, None));
        });
        // Who comes only now, too.
        let Pair {
            player: late,
            game: its_game,
        } = other.pair();
        ping(&late, &its_game);
        ping(&player, &game);
        for (stream, peer) in [(&player, &game), (&late, &its_game)] {
            wire::finish(stream);
            wire::expect(peer, Pattern(1), 0, End::Fin);
            wire::finish(peer);
            wire::expect(stream, Pattern(1), 0, End::Fin);
        }
        other.conclude(2, |end| end.reason == CloseReason::Finished);
    }
}

/// An embedding program that drops what runs its relays, and then the engine.
#[test]
fn an_engine_that_nobody_has_any_more_ends_its_sessions_and_its_thread() {
    let _alone = alone();
    for splicing in MODES {
        let mut stage = Stage::new(splicing, 1);
        #[cfg(target_os = "linux")]
        wait_for("a thread with its name", || {
            (crate::play::engines() == 1).then_some(())
        });
        let pairs = lively(&stage);
        let relay = stage.relays.remove(0);
        let log = std::sync::Arc::clone(&relay.log);
        relay.abort();
        // The engine is still there, and so is every session.
        ping(&pairs[1].player, &pairs[1].game);
        drop(stage);
        are_reset(pairs);
        let ends = log.ends(SESSIONS);
        let stopped = ends.iter().all(|end| end.reason == CloseReason::Stopped);
        assert!(stopped, "{ends:?}");
        #[cfg(target_os = "linux")]
        wait_for("the thread to end", || {
            (crate::play::engines() == 0).then_some(())
        });
    }
}

/// The same in one step: the future holds the last of the engine.
#[test]
fn a_relay_that_is_dropped_takes_its_engine_with_it() {
    let _alone = alone();
    let game = Stage::new(Splicing::default(), 0);
    let descriptors = Descriptors::new(DESCRIPTORS);
    let engine = Engine::start(&descriptors).unwrap();
    let settings = settings(&game.entry().to_string(), Splicing::default());
    let relay = Running::start(engine, descriptors, settings, Policy::default());
    let player = std::net::TcpStream::connect(relay.at).unwrap();
    let pair = Pair {
        player,
        game: game.accept(),
    };
    ping(&pair.player, &pair.game);
    drop(game);
    let log = std::sync::Arc::clone(&relay.log);
    relay.abort();
    are_reset(vec![pair]);
    assert_eq!(log.ends(1)[0].reason, CloseReason::Stopped);
    #[cfg(target_os = "linux")]
    wait_for("the thread to end", || {
        (crate::play::engines() == 0).then_some(())
    });
}
