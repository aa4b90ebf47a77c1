//! via6 on a terminal, as a person sees it: what stands on the screen, what Ctrl-C does, and that the
//! shell finds everything as it was.

#![cfg(target_os = "linux")]
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stands outside of via6: it is the game, the player and the clock, and may panic"
)]

mod support;

use std::io::{Read, Write};
use std::net::SocketAddr;

use support::game::Game;
use support::pty::Terminal;
use support::{PATIENCE, QUICKLY, via6};

#[test]
fn ctrl_c_ends_it_and_leaves_the_terminal_as_it_was() {
    let mut host = via6("via6 host --open --listen [::1]:0 9").on_terminal(80, 24);
    let screen = host.shows("Press Ctrl-C to stop.");
    assert!(
        screen.text().contains("\n  via6 join '[::1]:"),
        "{screen:?}"
    );
    assert_eq!(&host.modes(), host.usual_modes());
    host.ctrl('c');
    host.shows("stopped; nobody came");
    assert_eq!(host.ended(QUICKLY), Some(0));
    host.is_left_clean();
}

#[test]
fn a_mistake_leaves_the_terminal_as_it_was() {
    let mut host = via6("via6 host --open --listen [2001:db8::99]:0 7777").on_terminal(80, 24);
    host.shows("error: cannot listen on [2001:db8::99]:0");
    assert_eq!(host.ended(QUICKLY), Some(1));
    host.is_left_clean();
}

#[test]
fn the_demo_tells_its_numbers() {
    let mut demo = via6("via6 demo --check").on_terminal(80, 24);
    assert_eq!(demo.ended(PATIENCE), Some(0));
    assert!(
        demo.screen().history.contains("round trip"),
        "{}",
        demo.screen().history
    );
    demo.is_left_clean();
}

#[test]
fn a_window_that_is_resized_keeps_its_lines() {
    let mut host = via6("via6 host --open --listen [::1]:0 9").on_terminal(80, 24);
    host.shows("Press Ctrl-C to stop.");
    for (width, height) in [(40, 24), (120, 30), (60, 10)] {
        host.resize(width, height);
        host.until("its lines", |screen| {
            let kept = screen.history.contains("Press Ctrl-C to stop.");
            kept.then_some(())
        });
    }
    host.ctrl('c');
    assert_eq!(host.ended(QUICKLY), Some(0));
    assert!(
        host.screen().history.contains("sharing 127.0.0.1:9"),
        "{}",
        host.screen().history
    );
    host.is_left_clean();
}

/// The address in the line to paste.
fn entry_of(host: &Terminal) -> SocketAddr {
    host.until("a line to paste", |screen| {
        let pasted = screen.history.split_once("via6 join '")?.1;
        pasted.split('\'').next()?.parse().ok()
    })
}

#[test]
fn a_live_view_below_the_lines_says_who_is_here() {
    let game = Game::on("127.0.0.1");
    let line = format!("via6 host --open --listen [::1]:0 {}", game.address);
    let mut host = via6(&line).on_terminal(80, 24);
    let entry = entry_of(&host);
    host.shows("\n  nobody here yet");
    let (mut player, mut server) = game.session(entry);
    let screen = host.shows("\n  1 player · 1 session · ");
    let rows: Vec<_> = screen.rows.iter().filter(|row| !row.is_empty()).collect();
    let [.., opened, rule, heading, who, _] = &rows[..] else {
        panic!("{screen:?}");
    };
    assert!(opened.starts_with("session 1 opened: "), "{screen:?}");
    let named = format!(" ─ {entry} → {} ─", game.address);
    assert!(
        rule.starts_with("── via6 host") && rule.contains(&named),
        "{screen:?}"
    );
    assert!(heading.starts_with("  player  "), "{screen:?}");
    assert!(
        who.starts_with("  ::1  ") && who.contains(" ms "),
        "{screen:?}"
    );

    let flow = game.flow(entry);
    host.shows("\n  1 player · 1 session, 1 flow · ");
    host.shows(" UDP ");
    // Bytes that move are seen to move.
    let moved = host.until("a rate", |screen| {
        player.write_all(&[0; 10_000]).expect("writing");
        server.read_exact(&mut [0; 10_000]).expect("reading");
        screen.text().contains(" kB/s up").then(|| screen.clone())
    });
    assert!(moved.text().contains(" kB/s\n"), "{moved:?}");
    drop((player, server, flow));
    host.shows("session 1 ended: ");
    host.ctrl('c');
    assert_eq!(host.ended(QUICKLY), Some(0));
    host.is_left_clean();
    let end = host.screen();
    assert!(!end.history.contains('─'), "{end:?}");
    assert!(
        end.text()
            .ends_with("\nstopped after 1 session and 1 UDP flow"),
        "{end:?}"
    );
    // Nothing to repair had it crashed: never hidden, no other screen, no mode of its own.
    assert!(!host.written().contains("\x1b[?"), "{:?}", host.written());
}

#[test]
fn a_join_shows_the_way_to_the_host() {
    let host = Game::on("::1");
    let line = format!("via6 join {} --listen 127.0.0.1:0", host.address);
    let join = via6(&line).on_terminal(80, 24);
    join.shows("\n  your game has not connected yet");
    let entry = join.until("an address to type", |screen| {
        let mut rows = screen.rows.iter();
        rows.find_map(|row| row.trim().parse::<SocketAddr>().ok())
    });
    let (player, _host) = host.session(entry);
    let from = player.local_addr().expect("its address");
    join.shows(&format!("\n  {from} "));
    join.shows("\n  1 session · ");
}

/// Each player's ends are told above the view, which stays whole whatever the window does.
#[test]
fn resizing_while_players_come_and_go_leaves_nothing_behind() {
    let game = Game::on("127.0.0.1");
    let line = format!("via6 host --open --listen [::1]:0 {}", game.address);
    let mut host = via6(&line).on_terminal(80, 24);
    let entry = entry_of(&host);
    host.shows("\n  nobody here yet");
    for (width, height) in [(40, 12), (120, 40), (60, 20)] {
        host.resize(width, height);
        let session = game.session(entry);
        let screen = host.shows(" 1 player · ");
        let rules = screen.history.lines().filter(|row| row.contains('─'));
        assert_eq!(rules.count(), 1, "{width} columns: {screen:?}");
        drop(session);
        host.shows("\n  nobody here now");
    }
    host.ctrl('c');
    assert_eq!(host.ended(QUICKLY), Some(0));
    let end = host.screen();
    assert!(!end.history.contains('─'), "{end:?}");
    assert_eq!(end.history.matches(" ended: ").count(), 3, "{end:?}");
    host.is_left_clean();
}

#[test]
fn colour_only_decorates_and_can_be_declined() {
    for (variable, coloured) in [("NO_COLOR=", true), ("NO_COLOR=1", false)] {
        let host =
            via6(&format!("{variable} via6 host --open --listen [::1]:0 9")).on_terminal(80, 24);
        host.shows("\n  nobody here yet");
        let written = host.written();
        assert_eq!(written.contains("\x1b[36m"), coloured, "{written:?}");
        assert!(coloured || !written.contains("\x1b[2m"), "{written:?}");
    }
}

#[test]
fn a_terminal_without_unicode_gets_ascii() {
    let host = via6("LANG=C via6 host --open --listen [::1]:0 9").on_terminal(80, 24);
    let screen = host.shows("\n  nobody here yet");
    assert!(screen.text().contains("\n-- via6 host"), "{screen:?}");
    assert!(screen.text().is_ascii(), "{screen:?}");
}
