//! The thread that carries the TCP sessions of this process: accepts, dials, splices, ends them.
//!
//! ```text
//! listener ──accept, admit──▶ dialling ──connected──▶ carrying ──▶ over, told once
//!                                │ a name: the runtime looks it up and dials
//! ```
//! One loop over the system's readiness (`mio`), a table of state machines, one buffer and a few
//! pipes that whoever has its turn may use. So an idle session costs its entry in the table and
//! nothing else, and a game packet costs one wake-up, one read and one write. `tokio` keeps what is
//! not on that path: names, UDP, timers of the program, signals.
//!
//! The loop never blocks but in its one wait, and what a session may do in one turn is bounded.

mod listener;
mod session;
mod socket;
mod ticket;
mod timers;
mod worker;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use mio::{Poll, Waker};
use tokio::sync::oneshot;

use self::worker::{WAKER, Worker};
use crate::descriptors::Descriptors;
use crate::dial::DialError;
use crate::pipe::{Pipes, Splicing};
use crate::shared::Shared;

/// Carries TCP sessions, of any number of relays, on a thread of its own. Clones are the same
/// engine; it ends with the last of them and the last relay that uses it.
#[derive(Clone)]
pub struct Engine(Arc<Handle>);

struct Handle {
    inbox: Arc<Inbox>,
}

/// What other threads have to say to the engine's. Bounded by what there is: one entry for a
/// listener, one for a session.
struct Inbox {
    waker: Waker,
    commands: Mutex<Vec<Command>>,
}

/// A session that the runtime dials for: which entry of the table, and for which session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Key {
    entry: usize,
    serial: u64,
}

enum Command {
    /// Accept for a relay.
    Listen {
        shared: Arc<Shared>,
        address: SocketAddr,
        listener: std::net::TcpListener,
    },
    /// Close the listeners of a relay, then say so.
    StopListening {
        shared: Arc<Shared>,
        done: oneshot::Sender<()>,
    },
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
            waker: Waker::new(poll.registry(), WAKER)?,
            commands: Mutex::default(),
        });
        let pipes = Pipes::new(splicing, descriptors.clone());
        let worker = Worker::new(poll, Arc::clone(&inbox), pipes);
        std::thread::Builder::new()
            .name("via6-engine".into())
            .spawn(move || worker.run())?;
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
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        commands.push(command);
        drop(commands);
        // Fails only when the thread, and with it everything that could be meant, is gone.
        let _ = self.waker.wake();
    }

    fn take(&self) -> Vec<Command> {
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *commands)
    }
}
