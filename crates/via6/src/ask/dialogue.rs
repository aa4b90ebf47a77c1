//! The questions and what follows from the answers, as a state machine: text in, text out.
//!
//! ```text
//! First ── h ──▶ Port ── 25565 ──────────────▶ what is wanted
//!   │  ◀── b ───┘
//!   ├──── j ──▶ Line ── via6 join '…' ───────▶ what is wanted
//!   │  ◀── b ───┘
//!   ├──── Enter (the last one again), 25565, an address, a line ─▶ what is wanted
//!   └──── q, at every question ──▶ end
//! ```
//!
//! It neither reads nor prints, and knows no flag: how a command line is understood is given to it.

use via6_core::addr::{Excerpt, Host, HostPort};

use super::paste::{Found, Grammar, find};
use crate::announce::{command, local_game};
use crate::args::Shown;
use crate::failure::{As, Failure};
use crate::narrator::Role;
use crate::status::Status;
use crate::wanted::Wanted;

/// Relays of the via6 that runs that are named; `via6 status` shows all.
const NAMED_MAX: usize = 3;

/// What is known before anything is asked.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// What the via6 that runs already does: `host 127.0.0.1:25565`.
    running: Option<Vec<String>>,
    /// What was hosted or joined last, unless that runs now.
    last: Option<Wanted>,
}

impl Known {
    pub(crate) fn new(status: Option<&Status>, last: Option<Wanted>) -> Self {
        let named = |role: Role, upstream: &str| format!("{} {upstream}", role.label());
        let running = status.map(|status| {
            let entries = status.entries.iter().filter(|entry| !entry.draining);
            entries
                .map(|entry| named(entry.role, &entry.upstream))
                .collect::<Vec<_>>()
        });
        let runs = |last: &Wanted| {
            let last = named(last.entry.role, &last.entry.upstream.to_string());
            running.as_ref().is_some_and(|all| all.contains(&last))
        };
        Self {
            last: last.filter(|last| last.entry.role != Role::Relay && !runs(last)),
            running,
        }
    }
}

/// Understands the words of a command line.
pub(crate) trait Reader: Grammar {
    fn read(&self, words: &[&str]) -> Result<(Wanted, Shown), Failure>;
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Question {
    First,
    Port,
    Line,
}

/// The conversation so far.
#[derive(Debug)]
pub(crate) struct Dialogue<R> {
    known: Known,
    reader: R,
    question: Question,
}

/// What is to be shown: lines, and then what stands before the answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Said {
    pub(crate) text: String,
    pub(crate) prompt: &'static str,
}

/// What follows from an answer.
#[derive(Debug)]
pub(crate) enum Next {
    /// Another question.
    Ask(Said),
    /// The same question. If more lines come at once, they belong to this answer.
    Mistake(Said),
    /// It is known what is wanted.
    Start(Box<Start>),
    Leave,
}

/// What is wanted.
#[derive(Debug)]
pub(crate) struct Start {
    /// To be shown before it begins.
    pub(crate) text: String,
    pub(crate) wanted: Wanted,
    /// In which form it is to be told, if that was said.
    pub(crate) shown: Option<Shown>,
    /// No line behind it would change that. Else, if more lines come at once, they belong to this answer:
    /// a paste may begin with an empty line, or with `hi`, which is a name.
    pub(crate) is_certain: bool,
}

impl<R: Reader> Dialogue<R> {
    pub(crate) fn new(known: Known, reader: R) -> Self {
        Self {
            known,
            reader,
            question: Question::First,
        }
    }

    /// The first question, with what goes before it.
    pub(crate) fn begin(&self) -> Said {
        let mut text = "via6: play old IPv4 games together over IPv6.".to_owned();
        if let Some(running) = &self.known.running {
            text += &already(running);
        }
        text += "\n";
        text += &self.first();
        said(text, Question::First)
    }

    /// What follows from these lines, which were typed or pasted at once.
    pub(crate) fn answer(&mut self, lines: &[String]) -> Next {
        let mut full = lines.iter().filter(|line| !line.is_empty());
        let (first, more) = (full.next().map_or("", String::as_str), full.next());
        let word = first.to_lowercase();
        if more.is_none() && matches!(&word[..], "q" | "quit" | "exit" | "leave") {
            return Next::Leave;
        }
        match self.question {
            Question::First if more.is_some() => self.line(lines),
            Question::First => self.choice(first, &word),
            Question::Port | Question::Line
                if more.is_none() && matches!(&word[..], "b" | "back") =>
            {
                self.question = Question::First;
                Next::Ask(said(self.first(), Question::First))
            }
            Question::Port => self.port(lines.last().map_or("", String::as_str)),
            Question::Line => self.line(lines),
        }
    }

    /// The first question alone.
    fn first(&self) -> String {
        let again = match &self.known.last {
            Some(last) => format!("\n  Enter  the last one again: {}", short(last)),
            None => String::new(),
        };
        format!(
            "\nDo you host the game, or join a friend's?\n\n  \
             h      host: the game server runs on this computer, or on another at home\n  \
             j      join: a friend has sent you a line, an invite or an address\
             {again}\n  \
             q      leave"
        )
    }

    fn choice(&mut self, answer: &str, word: &str) -> Next {
        let (verb, rest) = answer.split_once(' ').unwrap_or((answer, ""));
        match (&verb.to_lowercase()[..], rest.trim()) {
            ("", _) => match &self.known.last {
                Some(last) => started(last.clone(), None),
                None => self.unclear("Nothing was hosted or joined from here yet."),
            },
            ("h" | "host" | "1", "") => self.ask(Question::Port),
            ("j" | "join" | "2", "") => self.ask(Question::Line),
            ("h" | "host", game) => self.port(game),
            ("j" | "join", line) => self.line(&[line.to_owned()]),
            ("?" | "help", "") => self.unclear("`via6 --help` lists all commands."),
            _ if word.bytes().all(|byte| byte.is_ascii_digit()) => self.port(answer),
            _ if answer.contains([':', '.']) || word.contains("via6") => {
                self.line(&[answer.to_owned()])
            }
            _ => self.unclear(&format!("`{}` is neither.", Excerpt::of(answer))),
        }
    }

    fn ask(&mut self, question: Question) -> Next {
        self.question = question;
        let text = match question {
            Question::First => self.first(),
            Question::Port => "\nWhich port does the game server listen on?\n\
                 (Minecraft: 25565. One on another computer: HOST:PORT.)"
                .to_owned(),
            Question::Line => {
                "\nPaste what your friend sent: a line with `via6 join`, or what is behind that."
                    .to_owned()
            }
        };
        Next::Ask(said(text, question))
    }

    fn unclear(&self, why: &str) -> Next {
        let enter = match &self.known.last {
            Some(_) => ", Enter for the last one again",
            None => "",
        };
        let ways = match self.question {
            Question::First => {
                format!("Type h to host, j to join{enter}, or q to leave.")
            }
            Question::Port => "Type a port such as 25565; b goes back, q leaves.".into(),
            Question::Line => "Paste a line or an address; b goes back, q leaves.".into(),
        };
        Next::Mistake(said(format!("\n{why} {ways}"), self.question))
    }

    /// A game to be shared.
    fn port(&self, answer: &str) -> Next {
        if answer.is_empty() {
            return self.unclear("That was no port.");
        }
        if let Err(error) = HostPort::parse_game(answer) {
            let mistake = Failure::usage(format!("cannot read the port: {error}"));
            return self.mistake(&match error.hint() {
                Some(hint) => mistake.hint(hint),
                None => mistake,
            });
        }
        match self.reader.read(&["host", "--", answer]) {
            Ok((wanted, shown)) => started(wanted, Some(shown)),
            Err(failure) => self.mistake(&failure),
        }
    }

    /// Something from a friend.
    fn line(&self, lines: &[String]) -> Next {
        let candidates = match find(lines, &self.reader) {
            Found::Join(candidates) => candidates,
            Found::Nothing => return self.unclear("That was nothing to join."),
            Found::Other(command) => {
                return self.mistake(
                    &Failure::usage(format!(
                        "cannot take `via6 {command}` from here: only `via6 join` lines are run"
                    ))
                    .hint("if you know what it does, leave with q and run it yourself"),
                );
            }
            Found::Forbidden(flag) => {
                return self.mistake(
                    &Failure::usage(format!("cannot take {flag} from a pasted line"))
                        .hint("paste it without, or leave with q and run it yourself"),
                );
            }
        };
        let mut first = None;
        for words in candidates {
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            match self.reader.read(&words) {
                Ok((wanted, shown)) => return started(wanted, Some(shown)),
                Err(failure) => first = first.or(Some(failure)),
            }
        }
        match first {
            Some(failure) => self.mistake(&failure),
            None => self.unclear("That was nothing to join."),
        }
    }

    /// What the command would say, in the tone of a conversation.
    fn mistake(&self, failure: &Failure) -> Next {
        let mut text = format!("\n{}", failure.message());
        if failure.shown() == As::Error {
            let below = failure.details().into_iter().chain(failure.advice());
            for line in below {
                text += "\n  ";
                text += line;
            }
        }
        Next::Mistake(said(text, self.question))
    }
}

fn said(text: String, question: Question) -> Said {
    let prompt = match question {
        Question::First => "\nhost or join? ",
        Question::Port => "\nport? ",
        Question::Line => "\nline or address? ",
    };
    Said { text, prompt }
}

fn already(running: &[String]) -> String {
    let named: Vec<_> = running.iter().take(NAMED_MAX).map(String::as_str).collect();
    let mut what = named.join(", ");
    if running.len() > NAMED_MAX {
        what += ", …";
    }
    if !what.is_empty() {
        what = format!(" ({what})");
    }
    format!("\n\nvia6 is already running here{what}; `via6 status` shows it.")
}

/// A relay in a few words.
fn short(wanted: &Wanted) -> String {
    let entry = &wanted.entry;
    match entry.role {
        Role::Host => format!("host {}", local_game(entry)),
        Role::Join | Role::Relay => format!("{} {}", entry.role.label(), entry.upstream),
    }
}

/// With `shown` it was asked for in words of the command line, else it is the last one again.
fn started(wanted: Wanted, shown: Option<Shown>) -> Next {
    let entry = &wanted.entry;
    let who = if entry.link.is_open() {
        "Anyone who knows the address can reach"
    } else {
        "Friends with the invite can reach"
    };
    let reach = match entry.role {
        Role::Host if entry.upstream.is_loopback() => {
            format!("{who} this game, and nothing else on this computer.\n")
        }
        Role::Host => format!("{who} {}, and nothing else at home.\n", entry.upstream),
        Role::Join | Role::Relay => String::new(),
    };
    let is_again = shown.is_none();
    let same = match entry.role {
        Role::Join if is_again => "via6 join".to_owned(),
        _ => command(entry),
    };
    let is_name = entry.role == Role::Join && matches!(entry.upstream.host, Host::Name(_));
    Next::Start(Box::new(Start {
        text: format!("\n{reach}The same without questions: {same}\n"),
        shown,
        is_certain: !is_again && !is_name,
        wanted,
    }))
}
