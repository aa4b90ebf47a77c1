//! Everything that is printed goes through here: one writer thread and one bounded queue for each
//! of standard output and standard error.
//!
//! The runtime never writes to a terminal, file or pipe itself. A Windows console with selected
//! text, or a pipe that nobody reads, stops its writer and nothing else; lines that find the queue
//! full are counted, and the count is printed when the reader is back.

mod writer;

use std::io;
use std::time::Instant;

use via6_core::limits::OUTPUT_FLUSH;

use self::writer::Writer;

/// The two streams of the program.
pub(crate) struct Output {
    data: Writer,
    log: Writer,
}

impl Output {
    /// Starts the writers. They end with the process.
    pub(crate) fn start() -> Self {
        Self {
            data: Writer::start("stdout", io::stdout()),
            log: Writer::start("stderr", io::stderr()),
        }
    }

    /// What was asked for: the line a friend pastes, help, `--json` events. Never blocks.
    pub(crate) fn data(&self, line: impl Into<String>) {
        self.data.line(line.into());
    }

    /// What is told beside it. Never blocks.
    pub(crate) fn log(&self, line: impl Into<String>) {
        self.log.line(line.into());
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

/// Stands in for lines that were dropped, in the form of the `line` that follows it.
fn missing_line(line: &str, missing: u64) -> String {
    if line.starts_with('{') {
        format!(r#"{{"event":"output_dropped","lines":{missing}}}"#)
    } else {
        let lines = if missing == 1 {
            "line was"
        } else {
            "lines were"
        };
        format!("({missing} {lines} not shown: whatever reads this was too slow)")
    }
}
