//! A token bucket: what a [`Rate`] means, exactly.
//!
//! Refilled lazily from the time that callers bring along. All arithmetic is in whole nano-tokens,
//! so that nothing drifts: a bucket asked every microsecond gives as much as one asked once an
//! hour. It never runs into debt: what does not fit is refused, and costs nothing.

use std::time::{Duration, Instant};

use crate::limits::Rate;

/// Nano-tokens in a token. The largest bucket, `u32::MAX` tokens, is 4.3 × 10^18: fits in a `u64`.
const NANOS: u64 = 1_000_000_000;

/// Stands for "never full again" at a rate of nothing per second. An `Instant` this far ahead can
/// be represented on every system.
const NEVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Tokens that come back with time, up to a bound.
#[derive(Clone, Copy, Debug)]
pub struct TokenBucket {
    rate: Rate,
    /// What was in it at `refilled_at`.
    nano_tokens: u64,
    refilled_at: Instant,
}

impl TokenBucket {
    /// A full bucket.
    #[must_use]
    pub fn new(rate: Rate, now: Instant) -> Self {
        Self {
            rate,
            nano_tokens: capacity(rate),
            refilled_at: now,
        }
    }

    /// Takes `tokens` if there are as many, or else nothing. More than the burst is never there.
    pub fn take(&mut self, tokens: u64, now: Instant) -> bool {
        // A product beyond u64 saturates above every capacity, so it is refused, as it must be.
        let left = self.level(now).checked_sub(tokens.saturating_mul(NANOS));
        if let Some(left) = left {
            self.nano_tokens = left;
            self.refilled_at = self.refilled_at.max(now);
        }
        left.is_some()
    }

    /// Would [`take`](Self::take) succeed?
    #[must_use]
    pub fn has(&self, tokens: u64, now: Instant) -> bool {
        self.level(now) >= tokens.saturating_mul(NANOS)
    }

    /// Nothing is missing: the bucket is as good as a new one.
    #[must_use]
    pub fn is_full(&self, now: Instant) -> bool {
        self.level(now) == capacity(self.rate)
    }

    /// When it will be full if nothing more is taken; far in the future at a rate of zero.
    #[must_use]
    pub fn full_at(&self) -> Instant {
        let missing = capacity(self.rate) - self.nano_tokens;
        if missing == 0 {
            return self.refilled_at;
        }
        let wait = match u64::from(self.rate.per_second) {
            0 => NEVER,
            per_second => Duration::from_nanos(missing.div_ceil(per_second)).min(NEVER),
        };
        self.refilled_at
            .checked_add(wait)
            .unwrap_or(self.refilled_at)
    }

    fn level(&self, now: Instant) -> u64 {
        // A clock reading from before the last one brings nothing back and takes nothing away.
        let elapsed = now.saturating_duration_since(self.refilled_at).as_nanos();
        let refill = u64::try_from(elapsed)
            .unwrap_or(u64::MAX)
            .saturating_mul(u64::from(self.rate.per_second));
        self.nano_tokens
            .saturating_add(refill)
            .min(capacity(self.rate))
    }
}

fn capacity(rate: Rate) -> u64 {
    u64::from(rate.burst) * NANOS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::test_clock;
    use proptest::prelude::*;

    const RATE: Rate = Rate {
        per_second: 3,
        burst: 10,
    };

    #[test]
    fn gives_the_burst_at_once_and_then_the_rate() {
        let start = test_clock();
        let mut bucket = TokenBucket::new(RATE, start);
        assert!(bucket.take(10, start));
        assert!(!bucket.take(1, start));
        let [early, third] = [333_333_333, 333_333_334].map(Duration::from_nanos);
        assert!(!bucket.take(1, start + early));
        assert!(bucket.take(1, start + third));
        assert!(!bucket.take(11, start + Duration::from_secs(3600)));
        assert!(bucket.take(10, start + Duration::from_secs(3600)));
    }

    #[test]
    fn what_it_refuses_costs_nothing() {
        let start = test_clock();
        let mut bucket = TokenBucket::new(RATE, start);
        for tokens in [11, u64::MAX, 1 << 40] {
            assert!(!bucket.take(tokens, start));
        }
        assert!(bucket.is_full(start));
    }

    #[test]
    fn a_rate_of_nothing_gives_its_burst_once() {
        let start = test_clock();
        let rate = Rate {
            per_second: 0,
            burst: 1,
        };
        let mut bucket = TokenBucket::new(rate, start);
        assert_eq!(bucket.full_at(), start);
        assert!(bucket.take(1, start));
        assert!(!bucket.has(1, start + Duration::from_secs(1 << 33)));
        assert!(bucket.full_at() > start + Duration::from_secs(1 << 24));
    }

    proptest! {
        /// Asking often must not give more, or less, than asking once.
        #[test]
        fn asking_often_loses_nothing(
            per_second in 0_u32..100_000,
            burst in 1_u32..,
            gaps in proptest::collection::vec(0_u64..3_000_000_000, 1..60),
        ) {
            let rate = Rate { per_second, burst };
            let mut now = test_clock();
            let mut bucket = TokenBucket::new(rate, now);
            prop_assert!(bucket.take(u64::from(burst), now));
            let mut elapsed = 0_u128;
            let mut taken = 0_u128;
            for gap in gaps {
                now += Duration::from_nanos(gap);
                elapsed += u128::from(gap);
                while taken < 5_000 && bucket.take(1, now) {
                    taken += 1;
                }
                let earned = elapsed * u128::from(per_second) / 1_000_000_000;
                prop_assert!(taken <= earned);
                prop_assert!(taken == earned || taken == 5_000 || earned - taken <= u128::from(burst));
                if earned < u128::from(burst) && taken < 5_000 {
                    prop_assert_eq!(taken, earned);
                }
            }
        }

        #[test]
        fn full_at_is_the_first_moment_of_being_full(
            per_second in 1_u32..,
            burst in 1_u32..,
            taken in 0_u32..,
        ) {
            let start = test_clock();
            let mut bucket = TokenBucket::new(Rate { per_second, burst }, start);
            prop_assert!(bucket.take(u64::from(taken % burst), start));
            let full_at = bucket.full_at();
            prop_assume!(full_at < start + NEVER);
            prop_assert!(bucket.is_full(full_at));
            if let Some(wait) = (full_at - start).checked_sub(Duration::from_nanos(1)) {
                prop_assert!(!bucket.is_full(start + wait));
            }
        }
    }
}
