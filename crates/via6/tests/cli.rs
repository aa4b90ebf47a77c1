//! What via6 answers to mistakes: `cli/mistakes.txt` holds the exact words and the exit code of
//! each, and `cli/situations.rs` those that need a situation, such as a port that is taken. And
//! the opposite: what people type that is not quite right and is understood all the same.
//!
//! How addresses are read in every detail is tested in via6-core; here it is what a person sees.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stands outside of via6: it is the game, the player and the clock, and may panic"
)]

mod support;

#[cfg(target_os = "linux")]
#[path = "cli/situations.rs"]
mod situations;

use std::collections::BTreeSet;
use std::fmt::Write;

use support::{Ended, understand, via6};

/// The commands and answers of a transcript.
struct Mistake {
    line: &'static str,
    answer: String,
}

fn mistakes() -> Vec<Mistake> {
    let mut mistakes: Vec<Mistake> = Vec::new();
    let mut open = false;
    for text in include_str!("cli/mistakes.txt").lines() {
        match text.strip_prefix("$ ") {
            Some(line) => {
                assert!(!open, "the answer before `{line}` has no [exit]");
                open = true;
                let answer = String::new();
                mistakes.push(Mistake { line, answer });
            }
            None if open => {
                let last = mistakes.last_mut().expect("an open answer");
                last.answer += &localized(text);
                last.answer += "\n";
                open = !text.starts_with("[exit ");
            }
            None => assert!(
                text.is_empty() || text.starts_with("# "),
                "belongs to no command: {text}"
            ),
        }
    }
    assert!(mistakes.len() > 80, "only {} mistakes", mistakes.len());
    mistakes
}

/// The transcript is Linux's; the names of a few tools differ.
fn localized(text: &str) -> String {
    let tool = if cfg!(windows) {
        "`ipconfig`"
    } else if cfg!(target_os = "macos") {
        "`ifconfig`"
    } else {
        "`ip address`"
    };
    text.replace("`ip address`", tool)
}

/// An answer as the transcript has it.
fn transcript(ended: &Ended) -> String {
    let code = ended.code.expect("an end that no signal made");
    format!("{}{}[exit {code}]\n", ended.stdout, ended.stderr)
}

#[test]
fn each_mistake_gets_its_answer_and_its_exit_code() {
    let mut wrong = String::new();
    for Mistake { line, answer } in mistakes() {
        let seen = transcript(&via6(line).end());
        if seen != answer {
            write!(wrong, "\n$ {line}\n{seen}").expect("text");
        }
    }
    assert!(wrong.is_empty(), "these answer otherwise:\n{wrong}");
}

#[test]
fn an_answer_is_one_error_and_at_most_one_hint() {
    for Mistake { line, answer } in mistakes() {
        let (message, code) = answer.rsplit_once('[').expect("an exit code");
        assert!(matches!(code, "exit 1]\n" | "exit 2]\n"), "{line}: {code}");
        let lines: Vec<_> = message.lines().collect();
        let right = match lines[..] {
            [error] => error.starts_with("error: "),
            [error, "", hint] => error.starts_with("error: ") && hint.starts_with("hint: "),
            _ => false,
        };
        assert!(right, "{line}\n{message}");
    }
}

/// What a hint proposes must not be the next mistake.
#[test]
fn the_commands_that_hints_propose_are_understood() {
    let mistakes = mistakes();
    let hints = mistakes
        .iter()
        .filter_map(|mistake| mistake.answer.split_once("hint: "));
    let proposed: BTreeSet<&str> = hints.filter_map(|(_, hint)| proposal(hint)).collect();
    assert!(proposed.len() >= 8, "{proposed:?}");
    for line in proposed {
        if let Err(answer) = understand(line) {
            panic!("a hint proposes what is not understood:\n{answer}");
        }
    }
}

/// The command at the end of a hint: `try: via6 join '[2001:db8::1]:43325'`. Those inside of
/// sentences are named there by their beginning only.
fn proposal(hint: &str) -> Option<&str> {
    let hint = hint.lines().next()?;
    let start = hint.rfind("via6 ")?;
    let before = &hint[..start];
    (before.ends_with(": ") || before.ends_with("looks like ")).then(|| &hint[start..])
}

#[test]
fn help_is_no_mistake() {
    for line in ["via6 --help", "via6 -h", "via6 host -h", "via6 join --help"] {
        let ended = via6(line).end();
        assert_eq!(ended.code, Some(0), "{line}");
        assert!(ended.stdout.contains("Usage: via6 "), "{line}");
        assert_eq!(ended.stderr, "", "{line}");
    }
    let ended = via6("via6 --version").end();
    assert_eq!(ended.code, Some(0));
    assert_eq!(
        ended.stdout,
        concat!("via6 ", env!("CARGO_PKG_VERSION"), "\n")
    );
    // Without a word it is help as well, but not what a script wanted.
    let ended = via6("via6").end();
    assert_eq!(ended.code, Some(2));
    assert!(ended.stdout.contains("via6 host 25565"));
}

/// ADDR of join, and the host that is dialled.
const JOINED: &[(&str, &str)] = &[
    ("'[2001:db8::1]:5'", "[2001:db8::1]:5"),
    ("2001:db8::1", "[2001:db8::1]:43325"),
    ("2001:DB8:0:0::0001", "[2001:db8::1]:43325"),
    ("2001:db8::1/64", "[2001:db8::1]:43325"),
    ("'[2001:db8::1]/64:5'", "[2001:db8::1]:5"),
    ("' [2001:db8::1]:5 '", "[2001:db8::1]:5"),
    ("\"'[2001:db8::1]:5'\"", "[2001:db8::1]:5"),
    ("“[2001:db8::1]:5”", "[2001:db8::1]:5"),
    ("fe80::1%3", "[fe80::1%3]:43325"),
    ("'[fe80::1%3]:5'", "[fe80::1%3]:5"),
    ("play.example.org", "play.example.org:43325"),
    ("Play.Example.ORG:5", "play.example.org:5"),
    // The whole line, as one word and as several.
    ("\"via6 join '[2001:db8::1]:5'\"", "[2001:db8::1]:5"),
    ("via6 join '[2001:db8::1]:5'", "[2001:db8::1]:5"),
    ("via6 join \"'[2001:db8::1]:5'\"", "[2001:db8::1]:5"),
    ("hi, join: via6 join '[2001:db8::1]:5'", "[2001:db8::1]:5"),
    ("via6 join '[2001:db8::1]:5' --tcp", "[2001:db8::1]:5"),
];

#[test]
fn what_is_pasted_is_understood() {
    assert!(!JOINED.is_empty());
    for (typed, host) in JOINED {
        let line = format!("via6 join {typed} --json --listen 127.0.0.1:0");
        let listening = via6(&line).start().event("listening");
        assert_eq!(listening["upstream"], *host, "{line}");
    }
}

/// LISTEN and GAME or TARGET, and what they stand for.
const SHARED: &[(&str, &str)] = &[
    ("host --open 25565 --listen [::1]:0", "127.0.0.1:25565"),
    (
        "host --open ' 25565' --listen ' [::1]:0 '",
        "127.0.0.1:25565",
    ),
    (
        "host --open :25565 --listen \"'[::1]:0'\"",
        "127.0.0.1:25565",
    ),
    (
        "host --open localhost:25565 --listen [::1]:0",
        "localhost:25565",
    ),
    (
        "host --open [::1]:25565 --listen [::1/128]:0",
        "[::1]:25565",
    ),
    (
        "host --open ::ffff:127.0.0.1:25565 --listen [::1]:0",
        "127.0.0.1:25565",
    ),
    ("relay tcp [::1]:0 127.0.0.1:25565", "127.0.0.1:25565"),
    (
        "relay udp '\"[::1]:0\"' '[2001:db8::1]/64:5'",
        "[2001:db8::1]:5",
    ),
];

#[test]
fn what_is_shared_is_understood() {
    assert!(!SHARED.is_empty());
    for (typed, upstream) in SHARED {
        let via6 = via6(&format!("via6 {typed} --json")).start();
        assert_eq!(via6.event("listening")["upstream"], *upstream, "{typed}");
        assert!(via6.address().ip().is_loopback(), "{typed}");
    }
}
