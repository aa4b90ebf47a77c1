//! One thread that writes lines to one stream, or to two that are the same place.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use via6_core::limits::OUTPUT_QUEUE;

use crate::narrator::unix_ms;

type Stream = Box<dyn Write + Send>;

enum Item {
    /// A line, and which of the thread's streams it is for.
    Line(usize, String),
    /// The same without its end.
    Prompt(usize, String),
    /// Answered when all that was queued before it has been written.
    Flush(SyncSender<()>),
}

/// One stream's end of a queue. Clones are other ends of the same.
#[derive(Clone)]
pub(super) struct Writer {
    queue: SyncSender<Item>,
    dropped: Arc<AtomicU64>,
    stream: usize,
}

impl Writer {
    pub(super) fn start(stream: impl Write + Send + 'static) -> Self {
        Self::run(vec![Box::new(stream)])
    }

    /// Two streams, whose lines keep their order between them.
    pub(super) fn start_two(
        one: impl Write + Send + 'static,
        other: impl Write + Send + 'static,
    ) -> (Self, Self) {
        let first = Self::run(vec![Box::new(one), Box::new(other)]);
        let second = Self {
            stream: 1,
            ..first.clone()
        };
        (first, second)
    }

    fn run(streams: Vec<Stream>) -> Self {
        let (queue, items) = sync_channel(OUTPUT_QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&dropped);
        let run = move || write_all(streams, &items, &counted);
        // Without a thread there is nothing to print with: `line` then counts everything as
        // dropped, and the relay goes on.
        let _ = thread::Builder::new().name("output".into()).spawn(run);
        Self {
            queue,
            dropped,
            stream: 0,
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
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts lines that were dropped elsewhere.
    pub(super) fn missed(&self, lines: u64) {
        self.dropped.fetch_add(lines, Ordering::Relaxed);
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

fn write_all(mut streams: Vec<Stream>, items: &Receiver<Item>, dropped: &AtomicU64) {
    let mut last = String::new();
    while let Ok(item) = items.recv() {
        match item {
            Item::Flush(done) => {
                let missing = dropped.swap(0, Ordering::Relaxed);
                if let (1.., Some(stream)) = (missing, streams.last_mut()) {
                    // The last thing there is to say; if it cannot be said, so be it.
                    let _ = writeln!(stream, "{}", missing_line(&last, missing));
                }
                // Nobody waits any more: the deadline has passed.
                let _ = done.try_send(());
            }
            Item::Prompt(stream, text) => {
                let Some(stream) = streams.get_mut(stream) else {
                    continue;
                };
                let written = stream.write_all(text.as_bytes());
                if written.and_then(|()| stream.flush()).is_err() {
                    return;
                }
            }
            Item::Line(stream, line) => {
                let missing = dropped.swap(0, Ordering::Relaxed);
                let Some(stream) = streams.get_mut(stream) else {
                    continue;
                };
                if write_line(stream, &line, missing).is_err() {
                    // The reader has closed the pipe. The queue ends with this thread's receiver,
                    // and each later line is counted as dropped.
                    return;
                }
                last = line;
            }
        }
    }
}

fn write_line(stream: &mut impl Write, line: &str, missing: u64) -> io::Result<()> {
    let mut text = String::with_capacity(line.len() + 1);
    if missing > 0 {
        text.push_str(&missing_line(line, missing));
        text.push('\n');
    }
    text.push_str(line);
    text.push('\n');
    stream.write_all(text.as_bytes())?;
    stream.flush()
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
        let writer = Writer::start(Stuck(gate, Arc::clone(&written), begun));
        // What is missed is told before the next line that is taken: the first has to be out.
        writer.line("line 0".into());
        begins.recv().unwrap();
        let extra = 10;
        for n in 1..=OUTPUT_QUEUE + extra {
            writer.line(format!("line {n}"));
        }
        writer.flush(Instant::now());
        let missing = writer.dropped.load(Ordering::Relaxed);
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
