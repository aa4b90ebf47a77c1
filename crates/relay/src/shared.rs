//! What all sessions and flows of one relay share, as long as it runs: its bounds and counts, and
//! the way to tell what happens. What may change meanwhile is in `terms`.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use via6_core::admission::Admission;
use via6_core::throttle::Throttle;

use crate::descriptors::Descriptors;
use crate::elsewhere::{Elsewhere, Outlet};
use crate::event::{Event, Observer, Protocol, Warning};
use crate::policy::Policy;
use crate::shutdown::Shutdown;
use crate::tally::Tally;

/// What all sessions and flows of one relay share.
pub(crate) struct Shared {
    pub(crate) policy: Policy,
    pub(crate) descriptors: Descriptors,
    pub(crate) notices: Notices,
    pub(crate) shutdown: Shutdown,
    /// Looks names up and dials them.
    pub(crate) runtime: Handle,
    /// Takes the sessions, if the engine does not carry them itself.
    pub(crate) outlet: Option<Arc<dyn Outlet>>,
    /// Sessions that are carried elsewhere.
    pub(crate) elsewhere: Elsewhere,
    /// Live sessions.
    pub(crate) sessions: TaskTracker,
    /// Live flows.
    pub(crate) flows: TaskTracker,
    pub(crate) admission: Mutex<Admission>,
    pub(crate) opened: AtomicU64,
    /// The id of its newest flow, whichever table has it.
    pub(crate) last_flow: AtomicU64,
    /// The listener that has ended by itself, and why.
    pub(crate) failed: Mutex<Failed>,
}

pub(crate) type Failed = Option<(SocketAddr, Protocol, io::Error)>;

impl Shared {
    /// Everything of this relay that can fail for good ends here.
    pub(crate) fn listener_ended(
        &self,
        listener: SocketAddr,
        protocol: Protocol,
        error: io::Error,
    ) {
        self.notices.warn(&Warning::ListenerEnded {
            listener,
            protocol,
            error: &error,
        });
        self.failed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert((listener, protocol, error));
        self.shutdown.drain();
    }
}

/// Events, counted, with repeating warnings held back.
pub(crate) struct Notices {
    observer: Arc<dyn Observer>,
    pub(crate) tally: Tally,
    throttle: Mutex<Throttle<(&'static str, Option<&'static str>)>>,
}

impl Notices {
    pub(crate) fn new(observer: Arc<dyn Observer>) -> Self {
        Self {
            observer,
            tally: Tally::default(),
            throttle: Mutex::default(),
        }
    }

    pub(crate) fn tell(&self, event: &Event<'_>) {
        self.tally.note(event);
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
