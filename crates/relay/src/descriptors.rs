//! How many sockets this process may hold: one account for all sessions and flows.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use via6_core::limits::{DESCRIPTORS_MAX, DESCRIPTORS_RESERVED, PIPES_MAX, PIPES_ONE_IN};

/// The descriptors that sessions (two each) and flows (one each) share, and apart from them those of
/// pipes, which so never keep a player out. Clones share the account.
#[derive(Clone, Debug)]
pub struct Descriptors {
    free: Arc<Semaphore>,
    capacity: usize,
    /// Counts pipes, of two descriptors each.
    pipes: Arc<Semaphore>,
}

/// Descriptors in use; given back when dropped.
#[derive(Debug)]
pub struct Lease {
    _permit: OwnedSemaphorePermit,
}

impl Descriptors {
    /// An account over `limit` descriptors of the process, less what is kept in reserve.
    ///
    /// `limit` is what [`crate::raise_descriptor_limit`] returned.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        let all = limit.saturating_sub(DESCRIPTORS_RESERVED);
        let pipes = (all / PIPES_ONE_IN).min(PIPES_MAX);
        let capacity = (all - 2 * pipes).clamp(2, DESCRIPTORS_MAX);
        Self {
            free: Arc::new(Semaphore::new(capacity)),
            capacity,
            pipes: Arc::new(Semaphore::new(pipes)),
        }
    }

    /// What there is in all.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// So many descriptors, for sessions and flows or for what the program does beside them. None if
    /// there are not as many left.
    #[must_use]
    pub fn lease(&self, count: u32) -> Option<Lease> {
        let permit = Arc::clone(&self.free).try_acquire_many_owned(count).ok()?;
        Some(Lease { _permit: permit })
    }

    /// The two descriptors of a pipe.
    pub(crate) fn lease_pipe(&self) -> Option<Lease> {
        let permit = Arc::clone(&self.pipes).try_acquire_owned().ok()?;
        Some(Lease { _permit: permit })
    }
}
