//! Who has how much open: the counts and rates by [`Prefix`] that bound UDP flows and TCP sessions
//! alike.
//!
//! An *account* is what is known of one prefix. A prefix gets one when its first flow or session
//! opens, never for being refused, so a flood fills this memory no faster than the total rate.
//! An account with something open stays; the others are *quiet*, and at most `prefixes_max` of
//! those are kept. At that bound the one that is full again, or will be soonest, is forgotten: a
//! full account is no different from a new one, so first goes what nobody can miss.
//!
//! It does not know flows, sessions or addresses, and those who are exempt never show up here.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use crate::limits::Rate;
use crate::prefix::Prefix;
use crate::rate::TokenBucket;

/// The bounds of a [`Ledger`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct LedgerLimits {
    /// Open at a time, of one prefix.
    pub(crate) open_per_prefix: u32,
    /// Openings of one prefix.
    pub(crate) rate_per_prefix: Rate,
    /// Openings of all together.
    pub(crate) rate: Rate,
    /// Bytes to peers of one prefix that are not trusted yet.
    pub(crate) bytes_per_prefix: Rate,
    /// Quiet accounts that are kept.
    pub(crate) prefixes_max: usize,
}

/// Which bound spoke against one more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refusal {
    PrefixFull,
    PrefixRate,
    TotalRate,
}

#[derive(Debug)]
struct Account {
    open: u32,
    openings: TokenBucket,
    bytes: TokenBucket,
}

impl Account {
    /// When both buckets will be full. Fixed while the account is quiet: only opening takes from
    /// one bucket, and only something open takes from the other.
    fn full_at(&self) -> Instant {
        self.openings.full_at().max(self.bytes.full_at())
    }
}

/// See the module's own words.
#[derive(Debug)]
pub(crate) struct Ledger {
    limits: LedgerLimits,
    total: TokenBucket,
    accounts: HashMap<Prefix, Account>,
    /// Accounts with nothing open, by the time they are full.
    quiet: BTreeSet<(Instant, Prefix)>,
}

impl Ledger {
    pub(crate) fn new(limits: LedgerLimits, now: Instant) -> Self {
        Self {
            limits,
            total: TokenBucket::new(limits.rate, now),
            accounts: HashMap::new(),
            quiet: BTreeSet::new(),
        }
    }

    /// May `prefix` open one more? Costs nothing, so that a refusal, here or by a later check of
    /// the caller's, takes no token from anybody.
    pub(crate) fn check(&self, prefix: Prefix, now: Instant) -> Result<(), Refusal> {
        let (open, in_rate) = match self.accounts.get(&prefix) {
            Some(account) => (account.open, account.openings.has(1, now)),
            None => (0, self.limits.rate_per_prefix.burst > 0),
        };
        if open >= self.limits.open_per_prefix {
            Err(Refusal::PrefixFull)
        } else if !in_rate {
            Err(Refusal::PrefixRate)
        } else if !self.total.has(1, now) {
            Err(Refusal::TotalRate)
        } else {
            Ok(())
        }
    }

    /// Opens one after a [`check`](Self::check) at the same `now`.
    pub(crate) fn open(&mut self, prefix: Prefix, now: Instant) {
        let limits = &self.limits;
        let account = self.accounts.entry(prefix).or_insert_with(|| Account {
            open: 0,
            openings: TokenBucket::new(limits.rate_per_prefix, now),
            bytes: TokenBucket::new(limits.bytes_per_prefix, now),
        });
        if account.open == 0 {
            self.quiet.remove(&(account.full_at(), prefix));
        }
        account.open += 1;
        account.openings.take(1, now);
        self.total.take(1, now);
    }

    /// Closes one. A prefix with nothing open is left alone.
    pub(crate) fn close(&mut self, prefix: Prefix) {
        let Some(account) = self.accounts.get_mut(&prefix) else {
            return;
        };
        if account.open == 0 {
            return;
        }
        account.open -= 1;
        if account.open == 0 {
            self.quiet.insert((account.full_at(), prefix));
            if self.quiet.len() > self.limits.prefixes_max
                && let Some((_, forgotten)) = self.quiet.pop_first()
            {
                self.accounts.remove(&forgotten);
            }
        }
    }

    /// May `bytes` more go to peers of `prefix` that are not trusted yet?
    pub(crate) fn take_bytes(&mut self, prefix: Prefix, bytes: u64, now: Instant) -> bool {
        self.accounts
            .get_mut(&prefix)
            .is_some_and(|account| account.bytes.take(bytes, now))
    }

    /// Compares this with what is open according to the caller, and with itself.
    pub(crate) fn check_invariants(&self, open: &HashMap<Prefix, u32>) -> Result<(), &'static str> {
        for (prefix, account) in &self.accounts {
            if account.open != open.get(prefix).copied().unwrap_or(0) {
                return Err("an account counts other than what is open");
            }
            if account.open > self.limits.open_per_prefix {
                return Err("a prefix has more open than it may");
            }
            if (account.open == 0) != self.quiet.contains(&(account.full_at(), *prefix)) {
                return Err("the quiet accounts are not exactly those with nothing open");
            }
        }
        if open
            .keys()
            .any(|prefix| !self.accounts.contains_key(prefix))
        {
            return Err("something open has no account");
        }
        if self.quiet.len() > self.limits.prefixes_max {
            return Err("too many quiet accounts");
        }
        if self.quiet.len() + open.len() != self.accounts.len() {
            return Err("a quiet entry without an account");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::test_clock;
    use std::time::Duration;

    fn limits() -> LedgerLimits {
        LedgerLimits {
            open_per_prefix: 3,
            rate_per_prefix: Rate {
                per_second: 1,
                burst: 4,
            },
            rate: Rate {
                per_second: 1000,
                burst: 1000,
            },
            bytes_per_prefix: Rate {
                per_second: 100,
                burst: 100,
            },
            prefixes_max: 2,
        }
    }

    fn cycle(ledger: &mut Ledger, prefix: Prefix, times: usize, now: Instant) {
        for _ in 0..times {
            assert_eq!(ledger.check(prefix, now), Ok(()));
            ledger.open(prefix, now);
            ledger.close(prefix);
        }
    }

    #[test]
    fn opening_and_closing_does_not_refill_the_rate() {
        let now = test_clock();
        let mut ledger = Ledger::new(limits(), now);
        cycle(&mut ledger, Prefix::V6(1), 4, now);
        assert_eq!(
            ledger.check(Prefix::V6(1), now),
            Err(Refusal::PrefixRate),
            "four of four tokens are gone"
        );
        ledger.check_invariants(&HashMap::new()).unwrap();
    }

    #[test]
    fn forgets_the_account_that_nobody_can_miss() {
        let now = test_clock();
        let mut ledger = Ledger::new(limits(), now);
        let [spent, fresh, newest] = [1, 2, 3].map(Prefix::V6);
        cycle(&mut ledger, spent, 4, now);
        cycle(&mut ledger, fresh, 1, now);
        cycle(&mut ledger, newest, 2, now);
        // `spent` has been quiet longest, yet `fresh` is the one full soonest.
        assert_eq!(ledger.accounts.len(), 2);
        assert!(!ledger.accounts.contains_key(&fresh));
        assert_eq!(ledger.check(spent, now), Err(Refusal::PrefixRate));
        ledger.check_invariants(&HashMap::new()).unwrap();
    }

    #[test]
    fn a_refused_prefix_is_not_remembered_and_costs_the_others_nothing() {
        let now = test_clock();
        let total = Rate {
            per_second: 0,
            burst: 1,
        };
        let mut ledger = Ledger::new(
            LedgerLimits {
                rate: total,
                ..limits()
            },
            now,
        );
        cycle(&mut ledger, Prefix::V6(0), 1, now);
        for prefix in (1..100).map(Prefix::V6) {
            assert_eq!(ledger.check(prefix, now), Err(Refusal::TotalRate));
        }
        assert_eq!(ledger.accounts.len(), 1);

        let mut ledger = Ledger::new(limits(), now);
        for _ in 0..3 {
            ledger.open(Prefix::V6(1), now);
        }
        for _ in 0..2000 {
            let refused = ledger.check(Prefix::V6(1), now);
            assert_eq!(refused, Err(Refusal::PrefixFull));
        }
        assert!(ledger.total.has(997, now));
    }

    #[test]
    fn an_account_with_something_open_is_never_forgotten() {
        let now = test_clock();
        let mut ledger = Ledger::new(limits(), now);
        let lasting = Prefix::V6(7);
        ledger.open(lasting, now);
        assert!(ledger.take_bytes(lasting, 100, now));
        for prefix in (100..200).map(Prefix::V6) {
            cycle(&mut ledger, prefix, 1, now);
        }
        assert!(!ledger.take_bytes(lasting, 1, now));
        assert!(ledger.take_bytes(lasting, 1, now + Duration::from_millis(10)));
        let open = HashMap::from([(lasting, 1)]);
        ledger.check_invariants(&open).unwrap();
    }

    #[test]
    fn closing_what_is_not_open_changes_nothing() {
        let now = test_clock();
        let mut ledger = Ledger::new(limits(), now);
        ledger.close(Prefix::V6(1));
        cycle(&mut ledger, Prefix::V6(1), 1, now);
        ledger.close(Prefix::V6(1));
        ledger.check_invariants(&HashMap::new()).unwrap();
        assert_eq!(ledger.check(Prefix::V6(1), now), Ok(()));
    }
}
