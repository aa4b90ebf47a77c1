//! The thread that carries what this process relays: TCP sessions and UDP flows.
//!
//! ```text
//! TCP  listener ──accept, admit──▶ dialling ──connected──▶ carrying ──▶ over, told once
//!                                     │ a name: the runtime looks it up and dials
//! UDP  listener ──flow table──▶ flow, with a socket of its own toward the game (see `crate::udp`)
//! ```
//! One loop over the system's readiness (`mio`), tables of state machines, one buffer, one batch of
//! datagrams and a few pipes that whoever has its turn may use. So an idle session costs its entry in
//! a table and nothing else, and a game packet costs one wake-up, one read and one write. `tokio` keeps
//! what is not on that path: names, the program's own timers, signals.
//!
//! The loop never blocks but in its one wait, and what a session may do in one turn is bounded.

mod accepting;
mod alarm;
mod listener;
mod looking;
mod receiving;
mod session;
mod settling;
mod socket;
mod timers;
mod token;
mod worker;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mio::{Poll, Waker};
use tokio::sync::oneshot;

pub(crate) use self::token::Concern;
use self::worker::Worker;
use crate::descriptors::Descriptors;
use crate::dial::DialError;
use crate::event::Protocol;
use crate::look::Look;
use crate::pipe::Pipes;
use crate::shared::Shared;
use crate::terms::Terms;
use crate::udp::Answer;

/// Carries sessions and flows, of any number of relays, on a thread of its own. Clones are the same
/// engine; it ends with the last of them and the last relay that uses it.
#[derive(Clone)]
pub struct Engine(Arc<Handle>);

struct Handle {
    inbox: Arc<Inbox>,
}

/// What other threads have to say to the engine's. Bounded by what there is: one entry for a
/// listener, one for a session.
pub(crate) struct Inbox {
    waker: Waker,
    /// `None` once the thread is gone.
    commands: Mutex<Option<Vec<Command>>>,
}

/// Closes the inbox when the thread ends, be it by a panic of an observer: whoever waits for an
/// answer is then told that there will be none.
struct Closing(Arc<Inbox>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.lock().take();
    }
}

/// An entry of a table, and whose it is: a name for somebody who may be gone when an answer comes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Key {
    pub(crate) entry: usize,
    serial: u64,
}

enum Command {
    /// Have relays listen where they are to from now on, under their new terms; then say which of
    /// the listeners that were to be kept are not there.
    Settle {
        plans: Vec<Plan>,
        done: oneshot::Sender<Vec<Held>>,
    },
    /// End the flows of a relay, then say so.
    EndFlows {
        shared: Arc<Shared>,
        done: oneshot::Sender<()>,
    },
    /// What came of looking up the name that the flows of a listener lead to.
    LookedUp { key: Key, answer: Answer },
    /// What came of dialling a name.
    Dialled {
        key: Key,
        dialled: Result<(std::net::TcpStream, SocketAddr), DialError>,
    },
    /// End every session of a relay at once.
    Cut { shared: Arc<Shared> },
    /// Say how these relays are, with so many of each one's sessions and flows one by one.
    Look {
        relays: Vec<Arc<Shared>>,
        most: usize,
        done: oneshot::Sender<Vec<Look>>,
    },
    /// Name every listener.
    Listeners { done: oneshot::Sender<Vec<Held>> },
    /// End the thread.
    Exit,
}

/// What a relay is to be from now on: where it listens, and on which terms. What it listened on
/// besides is given up.
pub(crate) struct Plan {
    pub(crate) terms: Arc<Terms>,
    pub(crate) places: Vec<Place>,
}

/// A listener, for a relay to listen on.
pub(crate) enum Place {
    Tcp(SocketAddr, std::net::TcpListener),
    Udp(SocketAddr, std::net::UdpSocket),
    /// One that this relay or another listens on already.
    Held(Held),
}

/// Names a listener of an engine.
pub(crate) type Held = (Protocol, SocketAddr);

impl Engine {
    /// Starts the thread. Pipes are accounted for in `descriptors`.
    ///
    /// The errors are the system's: no descriptor for the readiness queue, or no thread.
    pub fn start(descriptors: &Descriptors) -> io::Result<Self> {
        let poll = Poll::new()?;
        let inbox = Arc::new(Inbox {
            waker: Waker::new(poll.registry(), Concern::Inbox.token())?,
            commands: Mutex::new(Some(Vec::new())),
        });
        let pipes = Pipes::new(descriptors.clone());
        let worker = Worker::new(poll, Arc::clone(&inbox), pipes);
        let closing = Closing(Arc::clone(&inbox));
        std::thread::Builder::new()
            .name("via6-engine".into())
            .spawn(move || {
                let _closing = closing;
                worker.run();
            })?;
        Ok(Self(Arc::new(Handle { inbox })))
    }

    /// Sees to it that these relays listen as planned, all in one moment. Returns the listeners that
    /// were to be kept and are not there: they have ended by themselves. Cancel safe: the plans are
    /// carried out all the same.
    pub(crate) async fn settle(&self, plans: Vec<Plan>) -> Vec<Held> {
        self.ask(|done| Command::Settle { plans, done })
            .await
            .unwrap_or_default()
    }

    /// The same, for who need not know when it is done.
    pub(crate) fn settle_soon(&self, plan: Plan) {
        let (done, _) = oneshot::channel();
        let plans = vec![plan];
        self.0.inbox.send(Command::Settle { plans, done });
    }

    /// Returns when every flow of this relay has ended. Cancel safe.
    pub(crate) async fn end_flows(&self, shared: &Arc<Shared>) {
        let shared = Arc::clone(shared);
        // With the engine its flows have ended.
        let _ = self.ask(|done| Command::EndFlows { shared, done }).await;
    }

    /// Ends every session of this relay: each is reset, and told of as stopped.
    pub(crate) fn cut(&self, shared: &Arc<Shared>) {
        let shared = Arc::clone(shared);
        self.0.inbox.send(Command::Cut { shared });
    }

    /// Every listener that it has, those that are kept for their last flows alone as well: where
    /// nobody else can listen. Cancel safe.
    pub async fn listeners(&self) -> Vec<(Protocol, SocketAddr)> {
        let listeners = self.ask(|done| Command::Listeners { done }).await;
        listeners.unwrap_or_default()
    }

    /// How these relays are at this moment, in their order; `None` from an engine that is gone. Cancel
    /// safe.
    pub(crate) async fn look(&self, relays: Vec<Arc<Shared>>, most: usize) -> Option<Vec<Look>> {
        self.ask(|done| Command::Look { relays, most, done }).await
    }

    /// `None`: the thread is gone.
    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (done, answer) = oneshot::channel();
        self.0.inbox.send(command(done));
        answer.await.ok()
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.inbox.send(Command::Exit);
    }
}

impl Inbox {
    fn send(&self, command: Command) {
        if let Some(commands) = &mut *self.lock() {
            commands.push(command);
        }
        // Fails only when the thread, and with it everything that could be meant, is gone.
        let _ = self.waker.wake();
    }

    pub(crate) fn looked_up(&self, key: Key, answer: Answer) {
        self.send(Command::LookedUp { key, answer });
    }

    fn take(&self) -> Vec<Command> {
        self.lock().as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<Command>>> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
