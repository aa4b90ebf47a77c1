//! Things that change while friends play: the addresses of the host, its file, and a folder that is not there.

use super::{Home, count, found, invite};
use crate::support::game::{Game, is_carried};
use crate::support::network::in_own_network;
use crate::support::{PATIENCE, via6};
use via6_lab::system;

fn ip(words: &str) {
    system::ip(words).expect("changing an address");
}

/// The provider gives the home another prefix, and takes the old one away soon after.
#[test]
fn friends_stay_in_when_the_host_gets_another_address() {
    in_own_network(&["2a00:1::7/128"], || {
        let (game, (ann, bob)) = (Game::on("127.0.0.1"), (Home::new(), Home::new()));
        let host = ann.host(game.address, "--listen [::]:0");
        let first = invite(&host);
        assert_eq!(
            host.event("invite")["addresses"],
            serde_json::json!(["2a00:1::7"])
        );
        let join = bob.join(&first, "");
        let (mut player, mut server) = game.session(found(&join, &game));
        ip("-6 addr add 2a00:2::7/128 dev lo nodad");
        let addresses = |event: &serde_json::Value| event["addresses"].as_array().map(Vec::len);
        host.event_where("invite", |event| addresses(event) == Some(2));
        join.event_where("link_moved", |event| addresses(event) == Some(2));
        ip("-6 addr del 2a00:1::7/128 dev lo");
        let moved = host.event_where("invite", |event| event["addresses"][0] == "2a00:2::7");
        assert_ne!(moved["invite"], first);
        let attached = |event: &serde_json::Value| {
            let address = event["address"].as_str().unwrap_or_default();
            address.starts_with("[2a00:2::7]")
        };
        join.event_where("link_attached", attached);
        is_carried(&mut player, &mut server);
        assert_eq!(count(&join, "session_ended"), 0);
        // Whoever was away meanwhile finds the host as well: it is remembered where that went.
        join.stop();
        let join = bob.join(&first, "");
        join.event_where("link_attached", attached);
        join.stop();
        host.stop();
    });
}

/// A person reads it in words.
#[test]
fn a_host_says_that_its_address_has_changed_and_prints_the_new_line() {
    in_own_network(&["2a00:1::7/128"], || {
        let host = via6("via6 host 25565").start();
        host.says("It leads to 2a00:1::7, a lasting address of this computer;");
        ip("-6 addr add 2a00:2::7/128 dev lo nodad");
        host.says("the addresses of this computer have changed: ");
        ip("-6 addr del 2a00:1::7/128 dev lo");
        host.says(
            "An address in the invite is gone; for whoever is not in yet this is the new line:",
        );
        let lines = |text: &str| (text.lines().count() == 2).then_some(());
        host.stdout.wait(PATIENCE, "another line", lines);
        host.stop();
    });
}

#[test]
fn an_invite_without_a_folder_is_said_to_be_worth_nothing_tomorrow() {
    let host = via6("VIA6_STATE=/proc/self via6 host 25565 --listen [::1]:0 --json").start();
    let is_it = |event: &serde_json::Value| event["kind"] == "invite-not-kept";
    host.event_where("warning", is_it);
    let game = Game::on("127.0.0.1");
    let host = Home::new().host(game.address, "");
    let line = format!("VIA6_STATE=/proc/self via6 join {} --json", invite(&host));
    let join = via6(&line).start();
    drop(game.session(found(&join, &game)));
}

/// Games come, change and go with the file, and friends follow.
#[test]
fn games_of_a_file_come_and_go_while_friends_are_in() {
    let (one, two, three) = (
        Game::on("127.0.0.1"),
        Game::on("127.0.0.1"),
        Game::on("127.0.0.1"),
    );
    let (ann, bob) = (Home::new(), Home::new());
    let file = ann.path().join("via6.toml");
    let write = |games: &[(&str, &Game)]| {
        let entry = |(name, game): &(&str, &Game)| {
            format!(
                "[host.{name}]\ngame = \"{}\"\nlisten = \"[::1]:0\"\n",
                game.address
            )
        };
        let text: String = games.iter().map(entry).collect();
        std::fs::write(&file, text).expect("writing the file");
    };
    write(&[("host", &one)]);
    let host = ann.start(&format!("via6 run {} --json", file.display()));
    let join = bob.join(&invite(&host), "");
    let (mut player, mut server) = one.session(found(&join, &one));
    write(&[("host", &one), ("host-2", &two)]);
    drop(two.session(found(&join, &two)));
    // Another game under the same name; who plays the one before goes on.
    write(&[("host", &three), ("host-2", &two)]);
    drop(three.session(found(&join, &three)));
    is_carried(&mut player, &mut server);
    write(&[("host-2", &two)]);
    host.until("the second change", |events| {
        let reloaded = events.iter().filter(|event| event["event"] == "reloaded");
        (reloaded.count() == 3).then_some(())
    });
    is_carried(&mut player, &mut server);
    drop((player, server));
    drop(two.session(found(&join, &two)));
    assert_eq!(count(&join, "link_attached"), 1);
    // Open to everybody, and so no longer by invite.
    let open = format!(
        "[host.host-2]\ngame = \"{}\"\nopen = true\nlisten = \"[::1]:0\"\n",
        two.address
    );
    std::fs::write(&file, open).expect("writing the file");
    let listening = host.event_where("listening", |event| event["paste"].is_string());
    let at = listening["address"].as_str().expect("an address");
    drop(two.session(at.parse().expect("an address")));
    assert_eq!(join.event("link_ended")["reason"], "stopped");
    join.stop();
    host.stop();
}
