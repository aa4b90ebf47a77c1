//! A link as the tasks of this side share it: its state, and who waits for what.
//!
//! ```text
//!   sessions ── Port ─┐                          ┌─ readers: one for each stream of the transport
//!                     ├──▶ Cable { Link, wakers } ┤
//!   time, ends ───────┘                          └─ writer: one for the transport
//! ```
//! All of it runs on one runtime and is held for moments only, so one lock for each link does. Nothing is
//! decided here: the link decides.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use via6_core::frame::{ChannelId, Closed, Frame};
use via6_core::link::{Carrier, Heard, Link, LinkError};

use crate::books::Books;

/// What came over a link that its owner has to act on.
pub(crate) trait Owner: Send + Sync {
    /// Called by a reader, which waits meanwhile: must not block.
    fn heard(&self, cable: &Arc<Cable>, heard: Heard<'_>) -> Result<(), LinkError>;
}

/// See the module's own words.
pub(crate) struct Cable {
    books: Books,
    waiting: Mutex<Waiting>,
    /// Wakes the writer of the transport that carries the link.
    outbox: Notify,
    /// Told when the transport is to be closed with these last words.
    last_words: Notify,
    owner: Arc<dyn Owner>,
}

#[derive(Default)]
struct Waiting {
    channels: HashMap<ChannelId, Wakers>,
    /// When the writer will look at the clock next.
    armed: Option<Instant>,
    /// Frames that are no channel's: the newest of each kind.
    announced: [Option<Arc<[u8]>>; 2],
    closing: Option<(Closed, String)>,
    /// Ends the transport that carries the link when another one takes over.
    carrying: CancellationToken,
}

#[derive(Default)]
struct Wakers {
    read: Option<Waker>,
    write: Option<Waker>,
    failed: Option<Waker>,
}

impl Waiting {
    fn register(&mut self, channel: ChannelId, what: For, cx: &Context<'_>) {
        let wakers = self.channels.entry(channel).or_default();
        let waker = match what {
            For::Bytes => &mut wakers.read,
            For::Room => &mut wakers.write,
            For::Failure => &mut wakers.failed,
        };
        if !waker.as_ref().is_some_and(|old| old.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
    }

    fn wake(&mut self, touched: &[ChannelId]) {
        for channel in touched {
            if let Some(wakers) = self.channels.get_mut(channel) {
                let Wakers {
                    read,
                    write,
                    failed,
                } = wakers;
                [read, write, failed]
                    .into_iter()
                    .filter_map(Option::take)
                    .for_each(Waker::wake);
            }
        }
    }
}

/// What a session waits for on its channel.
#[derive(Clone, Copy)]
pub(crate) enum For {
    Bytes,
    Room,
    Failure,
}

/// A frame that is sent whole whenever it changes.
#[derive(Clone, Copy)]
pub(crate) enum Announced {
    Services,
    Addrs,
}

/// What the writer is to do next.
pub(crate) enum Next {
    /// Bytes are in the buffer.
    Send(Carrier),
    /// Nothing before this moment.
    Wait(Option<Instant>),
    /// Another transport carries the link, or none, or it is over.
    Over,
}

impl Cable {
    pub(crate) fn new(books: Books, owner: Arc<dyn Owner>) -> Arc<Self> {
        Arc::new(Self {
            books,
            waiting: Mutex::default(),
            outbox: Notify::new(),
            last_words: Notify::new(),
            owner,
        })
    }

    /// The same for another link of the same owner.
    pub(crate) fn renewed(&self, link: Link) -> Arc<Self> {
        Self::new(Books::own(link), Arc::clone(&self.owner))
    }

    /// Does something with the link, and wakes whom it concerns. `None`: the link is gone for good.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Link) -> T) -> Option<T> {
        let now = Instant::now();
        let mut touched = Vec::new();
        let (done, wants_turn, deadline) = self.books.with(|link| {
            let done = act(link);
            touched.extend(std::iter::from_fn(|| link.next_touched()));
            let now = now.into_std();
            (done, link.has_turns(now), link.next_deadline(now))
        })?;
        let mut waiting = self.waiting();
        waiting.wake(&touched);
        let is_early = match (deadline, waiting.armed) {
            (Some(deadline), Some(armed)) => Instant::from_std(deadline) < armed,
            (deadline, None) => deadline.is_some(),
            (None, Some(_)) => false,
        };
        drop(waiting);
        if wants_turn || is_early {
            self.outbox.notify_one();
        }
        Some(done)
    }

    /// Looks at the link.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&mut Link) -> T) -> Option<T> {
        self.books.with(look)
    }

    /// What a reader of the transport of `generation` has read.
    pub(crate) fn on_frame(
        self: &Arc<Self>,
        generation: u64,
        frame: Frame<'_>,
    ) -> Result<(), LinkError> {
        let now = Instant::now().into_std();
        let heard = self.with(|link| link.on_frame(generation, frame, now));
        match heard {
            None | Some(Ok(Heard::Nothing | Heard::Stale)) => Ok(()),
            Some(Ok(heard)) => self.owner.heard(self, heard),
            Some(Err(error)) => Err(error),
        }
    }

    /// What a session asks of its channel. If that is not there, `cx` is woken when something came for it.
    pub(crate) fn wait<T>(
        &self,
        channel: ChannelId,
        what: For,
        cx: &Context<'_>,
        ask: impl FnOnce(&mut Link) -> Poll<T>,
    ) -> Poll<T> {
        let asked = self.books.with(|link| {
            let answer = ask(link);
            let wants_turn = if answer.is_pending() {
                // While the link is held: whatever comes next finds the waker.
                self.waiting().register(channel, what, cx);
                false
            } else {
                link.has_turns(Instant::now().into_std())
            };
            (answer, wants_turn)
        });
        let (answer, wants_turn) = asked.unwrap_or((Poll::Pending, false));
        if wants_turn {
            self.outbox.notify_one();
        }
        answer
    }

    /// Nobody waits for this channel any more.
    pub(crate) fn leave(&self, channel: ChannelId) {
        self.waiting().channels.remove(&channel);
    }

    // For the transport that carries it.

    /// A transport takes over: the one before is ended. The token ends this one in its turn.
    pub(crate) fn take_over(&self) -> CancellationToken {
        let token = CancellationToken::new();
        let mut waiting = self.waiting();
        waiting.armed = None;
        std::mem::replace(&mut waiting.carrying, token.clone()).cancel();
        drop(waiting);
        self.outbox.notify_one();
        token
    }

    /// The next thing for the writer of the transport of `generation`. What is to be sent is appended to
    /// `out`, at most `room` bytes.
    pub(crate) fn next(&self, generation: u64, room: usize, out: &mut Vec<u8>) -> Next {
        let announced = {
            let mut waiting = self.waiting();
            let [services, addrs] = &mut waiting.announced;
            services.take().or_else(|| addrs.take())
        };
        if let Some(frame) = announced {
            out.extend_from_slice(&frame);
            return Next::Send(Carrier::Control);
        }
        let now = Instant::now();
        let mut touched = Vec::new();
        // Whom this wakes is the writer itself, which is here.
        let next = self.look(|link| {
            let now = now.into_std();
            link.on_time(now);
            touched.extend(std::iter::from_fn(|| link.next_touched()));
            if link.generation() != generation || link.is_detached() {
                return Next::Over;
            }
            match link.transmit(room, now, out) {
                Some(carrier) => Next::Send(carrier),
                None => Next::Wait(link.next_deadline(now).map(Instant::from_std)),
            }
        });
        let next = next.unwrap_or(Next::Over);
        if !touched.is_empty() {
            self.waiting().wake(&touched);
        }
        next
    }

    /// The writer looks at the clock again at this moment, and is woken only for what is due before.
    pub(crate) fn sleeps_until(&self, until: Instant) {
        self.waiting().armed = Some(until);
    }

    /// Returns when the writer should ask again. Cancel safe.
    pub(crate) async fn has_more(&self) {
        self.outbox.notified().await;
    }

    /// Has this frame sent, in place of an older one that was not sent yet.
    pub(crate) fn announce(&self, what: Announced, frame: Arc<[u8]>) {
        let mut waiting = self.waiting();
        let [services, addrs] = &mut waiting.announced;
        match what {
            Announced::Services => *services = Some(frame),
            Announced::Addrs => *addrs = Some(frame),
        }
        drop(waiting);
        self.outbox.notify_one();
    }

    /// The transport is to say so, and end.
    pub(crate) fn close(&self, code: Closed, message: &str) {
        let words = (code, message.to_owned());
        self.waiting().closing.get_or_insert(words);
        self.last_words.notify_one();
    }

    /// What the transport is to end with. Cancel safe.
    pub(crate) async fn closing(&self) -> (Closed, String) {
        loop {
            if let Some(words) = self.waiting().closing.clone() {
                return words;
            }
            self.last_words.notified().await;
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
