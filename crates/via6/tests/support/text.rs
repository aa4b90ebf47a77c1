//! What a process writes to one of its streams, as it comes in.

use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Everything a process has written to one stream so far.
#[derive(Debug, Default)]
pub struct Text {
    seen: Mutex<Seen>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Seen {
    bytes: Vec<u8>,
    ended: bool,
}

impl Seen {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

impl Text {
    /// Collects in a thread of its own until the end of the stream.
    pub fn collect(mut source: impl Read + Send + 'static) -> Arc<Self> {
        let text = Arc::new(Self::default());
        let sink = Arc::clone(&text);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let read = source.read(&mut buffer).unwrap_or(0);
                let mut seen = sink.lock();
                seen.bytes.extend_from_slice(&buffer[..read]);
                seen.ended = read == 0;
                drop(seen);
                sink.changed.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        text
    }

    /// What there is.
    pub fn so_far(&self) -> String {
        self.lock().text()
    }

    /// Waits until `find` answers from the text so far.
    pub fn wait<T>(
        &self,
        patience: Duration,
        what: &str,
        find: impl FnMut(&str) -> Option<T>,
    ) -> T {
        self.wait_or_end(patience, find)
            .unwrap_or_else(|| panic!("no {what}; it wrote:\n{}", self.so_far()))
    }

    /// The same; `None` if the stream ends before, or the time is up.
    pub fn wait_or_end<T>(
        &self,
        patience: Duration,
        mut find: impl FnMut(&str) -> Option<T>,
    ) -> Option<T> {
        let found = self.look(patience, |seen| match find(&seen.text()) {
            None if seen.ended => Some(None),
            None => None,
            found => Some(found),
        });
        found.flatten()
    }

    /// Waits for the end of the stream; all that came.
    pub fn wait_ended(&self, patience: Duration) -> String {
        self.look(patience, |seen| seen.ended.then(|| seen.text()))
            .unwrap_or_else(|| panic!("no end in time; it wrote:\n{}", self.so_far()))
    }

    fn look<T>(&self, patience: Duration, mut find: impl FnMut(&Seen) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + patience;
        let mut seen = self.lock();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let found = find(&seen);
            if found.is_some() || left.is_zero() {
                return found;
            }
            seen = self
                .changed
                .wait_timeout(seen, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
