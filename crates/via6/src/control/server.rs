//! The side that runs: accepts whoever asks, reads requests, and has them answered by its
//! [`Handler`]. Knows nothing of relays.
//!
//! Every conversation is a task of its own, bounded in number, in bytes and in time, so that one
//! that is silent, stuck or mad keeps neither the next nor the players waiting.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use via6_core::limits::{
    ACCEPT_BACKOFF, CONTROL_ATTACHED_MAX, CONTROL_CARRY_PATIENCE, CONTROL_CONNECTIONS_MAX,
    CONTROL_REPLY_BYTES, CONTROL_REPLY_TIME, CONTROL_REQUEST_BYTES, CONTROL_REQUEST_TIME,
};

use super::client::{Client, answer, part};
use super::lines::{Lines, NoLine, Reading, Writing, write};
use super::place::{Place, split};
use super::wire::{Carry, Refusal, Reply, Request, Stop, Stopping};
use crate::failure::code;
use crate::roster::{Answered, Ask};
use crate::state::{Lock, Trouble};
use crate::status::Status;

/// What a running via6 does about a request.
pub(crate) trait Handler: Send + Sync + 'static {
    /// What it does at this moment.
    fn status(&self) -> impl Future<Output = Status> + Send;

    /// Begins to stop, and says what is live.
    fn stop(&self, stop: &Stop) -> Result<Stopping, Refusal>;

    /// Ends when nothing is left of what [`stop`](Self::stop) was asked to stop.
    fn stopped(&self, stop: &Stop) -> impl Future<Output = ()> + Send;

    /// About players and invites. Must answer within `CONTROL_CARRY_PATIENCE`.
    fn roster(&self, ask: Ask) -> impl Future<Output = Result<Answered, Refusal>> + Send;

    /// Takes over work and sees to it until it is over, or the client wants it to end. Must answer
    /// within `CONTROL_CARRY_PATIENCE`.
    fn carry(&self, carry: Carry, client: Client) -> impl Future<Output = ()> + Send;
}

/// Answers whoever asks, once it [`run`](Self::run)s.
pub(crate) struct Server<H> {
    place: Place,
    /// Given back only when nobody is answered any more.
    _lock: Arc<Lock>,
    shared: Arc<Shared<H>>,
}

/// What all conversations have.
struct Shared<H> {
    handler: Arc<H>,
    /// Everything has ended, or will not wait any longer.
    over: CancellationToken,
    tasks: TaskTracker,
    conversations: Arc<Semaphore>,
    attached: Arc<Semaphore>,
    /// For saying no to whoever finds no room among the conversations.
    refusals: Arc<Semaphore>,
}

/// Makes the place in the folder of the lock where others ask. They are answered by
/// [`Server::run`]. Needs a runtime.
pub(crate) fn serve<H: Handler>(
    lock: &Arc<Lock>,
    handler: Arc<H>,
    over: CancellationToken,
) -> Result<Server<H>, Trouble> {
    let place = Place::new(lock).map_err(|error| Trouble::Control {
        path: lock.folder().path().to_owned(),
        error,
    })?;
    let shared = Shared {
        handler,
        over,
        tasks: TaskTracker::new(),
        conversations: Arc::new(Semaphore::new(CONTROL_CONNECTIONS_MAX)),
        attached: Arc::new(Semaphore::new(CONTROL_ATTACHED_MAX)),
        refusals: Arc::new(Semaphore::new(CONTROL_CONNECTIONS_MAX)),
    };
    Ok(Server {
        place,
        _lock: Arc::clone(lock),
        shared: Arc::new(shared),
    })
}

impl<H: Handler> Server<H> {
    /// Answers until it is over; then those who wait for that are told so. Never fails: a trouble
    /// of the system with one conversation is not one of the next.
    pub(crate) async fn run(self) {
        let over = self.shared.over.clone();
        tokio::select! {
            () = over.cancelled() => {}
            never = self.accept() => match never {},
        }
        let Self {
            place,
            _lock,
            shared,
        } = self;
        drop(place);
        shared.tasks.close();
        // Who does not take its last line by then, or holds on to work that has ended, is left.
        let _ = timeout(CONTROL_REPLY_TIME, shared.tasks.wait()).await;
    }

    async fn accept(&self) -> std::convert::Infallible {
        let (first, longest) = ACCEPT_BACKOFF;
        let mut pause = first;
        loop {
            let Ok(stream) = self.place.accept().await else {
                // Out of descriptors, most likely, and then the players' side warns of it.
                sleep(pause).await;
                pause = Duration::min(pause * 2, longest);
                continue;
            };
            pause = first;
            if self.place.is_ours(&stream) {
                self.begin(split(stream));
            }
        }
    }

    /// A conversation, if there is room for it; else a word of refusal, if there is for that.
    fn begin(&self, (reading, mut writing): (Reading, Writing)) {
        let shared = Arc::clone(&self.shared);
        let mut lines = Lines::new(reading, CONTROL_REQUEST_BYTES);
        if let Ok(room) = Arc::clone(&shared.conversations).try_acquire_owned() {
            self.shared.tasks.spawn(async move {
                let _room = room;
                converse(lines, writing, &shared).await;
            });
        } else if let Ok(room) = Arc::clone(&shared.refusals).try_acquire_owned() {
            self.shared.tasks.spawn(async move {
                let _room = room;
                refuse(&mut lines, &mut writing, busy()).await;
            });
        }
    }
}

/// Answers request after request, until the other side has no more.
async fn converse<H: Handler>(mut lines: Lines, mut writing: Writing, shared: &Shared<H>) {
    let handler = &shared.handler;
    loop {
        let line = tokio::select! {
            () = shared.over.cancelled() => return,
            line = timeout(CONTROL_REQUEST_TIME, lines.next()) => line,
        };
        let request = match line {
            Ok(Ok(line)) => Request::read(&line),
            Ok(Err(NoLine::Ended)) => return,
            Ok(Err(NoLine::TooLong)) => Err(Refusal::new(
                code::USAGE,
                format!(
                    "cannot read the request: it is longer than {} KiB",
                    CONTROL_REQUEST_BYTES / 1024
                ),
            )),
            Err(_) => Err(Refusal::new(
                code::RUNTIME,
                format!(
                    "cannot wait for a request any longer than {} s",
                    CONTROL_REQUEST_TIME.as_secs()
                ),
            )),
        };
        let answered = match request {
            Ok(Request::Status) => match timeout(CONTROL_REPLY_TIME, handler.status()).await {
                Ok(status) => tell_status(&mut writing, status).await,
                Err(_) => return,
            },
            Ok(Request::Roster { ask }) => {
                match timeout(CONTROL_CARRY_PATIENCE, handler.roster(ask)).await {
                    Ok(Ok(answered)) => answer(&mut writing, &Reply::Roster(answered)).await,
                    Ok(Err(refusal)) => return refuse(&mut lines, &mut writing, refusal).await,
                    Err(_) => return,
                }
            }
            Ok(Request::Stop(stop)) => return end_of(&stop, lines, writing, shared).await,
            Ok(Request::Carry(carry)) => {
                let Ok(place) = Arc::clone(&shared.attached).try_acquire_owned() else {
                    return refuse(&mut lines, &mut writing, busy()).await;
                };
                let client = Client::new(lines, writing, shared.tasks.clone(), place);
                return handler.carry(*carry, client).await;
            }
            Ok(Request::Drain | Request::Now) => {
                let refusal = Refusal::new(code::USAGE, "cannot stop what was not handed over");
                return refuse(&mut lines, &mut writing, refusal).await;
            }
            Err(refusal) => return refuse(&mut lines, &mut writing, refusal).await,
        };
        if answered.is_err() {
            return;
        }
    }
}

/// Stops, and stays until that has come to its end.
async fn end_of<H: Handler>(
    stop: &Stop,
    mut lines: Lines,
    mut writing: Writing,
    shared: &Shared<H>,
) {
    let stopping = match shared.handler.stop(stop) {
        Ok(stopping) => stopping,
        Err(refusal) => return refuse(&mut lines, &mut writing, refusal).await,
    };
    if answer(&mut writing, &Reply::Stopping(stopping))
        .await
        .is_err()
    {
        return;
    }
    tokio::select! {
        () = shared.over.cancelled() => {}
        () = shared.handler.stopped(stop) => {}
    }
    if answer(&mut writing, &Reply::Stopped).await.is_ok() {
        part(&mut lines).await;
    }
}

async fn refuse(lines: &mut Lines, writing: &mut Writing, refusal: Refusal) {
    if answer(writing, &Reply::Refused(refusal)).await.is_ok() {
        part(lines).await;
    }
}

fn busy() -> Refusal {
    let message = "cannot ask the via6 that runs: too many others do";
    let refusal = Refusal::new(code::RUNTIME, message).hint("try again in some seconds");
    Refusal {
        busy: true,
        ..refusal
    }
}

/// One line, of which lists are cut short if it would be longer than a line may be.
async fn tell_status(writing: &mut Writing, mut status: Status) -> std::io::Result<()> {
    let mut longest = usize::MAX;
    loop {
        for entry in &mut status.entries {
            entry.sessions.truncate(longest);
            entry.flows.truncate(longest);
        }
        let line = Reply::Status {
            status: status.clone(),
        }
        .line()?;
        if line.len() <= CONTROL_REPLY_BYTES || longest == 0 {
            return write(writing, &line).await;
        }
        let listed = status.entries.iter();
        let listed = listed.map(|entry| entry.sessions.len().max(entry.flows.len()));
        longest = listed.max().unwrap_or(0) / 2;
    }
}
