//! A relay: listeners, one upstream, and everything that lives between them.
//!
//! `host`, `join` and `relay` of the program are all this; they differ in addresses only.
//!
//! ```text
//! Relay ──start──▶ Running: change it, look at it      (clones are the same relay)
//!            └───▶ Ending: wait for it ──▶ Report
//! ```

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, UdpSocket};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use via6_core::admission::Admission;
use via6_core::reason::{CloseReason, ShedReason};

use crate::descriptors::Descriptors;
use crate::elsewhere::{Elsewhere, Outlet, Seat};
use crate::engine::{Engine, Held, Place, Plan};
use crate::event::{Event, Observer, Protocol};
use crate::look::Look;
use crate::policy::Policy;
use crate::shared::{Notices, Shared};
use crate::shutdown::Shutdown;
use crate::tally::Totals;
use crate::terms::{Settings, Terms};
use crate::ticket::Ticket;

/// Listeners and where they lead. Give it listeners of the same port number for both protocols,
/// as games expect.
pub struct Relay {
    /// Where sessions and flows come in; none yet, if [`settle`] is to say.
    pub listeners: Vec<Listening>,
    /// Where it leads and whom it trusts, to begin with.
    pub settings: Settings,
    /// The thread that carries the sessions; relays may share it.
    pub engine: Engine,
    /// Bounds.
    pub policy: Policy,
    /// The process's account of sockets.
    pub descriptors: Descriptors,
    /// Who is told what happens.
    pub observer: Arc<dyn Observer>,
}

/// A relay that runs. Clones are the same relay; dropping them does not end it.
#[derive(Clone)]
pub struct Running(Arc<Body>);

struct Body {
    shared: Arc<Shared>,
    engine: Engine,
    terms: Mutex<Arc<Terms>>,
    /// How long it may go on for what lives, once it retires.
    patience: Mutex<Option<Duration>>,
    /// It is to stop by itself, and not with others; also if it retires.
    stopped: CancellationToken,
}

/// The end of a relay, to be waited for.
#[must_use]
pub struct Ending {
    running: Running,
    /// Whoever started the relay, and may stop it while it retires.
    outer: Shutdown,
}

/// What a relay did.
#[derive(Debug, Default)]
#[must_use]
pub struct Report {
    /// Sessions that ended, of which `cut` when the drain deadline passed.
    pub sessions: u64,
    /// Sessions that the end of the relay cut off.
    pub cut: u64,
    /// Flows that ended.
    pub flows: u64,
    /// All that it did.
    pub totals: Totals,
    /// A listener that ended by itself, which only errors of the system can cause.
    pub failed: Option<(SocketAddr, Protocol, io::Error)>,
}

/// What becomes of one relay in a [`settle`].
pub struct Change {
    /// Which relay.
    pub relay: Running,
    /// How it is to be from now on.
    pub settings: Settings,
    /// Where it is to listen. What it listens on besides is closed; UDP flows there go on.
    pub listeners: Vec<Listening>,
}

/// A place to listen.
pub enum Listening {
    /// A new one for TCP.
    Tcp(TcpListener),
    /// A new one for UDP.
    Udp(UdpSocket),
    /// One that this relay, or another of the same engine, listens on already. It is taken over as it
    /// is: nobody who is just connecting is turned away.
    Held(Protocol, SocketAddr),
}

impl Relay {
    /// Relays until `shutdown`, or until a listener has ended by itself. Must be called inside a
    /// tokio runtime.
    ///
    /// Not cancel safe: dropping the future leaves sessions running until the engine ends. Errors
    /// are those of reading a listener's own address, and of taking it over.
    pub async fn run(self, shutdown: &Shutdown) -> io::Result<Report> {
        let (_, ending) = self.start(shutdown)?;
        Ok(ending.wait().await)
    }

    /// Begins to relay, until `shutdown`. Must be called inside a tokio runtime. Errors are those of
    /// [`Self::run`].
    pub fn start(self, shutdown: &Shutdown) -> io::Result<(Running, Ending)> {
        self.begin(None, shutdown)
    }

    /// The same, but TCP connections go to `outlet` once they are accepted and admitted: something else
    /// than the engine carries them on. What [`Running::arrive`] admits does so too.
    pub fn start_to(
        self,
        outlet: Arc<dyn Outlet>,
        shutdown: &Shutdown,
    ) -> io::Result<(Running, Ending)> {
        self.begin(Some(outlet), shutdown)
    }

    fn begin(
        self,
        outlet: Option<Arc<dyn Outlet>>,
        shutdown: &Shutdown,
    ) -> io::Result<(Running, Ending)> {
        let places = self.listeners.into_iter().map(place);
        let places = places.collect::<io::Result<_>>()?;
        let shared = Arc::new(Shared {
            admission: Mutex::new(Admission::new(
                self.policy.admission,
                Instant::now().into_std(),
            )),
            policy: self.policy,
            descriptors: self.descriptors,
            notices: Notices::new(self.observer),
            shutdown: shutdown.child(),
            runtime: Handle::current(),
            outlet,
            elsewhere: Elsewhere::default(),
            sessions: TaskTracker::new(),
            flows: TaskTracker::new(),
            opened: AtomicU64::new(0),
            last_flow: AtomicU64::new(0),
            failed: Mutex::default(),
        });
        let terms = Arc::new(Terms {
            shared: Arc::clone(&shared),
            settings: self.settings,
        });
        self.engine.settle_soon(Plan {
            terms: Arc::clone(&terms),
            places,
        });
        let running = Running(Arc::new(Body {
            shared,
            engine: self.engine,
            terms: Mutex::new(terms),
            patience: Mutex::default(),
            stopped: CancellationToken::new(),
        }));
        let ending = Ending {
            running: running.clone(),
            outer: shutdown.clone(),
        };
        Ok((running, ending))
    }
}

/// Changes relays of one engine while they run, all in one moment: where each listens and what it
/// does. Live sessions and flows go on as they began. Returns the listeners that were to be held and
/// have ended by themselves meanwhile.
///
/// Errors are those of taking a new listener over; nothing has changed then. Cancel safe once it waits.
pub async fn settle(changes: Vec<Change>) -> io::Result<Vec<(Protocol, SocketAddr)>> {
    let mut plans: Vec<(Running, Plan)> = Vec::new();
    for change in changes {
        let places = change.listeners.into_iter().map(place);
        let terms = Arc::new(Terms {
            shared: Arc::clone(&change.relay.0.shared),
            settings: change.settings,
        });
        let places = places.collect::<io::Result<_>>()?;
        plans.push((change.relay, Plan { terms, places }));
    }
    let Some(engine) = plans.first().map(|(relay, _)| relay.0.engine.clone()) else {
        return Ok(Vec::new());
    };
    debug_assert!(
        plans
            .iter()
            .all(|(relay, _)| relay.0.engine.is_same(&engine)),
        "relays of several engines"
    );
    for (relay, plan) in &plans {
        *relay.terms() = Arc::clone(&plan.terms);
    }
    let plans = plans.into_iter().map(|(_, plan)| plan).collect();
    Ok(engine.settle(plans).await)
}

/// These relays at this moment, in their order, with at most so many sessions, and as many flows, of
/// each one by one. Without those whose engine is gone. Cancel safe.
pub async fn look(relays: &[Running], most: usize) -> Vec<Look> {
    let Some(first) = relays.first() else {
        return Vec::new();
    };
    let shareds = relays.iter().map(|relay| Arc::clone(&relay.0.shared));
    let looks = first.0.engine.look(shareds.collect(), most).await;
    looks.unwrap_or_default()
}

impl Running {
    /// How it is set now.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.terms().settings.clone()
    }

    /// A session came in by something else than a listener of this relay, and is carried elsewhere:
    /// its place, or why there is none. `listener`: where it came in.
    pub fn arrive(&self, listener: SocketAddr, downstream: SocketAddr) -> Result<Seat, ShedReason> {
        let terms = Arc::clone(&self.terms());
        let now = Instant::now().into_std();
        Ticket::take(&terms, listener, downstream, 1, now).map(Seat::new)
    }

    /// Stops accepting and lets what lives go on, flows too, for so long at most.
    pub fn retire(&self, within: Duration) {
        *self
            .0
            .patience
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(within);
        self.0.shared.shutdown.drain();
    }

    /// Drains it, and it alone. One that retires does not wait any longer.
    pub fn stop(&self) {
        self.0.stopped.cancel();
        self.0.shared.shutdown.drain();
    }

    /// Whether somebody has asked for the end of it alone, by [`stop`](Self::stop).
    #[must_use]
    pub fn was_stopped(&self) -> bool {
        self.0.stopped.is_cancelled()
    }

    /// Stops it, and it alone.
    #[must_use]
    pub fn shutdown(&self) -> &Shutdown {
        &self.0.shared.shutdown
    }

    /// Whether it no longer accepts anybody.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.0.shared.shutdown.is_draining()
    }

    /// Live sessions and flows at this moment.
    #[must_use]
    pub fn live(&self) -> (usize, usize) {
        let shared = &self.0.shared;
        (shared.sessions.len(), shared.flows.len())
    }

    fn terms(&self) -> MutexGuard<'_, Arc<Terms>> {
        self.0.terms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ending {
    /// Waits until the relay has ended. Not cancel safe: see [`Relay::run`].
    pub async fn wait(self) -> Report {
        let Body {
            shared,
            engine,
            patience,
            ..
        } = &*self.running.0;
        shared.shutdown.draining().await;
        let terms = Arc::clone(&self.running.terms());
        let places = Vec::new();
        let _: Vec<Held> = engine.settle(vec![Plan { terms, places }]).await;
        let patience = *patience.lock().unwrap_or_else(PoisonError::into_inner);
        self.drain(patience).await;
        engine.end_flows(shared).await;
        let totals = shared.notices.tally.ended();
        let failed = shared.failed.lock();
        Report {
            sessions: totals.sessions_ended.total(),
            cut: totals.sessions_ended.get(CloseReason::Stopped),
            flows: totals.flows_ended.total(),
            totals,
            failed: failed.unwrap_or_else(PoisonError::into_inner).take(),
        }
    }

    /// Waits for what lives until the deadline or until told not to, then ends the sessions that are
    /// left. A relay that retires waits for its flows as well, until it is told to stop.
    async fn drain(&self, patience: Option<Duration>) {
        let Body {
            shared,
            engine,
            stopped,
            ..
        } = &*self.running.0;
        shared.sessions.close();
        shared.flows.close();
        let draining = Event::Draining {
            sessions: shared.sessions.len(),
            flows: shared.flows.len(),
            retiring: patience,
        };
        shared.notices.tell(&draining);
        if let Some(patience) = patience {
            let all_ended = async {
                shared.sessions.wait().await;
                shared.flows.wait().await;
            };
            tokio::select! {
                () = all_ended => {}
                () = sleep(patience) => shared.shutdown.now(),
                () = self.outer.draining() => {}
                () = stopped.cancelled() => {}
                () = shared.shutdown.ending() => {}
            }
        }
        tokio::select! {
            () = shared.sessions.wait() => {}
            () = sleep(shared.policy.drain_timeout) => {}
            () = shared.shutdown.ending() => {}
        }
        shared.shutdown.now();
        engine.cut(shared);
        shared.sessions.wait().await;
    }
}

fn place(listening: Listening) -> io::Result<Place> {
    Ok(match listening {
        Listening::Tcp(tcp) => Place::Tcp(tcp.local_addr()?, tcp.into_std()?),
        Listening::Udp(udp) => Place::Udp(udp.local_addr()?, udp.into_std()?),
        Listening::Held(protocol, address) => Place::Held((protocol, address)),
    })
}
