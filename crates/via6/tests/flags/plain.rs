//! `--plain`: a terminal gets the lines that a file would get.

use crate::support::game::Game;
use crate::support::pty::Terminal;
use crate::support::{QUICKLY, via6};

/// A host on a terminal, after a player has come and gone.
fn visited(command: &str) -> Terminal {
    let game = Game::on("127.0.0.1");
    let line = format!("{command} --listen [::1]:0 {}", game.address);
    let host = via6(&line).on_terminal(80, 24);
    let entry = host.until("a line to paste", |screen| {
        let pasted = screen.history.split_once("via6 join '")?.1;
        pasted.split('\'').next()?.parse().ok()
    });
    drop(game.session(entry));
    host
}

#[test]
fn plain_lines_have_no_view() {
    let plain = [
        "via6 host --open --plain",
        "VIA6_PLAIN=1 via6 host --open",
        "via6 host --open --quiet",
        "TERM=dumb via6 host --open",
    ];
    let plain = plain.map(|command| (command, visited(command)));
    // It began last, so the others have had the time to show one.
    let live = visited("via6 host --open");
    live.shows("\n  nobody here now");
    assert!(live.written().contains('\x1b'));
    for (command, mut host) in plain {
        host.ctrl('c');
        assert_eq!(host.ended(QUICKLY), Some(0));
        assert!(
            !host.written().contains('\x1b'),
            "{command}: {}",
            host.written()
        );
        let quiet = command.contains("quiet");
        assert_eq!(
            host.screen().history.contains("session 1 ended: "),
            !quiet,
            "{command}"
        );
    }
}

#[test]
fn json_on_a_terminal_is_nothing_but_json() {
    let mut host = via6("via6 host --open --listen [::1]:0 9 --json").on_terminal(200, 24);
    host.shows("\"event\":\"listening\"");
    host.ctrl('c');
    assert_eq!(host.ended(QUICKLY), Some(0));
    let written = host.written();
    let lines = written.lines().filter(|line| *line != "^C");
    for line in lines.map(|line| line.trim_start_matches("^C")) {
        serde_json::from_str::<serde_json::Value>(line).expect("JSON");
    }
}
