//! Which new TCP connections become sessions: counts by address and by /64, and the rates at which
//! sessions open.
//!
//! It protects the game from one household and from all of them together. It does not count
//! descriptors (that bound is the shell's), and it never ends a session to make room: unlike a UDP
//! flow's, a TCP peer's address is proven by its handshake.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

use crate::ledger::{Ledger, LedgerLimits, Refusal};
use crate::limits::{self, Rate};
use crate::prefix::Prefix;
use crate::reason::ShedReason;

/// The bounds of an [`Admission`]; by default those of [`limits`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AdmissionLimits {
    /// Sessions of one address at a time.
    pub sessions_per_address: u32,
    /// Sessions of one /64 at a time.
    pub sessions_per_prefix: u32,
    /// New sessions of one /64.
    pub rate_per_prefix: Rate,
    /// New sessions of all peers together.
    pub rate: Rate,
    /// Prefixes without a session whose rate is remembered.
    pub prefixes_max: usize,
}

impl Default for AdmissionLimits {
    fn default() -> Self {
        Self {
            sessions_per_address: limits::SESSIONS_PER_ADDRESS,
            sessions_per_prefix: limits::SESSIONS_PER_PREFIX,
            rate_per_prefix: limits::SESSION_RATE_PER_PREFIX,
            rate: limits::SESSION_RATE,
            prefixes_max: limits::PREFIXES_MAX,
        }
    }
}

/// Admits TCP connections and counts the sessions they became.
///
/// Its memory is bounded by the sessions that are open, plus
/// [`prefixes_max`](AdmissionLimits::prefixes_max).
#[derive(Debug)]
pub struct Admission {
    per_address_max: u32,
    /// Only addresses with a session; none is zero.
    per_address: HashMap<IpAddr, u32>,
    ledger: Ledger,
}

impl Admission {
    /// With nothing open, and every rate at its burst.
    #[must_use]
    pub fn new(limits: AdmissionLimits, now: Instant) -> Self {
        let ledger_limits = LedgerLimits {
            open_per_prefix: limits.sessions_per_prefix,
            rate_per_prefix: limits.rate_per_prefix,
            rate: limits.rate,
            // The bytes of a session are nobody's business: TCP has proven the address.
            bytes_per_prefix: Rate {
                per_second: 0,
                burst: 0,
            },
            prefixes_max: limits.prefixes_max,
        };
        Self {
            per_address_max: limits.sessions_per_address,
            per_address: HashMap::new(),
            ledger: Ledger::new(ledger_limits, now),
        }
    }

    /// May a connection from `peer` become a session? If so it counts as one until
    /// [`release`](Self::release). Being refused costs neither the peer nor anybody else a token.
    ///
    /// `exempt` is for loopback peers and listed relays: always admitted, never counted.
    pub fn admit(&mut self, peer: IpAddr, exempt: bool, now: Instant) -> Result<(), ShedReason> {
        if exempt {
            return Ok(());
        }
        let address = peer.to_canonical();
        let open = self.per_address.get(&address).copied().unwrap_or(0);
        if open >= self.per_address_max {
            return Err(ShedReason::AddressFull);
        }
        let prefix = Prefix::of(address);
        self.ledger.check(prefix, now).map_err(|why| match why {
            Refusal::PrefixFull => ShedReason::PrefixFull,
            Refusal::PrefixRate => ShedReason::PrefixRate,
            Refusal::TotalRate => ShedReason::TotalRate,
        })?;
        self.ledger.open(prefix, now);
        self.per_address.insert(address, open + 1);
        Ok(())
    }

    /// A session that was admitted, with the same `exempt`, has ended.
    pub fn release(&mut self, peer: IpAddr, exempt: bool) {
        if exempt {
            return;
        }
        let address = peer.to_canonical();
        // An address without a session was never admitted: nothing to give back.
        let Some(open) = self.per_address.get_mut(&address) else {
            return;
        };
        *open -= 1;
        if *open == 0 {
            self.per_address.remove(&address);
        }
        self.ledger.close(Prefix::of(address));
    }

    /// Checks that every count agrees with every other. For tests and fuzzing: looks at all there
    /// is.
    #[doc(hidden)]
    pub fn check_invariants(&self) -> Result<(), &'static str> {
        let mut open = HashMap::new();
        for (address, count) in &self.per_address {
            if *count == 0 || *count > self.per_address_max {
                return Err("an address counts no session, or too many");
            }
            *open.entry(Prefix::of(*address)).or_insert(0) += count;
        }
        self.ledger.check_invariants(&open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::test_clock;
    use proptest::prelude::*;
    use std::time::Duration;

    fn address(prefix: u8, host: u8) -> IpAddr {
        format!("2001:db8:0:{prefix:x}::{host:x}").parse().unwrap()
    }

    #[test]
    fn one_address_cannot_take_the_sessions_of_its_household() {
        let now = test_clock();
        let limits = AdmissionLimits {
            sessions_per_address: 2,
            sessions_per_prefix: 3,
            ..AdmissionLimits::default()
        };
        let mut admission = Admission::new(limits, now);
        let admit = |a: &mut Admission, host| a.admit(address(0, host), false, now);
        assert_eq!(admit(&mut admission, 1), Ok(()));
        assert_eq!(admit(&mut admission, 1), Ok(()));
        assert_eq!(admit(&mut admission, 1), Err(ShedReason::AddressFull));
        assert_eq!(admit(&mut admission, 2), Ok(()));
        assert_eq!(admit(&mut admission, 3), Err(ShedReason::PrefixFull));
        admission.release(address(0, 1), false);
        assert_eq!(admit(&mut admission, 3), Ok(()));
        admission.check_invariants().unwrap();
    }

    #[test]
    fn a_prefix_refused_for_its_rate_leaves_the_total_rate_alone() {
        let now = test_clock();
        let one_each = Rate {
            per_second: 1,
            burst: 1,
        };
        let limits = AdmissionLimits {
            rate_per_prefix: one_each,
            rate: Rate {
                per_second: 1,
                burst: 2,
            },
            ..AdmissionLimits::default()
        };
        let mut admission = Admission::new(limits, now);
        assert_eq!(admission.admit(address(0, 1), false, now), Ok(()));
        for _ in 0..50 {
            let refused = admission.admit(address(0, 2), false, now);
            assert_eq!(refused, Err(ShedReason::PrefixRate));
        }
        assert_eq!(admission.admit(address(1, 1), false, now), Ok(()));
        let refused = admission.admit(address(2, 1), false, now);
        assert_eq!(refused, Err(ShedReason::TotalRate));
        let later = now + Duration::from_secs(1);
        assert_eq!(admission.admit(address(2, 1), false, later), Ok(()));
    }

    #[test]
    fn a_v4_mapped_peer_is_the_ipv4_peer() {
        let now = test_clock();
        let limits = AdmissionLimits {
            sessions_per_address: 1,
            ..AdmissionLimits::default()
        };
        let mut admission = Admission::new(limits, now);
        let mapped = "::ffff:192.0.2.1".parse().unwrap();
        let plain = "192.0.2.1".parse().unwrap();
        assert_eq!(admission.admit(mapped, false, now), Ok(()));
        let refused = admission.admit(plain, false, now);
        assert_eq!(refused, Err(ShedReason::AddressFull));
        admission.release(plain, false);
        assert_eq!(admission.admit(plain, false, now), Ok(()));
    }

    #[test]
    fn exempt_peers_are_neither_refused_nor_counted() {
        let now = test_clock();
        let limits = AdmissionLimits {
            sessions_per_address: 1,
            sessions_per_prefix: 1,
            ..AdmissionLimits::default()
        };
        let mut admission = Admission::new(limits, now);
        for _ in 0..5000 {
            assert_eq!(admission.admit(address(0, 1), true, now), Ok(()));
        }
        assert_eq!(admission.admit(address(0, 1), false, now), Ok(()));
        admission.release(address(0, 1), true);
        let refused = admission.admit(address(0, 1), false, now);
        assert_eq!(refused, Err(ShedReason::AddressFull));
    }

    proptest! {
        /// Against a list of open sessions that is simply counted, with rates that never bind.
        #[test]
        fn counts_like_a_plain_list(
            steps in proptest::collection::vec((0_u8..3, 0_u8..4, any::<bool>()), 1..300),
        ) {
            let now = test_clock();
            let limits = AdmissionLimits {
                sessions_per_address: 2,
                sessions_per_prefix: 5,
                rate_per_prefix: Rate { per_second: 0, burst: 1000 },
                rate: Rate { per_second: 0, burst: 1000 },
                prefixes_max: 2,
            };
            let mut admission = Admission::new(limits, now);
            let mut open: Vec<(u8, u8)> = Vec::new();
            for (prefix, host, close) in steps {
                if close {
                    let held = open.iter().position(|peer| *peer == (prefix, host));
                    held.map(|index| open.swap_remove(index));
                    admission.release(address(prefix, host), false);
                } else {
                    let same_address = open.iter().filter(|p| **p == (prefix, host)).count();
                    let same_prefix = open.iter().filter(|p| p.0 == prefix).count();
                    let expected = if same_address >= 2 {
                        Err(ShedReason::AddressFull)
                    } else if same_prefix >= 5 {
                        Err(ShedReason::PrefixFull)
                    } else {
                        open.push((prefix, host));
                        Ok(())
                    };
                    prop_assert_eq!(admission.admit(address(prefix, host), false, now), expected);
                }
                prop_assert_eq!(admission.check_invariants(), Ok(()));
            }
        }
    }
}
