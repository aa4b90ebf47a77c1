//! One thread that writes lines to one place, and the queue before it. It does not know what a
//! place is: a file, a pipe, or a terminal with a view.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use via6_core::limits::OUTPUT_QUEUE;

use super::harmless::harmless;
use crate::narrator::unix_ms;

/// Where lines go. An error means that nobody reads any more.
pub(super) trait Place: Send {
    /// Takes one line for one of its streams.
    fn line(&mut self, stream: usize, line: &str) -> io::Result<()>;

    /// Takes what a line begins with, for one of its streams; the rest is typed.
    fn prompt(&mut self, stream: usize, text: &str) -> io::Result<()>;

    /// Shows what it took: nothing more is waiting.
    fn settle(&mut self) -> io::Result<()>;
}

/// A file, a pipe, or a terminal where nothing moves: line after line, each at once. Two streams that
/// are the same place keep their order.
pub(super) struct Plain(pub(super) Vec<Box<dyn Write + Send>>);

impl Place for Plain {
    fn line(&mut self, stream: usize, line: &str) -> io::Result<()> {
        let Some(stream) = self.0.get_mut(stream) else {
            return Ok(());
        };
        stream.write_all(format!("{}\n", harmless(line)).as_bytes())?;
        stream.flush()
    }

    fn prompt(&mut self, stream: usize, text: &str) -> io::Result<()> {
        let Some(stream) = self.0.get_mut(stream) else {
            return Ok(());
        };
        stream.write_all(text.as_bytes())?;
        stream.flush()
    }

    fn settle(&mut self) -> io::Result<()> {
        Ok(())
    }
}

enum Item {
    /// A line, and which of the place's streams it is for.
    Line(usize, String),
    /// The same without its end: a question.
    Prompt(usize, String),
    /// There is something new to settle.
    Look,
    /// Answered when all that was queued before it has been written.
    Flush(SyncSender<()>),
}

/// One stream's end of a queue. Clones are other ends of the same.
#[derive(Clone)]
pub(super) struct Writer {
    queue: SyncSender<Item>,
    state: Arc<State>,
    stream: usize,
}

#[derive(Default)]
struct State {
    /// Lines that found the queue full.
    dropped: AtomicU64,
    /// A `Look` is in the queue; one is enough.
    looking: AtomicBool,
}

impl Writer {
    pub(super) fn start(place: impl Place + 'static) -> Self {
        let (queue, items) = sync_channel(OUTPUT_QUEUE);
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        // Without a thread there is nothing to print with: `line` then counts everything as
        // dropped, and the relay goes on.
        let _ = thread::Builder::new()
            .name("output".into())
            .spawn(move || write_all(place, &items, &shared));
        Self {
            queue,
            state,
            stream: 0,
        }
    }

    /// The end for another stream of the same place.
    pub(super) fn other(&self) -> Self {
        Self {
            stream: 1,
            ..self.clone()
        }
    }

    /// Has the place settle once more. Never blocks; what finds the queue full is not missed: the
    /// place settles after the last of it.
    pub(super) fn look(&self) {
        if !self.state.looking.swap(true, Ordering::Relaxed)
            && self.queue.try_send(Item::Look).is_err()
        {
            self.state.looking.store(false, Ordering::Relaxed);
        }
    }

    /// Queues one line, or counts it as dropped. Never blocks.
    pub(super) fn line(&self, line: String) {
        self.queue(Item::Line(self.stream, line));
    }

    /// Queues what stands at the beginning of a line. Never blocks.
    pub(super) fn prompt(&self, text: String) {
        self.queue(Item::Prompt(self.stream, text));
    }

    fn queue(&self, item: Item) {
        if self.queue.try_send(item).is_err() {
            self.state.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts lines that were dropped elsewhere.
    pub(super) fn missed(&self, lines: u64) {
        self.state.dropped.fetch_add(lines, Ordering::Relaxed);
    }

    /// Waits until everything queued so far is written, or until `deadline`.
    #[allow(
        clippy::disallowed_methods,
        reason = "the end of the program, outside any runtime"
    )]
    pub(super) fn flush(&self, deadline: Instant) {
        let (done, written) = sync_channel(1);
        let mut item = Item::Flush(done);
        while let Err(TrySendError::Full(refused)) = self.queue.try_send(item) {
            if Instant::now() >= deadline {
                return;
            }
            item = refused;
            thread::sleep(Duration::from_millis(5));
        }
        // The time is up, or the stream is gone: either way there is nothing left to wait for.
        let _ = written.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }
}

/// Ends when the place does: the queue ends with its receiver, and each later line is counted as
/// dropped.
fn write_all(mut place: impl Place, items: &Receiver<Item>, state: &State) {
    let mut last = (0, String::new());
    while let Ok(item) = items.recv() {
        let mut next = Some(item);
        while let Some(item) = next {
            if take(&mut place, item, state, &mut last).is_err() {
                return;
            }
            next = items.try_recv().ok();
        }
        if place.settle().is_err() {
            return;
        }
    }
}

fn take(
    place: &mut impl Place,
    item: Item,
    state: &State,
    last: &mut (usize, String),
) -> io::Result<()> {
    match item {
        Item::Look => state.looking.store(false, Ordering::Relaxed),
        Item::Line(stream, line) => {
            if let missing @ 1.. = state.dropped.swap(0, Ordering::Relaxed) {
                place.line(stream, &missing_line(&line, missing))?;
            }
            place.line(stream, &line)?;
            *last = (stream, line);
        }
        Item::Prompt(stream, text) => place.prompt(stream, &text)?,
        Item::Flush(done) => {
            if let missing @ 1.. = state.dropped.swap(0, Ordering::Relaxed) {
                place.line(last.0, &missing_line(&last.1, missing))?;
            }
            place.settle()?;
            // An error: nobody waits any more, the deadline has passed.
            let _ = done.try_send(());
        }
    }
    Ok(())
}

/// Stands in for lines that were dropped, in the form of the `line` that follows it.
fn missing_line(line: &str, missing: u64) -> String {
    if line.starts_with('{') {
        let event = json!({ "event": "output_dropped", "lines": missing, "time_ms": unix_ms() });
        event.to_string()
    } else {
        let lines = if missing == 1 {
            "line was"
        } else {
            "lines were"
        };
        format!("({missing} {lines} not shown: whatever reads this was too slow)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::mpsc::{SyncSender, sync_channel};

    /// A pipe that takes nothing until it is opened, and says when it is first written to.
    struct Stuck(Receiver<()>, Arc<Mutex<String>>, SyncSender<()>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.2.try_send(());
            let _ = self.0.recv();
            self.1
                .lock()
                .unwrap()
                .push_str(std::str::from_utf8(bytes).unwrap());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "a deadline for the test")]
    fn a_stuck_pipe_blocks_nobody_and_what_it_missed_is_counted() {
        let (open, gate) = sync_channel(0);
        let written = Arc::new(Mutex::new(String::new()));
        let (begun, begins) = sync_channel(1);
        let writer = Writer::start(Plain(vec![Box::new(Stuck(
            gate,
            Arc::clone(&written),
            begun,
        ))]));
        // What is missed is told before the next line that is taken: the first has to be out.
        writer.line("line 0".into());
        begins.recv().unwrap();
        let extra = 10;
        for n in 1..=OUTPUT_QUEUE + extra {
            writer.line(format!("line {n}"));
        }
        writer.flush(Instant::now());
        let missing = writer.state.dropped.load(Ordering::Relaxed);
        assert!((10..=11).contains(&missing), "{missing}");
        drop(open);
        // The queue was full; wait until it has emptied, then one more line brings the count.
        writer.flush(Instant::now() + Duration::from_secs(10));
        writer.line("last".into());
        writer.flush(Instant::now() + Duration::from_secs(10));
        let written = written.lock().unwrap();
        assert!(written.contains("lines were not shown"), "{written}");
        assert!(
            written.starts_with("line 0\n") && written.ends_with("last\n"),
            "{written}"
        );
    }
}
