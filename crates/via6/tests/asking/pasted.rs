//! What comes out of a chat: several lines at once, marks, quotes, sequences of the terminal, nonsense.

use super::{Home, answer, stops, to_type};
use crate::support::PATIENCE;
use crate::support::game::Game;
use crate::support::pty::Terminal;
use crate::support::via6;

fn join_question(home: &Home) -> Terminal {
    let mut terminal = home.terminal("VIA6_LISTEN=127.0.0.1:0 via6");
    terminal.shows("host or join?");
    answer(&mut terminal, "j");
    terminal.shows("line or address?");
    terminal
}

#[test]
fn the_line_is_found_in_what_was_pasted() {
    let host = Game::on("::1");
    let at = host.address;
    for paste in [
        format!("via6 join '{at}'\r"),
        format!("\rhi! it runs:\r\r> via6 join '{at}'\r> see you\r\r"),
        format!("Ann: here you are\rAnn: `via6 join {at}` ok?\r"),
        format!("\x1b[200~via6 join '{at}'\x1b[201~\r"),
        format!("\x1b[200~hi\rvia6 join ‘{at}’ —tcp\rbye\x1b[201~\r"),
        format!("via6 host --open 22\rvia6 join '{at}'\r"),
        format!("hi Ann\r\rit is {at}, come in\r"),
        format!("via6 join\r'{at}'\r"),
    ] {
        for question in ["first", "join"] {
            let home = Home::new();
            let mut terminal = if question == "join" {
                join_question(&home)
            } else {
                let terminal = home.terminal("VIA6_LISTEN=127.0.0.1:0 via6");
                terminal.shows("host or join?");
                terminal
            };
            terminal.types(&paste);
            terminal.shows(&format!("joining {at} "));
            host.is_reached(to_type(&terminal), "tcp");
            stops(terminal);
        }
    }
}

/// Nothing of a paste that was not needed is left for the shell, which would run it.
#[test]
fn the_rest_of_a_paste_does_not_reach_the_shell() {
    let (home, host) = (Home::new(), Game::on("::1"));
    // A handler, so that Ctrl-C does not end the shell as well.
    let shell = r#"sh -c 'trap : INT; "$0"; read -r line; echo "the shell got: $line"'"#;
    let mut terminal = via6("VIA6_LISTEN=127.0.0.1:0 via6")
        .with("VIA6_STATE", home.path())
        .through(shell, env!("CARGO_BIN_EXE_via6"))
        .on_terminal(100, 60);
    terminal.shows("host or join?");
    terminal.types(&format!("via6 join '{}'\rrm -rf precious\r", host.address));
    terminal.shows("Press Ctrl-C to stop.");
    terminal.ctrl('c');
    terminal.shows("stopped; nobody came");
    terminal.types("mine\r");
    terminal.shows("the shell got: mine");
    assert_eq!(terminal.ended(PATIENCE), Some(0));
}

#[test]
fn nonsense_is_survived() {
    let (home, host) = (Home::new(), Game::on("::1"));
    let mut terminal = join_question(&home);
    let flood = "x".repeat(3000) + "\r";
    for nonsense in ["\x1b[A\x1b[D", "\x1b]0;title\x07", "?\u{202e}?", &flood] {
        terminal.types(nonsense);
    }
    terminal.types(&"lorem ipsum: dolor\r".repeat(200));
    terminal.until("all of it to be answered", |screen| {
        let asks = screen.text().ends_with("line or address?");
        (asks && screen.history.contains("cannot read")).then_some(())
    });
    answer(&mut terminal, &host.address.to_string());
    terminal.shows(&format!("joining {} ", host.address));
    host.is_reached(to_type(&terminal), "tcp");
    stops(terminal);
}
