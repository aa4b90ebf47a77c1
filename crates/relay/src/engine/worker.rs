//! The engine's loop: wait, note what is ready, give each session its turn.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Poll, Token};
use slab::Slab;
use socket2::SockRef;
use via6_core::limits::{ACCEPT_BACKOFF, ACCEPT_TURN, COPY_BUFFER};
use via6_core::reason::CloseReason;

use super::listener::{Accepted, Listener};
use super::session::{Place, Session, Step};
use super::ticket::Ticket;
use super::timers::{Timers, Waiting};
use super::{Command, Inbox, Key};
use crate::event::{Protocol, Warning};
use crate::pipe::Pipes;
use crate::shared::Shared;
use crate::socket;
use crate::splice::Turn;

/// The inbox has something.
pub(super) const WAKER: Token = Token(usize::MAX);

/// Marks the token of a listener; those of sessions have it clear.
const LISTENER: usize = 1 << (usize::BITS - 2);

/// Events taken at a time; what is left comes with the next wait.
const EVENTS: usize = 512;

pub(super) struct Worker {
    poll: Poll,
    inbox: Arc<Inbox>,
    listeners: Slab<Listener>,
    sessions: Slab<Session>,
    /// Sessions that have something to do.
    due: VecDeque<usize>,
    /// Listeners that have somebody waiting.
    calling: VecDeque<usize>,
    timers: Timers,
    serial: u64,
    buffer: Box<[u8]>,
    pipes: Pipes,
    /// When the last wait ended.
    now: Instant,
    /// Nobody can ask for anything any more.
    over: bool,
}

impl Worker {
    pub(super) fn new(poll: Poll, inbox: Arc<Inbox>, pipes: Pipes) -> Self {
        Self {
            poll,
            inbox,
            listeners: Slab::new(),
            sessions: Slab::new(),
            due: VecDeque::new(),
            calling: VecDeque::new(),
            timers: Timers::default(),
            serial: 0,
            buffer: vec![0; COPY_BUFFER].into_boxed_slice(),
            pipes,
            now: clock(),
            over: false,
        }
    }

    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS);
        while !self.over {
            let wait = if self.due.is_empty() && self.calling.is_empty() {
                self.timers.idle_for(self.now)
            } else {
                Some(Duration::ZERO)
            };
            let waited = self.poll.poll(&mut events, wait);
            self.now = clock();
            if waited.is_err_and(|error| error.kind() != std::io::ErrorKind::Interrupted) {
                // epoll_wait(2) knows no other error for a queue that is open; not to spin if there
                // is one.
                std::thread::sleep(ACCEPT_BACKOFF.0);
                continue;
            }
            // All of them before anything else: what ends below gives its entry to others.
            let mut told = false;
            for event in &events {
                told |= self.note(event);
            }
            if told {
                self.obey();
            }
            self.look_at_clock();
            for _ in 0..self.calling.len() {
                self.accept();
            }
            for _ in 0..self.due.len() {
                self.advance();
            }
        }
        // Only an embedding program that dropped its relays has sessions left.
        self.end_sessions(|_| true);
    }

    /// Takes note of what is ready; true: the inbox has something.
    fn note(&mut self, event: &Event) -> bool {
        let token = event.token();
        if token == WAKER {
            return true;
        }
        if token.0 & LISTENER != 0 {
            self.calling.push_back(token.0 & !LISTENER);
            return false;
        }
        let entry = token.0 / 2;
        if let Some(session) = self.sessions.get_mut(entry) {
            if let Some(socket) = session.socket(token.0 % 2 == 1) {
                socket.note(event);
            }
            enqueue(&mut self.due, session, entry);
        }
        false
    }

    fn obey(&mut self) {
        for command in self.inbox.take() {
            match command {
                Command::Listen {
                    shared,
                    address,
                    listener,
                } => self.listen(shared, address, listener),
                Command::StopListening { shared, done } => {
                    self.stop_listening(&shared);
                    // Who no longer waits for it need not know.
                    let _ = done.send(());
                }
                Command::Dialled { key, dialled } => {
                    let place = Place {
                        registry: self.poll.registry(),
                        inbox: &self.inbox,
                        key,
                    };
                    let session = self.sessions.get_mut(key.entry);
                    let Some(session) = session.filter(|session| session.serial == key.serial)
                    else {
                        continue;
                    };
                    let step = session.dialled(dialled, &place, self.now);
                    self.follow(key.entry, step);
                }
                Command::Cut { shared } => {
                    self.end_sessions(|session| session.belongs_to(&shared));
                }
                Command::Exit => self.over = true,
            }
        }
    }

    fn listen(
        &mut self,
        shared: Arc<Shared>,
        address: std::net::SocketAddr,
        socket: std::net::TcpListener,
    ) {
        let entry = self.listeners.vacant_key();
        let token = Token(entry | LISTENER);
        let registry = self.poll.registry();
        match Listener::new(Arc::clone(&shared), address, socket, registry, token) {
            Ok(listener) => {
                self.listeners.insert(listener);
                // What came before it was registered.
                self.calling.push_back(entry);
            }
            Err(error) => shared.listener_ended(address, Protocol::Tcp, error),
        }
    }

    fn stop_listening(&mut self, shared: &Arc<Shared>) {
        let theirs: Vec<_> = self
            .listeners
            .iter()
            .filter(|(_, listener)| Arc::ptr_eq(&listener.shared, shared))
            .map(|(entry, _)| entry)
            .collect();
        for entry in theirs {
            self.close_listener(entry);
        }
    }

    fn close_listener(&mut self, entry: usize) -> Option<Listener> {
        let mut listener = self.listeners.try_remove(entry)?;
        self.timers
            .disarm(&mut listener.timer, Waiting::Listener(entry));
        Some(listener)
    }

    fn look_at_clock(&mut self) {
        while let Some(waiting) = self.timers.pop_due(self.now) {
            match waiting {
                Waiting::Listener(entry) => {
                    if let Some(listener) = self.listeners.get_mut(entry) {
                        listener.timer = None;
                        self.calling.push_back(entry);
                    }
                }
                Waiting::Session(entry) => {
                    let Some(session) = self.sessions.get_mut(entry) else {
                        continue;
                    };
                    session.timer = None;
                    let (pipes, buffer) = (&mut self.pipes, &mut self.buffer);
                    let step = turn(session, pipes, buffer, self.now, Session::tick);
                    self.follow(entry, step);
                }
            }
        }
    }

    /// Accepts for the listener that waits longest, up to [`ACCEPT_TURN`] connections.
    fn accept(&mut self) {
        let Some(entry) = self.calling.pop_front() else {
            return;
        };
        for _ in 0..ACCEPT_TURN {
            let Some(listener) = self.listeners.get_mut(entry) else {
                return;
            };
            // In its pause after an error.
            if listener.timer.is_some() {
                return;
            }
            let (address, protocol) = (listener.address, Protocol::Tcp);
            let accepted = listener.accept();
            let shared = Arc::clone(&listener.shared);
            let pause = match accepted {
                Accepted::Connection(stream, peer) => {
                    self.admit(&shared, address, stream, peer);
                    continue;
                }
                Accepted::None => return,
                Accepted::Exhausted(error, pause) => {
                    let (listener, error) = (address, &error);
                    shared
                        .notices
                        .warn(&Warning::AcceptExhausted { listener, error });
                    pause
                }
                Accepted::Troubled(error, pause) => {
                    shared.notices.warn(&Warning::ListenerTroubled {
                        listener: address,
                        protocol,
                        error: &error,
                    });
                    pause
                }
                Accepted::Ended(error) => {
                    self.close_listener(entry);
                    return shared.listener_ended(address, protocol, error);
                }
            };
            let at = self.now + pause;
            if let Some(listener) = self.listeners.get_mut(entry) {
                self.timers
                    .arm(&mut listener.timer, at, Waiting::Listener(entry));
            }
            return;
        }
        self.calling.push_back(entry);
    }

    /// Starts a session, or refuses it by RST.
    fn admit(
        &mut self,
        shared: &Arc<Shared>,
        listener: std::net::SocketAddr,
        stream: TcpStream,
        downstream: std::net::SocketAddr,
    ) {
        let taken = Ticket::take(shared, listener, downstream, &mut self.pipes, self.now);
        let ticket = match taken {
            Ok(ticket) => ticket,
            Err(reason) => {
                socket::reset_on_close(&SockRef::from(&stream));
                drop(stream);
                shared.notices.warn(&Warning::Shed { reason, downstream });
                return;
            }
        };
        socket::tune_accepted(&SockRef::from(&stream), listener.ip(), downstream.ip());
        self.serial += 1;
        let entry = self.sessions.vacant_key();
        let place = Place {
            registry: self.poll.registry(),
            inbox: &self.inbox,
            key: Key {
                entry,
                serial: self.serial,
            },
        };
        if let Some(session) = Session::open(ticket, stream, &place, self.now) {
            let session = self.sessions.vacant_entry().insert(session);
            enqueue(&mut self.due, session, entry);
        }
    }

    /// Gives the session that waits longest its turn.
    fn advance(&mut self) {
        let Some(entry) = self.due.pop_front() else {
            return;
        };
        let Some(session) = self.sessions.get_mut(entry) else {
            return;
        };
        session.queued = false;
        let (pipes, buffer) = (&mut self.pipes, &mut self.buffer);
        let step = turn(session, pipes, buffer, self.now, Session::advance);
        self.follow(entry, step);
    }

    fn follow(&mut self, entry: usize, step: Step) {
        let Some(session) = self.sessions.get_mut(entry) else {
            return;
        };
        match step {
            Step::Wait(None) => {}
            Step::Wait(Some(after)) => {
                let at = self.now + after;
                self.timers
                    .arm(&mut session.timer, at, Waiting::Session(entry));
            }
            Step::Again => enqueue(&mut self.due, session, entry),
            Step::Over(reason, failure) => {
                let mut session = self.sessions.remove(entry);
                self.timers
                    .disarm(&mut session.timer, Waiting::Session(entry));
                session.close(reason, failure, self.now);
            }
        }
    }

    /// Resets some of the sessions.
    fn end_sessions(&mut self, which: impl Fn(&Session) -> bool) {
        let ending: Vec<_> = self
            .sessions
            .iter()
            .filter(|(_, session)| which(session))
            .map(|(entry, session)| {
                session.reset();
                entry
            })
            .collect();
        for entry in ending {
            self.follow(entry, Step::Over(CloseReason::Stopped, None));
        }
    }
}

/// Lends a session what the thread has, for one turn.
fn turn(
    session: &mut Session,
    pipes: &mut Pipes,
    buffer: &mut [u8],
    now: Instant,
    act: impl FnOnce(&mut Session, &mut Turn<'_, '_>) -> Step,
) -> Step {
    let patience = session.patience();
    act(
        session,
        &mut Turn {
            // Nobody is to be woken: what is ready is known by events.
            cx: &mut Context::from_waker(Waker::noop()),
            now,
            patience: &patience,
            buffer,
            pipes,
            again: false,
        },
    )
}

fn enqueue(due: &mut VecDeque<usize>, session: &mut Session, entry: usize) {
    if !session.queued {
        session.queued = true;
        due.push_back(entry);
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "the one place where the engine reads the clock"
)]
fn clock() -> Instant {
    Instant::now()
}
