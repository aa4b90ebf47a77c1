//! How often each of a closed set of reasons came up.

use std::fmt;
use std::marker::PhantomData;

use crate::reason::Reason;

/// One count for each value of `R`. They only grow.
#[derive(Clone, Eq, PartialEq)]
pub struct Counts<R> {
    /// In the order of [`Reason::ALL`].
    counts: Box<[u64]>,
    of: PhantomData<R>,
}

impl<R: Reason> Counts<R> {
    /// How often `reason` came up.
    #[must_use]
    pub fn get(&self, reason: R) -> u64 {
        self.counts.get(reason.index()).copied().unwrap_or(0)
    }

    /// All together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The reasons that came up, each with its count.
    pub fn iter(&self) -> impl Iterator<Item = (R, u64)> + '_ {
        let all = R::ALL.iter().copied().zip(self.counts.iter().copied());
        all.filter(|(_, count)| *count > 0)
    }

    /// `reason` came up `times` more.
    pub fn add(&mut self, reason: R, times: u64) {
        if let Some(count) = self.counts.get_mut(reason.index()) {
            *count += times;
        }
    }

    /// Adds what others have counted.
    pub fn add_all(&mut self, others: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&others.counts) {
            *count += more;
        }
    }
}

impl<R: Reason> Default for Counts<R> {
    fn default() -> Self {
        Self {
            counts: vec![0; R::ALL.len()].into_boxed_slice(),
            of: PhantomData,
        }
    }
}

impl<R: Reason> fmt::Debug for Counts<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = self.iter().map(|(reason, count)| (reason.label(), count));
        f.debug_map().entries(counted).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::DropReason;

    #[test]
    fn every_reason_has_a_count_of_its_own() {
        let mut drops = Counts::default();
        for (reason, count) in DropReason::ALL.iter().zip(1..) {
            drops.add(*reason, count);
        }
        for (reason, count) in DropReason::ALL.iter().zip(1..) {
            assert_eq!(drops.get(*reason), count, "{reason}");
        }
        let reasons = DropReason::ALL.len() as u64;
        assert_eq!(drops.iter().count() as u64, reasons);
        assert_eq!(drops.total(), (1..=reasons).sum());
        let once = drops.clone();
        drops.add_all(&once);
        assert_eq!(drops.total(), 2 * once.total());
        assert_eq!(Counts::<DropReason>::default().iter().next(), None);
    }
}
