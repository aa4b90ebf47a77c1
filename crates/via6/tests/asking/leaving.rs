//! Ways out: at every question, at once, and as if nothing had been.

use super::{Home, answer, is_clean};
use crate::support::QUICKLY;
use crate::support::pty::{Screen, Terminal};

/// Ways to each question: answers, each with the question that follows.
const QUESTIONS: &[&[(&str, &str)]] = &[
    &[],
    &[("h", "port?")],
    &[("j", "line or address?")],
    &[("nonsense", "or q to leave.\n\nhost or join?")],
    &[("h", "port?"), ("nonsense", "'nonsense:25565'\n\nport?")],
    &[
        ("j", "line or address?"),
        ("back", "q      leave\n\nhost or join?"),
    ],
];

fn at_each_question(leave: impl Fn(&mut Terminal), code: i32, last: &str) {
    for way in QUESTIONS {
        let home = Home::new();
        let mut terminal = home.asks();
        let mut question = "host or join?";
        for (typed, next) in *way {
            answer(&mut terminal, typed);
            question = next;
            let asked = |screen: &Screen| {
                let ends = screen.history.ends_with(question);
                (ends && !screen.history.ends_with(typed)).then_some(())
            };
            terminal.until(question, asked);
        }
        leave(&mut terminal);
        assert_eq!(terminal.ended(QUICKLY), Some(code), "{way:?}");
        is_clean(&terminal);
        let end = terminal.screen().history;
        assert!(
            end.ends_with(&format!("{question}{last}")),
            "{way:?}: {end}"
        );
        assert!(!terminal.written().contains('\x1b'), "{way:?}");
        // It was not even begun.
        assert_eq!(std::fs::read_dir(home.path()).expect("a folder").count(), 0);
    }
}

#[test]
fn ctrl_c_leaves_at_every_question() {
    at_each_question(|terminal| terminal.ctrl('c'), 130, " ^C");
}

#[test]
fn ctrl_d_leaves_at_every_question() {
    at_each_question(|terminal| terminal.ctrl('d'), 0, "");
}

#[test]
fn q_leaves_at_every_question() {
    at_each_question(|terminal| terminal.types("q\r"), 0, " q");
}

#[test]
fn sigterm_leaves_at_every_question() {
    let signal = |terminal: &mut Terminal| {
        let signal = "SIGTERM".parse().expect("the name of a signal");
        via6_lab::system::signal(terminal.id(), signal).expect("sending a signal");
    };
    at_each_question(signal, 130, "");
}

/// Whoever has begun to type changes their mind.
#[test]
fn ctrl_c_leaves_in_the_middle_of_an_answer() {
    let home = Home::new();
    let mut terminal = home.asks();
    terminal.types("ho");
    terminal.shows("host or join? ho");
    terminal.ctrl('c');
    assert_eq!(terminal.ended(QUICKLY), Some(130));
    is_clean(&terminal);
}

/// Ctrl-D behind some text sends it, as everywhere.
#[test]
fn ctrl_d_behind_an_answer_sends_it() {
    let home = Home::new();
    let mut terminal = home.asks();
    terminal.types("q");
    terminal.shows("host or join? q");
    terminal.ctrl('d');
    terminal.ctrl('d');
    assert_eq!(terminal.ended(QUICKLY), Some(0));
}

/// A terminal window that is closed.
#[test]
fn a_terminal_that_goes_away_ends_it() {
    let home = Home::new();
    let terminal = home.asks();
    let signal = "SIGHUP".parse().expect("the name of a signal");
    via6_lab::system::signal(terminal.id(), signal).expect("sending a signal");
    let mut terminal = terminal;
    assert_eq!(terminal.ended(QUICKLY), Some(130));
}
