//! Is the other side there? Silence makes a link suspect, and then ends it.
//!
//! Without channels pings are rare, so silence means little: it counts from the moment there are
//! channels, and until then one more ping interval is granted.

use std::time::{Duration, Instant};

use super::LinkLimits;

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Watch {
    heard_at: Instant,
    /// Since when there are channels.
    active_since: Option<Instant>,
    pinged_at: Option<Instant>,
}

impl Watch {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            heard_at: now,
            active_since: None,
            pinged_at: None,
        }
    }

    pub(super) fn heard(&mut self, now: Instant) {
        self.heard_at = self.heard_at.max(now);
    }

    /// There are channels, or not.
    pub(super) fn set_active(&mut self, is_active: bool, now: Instant) {
        self.active_since = match (is_active, self.active_since) {
            (false, _) => None,
            (true, None) => Some(now),
            (true, since) => since,
        };
    }

    fn silence(&self, limits: &LinkLimits, now: Instant) -> Duration {
        let (since, granted) = match self.active_since {
            Some(since) => (self.heard_at.max(since), Duration::ZERO),
            None => (self.heard_at, limits.ping_idle),
        };
        now.saturating_duration_since(since).saturating_sub(granted)
    }

    pub(super) fn is_suspect(&self, limits: &LinkLimits, now: Instant) -> bool {
        self.silence(limits, now) >= limits.suspect
    }

    pub(super) fn is_dead(&self, limits: &LinkLimits, now: Instant) -> bool {
        self.silence(limits, now) >= limits.hold
    }

    fn ping_at(&self, limits: &LinkLimits) -> Option<Instant> {
        let every = match self.active_since {
            Some(_) => limits.ping,
            None => limits.ping_idle,
        };
        self.pinged_at.and_then(|at| at.checked_add(every))
    }

    pub(super) fn ping_is_due(&self, limits: &LinkLimits, now: Instant) -> bool {
        self.ping_at(limits).is_none_or(|at| at <= now)
    }

    pub(super) fn pinged(&mut self, now: Instant) {
        self.pinged_at = Some(now);
    }

    /// A new transport is tried out at once.
    pub(super) fn attached(&mut self, now: Instant) {
        self.heard(now);
        self.pinged_at = None;
    }

    /// The next moment at which one of the answers above changes.
    pub(super) fn deadline(
        &self,
        limits: &LinkLimits,
        pings: bool,
        now: Instant,
    ) -> Option<Instant> {
        let silence = self.silence(limits, now);
        let granted = if self.active_since.is_none() {
            limits.ping_idle
        } else {
            Duration::ZERO
        };
        let since = self
            .active_since
            .map_or(self.heard_at, |since| self.heard_at.max(since));
        let next = if silence < limits.suspect {
            limits.suspect
        } else {
            limits.hold
        };
        let silent_at = since.checked_add(granted)?.checked_add(next)?;
        let ping_at = if pings {
            Some(self.ping_at(limits).unwrap_or(now))
        } else {
            None
        };
        Some(ping_at.map_or(silent_at, |at| at.min(silent_at)))
    }
}
