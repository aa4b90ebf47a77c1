//! A bare `via6` on a terminal: shows the questions of `crate::ask`, reads the answers, and says what
//! is wanted. It never changes how the terminal is set.

use std::io::{self, IsTerminal, Stdin};
use std::path::Path;
use std::sync::Arc;
#[cfg(not(unix))]
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::sleep;
use via6_core::addr::Listen;
use via6_core::limits::{ASK_PASTE_LINES, ASK_PASTE_PAUSE};

use super::{metrics_at, wanted};
use crate::args::{Args, Command, Shown};
use crate::ask::{Dialogue, Grammar, Known, Next, Reader, Said, Typed};
use crate::control::connect;
use crate::failure::Failure;
use crate::output::Output;
use crate::reading;
use crate::state::{Folder, Memory};
use crate::status::Status;
use crate::stop::{Stop, note_wish};
use crate::wanted::Wanted;

/// What was decided: nothing if the person leaves, and in which form it is told.
type Decided = (Option<Wanted>, Shown);

/// Whether somebody is there to be asked.
pub(super) fn is_possible(shown: Shown) -> bool {
    !shown.json && io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Asks until it is known what is wanted. Ctrl-C is a failure that says nothing.
pub(super) async fn run(
    args: &Args,
    output: &Arc<Output>,
    stop: &mut Stop,
) -> Result<Decided, Failure> {
    let metrics = metrics()?;
    tokio::select! {
        (wanted, shown) = talk(args, output) => {
            // What is done again is not read from the command line.
            let wanted = wanted.map(|wanted| Wanted { metrics, ..wanted });
            Ok((wanted, shown))
        }
        () = stop.told() => {
            // Whatever comes next has a line of its own.
            output.data("");
            Err(Failure::interrupted())
        }
    }
}

/// Where a variable has metrics served, if it does. Whatever else is wrong with a variable is told before
/// anything is asked.
fn metrics() -> Result<Option<Listen>, Failure> {
    let (args, sources) = reading::read_with(&["join"])?;
    match &args.command {
        Some(Command::Join(join)) => metrics_at(&join.watched, &sources),
        _ => Ok(None),
    }
}

async fn talk(args: &Args, output: &Output) -> Decided {
    let mut dialogue = Dialogue::new(known(args.place.state.as_deref()).await, CommandLine);
    let mut keyboard = Keyboard::new();
    let say = |said: Said| {
        output.data(said.text);
        output.prompt(said.prompt);
    };
    say(dialogue.begin());
    loop {
        let Some(next) = keyboard.answer(&mut dialogue).await else {
            if cfg!(windows) {
                // There a read may end with Ctrl-C, which is told of only then.
                sleep(ASK_PASTE_PAUSE).await;
            }
            output.data("");
            note_wish();
            return (None, args.shown);
        };
        match next {
            Next::Ask(said) | Next::Mistake(said) => say(said),
            Next::Start(start) => {
                forget_the_rest();
                output.data(start.text);
                return (Some(start.wanted), start.shown.unwrap_or(args.shown));
            }
            Next::Leave => {
                note_wish();
                return (None, args.shown);
            }
        }
    }
}

/// What the state folder knows. What is wrong with it is told by whoever needs it.
async fn known(state: Option<&Path>) -> Known {
    let Ok(folder) = Folder::find(state) else {
        return Known::default();
    };
    let (memory, _) = Memory::open(&folder, None);
    let status = async { connect(&folder).await?.status().await };
    let status: Option<Status> = status.await.ok();
    Known::new(status.as_ref(), memory.last().map(Wanted::again))
}

/// As the commands are typed.
struct CommandLine;

impl Grammar for CommandLine {
    fn is_command(&self, word: &str) -> bool {
        reading::commands().iter().any(|command| command == word)
    }

    fn takes_value(&self, flag: &str) -> bool {
        reading::takes_value("join", flag).unwrap_or(false)
    }
}

impl Reader for CommandLine {
    fn read(&self, words: &[&str]) -> Result<(Wanted, Shown), Failure> {
        let (args, sources) = reading::read_with(words)?;
        let wanted = match &args.command {
            Some(command) => wanted(command, &sources, &args.place)?,
            None => None,
        };
        Ok((wanted.ok_or_else(reading::help)?, args.shown))
    }
}

/// A line that is being waited for, on a thread of its own.
type Waiting = JoinHandle<(Typed<Stdin>, Option<String>)>;

/// The person's answers.
struct Keyboard {
    /// None while `waiting` has it.
    typed: Option<Typed<Stdin>>,
    waiting: Option<Waiting>,
}

impl Keyboard {
    fn new() -> Self {
        Self {
            typed: Some(Typed::new(io::stdin())),
            waiting: None,
        }
    }

    /// What follows from the next answer; `None` at the end. Once that is certain no more is read: what
    /// is typed while playing is not ours, and a process in the background that reads is stopped.
    async fn answer<R: Reader>(&mut self, dialogue: &mut Dialogue<R>) -> Option<Next> {
        let mut lines = vec![self.line().await?];
        loop {
            let next = dialogue.answer(&lines);
            let is_certain = match &next {
                Next::Mistake(_) => false,
                Next::Start(start) => start.is_certain,
                Next::Ask(_) | Next::Leave => true,
            };
            if is_certain {
                return Some(next);
            }
            let Some(line) = self.more().await else {
                return Some(next);
            };
            if lines.len() == ASK_PASTE_LINES {
                lines.remove(0);
            }
            lines.push(line);
        }
    }

    /// Waits for a line; `None` at the end. Cancel safe.
    async fn line(&mut self) -> Option<String> {
        self.wait(Typed::next);
        self.take().await
    }

    /// The next line, if it comes right behind the one before.
    #[cfg(unix)]
    async fn more(&mut self) -> Option<String> {
        self.wait(|typed| {
            let comes = typed.is_ready() || is_typed();
            if comes { typed.next() } else { None }
        });
        self.take().await
    }

    /// The next line, if it comes right behind the one before. If not, it is waited for on: it is the
    /// next answer, if there is another question.
    #[cfg(not(unix))]
    async fn more(&mut self) -> Option<String> {
        self.wait(Typed::next);
        let pause: Duration = ASK_PASTE_PAUSE;
        tokio::time::timeout(pause, self.take())
            .await
            .ok()
            .flatten()
    }

    fn wait(&mut self, read: fn(&mut Typed<Stdin>) -> Option<String>) {
        if let Some(mut typed) = self.typed.take() {
            self.waiting = Some(spawn_blocking(move || {
                let line = read(&mut typed);
                (typed, line)
            }));
        }
    }

    /// Takes what was waited for. Cancel safe.
    async fn take(&mut self) -> Option<String> {
        // It fails only if the thread did, and then nobody reads any more.
        let (typed, line) = self.waiting.as_mut()?.await.ok()?;
        self.waiting = None;
        self.typed = Some(typed);
        line
    }
}

/// Whether there is something to be read within [`ASK_PASTE_PAUSE`]. Where the system cannot tell
/// that of a terminal, there is not.
#[cfg(unix)]
fn is_typed() -> bool {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd;
    let stdin = io::stdin();
    let mut wanted = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    let within = PollTimeout::try_from(ASK_PASTE_PAUSE).unwrap_or(PollTimeout::ZERO);
    let polled = poll(&mut wanted, within).is_ok_and(|ready| ready > 0);
    polled && wanted.iter().all(|fd| fd.any() == Some(true))
}

/// The rest of a paste would be typed into the shell after the end.
fn forget_the_rest() {
    #[cfg(unix)]
    {
        use nix::sys::termios::{FlushArg, tcflush};
        // Then the shell gets it.
        let _ = tcflush(io::stdin(), FlushArg::TCIFLUSH);
    }
}
