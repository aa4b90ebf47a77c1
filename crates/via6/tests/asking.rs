//! A bare `via6` on a terminal, as a person meets it: what is asked, what is made of the answers, and
//! that the game is played in the end. And what is remembered from one time to the next.

#![cfg(target_os = "linux")]
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stands outside of via6: it is the game, the player and the clock, and may panic"
)]

mod support;

#[path = "asking/leaving.rs"]
mod leaving;
#[path = "asking/pasted.rs"]
mod pasted;
#[path = "asking/questions.rs"]
mod questions;
#[path = "asking/remembered.rs"]
mod remembered;

use std::net::SocketAddr;

use support::game::Game;
use support::pty::{Screen, Terminal};
use support::{Ended, PATIENCE, Running, via6};

/// All of the first screen, up to where the answer goes.
const FIRST: &str = "via6: play old IPv4 games together over IPv6.

Do you host the game, or join a friend's?

  h      host: the game server runs on this computer, or on another at home
  j      join: a friend has sent you a line, an invite or an address
  q      leave

host or join?";

const PORT: &str = "

Which port does the game server listen on?
(Minecraft: 25565. One on another computer: HOST:PORT.)

port?";

const LINE: &str = "

Paste what your friend sent: a line with `via6 join`, or what is behind that.

line or address?";

/// A state folder of a test's own, of this computer's user.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self) -> &str {
        self.0.path().to_str().expect("a path in UTF-8")
    }

    fn start(&self, line: &str) -> Running {
        via6(line).with("VIA6_STATE", self.path()).start()
    }

    /// Runs a command to its end.
    fn run(&self, line: &str) -> Ended {
        self.start(line).ended(PATIENCE)
    }

    /// A command on a terminal where all of it has room.
    fn terminal(&self, line: &str) -> Terminal {
        via6(line)
            .with("VIA6_STATE", self.path())
            .on_terminal(100, 60)
    }

    /// A bare via6 that has asked its first question.
    fn asks(&self) -> Terminal {
        let terminal = self.terminal("VIA6_LISTEN=[::1]:0 via6");
        waits(&terminal, FIRST);
        terminal
    }
}

/// Waits until exactly this is on the terminal, and an answer is waited for behind it.
fn waits(terminal: &Terminal, text: &str) -> Screen {
    terminal.until(text, |screen| {
        let column = text.lines().last().map_or(0, |line| line.len() + 1);
        let is_behind = screen.cursor.is_some_and(|(_, at)| at == column);
        (screen.history == text && is_behind).then(|| screen.clone())
    })
}

/// Types an answer, and gives what is then on the screen below the question.
fn answer(terminal: &mut Terminal, text: &str) {
    terminal.types(&format!("{text}\r"));
}

/// Waits until the screen begins with this. What comes behind it is told of a relay, by all commands
/// alike.
fn begins(terminal: &Terminal, text: &str) {
    terminal.until(text, |screen| {
        screen.history.starts_with(text).then_some(())
    });
}

/// Where a join listens: the address to type in the game.
fn to_type(terminal: &Terminal) -> SocketAddr {
    terminal.until("an address to type", |screen| {
        let (_, after) = screen.history.split_once("connect to this address:")?;
        after.split_whitespace().next()?.parse().ok()
    })
}

/// Where a host listens: the address in the line to paste.
fn to_paste(terminal: &Terminal) -> SocketAddr {
    terminal.until("a line to paste", |screen| {
        let (_, after) = screen.history.split_once("pastes this line:")?;
        after.split('\'').nth(1)?.parse().ok()
    })
}

/// The invite that a host shows. A terminal breaks it where its line ends.
fn invite(terminal: &Terminal) -> String {
    terminal.until("an invite", |screen| {
        let (_, after) = screen.history.split_once("pastes this line:")?;
        let (line, _) = after.split_once("It leads to")?;
        let line: String = line.split_whitespace().collect();
        let at = line.find("via6:1")?;
        Some(line[at..].to_owned())
    })
}

/// A friend plays by an invite.
fn is_reached_by(invite: &str, game: &Game) {
    let join = via6(&format!("via6 join {invite} --json")).start();
    game.is_reached(join.address(), "tcp");
    join.stop();
}

/// Ctrl-C while it relays: a clean end, on a clean terminal.
fn stops(mut terminal: Terminal) {
    terminal.shows("Press Ctrl-C to stop.");
    terminal.ctrl('c');
    assert_eq!(terminal.ended(PATIENCE), Some(0));
    is_clean(&terminal);
}

/// No mode was changed, no escape sequence was sent, and the shell has a line of its own.
fn is_clean(terminal: &Terminal) {
    terminal.is_left_clean();
    let written = terminal.written();
    assert!(!written.contains("\x1b[?"), "{written:?}");
}
