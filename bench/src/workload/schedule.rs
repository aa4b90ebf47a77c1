//! An open loop: when each message is meant to be sent, whatever has become of the ones before it.
//!
//! Times are counted from that moment. A chain that stalls then pays for every message it has kept
//! waiting, not only for the one that happened to be under way (coordinated omission).

use std::time::{Duration, Instant};

/// So many messages a second, evenly spaced. Their senders take turns: each one sends at its own
/// steady pace, and all of them are out of step with each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    start: Instant,
    per_second: u64,
    total: u64,
}

impl Schedule {
    /// Begins now.
    pub(super) fn start(per_second: u64, duration: Duration) -> Self {
        let per_second = per_second.max(1);
        let total = u128::from(per_second) * duration.as_nanos() / 1_000_000_000;
        Self {
            start: Instant::now(),
            per_second,
            total: u64::try_from(total).unwrap_or(u64::MAX).max(1),
        }
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// When message `number`, counted from 0, is meant to be sent.
    pub(super) fn intended(&self, number: u64) -> Instant {
        let offset = u128::from(number) * 1_000_000_000 / u128::from(self.per_second);
        self.start + Duration::from_nanos(u64::try_from(offset).unwrap_or(u64::MAX))
    }

    /// When the turn after the last message would be.
    pub(super) fn end(&self) -> Instant {
        self.intended(self.total)
    }

    /// How long a message that has just come back was under way; nothing if it was before its time.
    pub(super) fn since_intended(&self, number: u64) -> Duration {
        Instant::now().saturating_duration_since(self.intended(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_evenly_spaced_from_the_first_to_the_end() {
        let schedule = Schedule::start(400, Duration::from_millis(500));
        assert_eq!(schedule.total(), 200);
        let at = |number| schedule.intended(number) - schedule.intended(0);
        assert_eq!(at(1), Duration::from_micros(2500));
        assert_eq!(at(20) + at(100), at(120));
        assert_eq!(
            schedule.end() - schedule.intended(0),
            Duration::from_millis(500)
        );
    }

    #[test]
    fn there_is_always_a_message_and_no_overflow() {
        assert_eq!(Schedule::start(1, Duration::from_millis(1)).total(), 1);
        let long = Schedule::start(1_000_000, Duration::from_secs(600));
        let offset = long.end() - long.intended(0);
        assert_eq!(offset, Duration::from_secs(600));
    }
}
