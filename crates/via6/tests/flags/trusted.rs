//! `--trust-relay`: an address that many players come through is not bound like one household.
//!
//! Loopback is exempt from these bounds, so the players are elsewhere: in a network of their own,
//! where a computer that dials itself comes from the address it dials.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;
use via6_core::limits::{FLOWS_PER_PREFIX, SESSIONS_PER_ADDRESS};
use via6_lab::pattern::DOWN;
use via6_lab::wire::{self, End};

use crate::support::game::{Game, SOON, greet, persistently, player_of};
use crate::support::network::in_own_network;
use crate::support::{PATIENCE, Running, events, via6};

/// Where everybody comes from, as the name of the network and as its only address.
const RELAY: &str = "2001:db8:1::7";

/// How many come beside those that one address may have.
const MORE: usize = 10;

/// What trusts the relay, by flag and by variable, and what does not.
const TRUST: &[(&str, &str, bool)] = &[
    ("", "", false),
    ("", "--trust-relay 2001:db8:2::7", false),
    ("", "--trust-relay 2001:db8:1::7", true),
    (
        "",
        "--trust-relay 2001:db8:2::7 --trust-relay 2001:db8:1::/64",
        true,
    ),
    ("VIA6_TRUST_RELAY=2001:db8:2::7,2001:db8:1::7", "", true),
];

fn start(command: &str, game: SocketAddr, variable: &str, flags: &str) -> Running {
    via6(&format!(
        "{variable} via6 {command} {game} {flags} --json -vv"
    ))
    .start()
}

/// How many were let in, once each of `all` was let in or turned away.
fn admitted(events: &[Value], opened: &str, warning: &str, all: usize) -> Option<usize> {
    let count = |key: &str, value: &str| {
        let of_it = |event: &&Value| event[key] == value;
        events.iter().filter(of_it).count()
    };
    let admitted = count("event", opened);
    (admitted + count("kind", warning) >= all).then_some(admitted)
}

#[test]
fn a_trusted_relay_may_have_more_sessions_than_a_household() {
    in_own_network(&["2001:db8:1::7/128"], || {
        let bound = SESSIONS_PER_ADDRESS as usize;
        for (variable, flags, trusted) in TRUST {
            let local = "127.0.0.1:0".parse().expect("an address");
            let (socket, game) = wire::reserve(local).expect("a game");
            let _game = wire::start_listening(socket).expect("a game");
            let command = format!("relay tcp [{RELAY}]:0");
            let via6 = start(&command, game, variable, flags);
            let entry = via6.address();
            // A refusal may come before `connect` has returned.
            let connect = |_| TcpStream::connect_timeout(&entry, PATIENCE);
            let players: Vec<_> = (0..bound + MORE).map(connect).collect();
            let admitted = via6.until("everybody's turn", |events| {
                admitted(events, "session_opened", "shed", players.len())
            });
            if *trusted {
                assert_eq!(admitted, players.len(), "{variable} {flags}");
            } else {
                assert!((1..=bound).contains(&admitted), "{admitted} {flags}");
                // Not left to hang: the last one came when its address was full.
                match players.last().expect("players") {
                    Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
                    Ok(last) => wire::expect(last, DOWN, 0, 0, End::Reset).expect("a refusal"),
                }
            }
        }
    });
}

#[test]
fn a_trusted_relay_may_have_more_flows_than_a_household() {
    in_own_network(&["2001:db8:1::7/128"], || {
        let bound = FLOWS_PER_PREFIX as usize;
        for (variable, flags, trusted) in TRUST {
            let game = Game::on("127.0.0.1");
            let command = format!("host --open --udp --listen [{RELAY}]:0");
            let via6 = start(&command, game.address, variable, flags);
            let players: Vec<_> = (0..bound + MORE)
                .map(|_| player_of(via6.address()))
                .collect();
            // More than once: an overloaded system may lose some, even here.
            let admitted = persistently(
                || players.iter().for_each(greet),
                || {
                    via6.stdout.wait_or_end(SOON, |text| {
                        admitted(&events(text), "flow_opened", "dropped", players.len())
                    })
                },
            );
            if *trusted {
                assert_eq!(admitted, players.len(), "{variable} {flags}");
            } else {
                assert!((1..=bound).contains(&admitted), "{admitted} {flags}");
            }
        }
    });
}
