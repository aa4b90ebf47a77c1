//! Who is not let in: the words on both sides, and exit code 4. And who finds nobody.

use via6_core::invite::{Fingerprint, Invite, Secret};

use super::{Home, count, found, invite};
use crate::support::game::{Game, free_port};
use crate::support::{PATIENCE, Running};

/// Changes what the host remembers while it does not run.
fn edit(home: &Home, from: &str, to: &str) {
    let path = home.path().join("players.json");
    let text = std::fs::read_to_string(&path).expect("the file");
    assert!(text.contains(from), "{text}");
    std::fs::write(&path, text.replace(from, to)).expect("writing the file");
}

/// The same invite with something else in it.
fn altered(text: &str, secret: Option<Secret>, host: Option<Fingerprint>) -> String {
    let invite = Invite::parse(text).expect("an invite");
    let altered = Invite::new(
        host.unwrap_or(invite.fingerprint()),
        secret.unwrap_or(invite.secret()),
        invite.port().try_into().expect("a port"),
        invite.addresses().to_vec(),
        None,
    );
    altered.expect("an invite").to_text()
}

/// Ends with these words, and says so by its exit code.
fn is_refused(join: Running, words: &str) {
    let ended = join.ended(PATIENCE);
    assert_eq!(ended.code, Some(4), "{ended:?}");
    let lines: Vec<_> = ended.stderr.lines().collect();
    let error = lines.iter().find(|line| line.starts_with("error: "));
    assert_eq!(error, Some(&&*format!("error: {words}")), "{ended:?}");
    assert!(ended.stderr.contains("\nhint: "), "{ended:?}");
}

#[test]
fn each_refusal_has_its_words_on_both_sides() {
    let (game, ann) = (Game::on("127.0.0.1"), Home::new());
    let listen = format!("--listen [::1]:{}", free_port());
    let first = ann.host(game.address, &listen);
    let text = invite(&first);
    // One player is known, to be banned.
    let bob = Home::new();
    found(&bob.join(&text, "--as Bob"), &game);
    first.event("link_attached");
    first.stop();
    let wrong = altered(&text, Some(Secret([7; 16])), None);
    let kept = std::fs::read(ann.path().join("players.json")).expect("the file");
    for (from, to, who, with, why, said) in [
        (
            "",
            "",
            &Home::new(),
            &wrong,
            "the host does not know this invite",
            "it has no invite of this host",
        ),
        (
            "\"expires_ms\": null",
            "\"expires_ms\": 1",
            &Home::new(),
            &text,
            "this invite's time is over",
            "its invite's time is over",
        ),
        (
            "\"uses\": null",
            "\"uses\": 1",
            &Home::new(),
            &text,
            "this invite was for fewer players, who have come already",
            "its invite was for fewer players, who have come already",
        ),
        (
            "\"revoked_ms\": null",
            "\"revoked_ms\": 1",
            &Home::new(),
            &text,
            "the host has taken this invite back",
            "its invite was taken back",
        ),
        (
            "\"banned_ms\": null",
            "\"banned_ms\": 1",
            &bob,
            &text,
            "the host has banned this computer",
            "it is banned",
        ),
    ] {
        std::fs::write(ann.path().join("players.json"), &kept).expect("writing the file");
        if !from.is_empty() {
            edit(&ann, from, to);
        }
        let host = ann.start(&format!("via6 host {} {listen}", game.address));
        host.says("Press Ctrl-C to stop.");
        is_refused(
            who.start(&format!("via6 join {with} --as Eve")),
            &format!("cannot join: {why}"),
        );
        host.says("did not let Eve in, from [::1]:");
        host.says(said);
        host.stop();
    }
    assert!(game.is_untouched());
}

/// Somebody else's via6 is at the address: it is not taken for the host.
#[test]
fn another_host_at_the_same_address_is_not_joined() {
    let (game, ann) = (Game::on("127.0.0.1"), Home::new());
    let host = ann.host(game.address, "");
    let text = altered(&invite(&host), None, Some(Fingerprint([9; 16])));
    for transport in ["quic", "tls"] {
        let join = Home::new().start(&format!("via6 join {text} --transport {transport}"));
        join.says("another host than the one that invited you");
        join.says("Ask the host for a new invite. It is tried again");
        join.stop();
    }
    assert_eq!(count(&host, "link_attached"), 0);
    assert_eq!(count(&host, "link_refused"), 0);
}

/// The person reads once what is wrong, and that it goes on.
#[test]
fn a_host_that_is_not_there_is_told_once_and_tried_again() {
    let (game, (ann, bob)) = (Game::on("127.0.0.1"), (Home::new(), Home::new()));
    let listen = format!("--listen [::1]:{}", free_port());
    let host = ann.host(game.address, &listen);
    let text = invite(&host);
    host.stop();
    let join = bob.start(&format!("via6 join {text} --transport tls"));
    let at = listen.trim_start_matches("--listen ");
    let told = format!(
        "warning: cannot reach the host: {at}: nothing listens there (TLS). The computer is there, and via6 is \
         not running on it: ask the host to start it. It is tried again\n"
    );
    join.says(&told);
    let host = ann.host(game.address, &listen);
    join.says("linked to the host");
    host.event("link_attached");
    let said = join.stop().stderr;
    assert_eq!(said.matches("cannot reach the host").count(), 1, "{said}");
    // Before it was there, and while it was: a script has every attempt's result.
    host.stop();
    let join = bob.join(&text, "--transport tls");
    let event = join.event("link_unreachable");
    assert_eq!(event["attempts"][0]["address"], at);
    assert_eq!(event["attempts"][0]["transport"], "tls");
    join.stop();
}
