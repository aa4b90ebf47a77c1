//! A relay: one or two listeners, one upstream, and everything that lives between them.
//!
//! `host`, `join` and `relay` of the program are all this; they differ in addresses only.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;
use via6_core::addr::HostPort;
use via6_core::admission::Admission;
use via6_core::reason::{CloseReason, ShedReason};

use crate::accept::{Accepted, Acceptor};
use crate::descriptors::{Descriptors, Lease};
use crate::event::{Event, Observer, Protocol, SessionId, Warning};
use crate::policy::Policy;
use crate::shared::{Failed, Notices, Shared};
use crate::shutdown::Shutdown;
use crate::{session, socket, udp};

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
        let tcp = self
            .tcp
            .map(|tcp| Ok::<_, io::Error>((tcp.local_addr()?, tcp)))
            .transpose()?;
        let udp = self
            .udp
            .map(|udp| Ok::<_, io::Error>((udp.local_addr()?, udp)))
            .transpose()?;
        let shared = Arc::new(Shared {
            upstream: self.upstream,
            admission: Mutex::new(Admission::new(
                self.policy.admission,
                Instant::now().into_std(),
            )),
            policy: self.policy,
            descriptors: self.descriptors,
            notices: Notices::new(self.observer),
            shutdown: shutdown.child(),
            sessions: TaskTracker::new(),
            opened: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            cut: AtomicU64::new(0),
        });
        let sessions = accept_sessions(&shared, tcp);
        let flows = udp::run(&shared, udp);
        let (sessions, flows) = tokio::join!(sessions, flows);
        let (failed_tcp, (flows, failed_udp)) = (sessions, flows);
        Ok(Report {
            sessions: shared.ended.load(Ordering::Relaxed),
            cut: shared.cut.load(Ordering::Relaxed),
            flows,
            failed: failed_tcp.or(failed_udp),
        })
    }
}

/// Accepts until told to drain, then waits for live sessions, then cuts them.
async fn accept_sessions(shared: &Arc<Shared>, tcp: Option<(SocketAddr, TcpListener)>) -> Failed {
    let mut failed = None;
    match tcp {
        Some((addr, listener)) => {
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
    failed
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
