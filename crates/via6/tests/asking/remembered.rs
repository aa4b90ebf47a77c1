//! What the last time leaves to the next: `via6 join` alone, and Enter at the first question.

use std::net::{SocketAddr, TcpListener};

use super::{FIRST, Home, answer, stops, to_paste, to_type, waits};
use crate::support::game::{Game, free_port, is_refused};
use crate::support::{Running, wait_for};

/// Starts it, waits until it listens and has remembered that, and gives where.
fn joined(home: &Home, line: &str) -> (Running, SocketAddr) {
    let running = home.start(line);
    let at = running.address();
    let path = home.0.path().join("state.json");
    let remembered = || {
        let text = std::fs::read_to_string(&path).ok()?;
        text.contains(&format!("\"{at}\"")).then_some(())
    };
    wait_for("a memory", remembered);
    (running, at)
}

#[test]
fn join_alone_is_the_last_host_at_the_same_place() {
    let (home, host) = (Home::new(), Game::on("::1"));
    let port = free_port();
    let line = format!(
        "via6 join {} --tcp --listen 127.0.0.1:{port} --json",
        host.address
    );
    joined(&home, &line).0.stop();
    // Something else in between: it is the last host all the same.
    let (other, _) = joined(&home, "via6 host --open 25565 --listen [::1]:0 --json");
    other.stop();
    let again = home.start("via6 join --json");
    let listening = again.event("listening");
    assert_eq!(listening["upstream"], host.address.to_string());
    assert_eq!(listening["address"], format!("127.0.0.1:{port}"));
    assert_eq!(listening["name"], "join");
    let entry = again.address();
    host.is_reached(entry, "tcp");
    is_refused(entry, "udp");
    let ended = again.stop();
    assert_eq!(ended.stderr, "");

    let again = home.start("via6 join");
    again.says("Press Ctrl-C to stop.");
    let said = again.stop().stderr;
    let expected = format!(
        "joining the last host again: {}\njoining {} (TCP)\n",
        host.address, host.address
    );
    assert!(said.starts_with(&expected), "{said}");
    let quiet = home.start("via6 join -q");
    quiet
        .stdout
        .wait(crate::support::PATIENCE, "an address", |text| {
            text.contains('\n').then_some(())
        });
    assert_eq!(quiet.stop().stderr, "");
}

#[test]
fn what_is_typed_now_wins_over_what_was_then() {
    let (home, host) = (Home::new(), Game::on("::1"));
    let (one, other) = (free_port(), free_port());
    let line = format!(
        "via6 join {} --tcp --listen 127.0.0.1:{one} --json",
        host.address
    );
    joined(&home, &line).0.stop();
    let another = format!("[2001:db8::1]:{other}");
    for (line, address, upstream, protocol) in [
        (
            format!("via6 join --listen 127.0.0.1:{other}"),
            format!("127.0.0.1:{other}"),
            host.address.to_string(),
            "tcp",
        ),
        (
            format!("VIA6_LISTEN=127.0.0.1:{one} via6 join"),
            format!("127.0.0.1:{one}"),
            host.address.to_string(),
            "tcp",
        ),
        (
            "via6 join --udp".into(),
            format!("127.0.0.1:{one}"),
            host.address.to_string(),
            "udp",
        ),
        (
            format!("VIA6_HOST={another} via6 join --tcp --listen 127.0.0.1:{other}"),
            format!("127.0.0.1:{other}"),
            another.clone(),
            "tcp",
        ),
        (
            format!(
                "VIA6_HOST={another} via6 join {} --tcp --listen 127.0.0.1:{one}",
                host.address
            ),
            format!("127.0.0.1:{one}"),
            host.address.to_string(),
            "tcp",
        ),
    ] {
        let (again, _) = joined(&home, &format!("{line} --json"));
        let events: Vec<_> = again.events();
        let listening: Vec<_> = events
            .iter()
            .filter(|event| event["event"] == "listening")
            .collect();
        assert_eq!(listening.len(), 1, "{line}: {events:?}");
        let listening = listening[0];
        assert_eq!(listening["address"], address, "{line}");
        assert_eq!(listening["upstream"], upstream, "{line}");
        assert_eq!(listening["protocol"], protocol, "{line}");
        again.stop();
        // As it was before.
        let line = format!(
            "via6 join {} --tcp --listen 127.0.0.1:{one} --json",
            host.address
        );
        joined(&home, &line).0.stop();
    }
}

#[test]
fn without_a_memory_an_address_is_missing() {
    let home = Home::new();
    for line in ["via6 join", "via6 join --json", "via6 join --tcp"] {
        let ended = home.run(line);
        assert_eq!(ended.code, Some(2), "{line}");
        assert_eq!(
            ended.stderr,
            "error: INVITE is missing\n\n\
             hint: ask the host for the line that `via6 host` prints\n"
        );
    }
    let path = home.0.path().join("state.json");
    std::fs::write(&path, "nonsense").expect("a file");
    let ended = home.run("via6 join");
    assert_eq!(ended.code, Some(2));
    let told = format!(
        "error: INVITE is missing\n  cannot read {}: ",
        path.display()
    );
    assert!(ended.stderr.starts_with(&told), "{ended:?}");
    assert_eq!(std::fs::read(&path).expect("the file"), b"nonsense");
}

/// The game's own list of servers has it: a port that was free is kept.
#[test]
fn a_port_that_was_free_is_the_same_the_next_time() {
    let (home, host) = (Home::new(), Game::on("::1"));
    let line = format!("via6 join {} --listen 127.0.0.1:0 --json", host.address);
    let (first, at) = joined(&home, &line);
    first.stop();
    for _ in 0..2 {
        let (again, same) = joined(&home, "via6 join --json");
        assert_eq!(same, at);
        host.is_reached(at, "tcp");
        host.is_reached(at, "udp");
        again.stop();
    }
}

#[test]
fn a_port_that_was_free_and_is_taken_now_is_replaced_and_told() {
    let (home, host) = (Home::new(), Game::on("::1"));
    let line = format!("via6 join {} --listen 127.0.0.1:0 --json", host.address);
    let (first, at) = joined(&home, &line);
    first.stop();
    let taken = TcpListener::bind(at).expect("the port");
    let (again, other) = joined(&home, "via6 join --json");
    assert_ne!(other, at);
    let warning = again.event("warning");
    assert_eq!(warning["kind"], "port-moved");
    let message = format!(
        "another program has port {}, where this was the last time; it is {} now, and your game has \
         to be told",
        at.port(),
        other.port()
    );
    assert_eq!(warning["message"], message);
    host.is_reached(other, "tcp");
    again.stop();
    // From now on it is that one, also for a via6 that is carried by another.
    drop(taken);
    let game = Game::on("127.0.0.1");
    let line = format!("via6 host --open {} --listen [::1]:0 --json", game.address);
    let (running, _) = joined(&home, &line);
    let (again, same) = joined(&home, "via6 join --json");
    assert_eq!(same, other);
    let (third, moved) = joined(&home, "via6 join --json");
    assert_ne!(moved, other);
    third.event("warning");
    assert_eq!(third.event("handed_over")["as"], "join-2");
    host.is_reached(moved, "udp");
    for running in [third, again, running] {
        running.stop();
    }
}

/// A port that was asked for is not given up in silence.
#[test]
fn a_port_that_was_meant_and_is_taken_now_is_an_error() {
    let (home, host) = (Home::new(), Game::on("::1"));
    let port = free_port();
    let line = format!(
        "via6 join {} --listen 127.0.0.1:{port} --json",
        host.address
    );
    joined(&home, &line).0.stop();
    let _taken = TcpListener::bind(("127.0.0.1", port)).expect("the port");
    let ended = home.run("via6 join");
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("address already in use"), "{ended:?}");
}

fn with_enter(again: &str) -> String {
    let leave = "\n  q      leave";
    FIRST.replace(
        leave,
        &format!("\n  Enter  the last one again: {again}{leave}"),
    )
}

#[test]
fn enter_joins_the_last_host_again() {
    let (home, host) = (Home::new(), Game::on("::1"));
    let line = format!(
        "via6 join {} --tcp --listen 127.0.0.1:0 --json",
        host.address
    );
    let (first, at) = joined(&home, &line);
    first.stop();
    let mut terminal = home.terminal("via6");
    let screen = with_enter(&format!("join {}", host.address));
    waits(&terminal, &screen);
    // A mistake first.
    answer(&mut terminal, "yes");
    let screen = screen
        + " yes\n\n`yes` is neither. Type h to host, j to join, Enter for the last one again, \
         or q to leave.\n\nhost or join?";
    waits(&terminal, &screen);
    answer(&mut terminal, "");
    let text = format!(
        "{screen}\n\nThe same without questions: via6 join\n\njoining {} (TCP)\n",
        host.address
    );
    super::begins(&terminal, &text);
    assert_eq!(to_type(&terminal), at);
    host.is_reached(at, "tcp");
    stops(terminal);
}

#[test]
fn enter_shares_the_last_game_again() {
    let (home, game) = (Home::new(), Game::on("127.0.0.1"));
    let port = free_port();
    let line = format!(
        "via6 host --open {} --udp --listen [::1]:{port} --json",
        game.address
    );
    joined(&home, &line).0.stop();
    let mut terminal = home.terminal("via6");
    let screen = with_enter(&format!("host {}", game.address.port()));
    waits(&terminal, &screen);
    answer(&mut terminal, "");
    let text = format!(
        "{screen}\n\n\
         Anyone who knows the address can reach this game, and nothing else on this computer.\n\
         The same without questions: via6 host --open --udp --listen '[::1]:{port}' {}\n\n",
        game.address.port()
    );
    super::begins(&terminal, &text);
    assert_eq!(to_paste(&terminal).port(), port);
    game.is_reached(to_paste(&terminal), "udp");
    stops(terminal);
}

/// It would be there twice.
#[test]
fn what_runs_already_is_not_offered() {
    let (home, game) = (Home::new(), Game::on("127.0.0.1"));
    let line = format!("via6 host --open {} --listen [::1]:0 --json", game.address);
    let (running, _) = joined(&home, &line);
    let terminal = home.terminal("via6");
    let screen = terminal.shows("host or join?");
    assert!(!screen.text().contains("Enter"), "{screen:?}");
    running.stop();
}
