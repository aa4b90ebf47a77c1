//! Each way through the questions, on the exact text, to a game that is really played.

use super::{
    FIRST, Home, LINE, PORT, answer, begins, invite, is_clean, is_reached_by, stops, to_type, waits,
};
use crate::support::game::{Game, free_port};
use crate::support::{PATIENCE, via6};

#[test]
fn two_answers_share_a_game() {
    let (home, game) = (Home::new(), Game::on("127.0.0.1"));
    let port = game.address.port();
    let mut terminal = home.asks();
    answer(&mut terminal, "h");
    waits(&terminal, &format!("{FIRST} h{PORT}"));
    answer(&mut terminal, &port.to_string());
    begins(
        &terminal,
        &format!(
            "{FIRST} h{PORT} {port}\n\n\
             Friends with the invite can reach this game, and nothing else on this computer.\n\
             The same without questions: via6 host --listen '[::1]:0' {port}\n\n\
             sharing 127.0.0.1:{port} (TCP) on [::1]:"
        ),
    );
    is_reached_by(&invite(&terminal), &game);
    stops(terminal);
}

#[test]
fn two_answers_join_a_friend() {
    let (home, host) = (Home::new(), Game::on("::1"));
    let at = free_port();
    let mut terminal = home.asks();
    answer(&mut terminal, "j");
    waits(&terminal, &format!("{FIRST} j{LINE}"));
    // Its flags count, and win over what is set.
    let line = format!("via6 join '{}' --tcp --listen 127.0.0.1:{at}", host.address);
    answer(&mut terminal, &line);
    begins(
        &terminal,
        &format!(
            "{FIRST} j{LINE} {line}\n\n\
             The same without questions: via6 join '{}' --tcp --listen '127.0.0.1:{at}'\n\n\
             joining {} (TCP)\n",
            host.address, host.address
        ),
    );
    let entry = to_type(&terminal);
    assert_eq!(entry.port(), at);
    host.is_reached(entry, "tcp");
    stops(terminal);
}

#[test]
fn one_answer_is_enough_for_who_knows() {
    let (home, game) = (Home::new(), Game::on("127.0.0.1"));
    let mut terminal = home.asks();
    answer(&mut terminal, &game.address.port().to_string());
    is_reached_by(&invite(&terminal), &game);
    stops(terminal);

    let host = Game::on("::1");
    let mut terminal = home.terminal("VIA6_LISTEN=127.0.0.1:0 via6");
    terminal.shows("host or join?");
    answer(&mut terminal, &host.address.to_string());
    host.is_reached(to_type(&terminal), "tcp");
    stops(terminal);
}

#[test]
fn a_mistake_is_explained_and_the_right_answer_then_taken() {
    let (home, game) = (Home::new(), Game::on("127.0.0.1"));
    let mut terminal = home.asks();
    let mut text = FIRST.to_owned();
    let ways = "Type h to host, j to join, or q to leave.";
    let missing = "there is no invite in it: an invite begins with `via6:1`";
    let link = "ask the host for the line that `via6 host` prints; it looks like via6 join via6:1…";
    let port = "a port is a number from 1 to 65535";
    for (typed, said) in [
        ("", format!("\n\nNothing was hosted or joined from here yet. {ways}\n\nhost or join?")),
        ("maybe", format!("\n\n`maybe` is neither. {ways}\n\nhost or join?")),
        ("h", PORT.to_owned()),
        ("99999", format!("\n\ncannot read the port: port 99999 does not exist: the highest is 65535\n  {port}\n\nport?")),
        ("b", FIRST.split_once("IPv6.").expect("a first line").1.to_owned()),
        ("j", LINE.to_owned()),
        ("via6:AbCdEfGhIjKlMnOp", format!("\n\ncannot read the invite: {missing}\n  {link}\n\nline or address?")),
        ("via6 stop", "\n\ncannot take `via6 stop` from here: only `via6 join` lines are run\n  if you know what it does, leave with q and run it yourself\n\nline or address?".to_owned()),
        ("back", FIRST.split_once("IPv6.").expect("a first line").1.to_owned()),
        ("HOST", PORT.to_owned()),
    ] {
        answer(&mut terminal, typed);
        if !typed.is_empty() {
            text += " ";
        }
        text += typed;
        text += &said;
        waits(&terminal, &text);
    }
    answer(&mut terminal, &game.address.to_string());
    is_reached_by(&invite(&terminal), &game);
    stops(terminal);
}

/// What a command would say of a port that is taken, and its exit code.
#[test]
fn what_cannot_be_done_ends_as_the_command_does() {
    let (home, other) = (Home::new(), Game::on("::1"));
    let mut terminal = home.terminal(&format!("VIA6_LISTEN={} via6", other.address));
    terminal.shows("host or join?");
    answer(&mut terminal, "25565");
    terminal.shows(&format!("error: cannot listen on {} (TCP)", other.address));
    assert_eq!(terminal.ended(PATIENCE), Some(1));
    is_clean(&terminal);
}

#[test]
fn while_via6_runs_it_says_so_and_hands_the_work_over() {
    let (home, game) = (Home::new(), Game::on("127.0.0.1"));
    let host = home.start(&format!(
        "via6 host --open {} --listen [::1]:0 --json",
        game.address
    ));
    let entry = host.address();
    let mut terminal = home.terminal("VIA6_LISTEN=127.0.0.1:0 via6");
    waits(
        &terminal,
        &FIRST.replace(
            "IPv6.\n",
            &format!(
                "IPv6.\n\nvia6 is already running here (host {}); `via6 status` shows it.\n",
                game.address
            ),
        ),
    );
    answer(&mut terminal, &format!("via6 join '{entry}'"));
    terminal.shows(&format!(
        "The via6 that runs already (process {}) carries this",
        host.id()
    ));
    game.is_reached(to_type(&terminal), "tcp");
    terminal.ctrl('c');
    assert_eq!(terminal.ended(PATIENCE), Some(0));
    is_clean(&terminal);
    host.stop();
}

/// Where nobody can answer, nobody is asked.
#[test]
fn without_a_terminal_there_is_help_and_no_question() {
    for line in [
        "via6",
        "via6 -v",
        "via6 --json",
        "VIA6_JSON=1 via6",
        "VIA6_QUIET=1 via6",
    ] {
        let ended = via6(line).end();
        assert_eq!(ended.code, Some(2), "{line}: {ended:?}");
        assert!(
            ended.stdout.contains(
                "
Usage: via6 [OPTIONS] [COMMAND]
"
            ),
            "{ended:?}"
        );
        assert_eq!(ended.stderr, "", "{line}");
    }
    // On a terminal, but a program wants to read the answer.
    let mut terminal = Home::new().terminal("via6 --json");
    assert_eq!(terminal.ended(PATIENCE), Some(2));
    let shown = terminal.screen().history;
    assert!(
        shown.contains("Usage: via6") && !shown.contains("Do you host"),
        "{shown}"
    );
}
