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
mod receiving;
mod session;
mod socket;
mod ticket;
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
use crate::pipe::{Pipes, Splicing};
use crate::shared::Shared;
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
    /// Accept for a relay.
    Listen {
        shared: Arc<Shared>,
        address: SocketAddr,
        listener: std::net::TcpListener,
    },
    /// Receive datagrams for a relay.
    Receive {
        shared: Arc<Shared>,
        address: SocketAddr,
        socket: std::net::UdpSocket,
    },
    /// Close the TCP listeners of a relay, then say so.
    StopListening {
        shared: Arc<Shared>,
        done: oneshot::Sender<()>,
    },
    /// End the flows of a relay and close their listeners, then say so.
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
    /// End the thread.
    Exit,
}

impl Engine {
    /// Starts the thread. Pipes for `splicing` are accounted for in `descriptors`.
    ///
    /// The errors are the system's: no descriptor for the readiness queue, or no thread.
    pub fn start(descriptors: &Descriptors, splicing: Splicing) -> io::Result<Self> {
        let poll = Poll::new()?;
        let inbox = Arc::new(Inbox {
            waker: Waker::new(poll.registry(), Concern::Inbox.token())?,
            commands: Mutex::new(Some(Vec::new())),
        });
        let pipes = Pipes::new(splicing, descriptors.clone());
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

    pub(crate) fn listen(
        &self,
        shared: &Arc<Shared>,
        address: SocketAddr,
        listener: std::net::TcpListener,
    ) {
        let shared = Arc::clone(shared);
        self.0.inbox.send(Command::Listen {
            shared,
            address,
            listener,
        });
    }

    pub(crate) fn receive(
        &self,
        shared: &Arc<Shared>,
        address: SocketAddr,
        socket: std::net::UdpSocket,
    ) {
        let shared = Arc::clone(shared);
        self.0.inbox.send(Command::Receive {
            shared,
            address,
            socket,
        });
    }

    /// Returns when every flow of this relay has ended and no more come. Cancel safe.
    pub(crate) async fn end_flows(&self, shared: &Arc<Shared>) {
        let (done, ended) = oneshot::channel();
        let shared = Arc::clone(shared);
        self.0.inbox.send(Command::EndFlows { shared, done });
        // With the engine its flows have ended.
        let _ = ended.await;
    }

    /// Returns when nothing more is accepted for this relay. Cancel safe.
    pub(crate) async fn stop_listening(&self, shared: &Arc<Shared>) {
        let (done, stopped) = oneshot::channel();
        let shared = Arc::clone(shared);
        self.0.inbox.send(Command::StopListening { shared, done });
        // An engine that is gone accepts nothing either.
        let _ = stopped.await;
    }

    /// Ends every session of this relay: each is reset, and told of as stopped.
    pub(crate) fn cut(&self, shared: &Arc<Shared>) {
        let shared = Arc::clone(shared);
        self.0.inbox.send(Command::Cut { shared });
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
