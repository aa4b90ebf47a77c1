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
    host.shows("stopped after 0 sessions, and 0 UDP flows");
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
