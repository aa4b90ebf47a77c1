//! `--tcp`, `--udp`, `--port`, `--listen`: what is carried, and where it comes in.

use std::net::SocketAddr;

use crate::support::game::{Game, free_port, is_refused};
use crate::support::{events, via6};

/// Starts `command` with these flags before `game`, and checks that just these protocols listen,
/// on one port, and reach the game.
fn check(command: &str, game: &Game, flags: &str, protocols: &[&str]) {
    let via6 = via6(&format!("via6 {command} {} --json {flags}", game.address)).start();
    let entry = via6.address();
    for protocol in ["tcp", "udp"] {
        if protocols.contains(&protocol) {
            game.is_reached(entry, protocol);
        } else {
            is_refused(entry, protocol);
        }
    }
    let events = events(&via6.stop().stdout);
    let listening = events.iter().filter(|event| event["event"] == "listening");
    let seen: Vec<_> = listening
        .map(|event| {
            assert_eq!(event["address"], entry.to_string(), "{event}");
            event["protocol"].as_str().expect("a protocol")
        })
        .collect();
    assert_eq!(seen, protocols, "{command} {flags}");
}

const CARRIED: &[(&str, &[&str])] = &[
    ("", &["tcp", "udp"]),
    ("--tcp", &["tcp"]),
    ("--udp", &["udp"]),
    ("--udp --tcp", &["tcp", "udp"]),
];

#[test]
fn a_host_carries_both_or_what_is_asked_for() {
    for (flags, protocols) in CARRIED {
        let game = Game::on("127.0.0.1");
        check("host --open --listen [::1]:0", &game, flags, protocols);
    }
}

#[test]
fn a_join_carries_both_or_what_is_asked_for() {
    for (flags, protocols) in CARRIED {
        let host = Game::on("::1");
        check("join --listen 127.0.0.1:0", &host, flags, protocols);
    }
}

#[test]
fn a_relay_carries_what_it_is_told() {
    for protocol in ["tcp", "udp"] {
        for (listen, game) in [("[::1]:0", "127.0.0.1"), ("127.0.0.1:0", "::1")] {
            let command = format!("relay {protocol} {listen}");
            check(&command, &Game::on(game), "", &[protocol]);
        }
    }
}

#[test]
fn port_is_where_friends_come_in() {
    let (game, port) = (Game::on("127.0.0.1"), free_port());
    let flags = format!("--port {port}");
    check("host --open", &game, &flags, &["tcp", "udp"]);
    let via6 = via6(&format!("via6 host --open 25565 --json --port {port}")).start();
    assert_eq!(via6.event("listening")["address"], format!("[::]:{port}"));
}

#[test]
fn listen_is_where_it_listens_and_nowhere_else() {
    let port = free_port();
    let at = |ip: &str| SocketAddr::new(ip.parse().expect("an address"), port);
    for (command, game, listen, elsewhere) in [
        ("host --open", "127.0.0.1", at("::1"), at("127.0.0.1")),
        ("join", "::1", at("127.0.0.2"), at("127.0.0.1")),
        ("join", "::1", at("::1"), at("127.0.0.1")),
    ] {
        let game = Game::on(game);
        let line = format!("via6 {command} {} --json --listen {listen}", game.address);
        let via6 = via6(&line).start();
        assert_eq!(via6.address(), listen);
        for protocol in ["tcp", "udp"] {
            game.is_reached(listen, protocol);
            is_refused(elsewhere, protocol);
        }
        via6.stop();
    }
}

/// `[::]` is IPv6 and nothing else, on every system.
#[test]
fn all_of_ipv6_is_not_ipv4() {
    let game = Game::on("127.0.0.1");
    let line = format!("via6 host --open {} --json --listen [::]:0", game.address);
    let via6 = via6(&line).start();
    let at = |ip: &str| SocketAddr::new(ip.parse().expect("an address"), via6.port());
    for protocol in ["tcp", "udp"] {
        game.is_reached(at("::1"), protocol);
        is_refused(at("127.0.0.1"), protocol);
    }
}

/// A name is looked up for each connection.
#[test]
fn a_name_is_dialled() {
    use std::net::ToSocketAddrs;
    let found = ("localhost", 0).to_socket_addrs().expect("localhost");
    let ip = found.map(|at| at.ip()).next().expect("an address of it");
    let game = Game::on(&ip.to_string());
    let port = game.address.port();
    let line = format!("via6 join localhost:{port} -v --json --listen 127.0.0.1:0");
    let via6 = via6(&line).start();
    assert_eq!(
        via6.event("listening")["upstream"],
        format!("localhost:{port}")
    );
    game.is_reached(via6.address(), "tcp");
    game.is_reached(via6.address(), "udp");
    let dialled = via6.event("session_dialled");
    assert_eq!(dialled["upstream"], game.address.to_string());
}
