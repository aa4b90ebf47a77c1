//! The flags of sealed links, each seen to have its effect. `--listen` and `--transport` are in `play`.

use via6_core::invite::Invite;

use super::{Home, found, invite};
use crate::support::game::{Game, free_port};
use crate::support::via6;

#[test]
fn a_name_stands_in_the_invite_and_is_dialled() {
    let game = Game::on("127.0.0.1");
    let line = format!("via6 host {} --listen [::1]:0 --json", game.address);
    for host in [
        via6(&format!("{line} --dns-name LOCALHOST")),
        via6(&line).with("VIA6_DNS_NAME", "localhost"),
    ] {
        let host = host.start();
        let text = invite(&host);
        assert_eq!(host.event("invite")["dns_name"], "localhost");
        let named = Invite::parse(&text).expect("an invite");
        assert_eq!(
            named.name().map(ToString::to_string).as_deref(),
            Some("localhost")
        );
        let join = via6(&format!("via6 join {text} --json")).start();
        drop(game.session(found(&join, &game)));
        host.stop();
    }
}

#[test]
fn a_player_is_called_as_it_asks() {
    let (game, ann) = (Game::on("127.0.0.1"), Home::new());
    let host = ann.host(game.address, "");
    let text = invite(&host);
    let line = format!("via6 join {text} --json");
    for (join, name) in [
        (via6(&format!("{line} --as 'Ann  Lee'")), "Ann Lee"),
        (via6(&line).with("VIA6_AS", "Bob"), "Bob"),
        (via6(&line).with("USER", "carol"), "carol"),
        // Two who call themselves the same are told apart.
        (via6(&line).with("VIA6_AS", "bob"), "bob-2"),
    ] {
        let join = join.start();
        assert_eq!(join.event("link_attached")["player"], name);
        join.stop();
    }
}

#[test]
fn a_host_is_found_at_the_port_that_was_asked_for() {
    let port = free_port();
    let host = via6(&format!("via6 host 25565 --port {port} --json")).start();
    assert_eq!(host.event("invite")["port"], port);
    assert_eq!(host.port(), port);
}
