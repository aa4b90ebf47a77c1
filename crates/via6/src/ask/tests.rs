//! Whole conversations, word by word, without a terminal.

use via6_core::addr::{HostPort, Listen};

use super::dialogue::{Dialogue, Known, Next, Reader};
use super::paste::Grammar;
use crate::args::{Shown, Splice};
use crate::entry::{Entry, Protocols};
use crate::failure::Failure;
use crate::link::{Link, Shared};
use crate::narrator::Role;
use crate::status::{EntryStatus, Status};
use crate::wanted::Wanted;

/// Understands `host -- GAME` and `join [--listen ADDR] -- ADDR`.
struct Plain;

const SHOWN: Shown = Shown {
    verbose: 0,
    quiet: false,
    json: false,
    plain: false,
};

impl Grammar for Plain {
    fn is_command(&self, word: &str) -> bool {
        ["host", "join", "stop"].contains(&word)
    }

    fn takes_value(&self, flag: &str) -> bool {
        flag == "--listen"
    }
}

impl Reader for Plain {
    fn read(&self, words: &[&str]) -> Result<(Wanted, Shown), Failure> {
        let last = words.last().unwrap();
        let at =
            |text: &str| Listen::parse(text).map_err(|error| Failure::address("--listen", &error));
        let entry = match words {
            ["host", "--", game] => {
                let game = HostPort::parse_game(game).unwrap();
                let mut entry = entry(Role::Host, "[::]:43325", &game.to_string());
                entry.link = Link::Shared(Shared::default());
                entry
            }
            ["join", flags @ .., "--", _] => {
                let host = HostPort::parse_link(last);
                let host = host.map_err(|error| Failure::address("the host's address", &error))?;
                let mut entry = entry(Role::Join, "127.0.0.1:46666", &host.to_string());
                if let ["--listen", listen] = flags {
                    entry.listen = at(listen)?;
                }
                entry
            }
            _ => panic!("{words:?}"),
        };
        Ok((Wanted::new(entry), SHOWN))
    }
}

fn entry(role: Role, listen: &str, upstream: &str) -> Entry {
    Entry {
        name: role.label().into(),
        role,
        listen: Listen::parse(listen).unwrap(),
        upstream: HostPort::parse_target(upstream).unwrap(),
        carried: Protocols::BOTH,
        trusted: Vec::new(),
        splice: Splice::Auto,
        link: Link::Open,
    }
}

fn join(upstream: &str) -> Wanted {
    Wanted::new(entry(Role::Join, "127.0.0.1:46666", upstream))
}

/// What is on the screen after these answers, as a terminal shows it, and how it ends.
fn screen(known: Known, answers: &[&str]) -> (String, Option<Wanted>) {
    let mut dialogue = Dialogue::new(known, Plain);
    let first = dialogue.begin();
    let mut screen = format!("{}\n{}", first.text, first.prompt);
    for answer in answers {
        screen += answer;
        screen += "\n";
        let lines: Vec<_> = answer.split('\n').map(str::to_owned).collect();
        match dialogue.answer(&lines) {
            Next::Ask(said) | Next::Mistake(said) => {
                screen = screen + &said.text + "\n" + said.prompt;
            }
            Next::Start(start) => {
                return (screen + &start.text + "\n", Some(start.wanted));
            }
            Next::Leave => {
                screen += "(left)";
                return (screen, None);
            }
        }
    }
    (screen, None)
}

/// What follows the first question.
fn after_first(answers: &[&str]) -> (String, Option<Wanted>) {
    let (all, wanted) = screen(Known::default(), answers);
    let (_, after) = all.split_once("\nhost or join? ").unwrap();
    (after.to_owned(), wanted)
}

const FIRST: &str = "via6: play old IPv4 games together over IPv6.

Do you host the game, or join a friend's?

  h      host: the game server runs on this computer, or on another at home
  j      join: a friend has sent you a line, an invite or an address
  q      leave

host or join? ";

#[test]
fn the_first_screen() {
    assert_eq!(screen(Known::default(), &[]).0, FIRST);
    assert!(FIRST.lines().all(|line| line.chars().count() < 80));
}

#[test]
fn the_first_screen_of_somebody_who_is_back_while_via6_runs() {
    let status = |entries: &[(&str, Role)]| Status {
        entries: entries
            .iter()
            .map(|(upstream, role)| EntryStatus {
                name: role.label().into(),
                role: *role,
                draining: *upstream == "gone:1",
                listeners: Vec::new(),
                upstream: (*upstream).into(),
                link: "open".into(),
                carrier: None,
                sessions_live: 0,
                sessions: Vec::new(),
                flows_live: 0,
                flows: Vec::new(),
                rate_up: 0,
                rate_down: 0,
                totals: crate::status::Totals::default(),
            })
            .collect(),
        ..Status::default()
    };
    let running = status(&[("127.0.0.1:25565", Role::Host), ("gone:1", Role::Join)]);
    let last = join("[2001:db8::1234]:43325");
    let (text, wanted) = screen(Known::new(Some(&running), Some(last.clone())), &[""]);
    assert_eq!(
        text,
        "via6: play old IPv4 games together over IPv6.

via6 is already running here (host 127.0.0.1:25565); `via6 status` shows it.

Do you host the game, or join a friend's?

  h      host: the game server runs on this computer, or on another at home
  j      join: a friend has sent you a line, an invite or an address
  Enter  the last one again: join [2001:db8::1234]:43325
  q      leave

host or join? \n
The same without questions: via6 join\n\n"
    );
    assert_eq!(wanted.unwrap(), last);
    // What runs already is not begun again by Enter.
    let same = Known::new(
        Some(&status(&[("[2001:db8::1234]:43325", Role::Join)])),
        Some(last),
    );
    assert!(!screen(same, &[]).0.contains("Enter"));
    for (count, told) in [(0, "running here;"), (3, "p 1:1)"), (4, "p 1:1, …)")] {
        let many = vec![("p 1:1", Role::Host); count];
        let (text, _) = screen(Known::new(Some(&status(&many)), None), &[]);
        assert!(text.contains(told), "{text}");
    }
}

#[test]
fn a_host_is_begun_after_one_question() {
    let (text, wanted) = after_first(&["h", "25565"]);
    assert_eq!(
        text,
        "h

Which port does the game server listen on?
(Minecraft: 25565. One on another computer: HOST:PORT.)

port? 25565

Friends with the invite can reach this game, and nothing else on this computer.
The same without questions: via6 host 25565\n\n"
    );
    assert_eq!(
        wanted.unwrap().entry.upstream.to_string(),
        "127.0.0.1:25565"
    );
    let (text, wanted) = after_first(&["HOST", "192.168.1.20:7777"]);
    assert!(
        text.ends_with(
            "Friends with the invite can reach 192.168.1.20:7777, and nothing else at home.\n\
             The same without questions: via6 host 192.168.1.20:7777\n\n"
        ),
        "{text}"
    );
    assert_eq!(
        wanted.unwrap().entry.upstream.to_string(),
        "192.168.1.20:7777"
    );
}

#[test]
fn a_join_is_begun_after_one_paste() {
    let (text, wanted) =
        after_first(&["j", "via6 join '[2001:db8::1]:5' --listen 127.0.0.1:25565"]);
    assert_eq!(
        text,
        "j

Paste what your friend sent: a line with `via6 join`, or what is behind that.

line or address? via6 join '[2001:db8::1]:5' --listen 127.0.0.1:25565

The same without questions: via6 join '[2001:db8::1]:5' --listen '127.0.0.1:25565'\n\n"
    );
    assert_eq!(wanted.unwrap().entry.listen.to_string(), "127.0.0.1:25565");
}

/// What is typed at the first question, and what is wanted then.
#[test]
fn short_ways_are_understood_at_the_first_question() {
    for (answer, upstream) in [
        ("25565", "127.0.0.1:25565"),
        ("host 25565", "127.0.0.1:25565"),
        ("h 192.168.1.20:7", "192.168.1.20:7"),
        ("[2001:db8::1]:5", "[2001:db8::1]:5"),
        ("2001:db8::1", "[2001:db8::1]:43325"),
        ("play.example.org", "play.example.org:43325"),
        ("j gamebox", "gamebox:43325"),
        ("join [2001:db8::1]:5", "[2001:db8::1]:5"),
        ("via6 join '[2001:db8::1]:5'", "[2001:db8::1]:5"),
        (
            "hi Ann\n\n> via6 join '[2001:db8::1]:5'\n",
            "[2001:db8::1]:5",
        ),
        ("\nvia6 join '[2001:db8::1]:5'", "[2001:db8::1]:5"),
    ] {
        let (text, wanted) = after_first(&[answer]);
        let Some(wanted) = wanted else {
            panic!("{answer}: {text}")
        };
        assert_eq!(wanted.entry.upstream.to_string(), upstream, "{answer}");
    }
    for (answer, prompt) in [
        ("h", "port? "),
        ("H", "port? "),
        ("Host", "port? "),
        ("1", "port? "),
        ("j", "line or address? "),
        ("JOIN", "line or address? "),
        ("2", "line or address? "),
    ] {
        let (text, _) = after_first(&[answer]);
        assert!(text.ends_with(&format!("\n\n{prompt}")), "{answer}: {text}");
    }
}

/// An answer, and what is said to it; then the same is asked again.
#[test]
fn a_mistake_is_explained_and_asked_again() {
    let ask_host = "ask the host for the line that `via6 host` prints";
    for (before, answer, said) in [
        (None, "", "Nothing was hosted or joined from here yet. Type h to host, j to join, or q to leave.".to_owned()),
        (None, "maybe", "`maybe` is neither. Type h to host, j to join, or q to leave.".into()),
        (None, "99999", "cannot read the port: port 99999 does not exist: the highest is 65535\n  a port is a number from 1 to 65535".into()),
        (Some("h"), "", "That was no port. Type a port such as 25565; b goes back, q leaves.".into()),
        (Some("h"), "0", "cannot read the port: port 0 cannot be dialled\n  a port is a number from 1 to 65535".into()),
        (Some("j"), "", "That was nothing to join. Paste a line or an address; b goes back, q leaves.".into()),
        (Some("j"), "192.0.2.7:25565", format!("cannot read the host's address: 192.0.2.7 is an IPv4 address; a via6 link runs over IPv6\n  {ask_host}; if it must be IPv4: via6 relay tcp 127.0.0.1:46666 192.0.2.7:25565")),
        (Some("j"), "via6:AbCdEfGhIjKlMnOp", "cannot read the host's address: this is an invite, and only `via6 join` takes one\n  paste it behind `via6 join`".into()),
        (Some("j"), "via6 host --open 22", "cannot take `via6 host` from here: only `via6 join` lines are run\n  if you know what it does, leave with q and run it yourself".into()),
        (Some("j"), "via6 join '[::1]:5' --state x", "cannot take --state from a pasted line\n  paste it without, or leave with q and run it yourself".into()),
    ] {
        let answers: Vec<_> = before.into_iter().chain([answer]).collect();
        let (text, wanted) = after_first(&answers);
        assert!(wanted.is_none(), "{answer}: {text}");
        let prompt = text.rsplit('\n').next().unwrap();
        let end = format!("{answer}\n\n{said}\n\n{prompt}");
        assert!(text.ends_with(&end), "{answer}:\n{text}\nexpected:\n{end}");
        let expected = match before {
            None => "host or join? ",
            Some("h") => "port? ",
            Some(_) => "line or address? ",
        };
        assert_eq!(prompt, expected, "{answer}");
        // And then the right answer.
        let right = if before == Some("j") { "2001:db8::1" } else { "25565" };
        let answers: Vec<_> = answers.into_iter().chain([right]).collect();
        assert!(after_first(&answers).1.is_some(), "{answers:?}");
    }
}

#[test]
fn one_can_go_back_and_leave_at_every_question() {
    for leave in ["q", "Q", "quit", "exit"] {
        for before in [
            &[][..],
            &["h"],
            &["j"],
            &["h", "b"],
            &["j", "back", "maybe"],
        ] {
            let answers: Vec<_> = before.iter().copied().chain([leave]).collect();
            assert!(after_first(&answers).0.ends_with("(left)"), "{answers:?}");
        }
    }
    let (text, _) = after_first(&["h", "b"]);
    let (_, first) = FIRST.split_once("IPv6.\n").unwrap();
    assert!(text.ends_with(&format!("port? b\n{first}")), "{text}");
}
