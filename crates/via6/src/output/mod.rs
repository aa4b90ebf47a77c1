//! Everything that is printed goes through here: a writer thread and a bounded queue, for standard
//! output and standard error together where they are one place, else for each.
//!
//! The runtime never writes to a terminal, file or pipe itself. A Windows console with selected
//! text, or a pipe that nobody reads, stops its writer and nothing else; lines that find the queue
//! full are counted, and the count is printed when the reader is back. A terminal may show a view
//! below the lines: of that only the newest matters.

mod console;
mod harmless;
mod line;
mod terminal;
mod writer;

use std::io::{self, IsTerminal};
use std::sync::PoisonError;
use std::time::Instant;

use via6_core::limits::OUTPUT_FLUSH;

use self::console::{Console, Next, Slot};
use self::terminal::Ours;
use self::writer::{Plain, Writer};

pub(crate) use self::console::Picture;
pub(crate) use self::line::{Line, Style, columns, cut_end, cut_middle};
pub(crate) use self::terminal::Canvas;
use crate::narrator::Sink;

/// The two streams of the program.
pub(crate) struct Output {
    data: Writer,
    log: Writer,
    /// Where the view waits to be drawn, if there is a terminal for it.
    view: Option<Slot>,
}

impl Output {
    /// Starts the writers. They end with the process. A `live` one may show a view, if it finds a
    /// terminal.
    pub(crate) fn start(live: bool) -> Self {
        if live && let Some(terminal) = Ours::find() {
            return Self::on(io::stderr(), terminal);
        }
        if one_place() {
            // One queue, so that the line to paste stands below the sentence that announces it.
            let both = Plain(vec![Box::new(io::stdout()), Box::new(io::stderr())]);
            return Self::together(Writer::start(both), None);
        }
        // A standard output that nobody reads must not silence warnings.
        Self {
            data: Writer::start(Plain(vec![Box::new(io::stdout())])),
            log: Writer::start(Plain(vec![Box::new(io::stderr())])),
            view: None,
        }
    }

    /// On a terminal that shows a view.
    fn on(
        stream: impl io::Write + Send + 'static,
        terminal: impl terminal::Terminal + 'static,
    ) -> Self {
        let slot = Slot::default();
        let console = Console::new(stream, terminal, Slot::clone(&slot));
        Self::together(Writer::start(console), Some(slot))
    }

    fn together(data: Writer, view: Option<Slot>) -> Self {
        Self {
            log: data.other(),
            data,
            view,
        }
    }

    /// What was asked for: the line a friend pastes, help, `--json` events. Never blocks.
    pub(crate) fn data(&self, line: impl Into<String>) {
        self.data.line(line.into());
    }

    /// A question: what is typed stands behind it, on the same line. Never blocks.
    pub(crate) fn prompt(&self, text: impl Into<String>) {
        self.data.prompt(text.into());
    }

    /// What is told beside it. Never blocks.
    pub(crate) fn log(&self, line: impl Into<String>) {
        self.log.line(line.into());
    }

    /// So many lines were lost on the way here.
    pub(crate) fn missed(&self, lines: u64) {
        self.log.missed(lines);
    }

    /// Whether there is a terminal that shows a view.
    pub(crate) fn has_view(&self) -> bool {
        self.view.is_some()
    }

    /// Shows `picture` below the lines, in the place of the one before. Never blocks: on a terminal
    /// that is stuck, the newest waits and the others are forgotten.
    pub(crate) fn view(&self, picture: Picture) {
        self.next(|next| next.picture = Some(picture));
        self.log.look();
    }

    /// This process was stopped (Ctrl-Z) and goes on: the view is drawn below what came meanwhile.
    pub(crate) fn resumed(&self) {
        self.next(|next| next.resumed = true);
        self.log.look();
    }

    fn next(&self, change: impl FnOnce(&mut Next)) {
        if let Some(slot) = &self.view {
            // The writer holds it for as long as it takes to move a picture out.
            change(&mut slot.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Takes the view away, for good, and waits until everything is written, but no longer than
    /// [`OUTPUT_FLUSH`].
    #[allow(
        clippy::disallowed_methods,
        reason = "the end of the program, outside any runtime"
    )]
    pub(crate) fn finish(&self) {
        self.next(|next| next.ended = true);
        let deadline = Instant::now() + OUTPUT_FLUSH;
        self.data.flush(deadline);
        self.log.flush(deadline);
    }
}

impl Sink for Output {
    fn data(&self, line: String) {
        self.data.line(line);
    }

    fn log(&self, line: String) {
        self.log.line(line);
    }
}

/// True if both streams end in the same terminal, file or pipe.
fn one_place() -> bool {
    (io::stdout().is_terminal() && io::stderr().is_terminal()) || is_one_file()
}

/// True if both streams are the same to the system: it numbers what is open.
#[cfg(unix)]
fn is_one_file() -> bool {
    use std::os::fd::{AsFd, BorrowedFd};
    use std::os::unix::fs::MetadataExt;

    let identity = |stream: BorrowedFd<'_>| {
        let file = std::fs::File::from(stream.try_clone_to_owned().ok()?);
        let metadata = file.metadata().ok()?;
        Some((metadata.dev(), metadata.ino()))
    };
    let (stdout, stderr) = (io::stdout(), io::stderr());
    identity(stdout.as_fd()).is_some_and(|one| Some(one) == identity(stderr.as_fd()))
}

#[cfg(not(unix))]
fn is_one_file() -> bool {
    false
}

#[cfg(test)]
mod tests;
