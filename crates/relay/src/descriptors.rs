//! How many sockets this process may hold: one account for all sessions and flows.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use via6_core::limits::{DESCRIPTORS_MAX, DESCRIPTORS_RESERVED};

/// The descriptors that sessions (two each) and flows (one each) share. Clones share the account.
#[derive(Clone, Debug)]
pub struct Descriptors {
    free: Arc<Semaphore>,
    capacity: usize,
}

/// Descriptors in use; given back when dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    _permit: OwnedSemaphorePermit,
}

impl Descriptors {
    /// An account over `limit` descriptors of the process, less what is kept in reserve.
    ///
    /// `limit` is what [`crate::raise_descriptor_limit`] returned.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        let capacity = limit
            .saturating_sub(DESCRIPTORS_RESERVED)
            .clamp(2, DESCRIPTORS_MAX);
        Self {
            free: Arc::new(Semaphore::new(capacity)),
            capacity,
        }
    }

    /// What there is in all.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(crate) fn lease(&self, count: u32) -> Option<Lease> {
        let permit = Arc::clone(&self.free).try_acquire_many_owned(count).ok()?;
        Some(Lease { _permit: permit })
    }
}
