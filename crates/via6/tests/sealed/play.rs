//! Playing: through either transport, several games, by whatever a friend types, and again after each end.

use std::net::TcpListener;

use super::{Home, count, found, invite};
use crate::support::game::{Game, free_port, is_carried, is_refused};
use crate::support::{PATIENCE, via6, wait_for};

#[test]
fn a_game_is_played_over_either_transport() {
    for (flags, transport) in [
        ("", "quic"),
        ("--transport auto", "quic"),
        ("--transport QUIC", "quic"),
        ("--transport tls", "tls"),
        ("VIA6_TRANSPORT", "tls"),
    ] {
        let (game, (ann, bob)) = (Game::on("127.0.0.1"), (Home::new(), Home::new()));
        let host = ann.host(game.address, "");
        let text = invite(&host);
        let join = if flags == "VIA6_TRANSPORT" {
            bob.start(&format!(
                "VIA6_TRANSPORT=tls via6 join {text} --as Bob --json"
            ))
        } else {
            bob.join(&text, &format!("{flags} --as Bob"))
        };
        for side in [&host, &join] {
            let event = side.event("link_attached");
            assert_eq!(event["transport"], transport, "{flags}");
            assert_eq!(event["player"], "Bob");
        }
        let (mut player, mut server) = game.session(found(&join, &game));
        is_carried(&mut player, &mut server);
        drop((player, server));
        let ended = join.event("session_ended");
        assert!(ended["bytes_up"].as_u64() > Some(5), "{ended}");
        host.event("session_ended");
        join.stop();
        let left = host.event("link_ended");
        assert_eq!(left["reason"], "stopped");
        host.stop();
    }
}

/// The line in the chat is worth something tomorrow.
#[test]
fn the_invite_and_the_place_of_the_game_are_the_same_at_every_start() {
    let (game, (ann, bob)) = (Game::on("127.0.0.1"), (Home::new(), Home::new()));
    let port = free_port();
    let listen = format!("--listen [::1]:{port}");
    let (mut invites, mut places) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let host = ann.host(game.address, &listen);
        invites.push(invite(&host));
        let line = host.event("invite")["line"].clone();
        assert_eq!(line, format!("via6 join {}", invites[0]));
        let join = bob.join(&invites[0], "");
        let at = found(&join, &game);
        places.push(at);
        drop(game.session(at));
        join.stop();
        host.stop();
    }
    invites.dedup();
    places.dedup();
    assert_eq!((invites.len(), places.len()), (1, 1));
    // Only for this user.
    for file in ["identity.json", "players.json", "state.json", "hosts.json"] {
        use std::os::unix::fs::PermissionsExt;
        for home in [&ann, &bob] {
            if let Ok(found) = std::fs::metadata(home.path().join(file)) {
                assert_eq!(found.permissions().mode() & 0o777, 0o600, "{file}");
            }
        }
    }
}

/// A game has its own port on the friend's computer, as its players are used to.
#[test]
fn a_game_is_found_at_its_own_port_or_where_it_was_put() {
    let (game, (ann, bob)) = (Game::on("127.0.0.2"), (Home::new(), Home::new()));
    let host = ann.host(game.address, "");
    let text = invite(&host);
    let own = game.address.port();
    let join = bob.join(&text, "");
    let at = found(&join, &game);
    assert_eq!(at, ([127, 0, 0, 1], own).into());
    drop(game.session(at));
    join.stop();
    // Where somebody else has it, another one, which is the game's from then on.
    let taken = TcpListener::bind(at).expect("the port");
    let join = bob.join(&text, "");
    let other = found(&join, &game);
    assert_ne!(other, at);
    join.stop();
    drop(taken);
    let join = bob.join(&text, "");
    assert_eq!(found(&join, &game), other);
    join.stop();
    let asked = format!("127.0.0.1:{}", free_port());
    let join = bob.join(&text, &format!("--listen {asked}"));
    assert_eq!(found(&join, &game).to_string(), asked);
    drop(game.session(found(&join, &game)));
    join.stop();
}

/// One port and one invite for all; a game that is started later comes up by itself.
#[test]
fn a_second_game_comes_up_at_once_and_goes_again() {
    let (one, two) = (Game::on("127.0.0.1"), Game::on("127.0.0.1"));
    let (ann, bob) = (Home::new(), Home::new());
    let host = ann.host(one.address, "");
    let join = bob.join(&invite(&host), "");
    drop(one.session(found(&join, &one)));
    let second = ann.start(&format!("via6 host {} --json", two.address));
    assert_eq!(second.event("handed_over")["as"], "host-2");
    assert_eq!(invite(&second), invite(&host));
    let at = found(&join, &two);
    let (mut player, mut server) = two.session(at);
    is_carried(&mut player, &mut server);
    drop((player, server));
    assert_eq!(count(&join, "link_attached"), 1, "one link for both");
    second.stop();
    wait_for("the end of a place", || {
        std::net::TcpStream::connect(at).is_err().then_some(())
    });
    is_refused(at, "tcp");
    drop(one.session(found(&join, &one)));
    // Another port would be another invite.
    let elsewhere = format!("via6 host {} --port {}", two.address, free_port());
    let ended = ann.start(&elsewhere).ended(PATIENCE);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(
        ended
            .stderr
            .contains("all games of a host go through one port"),
        "{ended:?}"
    );
    join.stop();
    host.stop();
}

/// When the first terminal is closed the second goes on, with the same port, key and invite.
#[test]
fn work_that_was_handed_over_goes_on_by_itself_when_the_first_ends() {
    let (one, two) = (Game::on("127.0.0.1"), Game::on("127.0.0.1"));
    let (ann, bob) = (Home::new(), Home::new());
    let listen = format!("--listen [::1]:{}", free_port());
    let host = ann.host(one.address, &listen);
    let text = invite(&host);
    let second = ann.host(two.address, &listen);
    second.event("handed_over");
    let join = bob.join(&text, "");
    drop(two.session(found(&join, &two)));
    host.stop();
    second.event("handed_back");
    let again = second.until("an invite of its own", |events| {
        let mut invites = events.iter().filter(|event| event["event"] == "invite");
        invites.nth(1).map(|event| event["invite"].clone())
    });
    assert_eq!(again, text);
    drop(two.session(found(&join, &two)));
    second.stop();
    join.stop();
}

/// A friend does not have to do anything when the host was away.
#[test]
fn a_host_that_starts_anew_is_found_again() {
    let (game, (ann, bob)) = (Game::on("127.0.0.1"), (Home::new(), Home::new()));
    let listen = format!("--listen [::1]:{}", free_port());
    let host = ann.host(game.address, &listen);
    let join = bob.join(&invite(&host), "--transport tls");
    let at = found(&join, &game);
    drop(game.session(at));
    host.stop();
    assert_eq!(join.event("link_ended")["reason"], "stopped");
    let host = ann.host(game.address, &listen);
    join.until("another link", |events| {
        let attached = events
            .iter()
            .filter(|event| event["event"] == "link_attached");
        (attached.count() == 2).then_some(())
    });
    drop(game.session(at));
    assert_eq!(count(&join, "listening"), 1, "at the same place");
    join.stop();
    host.stop();
}

/// What a friend may type, or paste.
#[test]
fn an_invite_is_taken_as_it_comes() {
    let (game, ann) = (Game::on("127.0.0.1"), Home::new());
    let host = ann.host(game.address, "");
    let text = invite(&host);
    let (first, rest) = text.split_at(40);
    for line in [
        format!("via6 {text}"),
        format!("via6 --json {text}"),
        format!("via6 {}", text.to_uppercase()),
        format!("via6 '{text}.'"),
        format!("via6 join via6 join {text}"),
        format!("via6 join 'come and play: {text} now'"),
        format!("via6 join {first} {rest}"),
        format!("via6 join {}", &text["via6:".len()..]),
        format!("VIA6_HOST={text} via6 join"),
    ] {
        let join = via6(&line).with("VIA6_JSON", "1").start();
        drop(game.session(found(&join, &game)));
        join.stop();
    }
    // And the last one again, without a word.
    let bob = Home::new();
    let join = bob.join(&text, "--as Bob");
    found(&join, &game);
    join.stop();
    for (flags, name) in [("", "Bob"), ("--as Rob", "Rob"), ("", "Rob")] {
        let join = bob.join("", flags);
        assert_eq!(join.event("link_attached")["player"], name);
        drop(game.session(found(&join, &game)));
        join.stop();
    }
}

/// What is printed is nobody else's, but for the one line that is for the friend.
#[test]
fn an_invite_is_printed_once_and_nowhere_else() {
    let (game, (ann, bob)) = (Game::on("127.0.0.1"), (Home::new(), Home::new()));
    let at = game.address;
    let host = ann.start(&format!("via6 host {at} --listen [::1]:0 -vv"));
    host.says("Press Ctrl-C to stop.");
    let text = host.stdout.wait(PATIENCE, "an invite", |text| {
        Some(text.split_whitespace().last()?.to_owned())
    });
    let secret = &text["via6:1".len()..];
    let join = bob.start(&format!("via6 join {text} -vv"));
    join.says("linked to the host");
    for home in [&ann, &bob] {
        for line in ["via6 status -v", "via6 status --json"] {
            let ended = home.start(line).ended(PATIENCE);
            assert_eq!(ended.code, Some(0), "{ended:?}");
            assert!(!(ended.stdout + &ended.stderr).contains(secret), "{line}");
        }
    }
    let again = bob.start("via6 join");
    again.says("In your game, connect to this address:");
    let (again, join, host) = (again.stop(), join.stop(), host.stop());
    let all = [
        again.stdout,
        again.stderr,
        join.stdout,
        join.stderr,
        host.stderr,
    ]
    .concat();
    assert!(!all.contains(secret), "{all}");
    assert_eq!(host.stdout.matches(secret).count(), 1);
}
