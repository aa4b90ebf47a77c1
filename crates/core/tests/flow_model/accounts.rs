//! The shadow's rates: each bucket keeps every taking and replays them all to know its level.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use via6_core::limits::Rate;

/// IPv6 or not, then the bits that count: the address in IPv4, the upper half in IPv6.
pub type Household = (bool, u128);

pub fn household(ip: IpAddr) -> Household {
    match ip {
        IpAddr::V4(v4) => (false, u128::from(u32::from(v4))),
        IpAddr::V6(v6) => {
            let octets = v6.octets();
            let upper = octets[..8]
                .iter()
                .fold(0, |bits, octet| (bits << 8) | u128::from(*octet));
            (true, upper)
        }
    }
}

pub struct Bucket {
    rate: Rate,
    made_at: Instant,
    takings: Vec<(Instant, u128)>,
}

const NANOS: u128 = 1_000_000_000;

impl Bucket {
    pub fn new(rate: Rate, made_at: Instant) -> Self {
        Self {
            rate,
            made_at,
            takings: Vec::new(),
        }
    }

    /// Nano-tokens after the last taking, and when that was.
    fn replay(&self) -> (u128, Instant) {
        let mut level = u128::from(self.rate.burst) * NANOS;
        let mut at = self.made_at;
        for (taken_at, tokens) in &self.takings {
            level = self.refilled(level, at, *taken_at) - tokens * NANOS;
            at = at.max(*taken_at);
        }
        (level, at)
    }

    fn refilled(&self, level: u128, from: Instant, to: Instant) -> u128 {
        let nanos = to
            .checked_duration_since(from)
            .unwrap_or_default()
            .as_nanos();
        let most = u128::from(self.rate.burst) * NANOS;
        (level + nanos * u128::from(self.rate.per_second)).min(most)
    }

    pub fn has(&self, tokens: usize, now: Instant) -> bool {
        let (level, at) = self.replay();
        self.refilled(level, at, now) >= tokens as u128 * NANOS
    }

    pub fn take(&mut self, tokens: usize, now: Instant) {
        assert!(self.has(tokens, now));
        self.takings.push((now, tokens as u128));
    }

    fn full_at(&self) -> Instant {
        let (level, at) = self.replay();
        let missing = u128::from(self.rate.burst) * NANOS - level;
        let nanos = missing.div_ceil(u128::from(self.rate.per_second.max(1)));
        at + Duration::from_nanos(u64::try_from(nanos).unwrap())
    }
}

pub struct Account {
    pub household: Household,
    pub openings: Bucket,
    pub bytes: Bucket,
}

impl Account {
    /// The smallest of these among those without flows is the next to be forgotten.
    pub fn worth(&self) -> (Instant, Household) {
        (
            self.openings.full_at().max(self.bytes.full_at()),
            self.household,
        )
    }
}
