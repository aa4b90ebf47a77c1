//! A relay: one or two listeners, one upstream, and everything that lives between them.
//!
//! `host`, `join` and `relay` of the program are all this; they differ in addresses only.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::{TcpListener, UdpSocket};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;
use via6_core::addr::HostPort;
use via6_core::admission::Admission;

use crate::descriptors::Descriptors;
use crate::engine::Engine;
use crate::event::{Event, Observer, Protocol};
use crate::policy::Policy;
use crate::shared::{Notices, Shared};
use crate::shutdown::Shutdown;

/// Listeners and where they lead. Give it listeners of the same port number for both protocols,
/// as games expect.
pub struct Relay {
    /// Where sessions come in, if they are carried.
    pub tcp: Option<TcpListener>,
    /// Where flows come in, if they are carried.
    pub udp: Option<UdpSocket>,
    /// What is dialled for each.
    pub upstream: HostPort,
    /// The thread that carries the sessions; relays may share it.
    pub engine: Engine,
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
    /// Relays until `shutdown`, or until a listener has ended by itself. Must be called inside a
    /// tokio runtime.
    ///
    /// Not cancel safe: dropping the future leaves sessions running until the engine ends. Errors
    /// are those of reading a listener's own address, and of taking it over.
    pub async fn run(self, shutdown: &Shutdown) -> io::Result<Report> {
        let tcp = self
            .tcp
            .map(|tcp| Ok::<_, io::Error>((tcp.local_addr()?, tcp.into_std()?)))
            .transpose()?;
        let udp = self
            .udp
            .map(|udp| Ok::<_, io::Error>((udp.local_addr()?, udp.into_std()?)))
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
            runtime: Handle::current(),
            sessions: TaskTracker::new(),
            opened: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            cut: AtomicU64::new(0),
            flows: AtomicU64::new(0),
            failed: Mutex::default(),
        });
        if let Some((address, listener)) = tcp {
            self.engine.listen(&shared, address, listener);
        }
        if let Some((address, socket)) = udp {
            self.engine.receive(&shared, address, socket);
        }
        shared.shutdown.draining().await;
        self.engine.stop_listening(&shared).await;
        drain(&shared, &self.engine).await;
        self.engine.end_flows(&shared).await;
        let failed = shared.failed.lock();
        Ok(Report {
            sessions: shared.ended.load(Ordering::Relaxed),
            cut: shared.cut.load(Ordering::Relaxed),
            flows: shared.flows.load(Ordering::Relaxed),
            failed: failed.unwrap_or_else(PoisonError::into_inner).take(),
        })
    }
}

/// Waits for live sessions until the deadline or until told not to, then ends the rest.
async fn drain(shared: &Arc<Shared>, engine: &Engine) {
    shared.sessions.close();
    let live = shared.sessions.len();
    shared.notices.tell(&Event::Draining { sessions: live });
    let all_ended = timeout(shared.policy.drain_timeout, shared.sessions.wait());
    tokio::select! {
        _ = all_ended => {}
        () = shared.shutdown.ending() => {}
    }
    shared.shutdown.now();
    engine.cut(shared);
    shared.sessions.wait().await;
}
