//! `via6 run` follows its file: whatever is written there, who plays goes on playing, and what runs is
//! what the last valid file says.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what a test does not expect ends it"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "the tests play the games' parts themselves"
)]
#![cfg(target_os = "linux")]

mod support;

#[path = "reload/edits.rs"]
mod edits;
#[path = "reload/running.rs"]
mod running;
#[path = "reload/storm.rs"]
mod storm;

use std::net::TcpStream;

use crate::running::Filed;
use crate::support::game::{Game, free_port};
use crate::support::{PATIENCE, via6};

/// A host of this game, on this port.
fn host(name: &str, port: u16, game: &Game) -> String {
    format!(
        "[host.{name}]\ngame = \"{}\"\nopen = true\nlisten = \"[::1]:{port}\"\n",
        game.address
    )
}

#[test]
fn a_change_of_the_file_is_seen_without_being_asked_for() {
    let game = Game::on("127.0.0.1");
    let (port, other) = (free_port(), free_port());
    let filed = Filed::start(&host("one", port, &game));
    filed.write(&(host("one", port, &game) + &host("two", other, &game)));
    let reloaded = filed.via6.event("reloaded");
    assert_eq!(reloaded["added"], serde_json::json!(["two"]));
    assert_eq!(reloaded["unchanged"], 1);
    drop(game.session(([0, 0, 0, 0, 0, 0, 0, 1], other).into()));
    // A comment is no change that anybody needs to hear of; the next change is.
    filed.write(&("# hello\n".to_owned() + &host("two", other, &game)));
    let removed = |event: &serde_json::Value| event["removed"] == serde_json::json!(["one"]);
    filed.via6.event_where("reloaded", removed);
}

#[test]
fn sighup_reads_the_file_at_once_and_says_so_even_if_nothing_has_changed() {
    let game = Game::on("127.0.0.1");
    let filed = Filed::start(&host("one", free_port(), &game));
    let reloaded = filed.reload();
    assert_eq!(reloaded["event"], "reloaded");
    assert_eq!(reloaded["unchanged"], 1);
}

#[test]
fn a_mistake_changes_nothing_and_is_told_with_its_place() {
    let game = Game::on("127.0.0.1");
    let port = free_port();
    let filed = Filed::start(&host("one", port, &game));
    filed.write(&host("one", port, &game).replace("open", "opne"));
    assert_eq!(filed.reload()["event"], "reload_failed");
    filed.via6.says("unknown key `opne`");
    filed.via6.says("did you mean `open`?");
    filed.via6.says("all goes on as it was");
    drop(game.session(([0, 0, 0, 0, 0, 0, 0, 1], port).into()));
}

#[test]
fn a_port_that_another_program_has_leaves_all_as_it_was() {
    let (game, other) = (Game::on("127.0.0.1"), Game::on("::1"));
    let (port, taken) = (free_port(), other.address.port());
    let filed = Filed::start(&host("one", port, &game));
    // The first would go, and the second cannot come.
    filed.write(&host("two", taken, &game));
    assert_eq!(filed.reload()["event"], "reload_failed");
    filed.via6.says("address already in use");
    filed.via6.says("under [host.two]");
    drop(game.session(([0, 0, 0, 0, 0, 0, 0, 1], port).into()));
}

#[test]
fn a_file_that_is_gone_for_a_while_changes_nothing() {
    let game = Game::on("127.0.0.1");
    let port = free_port();
    let text = host("one", port, &game);
    let filed = Filed::start(&text);
    std::fs::remove_file(&filed.path).expect("removing it");
    assert_eq!(filed.reload()["event"], "reload_failed");
    drop(game.session(([0, 0, 0, 0, 0, 0, 0, 1], port).into()));
    filed.write(&text);
    assert_eq!(filed.reload()["event"], "reloaded");
}

#[test]
fn who_plays_on_what_is_removed_may_finish() {
    let (game, other) = (Game::on("127.0.0.1"), Game::on("127.0.0.1"));
    let (port, next) = (free_port(), free_port());
    let filed = Filed::start(&host("one", port, &game));
    let entry = ([0, 0, 0, 0, 0, 0, 0, 1], port).into();
    let (mut player, mut end) = game.session(entry);
    let flow = game.flow(entry);
    filed.write(&host("two", next, &other));
    assert_eq!(filed.reload()["removed"], serde_json::json!(["one"]));
    filed.via6.event("draining");
    assert!(TcpStream::connect(entry).is_err(), "nobody new");
    support::game::is_carried(&mut player, &mut end);
    game.still_flows(&flow);
    let status = filed.status();
    let draining = status
        .iter()
        .find(|entry| entry["name"] == "one")
        .expect("the old one");
    assert_eq!(draining["draining"], true);
    drop((player, end));
    filed.via6.event("session_ended");
}

#[test]
fn one_that_could_not_go_on_is_told_and_the_others_do() {
    let game = Game::on("127.0.0.1");
    let (one, two) = (free_port(), free_port());
    let filed = Filed::start(&(host("one", one, &game) + &host("two", two, &game)));
    let stopped = filed.ask("stop one");
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
    drop(game.session(([0, 0, 0, 0, 0, 0, 0, 1], two).into()));
    let names: Vec<_> = filed
        .status()
        .iter()
        .map(|entry| entry["name"].clone())
        .collect();
    assert_eq!(names, ["two"]);
    // With the last one it ends.
    filed.ask("stop two");
    assert_eq!(filed.via6.ended(PATIENCE).code, Some(0));
}

#[test]
fn two_via6_do_not_run_in_one_state_folder() {
    let game = Game::on("127.0.0.1");
    let filed = Filed::start(&host("one", free_port(), &game));
    let second = via6(&format!("via6 run {}", filed.path.display()))
        .with("VIA6_STATE", filed.home())
        .start()
        .ended(PATIENCE);
    assert_eq!(second.code, Some(1));
    let pid = filed.via6.id();
    let expected = format!("another via6 (process {pid}) is running already");
    assert!(second.stderr.contains(&expected), "{}", second.stderr);
    // But what a command asks for is carried beside the file, and a reload leaves it alone.
    let join = via6("via6 join ::1 --listen 127.0.0.1:0 --json")
        .with("VIA6_STATE", filed.home())
        .start();
    join.event("handed_over");
    assert_eq!(filed.reload()["unchanged"], 1);
    assert_eq!(filed.status().len(), 2);
}
