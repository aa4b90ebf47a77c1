//! When to look at what again. One entry for each session or listener that waits for a moment, taken
//! out when it no longer does: no dead entries, so no more of them than of sessions.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::Concern;

/// Moments, soonest first.
#[derive(Debug, Default)]
pub(super) struct Timers(BTreeSet<(Instant, Concern)>);

impl Timers {
    /// Sets `armed`, the timer of `who`, to `at`, unless it fires sooner already.
    pub(super) fn arm(&mut self, armed: &mut Option<Instant>, at: Instant, who: Concern) {
        if armed.is_some_and(|armed| armed <= at) {
            return;
        }
        self.disarm(armed, who);
        self.0.insert((at, who));
        *armed = Some(at);
    }

    pub(super) fn disarm(&mut self, armed: &mut Option<Instant>, who: Concern) {
        if let Some(at) = armed.take() {
            self.0.remove(&(at, who));
        }
    }

    /// Who is due at `now`, one at a time; its own note of the timer is to be cleared by the caller.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Concern> {
        let due = self.0.first().is_some_and(|&(at, _)| at <= now);
        due.then(|| self.0.pop_first())?.map(|(_, who)| who)
    }

    /// How long nobody will be due; `None`: nobody waits.
    pub(super) fn idle_for(&self, now: Instant) -> Option<Duration> {
        self.0
            .first()
            .map(|&(at, _)| at.saturating_duration_since(now))
    }
}

#[cfg(test)]
#[allow(
    clippy::disallowed_methods,
    reason = "a test needs some instant to start from"
)]
mod tests {
    use super::*;

    #[test]
    fn the_soonest_moment_counts_and_each_fires_once() {
        let (now, mut timers) = (Instant::now(), Timers::default());
        let (mut one, mut other) = (None, None);
        let after = |ms| now + Duration::from_millis(ms);
        timers.arm(&mut one, after(20), Concern::Session(1));
        timers.arm(&mut one, after(10), Concern::Session(1));
        timers.arm(&mut one, after(30), Concern::Session(1));
        timers.arm(&mut other, after(30), Concern::Listener(1));
        assert_eq!(timers.idle_for(now), Some(Duration::from_millis(10)));
        assert_eq!(timers.pop_due(after(9)), None);
        assert_eq!(timers.pop_due(after(50)), Some(Concern::Session(1)));
        timers.disarm(&mut other, Concern::Listener(1));
        assert_eq!(timers.pop_due(after(50)), None);
        assert_eq!(timers.idle_for(now), None);
    }
}
