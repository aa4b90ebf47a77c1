//! A relay: one or two listeners, one upstream, and everything that lives between them.
//!
//! `host`, `join` and `relay` of the program are all this; they differ in addresses only.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;
use via6_core::addr::{HostPort, Network};
use via6_core::admission::{Admission, AdmissionLimits};
use via6_core::flow::FlowLimits;
use via6_core::limits;
use via6_core::reason::{CloseReason, ShedReason};
use via6_core::throttle::Throttle;

use crate::accept::{Accepted, Acceptor};
use crate::descriptors::{Descriptors, Lease};
use crate::event::{Event, Observer, Protocol, SessionId, Warning};
use crate::shutdown::Shutdown;
use crate::splice::Patience;
use crate::{session, socket, udp};

/// Who may come, and how long things may take. The default is that of [`limits`].
#[derive(Clone, Debug)]
pub struct Policy {
    /// Other relays, behind which many players share an address: exempt from the bounds by
    /// address, as loopback peers are.
    pub trusted: Vec<Network>,
    /// Bounds on sessions.
    pub admission: AdmissionLimits,
    /// Bounds on flows.
    pub flows: FlowLimits,
    /// Patience of a session.
    pub patience: Patience,
    /// How long a drain waits for live sessions.
    pub drain_timeout: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            trusted: Vec::new(),
            admission: AdmissionLimits::default(),
            flows: FlowLimits::default(),
            patience: Patience::default(),
            drain_timeout: limits::DRAIN_TIMEOUT,
        }
    }
}

/// Listeners and where they lead. Give it listeners of the same port number for both protocols,
/// as games expect.
pub struct Relay {
    /// Where sessions come in, if they are carried.
    pub tcp: Option<TcpListener>,
    /// Where flows come in, if they are carried.
    pub udp: Option<UdpSocket>,
    /// What is dialled for each.
    pub upstream: HostPort,
    /// Bounds.
    pub policy: Policy,
    /// The process's account of sockets.
    pub descriptors: Descriptors,
    /// Who is told what happens.
    pub observer: Arc<dyn Observer>,
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
    /// A listener that ended by itself, which only errors of the system can cause.
    pub failed: Option<(SocketAddr, Protocol, io::Error)>,
}

impl Relay {
    /// Relays until `shutdown`, or until a listener has ended by itself.
    ///
    /// Not cancel safe: dropping the future leaves sessions running on their own. Errors are
    /// those of reading a listener's own address.
    pub async fn run(self, shutdown: &Shutdown) -> io::Result<Report> {
        let shared = Arc::new(Shared {
            upstream: self.upstream,
            admission: Mutex::new(Admission::new(
                self.policy.admission,
                Instant::now().into_std(),
            )),
            policy: self.policy,
            descriptors: self.descriptors,
            notices: Notices {
                observer: self.observer,
                throttle: Mutex::default(),
            },
            shutdown: shutdown.child(),
            sessions: TaskTracker::new(),
            opened: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            cut: AtomicU64::new(0),
        });
        let sessions = accept_sessions(&shared, self.tcp);
        let flows = udp::run(&shared, self.udp);
        let (sessions, flows) = tokio::join!(sessions, flows);
        let (failed_tcp, (flows, failed_udp)) = (sessions?, flows?);
        Ok(Report {
            sessions: shared.ended.load(Ordering::Relaxed),
            cut: shared.cut.load(Ordering::Relaxed),
            flows,
            failed: failed_tcp.or(failed_udp),
        })
    }
}

/// What all sessions and flows of one relay share.
pub(crate) struct Shared {
    pub(crate) upstream: HostPort,
    pub(crate) policy: Policy,
    pub(crate) descriptors: Descriptors,
    pub(crate) notices: Notices,
    pub(crate) shutdown: Shutdown,
    /// Live sessions; flows end when the last of them has.
    pub(crate) sessions: TaskTracker,
    admission: Mutex<Admission>,
    opened: AtomicU64,
    ended: AtomicU64,
    cut: AtomicU64,
}

pub(crate) type Failed = Option<(SocketAddr, Protocol, io::Error)>;

impl Shared {
    /// Loopback peers cannot be strangers, and a listed relay stands for many players.
    pub(crate) fn is_exempt(&self, peer: SocketAddr) -> bool {
        let ip = peer.ip();
        ip.is_loopback()
            || self
                .policy
                .trusted
                .iter()
                .any(|network| network.contains(ip))
    }

    /// Everything of this relay that can fail for good ends here.
    pub(crate) fn listener_ended(
        &self,
        listener: SocketAddr,
        protocol: Protocol,
        error: &io::Error,
    ) {
        self.notices.warn(&Warning::ListenerEnded {
            listener,
            protocol,
            error,
        });
        self.shutdown.drain();
    }
}

/// Events, with repeating warnings held back.
pub(crate) struct Notices {
    observer: Arc<dyn Observer>,
    throttle: Mutex<Throttle<(&'static str, Option<&'static str>)>>,
}

impl Notices {
    pub(crate) fn tell(&self, event: &Event<'_>) {
        self.observer.observe(event);
    }

    pub(crate) fn warn(&self, warning: &Warning<'_>) {
        let kind = (warning.kind(), warning.reason());
        let now = Instant::now().into_std();
        let mut throttle = self.throttle.lock().unwrap_or_else(PoisonError::into_inner);
        let held_back = throttle.admit(kind, now);
        drop(throttle);
        self.tell(&Event::Warning { warning, held_back });
    }
}

/// Accepts until told to drain, then waits for live sessions, then cuts them.
async fn accept_sessions(shared: &Arc<Shared>, tcp: Option<TcpListener>) -> io::Result<Failed> {
    let mut failed = None;
    match tcp {
        Some(listener) => {
            let addr = listener.local_addr()?;
            let mut acceptor = Acceptor::new(listener);
            loop {
                let accepted = tokio::select! {
                    accepted = acceptor.accept() => accepted,
                    () = shared.shutdown.draining() => break,
                };
                if let Some(error) = take(shared, addr, accepted) {
                    shared.listener_ended(addr, Protocol::Tcp, &error);
                    failed = Some((addr, Protocol::Tcp, error));
                }
            }
        }
        None => shared.shutdown.draining().await,
    }
    drain(shared).await;
    Ok(failed)
}

/// Deals with what came of accepting; an error is the listener's end.
fn take(shared: &Arc<Shared>, listener: SocketAddr, accepted: Accepted) -> Option<io::Error> {
    match accepted {
        Accepted::Connection(stream, peer) => admit(shared, listener, stream, peer),
        Accepted::Exhausted(error) => {
            shared.notices.warn(&Warning::AcceptExhausted {
                listener,
                error: &error,
            });
        }
        Accepted::Troubled(error) => {
            let protocol = Protocol::Tcp;
            shared.notices.warn(&Warning::ListenerTroubled {
                listener,
                protocol,
                error: &error,
            });
        }
        Accepted::Ended(error) => return Some(error),
    }
    None
}

/// Starts a session, or refuses it by RST.
fn admit(shared: &Arc<Shared>, listener: SocketAddr, stream: TcpStream, peer: SocketAddr) {
    let place = match Place::take(shared, peer) {
        Ok(place) => place,
        Err(reason) => {
            socket::reset_on_close(&stream);
            shared.notices.warn(&Warning::Shed {
                reason,
                downstream: peer,
            });
            return;
        }
    };
    let session = SessionId(shared.opened.fetch_add(1, Ordering::Relaxed) + 1);
    shared.sessions.spawn(async move {
        let shared = &*place.shared;
        let upstream = &shared.upstream;
        let opened = Event::SessionOpened {
            session,
            listener,
            downstream: peer,
            upstream,
        };
        shared.notices.tell(&opened);
        let end = session::run(shared, session, stream, peer).await;
        if end.reason == CloseReason::Stopped {
            shared.cut.fetch_add(1, Ordering::Relaxed);
        }
        shared.ended.fetch_add(1, Ordering::Relaxed);
        shared
            .notices
            .tell(&Event::SessionEnded { session, end: &end });
    });
}

/// What a session occupies: its descriptors and its place among its peers. Given back when
/// dropped.
struct Place {
    shared: Arc<Shared>,
    peer: SocketAddr,
    _lease: Lease,
}

impl Place {
    fn take(shared: &Arc<Shared>, peer: SocketAddr) -> Result<Self, ShedReason> {
        let lease = shared
            .descriptors
            .lease(2)
            .ok_or(ShedReason::DescriptorsFull)?;
        let exempt = shared.is_exempt(peer);
        let mut admission = shared
            .admission
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        admission.admit(peer.ip(), exempt, Instant::now().into_std())?;
        drop(admission);
        Ok(Self {
            shared: Arc::clone(shared),
            peer,
            _lease: lease,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let exempt = self.shared.is_exempt(self.peer);
        let mut admission = self
            .shared
            .admission
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        admission.release(self.peer.ip(), exempt);
    }
}

/// Waits for live sessions until the deadline or until told not to, then ends the rest.
async fn drain(shared: &Shared) {
    shared.sessions.close();
    let live = shared.sessions.len();
    shared.notices.tell(&Event::Draining { sessions: live });
    let all_ended = timeout(shared.policy.drain_timeout, shared.sessions.wait());
    tokio::select! {
        _ = all_ended => {}
        () = shared.shutdown.ending() => {}
    }
    shared.shutdown.now();
    shared.sessions.wait().await;
}
