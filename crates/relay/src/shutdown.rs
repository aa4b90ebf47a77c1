//! Stopping in two steps: drain (accept nothing new, let live sessions finish), then now.

use tokio_util::sync::CancellationToken;

/// Tells a relay to stop. Clones tell the same relays.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    drain: CancellationToken,
    now: CancellationToken,
}

impl Shutdown {
    /// A shutdown that nobody has asked for yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A shutdown of its own that follows this one: what it is told, the others are not.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            drain: self.drain.child_token(),
            now: self.now.child_token(),
        }
    }

    /// Accept nothing new; let live sessions finish until the drain deadline.
    pub fn drain(&self) {
        self.drain.cancel();
    }

    /// End everything at once.
    pub fn now(&self) {
        self.drain.cancel();
        self.now.cancel();
    }

    /// True once either was asked for.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.drain.is_cancelled()
    }

    /// Waits for the first step. Cancel safe.
    pub async fn draining(&self) {
        self.drain.cancelled().await;
    }

    /// Waits for the second step. Cancel safe.
    pub async fn ending(&self) {
        self.now.cancelled().await;
    }
}
