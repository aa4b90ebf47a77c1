//! Somebody whose work is carried, as the running via6 has it: lines go there, and what they want
//! comes back. What is done about it is the [`Handler`](super::Handler)'s.
//!
//! A [`Client`] is answered exactly once: `carried` or `refuse`. Dropped without, as by a fault of
//! ours, it is hung up on; dropped after, it is told that.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use via6_core::limits::{CONTROL_QUEUE, CONTROL_REPLY_TIME};

use super::lines::{Lines, NoLine, Writing, write};
use super::wire::{Refusal, Reply, Request, Stream};
use crate::failure::code;

/// Somebody who wants work to be carried, and has not been answered yet.
pub(crate) struct Client {
    lines: Lines,
    writing: Writing,
    tasks: TaskTracker,
    /// One of the places for those whose work is carried.
    place: OwnedSemaphorePermit,
}

impl Client {
    pub(super) fn new(
        lines: Lines,
        writing: Writing,
        tasks: TaskTracker,
        place: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            lines,
            writing,
            tasks,
            place,
        }
    }

    /// No: the other side ends with this.
    pub(crate) async fn refuse(mut self, refusal: Refusal) {
        let refused = answer(&mut self.writing, &Reply::Refused(refusal)).await;
        if refused.is_ok() {
            part(&mut self.lines).await;
        }
    }

    /// No, since this process is about to end: the other side is to see to it.
    pub(crate) async fn hand_back(mut self) {
        if answer(&mut self.writing, &Reply::HandedBack).await.is_ok() {
            part(&mut self.lines).await;
        }
    }

    /// Yes: under this name. It may have gone meanwhile, which [`Attached::next`] tells.
    pub(crate) async fn carried(self, name: &str) -> Attached {
        let Self {
            lines,
            mut writing,
            tasks,
            place,
        } = self;
        let reply = Reply::Carried {
            pid: std::process::id(),
            name: name.to_owned(),
        };
        let gone = CancellationToken::new();
        if answer(&mut writing, &reply).await.is_err() {
            gone.cancel();
        }
        let (queue, queued) = mpsc::channel(CONTROL_QUEUE);
        let (last, end) = oneshot::channel();
        let missed = Arc::new(AtomicU64::new(0));
        let teller = Teller {
            writing,
            missed: Arc::clone(&missed),
            gone: gone.clone(),
        };
        Attached {
            lines,
            sink: Sink { queue, missed },
            last,
            teller: tasks.spawn(teller.run(queued, end)),
            gone,
            _place: place,
        }
    }
}

/// Somebody whose work is carried.
pub(crate) struct Attached {
    lines: Lines,
    sink: Sink,
    last: oneshot::Sender<Reply>,
    teller: JoinHandle<()>,
    gone: CancellationToken,
    _place: OwnedSemaphorePermit,
}

/// What is wanted of work that is carried.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Asked {
    Drain,
    Now,
    /// Nobody is there any more: as if it were `Now`.
    Gone,
}

impl Attached {
    /// Where lines for the other side go.
    pub(crate) fn sink(&self) -> Sink {
        self.sink.clone()
    }

    /// Waits for what is wanted next. Cancel safe.
    pub(crate) async fn next(&mut self) -> Asked {
        loop {
            let line = tokio::select! {
                () = self.gone.cancelled() => return Asked::Gone,
                line = self.lines.next() => line,
            };
            match line.as_deref().map(Request::read) {
                Ok(Ok(Request::Drain)) => return Asked::Drain,
                Ok(Ok(Request::Now)) => return Asked::Now,
                // Players must not suffer from a line that makes no sense here.
                Ok(_) => {}
                Err(NoLine::Ended | NoLine::TooLong) => return Asked::Gone,
            }
        }
    }

    /// The work is over: all lines go out, and the other side ends with `failure`, or well. Bounded,
    /// whatever the other side does.
    pub(crate) async fn end(self, failure: Option<Refusal>) {
        let code = failure.as_ref().map_or(0, |failure| failure.code);
        self.part_with(Reply::Ended { code, failure }).await;
    }

    /// The work is to be carried by the other side from now on. Bounded as [`end`](Self::end) is.
    pub(crate) async fn hand_back(self) {
        self.part_with(Reply::HandedBack).await;
    }

    async fn part_with(mut self, reply: Reply) {
        // If nobody takes it, the other side is gone.
        let _ = self.last.send(reply);
        if timeout(CONTROL_REPLY_TIME, self.teller).await.is_ok() && !self.gone.is_cancelled() {
            part(&mut self.lines).await;
        }
        // Ends the teller, if it is still at it.
        self.gone.cancel();
    }
}

/// One end of the queue of lines to somebody whose work is carried; clones are others.
#[derive(Clone, Debug)]
pub(crate) struct Sink {
    queue: mpsc::Sender<(Stream, String)>,
    missed: Arc<AtomicU64>,
}

impl Sink {
    /// Queues a line, or counts it as dropped. Never blocks, on whatever thread.
    pub(crate) fn line(&self, stream: Stream, line: String) {
        if self.queue.try_send((stream, line)).is_err() {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Takes lines from the queue to the other side, until the last.
struct Teller {
    writing: Writing,
    missed: Arc<AtomicU64>,
    gone: CancellationToken,
}

impl Teller {
    async fn run(
        mut self,
        mut queued: mpsc::Receiver<(Stream, String)>,
        mut end: oneshot::Receiver<Reply>,
    ) {
        let gone = self.gone.clone();
        let tell = async {
            loop {
                tokio::select! { biased;
                    last = &mut end => {
                        while let Ok(line) = queued.try_recv() {
                            self.tell(line).await?;
                        }
                        self.tell_missed().await?;
                        return answer(&mut self.writing, &last.unwrap_or_else(|_| dropped())).await;
                    }
                    Some(line) = queued.recv() => self.tell(line).await?,
                }
            }
        };
        let told: std::io::Result<()> = tokio::select! {
            told = tell => told,
            () = gone.cancelled() => return,
        };
        if told.is_err() {
            gone.cancel();
        }
    }

    async fn tell(&mut self, (stream, line): (Stream, String)) -> std::io::Result<()> {
        self.tell_missed().await?;
        answer(&mut self.writing, &Reply::Output { stream, line }).await
    }

    async fn tell_missed(&mut self) -> std::io::Result<()> {
        match self.missed.swap(0, Ordering::Relaxed) {
            0 => Ok(()),
            lines => answer(&mut self.writing, &Reply::Missed { lines }).await,
        }
    }
}

/// What is told by work that went away without a word.
fn dropped() -> Reply {
    let code = code::RUNTIME;
    let failure = Refusal::new(
        code,
        "cannot go on: the via6 that carried this has given it up",
    );
    Reply::Ended {
        code,
        failure: Some(failure),
    }
}

pub(super) async fn answer(writing: &mut Writing, reply: &Reply) -> std::io::Result<()> {
    write(writing, &reply.line()?).await
}

/// Waits until the other side has read the last reply and closed. What a pipe holds would be lost
/// with the process that wrote it.
pub(super) async fn part(lines: &mut Lines) {
    // Who does not close is closed upon.
    let _ = timeout(CONTROL_REPLY_TIME, lines.ended()).await;
}
