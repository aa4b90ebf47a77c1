//! The engine's loop: wait, note what is ready, give each its turn.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::{Events, Poll};
use slab::Slab;
use via6_core::flow::FlowId;
use via6_core::limits::{ACCEPT_BACKOFF, COPY_BUFFER};
use via6_core::reason::CloseReason;

use super::alarm::Alarm;
use super::listener::Listener;
use super::session::{Place, Session, Step};
use super::timers::Timers;
use super::{Command, Concern, Inbox};
use crate::pipe::Pipes;
use crate::socket::Batch;
use crate::splice::Turn;
use crate::udp::Flows;

/// Events taken at a time; what is left comes with the next wait.
const EVENTS: usize = 512;

pub(super) struct Worker {
    pub(super) poll: Poll,
    pub(super) inbox: Arc<Inbox>,
    pub(super) listeners: Slab<Listener>,
    pub(super) sessions: Slab<Session>,
    /// The flows of each UDP listener, with its serial.
    pub(super) flows: Slab<(u64, Flows)>,
    /// Which flow, of which listener, an upstream socket belongs to.
    pub(super) routes: Slab<(usize, FlowId)>,
    /// Who has something to do.
    pub(super) due: VecDeque<Concern>,
    /// Who has had a turn and has more to do.
    pub(super) again: VecDeque<Concern>,
    pub(super) timers: Timers,
    alarm: Alarm,
    /// Counts what was put into a table.
    pub(super) serial: u64,
    buffer: Box<[u8]>,
    pub(super) batch: Batch,
    pub(super) pipes: Pipes,
    /// When the last wait ended.
    pub(super) now: Instant,
    /// Nobody can ask for anything any more.
    over: bool,
}

impl Worker {
    pub(super) fn new(poll: Poll, inbox: Arc<Inbox>, pipes: Pipes) -> Self {
        let alarm = Alarm::new(poll.registry());
        Self {
            poll,
            inbox,
            listeners: Slab::new(),
            sessions: Slab::new(),
            flows: Slab::new(),
            routes: Slab::new(),
            due: VecDeque::new(),
            again: VecDeque::new(),
            timers: Timers::default(),
            alarm,
            serial: 0,
            buffer: vec![0; COPY_BUFFER].into_boxed_slice(),
            batch: Batch::new(),
            pipes,
            now: clock(),
            over: false,
        }
    }

    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS);
        while !self.over {
            let wait = if self.again.is_empty() {
                let idle = self.timers.idle_for(self.now);
                self.alarm.time_out(idle, self.now)
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
            // One at a time, with a look at what is ready in between: a game packet waits for one
            // share of a download, however many there are.
            self.due.extend(self.again.pop_front());
            while let Some(concern) = self.due.pop_front() {
                self.give_turn(concern);
            }
        }
        // Only an embedding program that dropped its relays has sessions left.
        self.end_sessions(|_| true);
        self.end_all_flows();
    }

    /// Takes note of what is ready; true: the inbox has something.
    fn note(&mut self, event: &Event) -> bool {
        let (entry, upstream) = match Concern::of(event.token()) {
            Some(Concern::Inbox) => return true,
            Some(Concern::Alarm) => {
                self.alarm.rang();
                return false;
            }
            Some(Concern::Session(entry)) => (entry, false),
            Some(Concern::SessionUpstream(entry)) => (entry, true),
            other => {
                self.due.extend(other);
                return false;
            }
        };
        if let Some(session) = self.sessions.get_mut(entry) {
            let idle = !session.queued;
            if let Some(socket) = session.socket(upstream) {
                if idle && socket.is_stale(event) {
                    socket.mute(self.poll.registry());
                }
                socket.note(event);
            }
            enqueue(&mut self.due, session, entry);
        }
        false
    }

    fn obey(&mut self) {
        for command in self.inbox.take() {
            match command {
                Command::Settle { plans, done } => {
                    // Who no longer waits for it need not know.
                    let _ = done.send(self.settle(plans));
                }
                Command::EndFlows { shared, done } => {
                    self.end_flows_of(&shared);
                    // Who no longer waits for it need not know.
                    let _ = done.send(());
                }
                Command::Look { relays, most, done } => {
                    // Nor who no longer wants to know.
                    let _ = done.send(self.look(&relays, most));
                }
                Command::Listeners { done } => {
                    let _ = done.send(self.held());
                }
                Command::LookedUp { key, answer } => self.looked_up(key, answer),
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

    fn look_at_clock(&mut self) {
        while let Some(who) = self.timers.pop_due(self.now) {
            match who {
                Concern::Listener(entry) => {
                    if let Some(listener) = self.listeners.get_mut(entry) {
                        listener.timer = None;
                        self.due.push_back(who);
                    }
                }
                Concern::Flows(entry) => self.look_at_flows(entry),
                Concern::Session(entry) => {
                    if let Some(session) = self.sessions.get_mut(entry) {
                        session.timer = None;
                    }
                    self.turn(entry, Session::tick);
                }
                // These never wait for a moment.
                Concern::Inbox
                | Concern::Alarm
                | Concern::SessionUpstream(_)
                | Concern::FlowUpstream(_) => {}
            }
        }
    }

    fn give_turn(&mut self, concern: Concern) {
        match concern {
            Concern::Session(entry) => {
                if let Some(session) = self.sessions.get_mut(entry) {
                    session.queued = false;
                }
                self.turn(entry, Session::advance);
            }
            Concern::Listener(entry) => self.accept(entry),
            Concern::Flows(entry) => self.hear(entry),
            Concern::FlowUpstream(route) => self.carry_replies(route),
            // A session is due as a whole, and the others are seen to at once.
            Concern::Inbox | Concern::Alarm | Concern::SessionUpstream(_) => {}
        }
    }

    /// Lends a session what the thread has, for one turn, and does what comes of it.
    fn turn(&mut self, entry: usize, act: impl FnOnce(&mut Session, &mut Turn<'_, '_>) -> Step) {
        let Some(session) = self.sessions.get_mut(entry) else {
            return;
        };
        let patience = session.patience();
        self.pipes.follow(session.splicing());
        let mut turn = Turn {
            // Nobody is to be woken: what is ready is known by events.
            cx: &mut Context::from_waker(Waker::noop()),
            now: self.now,
            patience: &patience,
            buffer: &mut self.buffer,
            pipes: &mut self.pipes,
            again: false,
        };
        let step = act(session, &mut turn);
        session.unmute(self.poll.registry());
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
                    .arm(&mut session.timer, at, Concern::Session(entry));
            }
            Step::Again => enqueue(&mut self.again, session, entry),
            Step::Over(reason, failure) => {
                let mut session = self.sessions.remove(entry);
                self.timers
                    .disarm(&mut session.timer, Concern::Session(entry));
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

/// Makes it a session's turn, once.
pub(super) fn enqueue(due: &mut VecDeque<Concern>, session: &mut Session, entry: usize) {
    if !session.queued {
        session.queued = true;
        due.push_back(Concern::Session(entry));
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "the one place where the engine reads the clock"
)]
fn clock() -> Instant {
    Instant::now()
}
