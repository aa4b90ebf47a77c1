//! Says a repeating thing once a minute, with a count of what it kept back.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Instant;

use crate::limits::WARN_INTERVAL;

/// Remembers when each kind of notice was last given. `K` must be a small closed set: one entry is
/// kept for each value seen.
#[derive(Debug)]
pub struct Throttle<K> {
    kinds: HashMap<K, Kind>,
}

#[derive(Debug)]
struct Kind {
    said_at: Instant,
    kept_back: u64,
}

impl<K> Default for Throttle<K> {
    fn default() -> Self {
        Self {
            kinds: HashMap::new(),
        }
    }
}

impl<K: Eq + Hash> Throttle<K> {
    /// `Some(n)`: say it now; `n` others of its kind were kept back since the last time.
    pub fn admit(&mut self, kind: K, now: Instant) -> Option<u64> {
        let Some(seen) = self.kinds.get_mut(&kind) else {
            self.kinds.insert(
                kind,
                Kind {
                    said_at: now,
                    kept_back: 0,
                },
            );
            return Some(0);
        };
        if now.duration_since(seen.said_at) < WARN_INTERVAL {
            seen.kept_back += 1;
            return None;
        }
        seen.said_at = now;
        Some(std::mem::take(&mut seen.kept_back))
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
    fn repeats_are_counted_and_said_after_the_interval() {
        let (start, mut throttle) = (Instant::now(), Throttle::default());
        assert_eq!(throttle.admit("full", start), Some(0));
        assert_eq!(throttle.admit("full", start + WARN_INTERVAL / 2), None);
        assert_eq!(throttle.admit("full", start + WARN_INTERVAL / 2), None);
        assert_eq!(throttle.admit("other", start + WARN_INTERVAL / 2), Some(0));
        assert_eq!(throttle.admit("full", start + WARN_INTERVAL), Some(2));
        assert_eq!(throttle.admit("full", start + WARN_INTERVAL * 2), Some(0));
    }
}
