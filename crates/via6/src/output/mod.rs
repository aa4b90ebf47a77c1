//! Everything that is printed goes through here: a writer thread and a bounded queue, for standard
//! output and standard error together where they are one place, else for each.
//!
//! The runtime never writes to a terminal, file or pipe itself. A Windows console with selected
//! text, or a pipe that nobody reads, stops its writer and nothing else; lines that find the queue
//! full are counted, and the count is printed when the reader is back.

mod writer;

use std::io::{self, IsTerminal};
use std::time::Instant;

use via6_core::limits::OUTPUT_FLUSH;

use self::writer::Writer;
use crate::narrator::Sink;

/// The two streams of the program.
pub(crate) struct Output {
    data: Writer,
    log: Writer,
}

impl Output {
    /// Starts the writers. They end with the process.
    pub(crate) fn start() -> Self {
        if one_place() {
            // One queue, so that the line to paste stands below the sentence that announces it.
            let (data, log) = Writer::start_two(io::stdout(), io::stderr());
            return Self { data, log };
        }
        // A standard output that nobody reads must not silence warnings.
        Self {
            data: Writer::start(io::stdout()),
            log: Writer::start(io::stderr()),
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

    /// Waits until both have written everything, but no longer than [`OUTPUT_FLUSH`].
    #[allow(
        clippy::disallowed_methods,
        reason = "the end of the program, outside any runtime"
    )]
    pub(crate) fn finish(&self) {
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
    if io::stdout().is_terminal() && io::stderr().is_terminal() {
        return true;
    }
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        use std::os::unix::fs::MetadataExt;

        let identity = |stream: std::os::fd::BorrowedFd<'_>| {
            let file = std::fs::File::from(stream.try_clone_to_owned().ok()?);
            file.metadata()
                .ok()
                .map(|metadata| (metadata.dev(), metadata.ino()))
        };
        let (stdout, stderr) = (io::stdout(), io::stderr());
        identity(stdout.as_fd()).is_some_and(|one| Some(one) == identity(stderr.as_fd()))
    }
    #[cfg(not(unix))]
    false
}
