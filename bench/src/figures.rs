//! From samples to the few figures that are shown: quantiles within a round, best and median over
//! rounds.

use std::collections::BTreeMap;
use std::time::Duration;

/// What one run of one workload through one chain gave, by [`Metric::key`].
pub(crate) type Sample = BTreeMap<&'static str, f64>;

/// A figure that a workload gives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metric {
    pub(crate) key: &'static str,
    /// Column heading, with the unit.
    pub(crate) title: &'static str,
    pub(crate) better: Better,
    pub(crate) decimals: usize,
    /// Shown as a multiple of the direct connection's, too.
    pub(crate) against_direct: bool,
    /// Shown as a multiple of the best peer's, too.
    pub(crate) against_peer: bool,
    /// Its noise goes both ways: the median is shown and compared, not the best round.
    pub(crate) by_median: bool,
}

/// Which end of a scale is the good one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Better {
    Lower,
    Higher,
}

impl Metric {
    pub(crate) const fn lower(key: &'static str, title: &'static str, decimals: usize) -> Self {
        Self {
            key,
            title,
            better: Better::Lower,
            decimals,
            against_direct: false,
            against_peer: false,
            by_median: false,
        }
    }

    pub(crate) const fn higher(key: &'static str, title: &'static str, decimals: usize) -> Self {
        Self {
            better: Better::Higher,
            ..Self::lower(key, title, decimals)
        }
    }

    pub(crate) const fn against_direct(self) -> Self {
        Self {
            against_direct: true,
            ..self
        }
    }

    pub(crate) const fn against_peer(self) -> Self {
        Self {
            against_peer: true,
            ..self
        }
    }

    pub(crate) const fn by_median(self) -> Self {
        Self {
            by_median: true,
            ..self
        }
    }

    /// Noise only adds, to time: the best round is the one nearest to what the machine can do.
    pub(crate) fn best(&self, values: impl IntoIterator<Item = f64>) -> Option<f64> {
        values.into_iter().reduce(match self.better {
            Better::Lower => f64::min,
            Better::Higher => f64::max,
        })
    }
}

/// The middle value; of an even number, the mean of the two in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(*values.get(middle - 1)?, upper))
}

/// Round-trip times of one round.
#[derive(Debug, Default)]
pub(crate) struct Times {
    nanoseconds: Vec<u64>,
}

impl Times {
    pub(crate) fn with_capacity(count: usize) -> Self {
        Self {
            nanoseconds: Vec::with_capacity(count),
        }
    }

    pub(crate) fn push(&mut self, time: Duration) {
        self.nanoseconds
            .push(time.as_nanos().try_into().unwrap_or(u64::MAX));
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.nanoseconds.extend(other.nanoseconds);
    }

    pub(crate) fn len(&self) -> usize {
        self.nanoseconds.len()
    }

    /// Microseconds that the given share of all times, in thousandths, does not exceed (nearest
    /// rank).
    pub(crate) fn quantile_us(&mut self, permille: usize) -> Option<f64> {
        self.nanoseconds.sort_unstable();
        let rank = (self.nanoseconds.len() * permille).div_ceil(1000).max(1);
        self.nanoseconds.get(rank - 1).map(|&ns| ns as f64 / 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_nearest_ranks() {
        let mut times = Times::default();
        for us in (1..=200).rev() {
            times.push(Duration::from_micros(us));
        }
        assert_eq!(times.quantile_us(500), Some(100.0));
        assert_eq!(times.quantile_us(990), Some(198.0));
        assert_eq!(times.quantile_us(999), Some(200.0));
        assert_eq!(times.quantile_us(1000), Some(200.0));
        assert_eq!(Times::default().quantile_us(500), None);
    }

    #[test]
    fn best_knows_its_direction_and_median_its_middle() {
        let values = [3.0, 1.0, 2.0];
        assert_eq!(Metric::lower("a", "a", 1).best(values), Some(1.0));
        assert_eq!(Metric::higher("a", "a", 1).best(values), Some(3.0));
        assert_eq!(median(values.to_vec()), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
    }
}
