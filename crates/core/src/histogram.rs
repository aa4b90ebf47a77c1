//! How long something took, counted by ranges: what is left of many durations when none is kept.

use std::time::Duration;

/// Upper bounds of the ranges, rising: from a game on this machine to a dial that nearly failed
/// ([`crate::limits::DIAL_TIMEOUT`]).
const BOUNDS_MS: [u64; 12] = [1, 2, 5, 10, 20, 50, 100, 250, 500, 1000, 3000, 10_000];

/// Durations, counted by ranges.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Histogram {
    counts: [u64; BOUNDS_MS.len()],
    count: u64,
    sum: Duration,
}

impl Histogram {
    /// Counts one more.
    pub fn add(&mut self, took: Duration) {
        let range = BOUNDS_MS
            .iter()
            .position(|&bound| took <= Duration::from_millis(bound));
        if let Some(count) = range.and_then(|range| self.counts.get_mut(range)) {
            *count += 1;
        }
        self.count += 1;
        self.sum = self.sum.saturating_add(took);
    }

    /// Adds what others have counted.
    pub fn add_all(&mut self, others: &Self) {
        for (count, more) in self.counts.iter_mut().zip(others.counts) {
            *count += more;
        }
        self.count += others.count;
        self.sum = self.sum.saturating_add(others.sum);
    }

    /// Upper bounds, rising, each with how many took no longer, but longer than the bound before.
    pub fn ranges(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        let bounds = BOUNDS_MS.iter().copied().map(Duration::from_millis);
        bounds.zip(self.counts)
    }

    /// How many there were, those beyond the last bound included.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// All together.
    #[must_use]
    pub fn sum(&self) -> Duration {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_counts_in_one_range_and_a_bound_belongs_to_what_it_ends() {
        let mut histogram = Histogram::default();
        for ms in [0, 1, 2, 3, 10_000, 10_001] {
            histogram.add(Duration::from_millis(ms));
        }
        let counted: Vec<_> = histogram
            .ranges()
            .filter(|(_, count)| *count > 0)
            .map(|(bound, count)| (bound.as_millis(), count))
            .collect();
        assert_eq!(counted, [(1, 2), (2, 1), (5, 1), (10_000, 1)]);
        assert_eq!(histogram.count(), 6);
        let mut twice = histogram.clone();
        twice.add_all(&histogram);
        assert_eq!(
            (twice.count(), twice.ranges().map(|(_, n)| n).sum()),
            (12, 10)
        );
        assert_eq!(histogram.sum(), Duration::from_millis(20_007));
    }
}
