//! The `--json` events of one via6 process, as they come in.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::failure::{Outcome, failed};

/// Everything a process has written to its stdout so far.
#[derive(Debug, Default)]
pub struct Events {
    seen: Mutex<Seen>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Seen {
    events: Vec<Value>,
    /// How many there were of each kind.
    counts: BTreeMap<String, usize>,
    /// Lines that are no event: with `--json` there must be none.
    strays: Vec<String>,
    ended: bool,
}

impl Events {
    /// Collects from `output` in a thread of its own until its end.
    pub fn collect(output: impl Read + Send + 'static) -> Arc<Self> {
        let events = Arc::new(Self::default());
        let sink = Arc::clone(&events);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                sink.push(line);
            }
            sink.lock().ended = true;
            sink.changed.notify_all();
        });
        events
    }

    /// Adds one line of output.
    pub(crate) fn push(&self, line: String) {
        let mut seen = self.lock();
        match serde_json::from_str::<Value>(&line) {
            Ok(event) if event["event"].is_string() => {
                let kind = event["event"].as_str().unwrap_or_default().to_owned();
                *seen.counts.entry(kind).or_default() += 1;
                seen.events.push(event);
            }
            _ => seen.strays.push(line),
        }
        drop(seen);
        self.changed.notify_all();
    }

    /// Waits until `find` answers from the events so far.
    pub fn wait<T>(
        &self,
        patience: Duration,
        what: &str,
        mut find: impl FnMut(&[Value]) -> Option<T>,
    ) -> Outcome<T> {
        self.wait_seen(patience, what, |seen| find(&seen.events))
    }

    /// Waits until there have been so many events of one kind.
    pub fn wait_count(&self, patience: Duration, kind: &str, count: usize) -> Outcome {
        self.wait_seen(patience, &format!("{count} {kind} events"), |seen| {
            (seen.counts.get(kind).copied().unwrap_or(0) >= count).then_some(())
        })
    }

    fn wait_seen<T>(
        &self,
        patience: Duration,
        what: &str,
        mut find: impl FnMut(&Seen) -> Option<T>,
    ) -> Outcome<T> {
        let deadline = Instant::now() + patience;
        let mut seen = self.lock();
        loop {
            if let Some(found) = find(&seen) {
                return Ok(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if seen.ended || left.is_zero() {
                let why = if seen.ended {
                    "output ended"
                } else {
                    "not in time"
                };
                let last = seen.events.last().map(Value::to_string).unwrap_or_default();
                let counts = &seen.counts;
                return failed(format!("no {what} ({why}); so far {counts:?}, last {last}"));
            }
            seen = self
                .changed
                .wait_timeout(seen, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Waits until the process has closed its output.
    pub fn wait_ended(&self, patience: Duration) -> Outcome {
        let deadline = Instant::now() + patience;
        let mut seen = self.lock();
        while !seen.ended {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return failed("its output did not end");
            }
            seen = self
                .changed
                .wait_timeout(seen, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        Ok(())
    }

    /// All events of one kind so far.
    pub fn of(&self, kind: &str) -> Vec<Value> {
        let seen = self.lock();
        seen.events
            .iter()
            .filter(|event| event["event"] == kind)
            .cloned()
            .collect()
    }

    /// The last events so far, at most so many.
    pub fn last(&self, count: usize) -> Vec<Value> {
        let seen = self.lock();
        let from = seen.events.len().saturating_sub(count);
        seen.events[from..].to_vec()
    }

    /// Lines on stdout that were not events.
    pub fn strays(&self) -> Vec<String> {
        self.lock().strays.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
