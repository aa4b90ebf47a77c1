//! How many datagrams were dropped for each reason.

use crate::reason::DropReason;

/// Totals of dropped datagrams by reason, those that never had a flow included.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DropCounts {
    /// In the order of [`DropReason::ALL`].
    counts: [u64; DropReason::ALL.len()],
}

impl DropCounts {
    /// Datagrams dropped for `reason`.
    #[must_use]
    pub fn get(&self, reason: DropReason) -> u64 {
        self.counts.get(reason as usize).copied().unwrap_or(0)
    }

    /// Datagrams dropped for any reason.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The reasons that occurred, each with its count.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        let all = DropReason::ALL.iter().copied().zip(self.counts);
        all.filter(|(_, count)| *count > 0)
    }

    pub(super) fn add(&mut self, reason: DropReason, datagrams: u64) {
        if let Some(count) = self.counts.get_mut(reason as usize) {
            *count += datagrams;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_count_of_its_own() {
        let mut drops = DropCounts::default();
        for (reason, count) in DropReason::ALL.iter().zip(1..) {
            drops.add(*reason, count);
        }
        for (reason, count) in DropReason::ALL.iter().zip(1..) {
            assert_eq!(drops.get(*reason), count, "{reason}");
        }
        let reasons = DropReason::ALL.len();
        assert_eq!(drops.iter().count(), reasons);
        assert_eq!(drops.total(), (1..=reasons as u64).sum());
        assert_eq!(DropCounts::default().iter().next(), None);
    }
}
