//! UDP rows: every datagram goes to whom it belongs, whole, whatever its size, and a game server
//! or client that comes back on its port is found again.
//!
//! Loopback loses nothing as long as its queues have room, so these rows go in step and accept no
//! loss at all.

use std::net::UdpSocket;
use std::thread;
use std::time::Duration;

use super::closing::joined;
use super::table::{Player, Table, any_port, lasting, receive};
use crate::failure::{During, Outcome, ensure, failed};
use crate::pattern::Pattern;
use crate::rows::Note;
use crate::scene::{Case, Side};

/// Payloads that games, path MTUs and fixed buffers stumble over: nothing, one byte, the IPv6
/// minimum's worth, one Ethernet frame over IPv4 and one byte more, a jumbo frame, the maximum.
const SIZES: [usize; 7] = [0, 1, 1200, 1472, 1473, 9000, 65_507];

/// Players of [`isolation`].
const PLAYERS: usize = 5;

/// Players of [`crowd`]: more than one prefix may have flows, for all share a loopback address, and
/// few enough for a datagram of each to fit into a socket's default buffer of 208 KiB.
const CROWD: usize = 100;

/// Several players in turn and interleaved: each datagram, asked for or not, reaches its own.
pub(super) fn isolation(case: &Case<'_>) -> Outcome<Note> {
    let table = Table::new(case)?;
    let players: Vec<_> = (0..PLAYERS)
        .map(|_| table.player())
        .collect::<Outcome<_>>()?;
    for (index, player) in players.iter().enumerate() {
        let same = players[..index]
            .iter()
            .any(|other| other.seen_as == player.seen_as);
        ensure!(
            !same,
            "two players look alike to the game: {}",
            player.seen_as
        );
    }
    let told =
        |index: usize, round: usize| Pattern::new((round * 1000 + index) as u64).bytes(0, 300);
    for round in 0..20 {
        let order: Vec<_> = (0..PLAYERS)
            .map(|index| (index * 2 + round) % PLAYERS)
            .collect();
        if case.acting == Side::Client {
            order
                .iter()
                .try_for_each(|&index| players[index].send(&told(index, round)))?;
            for _ in 0..PLAYERS {
                let (bytes, from) = receive(&table.game)?;
                let index = players.iter().position(|player| player.seen_as == from);
                let index = index.map_or_else(|| failed(format!("{from} is nobody")), Ok)?;
                ensure!(
                    bytes == told(index, round),
                    "wrong datagram from player {index}"
                );
            }
        }
        for &index in order.iter().rev() {
            table.send(&told(index, round + 100), players[index].seen_as)?;
        }
        for (index, player) in players.iter().enumerate() {
            let bytes = player.receive()?;
            ensure!(
                bytes == told(index, round + 100),
                "player {index} got another's datagram"
            );
        }
    }
    for player in &players {
        player.ensure_quiet()?;
    }
    table.conclude(PLAYERS)?;
    Ok(Note::default())
}

/// One datagram of each size, in one direction; a byte comes back.
pub(super) fn sizes(case: &Case<'_>) -> Outcome<Note> {
    let table = Table::new(case)?;
    let player = table.player()?;
    for size in SIZES {
        if size == 0 && case.chain.has_socat() {
            // socat takes an empty datagram for the end of the conversation.
            continue;
        }
        let sent = Pattern::new(size as u64).bytes(0, size);
        let received = if case.acting == Side::Client {
            player.send(&sent)?;
            receive(&table.game).map(|(bytes, _)| bytes)
        } else {
            table.send(&sent, player.seen_as)?;
            player.receive()
        };
        let received = received.during(format!("a datagram of {size} bytes"))?;
        ensure!(
            received.len() == size,
            "{} bytes came of {size}",
            received.len()
        );
        ensure!(received == sent, "{size} bytes came, but not the same");
        player.ping(&table)?;
    }
    player.ensure_quiet()?;
    table.conclude(1)?;
    Ok(Note::default())
}

/// The acting side stops, the other talks into the void, the acting side comes back on the same
/// port. A second player, who keeps its socket, is served again with its flow.
pub(super) fn restart(case: &Case<'_>) -> Outcome<Note> {
    let mut table = Table::at(lasting(case.chain.game_ip())?, case)?;
    let mut player = table.player_from(lasting(table.relays.entry.ip())?)?;
    let bystander = table.player()?;
    if case.acting == Side::Server {
        table.stop_game()?;
        void(|| player.send(b"anybody there?"))?;
        table.start_game()?;
    } else {
        let address = player.address()?;
        player.socket = UdpSocket::bind("[::1]:0").during("a socket to put in its place")?;
        void(|| table.send(b"still there?", player.seen_as))?;
        bystander.ping(&table)?;
        player = Player::bind(address, table.relays.entry)?;
    }
    let took = table.hear(&player)?;
    bystander.converse(&table)?;
    player.converse(&table)?;
    for via6 in &mut table.relays.via6s {
        via6.stop()?;
    }
    Ok(Note(format!("{} ms", took.as_millis())))
}

/// The game server starts after its first player has begun to knock.
pub(super) fn late_game(case: &Case<'_>) -> Outcome<Note> {
    let mut table = Table::at(lasting(case.chain.game_ip())?, case)?;
    table.stop_game()?;
    let player = Player::bind(any_port(table.relays.entry), table.relays.entry)?;
    void(|| player.send(b"anybody there?"))?;
    table.start_game()?;
    let took = table.hear(&player)?;
    player.converse(&table)?;
    for via6 in &mut table.relays.via6s {
        via6.stop()?;
    }
    Ok(Note(format!("{} ms", took.as_millis())))
}

/// Many players at once, each in step with the game, not with each other.
pub(super) fn crowd(case: &Case<'_>) -> Outcome<Note> {
    let table = Table::new(case)?;
    let entry = table.relays.entry;
    let count = 30;
    // All at once, so that no port of one who has finished serves another.
    let players: Vec<Player> = (0..CROWD)
        .map(|_| Player::bind(any_port(entry), entry))
        .collect::<Outcome<_>>()?;
    thread::scope(|scope| {
        let echo = scope.spawn(|| {
            for _ in 0..CROWD * count {
                let (bytes, from) = receive(&table.game)?;
                table.send(&bytes, from)?;
            }
            Ok(())
        });
        let players: Vec<_> = players
            .iter()
            .enumerate()
            .map(|(index, player)| {
                scope.spawn(move || {
                    for round in 0..count {
                        let sent = Pattern::new((round * 1000 + index) as u64).bytes(0, 200);
                        player.send(&sent)?;
                        let received = player.receive()?;
                        ensure!(received == sent, "player {index} got another's datagram");
                    }
                    player.ensure_quiet()
                })
            })
            .collect();
        players.into_iter().try_for_each(joined)?;
        joined(echo)
    })?;
    table.conclude(CROWD)?;
    Ok(Note::default())
}

/// Talks to somebody who is away, long enough for the refusals to come back.
fn void(mut send: impl FnMut() -> Outcome) -> Outcome {
    for _ in 0..5 {
        send()?;
        // Nothing can be waited for: the refusals go to the relay.
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
