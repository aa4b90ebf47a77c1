//! Ends: processes that are killed, and what the games on the other side see of it.

use std::io::{ErrorKind, Read};
use std::net::TcpStream;

use super::{Home, found, invite};
use crate::support::PATIENCE;
use crate::support::game::{Game, free_port, is_carried};

/// The game's connection is broken off by a reset, and nothing else.
fn is_reset(stream: &mut TcpStream) {
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let error = stream.read(&mut [0; 16]).expect_err("a reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

/// Nobody is there twice: the game server loses the one before when a player comes anew.
#[test]
fn a_player_whose_join_was_killed_comes_anew() {
    let (game, (ann, bob)) = (Game::on("127.0.0.1"), (Home::new(), Home::new()));
    let host = ann.host(game.address, "");
    let text = invite(&host);
    let join = bob.join(&text, "");
    let (_player, mut ghost) = game.session(found(&join, &game));
    join.signal("SIGKILL");
    drop(join);
    // Once it is silent for long enough to be suspect, a new link of the same player takes its place.
    host.event("link_lost");
    let join = bob.join(&text, "");
    is_reset(&mut ghost);
    let ended = host.event("link_ended");
    assert_eq!(
        (&ended["reason"], &ended["sessions"]),
        (&"replaced".into(), &1.into())
    );
    let (mut player, mut server) = game.session(found(&join, &game));
    is_carried(&mut player, &mut server);
    let ended = host.event("session_ended");
    assert_eq!(ended["reason"], "link-lost");
    join.stop();
    host.stop();
}

/// A host that comes again without its links says so, and the game client is not left hanging.
#[test]
fn a_host_that_was_killed_and_comes_again_resets_what_it_had() {
    let (game, (ann, bob)) = (Game::on("127.0.0.1"), (Home::new(), Home::new()));
    let listen = format!("--listen [::1]:{}", free_port());
    let host = ann.host(game.address, &listen);
    let join = bob.join(&invite(&host), "");
    let at = found(&join, &game);
    let (mut player, _server) = game.session(at);
    host.signal("SIGKILL");
    drop(host);
    let host = ann.host(game.address, &listen);
    is_reset(&mut player);
    let (mut player, mut server) = game.session(at);
    is_carried(&mut player, &mut server);
    join.stop();
    host.stop();
}

/// A goodbye ends sessions at once, on both sides.
#[test]
fn whoever_leaves_says_so() {
    let (game, (ann, bob)) = (Game::on("127.0.0.1"), (Home::new(), Home::new()));
    let host = ann.host(game.address, "");
    let text = invite(&host);
    let join = bob.join(&text, "");
    let (mut player, mut server) = game.session(found(&join, &game));
    join.signal("SIGINT");
    join.event("draining");
    is_carried(&mut player, &mut server);
    join.signal("SIGINT");
    is_reset(&mut server);
    is_reset(&mut player);
    assert_eq!(host.event("link_ended")["reason"], "stopped");
    assert_eq!(join.ended(PATIENCE).code, Some(0));

    let join = bob.join(&text, "");
    let (mut player, mut server) = game.session(found(&join, &game));
    host.signal("SIGTERM");
    host.event("draining");
    is_carried(&mut player, &mut server);
    drop(player);
    drop(server);
    assert_eq!(host.ended(PATIENCE).code, Some(0));
    assert_eq!(join.event("link_ended")["reason"], "stopped");
    join.stop();
}
