//! What a session occupies, and its record.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use tokio_util::task::task_tracker::TaskTrackerToken;
use via6_core::reason::{CloseReason, ShedReason};

use crate::descriptors::Lease;
use crate::dial::DialError;
use crate::event::{Event, SessionEnd, SessionId};
use crate::terms::Terms;

/// A session's place among its peers, its descriptors, and its record. The end is told exactly once:
/// by [`Ticket::end`], or as stopped when the ticket is dropped without.
pub(crate) struct Ticket {
    pub(crate) terms: Arc<Terms>,
    pub(crate) session: SessionId,
    pub(crate) downstream: SocketAddr,
    pub(crate) began: Instant,
    ended: bool,
    _lease: Lease,
    /// A drain waits for it.
    _live: TaskTrackerToken,
}

impl Ticket {
    /// A place for one more session, of so many sockets, and the news of it; or why there is none.
    pub(crate) fn take(
        terms: &Arc<Terms>,
        listener: SocketAddr,
        downstream: SocketAddr,
        sockets: u32,
        now: Instant,
    ) -> Result<Self, ShedReason> {
        let shared = &terms.shared;
        let lease = shared.descriptors.lease(sockets);
        let lease = lease.ok_or(ShedReason::DescriptorsFull)?;
        let exempt = terms.is_exempt(downstream);
        shared
            .admission
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .admit(downstream.ip(), exempt, now)?;
        let session = SessionId(shared.opened.fetch_add(1, Ordering::Relaxed) + 1);
        shared.notices.tell(&Event::SessionOpened {
            session,
            listener,
            downstream,
            upstream: &terms.settings.upstream,
        });
        Ok(Self {
            terms: Arc::clone(terms),
            session,
            downstream,
            began: now,
            ended: false,
            _lease: lease,
            _live: shared.sessions.token(),
        })
    }

    pub(crate) fn dialled(&self, upstream: SocketAddr, now: Instant) {
        self.terms.shared.notices.tell(&Event::SessionDialled {
            session: self.session,
            upstream,
            took: now.duration_since(self.began),
        });
    }

    /// Tells how the session ended; its sockets are closed by now. `traffic`: bytes up and down.
    pub(crate) fn end(
        mut self,
        reason: CloseReason,
        traffic: (u64, u64),
        failure: Option<DialError>,
        now: Instant,
    ) {
        self.tell(reason, traffic, failure, now);
    }

    fn tell(
        &mut self,
        reason: CloseReason,
        (bytes_up, bytes_down): (u64, u64),
        failure: Option<DialError>,
        now: Instant,
    ) {
        self.ended = true;
        let shared = &self.terms.shared;
        let end = SessionEnd {
            downstream: self.downstream,
            reason,
            bytes_up,
            bytes_down,
            duration: now.duration_since(self.began),
            failure,
        };
        shared.notices.tell(&Event::SessionEnded {
            session: self.session,
            end: &end,
        });
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.ended {
            let now = self.began;
            self.tell(CloseReason::Stopped, (0, 0), None, now);
        }
        let exempt = self.terms.is_exempt(self.downstream);
        self.terms
            .shared
            .admission
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .release(self.downstream.ip(), exempt);
    }
}
